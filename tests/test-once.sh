#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One song, however many ask for it and however they spell it: the site counts.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need yt-dlp ffmpeg curl
start_site
file=$(/usr/bin/python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["videos"]["shortAAAAAA"]["files"]["251"])' "$media/catalogue.json")
size=$(stat -c %s "$media/$file")
song=media/shortAAAAAA/251
slow () { curl -s -X POST -d "{\"$song\": {\"rate\": $1}}" "$url/faults" >/dev/null; }
once () { # NAME: the site sent the song once, to one at a time
  local got
  got="$(stat_of "$song" requests) $(stat_of "$song" peak) $(stat_of "$song" bytes)"
  [ "$got" = "1 1 $size" ]
  ok $? "$1"
  [ "$got" = "1 1 $size" ] || echo "# requests, peak, bytes: $got; the file: $size"
}

# -- five spellings, four processes of each
slow $((size / 2)) # so long that all of them come meanwhile
config null >"$dir/bot.conf"
asked=('https://www.youtube.com/watch?v=shortAAAAAA&list=PLx' 'https://youtu.be/shortAAAAAA?t=3'
  'https://music.youtube.com/watch?v=shortAAAAAA' 'https://youtu.be/aliasShortA' 'one second')
pids=()
for i in {0..19}; do
  printf '?play %s\n' "${asked[i % 5]}" |
    timeout 100 "$top/encore-bot" --config "$dir/bot.conf" --wait-idle console >"$dir/bot$i.out" 2>"$dir/bot$i.log" &
  pids+=($!)
done
status=0
for pid in "${pids[@]}"; do wait "$pid" || status=1; done
[ $status = 0 ] && [ "$(grep -l 'Playing: One Second' "$dir"/bot*.out | wc -l)" = 20 ]
ok $? "20 requests in five spellings, in 20 processes: all of them play"
once "one download, of the bytes of one file"
[ "$(find "$dir/cache/opus" -type f | wc -l)" = 1 ] && [ -z "$(ls "$dir/cache/tmp")" ]; ok $? "one file, nothing half-made"

# -- fifty at once
rm -rf "$dir/cache"
curl -s -X POST "$url/reset" >/dev/null
slow $((size / 2))
pids=()
for i in {1..50}; do
  "$top/encore-cache" --config "$dir/bot.conf" fetch shortAAAAAA >/dev/null 2>"$dir/tool$i.log" &
  pids+=($!)
done
status=0
for pid in "${pids[@]}"; do wait "$pid" || status=1; done
ok $status "50 processes that fetch one song at once: all of them have it"
once "one download, where a bot without a cache needs 50"
[ $failed = 0 ] || tail -n 5 "$dir"/bot*.out "$dir"/*.log | sed 's/^/# /'
finish
