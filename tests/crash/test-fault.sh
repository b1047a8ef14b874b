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

for scenario in publish evict; do
  for how in kill EIO ENOSPC; do
    fault --scenario $scenario --how $how
    ok $? "$scenario: $how at every boundary"
  done
done
# a commit that failed may still turn up in the log: killed a few calls after the failure
fault --scenario publish --how EIO --then 3
ok $? "publish: EIO at every boundary, killed three calls later"
if [ "${CRASH_BOUNDARIES:-}" = all ]; then
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
fi
finish
