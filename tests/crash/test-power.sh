#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Power is lost in the middle of the work, on ext4 and on xfs; and the steps that only this shows are
# left out and caught.  For root with loop devices.  Prints TAP.
set -uo pipefail
. "$abs_top_srcdir/tests/crash/crash.sh"
. "$abs_top_srcdir/tests/crash/disk.sh"
rounds=${CRASH_POWER_ROUNDS:-10}
# power FS KIND [OPTION...]: mixed: everything is done, and power goes soon; steady: songs are published
# one after the other until the write-ahead log is written again from its beginning, so that syncing it
# no longer happens to commit the names of files as well
power () {
  local fs=$1 kind=$2
  shift 2
  case $kind in
    mixed) set -- --max-ms 400 "$@" ;;
    steady) set -- --max-ms 2000 --ids 2000 --delay 0 "$@" ;;
  esac
  make_fs "$fs" && drive power --device "$loop" --fs "${fs%-1k}" --mount "$mount" --procs 3 "$@"
  local status=$?
  umount "$mount" 2>/dev/null
  return $status
}
caught () {
  local name=$1 fs=$2
  ENCORE_MUTANT=$name WORKER=$programs/crash-load-mutant \
    power "$fs" steady --rounds "${CRASH_MUTANT_ROUNDS:-40}" >"$base/out" 2>/dev/null
  local status=$?
  grep -m 1 violation "$base/out"
  grep '^# power' "$base/out"
  [ $status = 1 ] && grep -q violation "$base/out"
  ok $? "without its step the store is caught on $fs: $name"
}

for fs in ext4 ext4-1k xfs; do
  reason=$(why_not ${fs%-1k})
  for kind in mixed steady; do
    name="power lost on $fs, $kind: what was acknowledged is there, rows and files agree"
    if [ -n "$reason" ]; then
      skip "$name" "$reason"
    else
      power $fs $kind --rounds $((rounds / 2))
      ok $? "$name"
    fi
  done
done
reason=$(why_not ext4)
for mutant in no-fdatasync no-dirsync sync-normal; do
  if [ -n "$reason" ]; then
    skip "without its step the store is caught on ext4: $mutant" "$reason"
  else
    caught $mutant ext4
  fi
done
finish
