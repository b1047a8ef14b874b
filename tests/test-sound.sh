#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a room hears is the song: real music through the real host, module and yt-dlp, and the voice file
# compared with the source.  Prints TAP.
. "$abs_top_srcdir/tests/bot-fixture.sh"

holds () { awk "BEGIN { exit !($1) }"; }
# Plays ID from the miss to its end.  (What is heard before it was measured: test-miss.sh.)
play () {
  VOICE=file:$dir/voice.opus config early=no
  echo "?play https://youtu.be/$1" | run
  cat "$dir/out" "$dir/log" >"$dir/all"
  VOICE=null config
  echo "?cache info $1" | run
  "$top/encore-cache" --dir "$dir/cache" info "$1" >>"$dir/out"
}
# A machine that is late by more than 20 ms makes a gap, which the voice file keeps as silence.
silence=$(printf '\370\377\376' | md5sum | cut -d' ' -f1)
packets () { ffmpeg -v error -i "$1" -map 0:a -c copy -f framemd5 - 2>/dev/null | grep -v '^#' | awk -F, '{ print $6 }'; }

# -- loud enough already: the site's own packets are what the room hears
play keptAAAAAAA
packets "$media/kept.251.webm" >"$dir/site.md5"
packets "$dir/voice.opus" | grep -v "$silence" >"$dir/room.md5"
[ "$(wc -l <"$dir/site.md5")" -gt 190 ] && cmp -s "$dir/site.md5" "$dir/room.md5"
ok $? "packets of a song that is loud enough come through as they are"
grep -q 'publish youtube:keptAAAAAAA .* gain=+0.0dB packets=kept' "$dir/all"; ok $? "the log says that they were kept"
grep -q '^\[console\] keptAAAAAAA: .*LUFS, packets kept as they came' "$dir/out" && grep -q ', packets kept$' "$dir/out"
ok $? "and so do ?cache info and encore-cache info"

# -- a real song
names="a real song is played under its title
its file carries title and artist
and so does cache info
the voice file decodes to WAV
energy over time is that of the source
and its level the source's plus the gain
the source backwards does not match"
if [ -f "$media/no-music" ]; then
  while read -r name; do
    skip "$(cat "$media/no-music")" "$name"
  done <<<"$names"
  finish
fi
next () { # STATUS [REMARK]: the next one of NAMES
  ok "$1" "$(head -1 <<<"$names")${2:+ ($2)}"
  names=$(tail -n +2 <<<"$names")
}
play returnHomeA
grep -q '^\[console\] Playing: Return to Home' "$dir/all"; next $?
song=$(find "$dir/cache/opus" -name returnHomeA.opus)
tags=$(ffprobe -v error -show_entries stream_tags=TITLE,ARTIST -of csv=p=0 "$song")
[ "$tags" = "Return to Home,Kenta Cho" ]; next $? "$tags"
grep -q '^\[console\] returnHomeA: Return to Home by Kenta Cho (0:22)' "$dir/out"; next $?
ffmpeg -v error -i "$dir/voice.opus" "$dir/voice.wav" </dev/null; next $?
gain=$(ffprobe -v error -show_entries stream_tags=ENCORE_GAIN -of csv=p=0 "$song")
envelope () { /usr/bin/python3 "$abs_top_srcdir/tests/envelope.py" "$1" "$dir/voice.wav" "$dir/voice.opus"; }
read -r correlation level <<<"$(envelope "$media/returnHomeA.251.webm")"
holds "$correlation > 0.98"; next $? "correlation $correlation"
holds "$level - $gain < 0.3 && $gain - $level < 0.3"; next $? "$level dB, gain $gain dB"
# the measure can tell songs apart
ffmpeg -v error -i "$media/returnHomeA.251.webm" -af areverse "$dir/backwards.wav" </dev/null
read -r correlation _ <<<"$(envelope "$dir/backwards.wav")"
holds "$correlation < 0.8"; next $? "correlation $correlation"

finish
