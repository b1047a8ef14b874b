#!/bin/bash
# Installs what is missing, builds, runs all tests, prints one closing line.
set -uo pipefail
cd "$(dirname "$0")/.."
bash tests/prepare.sh build --enable-werror || exit 1

make -C build check
status=$?
count () { cat build/tests/*.trs 2>/dev/null | grep -c "^:test-result: $1"; }
failed=$(($(count FAIL) + $(count ERROR) + $(count XPASS)))
if [ $failed -gt 0 ]; then
  for trs in $(grep -lE '^:test-result: (FAIL|ERROR|XPASS)' build/tests/*.trs); do
    echo "---- ${trs%.trs}.log"
    tail -60 "${trs%.trs}.log"
  done
elif [ $status -ne 0 ]; then
  failed=1
fi
echo "$(count PASS) passed, $failed failed, $(count SKIP) skipped"
[ $status -eq 0 ] && [ $failed -eq 0 ]
