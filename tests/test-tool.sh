#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# encore-cache by hand.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need ffmpeg sqlite3 python3
tool=$top/encore-cache
cache () { "$tool" --dir "$dir/cache" "$@" 2>"$dir/err"; }
sql () { sqlite3 "$dir/cache/encore.db" "$1"; }
ok () { # STATUS NAME: and what the tool said, if it failed
  n=$((n + 1))
  if [ "$1" = 0 ]; then echo "ok $n $2"; else
    echo "not ok $n $2"
    failed=1
    sed 's/^/# /' "$dir/out" "$dir/err" 2>/dev/null
  fi
}
json () { # EXPRESSION: of what is read as JSON, in d
  /usr/bin/python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"
}

got=$(printf 'https://youtu.be/dQw4w9WgXcR\nnever gonna\n-bcdefghijA\n\ndQw4w9WgXcQ\0x' | "$tool" id)
[ "$got" = $'youtube:dQw4w9WgXcQ\n-\nyoutube:-bcdefghijA\n-\n-' ]; ok $? "id prints the canonical id or -"
"$tool" config --example | grep -q '^#max_size = 8GiB$'; ok $? "config prints the example"
"$tool" config --example | cmp -s - "$abs_top_srcdir/data/encore.conf.example"; ok $? "data/encore.conf.example is that example"
missing=$("$tool" config | awk '{ print $1 }' | while read -r key; do grep -q "^.BR $key " "$abs_top_srcdir/data/encore.7" || echo "$key"; done)
[ -z "$missing" ]; ok $? "every option is in encore.7 $missing"
missing=$(sed -n 's/^ *{"\([a-z_]*\)", .*/\1/p' "$abs_top_srcdir/plugin/bot/encore-command.c" | while read -r name; do grep -q "^.B $name" "$abs_top_srcdir/data/encore.7" || echo "$name"; done)
[ -z "$missing" ]; ok $? "every command is in encore.7 $missing"
verbs=$("$tool" --help | sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\).*/\1/p')
missing=$(for verb in $verbs; do grep -q "^\.B[IR]* $verb\b" "$abs_top_srcdir/data/encore-cache.1" || echo "$verb"; done)
[ "$(echo "$verbs" | wc -l)" -ge 10 ] && [ -z "$missing" ]; ok $? "every verb is in encore-cache.1 $missing"
options=$("$tool" --help | sed -n '/^Application/,$s/.*--\([a-z-]*\).*/\1/p')
missing=$(for option in $options; do sed -n '/^.SH OPTIONS/,$s/\\-/-/gp' "$abs_top_srcdir/data/encore-cache.1" | grep -q -- "^\.B[IR]* \(-. \)*--$option\b" || echo "$option"; done)
[ "$(echo "$options" | wc -l)" -ge 5 ] && [ -z "$missing" ]; ok $? "every option is in encore-cache.1 $missing"
mkdir "$dir/none"
"$tool" --dir "$dir/cache" import "$dir/none" >"$dir/out" && "$tool" --dir "$dir/cache" repair >"$dir/out"; ok $? "an empty cache is clean"
printf 'no music' >"$dir/cache/opus/00/stranger.txt"
mkdir "$dir/cache/tmp/dQw4w9WgXcQ.1-0"
"$tool" --dir "$dir/cache" --dry-run repair >"$dir/out"
[ $? = 1 ] && [ -f "$dir/cache/opus/00/stranger.txt" ] && [ -d "$dir/cache/tmp/dQw4w9WgXcQ.1-0" ] && grep -q '^removed dQw4w9WgXcQ.1-0 ' "$dir/out" && grep -q ', 2 things to put right,' "$dir/out"
ok $? "repair --dry-run only tells, also of what dead processes left"
"$tool" --dir "$dir/nowhere" --dry-run repair >"$dir/out" 2>"$dir/err"; [ $? = 2 ] && [ ! -e "$dir/nowhere" ]; ok $? "and makes no cache"
if chattr +a "$dir/cache/opus/00" 2>/dev/null; then
  "$tool" --dir "$dir/cache" repair >"$dir/out" 2>"$dir/err"
  [ $? = 2 ] && grep -q '^kept    stranger.txt .*: Operation not permitted' "$dir/out" && grep -q '1 could not be' "$dir/err"; ok $? "what cannot be put right: exit status 2"
  chattr -a "$dir/cache/opus/00"
  mkdir "$dir/cache/tmp/dQw4w9WgXcQ.1-0"
else
  skip "no file can be made undeletable here (needs root)" "what cannot be put right: exit status 2"
