#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Volume, seek, replay, previous and health, in the real bot: what is heard is compared with the cached file packet
# by packet, and its level with what was asked for.  Prints TAP.
. "$abs_top_srcdir/tests/bot-fixture.sh"
say_to () { printf '%s\n' "$1" >&7; }
level () { # FILE FROM-S TO-S
  ffmpeg -v info -ss "$2" -to "$3" -i "$1" -af volumedetect -f null - 2>&1 | sed -n 's/.*mean_volume: \(.*\) dB/\1/p'
}
close_to () { awk -v a="$1" -v b="$2" -v d="$3" 'BEGIN { x = a - b; exit !(x < d && x > -d) }'; }
config restore=no
printf '?play tuneAAAAAAA\n?play shortAAAAAA\n' | run
told 'Playing: One Second'; ok $? "two songs are cached"
song=$(find "$dir/cache/opus" -name 'tuneAAAAAAA.opus')
packets "$song" >"$dir/song.md5"
n_song=$(wc -l <"$dir/song.md5")

# -- volume: as an option, by command, and back to the packets as they are
VOICE=file:$dir/half.opus config restore=no volume=50
echo '?play tuneAAAAAAA' | run
full=$(level "$song" 1 7)
half=$(level "$dir/half.opus" 1 7)
close_to "$half" "$(awk -v a="$full" 'BEGIN { print a - 6.02 }')" 0.7; ok $? "volume=50: 6 dB less ($full, $half)"
[ "$(packets "$dir/half.opus" | grep -vcx "$silence_md5")" = "$n_song" ]; ok $? "as many packets as the song has"

VOICE=file:$dir/change.opus config restore=no
start
say_to '?volume 20'
await told 'Nothing plays.'; ok $? "volume: without a room"
say_to '?play tuneAAAAAAA'
await told 'Playing: The Test Tune'
say_to '?volume'
await told 'Volume: 100 %'; ok $? "volume: what it is"
say_to '?volume 151'
await told 'Usage: volume [0-150]'; ok $? "volume: too loud"
say_to '?volume -5'
say_to '?volume loud'
say_to '?volume 25%'
await told 'Volume: 25 %'; ok $? "volume: changed"
position () { say_to '?np'; grep -q 'Playing: The Test Tune, 0:0[45]' "$dir/out"; }
await position
say_to '?volume 100'
await told 'Volume: 100 %'
quit
[ "$(grep -c 'Usage: volume' "$dir/out")" = 3 ]; ok $? "volume: no number, no volume"
quarter=$(level "$dir/change.opus" 2 4)
whole=$(level "$song" 2 4)
close_to "$quarter" "$(awk -v a="$whole" 'BEGIN { print a - 12.04 }')" 1; ok $? "12 dB less while it was at 25 % ($whole, $quarter)"
heard "$dir/change.opus" >"$dir/change.md5"
[ "$(wc -l <"$dir/change.md5")" = "$n_song" ]; ok $? "not a packet is missing or doubled"
cmp -s <(tail -n 60 "$dir/change.md5") <(tail -n 60 "$dir/song.md5"); ok $? "at 100 % they are the song's own again, bit for bit"

# -- crossfade: two cached songs overlap by 2 s; before and behind that they are their own, bit for bit
config restore=no
printf '?play loudAAAAAAA\n' | run
packets "$(find "$dir/cache/opus" -name 'loudAAAAAAA.opus')" >"$dir/loud.md5"
n_loud=$(wc -l <"$dir/loud.md5")
VOICE=file:$dir/cross.opus config restore=no crossfade=2s
printf '?play tuneAAAAAAA\n?play loudAAAAAAA\n' | run
heard "$dir/cross.opus" >"$dir/cross.md5"
n_cross=$(wc -l <"$dir/cross.md5")
fade=$((n_song + n_loud - n_cross))
[ $fade -ge 98 ] && [ $fade -le 101 ]; ok $? "crossfade=2s: two songs overlap by $fade packets"
cmp -s <(head -n $((n_song - 101)) "$dir/song.md5") <(head -n $((n_song - 101)) "$dir/cross.md5") &&
  cmp -s <(tail -n $((n_loud - 101)) "$dir/loud.md5") <(tail -n $((n_loud - 101)) "$dir/cross.md5")
ok $? "before and behind they are as they were"
[ "$(sed -n "$((n_song - 90)),$((n_song - 10))p" "$dir/cross.md5" | grep -cxf "$dir/song.md5")" = 0 ]; ok $? "between they are mixed"
# a skip in the middle of the fade ends both
VOICE=file:$dir/cut.opus config restore=no crossfade=2s
start
say_to '?play tuneAAAAAAA'
await told 'Playing: The Test Tune'
say_to '?play loudAAAAAAA'
say_to '?play shortAAAAAA'
await told 'Playing: Loud Tones'
say_to '?skip'
await told 'Playing: One Second'
quit
packets "$(find "$dir/cache/opus" -name 'shortAAAAAA.opus')" >"$dir/short.md5"
heard "$dir/cut.opus" >"$dir/cut.md5"
cmp -s <(tail -n "$(wc -l <"$dir/short.md5")" "$dir/cut.md5") "$dir/short.md5" &&
  [ "$(wc -l <"$dir/cut.md5")" -lt $((n_song + $(wc -l <"$dir/short.md5"))) ]
