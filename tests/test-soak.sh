#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Songs of one second without end: a hundred rooms of one process play each their queue round and round, in
# real time.  After a while its memory grows no more, and descriptors and threads stay as many.  SOAK_SONGS:
# how many (default 2000; make check-full: 10000).  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need ffmpeg
rooms=100
songs=${SOAK_SONGS:-2000}
mkdir "$dir/old"
for i in 1 2 3; do
  ffmpeg -v error -nostdin -f lavfi -i "sine=f=$((200 * i)):r=48000:d=1" "$dir/old/soak00000${i}A.flac"
done
"$top/encore-cache" --dir "$dir/cache" import "$dir/old" >"$dir/out" 2>&1 || sed 's/^/# /' "$dir/out"
mkfifo "$dir/to" "$dir/from"
"$top/tests/bench/bench-host" "$ENCORE_MODULE" cache_dir="$dir/cache" min_free=0 restore=no ytdlp=/nonexistent \
  <"$dir/to" >"$dir/from" 2>"$dir/log" &
host=$!
exec 7>"$dir/to" 6<"$dir/from"
command () { # LINE: its answer in $answer; a line at a time, as the host reads them
  printf '%s\n' "$1" >&7
  read -r -t 30 -u 6 answer
}
read -r -t 30 -u 6 answer
[ "${answer:-}" = ready ]; ok $? "the host is ready"
[ $failed = 0 ] || { sed 's/^/# /' "$dir/log"; finish; }
command 'play 1 soak000001A' && command 'stop 1 1' # now what all rooms share is there
silent_fds=$(find "/proc/$host/fd" -mindepth 1 -maxdepth 1 | wc -l)
good=0
for room in $(seq $rooms); do
  for i in 1 2 3; do
    command "play $room soak00000$(((room + i) % 3 + 1))A" && [[ $answer == first* ]] && good=$((good + 1))
  done
  command "say $room loop queue"
done
[ $good = $((rooms * 3)) ]; ok $? "$rooms rooms play"
[ $good = $((rooms * 3)) ] || echo "# $answer"
started () { grep -c 'play: started' "$dir/log"; }
rss () { awk '/^VmRSS/ { print $2 }' "/proc/$host/status"; }
count () { find "/proc/$host/$1" -mindepth 1 -maxdepth 1 | wc -l; } # fd, task
# it is a process of its own time: so many songs are so many seconds
until_started () { # N: or no more songs are told of for 20 s
  local before=-1 now=0 stuck=0
  while [ "$now" -lt "$1" ] && [ $stuck -lt 40 ]; do
    [ "$now" = "$before" ] && stuck=$((stuck + 1)) || stuck=0
    before=$now
    pause 0.5
    now=$(started)
  done
  [ "$now" -ge "$1" ]
}
# of several looks: rooms are between songs, now and then
most () { # COMMAND...
  local i value max=0
  for i in $(seq 20); do
    value=$("$@")
    [ "$value" -gt "$max" ] && max=$value
    pause 0.05
  done
  echo "$max"
}
until_started $((songs / 4)); ok $? "a quarter of $songs songs"
fds=$(most count fd) tasks=$(most count task) kib=$(most rss)
until_started "$songs"; ok $? "$songs songs of a second"
fds_end=$(most count fd) tasks_end=$(most count task) kib_end=$(most rss)
echo "# $(started) songs; resident $kib -> $kib_end KiB, descriptors $fds -> $fds_end, threads $tasks -> $tasks_end"
[ $((kib_end * 100)) -lt $((kib * 105)) ]; ok $? "memory has grown by less than 5 %"
# a room has the song in the air open, and now and then the next one
[ "$fds_end" -le $((fds + rooms / 4)) ]; ok $? "descriptors are about as many"
[ "$tasks_end" -le $((tasks + 1)) ]; ok $? "so are threads"
command 'say 1 health'
echo "# $answer"
command "stop 1 $rooms"; [ "$answer" = stopped ]; ok $? "all rooms stop"
closed () { [ "$(count fd)" -le $((silent_fds + 2)) ]; }
for i in $(seq 100); do closed && break; pause 0.05; done
closed; ok $? "and leave no descriptor ($silent_fds before, $(count fd) after)"
exec 7>&-
wait $host; ok $? "it ends in order"
"$top/encore-cache" --dir "$dir/cache" repair --dry-run >"$dir/out" 2>&1; ok $? "rows and files agree"
finish
