#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# encore-cache import: other bots' directories, with real files.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need ffmpeg sqlite3 python3
tool=$top/encore-cache
chmod 755 "$dir"
ok () { # STATUS NAME: and what the tool said, if it failed
  n=$((n + 1))
  if [ "$1" = 0 ]; then echo "ok $n $2"; else
    echo "not ok $n $2"
    failed=1
    sed 's/^/# /' "$dir/out" "$dir/err" 2>/dev/null
  fi
}
import () { # ARGUMENT...: report in out, errors in err
  "$tool" --dir "$dir/cache" import "$@" >"$dir/out" 2>"$dir/err"
}
sql () { sqlite3 "$dir/cache/encore.db" "$1"; }
song () { # PATH SECONDS FREQUENCY [OPTION...]
  local path=$1 seconds=$2 frequency=$3
  shift 3
  ffmpeg -v error -y -f lavfi -i "aevalsrc=0.3*sin(2*PI*$frequency*t)+0.02*random(0):s=48000:d=$seconds" "$@" "$path" </dev/null
}
cut_at () { head -c $(($(stat -c %s "$1") * $3 / 100)) "$1" >"$2"; }
bytes () { (cd "$dir/old" && stat -c %s "$@" | awk '{ sum += $1 } END { print sum }'); }
files_agree () { # every ready row has its file, every file its row, nothing unfinished
  [ "$(sql 'SELECT count(*) FROM entry WHERE state IN (0, 2)')" = 0 ] || return 1
  [ -z "$(ls "$dir/cache/tmp")" ] || return 1
  (cd "$dir/cache/opus" && find . -type f -printf '%f %s %p\n' | sort |
    while read -r name size path; do echo "${name%.opus} $size $(sha256sum <"$path" | cut -d' ' -f1)"; done) >"$dir/files"
  sqlite3 -separator ' ' "$dir/cache/encore.db" 'SELECT id, opus_size, sha256 FROM entry WHERE state = 1' |
    LC_ALL=C sort >"$dir/rows"
  LC_ALL=C sort "$dir/files" | cmp -s - "$dir/rows"
}

# -- another bot's directory
mkdir "$dir/old"
cd "$dir/old"
song never_gonna_dQw4w9WgXcQ.webm 6 300 -c:a libopus
song 'Never Gonna-dQw4w9WgXcQ.m4a' 4 300 -c:a aac
song long.webm 12 300 -c:a libopus
cut_at long.webm 'Never Gonna [dQw4w9WgXcQ].webm' 70
rm long.webm
cp never_gonna_dQw4w9WgXcQ.webm never_gonna_a1b2c3d4.webm # the same bytes: a random name of a song with an id
song jNQXAC9IVRw.mp3 5 500 -c:a libmp3lame -metadata title='Me at the zoo' -metadata artist='jawed'
song 'Tagged_q8w7e6r5.m4a' 4 600 -c:a aac -metadata comment=https://www.youtube.com/watch?v=9bZkp7q19f0
song 'sidecar_z1x2c3v4.ogg' 4 700 -c:a libvorbis
echo '{"id":"kJQP7kiw5Fk","extractor_key":"Youtube","title":"From the Sidecar","duration":4}' >sidecar_z1x2c3v4.info.json
song song_x7k2m9q4.webm 4 800 -c:a libopus
song call_me_abcd1234.webm 4 850 -c:a libopus
song "$(printf 'evil\033[31m\n\377_-bcdefghijA.opus')" 4 900 -c:a libopus
echo '<html>Sign in to confirm you are not a bot</html>' >page_OPf0YbXqDm0.webm
: >empty_RgKAFK5djSk.webm
song cut_source.mp3 10 200 -c:a libmp3lame
cut_at cut_source.mp3 cut_fJ9rUzIMcZQ.mp3 60
rm cut_source.mp3
cut_at never_gonna_dQw4w9WgXcQ.webm 'Never Gonna [dQw4w9WgXcQ].webm.part' 50
echo '{}' >'Never Gonna [dQw4w9WgXcQ].webm.ytdl'
cp never_gonna_dQw4w9WgXcQ.webm 'Unmerged [YQHsXMglC9A].f251.webm'
echo picture >dQw4w9WgXcQ.jpg
mkdir sub
cp jNQXAC9IVRw.mp3 sub/CevxZvSJLk8.mp3
ln -s jNQXAC9IVRw.mp3 hT_nvWreIhg.mp3
mkfifo pipe_09R8_2nJtjg.webm
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket_09R8_2nJtjg.webm")'
cd - >/dev/null
ls -lR "$dir/old" >"$dir/before"

