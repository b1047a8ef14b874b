#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The harness bites: with one step of the store left out it must find a violation.  What only a loss
# of power shows is in test-power.sh.  Prints TAP.
set -uo pipefail
[ -z "${SANITIZERS:-}" ] || { echo "1..0 # SKIP sanitized processes are too slow for the instants at which steps are missed"; exit 0; }
. "$abs_top_srcdir/tests/crash/crash.sh"
WORKER=$programs/crash-load-mutant

# The store's own complaints must not be what ends a process: the harness has to see it.
unset G_DEBUG

# caught NAME VIOLATION COMMAND [OPTION...]: exit status 1 and that violation; anything else is a
# broken harness
caught () {
  local name=$1 violation=$2
  shift 2
  ENCORE_MUTANT=$name drive "$@" >"$base/out" 2>/dev/null
  local status=$?
  grep -m 1 "violation: .*$violation" "$base/out" || sed 's/^/# /' "$base/out"
  [ $status = 1 ] && grep -q "violation: .*$violation" "$base/out"
  ok $? "without its step the store is caught: $name"
}

drive once --procs 2 --threads 4 --ids 20 >"$base/out"
ok $? "the build with mutants is sound when none is chosen"
caught no-intent 'has no row' fault --shim "$shim" --scenario publish --how kill
caught no-lock '[0-9]* overlaps' once --procs 4 --threads 4 --ids 100
caught no-recheck 'fetches and [0-9]* publishes of 100 songs' once --procs 4 --threads 4 --ids 100
caught no-lease '[0-9]* vanished files' roll --seconds 10 --procs 4 --threads 4 --max-ms $((3 * max_ms)) --budget 300000
finish