fi
"$tool" --dir "$dir/cache" repair >"$dir/out"
[ $? = 1 ] && [ ! -e "$dir/cache/opus/00/stranger.txt" ] && [ ! -e "$dir/cache/tmp/dQw4w9WgXcQ.1-0" ] && grep -q ', 2 things put right,' "$dir/out"; ok $? "repair removes what is nobody's, and tells it"
"$tool" --dir "$dir/cache" repair >/dev/null; ok $? "and is clean afterwards"
"$tool" --dir "$dir/cache" info dQw4w9WgXcQ 2>"$dir/err"
[ $? = 1 ] && grep -q 'not in the cache' "$dir/err"; ok $? "info of a missing song: exit status 1"
ln -s "$dir/cache" "$dir/link"
"$tool" --dir "$dir/link" stats 2>"$dir/err"
[ $? -ge 2 ] && grep -q 'symbolic link' "$dir/err"; ok $? "a link is refused in words"
"$tool" --dir "$dir/cache" frobnicate 2>"$dir/err"
[ $? = 2 ] && grep -q 'no verb' "$dir/err"; ok $? "an unknown verb: exit status 2"

# -- looking
mkdir "$dir/songs"
song () { # ID SECONDS TITLE
  ffmpeg -v error -y -f lavfi -i "sine=frequency=$((300 + 100 * $2)):duration=$2" -metadata title="$3" -metadata artist='The Artist' -c:a libopus "$dir/songs/$1.opus" </dev/null
}
song dQw4w9WgXcQ 2 'beta'
song -bcdefghijA 4 'Alpha'
song tuneAAAAAAA 3 "$(printf 'gamma \342\200\256evil')"
cache import "$dir/songs" >"$dir/out"; ok $? "three songs"
[ "$(cache list --sort title | awk '{ print $1 }' | tr '\n' ' ')" = '-bcdefghijA dQw4w9WgXcQ tuneAAAAAAA ' ] &&
  [ "$(cache list --sort size | awk '{ print $1 }' | tr '\n' ' ')" = '-bcdefghijA tuneAAAAAAA dQw4w9WgXcQ ' ]
ok $? "list by title and by size"
sql "UPDATE entry SET access_count = 9, last_access = 5 WHERE id = 'tuneAAAAAAA'"
[ "$(cache list --sort plays --limit 1 | awk '{ print $1 }')" = tuneAAAAAAA ] && [ "$(cache list | tail -1 | awk '{ print $1 }')" = tuneAAAAAAA ]
ok $? "list by plays and, as always, by the last play; --limit"
cache list --limit 0 >"$dir/out"; [ $? = 2 ] && grep -q "limit: '0' is not from 1 to" "$dir/err" && [ ! -s "$dir/out" ]; ok $? "--limit 0 is refused in words"
cache list --sort colour; [ $? = 2 ] && grep -q 'one of recent, plays, size, title' "$dir/err"; ok $? "another order is refused in words"
[ "$(cache list --json --sort title | json '[(x["id"], x["title"], x["artist"], x["duration_ms"] // 1000, x["pinned"]) for x in d][:2]')" = "[('-bcdefghijA', 'Alpha', 'The Artist', 4, False), ('dQw4w9WgXcQ', 'beta', 'The Artist', 2, False)]" ]
ok $? "list --json"
[ "$(cache find gam --json | json '[x["id"] for x in d]')" = "['tuneAAAAAAA']" ] && [ "$(cache find --json nothing | json d)" = '[]' ]
ok $? "find --json, the last word as a beginning; [] when there is nothing"
cache find nothing >"$dir/out"; [ $? = 1 ]; ok $? "find without a result: exit status 1"
cache find 'artist' --limit 2 >"$dir/out" && [ "$(wc -l <"$dir/out")" = 2 ]; ok $? "find --limit"
cache list >"$dir/out"
! grep -q "$(printf '\342\200\256')" "$dir/out"; ok $? "no title turns the terminal around"
sql "INSERT INTO entry (id, state) VALUES (char (27) || '[2J', 3); UPDATE entry SET state = 1 WHERE state = 3"
cache list >"$dir/out" && ! grep -q "$(printf '\033')" "$dir/out" && grep -qF '\x1b[2J' "$dir/out"; ok $? "nor does an id of a doctored database"
sql "DELETE FROM entry WHERE id LIKE '%[2J'"
cache pin -- -bcdefghijA && [ "$(cache stats --json | json '(d["songs"], d["bytes"], d["pinned"], d["plays"], d["max_size_bytes"])')" = "(3, $(sql 'SELECT sum(opus_size) FROM entry'), 1, 3, None)" ]
ok $? "pin; stats --json"
cache stats >"$dir/out"; grep -q '^songs   3$' "$dir/out"; ok $? "stats"
if command -v strace >/dev/null; then
  ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$dir/trace" -e trace=pwrite64 -e inject=pwrite64:error=EDQUOT "$tool" --dir "$dir/cache" pin dQw4w9WgXcQ 2>"$dir/err"
  [ $? = 2 ] && grep -q 'quota exceeded' "$dir/err"; ok $? "a quota that is used up is told as such"
