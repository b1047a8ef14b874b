#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A new song is heard while it is downloaded, in the real bot from the offline site: at once, from a slow
# source, from one that breaks off, from other codecs; the second play takes the cached file.  Prints TAP.
. "$abs_top_srcdir/tests/bot-fixture.sh"
at () { # TEXT: when the log said so, in ms of the day
  grep -m1 -F -- "$1" "$dir/log" | awk -F'[: ]' '{ printf "%.0f\n", ($1 * 3600 + $2 * 60 + $3) * 1000 }'
}
before () { [ -n "$(at "$1")" ] && [ -n "$(at "$2")" ] && [ "$(at "$1")" -lt "$(at "$2")" ]; }
nothing_cached () { [ -z "$(find "$dir/cache/opus" -type f)" ]; }

# -- 157 kB at 40 kB/s: 4 s of download; the packets are those of the site
faults '{"media/*": {"rate": 40000}}'
VOICE=file:$dir/early.opus config restore=no
start
say_to () { printf '%s\n' "$1" >&7; }
say_to '?play tuneAAAAAAA'
await told 'Playing: The Test Tune (0:08)'; ok $? "a new song is told with its length"
await logged 'fetch: publish youtube:tuneAAAAAAA'
say_to '?np'
await told 'Playing: The Test Tune, '; ok $? "it plays and is measured at the same time"
quit
before 'play: started youtube:tuneAAAAAAA' 'fetch: publish youtube:tuneAAAAAAA'
ok $? "it sounds before it is in the cache"
[ "$(stat_of media/tuneAAAAAAA/251 requests)" = 1 ]; ok $? "one download"
packets "$media/tune.251.webm" >"$dir/source.md5"
heard "$dir/early.opus" >"$dir/heard.md5"
[ "$(wc -l <"$dir/heard.md5")" = "$(wc -l <"$dir/source.md5")" ]; ok $? "not a packet is missing or doubled"
cmp -s <(head -n 150 "$dir/source.md5") <(head -n 150 "$dir/heard.md5")
ok $? "while it comes they are the site's own, bit for bit"
settled; ok $? "it is in the cache, and nothing else is left"

# -- the next play: the cached file
no_faults
VOICE=file:$dir/hit.opus config restore=no ytdlp=/nonexistent
start
say_to '?play tuneAAAAAAA'
quit
logged 'store: hit youtube:tuneAAAAAAA' &&
  cmp -s <(packets "$(find "$dir/cache/opus" -name 'tuneAAAAAAA.opus')") <(heard "$dir/hit.opus")
ok $? "the second play takes the cached file"

# -- gently to the loudness of the cached file: 5.3 dB less, from 0.5 dB a second
level () { # FILE FROM-S TO-S
  ffmpeg -v info -ss "$2" -to "$3" -i "$1" -af volumedetect -f null - 2>&1 | sed -n 's/.*mean_volume: \(.*\) dB/\1/p'
}
drop=$(awk -v a="$(level "$media/tune.251.webm" 7 8)" -v b="$(level "$dir/early.opus" 7 8)" 'BEGIN { print a - b }')
echo "# after 7 s it is $drop dB softer"
awk -v d="$drop" 'BEGIN { exit !(d > 0.8 && d < 4) }'; ok $? "meanwhile it gets softer, slowly"

# -- a source slower than the music: 10 kB/s of 20 kB/s
rm -rf "$dir/cache"
faults '{"media/*": {"rate": 10000}}'
VOICE=file:$dir/slow.opus config restore=no
start
say_to '?play tuneAAAAAAA'
buffers () { say_to '?np'; told 'Buffering, its download is slow: The Test Tune'; }
await buffers; ok $? "a slow source: np tells that it buffers"
quit
logged 'buffering at'; ok $? "and the log"
[ "$(heard "$dir/slow.opus" | wc -l)" = "$(wc -l <"$dir/source.md5")" ]
ok $? "all of it is heard, none missing or doubled"
[ "$(grep -c 'buffering at' "$dir/log")" -le 6 ]; ok $? "it does not stop and go all the time"

# -- one that breaks off for good
rm -rf "$dir/cache"
faults '{"media/tuneAAAAAAA/*": {"rate": 60000, "drop_at": 60000}, "media/tuneAAAAAAA/251": {"rate": 60000, "drop_at": 60000}}'
VOICE=file:$dir/broken.opus config restore=no prefetch=0
start
say_to '?play tuneAAAAAAA'
say_to '?play loudAAAAAAA'
quit
told 'The Test Tune broke off: '; ok $? "a source that breaks off is told in words"
told 'Playing: Loud Tones'; ok $? "and the queue goes on"
n_heard=$(heard "$dir/broken.opus" | wc -l)
[ "$n_heard" -gt $((300 + 100)) ]; ok $? "what came of it was heard ($n_heard packets with the next song)"
[ -z "$(find "$dir/cache/opus" -name 'tune*')" ] && settled; ok $? "nothing of it is kept"

