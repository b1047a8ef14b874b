#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a room hears is the song: real music through the real host, module and yt-dlp, and the voice file
# compared with the source.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need yt-dlp ffmpeg python3
start_site
media=$top/tests/media
holds () { awk "BEGIN { exit !($1) }"; }

# Plays ID from the miss to its end.  A machine that stands still for more than 20 ms makes a gap, which the voice
# file keeps as silence and which shifts the rest: then it is played again.
play () {
  printf '[bot]\nplugin=%s\n[console]\nvoice=file:%s\n[encore]\ncache_dir=%s\nmin_free=0\nytdlp=%s\n' \
    "$ENCORE_MODULE" "$dir/voice.opus" "$dir/cache" "$ytdlp" >"$dir/bot.conf"
  : >"$dir/log"
  for attempt in 1 2 3 4 5; do
    echo "?play https://youtu.be/$1" |
      timeout 60 "$top/encore-bot" --config "$dir/bot.conf" --wait-idle console >"$dir/out" 2>>"$dir/log"
    gaps=$(ffprobe -v error -show_entries packet=size -of csv=p=0 "$dir/voice.opus" | head -n -5 | grep -cx 3)
    [ "$gaps" = 0 ] && break
    echo "# the machine was late by $gaps slots of 20 ms, attempt $attempt"
  done
  echo "?cache info $1" | timeout 20 "$top/encore-bot" --config "$dir/bot.conf" --wait-idle console >"$dir/info" 2>>"$dir/log"
  "$top/encore-cache" --dir "$dir/cache" info "$1" >>"$dir/info"
}

# -- loud enough already: the site's own packets are what the room hears
play keptAAAAAAA
packets "$media/kept.251.webm" >"$dir/site.md5"
heard "$dir/voice.opus" >"$dir/room.md5"
[ "$(wc -l <"$dir/site.md5")" -gt 190 ] && cmp -s "$dir/site.md5" "$dir/room.md5"
ok $? "packets of a song that is loud enough come through as they are"
grep -q 'publish youtube:keptAAAAAAA .* gain=+0.0dB packets=kept' "$dir/log"; ok $? "the log says that they were kept"
grep -q '^\[console\] keptAAAAAAA: .*LUFS, packets kept as they came' "$dir/info" && grep -q ', packets kept$' "$dir/info"
ok $? "and so do ?cache info and encore-cache info"
[ $failed = 0 ] || sed 's/^/# /' "$dir/out" "$dir/info" "$dir/log"

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
    n=$((n + 1))
    echo "ok $n $name # SKIP $(cat "$media/no-music")"
  done <<<"$names"
  echo "1..$n"
  exit $failed
fi
next () { # STATUS [REMARK]: the next one of NAMES
  ok "$1" "$(head -1 <<<"$names")${2:+ ($2)}"
  names=$(tail -n +2 <<<"$names")
}
play returnHomeA
grep -q '^\[console\] Playing: Return to Home' "$dir/out"; next $?
song=$(find "$dir/cache/opus" -name returnHomeA.opus)
tags=$(ffprobe -v error -show_entries stream_tags=TITLE,ARTIST -of csv=p=0 "$song")
[ "$tags" = "Return to Home,Kenta Cho" ]; next $? "$tags"
grep -q '^\[console\] returnHomeA: Return to Home by Kenta Cho (0:22)' "$dir/info"; next $?
ffmpeg -v error -i "$dir/voice.opus" "$dir/voice.wav" </dev/null; next $?
gain=$(ffprobe -v error -show_entries stream_tags=ENCORE_GAIN -of csv=p=0 "$song")
envelope () { /usr/bin/python3 "$abs_top_srcdir/tests/envelope.py" "$1" "$dir/voice.wav"; }
read -r correlation level <<<"$(envelope "$media/returnHomeA.251.webm")"
holds "$correlation > 0.98"; next $? "correlation $correlation"
holds "$level - $gain < 0.3 && $gain - $level < 0.3"; next $? "$level dB, gain $gain dB"
# the measure can tell songs apart
ffmpeg -v error -i "$media/returnHomeA.251.webm" -af areverse "$dir/backwards.wav" </dev/null
read -r correlation _ <<<"$(envelope "$dir/backwards.wav")"
holds "$correlation < 0.8"; next $? "correlation $correlation"

[ $failed = 0 ] || sed 's/^/# /' "$dir/out" "$dir/info" "$dir/log"
echo "1..$n"
exit $failed
