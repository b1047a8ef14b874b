# SPDX-License-Identifier: LGPL-2.1-or-later
# File systems of one's own on a loop device; sourced after crash.sh.  For root.
image=$base/image
mount=$base/mount
loop=
clean () {
  umount "$mount" 2>/dev/null
  [ -z "$loop" ] || losetup -d "$loop"
  rm -rf "$base"
}
trap clean EXIT

# why_not FS: nothing, or the reason why there can be none
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

# make_fs FS [SIZE]: a fresh one on $loop; ext4-1k has blocks in which a full disk kills users of WAL,
# so the store does without
make_fs () {
  [ -z "$loop" ] || losetup -d "$loop"
  loop=
  rm -f "$image"
  truncate -s "${2:-400M}" "$image"
  loop=$(losetup -f --show "$image") || return 1
  mkdir -p "$mount"
  case $1 in
    ext4) mkfs.ext4 -q -F -b 4096 "$loop" ;;
    ext4-1k) mkfs.ext4 -q -F -b 1024 -m 0 "$loop" ;;
    xfs) mkfs.xfs -q -f "$loop" ;;
  esac
}
