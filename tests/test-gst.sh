#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The elements as GStreamer people use them, on a song that the bot has cached.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need yt-dlp ffmpeg gst-launch-1.0 gst-inspect-1.0 gst-play-1.0
start_site
song=encore://youtube/tuneAAAAAAA
file=$dir/cache/opus/be/tuneAAAAAAA.opus
export ENCORE_CACHE_DIR=$dir/cache

config null >"$dir/line.conf"
printf '?play tuneAAAAAAA\n' | bot line
[ -f "$file" ]; ok $? "the bot has cached the song"

# -- the line that the bot tells is the one that works
# asked while it plays: the chat waits for the song to begin
said () { await has "$dir/line.out" "[console] $1"; }
mkfifo "$dir/chat"
rm "$dir/line.out" # of the bot before this one
bot line <"$dir/chat" &
exec 7>"$dir/chat"
echo '?play tuneAAAAAAA' >&7
said Playing
printf '?pipeline\n?stop\n?pipeline tuneAAAAAAA\n' >&7
exec 7>&-
wait $!
line=$(sed -n 's/^\[console\].* \(gst-launch-1.0 encoretrack .*\)$/\1/p' "$dir/line.out" | head -1)
echo "# $line"
case $line in *"room=1"*) true ;; *) false ;; esac
ok $? "pipeline tells the line in force, with its room"
[ "$(grep -c 'gst-launch-1.0 encoretrack' "$dir/line.out")" = 2 ]; ok $? "and that of a song that does not play"
# these programs are not built by us: they need the sanitizer's runtime before our module
if [ -n "${SANITIZERS:-}" ]; then
  export LD_PRELOAD=$(${CC:-cc} -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0
fi
(unset ENCORE_CACHE_DIR; time -p sh -c "timeout 30 $line") >"$dir/launch" 2>&1
grep -q '^1: 401 packets of 20 ms = 8.02 s.* 0 gaps' "$dir/launch"; ok $? "it runs as it is, and plays the whole song"
awk '/^real/ { exit !($2 > 7.5) }' "$dir/launch"; ok $? "and does not rush"

# -- the other ways in
run () { timeout 30 gst-launch-1.0 -q "$@" >"$dir/launch" 2>&1; }
run encoretrack uri=$song ! encorepack ! encorevoicesink sync=false
grep -q '401 packets.* 0 gaps, 0 late' "$dir/launch"; ok $? "encoretrack ! encorepack ! encorevoicesink"
run encoresrc uri=$song ! oggdemux ! encorepack ! encorevoicesink sync=false
grep -q '400 packets' "$dir/launch"; ok $? "encoresrc ! oggdemux ! encorepack ! encorevoicesink"
run encoretrack uri=$song ! encorepack ! oggmux ! filesink location="$dir/copy.opus" &&
  packets "$file" >"$dir/a" && packets "$dir/copy.opus" >"$dir/b" && cmp -s "$dir/a" "$dir/b"
ok $? "the packets are those of the file, bit for bit"
run encoretrack uri=$song ! encorepack volume=0.5 ! oggmux ! filesink location="$dir/half.opus"
level () { ffmpeg -nostats -i "$1" -af volumedetect -f null - 2>&1 | sed -n 's/.*mean_volume: \(.*\) dB/\1/p'; }
awk "BEGIN { d = $(level "$file") - $(level "$dir/half.opus"); exit !(d > 5.7 && d < 6.3) }"
ok $? "volume=0.5 is 6 dB less"
timeout 60 gst-play-1.0 --audiosink='fakesink sync=false' $song <"/dev/null" >"$dir/play" 2>&1 &&
  grep -q 'Reached end of play list' "$dir/play"
ok $? "gst-play-1.0 takes encore:// URIs"
run encoretrack uri=encore://youtube/nonexistAAA ! fakesink
grep -q 'The song is not in the cache' "$dir/launch"; ok $? "a song that is not there is an error in words"

# -- good citizens
for element in encoresrc encoretrack encorepack encorevoicesink; do
  gst-inspect-1.0 $element >"$dir/inspect" 2>&1 && grep -q 'Long-name  *Encore' "$dir/inspect" &&
    grep -q "^  *Filename  *$top/.libs/encore.so" "$dir/inspect"
  ok $? "gst-inspect-1.0 $element"
done
GST_DEBUG='encore*:6' run encoretrack uri=$song ! encorepack ! encorevoicesink sync=false
grep -q 'encoretrack.*packet at 0:00:00.020000000' "$dir/launch"; ok $? "GST_DEBUG=encore*:6 tells the story"
GST_TRACERS=leaks GST_DEBUG=GST_TRACER:7 run encoretrack uri=$song ! encorepack volume=0.7 ! encorevoicesink sync=false
! grep "object-alive, " "$dir/launch" | grep -v "new format string" >"$dir/alive"
ok $? "no object is left behind"
sed 's/^/# /' "$dir/alive" | head -5

# -- the bot's own pipelines: their graph (tests/test-player.c counts their elements)
mkdir "$dir/dot"
rm "$dir/chat" "$dir/line.out"
mkfifo "$dir/chat"
GST_DEBUG_DUMP_DOT_DIR=$dir/dot "$top/encore-bot" --config "$dir/line.conf" console \
  <"$dir/chat" >"$dir/line.out" 2>"$dir/line.log" &
bot=$!
exec 7>"$dir/chat"
echo '?play tuneAAAAAAA' >&7
said Playing
echo '?stop' >&7
exec 7>&-
wait $bot; ok $? "the bot ends well"
cat "$dir"/dot/*encore*.dot >"$dir/graph" 2>/dev/null
grep -q GstEncoreTrack "$dir/graph" && grep -q GstEncorePack "$dir/graph" && grep -q GstEncoreVoiceSink "$dir/graph"
ok $? "GST_DEBUG_DUMP_DOT_DIR has the graph of a room's pipeline"

finish line