# -- what came is over before the fetch, which tries again, gives it up
rm -rf "$dir/cache"
no_faults
faults '{"media/tuneAAAAAAA/251": {"rate": 60000, "drop_at": 60000}}'
config restore=no prefetch=0
start
say_to '?play tuneAAAAAAA'
await logged 'at 3000 ms it waits for what is fetched'
faults '{"media/tuneAAAAAAA/251": {"status": 500}}'
quit
told 'The Test Tune broke off: '; ok $? "one that was heard is never told as one that cannot be played"

# -- one that breaks off once: the fetch tries again, the music goes on
rm -rf "$dir/cache"
no_faults
faults '{"media/tuneAAAAAAA/251": {"rate": 60000, "drop_at": 60000, "times": 1}}'
VOICE=file:$dir/again.opus config restore=no
start
say_to '?play tuneAAAAAAA'
quit
[ "$(heard "$dir/again.opus" | wc -l)" = "$(wc -l <"$dir/source.md5")" ] && logged 'fetch: publish youtube:tuneAAAAAAA'
ok $? "one that drops once is gone on with, and heard to its end"

# -- to a place that has not come yet, and back to one that has: it waits there for what is on its way
rm -rf "$dir/cache"
no_faults
faults '{"media/tuneAAAAAAA/251": {"rate": 25000}}'
VOICE=file:$dir/seek.opus config restore=no
start
say_to '?play tuneAAAAAAA'
await told 'Playing: The Test Tune'
say_to '?seek 0:05'
await told 'At 0:05 of 0:08.'; ok $? "seek to a place that has not come yet"
say_to '?np'
await told 'Buffering, its download is slow: The Test Tune, 0:05'; ok $? "np tells that it waits"
reached () { say_to '?np'; grep -q 'Playing: The Test Tune, 0:0[567]' "$dir/out"; }
await reached; ok $? "it goes on there when it comes"
say_to '?seek 0:01'
await told 'At 0:01 of 0:08.'; ok $? "seek back while it comes"
quit
heard "$dir/seek.opus" >"$dir/seek.md5"
# the place of each heard packet in the source, as far as they are its own: where they jump
/usr/bin/python3 - "$dir/source.md5" "$dir/seek.md5" <<'EOF' >"$dir/jumps"
import sys
source, heard = ([line.strip() for line in open(name)] for name in sys.argv[1:])
place = {sum_: i for i, sum_ in enumerate(source)}
at = [place.get(sum_) for sum_ in heard]
print(*(f'{a}>{b}' for a, b in zip(at, at[1:]) if a is not None and b is not None and b != a + 1))
print(len(heard))
EOF
jumps=$(head -1 "$dir/jumps")
echo "# places: $jumps"
[[ $jumps =~ ^[0-9]+\>250\ [0-9]+\>50$ ]]; ok $? "not a packet beside the asked-for places is heard"
first=${jumps%%>*} second=${jumps#* } second=${second%%>*}
[ "$(tail -1 "$dir/jumps")" = $((first + 1 + second - 250 + 1 + $(wc -l <"$dir/source.md5") - 50)) ]
ok $? "and from there all of it, to its end"
logged 'fetch: publish youtube:tuneAAAAAAA' && [ "$(stat_of media/tuneAAAAAAA/251 requests)" -le 4 ]
ok $? "the download went on meanwhile, once"

# -- skipped early: nothing of it is left; its lease is not in the way
rm -rf "$dir/cache"
no_faults
faults '{"media/tuneAAAAAAA/251": {"rate": 20000}}'
config restore=no
start
say_to '?play tuneAAAAAAA'
await told 'Playing: The Test Tune'
say_to '?skip'
quit
logged 'nothing to keep of youtube:tuneAAAAAAA (skipped): it is not cached yet' && nothing_cached && settled
ok $? "skipped before half of it came: nothing is kept"

# -- another codec
rm -rf "$dir/cache"
no_faults
faults '{"media/*": {"rate": 40000}}'
VOICE=file:$dir/aac.opus config restore=no
start
say_to '?play aacOnlyAAAA'
quit
before 'play: started youtube:aacOnlyAAAA' 'fetch: publish youtube:aacOnlyAAAA' &&
  [ "$(heard "$dir/aac.opus" | wc -l)" -ge 298 ]
ok $? "AAC is transcoded beside its download"

# -- off: as before
rm -rf "$dir/cache"
VOICE=file:$dir/off.opus config restore=no early=no
start
say_to '?play tuneAAAAAAA'
quit
before 'fetch: publish youtube:tuneAAAAAAA' 'play: started youtube:tuneAAAAAAA'; ok $? "early=no: measured first"

echo "1..$n"
exit $failed
