#!/bin/bash
# Installs what is missing from Debian and builds in DIR (default: build).  Used by run.sh and demo.sh.
#   tests/prepare.sh [DIR] [CONFIGURE-OPTION...]
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${1:-build}
shift || true

missing=()
while read -r package; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done < tests/packages.txt
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
# the music of the tests is downloaded by tests/site/make-media.sh, which needs the lists
if [ ${#missing[@]} -gt 0 ] || ! apt-cache show tumiki-fighters-data >/dev/null 2>&1; then
  $sudo apt-get update -qq || true
fi
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing: ${missing[*]}"
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    "${missing[@]}" >/dev/null
fi

[ -x configure ] || autoreconf -i >/dev/null 2>autoreconf.log || { cat autoreconf.log; exit 1; }
rm -f autoreconf.log
top=$PWD
mkdir -p "$dir"
cd "$dir"
[ -f Makefile ] || "$top/configure" "$@" >configure.out || { tail -20 configure.out; exit 1; }
make -j"$(nproc)" V=0
