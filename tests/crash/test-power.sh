#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Power is lost in the middle of the work, on ext4 and on xfs; and the steps that only this shows are
# left out and caught.  For root with loop devices.  Prints TAP.
set -uo pipefail
. "$abs_top_srcdir/tests/crash/crash.sh"
rounds=${CRASH_POWER_ROUNDS:-3}
image=$base/image
mount=$base/mount
loop=
clean () {
  umount "$mount" 2>/dev/null
  [ -z "$loop" ] || losetup -d "$loop"
  rm -rf "$base"
}
trap clean EXIT

why_not () {
  [ "$(id -u)" = 0 ] || { echo "needs root"; return; }
  command -v losetup >/dev/null || { echo "no losetup"; return; }
  command -v "mkfs.$1" >/dev/null || { echo "no mkfs.$1"; return; }
  grep -qw "$1" /proc/filesystems || modprobe "$1" 2>/dev/null || { echo "the kernel has no $1"; return; }
  truncate -s 400M "$image"
  local device
  device=$(losetup -f --show "$image" 2>&1) || { echo "no loop device: $device"; return; }
  losetup -d "$device"
}

# make_fs FS: a fresh one on $loop; ext4-1k has blocks in which a full disk kills users of WAL, so the
# store does without
make_fs () {
  [ -z "$loop" ] || losetup -d "$loop"
  loop=
  rm -f "$image"
  truncate -s 400M "$image"
  loop=$(losetup -f --show "$image") || return 1
  mkdir -p "$mount"
  case $1 in
    ext4) mkfs.ext4 -q -F -b 4096 "$loop" ;;
    ext4-1k) mkfs.ext4 -q -F -b 1024 "$loop" ;;
    xfs) mkfs.xfs -q -f "$loop" ;;
  esac
}
power () {
  local fs=$1
  shift
  make_fs "$fs" && drive power --device "$loop" --fs "${fs%-1k}" --mount "$mount" --procs 3 --max-ms 400 "$@"
  local status=$?
  umount "$mount" 2>/dev/null
  return $status
}
caught () {
  local name=$1 fs=$2
  ENCORE_MUTANT=$name WORKER=$programs/crash-load-mutant \
    power "$fs" --rounds "${CRASH_MUTANT_ROUNDS:-40}" >"$base/out" 2>/dev/null
  local status=$?
  grep -m 1 violation "$base/out"
  grep '^# power' "$base/out"
  [ $status = 1 ] && grep -q violation "$base/out"
  ok $? "without its step the store is caught on $fs: $name"
}

for fs in ext4 ext4-1k xfs; do
  name="power lost on $fs: what was acknowledged is there, rows and files agree"
  reason=$(why_not ${fs%-1k})
  if [ -n "$reason" ]; then
    skip "$name" "$reason"
    continue
  fi
  power $fs --rounds "$rounds"
  ok $? "$name"
done
reason=$(why_not ext4)
for mutant in no-fdatasync ${CRASH_MUTANTS:+no-dirsync sync-normal}; do
  if [ -n "$reason" ]; then
    skip "without its step the store is caught on ext4: $mutant" "$reason"
  else
    caught $mutant ext4
  fi
done
finish
