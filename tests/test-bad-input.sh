#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What people and operators get wrong, through the real host: each has a clear sentence in the chat or in the
# log, a good song after it plays, nothing half-made stays.  Prints TAP.
. "$abs_top_srcdir/tests/bot-fixture.sh"

good=shortAAAAAA
plays () { told 'Playing: One Second'; }

# ---- songs that cannot be played.  Each is followed by one that can, and nothing is fetched ahead of its turn.
rows=(
  "not a URL|http://|That is no link of YouTube"
  "another site|https://example.com/watch?v=tuneAAAAAAA|That is no link of YouTube"
  "words that name nothing|no such song anywhere|Cannot play no such song anywhere: Nothing was found."
  "a channel URL|https://www.youtube.com/@somebody|That is the link of a channel"
  "a playlist URL|https://www.youtube.com/playlist?list=PL0123456789|That is the link of a playlist"
  "a private video|https://youtu.be/privateAAAA|This video is private."
  "a removed video|https://youtu.be/removedAAAA|This video is not available (any more)."
  "a live video|https://youtu.be/liveAAAAAAA|This is a live stream; it has no end and is not played."
  "an upcoming video|https://youtu.be/upcomingAAA|This video is not out yet."
  "an age-restricted video|https://youtu.be/ageAAAAAAAA|This video is age-restricted."
  "a video that is too long|https://youtu.be/tenHoursAAA|Cannot play Ten hours: It is longer than this bot plays."
  "a video without formats|https://youtu.be/noFormatsAA|The site offers no sound for it; perhaps yt-dlp is too old."
  "a wrong announced length|https://youtu.be/wrongLenAAA|Announced longer was not kept: What the site sent is no whole song; nothing was kept."
  "a web page instead of music|https://youtu.be/loudAAAAAAA|Cannot play Loud Tones: What the site sent is no whole song; nothing was kept."
)
faults '{"media/loudAAAAAAA/251": {"body": "<html>Sign in</html>"}}'
config prefetch=0
for row in "${rows[@]}"; do
  IFS='|' read -r _ what _ <<<"$row"
  printf '?play %s\n?play %s\n' "$what" $good
done | run
for row in "${rows[@]}"; do
  IFS='|' read -r name _ sentence <<<"$row"
  told "$sentence"; ok $? "$name"