import --dry-run "$dir/old"
[ $? = 1 ] && [ ! -e "$dir/cache" ] && grep -q '5 to import' "$dir/out"; ok $? "a dry run tells and makes nothing, not even the cache"

import "$dir/old"
[ $? = 1 ]; ok $? "exit status 1: something was not imported"
[ "$(sql 'SELECT id FROM entry WHERE state = 1 ORDER BY id' | tr '\n' ' ')" = '-bcdefghijA 9bZkp7q19f0 dQw4w9WgXcQ jNQXAC9IVRw kJQP7kiw5Fk ' ]
ok $? "one entry an id"
files_agree; ok $? "files, rows, sizes and sums agree, nothing half-made"
[ "$(sql "SELECT round(duration_ms / 1000.0, 1) FROM entry WHERE id = 'dQw4w9WgXcQ'")" = 6.0 ]
ok $? "the longest whole file wins, not the longer one that is cut off"
grep -q '^imported  dQw4w9WgXcQ never_gonna_' "$dir/out" &&
  grep -q '^duplicate dQw4w9WgXcQ Never Gonna-dQw4w9WgXcQ.m4a .*4.0 s, the one taken has 6.0 s' "$dir/out" &&
  grep -q '^broken    dQw4w9WgXcQ Never Gonna \[dQw4w9WgXcQ\].webm .*cut off' "$dir/out"
ok $? "its rivals are reported, each with its reason"
grep -q '^duplicate dQw4w9WgXcQ never_gonna_\(a1b2c3d4\|dQw4w9WgXcQ\)' "$dir/out"; ok $? "a random name with the bytes of an id is its duplicate"
[ "$(sql "SELECT title || '/' || artist FROM entry WHERE id = 'jNQXAC9IVRw'")" = 'Me at the zoo/jawed' ] &&
  [ "$(sql "SELECT title FROM entry WHERE id = 'dQw4w9WgXcQ'")" = 'never gonna' ] &&
  [ "$(sql "SELECT title FROM entry WHERE id = 'kJQP7kiw5Fk'")" = 'From the Sidecar' ]
ok $? "titles from tags, from the sidecar, else from the name"
[ "$(sql "SELECT count(*) FROM entry WHERE id IN ('9bZkp7q19f0', 'kJQP7kiw5Fk')")" = 2 ]; ok $? "a random name is taken when a tag or a sidecar names the id"
grep -q "^no-id     -           song_x7k2m9q4.webm ($(bytes song_x7k2m9q4.webm) bytes)" "$dir/out" &&
  grep -q '^no-id     -           call_me_abcd1234.webm .*may be an id or a word' "$dir/out"
ok $? "a random name without an id is reported with its bytes"
grep -q '^broken    OPf0YbXqDm0 page_' "$dir/out" && grep -q '^broken    RgKAFK5djSk empty_.*it is empty' "$dir/out" &&
  grep -q '^broken    fJ9rUzIMcZQ cut_.*6.0 s of music, 10.0 s announced' "$dir/out"
ok $? "a page that pretends, an empty and a cut file are broken"
grep -q '^leftover  dQw4w9WgXcQ Never Gonna .*.part ' "$dir/out" && grep -q '^leftover  dQw4w9WgXcQ .*.ytdl ' "$dir/out" &&
  grep -q '^leftover  YQHsXMglC9A Unmerged' "$dir/out"
