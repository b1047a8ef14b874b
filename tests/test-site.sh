#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The offline site does to its clients what its faults say, and counts what they did.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need yt-dlp ffmpeg curl
start_site
song=media/tuneAAAAAAA/251
file=$top/tests/media/tune.251.webm
size=$(stat -c %s "$file")
faults () { curl -s -X POST "$url/reset" >/dev/null; curl -s -X POST -d "$1" "$url/faults" >/dev/null; }
on () { faults "{\"$song\": $1}"; }
get () { # [CURL-OPTION...]: body to $dir/body, headers to $dir/headers, $code, $rc of curl
  rm -f "$dir/body"
  code=$(curl -s -m 5 -o "$dir/body" -D "$dir/headers" -w '%{http_code}' "$@" "$url/$song")
  rc=$?
}
body () { stat -c %s "$dir/body" 2>/dev/null || echo 0; }
head_is () { grep -qi "^$1: $2"$'\r' "$dir/headers"; }
same () { cmp -s "$dir/body" "$file"; }
check () { # NAME TEST...
  local name=$1
  shift
  "$@"; ok $? "$name"
}

get; check "a song, whole" same
get -r 1000-1999; [ $code = 206 ] && head_is Content-Range "bytes 1000-1999/$size" && cmp -s "$dir/body" <(head -c 2000 "$file" | tail -c 1000); ok $? "a range of it"
get -I; [ $code = 200 ] && head_is Content-Length "$size"; ok $? "HEAD"
etag=$(sed -n 's/^ETag: \(.*\)\r/\1/Ip' "$dir/headers")
get -r 5- -H "If-Range: $etag"; [ $code = 206 ]; ok $? "If-Range, the same file"
get -r 5- -H 'If-Range: "other"'; [ $code = 200 ] && same; ok $? "If-Range, another one"
get -r $size-; check "a range beyond the end" [ $code = 416 ]
song="$song?range=10-19" get; [ $code = 200 ] && [ "$(body)" = 10 ]; ok $? "a range in the address"
curl -s -o /dev/null "$url/$song?expire=1"; [ "$(curl -s -o /dev/null -w '%{http_code}' "$url/$song?expire=1")" = 403 ]; ok $? "an address that has expired"

on '{"status": 503, "retry_after": 7, "times": 2, "after": 1}'
codes=$(for i in 1 2 3 4; do get; echo -n "$code "; done)
check "one request passes, two fail, then all is well" [ "$codes" = '200 503 503 200 ' ]
on '{"status": 429, "retry_after": 7}'; get; [ $code = 429 ] && head_is Retry-After 7; ok $? "429 with Retry-After"
on '{"delay": 0.5}'; began=$(date +%s%N); get; [ $(($(date +%s%N) - began)) -ge 500000000 ] && same; ok $? "a delay"
on '{"redirect": "/thumb/x"}'; get -L; [ "$(head -c 3 "$dir/body" | xxd -p)" = ffd8ff ]; ok $? "a redirect to a picture"
on '{"body": "<html>"}'; get; [ $code = 200 ] && head_is Content-Type text/html && [ "$(body)" = 6 ]; ok $? "HTML"
on '{"rate": 100000}'; get -m 1; [ $rc = 28 ] && [ "$(body)" -gt 50000 ] && [ "$(body)" -lt 130000 ]; ok $? "a rate"
on '{"slow_unless_range": 50000}'; get -m 1; slow=$(body); get -r 0-$((size - 1)); [ "$slow" -lt 80000 ] && same; ok $? "slow unless a range is asked for"
on '{"stall_at": 5000}'; get -m 1; [ $rc = 28 ] && [ "$(body)" = 5000 ]; ok $? "a stall"
on '{"drop_at": 5000}'; get; [ $rc = 18 ] && [ "$(body)" = 5000 ]; ok $? "FIN at a byte"
get -r 5000-; [ $rc = 18 ] && [ "$(body)" = 0 ]; ok $? "and not one more when resumed there"
on '{"drop_after": 300}'; get -r 1000-; [ $rc = 18 ] && [ "$(body)" = 300 ]; ok $? "FIN after some bytes of each answer"
on '{"drop_at": 5000, "rst": true}'; get; check "RST at a byte" [ $rc = 56 ]
on '{"truncate_at": 5000}'; get -r 0-; [ $rc = 0 ] && [ "$(body)" = 5000 ] && head_is Content-Range 'bytes 0-4999/5000'; ok $? "truncated, and all lengths agree"
on '{"length": 1000}'; get; [ $rc = 18 ] && same; ok $? "a length that is too large"
on '{"length": -1000}'; get; [ $rc = 0 ] && [ "$(body)" = $((size - 1000)) ]; ok $? "a length that is too small"
on '{"length": null}'; get; [ $rc = 0 ] && same && ! grep -qi '^content-length' "$dir/headers"; ok $? "no length"
on '{"no_range": true}'; get -r 9-; [ $code = 200 ] && same; ok $? "no ranges"
on '{"gzip": true}'; get --compressed; [ $rc = 61 ]; ok $? "gzip that is none"
on '{"corrupt_at": 70}'; get; check "one byte corrupted" [ "$(cmp -l "$dir/body" "$file" | awk '{ print $1 }')" = 71 ]
on '{"forbid_from": 5000}'; get; first=$(body); get -r 5000-; [ "$first" = 5000 ] && [ $code = 403 ]; ok $? "403 from a byte on"
on '{"status": 403, "first_url": true}'
curl -s "$url/resolve/video/tuneAAAAAAA" >"$dir/first"; curl -s "$url/resolve/video/tuneAAAAAAA" >"$dir/second"
codes=$(for resolved in first second; do
  curl -s -o /dev/null -w '%{http_code} ' "$url$(/usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["formats"][0]["url"])' <"$dir/$resolved")"
done)
check "only the address of the first resolve is refused" [ "$codes" = '403 200 ' ]
on '{"require": {"X-Encore-Format": "251", "Cookie": null}}'; get -H 'X-Encore-Format: 251'; first=$code; get -H 'X-Encore-Format: 251' -b 'a=b'
[ $first = 403 ] && [ $code = 200 ]; ok $? "a header that is required"

