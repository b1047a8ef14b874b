#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# encore-cache fetch, through the real yt-dlp from the offline site, alone and beside bots.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need yt-dlp ffmpeg curl sqlite3 pgrep
tool=$top/encore-cache
start_site
config null >"$dir/bot.conf"
ok () { # STATUS NAME: and what the tool said, if it failed
  n=$((n + 1))
  if [ "$1" = 0 ]; then echo "ok $n $2"; else
    echo "not ok $n $2"
    failed=1
    sed 's/^/# /' "$dir/out" "$dir/err" 2>/dev/null
  fi
}
cache () { "$tool" --config "$dir/bot.conf" "$@" >"$dir/out" 2>"$dir/err"; }
faults () { curl -s -X POST -d "$1" "$url/faults" >/dev/null; }
unfinished () { sqlite3 "$dir/cache/encore.db" 'SELECT count(*) FROM entry WHERE state IN (0, 2)'; }

cache fetch 'https://youtu.be/tuneAAAAAAA?t=3' 'https://music.youtube.com/watch?v=loudAAAAAAA&list=X' -- -quietAAAAA
[ $? = 0 ] && [ "$(grep -c '^fetched   youtube:' "$dir/out")" = 3 ] && grep -q '^fetched   youtube:tuneAAAAAAA (0:0[78]) The Test Tune: [0-9]* bytes' "$dir/out"
ok $? "three songs are fetched"
[ "$("$tool" --config "$dir/bot.conf" list --sort title | awk '{ print $1 }' | tr '\n' ' ')" = 'loudAAAAAAA -quietAAAAA tuneAAAAAAA ' ]
ok $? "and are in the bot's cache"
[ "$(stat_of media/tuneAAAAAAA/251 requests)" = 1 ] && [ -z "$(ls "$dir/cache/tmp")" ]; ok $? "by one download each, nothing half-made"
cache fetch tuneAAAAAAA --set ytdlp=/nonexistent
[ $? = 0 ] && grep -q '^cached    youtube:tuneAAAAAAA' "$dir/out" && [ "$(stat_of media/tuneAAAAAAA/251 requests)" = 1 ]; ok $? "what is there is not asked for again"

# -- what cannot be
cache fetch privateAAAA loudAAAAAAA
[ $? = 2 ] && grep -qi 'privateAAAA: .*private' "$dir/err" && grep -q 'but with --force' "$dir/err" && grep -q '^cached    youtube:loudAAAAAAA' "$dir/out"
ok $? "a private video: told, exit status 2, the others are done"
before=$(stat_of resolve/video/privateAAAA requests)
cache fetch privateAAAA; [ $? = 2 ] && [ "$(stat_of resolve/video/privateAAAA requests)" = "$before" ]; ok $? "it is not asked for again"
cache fetch privateAAAA --force; [ $? = 2 ] && [ "$(stat_of resolve/video/privateAAAA requests)" -gt "$before" ]; ok $? "--force asks again"
cache fetch tuneAAAAAAA 'never gonna'; [ $? = 2 ] && grep -q 'not an id or a link' "$dir/err" && [ ! -s "$dir/out" ]; ok $? "words are no song: nothing is asked"
cache fetch 'https://www.youtube.com/playlist?list=PL0'; [ $? = 2 ]; ok $? "a playlist is no song"
cache fetch --set ytdlp=/nonexistent aacOnlyAAAA; [ $? = 2 ] && grep -q 'nonexistent\|yt-dlp' "$dir/err"; ok $? "without yt-dlp: told"
cache fetch --set ytdpl=x tuneAAAAAAA; [ $? = 2 ] && grep -q "'ytdpl'" "$dir/err"; ok $? "an unknown option is told"