ok $? "leftovers of downloads are told"
grep -q '^skipped .* sub (.*a directory' "$dir/out" && grep -q '^skipped .* hT_nvWreIhg.mp3 .*a symbolic link' "$dir/out" &&
  grep -q '^skipped .*pipe_.*a pipe' "$dir/out" && grep -q '^skipped .*socket_.*a socket' "$dir/out"
ok $? "directories, links, pipes and sockets are not touched"
! LC_ALL=C grep -q $'[\x01-\x08\x0b-\x1f\x7f]' "$dir/out" && iconv -f UTF-8 -t UTF-8 "$dir/out" >/dev/null &&
  grep -qF 'evil\x1b[31m\x0a\xff_-bcdefghijA.opus' "$dir/out"
ok $? "names with control characters and other bytes are printed safely"
duplicate_bytes=$(bytes 'Never Gonna-dQw4w9WgXcQ.m4a' never_gonna_dQw4w9WgXcQ.webm)
grep -q " 2 duplicate ($duplicate_bytes bytes).*; 0 bytes freed" "$dir/out"; ok $? "the bytes of duplicates are summed up"
ls -lR "$dir/old" | cmp -s - "$dir/before"; ok $? "without --delete nothing is deleted"
lufs=$(ffmpeg -hide_banner -nostats -i "$dir"/cache/opus/*/jNQXAC9IVRw.opus -af ebur128 -f null - 2>&1 | sed -n 's/^ *I: *\(-[0-9]*\).*/\1/p' | tail -1)
[ "${lufs:-0}" -ge -17 ] && [ "$lufs" -le -15 ]; ok $? "at the cache's loudness: ${lufs:-?} LUFS"

# -- again
sql 'SELECT * FROM entry' >"$dir/rows-before"
find "$dir/cache/opus" -type f -printf '%p %T@ %s\n' | sort >"$dir/files-before"
import "$dir/old"
[ $? = 1 ] && grep -q ' 0 imported .* 7 duplicate ' "$dir/out"; ok $? "a second import finds duplicates only"
sql 'SELECT * FROM entry' | cmp -s - "$dir/rows-before" && find "$dir/cache/opus" -type f -printf '%p %T@ %s\n' | sort | cmp -s - "$dir/files-before" &&
  ls -lR "$dir/old" | cmp -s - "$dir/before"
ok $? "and changes nothing"

# -- a link to the directory; --delete
ln -s "$dir/old" "$dir/link"
freed=$(bytes never_gonna_dQw4w9WgXcQ.webm 'Never Gonna-dQw4w9WgXcQ.m4a' 'Never Gonna [dQw4w9WgXcQ].webm' \
  never_gonna_a1b2c3d4.webm jNQXAC9IVRw.mp3 Tagged_q8w7e6r5.m4a sidecar_z1x2c3v4.ogg "$(cd "$dir/old" && echo evil*)" 'Never Gonna [dQw4w9WgXcQ].webm.part' 'Never Gonna [dQw4w9WgXcQ].webm.ytdl')
import --delete --dry-run "$dir/link"
ls -lR "$dir/old" | cmp -s - "$dir/before"; ok $? "--delete with --dry-run deletes nothing"
import --delete "$dir/link"
[ $? = 1 ] && grep -q "; $freed bytes freed" "$dir/out"; ok $? "through a link, with --delete: $freed bytes freed, as reported"
[ "$(ls "$dir/old" | tr '\n' ' ')" = 'Unmerged [YQHsXMglC9A].f251.webm call_me_abcd1234.webm cut_fJ9rUzIMcZQ.mp3 dQw4w9WgXcQ.jpg empty_RgKAFK5djSk.webm hT_nvWreIhg.mp3 page_OPf0YbXqDm0.webm pipe_09R8_2nJtjg.webm sidecar_z1x2c3v4.info.json socket_09R8_2nJtjg.webm song_x7k2m9q4.webm sub ' ]
ok $? "what is not in the cache stays, broken or not"
files_agree; ok $? "the entries are as before"

# -- whole imports with --delete in one go
mkdir "$dir/few"
song "$dir/few/a_tuneAAAAAAA.webm" 4 300 -c:a libopus
song "$dir/few/b_tuneAAAAAAA.webm" 3 300 -c:a libopus
size=$(($(stat -c %s "$dir/few/a_tuneAAAAAAA.webm") + $(stat -c %s "$dir/few/b_tuneAAAAAAA.webm")))
import --delete "$dir/few"
[ $? = 0 ] && [ -z "$(ls "$dir/few")" ] && grep -q "; $size bytes freed" "$dir/out"
ok $? "all imported: exit status 0, the directory is empty"
import "$dir/few"; ok $? "an empty directory: exit status 0"

# -- what is in the cache is what --delete relies on
mkdir "$dir/again"
cached=$(find "$dir/cache/opus" -name 'tuneAAAAAAA.opus')
song "$dir/again/c_tuneAAAAAAA.webm" 4 300 -c:a libopus
printf 'damaged' | dd of="$cached" bs=1 seek=20000 conv=notrunc status=none
import --delete "$dir/again"
[ $? = 0 ] && grep -q '^imported  *tuneAAAAAAA' "$dir/out" && [ -z "$(ls "$dir/again")" ] &&
  [ "$(find "$dir/cache/quarantine" -name '*tuneAAAAAAA.opus' | wc -l)" = 1 ]
ok $? "the cached song is damaged: the file takes its place before it is deleted"
"$tool" --dir "$dir/cache" verify --full tuneAAAAAAA >"$dir/out" 2>"$dir/err"; ok $? "and is whole in the cache"
song "$dir/again/d_tuneAAAAAAA.webm" 9 300 -c:a libopus
song "$dir/again/e_tuneAAAAAAA.webm" 3 300 -c:a libopus
import --delete "$dir/again"
[ "$(ls "$dir/again")" = d_tuneAAAAAAA.webm ] && grep -q '9.0 s, longer than the one in the cache: kept' "$dir/out"
ok $? "a file that is longer than the cached song stays"
if [ -n "${SANITIZERS:-}" ] || ! command -v strace >/dev/null; then
  skip "no strace, or a sanitizer" "a file that cannot be read stays"
else
  rm "$dir"/again/*
  song "$dir/again/f_tuneAAAAAAA.webm" 3 300 -c:a libopus
  (cd "$dir/again" && strace -f -qq -o "$dir/trace" -P f_tuneAAAAAAA.webm -e trace=openat -e inject=openat:error=EACCES \
    "$tool" --dir "$dir/cache" import --delete "$dir/again" >"$dir/out" 2>"$dir/err")
  [ $? = 2 ] && grep -q INJECTED "$dir/trace" && [ -e "$dir/again/f_tuneAAAAAAA.webm" ] && grep -q '^failed .*cannot be read: Permission denied$' "$dir/out"
  ok $? "a file that cannot be read stays"
  strace -f -qq -o "$dir/trace" -P "$dir/again/f_tuneAAAAAAA.webm" -e trace=read,pread64,preadv -e inject=read,pread64,preadv:error=EIO \
    "$tool" --dir "$dir/cache" import --delete "$dir/again" >"$dir/out" 2>"$dir/err"
  [ $? = 2 ] && grep -q INJECTED "$dir/trace" && [ -e "$dir/again/f_tuneAAAAAAA.webm" ] && grep -q '^failed .*cannot be read: Input/output error$' "$dir/out"
  ok $? "a file on a failing disk is not called broken, and stays"
fi
files_agree; ok $? "rows and files agree"

# -- what is no fault of the file
mkdir "$dir/sound"
song "$dir/sound/g_tuneAAAAAAA.webm" 3 300 -c:a libopus
GST_PLUGIN_SYSTEM_PATH_1_0=$dir/none GST_PLUGIN_PATH_1_0='' GST_REGISTRY_1_0=$dir/bare.bin import --delete "$dir/sound"
[ $? = 2 ] && [ -e "$dir/sound/g_tuneAAAAAAA.webm" ] && grep -q '^failed .*cannot be judged: a GStreamer plugin of the base set is missing' "$dir/out"
ok $? "GStreamer without plugins: the file is not called broken, and stays: exit status 2"
# a page instead of music, which is known without any demuxer: but nothing of the cache decodes here
mkdir "$dir/mute"
echo '<html>Sign in</html>' >"$dir/mute/k_tuneAAAAAAA.webm"
GST_PLUGIN_FEATURE_RANK=oggdemux:NONE import --delete "$dir/mute"
[ $? = 2 ] && [ -e "$dir/mute/k_tuneAAAAAAA.webm" ] && grep -q '^failed .*cannot be judged, nor can the cached song: ' "$dir/out"
ok $? "a file is not called broken while the cached song does not decode, either"
import --delete "$dir/mute"
[ $? = 0 ] && [ -z "$(ls "$dir/mute")" ] && grep -q '^broken .*; deleted$' "$dir/out"; ok $? "when it does, it is"
failures=0
for limit in $(seq 14 44); do
  (ulimit -n "$limit" && G_DEBUG='' import --delete "$dir/sound")
  status=$?
  : >"$dir/err" # thousands of lines
  grep -q '^failed ' "$dir/out" && [ $status = 2 ] && failures=$((failures + 1))
  [ -e "$dir/sound/g_tuneAAAAAAA.webm" ] && continue
  grep -q '^duplicate' "$dir/out" && [ $status = 0 ] && status=ended
  break
done
[ "$failures" -gt 0 ] && { [ $status = ended ] || [ -e "$dir/sound/g_tuneAAAAAAA.webm" ]; }
ok $? "too few file descriptors ($failures times, to $limit): the file stays, until there are enough"
song "$dir/sound/h_tuneAAAAAAA.webm" 3 300 -c:a libopus
cp "$dir/sound/h_tuneAAAAAAA.webm" "$dir/sound/h_tuneAAAAAAA.webm.part"
mkfifo "$dir/lock-in" "$dir/lock-out"
/usr/bin/python3 "$abs_top_srcdir/tests/hold-lock.py" "$dir/cache/locks" tuneAAAAAAA lock <"$dir/lock-in" >"$dir/lock-out" &
exec 7>"$dir/lock-in"
read -r held <"$dir/lock-out"
import --delete "$dir/sound"
[ $? = 2 ] && [ "$held" = held ] && [ -e "$dir/sound/h_tuneAAAAAAA.webm" ] && [ -e "$dir/sound/h_tuneAAAAAAA.webm.part" ] &&
  grep -q '^failed .*cannot be verified: .* being fetched or removed$' "$dir/out"
ok $? "the song's lock is held elsewhere: its files stay: exit status 2"
exec 7>&-
wait $!
import --delete "$dir/sound"
[ $? = 0 ] && [ -z "$(ls "$dir/sound")" ]; ok $? "and go afterwards"

# -- stopped while a file is judged
mkdir "$dir/stop"
ffmpeg -v error -f lavfi -i sine=frequency=300:sample_rate=48000:duration=1500 -ac 2 -c:a flac "$dir/stop/b_tuneAAAAAAA.flac" </dev/null
song "$dir/stop/c_tuneAAAAAAA.webm" 3 300 -c:a libopus
song "$dir/stop/a song.webm" 1 300 -c:a libopus # has no id: when it is told of, the others are next
stopped () { # SIGNAL: sends it while the long file is decoded, for which it is open
  : >"$dir/out"
  "$tool" --dir "$dir/cache" import --delete --jobs 1 "$dir/stop" >"$dir/out" 2>"$dir/err" &
  local pid=$!
  until grep -q '^no-id' "$dir/out" && find /proc/$pid/fd -lname '*b_tuneAAAAAAA.flac' 2>/dev/null | grep -q .; do
    kill -0 $pid 2>/dev/null || break
    pause 0.02
  done
  kill "$1" $pid 2>/dev/null
  wait $pid
}
for signal in TERM INT; do
  stopped -$signal
  [ $? = 2 ] && grep -q 'stopped by a signal' "$dir/err" && [ "$(ls "$dir/stop" | wc -l)" = 3 ] && ! grep -q tuneAAAAAAA "$dir/out"
  ok $? "SIG$signal while a file is judged: nothing is told of it or deleted, it says that it was stopped: exit status 2"
done

# -- what cannot be
import "$dir/missing"
[ $? = 2 ] && grep -q 'cannot be opened' "$dir/err"; ok $? "a missing directory: exit status 2"
import "$dir/before"
[ $? = 2 ]; ok $? "a file: exit status 2"
import --delete "$dir/cache/opus/$(cd "$dir/cache/opus" && ls -d */* | head -1 | cut -d/ -f1)"
[ $? = 2 ] && grep -q 'belongs to the cache' "$dir/err" && files_agree; ok $? "the cache's own files are no import"
import
[ $? = 2 ] && grep -q '^Usage: .*import DIR' "$dir/err"; ok $? "no directory: the usage"
"$tool" --dir "$dir/cache" list --delete 2>"$dir/err"
[ $? = 2 ] && grep -q 'takes no --delete' "$dir/err"; ok $? "an option of another verb is refused"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  nobody="setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all"
  mkdir -m 777 "$dir/poor"
  song "$dir/poor/secret_M7lc1UVf-VE.webm" 3 300 -c:a libopus
  song "$dir/poor/plain_aqz-KE-bpKQ.webm" 3 300 -c:a libopus
  chmod 600 "$dir/poor/secret_M7lc1UVf-VE.webm"
  if HOME=$dir/poor $nobody "$tool" --help >/dev/null 2>&1; then
    HOME=$dir/poor GST_REGISTRY_1_0=$dir/poor/.registry $nobody "$tool" --dir "$dir/poor/.cache" import "$dir/poor" >"$dir/out" 2>"$dir/err"
    [ $? = 2 ] && grep -q '^failed .*secret_.*cannot be read: Permission denied' "$dir/out" && grep -q '^imported .*plain_' "$dir/out"
    ok $? "an unreadable file is reported, the others are taken"
  else
    skip "the build directory cannot be read by others" "an unreadable file"
  fi
