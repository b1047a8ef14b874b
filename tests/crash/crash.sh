# SPDX-License-Identifier: LGPL-2.1-or-later
# What the scripts of the crash harness share; sourced.  Variables that make it longer:
#   CRASH_SEED CRASH_KILL_ROUNDS CRASH_ROLL_SECONDS CRASH_BOUNDARIES CRASH_POWER_ROUNDS
#   CRASH_MUTANT_ROUNDS CRASH_DAMAGES CRASH_FOLD_ROUNDS CRASH_FULL_SECONDS
programs=$abs_top_builddir/tests/crash
seed=${CRASH_SEED:-$(date +%s)}
# longest life of a process that will be killed; what is preloaded, the sanitizer's runtime first
max_ms=100
shim=$programs/.libs/libcrash-shim.so
if [ -n "${SANITIZERS:-}" ]; then
  max_ms=1000
  shim="$($CC -print-file-name=libasan.so) $shim"
fi
n=0
failed=0

# Files whose syncing costs nothing, where there are such.
if [ -d /dev/shm ] && [ -w /dev/shm ] && [ "$(stat -f -c %T /dev/shm)" = tmpfs ]; then
  base=$(mktemp -d /dev/shm/encore-crash-XXXXXX)
else
  base=$(mktemp -d)
fi
trap 'rm -rf "$base"' EXIT
echo "# seed $seed"

# ok STATUS NAME
ok () {
  n=$((n + 1))
  if [ "$1" = 0 ]; then echo "ok $n $2"; else echo "not ok $n $2"; failed=1; fi
}
# skip NAME REASON
skip () {
  n=$((n + 1))
  echo "ok $n $1 # SKIP $2"
}
# drive COMMAND [OPTION...]: crash-drive in a directory of its own, with the product's store unless
# WORKER names another.
drive () {
  rm -rf "$base/run"
  mkdir "$base/run"
  "$programs/crash-drive" --worker "${WORKER:-$programs/crash-load}" --base "$base/run" --seed "$seed" "$@"
}
finish () {
  echo "1..$n"
  exit $failed
}
