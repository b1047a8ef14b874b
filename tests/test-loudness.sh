#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Real music through the product into the cache, as import takes it, and each result measured by ffmpeg's
# ebur128, a meter that is not ours: -16 LUFS within 0.5 LU, or quieter only because its peaks, turned down by
# 6 dB, are at the ceiling of -1.5 dBTP.  Twenty seconds each of the site's songs, and of one of
# them quiet, clipped, mono, at odd rates, between silence; LOUDNESS_FULL=1 (make check-full): whole songs, and
# those of wesnoth-1.16-music, too.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need ffmpeg apt-get dpkg-deb
media=$top/tests/media
bash "$abs_top_srcdir/tests/site/make-media.sh" "$media"
[ ! -f "$media/no-music" ] || { echo "1..0 # SKIP there is no music: $(cat "$media/no-music")"; exit 0; }
mkdir "$dir/old"
names=()
add () { # NAME INPUT [OPTION...]: lossless, so that only our coder is measured
  local name=$1 input=$2
  shift 2
  names+=("$name")
  ffmpeg -v error -nostdin "${cut[@]}" -i "$input" -map 0:a "$@" "$dir/old/$(printf 'loud%06dA' ${#names[@]}).flac"
}
cut=()
[ -n "${LOUDNESS_FULL:-}" ] || cut=(-ss 5 -t 20)
while read -r song; do add "${song##*/}" "$song"; done < <(
  find "$media" -path '*/usr/share/*' \( -name '*.ogg' -o -name '*.mp3' \) -size +200k | LC_ALL=C sort)
songs=${#names[@]}
one=$media/parsec47-data/usr/share/games/parsec47/sounds/ptn2.ogg
add '25 dB softer' "$one" -af volume=-25dB
add '20 dB louder, clipped' "$one" -af volume=20dB
add 'mono' "$one" -ac 1
add '44.1 kHz' "$one" -ar 44100
add '22.05 kHz mono' "$one" -ar 22050 -ac 1
add '96 kHz' "$one" -ar 96000
add '10 s of silence before and behind' "$one" -af adelay=10000:all=1,apad=pad_dur=10
add 'one side only' "$one" -af 'pan=stereo|c0=c0|c1=0*c0'
add '5.1' "$one" -ac 6
if [ -n "${LOUDNESS_FULL:-}" ]; then
  mkdir "$dir/deb"
  if (cd "$dir/deb" && apt-get download -qq wesnoth-1.16-music >/dev/null 2>&1 && dpkg-deb -x ./*.deb .); then
    rm "$dir"/deb/*.deb
    while read -r song; do
      add "${song##*/}" "$song"
      songs=$((songs + 1))
    done < <(find "$dir/deb" -name '*.ogg' -size +1M | LC_ALL=C sort | head -24)
  else
    skip 'the package wesnoth-1.16-music cannot be had' '24 more songs'
  fi
fi

"$top/encore-cache" --dir "$dir/cache" import "$dir/old" >"$dir/out" 2>"$dir/err"
ok $? "all are taken"
meter () { # FILE: "LUFS DBTP"
  ffmpeg -nostdin -hide_banner -i "$1" -af ebur128=peak=true -f null - 2>&1 |
    awk '/^ *I:/ { i = $2 } /^ *Peak:/ { p = $2 } END { print i, p }'
}
i=0
for name in "${names[@]}"; do
  i=$((i + 1))
  file=$(find "$dir/cache/opus" -name "$(printf 'loud%06dA' $i).opus")
  read -r lufs dbtp < <(meter "$file")
  if awk -v i="$lufs" 'BEGIN { exit !(i < -16.5) }'; then
    # its source, brought up until its peak is 6 dB above the ceiling, less what they were of its loudness
    read -r source_lufs source_dbtp < <(meter "$(printf '%s/old/loud%06dA.flac' "$dir" $i)")
    awk -v i="$lufs" -v p="$dbtp" -v si="$source_lufs" -v sp="$source_dbtp" \
      'BEGIN { d = i - (si - 1.5 + 6 - sp); exit !(p <= -1.5 && p >= -3 && d > -5 && d < 0.5) }'
    ok $? "$name: $lufs LUFS, as its peak of $source_dbtp dBTP at $source_lufs LUFS allows, $dbtp dBTP now"
    continue
  fi
  awk -v i="$lufs" -v p="$dbtp" 'BEGIN { exit !(p <= -1.5 && i <= -15.5) }'
  ok $? "$name: $lufs LUFS, $dbtp dBTP"
done
echo "# $songs real songs"
[ "$songs" -ge 13 ]; ok $? "there were enough"
[ $failed = 0 ] || sed 's/^/# /' "$dir/out" "$dir/err"
finish