# -- once, whoever asks
rm -rf "$dir/cache"
curl -s -X POST "$url/reset" >/dev/null
faults '{"media/loudAAAAAAA/251": {"rate": 60000}}'
for i in 1 2 3; do "$tool" --config "$dir/bot.conf" fetch loudAAAAAAA >"$dir/out$i" 2>&1 & pids[i]=$!; done
printf '?play loudAAAAAAA\n' | bot bot
status=0
for pid in "${pids[@]}"; do wait "$pid" || status=1; done
[ $status = 0 ] && grep -q 'Playing: Loud Tones' "$dir/bot.out" && [ "$(stat_of media/loudAAAAAAA/251 requests)" = 1 ]
ok $? "three tools and a bot at once: one download, all have it"

# -- damaged in the cache: found, and fetched again by the next play
printf 'flipped' | dd of="$(find "$dir/cache/opus" -name loudAAAAAAA.opus)" bs=1 seek=30000 conv=notrunc 2>/dev/null
cache verify --full; [ $? = 1 ]; ok $? "flipped bytes are found"
printf '?play loudAAAAAAA\n' | bot bot
grep -q 'Playing: Loud Tones' "$dir/bot.out" && [ "$(stat_of media/loudAAAAAAA/251 requests)" = 2 ]; ok $? "the next play fetches it again"
cache verify --full; ok $? "and it is whole"

# -- slow: progress, and a signal
faults '{"media/tuneAAAAAAA/251": {"rate": 20000}}'
if command -v script >/dev/null; then
  script -qec "'$tool' --config '$dir/bot.conf' fetch tuneAAAAAAA" /dev/null </dev/null >"$dir/out" 2>&1
  grep -q '\[#*\.*\] [0-9]* of [0-9]* bytes, downloading The Test Tune' "$dir/out"; ok $? "a bar on a terminal"
else
  skip "script is not installed" "a bar on a terminal"
fi
faults '{"media/-quietAAAAA/251": {"stall_at": 20000}, "media/-quietAAAAA/140": {"stall_at": 20000}}'
"$tool" --config "$dir/bot.conf" --set download=ytdlp fetch -- -quietAAAAA >"$dir/out" 2>"$dir/err" &
pid=$!
asked_for () { [ "$(stat_of media/-quietAAAAA/251 requests)" -ge 1 ]; }
await asked_for
children=$(pgrep -P $pid | tr '\n' ' ')
kill -TERM $pid
wait $pid
[ $? = 2 ] && grep -q 'stopped by a signal' "$dir/err" && [ -z "$(ls "$dir/cache/tmp")" ] && [ "$(unfinished)" = 0 ]; ok $? "SIGTERM: it ends in good order"
alive=
for child in $children; do kill -0 "$child" 2>/dev/null && alive="$alive $child"; done
[ -n "$children" ] && [ -z "$alive" ]; ok $? "and yt-dlp with it"

# -- SIGKILL: the next process goes on with what is there
faults '{"media/-quietAAAAA/251": {"rate": 20000}, "media/-quietAAAAA/140": {"rate": 20000}}'
"$tool" --config "$dir/bot.conf" fetch -- -quietAAAAA >"$dir/out" 2>"$dir/err" &
pid=$!
kept () { cat "$dir"/cache/partial/* 2>/dev/null | wc -c; }
has_kept () { [ "$(kept)" -ge 40000 ]; }
await has_kept
kill -KILL $pid
wait $pid 2>/dev/null
kept=$(kept)
curl -s -X POST "$url/reset" >/dev/null
cache fetch -- -quietAAAAA
[ $? = 0 ] && [ "$kept" -ge 40000 ] && [ "$(stat_of media/-quietAAAAA/251 requests)" = 1 ] && [[ "$(stat_of media/-quietAAAAA/251 ranges)" = "['bytes=$((kept - 4096))-"* ]]
ok $? "SIGKILL: the next fetch asks for the rest"
[ "$(kept)" = 0 ] && cache verify --full; ok $? "and has it whole"

# -- a yt-dlp that stays
cache --set resolver=worker fetch aacOnlyAAAA keptAAAAAAA shortAAAAAA
[ $? = 0 ] && [ "$(grep -c '^fetched ' "$dir/out")" = 3 ] && [ -z "$(pgrep -f "$dir/cache/resolver")" ]; ok $? "with a yt-dlp that stays as long as there are songs"
finish bot
