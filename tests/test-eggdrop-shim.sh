#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Everything of the module for eggdrop but the file that sees eggdrop's headers, which no package has: commands,
# rights, and the music on a real Icecast server.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
. "$abs_top_srcdir/tests/icecast-fixture.sh"
need yt-dlp
trap 'cleanup_icecast; cleanup' EXIT
drive=$top/tests/eggdrop-drive
conf () { # LINE-OF-[eggdrop]...
  printf '[eggdrop]\nmodule = %s\nchannels = #mus*,#other\nrate_per_minute = 0\nline_interval = 0\n' "$ENCORE_MODULE"
  printf '%s\n' "$@"
  printf '[encore]\ncache_dir = %s\nmin_free = 0\nallow_private = yes\nearly = no\nytdlp = %s\n' "$dir/cache" "$ytdlp"
}
egg () { # starts it with $dir/egg.conf; sets $egg
  rm -f "$dir/in"
  mkfifo "$dir/in"
  "$drive" "$dir/egg.conf" <"$dir/in" >"$dir/out" 2>"$dir/log" &
  egg=$!
  icecast_pids+=($!)
  exec 7>"$dir/in"
}
leave () {
  exec 7>&-
  wait "$egg"
}
says () { printf '%s\n' "$1" >&7; }
reads () { grep -qE "$1" "$dir/out"; }
asks () { # LINE REGEX NAME
  says "$1"
  await reads "$2"
  ok $? "$3"
}

# -- a configuration that cannot be
ytdlp=yt-dlp
refused () { # SENTENCE NAME
  ! "$drive" "$dir/egg.conf" </dev/null >"$dir/out" 2>"$dir/log" && grep -q "$1" "$dir/log"
  ok $? "$2"
}
refused 'egg.conf: No such file' "without its file it says so, and eggdrop lives"
conf 'voice_ulr = none' >"$dir/egg.conf"
refused 'voice_ulr: there is no such setting' "a setting that is none is told"
conf 'rate_per_minute = many' >"$dir/egg.conf"
refused 'rate_per_minute = many: not possible' "and a value that is none"
conf 'module = /nowhere.so' >"$dir/egg.conf"
refused 'nowhere.so' "and a plugin that is not there"

# -- the music
icecast=
start_icecast
start_site
conf "voice_url = $icecast/%c.opus" 'voice_password = wrong' >"$dir/egg.conf"
egg
asks 'carl ? #music ?play https://youtu.be/shortAAAAAA' '^#music The Icecast server refuses the user name or the password \(401\)' \
  "a wrong password is told in the channel"
leave; ok $? "the end of the bot is in order"

mkdir "$dir/status"
conf "voice_url = $icecast/%c.opus" 'voice_public_url = http://radio.example/%c.opus' 'voice_password = secret' \
  "voice_status_dir = $dir/status" >"$dir/egg.conf"
egg
asks 'carl ? #Music ?play https://youtu.be/shortAAAAAA' '^#music Listen at http://radio.example/music.opus$' \
  "people are told where to listen, in the channel where they asked"
await on_air /music.opus; ok $? "there it plays"
listen ear /music.opus
title () { /usr/bin/python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["title"])' "$dir/status/music.opus.json"; }
is_title () { [ "$(title)" = "$1" ]; }
await is_title ''
for id in keptAAAAAAA tuneAAAAAAA; do says "carl ? #music ?play https://youtu.be/$id"; done
await is_title 'The Test Tune'; ok $? "the status file has the title of the song"
says '' # .status
await reads '^status .*eggdrop.#music: http.*/music.opus, live, [1-9][0-9]* packets'; ok $? "and .status tells of the voice"

# -- who may what
asks 'carl ? #music ?pause' '^#music .*DJs' "a stranger may not hold the music"
asks 'dora d #music ?volume' '^#music .*100' "a person of the list asks"
asks 'dora d #music ?cache_clear' '^#music For admins only: \?cache_clear$' "a DJ is no admin"
asks 'boss a #music ?cache_clear' '^#music .*To confirm say' "an admin is"
says 'carl ? #elsewhere ?version'
says 'carl ? #music ?frobnicate'
says 'carl ? #music well ?version'
asks 'carl ? #music ?version' '^#music Encore ' "a command is answered"
[ "$(grep -c Encore "$dir/out")" = 1 ] && ! grep -q -e elsewhere -e frobnicate "$dir/out"
ok $? "where it is none, in a channel that was not chosen, or another bot's, nothing is"
await is_title ''; ok $? "after the last song there is no title"
for song in kept tune; do
  packets "$(find "$dir/cache/opus" -name "${song}AAA*.opus" | head -n 1)" >"$dir/$song.md5"
done
in_order () { heard_in_order ear kept tune; }
await in_order; ok $? "a listener heard both songs whole, bit for bit, in order: $heard"
asks 'amy ? #other ?play https://youtu.be/keptAAAAAAA' '^#other Listen at http://radio.example/other.opus$' "another channel has its own mount"
leave; ok $? "its end while a song plays is in order"
gone () { ! on_air /music.opus && ! on_air /other.opus; }
await gone; ok $? "and the mounts end with it"

# -- haste
answers () { grep -c '^#music Encore' "$dir/out"; }
three () { [ "$(answers)" -ge 3 ]; }
conf 'voice_url = none' 'line_interval = 60000' >"$dir/egg.conf" # the last one of a key holds
egg
for _ in 1 2 3 4 5; do says 'carl ? #music ?version'; done
await three
says ''
await reads '^status '
[ "$(answers)" = 3 ]; ok $? "three lines at once, then they wait"
leave; ok $? "and are not waited for"
conf 'voice_url = none' 'rate_per_minute = 1' 'burst = 2' >"$dir/egg.conf"
egg
for _ in 1 2 3 4 5; do says 'carl ? #music ?version'; done
says 'dora d #music ?version'
await three
says ''
await reads '^status '
[ "$(answers)" = 3 ]; ok $? "who is in haste has two answers, and others have theirs"
leave
finish
