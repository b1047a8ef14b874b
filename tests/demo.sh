#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Installs what is missing, builds, and plays a song twice through encore-bot: a miss, then a hit.
# Without an argument the song comes from a site on loopback through the real yt-dlp; with the URL of
# a video the real network is used.
#   tests/demo.sh [URL]
set -euo pipefail
cd "$(dirname "$0")/.."
bash tests/prepare.sh build
top=$PWD/build
dir=$top/demo
rm -rf "$dir"
mkdir -p "$dir"
url=${1:-}
ytdlp=yt-dlp
private=
site=
trap '[ -z "$site" ] || kill "$site" 2>/dev/null' EXIT

if [ -z "$url" ]; then
  bash tests/site/make-media.sh "$top/tests/media"
  mkfifo "$dir/stdin" "$dir/ready"
  /usr/bin/python3 tests/site/site.py "$top/tests/media" <"$dir/stdin" >"$dir/ready" &
  site=$!
  exec 8>"$dir/stdin"
  read -r _ address <"$dir/ready"
  ytdlp=$(bash tests/site/make-wrapper.sh "$dir" "$address")
  private=allow_private=yes
  # "Return to Home" by Kenta Cho, from the game Tumiki Fighters; BSD-2-Clause
  url=https://www.youtube.com/watch?v=returnHomeA
  if [ -f "$top/tests/media/no-music" ]; then
    echo "no real music: $(cat "$top/tests/media/no-music"); a synthetic tune instead"
    url=https://www.youtube.com/watch?v=tuneAAAAAAA
  fi
fi

cat > "$dir/bot.conf" <<CONF
[bot]
plugin=$top/.libs/encore.so
[console]
voice=file:$dir/voice.opus
[encore]
cache_dir=$dir/cache
min_free=100MiB
ytdlp=$ytdlp
$private
CONF

echo "--- first play: not in the cache"
echo "?play $url" | "$top/encore-bot" --config "$dir/bot.conf" --wait-idle console
mv "$dir/voice.opus" "$dir/first.opus"
echo "--- second play, another process: from the cache"
# asked once it has opened the cache, like a bot that has been up for a while
mkfifo "$dir/chat"
"$top/encore-bot" --config "$dir/bot.conf" --wait-idle console <"$dir/chat" 2>&1 | {
  exec 7>"$dir/chat"
  while IFS= read -r line; do
    echo "$line"
    case $line in
    *'store: opened'*)
      printf '?play %s\n?cache info %s\n?cache\n' "$url" "$url" >&7
      exec 7>&-
      ;;
    esac
  done
}
echo "--- to listen to what the room heard: build/demo/voice.opus"
