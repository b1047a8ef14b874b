#!/bin/bash
# Installs what is missing, builds, runs all tests, prints one closing line.
set -uo pipefail
cd "$(dirname "$0")/.."
bash tests/prepare.sh build --enable-werror || exit 1

# three at a time on two cores: most of them wait much of the time, and music must not
make -j3 -C build check
status=$?
mapfile -t results < <(find build/tests -name '*.trs')
count () { cat "${results[@]}" /dev/null | grep -c "^:test-result: $1"; }
failed=$(($(count FAIL) + $(count ERROR) + $(count XPASS)))
if [ $failed -gt 0 ]; then
  for trs in $(grep -lE '^:test-result: (FAIL|ERROR|XPASS)' "${results[@]}"); do
    echo "---- ${trs%.trs}.log"
    tail -60 "${trs%.trs}.log"
  done
elif [ $status -ne 0 ]; then
  failed=1
fi
# which took long: from the birth of a test's log to its last line, where the file system knows it
find build/tests -name 'test-*.log' -exec stat -c '%W %Y %n' {} + 2>/dev/null |
  awk '$1 > 0 { printf "%4d s  %s\n", $2 - $1, $3 }' | sort -rn | head -12
# once more at the end, where a reader looks first
find build/tests -name '*.log' -exec grep -hE '^(FAIL|ERROR|XPASS): ' {} + | head -n 30
echo "$(count PASS) passed, $failed failed, $(count SKIP) skipped"
[ $status -eq 0 ] && [ $failed -eq 0 ]
