#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Gets what the bench compares Encore with from npm, into BUILD/tests/bench/peers; nothing else needs it.
# Says in one line why it could not; then these rows of the bench are "not run".
#   install-peers.sh SOURCE BUILD
set -u
from=$1/tests/bench/peers to=$2/tests/bench/peers
mkdir -p "$to" && cp "$from/djs.js" "$to" || exit 1
if cmp -s "$from/package.json" "$to/package.json" && [ -d "$to/node_modules" ]; then
  exit 0
fi
if ! command -v npm >/dev/null; then
  echo "bench: no peers of npm: npm is not installed (Debian package npm)" >&2
  exit 1
fi
rm -rf "$to/node_modules"
cp "$from/package.json" "$to/package.json.new"
if (cd "$to" && mv package.json.new package.json && npm install --no-audit --no-fund --ignore-scripts --no-save --loglevel=error) >&2; then
  exit 0
fi
rm -rf "$to/node_modules" "$to/package.json"
echo "bench: no peers of npm: npm install failed" >&2
exit 1
