#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The bench runs and prints all its rows; no time is asserted.  Prints TAP.
set -uo pipefail
bench=$abs_top_builddir/tests/bench/encore-bench
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export ENCORE_BENCH_PEERS=$dir/none
n=0
failed=0
ok () { # STATUS NAME
  n=$((n + 1))
  if [ "$1" = 0 ]; then echo "ok $n $2"; else echo "not ok $n $2"; failed=1; sed 's/^/# /' "$dir/out" "$dir/err"; fi
}
rows () { sed -n '/^figure /,/^$/p' "$1" | awk 'NR > 1 && NF { print $1 }'; }
# these need a peer of npm, which tests do not install
of_npm='hit-start-djs
rooms-1000-cpu
rooms-1000-memory
rooms-1000-threads
rooms-1000-p99
rooms-1000-late
rooms-sustained'
of_mumble='mumble-hit
mumble-cpu
mumble-cpu-72k'
with_songs='hit-start
hit-start-p99
hit-start-cold
seek
cpu-1-room
cpu-50-rooms
cpu-1-room-timer
cpu-1-room-volume
idle-wakeups
idle-cpu
memory-room-playing
memory-room-idle
miss-start
miss-start-pipe
normalise
normalise-scan
normalise-off
'"$of_mumble
$of_npm"
all="$with_songs
hits-1-thread
hits-2-threads
counts-behind
memory-loaded
memory-idle
memory-idle-pss
hit-ratio-1
hit-ratio-5
hit-ratio-10
hit-ratio-25
byte-hit-ratio-1
byte-hit-ratio-5
byte-hit-ratio-10
byte-hit-ratio-25
large-open
large-hit
large-stats
large-audit
large-hit-audit
publish
fetch-throttled
fetch-first-64k
resolve-warm"

# without ffmpeg there is neither song nor peer: told, never passed
mkdir "$dir/bin"
PATH=$dir/bin "$bench" --quick --json "$dir/json" >"$dir/out" 2>"$dir/err"
[ $? = 3 ]; ok $? "what was not run is told by the exit status"
[ "$(rows "$dir/out" | sort)" = "$(sort <<<"$all")" ]; ok $? "its rows are there"
missing=$(while read -r row; do
  grep -qE "^$row .* not run " "$dir/out" && grep -qE "^  $row .*NOT RUN: ffmpeg is not installed" "$dir/out" || echo "$row"
done <<<"$with_songs")
[ -z "$missing" ]; ok $? "each with its reason $missing"

if command -v ffmpeg >/dev/null; then
  "$bench" --quick --json "$dir/json" --svg "$dir/svg" >"$dir/out" 2>"$dir/err"
  [ $? = 3 ]; ok $? "with ffmpeg what needs no peer of npm runs"
  no_mumble=
  command -v murmurd >/dev/null || no_mumble=$of_mumble
  lacks=$of_npm${no_mumble:+$'\n'$no_mumble}
  [ "$(rows "$dir/out" | sort)" = "$(sort <<<"$all")" ] && ! grep -q 'the host' "$dir/err"
  ok $? "all rows are printed"
  [ "$(grep -i 'NOT RUN: ' "$dir/out" | awk '{ print $1 }' | sort)" = "$(sort <<<"$lacks")" ] &&
    [ "$(grep 'NOT RUN: ' "$dir/out" | grep -c 'install-peers.sh gets it from npm')" = "$(wc -l <<<"$of_npm")" ]
  ok $? "the others say what they lack"
  /usr/bin/python3 -c '
import sys, xml.etree.ElementTree as tree
text = "".join(tree.parse(sys.argv[1]).getroot().itertext())
assert "miss-start" in text and "hit-start" in text and "rooms-1000" not in text, text' "$dir/svg" 2>>"$dir/err"
  ok $? "what has a peer is drawn"
  /usr/bin/python3 -c '
import json, sys
rows = json.load(open(sys.argv[1]))["rows"]
assert sorted(r["figure"] for r in rows) == sorted(sys.argv[2].split()), "rows"
for r in rows:
    if r["figure"] in sys.argv[4].split():
        continue
    assert r["ours"]["n"] >= 1 and r["ours"]["min"] <= r["ours"]["median"] <= r["ours"]["max"], r
    lacks = r["figure"] in sys.argv[3].split()
    assert lacks or ("peer" in r) == (r["theirs"]["n"] >= 1), r
    assert lacks or r["verdict"] in ("none", "met", "missed"), r' "$dir/json" "$all" "$lacks" "$no_mumble" 2>>"$dir/err"
  ok $? "and written as JSON, each with its samples"
else
  ok 0 "with ffmpeg everything runs # SKIP ffmpeg is not installed"
fi
"$bench" --only nonsense >"$dir/out" 2>"$dir/err"
[ $? = 2 ] && grep -q "no group 'nonsense'" "$dir/err"; ok $? "an unknown group: exit status 2"
[ -z "$(ls -d "$abs_top_builddir"/tests/bench-*.tmp 2>/dev/null)" ]; ok $? "nothing is left behind"
echo "1..$n"
exit $failed