else
  skip "strace is not installed" "a quota that is used up is told as such"
fi
cache unpin -- -bcdefghijA && [ "$(cache stats --json | json 'd["pinned"]')" = 0 ] && cache pin -- -bcdefghijA; ok $? "unpin"
cache pin missingAAAA; [ $? = 1 ]; ok $? "pin of a missing song: exit status 1"
"$tool" list --limit 1 -d "$dir/cache" --json >"$dir/out" && [ "$(json 'len (d)' <"$dir/out")" = 1 ]; ok $? "options after the verb"
mkdir "$dir/xdg"
XDG_CACHE_HOME=$dir/xdg "$tool" import "$dir/none" >"$dir/out" && [ -f "$dir/xdg/encore/encore.db" ]; ok $? "without --dir: \$XDG_CACHE_HOME/encore"
cache info -- -bcdefghijA >"$dir/out"
for field in 'id        -bcdefghijA' 'title     Alpha' 'artist    The Artist' 'url       https://www.youtube.com/watch?v=-bcdefghijA' "file      $dir/cache/opus/" \
  "sha256    $(sha256sum <"$(find "$dir/cache/opus" -name '-bcdefghijA.opus')" | cut -d' ' -f1)" 'length    0:0[34] (' 'size      ' 'loudness  -' 'plays     1' 'pinned    yes' 'created   20' 'played    20'; do
  grep -q "^$field" "$dir/out" || echo "# no '$field'"
done >"$dir/missing"
[ ! -s "$dir/missing" ]; ok $? "info has all fields"
cat "$dir/missing"
cache info --json https://youtu.be/tuneAAAAAAA >"$dir/out"
path=$(json 'd["path"]' <"$dir/out")
[ -f "$path" ] && [ "$(json '(d["opus_bytes"], d["sha256"], d["source_bytes"])' <"$dir/out")" = "($(stat -c %s "$path"), '$(sha256sum <"$path" | cut -d' ' -f1)', 0)" ] &&
  [ "$(json '-40 < d["loudness_lufs"] < 0 and 100 < d["max_packet_bytes"] < 1276 and d["packets_kept"] in (True, False) and d["created_at"].endswith("Z")' <"$dir/out")" = True ]
ok $? "info --json: path, size and sum are those of the file"
mv "$path" "$dir/away"
cache info tuneAAAAAAA >"$dir/out"; [ $? = 1 ] && grep -q '^file      gone' "$dir/out"; ok $? "info of a song that lost its file: exit status 1"
mv "$dir/away" "$path"
sql "INSERT INTO entry (id, state, fail_code, fail_msg, fail_until) VALUES ('privateAAAA', 3, 'private', 'the video is private', unixepoch () + 100)"
cache info privateAAAA; [ $? = 1 ] && grep -q 'the video is private (private); asked again in' "$dir/err"; ok $? "info tells why a song is not there"
cache info 'never gonna'; [ $? = 2 ] && grep -q 'id or a link' "$dir/err"; ok $? "info of words: exit status 2"
[ "$(printf 'x\xff\nyoutu.be/dQw4w9WgXcQ\n' | "$tool" id --json | json '[x["id"] for x in d]')" = "[None, 'youtube:dQw4w9WgXcQ']" ]; ok $? "id --json"
[ "$("$tool" config --json | json '[x["value"] for x in d if x["key"] == "max_size"]')" = "['8GiB']" ]; ok $? "config --json"
printf '[bot]\nx=1\n[encore]\ncache_dir=%s\nmax_size=1GiB\n' "$dir/cache" >"$dir/bot.conf"
{ "$tool" stats --config "$dir/bot.conf" && "$tool" config --config "$dir/bot.conf"; } >"$dir/out"
grep -q '^size .* of 1.0.*GiB$' "$dir/out" && grep -q '^max_size  *= 1GiB ' "$dir/out"
ok $? "--config: the bot's directory and limits"
printf '[encore]\nmax_sise=1\n' >"$dir/bad.conf"
"$tool" stats --config "$dir/bad.conf" 2>"$dir/err"; [ $? = 2 ] && grep -q "bad.conf: .*'max_sise'" "$dir/err"; ok $? "a mistake in it is told"
for verb in stats list find; do "$tool" --dir "$dir/nowhere" $verb x 2>>"$dir/err2"; done
[ ! -e "$dir/nowhere" ]; ok $? "looking makes no cache"
if command -v strace >/dev/null; then
  sql "WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 60000)
       INSERT INTO entry (id, state, opus_size, title, pinned) SELECT printf ('row%06dAA', value), 3, 1, 'a title', value % 1000 = 0 FROM n;
       UPDATE entry SET state = 1 WHERE id LIKE 'row%'"
  ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e trace=pread64 -o "$dir/trace" "$tool" --dir "$dir/cache" stats >"$dir/out"
  grep -q '^pinned  61$' "$dir/out" && [ "$(grep -c pread64 "$dir/trace")" -lt 60 ]; ok $? "stats of 60,003 songs reads $(grep -c pread64 "$dir/trace") pages"
  sql "DELETE FROM entry WHERE id LIKE 'row%'"
