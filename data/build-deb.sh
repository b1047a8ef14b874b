#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds Debian packages, from a checkout or an unpacked tarball, with nothing left in it:
#   data/build-deb.sh [DIR]        DIR (default: build/deb): where they go
# Installs what that needs from Debian first, as tests/prepare.sh does; then `apt install DIR/encore_*.deb`.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "${1:-build/deb}"
out=$(cd "${1:-build/deb}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# what git has, changed or not; else all but what is made
if git rev-parse --is-inside-work-tree >/dev/null 2>&1 && [ -n "$(git ls-files configure.ac)" ]; then
  git ls-files -z --cached --others --exclude-standard | while IFS= read -rd '' file; do
    [ ! -e "$file" ] || printf '%s\0' "$file"
  done
else
  find . -path './build*' -prune -o -type f -print0
fi >"$work/files"
mkdir "$work/encore"
tar -c --null -T "$work/files" | tar -x -C "$work/encore"
cp -r "$work/encore/data/debian" "$work/encore/debian"
cd "$work/encore"

mapfile -t needed < <(sed -n '/^Build-Depends:/,/^[A-Z][a-z]*-[A-Z]/p' debian/control | sed 's/^Build-Depends://; /^[A-Z]/d; s/(.*)//; s/[ ,]//g; s/^debhelper-compat$/debhelper/')
missing=()
for package in build-essential fakeroot "${needed[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing: ${missing[*]}"
  sudo=
  [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq || true
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
fi

# nothing of whoever calls us gets into the packages
unset MAKEFLAGS MAKELEVEL MFLAGS DESTDIR CFLAGS CXXFLAGS CPPFLAGS LDFLAGS CC CXX PKG_CONFIG_PATH
# of two "parallel" the first counts
export DEB_BUILD_OPTIONS="nocheck ${DEB_BUILD_OPTIONS:+$DEB_BUILD_OPTIONS }parallel=$(nproc)"
dpkg-buildpackage -us -uc -b >"$work/log" 2>&1 || { tail -n 60 "$work/log"; exit 1; }
cp "$work"/*.deb "$work"/*.changes "$work"/*.buildinfo "$out"
ls "$out"/*.deb
