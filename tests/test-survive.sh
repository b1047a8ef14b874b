#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What happens to a bot, and its cache survives: killed while it fetches, a disk that fills beneath it and is
# emptied again, bytes that flip in a cached file.  Prints TAP.
. "$abs_top_srcdir/tests/bot-fixture.sh"
song=tuneAAAAAAA
sounds () { told 'Playing: The Test Tune'; }
downloads () { stat_of "media/$song/251" requests; }
cached_file () { find "$1/opus" -name "$song.opus"; }

# The whole of it would be heard at its own pace.
cached () { logged "fetch: publish youtube:$song" || logged "store: hit youtube:$song"; }
plays_and_stops () {
  start
  say "?play $song"
  await sounds && await cached
  say '?stop'
  quit
}

# ---- killed at ten moments: while yt-dlp starts, while bytes come, while they are encoded, while it plays
config prefetch=0
rate=$(($(stat -Lc %s "$media"/tune.251.webm) * 2)) # a second for half of it
for moment_s in 0.05 0.2 0.35 0.5 0.65 0.8 0.95 1.1 1.4 1.8; do
  rm -rf "$dir/cache"
  faults "{\"media/$song/251\": {\"rate\": $rate}}"
  start
  say "?play $song"
  pause $moment_s # any moment will do
  pkill -9 -P "$bot" -x encore-bot
  quit 2>/dev/null
  await strays >"$dir/strays"
  status=$?
  no_faults
  plays_and_stops
  [ $status = 0 ] && sounds && settled; ok $? "killed after $moment_s s: no child is left, the next bot plays the song, rows and files agree"
done

# ---- killed in the midst of a search
mkdir "$dir/t"
export TMPDIR=$dir/t
echo '# Netscape HTTP Cookie File' >"$dir/cookies.txt"
config "cookies=$dir/cookies.txt"
faults '{"resolve/search/words that nobody knows": {"delay": 60}}'
start
say '?play words that nobody knows'
searched () { [ "$(stat_of 'resolve/search/words that nobody knows' requests)" -gt 0 ]; }
await searched
pkill -9 -P "$bot" -x encore-bot
quit 2>/dev/null
await strays >"$dir/strays"
copies=$(find "$dir/cache/tmp" "$dir/t" -name cookies.txt | wc -l)
no_faults
echo '?np' | run
[ "$copies" = 1 ] && settled && [ -z "$(ls -A "$dir/t")" ]
ok $? "killed while it searches: the next bot removes what it left, a copy of the cookies too"
config prefetch=0

# ---- bytes that flip
flip () { printf 'flip' | dd of="$(cached_file "$dir/cache")" bs=1 seek=20000 conv=notrunc 2>/dev/null; }
flip
before=$(downloads)
echo "?play $song" | run
told 'broke off.' && told 'was damaged. Ask for it again' && logged "kept youtube:$song (broke off)" &&
  [ "$(downloads)" = "$before" ] && [ -z "$(cached_file "$dir/cache")" ] && [ -n "$(ls "$dir/cache/quarantine")" ]
ok $? "a damaged song breaks off, in words; its file is put aside, in quarantine/"
plays_and_stops
sounds && [ "$(downloads)" -gt "$before" ] && settled; ok $? "and whoever asks again has it fetched anew"
flip
"$top/encore-cache" --dir "$dir/cache" verify --full >"$dir/verify" 2>&1
[ $? = 1 ] && grep -q "^removed $song .*checksum" "$dir/verify" && [ -z "$(cached_file "$dir/cache")" ]; ok $? "verify finds flipped bytes"
before=$(downloads)
plays_and_stops
sounds && [ "$(downloads)" -gt "$before" ] && settled && "$top/encore-cache" --dir "$dir/cache" verify --full >"$dir/verify"
ok $? "and the next play fetches the song again"

# ---- a disk that fills under a running bot
mkdir "$dir/disk"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=24m,mode=700 encore-test "$dir/disk" 2>/dev/null; then
  config "cache_dir=$dir/disk/cache" prefetch=0
  : >"$dir/out"
  start
  say '?play shortAAAAAA'
  await told 'Playing: One Second' && await logged 'fetch: publish youtube:shortAAAAAA'; ok $? "a song is cached"
  dd if=/dev/zero of="$dir/disk/fill" bs=64K 2>/dev/null
  say "?play $song"
  await told 'There is no room left on the disk for another song.'; ok $? "the disk is full: it says so"
  say '?play shortAAAAAA'
  played_again () { has_times 2 "$dir/out" 'Playing: One Second'; }
  await played_again; ok $? "and plays what is cached"
  rm "$dir/disk/fill"
  say "?play $song"
  await sounds; ok $? "there is room again: the same bot fetches again"
  quit
  settled "$dir/disk/cache"; ok $? "rows and files agree"
else
  skip "no file system can be mounted" "a disk that fills under a running bot"
fi

finish