else
  skip "needs root and setpriv" "an unreadable file"
fi

# -- two at once: each song once
mkdir "$dir/both"
song "$dir/song.webm" 3 300 -c:a libopus
for i in 0 1 2 3 4 5; do cp "$dir/song.webm" "$dir/both/t_both${i}AAAAAA.webm"; done
"$tool" --dir "$dir/cache" import "$dir/both" >"$dir/out1" 2>&1 &
"$tool" --dir "$dir/cache" import "$dir/both" >"$dir/out2" 2>&1
wait $!
[ "$(cat "$dir/out1" "$dir/out2" | grep -c '^imported ')" = 6 ] && [ "$(cat "$dir/out1" "$dir/out2" | grep -c '^duplicate ')" = 6 ] && files_agree
ok $? "two imports at once: every song is published once"

# -- killed in the middle, by a signal that can be caught and by one that cannot
mkdir "$dir/many"
song "$dir/song.flac" 60 300 -c:a flac
for i in 0 1 2 3; do cp "$dir/song.flac" "$dir/many/t_many${i}AAAAAA.flac"; done
half_way () { # SIGNAL: sends it when a song is being encoded and one is published
  "$tool" --dir "$dir/cache" import --jobs 1 "$dir/many" >"$dir/out" 2>"$dir/err" &
  local pid=$!
  for _ in $(seq 2000); do
    [ -s "$(ls "$dir"/cache/tmp/many*/song.opus 2>/dev/null | head -1)" ] &&
      [ "$(sql "SELECT count(*) FROM entry WHERE state = 1 AND id LIKE 'many%'" 2>/dev/null || echo 0)" -ge 1 ] && break
    kill -0 $pid 2>/dev/null || break
    pause 0.005
  done
  kill "$1" $pid 2>/dev/null
  wait $pid 2>/dev/null
}
half_way -TERM
[ $? = 2 ] && grep -q 'stopped by a signal' "$dir/err" && files_agree; ok $? "SIGTERM: it ends in good order"
cp "$dir/song.flac" "$dir/many/t_many4AAAAAA.flac"
"$tool" --dir "$dir/cache" list >/dev/null
sqlite3 "$dir/cache/encore.db" "SELECT count(*) FROM entry WHERE state = 1 AND id LIKE 'many%'" >"$dir/count"
[ "$(cat "$dir/count")" -lt 4 ]; ok $? "it did end in the middle: $(cat "$dir/count") of 4"
half_way -KILL
[ $? = 137 ] && [ -n "$(ls "$dir/cache/tmp")" ] && [ "$(sql 'SELECT count(*) FROM entry WHERE state = 0')" = 1 ]
ok $? "SIGKILL leaves one song half-made"
"$tool" --dir "$dir/cache" repair >"$dir/out" 2>"$dir/err"
files_agree; ok $? "repair cleans up after it"
import --jobs 2 "$dir/many"
[ $? = 0 ] && [ "$(sql "SELECT count(*) FROM entry WHERE state = 1 AND id LIKE 'many%'")" = 5 ] && files_agree
ok $? "the repeated import takes the rest"

