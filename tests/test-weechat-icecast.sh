#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# All of it together: people on an IRC server, WeeChat with our plugin, the songs of the offline site, an Icecast
# server, and a listener who hears what was asked for.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
. "$abs_top_srcdir/tests/weechat-fixture.sh"
. "$abs_top_srcdir/tests/icecast-fixture.sh"
need yt-dlp
trap 'cleanup_icecast; cleanup_weechat' EXIT
icecast=
start_icecast
start_site
start_ngircd
person amy # the first on a channel is its operator
mkdir "$dir/status"
weechat_home "$irc_port" '[chat]' 'channels = "local.#*"' 'rate_per_minute = 0' 'line_interval = 0' \
  '[voice]' "url = \"$icecast/%c.opus\"" 'public_url = "http://radio.example/%c.opus"' 'password = "wrong"' \
  "status_dir = \"$dir/status\"" "$(plugin_lines 'early = "no"')"
start_weechat
person carl
state () { /usr/bin/python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$dir/status/music.opus.json" "$1"; }
is () { [ "$(state "$1")" = "$2" ]; }

# -- a wrong password
asks carl '?play https://youtu.be/shortAAAAAA' '^<encorebot> The Icecast server refuses the user name or the password \(401\)' \
  "a wrong password is told in the channel"
asks carl '?version' '^<encorebot> Encore ' "and the bot lives"
is state refused && is title ''; ok $? "the status file says so"
asks amy '?stop' '^<encorebot> ' "the queue is emptied"

# -- three songs
weechat '/set encore.voice.password secret'
await screen 'encore.voice.password'
says carl '?play https://youtu.be/shortAAAAAA'
await reads carl '^<encorebot> Listen at http://radio.example/music.opus'; ok $? "mended, it plays, and people are told where"
await on_air /music.opus; ok $? "which is where it plays"
listen ear /music.opus
quiet () { is state live && is title ''; }
await quiet
for id in keptAAAAAAA tuneAAAAAAA loudAAAAAAA; do says carl "?play https://youtu.be/$id"; done
await is title 'The Test Tune'; ok $? "the status file has the title of the song"
await is title 'Loud Tones'
await quiet; ok $? "and none after the last"
[ "$(listeners /music.opus)" = 1 ]; ok $? "the listener is there after three songs"
for id in short kept tune loud; do
  packets "$(find "$dir/cache/opus" -name "${id}AAA*.opus" | head -n 1)" >"$dir/$id.md5"
done
in_order () { heard_in_order ear kept tune loud; }
await in_order; ok $? "he heard each whole, bit for bit, in order: $heard"
kill "$listener"
wait "$listener" 2>/dev/null

# -- another room, and the end
says amy '/raw JOIN #other'
weechat '/join -server local #other'
says amy '/raw PRIVMSG #other :?play https://youtu.be/keptAAAAAAA'
await on_air /other.opus; ok $? "another channel has its own mount"
weechat '/set encore.voice.url none'
await screen 'encore.voice.url = "none"'
on_air /music.opus && on_air /other.opus; ok $? "a new address is for the next time"

# -- RTP instead
weechat '/set encore.voice.url rtp://localhost:5004'
await screen "'localhost' is no number of an address"; ok $? "RTP goes to a number only: nothing is looked up"
mkfifo "$dir/receiver.in"
/usr/bin/python3 "$abs_top_srcdir/tests/rtp.py" "$dir/rtp" <"$dir/receiver.in" >"$dir/receiver" &
icecast_pids+=($!)
exec 7>"$dir/receiver.in"
await grep -qs READY "$dir/receiver"
weechat "/set encore.voice.url rtp://127.0.0.1:$(awk '{ print $2 }' "$dir/receiver")"
await screen 'encore.voice.url = "rtp://'
weechat '/encore restart' # what plays goes on at the new address
sent () { awk '{ print $4 }' "$dir/rtp" | grep -qxF -f <(tail -n 20 "$dir/kept.md5"); }
say_rtp () { says amy '/raw PRIVMSG #other :?play https://youtu.be/keptAAAAAAA'; await sent; }
say_rtp && ! grep -q BAD "$dir/rtp"; ok $? "and there the music comes"
kill "$weechat"
wait "$weechat"; ok $? "SIGTERM ends WeeChat with status 0"
gone () { ! on_air /music.opus && ! on_air /other.opus; }
await gone; ok $? "and the mounts with it"
! grep -qi crash "$dir/weechat.out" "$screen"; ok $? "nothing crashed"
if [ $failed != 0 ]; then sed 's/^/# /' "$dir/carl.says"; tail -n 30 "$screen" | sed 's/^/# /'; fi
finish
