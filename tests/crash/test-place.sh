#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Places that are not like others: a file system that folds case, disks that are full.  Prints TAP.
set -uo pipefail
. "$abs_top_srcdir/tests/crash/crash.sh"
. "$abs_top_srcdir/tests/crash/disk.sh"
unset G_DEBUG # the store is right to complain of a full disk and of a lost database

# -- case folded by FUSE; the songs 3 and 4, 8 and 9, ... differ in nothing but case
why_not_fold () {
  [ -x "$programs/crash-fold-fs" ] || { echo "built without fuse3"; return; }
  [ -c /dev/fuse ] && [ -w /dev/fuse ] || { echo "no /dev/fuse"; return; }
  [ "$(id -u)" = 0 ] || command -v fusermount3 >/dev/null || { echo "no fusermount3"; return; }
}
fold_up () {
  mkdir -p "$base/real" "$mount"
  "$programs/crash-fold-fs" "$base/real" "$mount" &
  fold_pid=$!
  for _ in $(seq 200); do
    mountpoint -q "$mount" && return
    kill -0 $fold_pid 2>/dev/null || return 1
    sleep 0.05
  done
  return 1
}
fold_down () {
  umount "$mount" 2>/dev/null || fusermount3 -u "$mount"
  wait $fold_pid
  rm -rf "$base/real"
}
# what was acknowledged is there under names that tell case
two_cases () {
  local names
  names=$(cd "$base/real/cache/opus" && find . -type f -printf '%f\n')
  [ "$(tr A-Z a-z <<<"$names" | sort | uniq -d | wc -l)" = 0 ] &&
    [ "$(sed 's/~.*//' <<<"$names" | tr A-Z a-z | sort | uniq -d | wc -l)" -ge "$1" ]
}
names=("songs whose ids differ in case are two songs where case is folded"
  "SIGKILL at random instants where case is folded"
  "a database lost where case is folded is made again from such names")
reason=$(why_not_fold)
if [ -n "$reason" ]; then
  for name in "${names[@]}"; do skip "$name" "$reason"; done
elif ! fold_up; then
  for name in "${names[@]}"; do skip "$name" "FUSE cannot be mounted"; done
else
  drive once --mount "$mount" --procs 2 --threads 4 --ids 40 && two_cases 7
  ok $? "${names[0]}"
  rm -rf "$mount/cache"
  drive kill --mount "$mount" --rounds "${CRASH_FOLD_ROUNDS:-10}" --max-ms $((3 * max_ms))
  ok $? "${names[1]}"
  rm "$mount"/cache/encore.db*
  "$programs/crash-drive" check --worker "$programs/crash-load" --base "$base/run" --mount "$mount" 2>/dev/null
  ok $? "${names[2]}"
  fold_down
fi

# -- a full disk; with blocks of 1 KB the index of WAL has holes that cannot be filled
for fs in ext4-1k ext4; do
  name="a full disk ($fs): nobody dies, what plays plays, and with room again it works"
  reason=$(why_not ext4)
  if [ -n "$reason" ]; then
    skip "$name" "$reason"
    continue
  fi
  make_fs $fs 48M && mount "$loop" "$mount" &&
    drive full --mount "$mount" --seconds "${CRASH_FULL_SECONDS:-4}" --procs 3 --threads 4 --ids 2000 \
      --delay 0 --budget 1000000000
  status=$?
  # the database's header: 1 an old-fashioned journal, 2 WAL
  journal=$(od -An -tu1 -j18 -N1 "$mount/cache/encore.db" | tr -d ' ')
  case $fs$journal in
    ext4-1k1 | ext42) ;;
    *) echo "# $fs has the journal $journal"; status=1 ;;
  esac
  ok $status "$name"
  umount "$mount" 2>/dev/null
done
finish