else
  skip "strace is not installed" "stats reads few pages"
fi

# -- verify
file_of () { find "$dir/cache/opus" -name "$1.opus"; }
cache verify >"$dir/out" && grep -q '^3 songs checked, 0 damaged$' "$dir/out"; ok $? "verify of whole songs"
cache verify --full >"$dir/out" && grep -q '^3 songs checked to the last byte, 0 damaged$' "$dir/out"; ok $? "verify --full of whole songs"
printf 'flipped' | dd of="$(file_of tuneAAAAAAA)" bs=1 seek=20000 conv=notrunc 2>/dev/null
cache verify >"$dir/out"; ok $? "flipped bytes: the ends look good"
cache verify --full --dry-run --json >"$dir/out"
[ $? = 1 ] && [ "$(json '(d["checked"], [(x["id"], x["removed"]) for x in d["damaged"]])' <"$dir/out")" = "(3, [('tuneAAAAAAA', False)])" ] && [ -f "$(file_of tuneAAAAAAA)" ]
ok $? "verify --full finds them; --dry-run, --json: exit status 1, nothing is removed"
cp "$(file_of tuneAAAAAAA)" "$dir/flipped"
sum=$(sql "SELECT sha256 FROM entry WHERE id = 'dQw4w9WgXcQ'")
sql "UPDATE entry SET sha256 = '' WHERE id = 'tuneAAAAAAA'; UPDATE entry SET sha256 = '00' WHERE id = 'dQw4w9WgXcQ'"
cache verify --full --dry-run --json >"$dir/out"
[ "$(json '[(x["id"], x["reason"][:14]) for x in d["damaged"]]' <"$dir/out")" = "[('dQw4w9WgXcQ', 'its checksum i'), ('tuneAAAAAAA', 'wrong checksum')]" ]
ok $? "by SHA-256, and without one by the checksums of the pages"
sql "UPDATE entry SET sha256 = '$sum' WHERE id IN ('dQw4w9WgXcQ', 'tuneAAAAAAA')"
cache verify --full dQw4w9WgXcQ >"$dir/out" && grep -q '^1 songs checked' "$dir/out"; ok $? "verify of one song"
cache verify missingAAAA >"$dir/out"; [ $? = 1 ]; ok $? "verify of a missing song: exit status 1"
mkfifo "$dir/lease-in" "$dir/lease-out"
/usr/bin/python3 "$abs_top_srcdir/tests/hold-lock.py" "$dir/cache/locks" tuneAAAAAAA <"$dir/lease-in" >"$dir/lease-out" &
exec 7>"$dir/lease-in"
read -r held <"$dir/lease-out"
cache verify --full >"$dir/out"
[ $? = 1 ] && [ "$held" = held ] && grep -q '^removed tuneAAAAAAA .*its checksum is another' "$dir/out" && [ -f "$(file_of tuneAAAAAAA)" ] && ! cache info tuneAAAAAAA >"$dir/out"
ok $? "a damaged song that is being played is in the cache no more, who plays it keeps his file: exit status 1"
cmp -s "$dir"/cache/quarantine/*-tuneAAAAAAA.opus "$dir/flipped"; ok $? "and for whoever wants to know why it is in quarantine/"
cache import "$dir/songs" >"$dir/out" && cache verify --full >"$dir/out"; ok $? "it can be had again at once"
cache evict --to 0 >"$dir/out"
[ $? = 2 ] && [ "$(sql 'SELECT group_concat(id) FROM (SELECT id FROM entry WHERE state = 1 ORDER BY id)')" = '-bcdefghijA,tuneAAAAAAA' ] && grep -q '^removed dQw4w9WgXcQ ' "$dir/out" && grep -q 'pinned, playing' "$dir/err"
ok $? "evict keeps what is pinned or playing: exit status 2"
exec 7>&-
wait $!
cache verify --full >"$dir/out"; ok $? "and what is left is whole"
# as another process leaves it while it removes a song: the lock is held, the file is gone
/usr/bin/python3 "$abs_top_srcdir/tests/hold-lock.py" "$dir/cache/locks" tuneAAAAAAA lock <"$dir/lease-in" >"$dir/lease-out" &
exec 7>"$dir/lease-in"
read -r held <"$dir/lease-out"
path=$(file_of tuneAAAAAAA)
mv "$path" "$dir/away"
cache verify --full >"$dir/out"
[ $? = 0 ] && [ "$held" = held ] && grep -q "^1 songs checked .* 0 damaged$" "$dir/out"; ok $? "verify: a song that is being removed is no damage"
mv "$dir/away" "$path"
exec 7>&-
wait $!

# -- rebuild
cache import "$dir/songs" >"$dir/out"
sql "UPDATE entry SET access_count = 41 WHERE id = 'tuneAAAAAAA'"
cache list --json >"$dir/before"
cache rebuild >"$dir/out"
[ $? = 0 ] && grep -q '^the database was made again: 3 songs of [0-9]* bytes, 1 pinned, ' "$dir/out" && cache list --json >"$dir/after" &&
  python3 - "$dir/before" "$dir/after" <<'PY'
import json, sys
before, after = ({s["id"]: s for s in json.load(open(p))} for p in sys.argv[1:])
keys = ("title", "opus_bytes", "duration_ms", "sha256", "plays", "pinned")
assert all(k in before["tuneAAAAAAA"] for k in keys), before
sys.exit(any(before[i][k] != after[i][k] for i in before for k in keys) or before.keys() != after.keys())
PY
ok $? "rebuild: what the files and the old rows say is there again"
head -c 100 /dev/urandom | dd of="$dir/cache/encore.db" bs=1 seek=100 conv=notrunc 2>/dev/null
rm -f "$dir"/cache/encore.db-*
cache rebuild >"$dir/out" && grep -q '3 songs .* 1 pinned, 4[0-9] plays' "$dir/out"; ok $? "rebuild of a damaged database: pins and plays from the copy"
if command -v strace >/dev/null; then
  ASAN_OPTIONS=detect_leaks=0 strace -f -qq -s 99 -o "$dir/trace" -e trace=renameat,renameat2,fsync "$tool" --dir "$dir/cache" rebuild >"$dir/out" 2>"$dir/err"
  awk '/renameat.*"encore.db.bak"/ { n++; if (!synced) lost = 1; synced = 0; open = 1; next } /fsync\(/ { synced = 1; open = 0; next } { synced = 0 } END { exit !(n == 1 && !open && !lost) }' "$dir/trace"
  ok $? "the copy is durable before it takes the old one's place, and its name afterwards"
  ASAN_OPTIONS=detect_leaks=0 strace -f -qq -s 99 -o "$dir/trace" -e trace=mkdirat,openat,fsync "$tool" --dir "$dir/cache4" import "$dir/none" >"$dir/out" 2>"$dir/err"
  awk '/mkdirat\(.*"[0-9a-f][0-9a-f]"/ { n++; open = 1 } /fsync\(/ { open = 0 } /(mkdirat|openat)\(.*"(audio|tmp|[^"]*encore.db)"/ && open { lost = 1 } END { exit !(n == 512 && !open && !lost) }' "$dir/trace"
  ok $? "and the directories of songs before there is a database"
else
  skip "strace is not installed" "the copy and the directories are durable before they count"
fi
cache rebuild extra; [ $? = 2 ] && grep -q '^Usage:' "$dir/err"; ok $? "rebuild takes no argument"

# -- progress
if command -v script >/dev/null; then
  for verb in repair rebuild; do
    script -qec "'$tool' --dir '$dir/cache' $verb" /dev/null </dev/null >"$dir/out" 2>&1
    [ $? = 0 ] && grep -q '\[#*\.*\] [0-9]* of 256 directories' "$dir/out"; ok $? "$verb: a bar on a terminal"
  done
else
  skip "script is not installed" "repair, rebuild: a bar on a terminal"
fi

# -- evict
cache import "$dir/songs" >"$dir/out"
sql "UPDATE entry SET prio = CASE id WHEN 'dQw4w9WgXcQ' THEN 2 ELSE 1 END"
size=$(stat -c %s "$(file_of dQw4w9WgXcQ)" "$(file_of -bcdefghijA)" | awk '{ sum += $1 } END { print sum }')
cache evict --to "$size" >"$dir/out"
[ $? = 0 ] && grep -q '^removed tuneAAAAAAA .*worth least' "$dir/out" && grep -q "^1 songs removed, 2 songs of $size bytes are left" "$dir/out"
ok $? "evict --to: the least worth goes, no more than needed"
if command -v strace >/dev/null; then
  cp -a "$dir/cache" "$dir/cache3"
  ASAN_OPTIONS=detect_leaks=0 strace -f -qq -s 99 -o "$dir/trace" -e trace=unlinkat,fsync,pwrite64 "$tool" --dir "$dir/cache3" evict --to 0 >"$dir/out"
  awk '/unlinkat\(.*\.opus"/ { n++; open = 1 } /fsync\(/ { open = 0 } /pwrite64\(/ && open { lost = 1 } END { exit !(n > 0 && !open && !lost) }' "$dir/trace"
  ok $? "a removal is durable before its row goes"
else
  skip "strace is not installed" "a removal is durable before its row goes"
fi
cache evict >"$dir/out"; [ $? = 2 ] && grep -q 'needs --to' "$dir/err"; ok $? "evict without a limit is refused"
printf '[encore]\nmin_free=0\nmax_size=%s\n' "$((size - 1))" >"$dir/bot.conf"
"$tool" --dir "$dir/cache" evict --config "$dir/bot.conf" >"$dir/out"; [ $? = 0 ] && grep -q '^removed dQw4w9WgXcQ' "$dir/out"; ok $? "evict to the limits of a bot's configuration"
cache evict --set min_free=900TiB >"$dir/out"; [ $? = 2 ] && grep -q 'less than min_free' "$dir/err"; ok $? "a min_free that cannot be had: exit status 2"
cache evict --to much; [ $? = 2 ] && grep -q "'much' is not a size" "$dir/err"; ok $? "a size that is none: exit status 2"
head -c 5000 "$dir/flipped" >"$(file_of -bcdefghijA)"
cache verify >"$dir/out"; [ $? = 1 ] && grep -q '^removed -bcdefghijA .*another size' "$dir/out"; ok $? "verify finds a file of another size"
cache import "$dir/songs" >"$dir/out"
cp "$dir/flipped" "$(file_of dQw4w9WgXcQ)"
sql "UPDATE entry SET state = 3 WHERE id = 'dQw4w9WgXcQ'; UPDATE entry SET opus_size = $(stat -c %s "$dir/flipped") WHERE id = 'dQw4w9WgXcQ'; UPDATE entry SET state = 1 WHERE id = 'dQw4w9WgXcQ'"
cache verify >"$dir/out"; [ $? = 1 ] && grep -q '^removed dQw4w9WgXcQ .*its tags name another song' "$dir/out"; ok $? "verify finds another song's file"
cache import "$dir/songs" >"$dir/out"
"$tool" --dir "$dir/cache" repair >"$dir/out"; ok $? "after all this the cache is clean"
# -- who cannot be told
for verb in stats 'stats --json' list 'list --json' 'info dQw4w9WgXcQ' 'find a' verify 'verify --json' config repair; do
  # shellcheck disable=SC2086 # words
  "$tool" --dir "$dir/cache" $verb >/dev/full 2>"$dir/err"
  [ $? = 2 ] && grep -q 'standard output cannot be written: No space left on device' "$dir/err" || echo "# $verb: $(cat "$dir/err")"
done >"$dir/out"
[ ! -s "$dir/out" ]; ok $? "a standard output that cannot be written: exit status 2, in words"
mkdir -p "$dir/music/opus"
touch "$dir/music/opus/a.opus"
refused=$(for place in mistyped none music; do
  for verb in stats list 'find a' 'info tuneAAAAAAA' verify 'verify --dry-run' 'pin tuneAAAAAAA' 'unpin tuneAAAAAAA' 'evict --to 0' repair 'repair --dry-run' rebuild \
    "export --all $dir/no-songs"; do
    # shellcheck disable=SC2086 # words
    "$tool" --dir "$dir/$place" $verb >"$dir/out" 2>"$dir/err"
    [ $? = 2 ] && grep -q "$place is no cache: there is no encore.db$" "$dir/err" || echo "$place: $verb"
  done
done)
[ -z "$refused" ] && [ ! -e "$dir/mistyped" ] && [ -z "$(ls "$dir/none")" ] && [ "$(find "$dir/music" | wc -l)" = 3 ]
ok $? "a directory that is no cache is told as such, and not made one $refused"
"$tool" --dir "$dir/none" import --dry-run "$dir/songs" >"$dir/out" 2>"$dir/err"
[ $? = 0 ] && grep -q '^3 names: 3 to import' "$dir/out" && [ -z "$(ls "$dir/none")" ]; ok $? "a dry import into an empty directory is as good as into none"
"$tool" --dir "$dir/music" import --dry-run "$dir/songs" >"$dir/out" 2>"$dir/err"
[ $? = 2 ] && grep -q 'music is no cache' "$dir/err"; ok $? "into another it is refused in words"
# -- a database that was lost with its copy: verify --full gives the rows their checksums again
rm -f "$dir"/cache/encore.db*
cache stats >"$dir/out"; [ $? = 2 ] && grep -q 'is no cache: .*rebuild makes it again' "$dir/err"; ok $? "without its database a cache is none, but rebuild is named"
cp -a "$dir/cache" "$dir/cache5"
"$tool" --dir "$dir/cache5" repair >"$dir/out" 2>"$dir/err"
[ "$("$tool" --dir "$dir/cache5" list | wc -l)" = 3 ]; ok $? "repair makes it, too"
cache rebuild >"$dir/out"
[ "$(sql "SELECT count(*) FROM entry WHERE state = 1 AND sha256 = ''")" = 3 ] && cache verify --full >"$dir/out" &&
  [ "$(sql "SELECT count(*) FROM entry WHERE state = 1 AND length(sha256) = 64")" = 3 ]
ok $? "verify --full gives rows that were made again their checksums"
# -- what repair puts right in the database is found, and told
sql "UPDATE total SET v = v + 2 WHERE k = 'entries'"
cache repair --dry-run >"$dir/out"
[ $? = 1 ] && grep -q '^the sums of the database are not those of its songs$' "$dir/out"; ok $? "repair --dry-run finds wrong sums"
cache repair >"$dir/out"
[ $? = 1 ] && grep -q '^the sums .*: corrected$' "$dir/out"; ok $? "repair corrects them, tells it and exits with 1"
cache repair >"$dir/out"; ok $? "and is clean then"
head -c 3000 /dev/urandom | dd of="$dir/cache/encore.db" bs=1 seek=100 conv=notrunc status=none
written=$(for verb in stats list 'repair --dry-run'; do
  # shellcheck disable=SC2086 # words
  cache $verb >"$dir/out"
  [ $? = 2 ] && grep -q malformed "$dir/err" && [ ! -e "$dir/cache/encore.db-suspect" ] || echo "$verb"
done)
[ -z "$written" ]; ok $? "looking at a damaged database writes nothing $written"
cache repair >"$dir/out"
[ $? = 1 ] && grep -q '^the database was damaged: it was made again' "$dir/out"; ok $? "a damaged database is told, and exits with 1"
cache repair >"$dir/out"; ok $? "and clean then"

# -- export
title () { sql "UPDATE entry SET title = $1 WHERE id = '$2'"; }
title "'../../a/b\\c:*?\"<>|' || char (10, 27, 8238) || ' x'" dQw4w9WgXcQ
title "replace (hex (zeroblob (100)), '00', '歌曲')" tuneAAAAAAA
title "'--exec=x'" -bcdefghijA
cache export --all "$dir/out-dir" >"$dir/out"; ok $? "export --all makes the directory"
ls "$dir/out-dir" >"$dir/names"
[ "$(wc -l <"$dir/names")" = 3 ] && grep -qxF '_-exec=x [-bcdefghijA].opus' "$dir/names" && grep -qxF '_._.._a_b_c__________ x [dQw4w9WgXcQ].opus' "$dir/names" &&
  [ "$(grep tuneAAAAAAA "$dir/names" | tr -d '\n' | wc -c)" -le 255 ] && grep tuneAAAAAAA "$dir/names" | iconv -f UTF-8 -t UTF-8 >/dev/null
ok $? "names that any file system takes: no path, no option, not too long"
same=0
for id in dQw4w9WgXcQ tuneAAAAAAA -bcdefghijA; do cmp -s "$(find "$dir/out-dir" -name "*\[$id\].opus")" "$(file_of $id)" || same=1; done
ok $same "the files are those of the cache"
[ -z "$(find "$dir/out-dir" -name '.*' -type f)" ]; ok $? "nothing else is there"
cache export --all "$dir/out-dir" >"$dir/out" && grep -q '^0 songs exported (0 bytes), 3 were there, 0 not exported$' "$dir/out"; ok $? "a second export finds all there"
echo mine >"$dir/out-dir/_-exec=x [-bcdefghijA].opus"
cache export --all "$dir/out-dir" >"$dir/out"
[ $? = 1 ] && grep -q '^kept      -bcdefghijA: another file' "$dir/out" && [ "$(cat "$dir/out-dir/_-exec=x [-bcdefghijA].opus")" = mine ]; ok $? "another file is not written over: exit status 1"
mkdir "$dir/one"
ln -s "$dir/nowhere" "$dir/one/_-exec=x [-bcdefghijA].opus"
cache export -- -bcdefghijA missingAAAA tuneAAAAAAA "$dir/one" >"$dir/out"
[ $? = 1 ] && [ "$(find "$dir/one" -type f | wc -l)" = 1 ] && [ ! -e "$dir/nowhere" ] && grep -q 'missingAAAA is not in the cache' "$dir/err"; ok $? "export of ids; links are not followed, a missing one is told"
cp "$(file_of tuneAAAAAAA)" "$dir/away"
printf 'flipped' | dd of="$(file_of tuneAAAAAAA)" bs=1 seek=20000 conv=notrunc status=none
damaged () { # DIRECTORY: of three songs one is not exported, and nothing of it is there
  cache export --all "$1" >"$dir/out"
  [ $? = 2 ] && grep -q '^encore-cache: tuneAAAAAAA is damaged (see verify --full): not exported$' "$dir/err" && grep -q '^2 songs exported .* 1 not exported$' "$dir/out" &&
    [ "$(find "$1" -type f | wc -l)" = 2 ] && [ -z "$(find "$1" -name '*tuneAAAAAAA*')" ]
}
damaged "$dir/whole"; ok $? "a damaged song is told, the others are exported: exit status 2"
sum=$(sql "SELECT sha256 FROM entry WHERE id = 'tuneAAAAAAA'")
sql "UPDATE entry SET sha256 = '' WHERE id = 'tuneAAAAAAA'"
damaged "$dir/whole2"; ok $? "also one without a checksum in its row"
sql "UPDATE entry SET sha256 = '$sum' WHERE id = 'tuneAAAAAAA'"
cp "$dir/away" "$(file_of tuneAAAAAAA)"
cache export tuneAAAAAAA "$dir/whole" >"$dir/out" && cmp -s "$dir"/whole/*tuneAAAAAAA* "$dir/away"; ok $? "and a whole one is"
cache export dQw4w9WgXcQ >"$dir/out"; [ $? = 2 ]; ok $? "export without a directory: exit status 2"
cache export --all "$dir/cache/opus/00" >"$dir/out"; [ $? = 2 ] && grep -q 'belongs to the cache' "$dir/err"; ok $? "not into the cache itself"
cache export --all "$dir/out" >"$dir/out2"; [ $? = 2 ]; ok $? "a file is no directory: exit status 2"
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
  mkdir "$dir/small"
  # shellcheck disable=SC2016
  unshare -m bash -c 'mount -t tmpfs -o size=64k tmpfs "$1/small" && { "$2" --dir "$1/cache" export --all "$1/small" >"$1/out" 2>"$1/err"; echo $? >"$1/status"; ls -A "$1/small" >"$1/names"; }' _ "$dir" "$tool"
  [ "$(cat "$dir/status")" = 2 ] && grep -q 'cannot be written: No space' "$dir/err" && [ "$(wc -l <"$dir/names")" -le 1 ]; ok $? "a full disk: it stops, nothing half-written stays"
else
  skip "needs root" "a full disk"
fi
if command -v strace >/dev/null; then
  export ASAN_OPTIONS=detect_leaks=0 # not under strace
  mkdir "$dir/old-fs"
  strace -f -qq -e trace=openat -o "$dir/trace" "$tool" --dir "$dir/cache" export dQw4w9WgXcQ "$dir/old-fs" >/dev/null
  rm "$dir"/old-fs/*
  strace -f -qq -o "$dir/trace2" -e inject=renameat2:error=EINVAL -e inject=openat:error=EOPNOTSUPP:when="$(grep -n O_TMPFILE "$dir/trace" | head -1 | cut -d: -f1)" \
    "$tool" --dir "$dir/cache" export dQw4w9WgXcQ "$dir/old-fs" >"$dir/out" 2>"$dir/err"
  [ $? = 0 ] && grep -q 'INJECTED.*' "$dir/trace2" && [ "$(find "$dir/old-fs" -type f | wc -l)" = 1 ] && cmp -s "$dir/old-fs"/*dQw4w9WgXcQ* "$(file_of dQw4w9WgXcQ)"
  ok $? "on a file system without nameless files and without RENAME_NOREPLACE"
  strace -f -qq -o "$dir/trace" -P "$(file_of dQw4w9WgXcQ)" -e inject=pread64:error=EIO \
    "$tool" --dir "$dir/cache" export --all "$dir/poor-disk" >"$dir/out" 2>"$dir/err"
  [ $? = 2 ] && grep -q INJECTED "$dir/trace" && grep -q 'dQw4w9WgXcQ cannot be read: Input/output error' "$dir/err" && grep -q '^2 songs exported .* 1 not exported$' "$dir/out" && [ "$(find "$dir/poor-disk" -type f | wc -l)" = 2 ]
  ok $? "a song that cannot be read is told as such, the others are exported: exit status 2"
  unset ASAN_OPTIONS
else
  skip "strace is not installed" "on a file system without nameless files"
  skip "strace is not installed" "a song that cannot be read"
fi
rm "$dir/out-dir/_-exec=x [-bcdefghijA].opus"
cache export --all "$dir/out-dir" >"$dir/out"
"$tool" --dir "$dir/cache2" import "$dir/out-dir" >"$dir/out" 2>"$dir/err" && [ "$("$tool" --dir "$dir/cache2" list | wc -l)" = 3 ]; ok $? "what was exported can be imported elsewhere"
finish