ok $? "a skip within the fade ends both songs, the next one is whole"

# -- seek
VOICE=file:$dir/seek.opus config restore=no
start
say_to '?seek 3'
await told 'Nothing plays.'; ok $? "seek: nothing plays"
say_to '?play tuneAAAAAAA'
await told 'Playing: The Test Tune'
say_to '?seek 0:06'
await told 'At 0:06 of 0:08.'; ok $? "seek: to a place"
say_to '?seek 0:08'
await told 'The song is only 0:08 long.'; ok $? "seek: behind the end"
say_to '?seek -1x'
await told 'Usage: seek'; ok $? "seek: no time"
quit
heard "$dir/seek.opus" >"$dir/seek.md5"
tail -n +301 "$dir/song.md5" >"$dir/last.md5" # 6 s are 300 packets
last=$(wc -l <"$dir/last.md5")
cmp -s <(tail -n "$last" "$dir/seek.md5") "$dir/last.md5"; ok $? "the last two seconds follow, to the packet"
before=$(($(wc -l <"$dir/seek.md5") - last))
cmp -s <(head -n $before "$dir/seek.md5") <(head -n $before "$dir/song.md5"); ok $? "nothing of the old place sounds after it ($before packets before)"
[ "$(grep -c 'Playing: The Test Tune' "$dir/out")" = 1 ]; ok $? "it is not told as another play"

# -- relative, replay, while paused
VOICE=null config restore=no
start
say_to '?play tuneAAAAAAA'
await told 'Playing: The Test Tune'
say_to '?pause'
await told 'Paused.'
say_to '?seek 5'
await told 'At 0:05 of 0:08.'
say_to '?np'
await told 'Paused: The Test Tune, 0:05 of 0:08'; ok $? "seek while paused: it stays paused, there"
say_to '?seek +2'
await told 'At 0:07 of 0:08.'; ok $? "seek: forward"
say_to '?seek -100'
await told 'At 0:00 of 0:08.'; ok $? "seek: back, not before the beginning"
say_to '?seek 6'
say_to '?replay'
twice () { has_times 2 "$dir/out" 'At 0:00 of 0:08.'; }
await twice; ok $? "replay"
say_to '?resume'

# -- previous
say_to '?play shortAAAAAA'
await told 'Queued as #1: One Second'
say_to '?skip'
await told 'Playing: One Second'
say_to '?previous'
await told 'Back to: The Test Tune'; ok $? "previous: the song before it"
say_to '?queue'
await told '1. One Second (0:01'; ok $? "previous: the one that played comes after it"
say_to '?health'
await grep -qE '[1-9][0-9]* packets sent, [0-9]+ of them more than 20 ms late; ran dry 0 times' "$dir/out"; ok $? "health: of this room"
say_to '?stop'
quit
config restore=no
echo '?previous' | run
told 'No song was played before this one.'; ok $? "previous: there was none"
printf 'x: ?health\n' | run
told 'This room has no voice.'; ok $? "health: without a voice"


# -- stop: two packets more of the song, five that fade, silence
VOICE=file:$dir/stop.opus config restore=no
start
say_to '?play tuneAAAAAAA'
await told 'Playing: The Test Tune'
heard_some () { say_to '?np'; grep -q 'Playing: The Test Tune, 0:0[23]' "$dir/out"; }
await heard_some
say_to '?stop'
await told 'Stopped; the queue is empty.'
say_to '?play shortAAAAAA'
await told 'Playing: One Second'; ok $? "stop: the next song plays at once"
say_to '?stop'
quit
VOICE=file:$dir/fade.opus config restore=no
start
say_to '?play tuneAAAAAAA'
await told 'Playing: The Test Tune'
await heard_some
say_to '?stop'
await told 'Stopped; the queue is empty.'
quit
packets "$dir/fade.opus" | grep -vx "$silence_md5" >"$dir/fade.md5"
read -r same faded < <(awk 'NR == FNR { song[FNR] = $0; next } !faded && $0 == song[FNR] { same++; next } { faded++ }
  END { print same + 0, faded + 0 }' "$dir/song.md5" "$dir/fade.md5")
[ "$same" -ge 50 ] && [ "$faded" = 5 ]; ok $? "stop: $same packets of the song, then $faded others"
from=$(awk -v n="$same" 'BEGIN { print n * 0.02 + 0.04 }'); to=$(awk -v n="$same" 'BEGIN { print n * 0.02 + 0.1 }')
exactly () { # FILE: without seeking, which is by page
  ffmpeg -v info -i "$1" -af "atrim=$from:$to,volumedetect" -f null - 2>&1 | sed -n 's/.*mean_volume: \(.*\) dB/\1/p'
}
plain=$(exactly "$song"); quiet=$(exactly "$dir/fade.opus")
awk -v a="$plain" -v b="$quiet" 'BEGIN { exit !(b < a - 6 && b > a - 30) }'; ok $? "stop: their end is quiet ($quiet dB, the song there $plain dB)"
packets "$dir/fade.opus" | tail -n 5 | grep -cx "$silence_md5" | grep -qx 5; ok $? "stop: five frames of silence"

finish
