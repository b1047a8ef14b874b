#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every file and sync call of the store's operations is a place to be killed at, or to fail.
# CRASH_BOUNDARIES=all: every scenario, and calls that fail for ever.  Prints TAP.
set -uo pipefail
[ -z "${SANITIZERS:-}" ] || { echo "1..0 # SKIP the shim would come before the runtime of the sanitizers"; exit 0; }
. "$abs_top_srcdir/tests/crash/crash.sh"
fault () {
  drive fault --shim "$programs/.libs/libcrash-shim.so" "$@"
}

for scenario in publish evict; do
  for how in kill EIO ENOSPC; do
    fault --scenario $scenario --how $how
    ok $? "$scenario: $how at every boundary"
  done
done
if [ "${CRASH_BOUNDARIES:-}" = all ]; then
  for scenario in flush recover audit create; do
    for how in kill EIO ENOSPC; do
      fault --scenario $scenario --how $how
      ok $? "$scenario: $how at every boundary"
    done
  done
  for scenario in publish evict flush recover audit create; do
    for how in EIO ENOSPC EROFS; do
      fault --scenario $scenario --how $how --forever
      ok $? "$scenario: $how for ever from every boundary on"
    done
  done
fi
finish
