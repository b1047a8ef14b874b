#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a room hears is the song: real music through the real host, module and yt-dlp, and the voice file
# compared with the source.  Prints TAP.
set -uo pipefail
unset G_DEBUG # a warning in the log is no bug here
for program in yt-dlp ffmpeg python3; do
  command -v $program >/dev/null || { echo "1..0 # SKIP $program is not installed"; exit 0; }
done
top=$abs_top_builddir
media=$top/tests/media
dir=$(mktemp -d)
site=
cleanup () {
  [ -n "$site" ] && kill "$site" 2>/dev/null
  rm -rf "$dir"
}
trap cleanup EXIT

bash "$abs_top_srcdir/tests/site/make-media.sh" "$media"
[ ! -f "$media/no-music" ] || { echo "1..0 # SKIP $(cat "$media/no-music")"; exit 0; }
mkfifo "$dir/stdin" "$dir/ready"
/usr/bin/python3 "$abs_top_srcdir/tests/site/site.py" "$media" <"$dir/stdin" >"$dir/ready" &
site=$!
exec 8>"$dir/stdin"
read -r _ url <"$dir/ready"
ytdlp=$(bash "$abs_top_srcdir/tests/site/make-wrapper.sh" "$dir" "$url")

n=0
failed=0
ok () { # STATUS NAME
  n=$((n + 1))
  if [ "$1" = 0 ]; then echo "ok $n $2"; else echo "not ok $n $2"; failed=1; fi
}
holds () { awk "BEGIN { exit !($1) }"; }

# The song, 22 s, is played from the miss to its end.  A machine that stands still for more than 20 ms makes
# a gap, which is kept as silence and shifts the rest: then it is played again.
printf '[bot]\nplugin=%s\n[console]\nvoice=file:%s\n[encore]\ncache_dir=%s\nmin_free=0\nytdlp=%s\n' \
  "$ENCORE_MODULE" "$dir/voice.opus" "$dir/cache" "$ytdlp" >"$dir/bot.conf"
for attempt in 1 2 3; do
  echo '?play https://youtu.be/returnHomeA' |
    timeout 60 "$top/encore-bot" --config "$dir/bot.conf" --wait-idle console >"$dir/out" 2>"$dir/log"
  gaps=$(ffprobe -v error -show_entries packet=size -of csv=p=0 "$dir/voice.opus" | head -n -5 | grep -cx 3)
  [ "$gaps" = 0 ] && break
  echo "# the machine was late by $gaps slots of 20 ms, attempt $attempt"
done
grep -q '^\[console\] Playing: Return to Home' "$dir/out"; ok $? "a real song is played under its title"
song=$(find "$dir/cache/opus" -name returnHomeA.opus)
tags=$(ffprobe -v error -show_entries stream_tags=TITLE,ARTIST -of csv=p=0 "$song")
[ "$tags" = "Return to Home,Kenta Cho" ]; ok $? "its file carries title and artist ($tags)"
echo '?cache info returnHomeA' | timeout 20 "$top/encore-bot" --config "$dir/bot.conf" --wait-idle console >"$dir/info" 2>>"$dir/log"
grep -q '^\[console\] returnHomeA: Return to Home by Kenta Cho (0:22)' "$dir/info"
ok $? "and so does cache info"

ffmpeg -v error -i "$dir/voice.opus" "$dir/voice.wav" </dev/null
ok $? "the voice file decodes to WAV"
gain=$(ffprobe -v error -show_entries stream_tags=ENCORE_GAIN -of csv=p=0 "$song")
read -r correlation level <<<"$(/usr/bin/python3 "$abs_top_srcdir/tests/envelope.py" "$media/returnHomeA.251.webm" "$dir/voice.wav")"
echo "# correlation $correlation, level $level dB, gain $gain dB"
holds "$correlation > 0.98"; ok $? "energy over time is that of the source"
holds "$level - $gain < 0.3 && $gain - $level < 0.3"; ok $? "and its level the source's plus the gain"
# the measure can tell songs apart
ffmpeg -v error -i "$media/returnHomeA.251.webm" -af areverse "$dir/backwards.wav" </dev/null
read -r correlation _ <<<"$(/usr/bin/python3 "$abs_top_srcdir/tests/envelope.py" "$dir/backwards.wav" "$dir/voice.wav")"
holds "$correlation < 0.8"; ok $? "the source backwards does not match ($correlation)"

[ $failed = 0 ] || sed 's/^/# /' "$dir/out" "$dir/info" "$dir/log"
echo "1..$n"
exit $failed
