#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every file and sync call of the store's operations is a place to be killed at, or to fail.
# CRASH_BOUNDARIES=all: every scenario, and calls that fail for ever.  Prints TAP.
set -uo pipefail
. "$abs_top_srcdir/tests/crash/crash.sh"
# with a sanitizer each run takes half a second: a sample
step=1
[ -z "${SANITIZERS:-}" ] || step=13
fault () {
  drive fault --shim "$shim" --step $step "$@"
}
# which N: what --step of the short form tries.  Sets $each and $which, its name.
which () {
  each=$((step * $1))
  [ "${CRASH_BOUNDARIES:-}" != all ] || each=$step
  case $each in 1) which=every ;; 3) which='each 3rd' ;; *) which="each ${each}th" ;; esac
}

# import HOW [OPTION...]: encore-cache takes in two songs of another bot's, one to be kept as it is, one
# to be encoded again
song () {
  ffmpeg -v error -f lavfi -i "aevalsrc=0.3*sin(2*PI*$2*t)+0.02*random(0):s=48000:d=2" -c:a "$3" "$old/$1" </dev/null
}
import () {
  local how=$1
  shift
  fault --scenario import --how "$how" --tool "$abs_top_builddir/encore-cache" --import "$old" "$@" 2>/dev/null
}
old=$base/old
mkdir "$old"
why_no_import=
command -v ffmpeg >/dev/null && song one_dQw4w9WgXcQ.webm 300 libopus && song two_jNQXAC9IVRw.ogg 500 libvorbis ||
  why_no_import="no ffmpeg with opus and vorbis"

for scenario in publish evict; do
  for how in kill EIO ENOSPC; do
    fault --scenario $scenario --how $how
    ok $? "$scenario: $how at every boundary"
  done
done
which 15
for how in kill EIO ENOSPC; do
  name="import by encore-cache: $how at $which boundary"
  if [ -n "$why_no_import" ]; then
    skip "$name" "$why_no_import"
    continue
  fi
  import $how --step "$each"
  ok $? "$name"
done
# a read that fails proves nothing: no song is lost for it
which 7
for scenario in rebuild audit; do
  fault --scenario $scenario --how EIO --reads --step "$each"
  ok $? "$scenario: EIO at $which read"
done
# a commit that failed may still turn up in the log: killed a few calls after the failure
which 3
fault --scenario publish --how EIO --then 3 --step "$each"
ok $? "publish: EIO at $which boundary, killed three calls later"
if [ "${CRASH_BOUNDARIES:-}" = all ]; then
  for scenario in publish evict flush recover migrate; do
    fault --scenario $scenario --how EIO --reads
    ok $? "$scenario: EIO at every read"
  done
  for scenario in rebuild audit recover; do
    fault --scenario $scenario --how EIO --reads --forever
    ok $? "$scenario: EIO for ever from every read on"
  done
  for scenario in flush recover audit create migrate rebuild; do
    for how in kill EIO ENOSPC; do
      fault --scenario $scenario --how $how
      ok $? "$scenario: $how at every boundary"
    done
  done
  for then in 1 2 4 8; do
    fault --scenario publish --how EIO --then $then
    ok $? "publish: EIO at every boundary, killed $then calls later"
  done
  for scenario in publish evict flush recover audit create migrate rebuild; do
    for how in EIO ENOSPC EROFS; do
      fault --scenario $scenario --how $how --forever
      ok $? "$scenario: $how for ever from every boundary on"
    done
  done
  for how in EIO ENOSPC EROFS; do
    [ -z "$why_no_import" ] || break
    import $how --forever
    ok $? "import by encore-cache: $how for ever from every boundary on"
  done
fi
finish