# -- rows of vanished files
rm "$dir"/cache/opus/*/many0AAAAAA.opus
"$tool" --dir "$dir/cache" repair --dry-run >"$dir/out" 2>"$dir/err"
[ $? = 1 ] && [ "$(sql "SELECT count(*) FROM entry WHERE state = 1 AND id = 'many0AAAAAA'")" = 1 ]; ok $? "repair --dry-run finds the row of a vanished file"
"$tool" --dir "$dir/cache" repair >"$dir/out" 2>"$dir/err"
[ $? = 1 ] && grep -q '^removed many0AAAAAA .*its file is gone' "$dir/out" && ! "$tool" --dir "$dir/cache" info many0AAAAAA >/dev/null 2>&1
ok $? "repair removes the row of a vanished file: exit status 1"
"$tool" --dir "$dir/cache" repair >"$dir/out" 2>"$dir/err"; ok $? "and the next one is clean"
files_agree; ok $? "files and rows agree"

# -- no room: it stops, nothing is half-made
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
  mkdir "$dir/small"
  # shellcheck disable=SC2016
  unshare -m bash -c '
    mount -t tmpfs -o size=3500k tmpfs "$1/small" || exit 99
    "$2" --dir "$1/small/cache" import --jobs 2 --delete "$1/many" >"$1/out" 2>"$1/err"
    status=$?
    ls "$1/small/cache/tmp" >"$1/tmp"
    "$2" --dir "$1/small/cache" list >"$1/list"
    exit $status' _ "$dir" "$tool"
  status=$?
  if [ $status = 99 ]; then skip "tmpfs cannot be mounted" "a full disk"; else
    [ $status = 2 ] && [ ! -s "$dir/tmp" ] && grep -q 'not enough space' "$dir/err"; ok $? "a full disk: it stops and says why"
    taken=$(wc -l <"$dir/list")
    [ "$taken" -ge 1 ] && [ $((taken + $(ls "$dir/many" | wc -l))) = 5 ]; ok $? "--delete kept what was not published, nothing was evicted: $taken of 5"
  fi
else
  skip "needs root" "a full disk"
fi

# -- a terminal sees a bar
if command -v script >/dev/null; then
  script -qec "'$tool' --dir '$dir/cache' import '$dir/both'" /dev/null </dev/null >"$dir/out" 2>&1
  grep -q '\[#*\.*\] [0-9]* of 6 files' "$dir/out"; ok $? "a bar on a terminal"
else
  skip "script is not installed" "a bar on a terminal"
fi
finish
