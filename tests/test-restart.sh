#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Rooms go on after a restart where they were: queue, song and position, also what was only words yet or half
# fetched.  Ended in peace and killed.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need yt-dlp ffmpeg curl pkill
start_site
faults () { curl -s -X POST -d "$1" "$url/faults" >/dev/null; }
begin () { # NAME [OPTION...]
  name=$1
  shift
  config null "$@" >"$dir/$name.conf"
  talk "$name"
}
end () { # SIGNAL
  pkill "-$1" -P "$talk_pid" -x encore-bot
  { hang_up; } 2>/dev/null
}
waiting () { # REGEX: the queue is written within a second or so
  waits () {
    [[ $(/usr/bin/python3 -c '
import sqlite3, sys
db = sqlite3.connect("file:" + sys.argv[1] + "/encore.db?mode=ro", uri=True)
print(";".join(row[0] or row[1] for row in db.execute("SELECT id, words FROM waiting ORDER BY room, place")))' "$dir/cache" 2>&1) =~ $1 ]]
  }
  await waits "$1"
}
position () { # NAME: of the last np, in seconds
  sed -n 's/.*Playing: The Test Tune, 0:0\([0-9]\) of.*/\1/p; s/.*Paused: The Test Tune, 0:0\([0-9]\) of.*/\1/p' "$dir/$1.out" | tail -1
}

# -- ended in peace, in the middle of a song
begin first
ask 'amy: ?play tuneAAAAAAA' 'Playing: The Test Tune' "a song plays"
ask 'bob: ?play -quietAAAAA' 'Queued as #1' "another one waits"
faults '{"resolve/search/enough loud": {"delay": 20}, "media/loudAAAAAAA/251": {"rate": 10000}}'
ask 'bob: ?play loudAAAAAAA' 'Queued as #2' "one is not fetched yet"
ask 'bob: ?play enough loud' 'Queued as #3' "and one is only words"
ask 'boss: ?loop queue' 'Loop: queue' "the queue is repeated"
while [ "$(position first || echo 0)" -lt 3 ] 2>/dev/null || [ -z "$(position first)" ]; do
  say 'amy: ?np'
  hear 'of 0:08' || break
  pause 0.2
done
end TERM
[ $? = 0 ]; ok $? "the bot ends while songs wait"
curl -s -X POST "$url/reset" >/dev/null
begin second
hear 'Going on after a restart: 4 songs\.$'; ok $? "restart: it is told"
ask 'boss: ?pause' 'Paused' "restart: it plays"
ask 'amy: ?np' 'Paused: The Test Tune, 0:0[3-7] of 0:08, asked for by amy' "restart: the song, where it was"
ask 'amy: ?queue' '3 waiting, .*: 1\. Quiet Noise \(0:06, bob\) \| 2\. (loudAAAAAAA|Loud Tones) \(.*, bob\) \| 3\. (enough loud|Loud Enough) \(.*, bob\)' "restart: the queue, in order, with who asked"
ask 'boss: ?resume' 'Going on' "resume"
hear 'Playing: Quiet Noise' && hear 'Playing: Loud Tones' && hear 'Playing: Loud Enough'
ok $? "restart: what was half fetched and what was only words is played in its turn"
ask 'amy: ?queue' '3 waiting' "restart: and the queue is still repeated"
ask 'boss: ?stop' 'Stopped' "stop"
end TERM

# -- nothing waits: no room is joined
begin third
ask 'amy: ?np' 'Nothing plays' "restart: nothing waited"
! grep -q 'Going on' "$dir/third.out" "$dir/third.log"; ok $? "restart: and nothing is told"

# -- paused, then killed
ask 'amy: ?play tuneAAAAAAA' 'Playing: The Test Tune' "a song plays again"
ask 'bob: ?play -quietAAAAA' 'Queued as #1' "one waits"
ask 'boss: ?pause' 'Paused' "pause"
waiting 'tuneAAAAAAA;-quietAAAAA$'; ok $? "it is written down while the bot lives"
end KILL
begin fourth
hear 'Going on after a restart: 2 songs, paused as before'; ok $? "killed: it is told"
ask 'amy: ?np' 'Paused: The Test Tune' "killed: the song is paused as before"
ask 'boss: ?resume' 'Going on' "killed: it goes on"
ask 'boss: ?skip' 'Skipped: The Test Tune' "killed: a DJ may skip it"
hear 'Playing: Quiet Noise'; ok $? "killed: the next one plays"
ask 'amy: ?queue' 'The queue is empty' "killed: and that was all"

# -- what could not be written down is not forgotten
sql () { # STATEMENT
  /usr/bin/python3 -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=20).execute(sys.argv[2])' "$dir/cache/encore.db" "$1"
}
ask 'amy: ?play tuneAAAAAAA' 'Queued as #1|Playing' "a song waits"
ask 'boss: ?pause' 'Paused' "pause: nothing changes any more"
waiting ';tuneAAAAAAA$|^tuneAAAAAAA$'
sql "CREATE TRIGGER no_room BEFORE INSERT ON waiting BEGIN SELECT RAISE (ABORT, 'no room'); END"
ask 'bob: ?play loudAAAAAAA' 'Queued as #' "another one, which the database refuses"
await grep -q 'what waits is not written down: .*no room' "$dir/fourth.log"; ok $? "it is told in the log"
sql 'DROP TRIGGER no_room'
waiting 'tuneAAAAAAA;loudAAAAAAA$'; ok $? "and written down as soon as that can be done"
ask 'boss: ?stop' 'Stopped' "stop, for what follows"

# -- two bots of one name: the first one keeps its rooms, the second does not touch them
config null >"$dir/beside.conf"
printf '?play loudAAAAAAA\n' | bot beside
grep -q 'another process of this name keeps its rooms' "$dir/beside.log" && ! grep -q 'Going on' "$dir/beside.out" &&
  grep -q 'Playing: Loud Tones' "$dir/beside.out"
ok $? "a second bot of the same name plays, and says that its rooms are not kept"
ask 'amy: ?play tuneAAAAAAA' 'Queued as #1|Playing' "something waits"
waiting 'tuneAAAAAAA$'; ok $? "and is written down"
config null instance=two >"$dir/two.conf"
printf '?np\n' | bot two
grep -q 'Nothing plays' "$dir/two.out" && ! grep -q 'another process' "$dir/two.log"; ok $? "an instance has rooms of its own"
end KILL

# -- switched off
begin off restore=no
ask 'amy: ?np' 'Nothing plays' "restore=no: nothing is taken up"
end TERM
# -- and what waited for longer than the site is there
kill "$site"
wait "$site" 2>/dev/null
site=
begin last
hear 'Going on after a restart: [12] song'; ok $? "it waited until somebody took it up"
hear 'Playing: The Test Tune'; ok $? "without the site"
say 'boss: ?stop'
hang_up

finish first second third fourth beside two off last