done
[ "$(grep -c 'Playing: One Second' "$dir/out")" = ${#rows[@]} ]; ok $? "the queue goes on after each"
settled; ok $? "and nothing half-made stays"
[ "$(find "$dir/cache/opus" -type f | wc -l)" = 1 ]; ok $? "only the good song is cached"
no_faults

# ---- yt-dlp.  The good song is in the cache by now; the sentence in the chat is one, the log tells more.
cannot='yt-dlp cannot be started: the operator must install it or correct the option ytdlp.'
program () { # NAME PROGRAM LOG
  config "ytdlp=$2" prefetch=0
  printf '?play keptAAAAAAA\n?play %s\n' $good | run
  told "$cannot" && logged "$3" && plays && settled; ok $? "$1"
}
echo '#!/bin/sh' >"$dir/plain"
printf 'touch %s\n' "$dir/executed" >"$dir/text"
printf '#!%s\n' "$dir/nothing" >"$dir/orphan"
printf '#!/bin/sh\nexit 0\n' >"$dir/mute"
printf '#!/bin/sh\necho "usage: yt-dlp [OPTIONS]" >&2; echo "yt-dlp: error: no such option: --print" >&2; exit 2\n' >"$dir/old"
chmod +x "$dir/text" "$dir/orphan" "$dir/mute" "$dir/old"
program "yt-dlp missing" "$dir/nothing" "$dir/nothing cannot be started: No such file or directory"
program "yt-dlp not in PATH" no-such-yt-dlp "there is no program no-such-yt-dlp in /usr/local/bin:/usr/bin:/bin"
program "yt-dlp not executable" "$dir/plain" "$dir/plain cannot be started: it is not executable"
program "yt-dlp that is no program" "$dir/text" "$dir/text cannot be started: it is no program"
[ ! -e "$dir/executed" ]; ok $? "and it is not given to a shell"
program "yt-dlp that is a directory" "$dir" "$dir cannot be started: it is no file"
program "yt-dlp without its interpreter" "$dir/orphan" "$dir/orphan: "
program "yt-dlp that says nothing" "$dir/mute" "ended without a word"
program "yt-dlp that is too old for our options" "$dir/old" "error: no such option: --print"

# a download of which nobody says what it is would be stored under no name, and the next one taken for it
song=0
for info in '' '{"event":"meta","info":{"id":"../../etc/passwd","title":"x","duration":1}}' '{"event":"meta","info":[]}'; do
  printf '#!/bin/sh\ncp %s media.webm\ncat <<END\n%s\n{"event":"done","path":"media.webm"}\nEND\n' \
    "$media/short.251.webm" "$info" >"$dir/nameless"
  chmod +x "$dir/nameless"
  config "ytdlp=$dir/nameless" prefetch=0
  song=$((song + 1))
  printf '?play nameless%sAA\n?play %s\n' $song $good | run
  told "Cannot play nameless${song}AA: It cannot be played; the log says more." && logged 'told no id' && plays && settled &&
    [ "$(find "$dir/cache/opus" -type f | wc -l)" = 1 ]
  ok $? "yt-dlp that does not tell what it downloaded: ${info:-nothing}"
done

# ---- no decoder for a format: a registry without gst-libav
config prefetch=0
printf '?play aacOnlyAAAA\n?play %s\n' $good |
  GST_REGISTRY_1_0=$dir/registry.bin GST_PLUGIN_LOADING_WHITELIST=gstreamer:gst-plugins-base:gst-plugins-good run
told 'Only AAC: This format cannot be decoded here: the operator must install a GStreamer plugin' &&
  logged 'GStreamer has no MPEG-4 AAC decoder (Debian package gstreamer1.0-libav)' && plays && settled
ok $? "no decoder plugin for a format"

# ---- configuration: named with what would be right, and the plugin does not start
wrong () { # NAME LINE LOG
  config "$2"
  echo "?play $good" | run
  [ $? = 2 ] && logged "$3" && logged 'plugin encore refuses to start' && [ ! -s "$dir/out" ]; ok $? "$1"
}
wrong "unknown config key" max_sise=1 "unknown option 'max_sise' (did you mean 'max_size'?)"
wrong "unknown config key that is like none" favourite_colour=blue "unknown option 'favourite_colour'"
wrong "whole number out of range" jobs=17 "jobs = '17' is not a whole number from 1 to 16"
wrong "number out of range" loudness=3 "loudness = '3' is not a number from -40 to -5"
wrong "size out of range" max_bytes=1B "max_bytes = '1B' is not a size from 1KiB to 1TiB (B, KiB, MiB, GiB, TiB)"
wrong "time out of range" stall=0 "stall = '0' is not a time from 1s to 1h (ms, s, min, h, d)"
wrong "a relative path" cache_dir=music "cache_dir = 'music' is not an absolute path"
wrong "no program" ytdlp= "ytdlp = '' is not the name of a program or an absolute path"
wrong "a program by a relative path" ytdlp=./yt-dlp "ytdlp = './yt-dlp' is not the name of a program or an absolute path"
wrong "a quote that is not closed" 'ytdlp_args="--x' "is not a list of words quoted as for a shell"
wrong "bad size unit" max_size=8GB "max_size = '8GB' is not a size from 0 to 1024TiB"
wrong "bad time unit" stall=10parsecs "stall = '10parsecs' is not a time from 1s to 1h"
wrong "no number" bitrate=high "bitrate = 'high' is not a whole number from 16000 to 192000"
wrong "no choice" evict=maybe "evict = 'maybe' is not one of gdsf, lru, age"
wrong "no yes or no" keep_source=perhaps "keep_source = 'perhaps' is not yes or no"
wrong "two commands of one name" rename=play=skip "rename = 'play=skip' gives two commands the name 'skip'"
wrong "no list of names" rename=play "rename = 'play' is not a list of command=name"
config '[encor]' max_size=1GiB
echo "?play $good" | run
[ $? = 2 ] && logged 'unknown section [encor]; there are [bot], [console], [mumble] and [encore]'; ok $? "unknown section"
for voice in nul file: "file:$dir" file:/nonexistent/x.opus rtp://host:port; do
  VOICE=$voice config
  echo '?np' | run
  [ $? = 2 ] && logged "voice = '$voice'" && [ ! -s "$dir/out" ]; ok $? "voice=$voice: told at the start"
done

finish