faults '{"media/*": {"rate": 40000}}'
for i in 1 2 3; do curl -s -m 1 -r 0-20000 -o /dev/null "$url/$song" & pids[i]=$!; done; wait "${pids[@]}"
[ "$(stat_of $song requests)" = 3 ] && [ "$(stat_of $song peak)" = 3 ] && [ "$(stat_of all peak)" = 3 ] && [ "$(stat_of $song bytes)" = 60003 ] &&
  [ "$(stat_of $song ranges)" = "['bytes=0-20000', 'bytes=0-20000', 'bytes=0-20000']" ]
ok $? "requests, bytes, ranges and the peak are counted"

# -- through the real yt-dlp
fetch () { # ID [OPTION...]
  rm -rf "$dir/fetched"
  "$ytdlp" --ignore-config -q --no-warnings -f ba/b --fixup never -o "$dir/fetched/%(ext)s" "${@:2}" -- "https://www.youtube.com/watch?v=$1" 2>"$dir/err"
}
for style in plain chunk dashy; do
  faults "{\"resolve/video/tuneAAAAAAA\": {\"style\": \"$style\", \"chunk_bytes\": 60000}}"
  fetch tuneAAAAAAA && cmp -s "$dir/fetched/webm" "$file" && [ "$(stat_of $song requests)" = $([ $style = plain ] && echo 1 || echo 3) ]
  ok $? "yt-dlp, $style, identical"
done
fetch hlsOnlyAAAA; cmp -s "$dir/fetched/mp4" <(cd "$top/tests/media/tune.hls" && cat init.mp4 {0,1,2,3,4}.m4s); ok $? "HLS"
faults '{"hls/hlsOnlyAAAA/2.m4s": {"status": 404}}'
! fetch hlsOnlyAAAA --abort-on-unavailable-fragments; ok $? "HLS with a missing fragment"
faults '{"resolve/video/tuneAAAAAAA": {"expire_s": -1}}'; ! fetch tuneAAAAAAA && grep -q 'HTTP Error 403' "$dir/err"; ok $? "an expired address"
fetch copy00042kA; check "a copy" cmp -s "$dir/fetched/webm" "$top/tests/media/kept.251.webm"
for row in 'limitedAAAA|try again later' 'geoAAAAAAAA|in your country' 'membersAAAA|members-only' 'drmAAAAAAAA|DRM' \
  'noFormatsAA|No video formats found' 'nothingAAAA|Video unavailable'; do
  ! fetch "${row%|*}" && grep -q "${row#*|}" "$dir/err"; ok $? "${row%|*}: ${row#*|}"
done
fetch videoOnlyAA && cmp -s "$dir/fetched/webm" "$top/tests/media/tune.247.webm"; ok $? "yt-dlp takes a picture for want of sound"
fetch withVideoAA && [ -s "$dir/fetched/mp4" ] && fetch _underscorA && cmp -s "$dir/fetched/webm" "$top/tests/media/loud.251.webm"; ok $? "sound with a picture, and a hostile title"
finish
