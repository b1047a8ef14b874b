#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The main job through the real host, the real module, the real yt-dlp and the offline site.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need yt-dlp ffmpeg strace curl
start_site
media=media/tuneAAAAAAA/251
song=$dir/cache/opus/be/tuneAAAAAAA.opus

# -- lookup before any download; two links of one song are one download, played twice without a gap
config "file:$dir/first.opus" early=no >"$dir/first.conf" # test-miss.sh has what comes before it is cached
printf '?play https://youtu.be/tuneAAAAAAA\n?play https://www.youtube.com/watch?v=tuneAAAAAAA&list=X\n?queue\n?cache\n' | bot first
[ "$(stat_of $media requests)" = 1 ]; ok $? "two links of one song: one download"
[ "$(grep -c '^\[console\] Playing: The Test Tune' "$dir/first.out")" = 2 ]; ok $? "both plays are told"
[ -f "$song" ] && [ "$(find "$dir/cache/opus" "$dir/cache/audio" "$dir/cache/tmp" -type f | wc -l)" = 1 ]
ok $? "one file, named by id, nothing half-made"
packets "$song" >"$dir/song.md5"
packets "$dir/first.opus" >"$dir/voice.md5"
cat "$dir/song.md5" "$dir/song.md5" >"$dir/expected.md5"
total=$(wc -l <"$dir/expected.md5")
[ "$total" -gt 700 ] && heard "$dir/first.opus" | cmp -s - "$dir/expected.md5"
ok $? "the voice got the song's packets twice, bit for bit, none missing"
awk -v silence="$silence_md5" -v half=$((total / 2)) '$0 ~ silence { if (heard == half) gap++; next } { heard++ }
  END { exit gap > 0 }' "$dir/voice.md5"
ok $? "without a gap between them"
[ "$(tail -n 5 "$dir/voice.md5" | sort -u)" = "$silence_md5" ] &&
  [ "$(tail -n 6 "$dir/voice.md5" | head -n 1)" = "$(tail -n 1 "$dir/song.md5")" ]
ok $? "five frames of silence, then nothing"
grep -q 'kept youtube:tuneAAAAAAA (played to its end) because it is cached' "$dir/first.log"
ok $? "the log says why the cached file stayed"

# -- a hit needs no network: the site is gone, nothing is spawned and no socket opened
config null 'ytdlp_args=' >"$dir/hit.conf"
sed -i "s|^ytdlp=.*|ytdlp=/nonexistent|" "$dir/hit.conf"
printf '?play youtu.be/tuneAAAAAAA\n' |
  timeout 60 strace -f -qq -e trace=execve,%network -o "$dir/trace" \
    "$top/encore-bot" --config "$dir/hit.conf" --wait-idle console >"$dir/hit.out" 2>"$dir/hit.log"
grep -q 'hit youtube:tuneAAAAAAA' "$dir/hit.log" && grep -q 'Playing: The Test Tune' "$dir/hit.out"
ok $? "the second process finds it in the cache"
[ "$(grep -cv '+++ exited' "$dir/trace")" = 1 ] && grep -q 'execve(' "$dir/trace"
ok $? "a hit starts no process and opens no socket"

# -- play, skip, play again
config null >"$dir/skip.conf"
printf '?play tuneAAAAAAA\n?skip\n?play tuneAAAAAAA\n?skip\n?cache info tuneAAAAAAA\n' | bot skip
[ "$(grep -c 'store: hit youtube:tuneAAAAAAA' "$dir/skip.log")" = 2 ] && [ -f "$song" ]
ok $? "play, skip, play again is a hit; the file stays"
grep -q 'kept youtube:tuneAAAAAAA (skipped)' "$dir/skip.log"; ok $? "the log says that a skip removes nothing"

# -- ten askers in two processes, one download
rm -rf "$dir/cache"
curl -s -X POST "$url/reset" >/dev/null
config null >"$dir/a.conf"
config null >"$dir/b.conf"
for i in 1 2 3 4 5; do echo '?play loudAAAAAAA'; done >"$dir/ask"
echo '?stop' >"$dir/stop"
(cat "$dir/ask" | timeout 60 "$top/encore-bot" --config "$dir/a.conf" --wait-idle console >"$dir/a.out" 2>"$dir/a.log") &
cat "$dir/ask" | timeout 60 "$top/encore-bot" --config "$dir/b.conf" --wait-idle console >"$dir/b.out" 2>"$dir/b.log"
wait $!
[ "$(stat_of media/loudAAAAAAA/251 requests)" = 1 ] && [ "$(stat_of media/loudAAAAAAA/251 peak)" = 1 ]
ok $? "ten requests in two processes: one download"
[ "$(cat "$dir/a.out" "$dir/b.out" | grep -c 'Playing: Loud Tones')" = 10 ]; ok $? "all ten are played"

# -- admin check and confirmation
config null >"$dir/admin.conf"
printf 'amy: ?cache_clear\namy: ?cache_cleanup\nboss: ?cache_clear 000000\nboss: ?cache_cleanup\nboss: ?cache_clear\n' | bot admin
[ "$(grep -c 'is for admins' "$dir/admin.out")" = 2 ]; ok $? "cache_clear and cache_cleanup are for admins"
grep -q 'not the token' "$dir/admin.out" && grep -q 'To confirm say within 60 s' "$dir/admin.out"
ok $? "cache_clear asks for its token"
grep -q 'entries checked' "$dir/admin.out"; ok $? "cache_cleanup reports"
[ -n "$(find "$dir/cache/opus" -name loudAAAAAAA.opus)" ]; ok $? "nothing was removed without confirmation"

# -- bad input: each its own sentence, the queue goes on
config null >"$dir/bad.conf"
printf '?play privateAAAA\n?play https://www.youtube.com/playlist?list=PL0\n?play liveAAAAAAA\n?play tenHoursAAA\n?play\n?play #9\n?frobnicate\n?loop maybe\n?play loudAAAAAAA\n' | bot bad
grep -q 'is private' "$dir/bad.out" && grep -q 'link of a playlist' "$dir/bad.out" &&
  grep -q 'live stream' "$dir/bad.out" && grep -q 'longer than this bot plays' "$dir/bad.out" &&
  grep -q 'Usage: play' "$dir/bad.out" && grep -q 'no #9' "$dir/bad.out" &&
  grep -q 'no command ?frobnicate' "$dir/bad.out" && grep -q 'Usage: loop' "$dir/bad.out"
ok $? "each mistake has its own sentence"
grep -q 'Playing: Loud Tones' "$dir/bad.out"; ok $? "and the queue goes on"
config null 'max_sise=1' >"$dir/unknown.conf"
echo | bot unknown
[ $? = 2 ] && grep -q "unknown option 'max_sise' (did you mean 'max_size'?)" "$dir/unknown.log"
ok $? "an unknown option is named and the plugin does not start"
ln -s "$dir/cache" "$dir/link"
config null >"$dir/link.conf"
sed -i "s|^cache_dir=.*|cache_dir=$dir/link|" "$dir/link.conf"
echo '?play loudAAAAAAA' | bot link
grep -q 'symbolic link' "$dir/link.log" && grep -q 'cache cannot be used' "$dir/link.out"
ok $? "a cache directory that is a link is refused in words"

finish first hit skip a b admin bad unknown link
