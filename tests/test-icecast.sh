#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A listening room on a real Icecast server: an endless stream, every song whole, nobody dropped; and what is
# said when the server refuses or goes.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
. "$abs_top_srcdir/tests/icecast-fixture.sh"
make -s -C "$top" tests/listen-drive >/dev/null 2>&1
trap 'cleanup_icecast; cleanup' EXIT
icecast=
start_icecast
# three songs that differ: tones of 400, 800 and 1200 Hz, 4 s each
for hz in 400 800 1200; do
  ffmpeg -v error -f lavfi -i "sine=frequency=$hz:duration=4" -ar 48000 -ac 2 -c:a libopus -frame_duration 20 -b:a 96k "$dir/$hz.opus"
done
room () { # NAME MOUNT PASSWORD CHAIN: a room; says what it is told through $room
  mkfifo "$dir/$1.in"
  "$top/tests/listen-drive" "$icecast$2" "$3" "$dir/$1.json" "$4" <"$dir/$1.in" >"$dir/$1.out" 2>&1 &
  room_pid=$!
  icecast_pids+=($!)
  exec {room}>"$dir/$1.in"
}
tells () { grep -q -- "$2" "$dir/$1.out"; }
state () { /usr/bin/python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$dir/$1.json" "$2"; }

room a /a.opus secret plain
await tells a '^live'; ok $? "the room is live"
on_air /a.opus; ok $? "and on the air while nothing plays"
[ "$(state a state)" = live ] && [ "$(state a title)" = '' ] && [ "$(state a error)" = '' ]; ok $? "its file says so"
listen ear /a.opus
for hz in 400 800 1200; do echo "play $dir/$hz.opus" >&"$room"; done
await tells a 'played 400'
playing () { case $(state a title) in 400.opus | 800.opus | 1200.opus) true ;; *) false ;; esac; }
await playing; ok $? "its file says what plays"
await tells a 'played 1200'
echo stop >&"$room"
titled () { [ "$(state a title)" = '' ]; }
await titled; ok $? "and that nothing plays any more"
[ "$(listeners /a.opus)" = 1 ]; ok $? "the listener is still there after three songs"
room b /a.opus secret plain
await tells b '^refused .*(403)'; ok $? "an occupied mount is told in words"
[ "$(state b state)" = refused ]; ok $? "and in the file"
pause 1
kill "$listener"; wait "$listener" 2>/dev/null
# the song's packets are in what the listener has, bit for bit, each song behind the other
packets "$dir/ear.opus" >"$dir/ear.md5"
silence=$(printf '\xfc\xff\xfe' | md5sum | cut -d' ' -f1)
for hz in 400 800 1200; do packets "$dir/$hz.opus"; done >"$dir/songs.md5"
grep -vx "$silence" "$dir/ear.md5" | cmp -s - "$dir/songs.md5"; ok $? "he has heard every packet of all three, bit for bit"
awk -v s="$silence" '$0 == s { if (n > 0) gap++; next } { n++; between += gap; gap = 0 } END { print "# frames of silence between the songs: " between + 0; exit between > 15 }' "$dir/ear.md5"
ok $? "without a break"
opusinfo "$dir/ear.opus" 2>&1 | grep -iE 'warning|error|corrupt' | grep -v 'EOS' | sed 's/^/# /' | tee "$dir/warnings"
[ ! -s "$dir/warnings" ] && [ "$(grep -ac OpusHead "$dir/ear.opus")" = 1 ]; ok $? "it is one valid stream"
ffmpeg -v error -i "$dir/ear.opus" -f f32le -ac 1 - 2>/dev/null | /usr/bin/python3 -c '
import array, math, sys
a = array.array("f", sys.stdin.buffer.read())
found = []
for at in range(0, len(a) - 4800, 4800):
    part = a[at:at + 4800]
    if sum(x * x for x in part) / 4800 < 1e-5: continue
    crossings = sum(1 for x, y in zip(part, part[1:]) if x < 0 <= y) * 10
    for hz in (400, 800, 1200):
        if abs(crossings - hz) <= 20 and found[-1:] != [hz]: found.append(hz)
print("# heard:", found)
sys.exit(found != [400, 800, 1200])'; ok $? "decoded, the three songs are heard one after the other"
wait_us=$(grep -c . "$dir/ear.md5")
[ "$wait_us" -gt 600 ]; ok $? "the stream ran on"

# -- refusals
room c /c.opus wrong plain
await tells c '^refused .*password (401)'; ok $? "a wrong password is told in words"
room d /d.opus secret plain
icecast_before=$icecast
icecast=http://127.0.0.1:1
room e /e.opus secret plain
await tells e '^refused .*nobody listens'; ok $? "a server that is not there"
icecast=$icecast_before

# -- the server is restarted
stop_icecast
await tells a '^lost '; ok $? "a server that goes is told"
[ "$(state a state)" = lost ] && [ -n "$(state a error)" ]; ok $? "and in the file"
echo "play $dir/800.opus" >&"$room"
start_icecast
await tells a '^live .*back'; ok $? "it is back when the server is"
listen again /a.opus
echo "play $dir/400.opus" >&"$room"
kill -STOP "$icecast_pid"
pause 3
kill -CONT "$icecast_pid"
on_air /a.opus; ok $? "a server that stands still for 3 s loses nobody"

# -- chained streams with titles
room chained /chained.opus secret chain
chain=$room
await tells chained '^live'
listen chained /chained.opus
for hz in 400 800; do echo "play $dir/$hz.opus" >&"$chain"; done
await tells chained 'played 800'
pause 1
kill "$listener"; wait "$listener" 2>/dev/null
[ "$(grep -ao 'TITLE=[0-9]*' "$dir/chained.opus" | tr '\n' ' ')" = 'TITLE=400 TITLE=800 ' ]; ok $? "chain: each song has its title in the stream"
ffprobe -v error "$dir/chained.opus" 2>&1 | sed 's/^/# /' ; opusinfo "$dir/chained.opus" 2>&1 | grep -iE 'corrupt|invalid|hole' | sed 's/^/# /' | tee "$dir/warnings"
[ ! -s "$dir/warnings" ]; ok $? "and is valid"

# -- the end
exec {chain}>&-
await tells chained '^ended'; ok $? "a room that ends says so"
gone () { ! on_air /chained.opus; }
await gone; ok $? "and its mount is gone"
[ "$(state chained state)" = ended ]; ok $? "and its file says so"
finish a b c e chained
