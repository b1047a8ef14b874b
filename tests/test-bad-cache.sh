#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Cache directories that cannot be used and disks that are full, through the real host: each has a clear
# sentence, a good song after it plays, nothing half-made stays.  Prints TAP.
. "$abs_top_srcdir/tests/bot-fixture.sh"

good=shortAAAAAA
plays () { told 'Playing: One Second'; }

# ---- the cache directory.  It is refused in words, and looked at again when somebody asks next.
refused='The cache cannot be used; the operator must look at the log.'
heals () { # NAME LOG CACHE COMMAND...: COMMAND puts it right while the bot runs
  local name=$1 log=$2 cache=$3
  shift 3
  config "cache_dir=$cache"
  start
  say "?play $good"
  await told "$refused" && logged "$log" && "$@" && say "?play $good" && await plays
  local status=$?
  quit
  [ $status = 0 ] && settled "$cache"; ok $? "$name"
}
mkdir "$dir/ro" "$dir/open" "$dir/real"
chmod 755 "$dir/ro"
if [ "$(id -u)" = 0 ]; then
  other='setpriv --reuid=65534 --regid=65534 --clear-groups'
  if $other test -r "$ENCORE_MODULE" -a -x "$top/encore-bot" -a -r "$abs_top_srcdir/tests/site/site.py" 2>/dev/null; then
    chown 65534:65534 "$dir/ro"
    chmod 555 "$dir/ro"
    RUN_AS=$other heals "cache directory not writable" "cannot make $dir/ro/cache: Permission denied" "$dir/ro/cache" chmod 755 "$dir/ro"
  else
    skip "another user cannot read the build directory" "cache directory not writable"
  fi
  mkdir -m 700 "$dir/theirs"
  chown 65534:65534 "$dir/theirs"
  heals "cache directory owned by another user" "$dir/theirs belongs to another user" "$dir/theirs" chown 0:0 "$dir/theirs"
else
  chmod 555 "$dir/ro"
  heals "cache directory not writable" "cannot make $dir/ro/cache: Permission denied" "$dir/ro/cache" chmod 755 "$dir/ro"
  config cache_dir=/usr/share
  echo "?play $good" | run
  told "$refused" && logged '/usr/share belongs to another user'; ok $? "cache directory owned by another user"
fi
chmod 777 "$dir/open"
heals "cache directory writable by others" "$dir/open can be written by others" "$dir/open" chmod 700 "$dir/open"
: >"$dir/file"
heals "cache directory that is a file" "$dir/file is a symbolic link or no directory" "$dir/file" rm "$dir/file"
ln -s "$dir/real" "$dir/link"
heals "cache directory that is a link" "$dir/link is a symbolic link or no directory" "$dir/link" rm "$dir/link"

# ---- a cached song that was damaged behind our back: told as what it is, and the queue goes on
config
printf '?play keptAAAAAAA\n?play %s\n' $good | run
file=$(find "$dir/cache/opus" -name keptAAAAAAA.opus)
dd if=/dev/zero of="$file" bs=1 seek=20000 count=4000 conv=notrunc 2>/dev/null
printf '?play keptAAAAAAA\n?play %s\n' $good | run
told 'Loud Enough broke off.' && told 'The file of Loud Enough was damaged. Ask for it again and it is fetched anew.' &&
  logged 'youtube:keptAAAAAAA: wrong checksum of the page' && plays
ok $? "a damaged file in the cache"
rm "$file"
echo '?play keptAAAAAAA' | run
told 'Playing: Loud Enough' && logged 'fetch: publish youtube:keptAAAAAAA' && ! told 'broke off' && settled
ok $? "and it is fetched anew when it was taken away"

# ---- a full disk.  What is cached plays on and is not thrown away in vain.
full='There is no room left on the disk for another song.'
disk_tests=("a full disk" "a disk that fills while a song is downloaded" "a disk that fills while a song is encoded")
fill () { # KIB-LEFT
  dd if=/dev/zero of="$dir/disk/fill" bs=64K 2>/dev/null
  truncate -s -"$1"K "$dir/disk/fill"
}
cached () { [ -n "$(find "$dir/disk/cache/opus" -name "$good.opus")" ]; }
mkdir "$dir/disk"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=24m,mode=700 encore-test "$dir/disk" 2>/dev/null; then
  config "cache_dir=$dir/disk/cache" prefetch=0
  echo "?play $good" | run
  fill 1024
  echo '?play tuneAAAAAAA' | run
  told "Cannot play tuneAAAAAAA: $full" && cached && echo "?play $good" | run && plays && rm "$dir/disk/fill" && settled "$dir/disk/cache"
  ok $? "${disk_tests[0]}"

  faults '{"media/tuneAAAAAAA/251": {"rate": 60000}}'
  part () { [ -n "$(find "$dir/disk/cache/partial" "$dir/disk/cache/tmp" -type f -size +8k 2>/dev/null)" ]; }
  start
  say '?play tuneAAAAAAA'
  await part && fill 0 && await told ": $full" && say "?play $good" && await plays
  status=$?
  quit
  rm "$dir/disk/fill"
  [ $status = 0 ] && logged 'No space left on device' && cached; ok $? "${disk_tests[1]}"
  # its row could not be taken away while what was heard of it filled the disk
  echo "?play $good" | run
  plays && settled "$dir/disk/cache"; ok $? "and the next bot tidies up"
  no_faults

  fill 230
  config "cache_dir=$dir/disk/cache" prefetch=0 max_bytes=170KiB early=no
  printf '?play tuneAAAAAAA\n?play %s\n' $good | run
  rm "$dir/disk/fill"
  told "Cannot play The Test Tune: $full" && logged 'cannot write the Opus file: No space left on device' && plays && cached &&
    settled "$dir/disk/cache"
  ok $? "${disk_tests[2]}"
else
  for name in "${disk_tests[@]}"; do skip "no file system can be mounted" "$name"; done
fi

finish
