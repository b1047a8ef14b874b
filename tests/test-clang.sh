#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The second compiler reads the whole tree and has nothing to say.  Prints TAP.
set -uo pipefail
cd "$abs_top_srcdir" || exit 1
clang=$(command -v clang || command -v clang-14) || { echo "1..0 # SKIP clang is not installed"; exit 0; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0
failed=0
ok () { # STATUS NAME
  n=$((n + 1))
  if [ "$1" = 0 ]; then echo "ok $n $2"; else echo "not ok $n $2"; failed=1; fi
}
# what configure asks both compilers for, see WARN_CFLAGS
flags=(-std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter
  -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wpointer-arith -Wformat=2 -Wwrite-strings -Wundef -Wvla
  -DHAVE_CONFIG_H -DG_LOG_DOMAIN='"Encore"' -DENCORE_MODULE_DIR='"/"' -DGLIB_VERSION_MIN_REQUIRED=GLIB_VERSION_2_72
  -DGLIB_VERSION_MAX_ALLOWED=GLIB_VERSION_2_72 -I"$abs_top_builddir" -I"$abs_top_builddir/plugin" -Iplugin -Iplugin/include -Itests)
# what nearly all of them begin with is read once
printf '#include "config.h"\n#include <gio/gio.h>\n#include <glib/gstdio.h>\n#include <gst/gst.h>\n' >"$dir/common.h"
"$clang" -x c-header "${flags[@]}" $LIBRARY_CFLAGS "$dir/common.h" -o "$dir/common.pch" || exit 1
check () { # [-DMACRO] [alone] FILE...: all of them, two at a time
  local define=-DENCORE_CHECKED_BY_CLANG before=(-include-pch "$dir/common.pch")
  case $1 in -D*) define=$1; shift ;; esac
  [ "$1" = alone ] && { before=(); shift; }
  printf '%s\0' "$@" | xargs -0 -n 8 -P 2 "$clang" "${before[@]}" -fsyntax-only "${flags[@]}" \
    "$define" $LIBRARY_CFLAGS >>"$dir/out" 2>&1
}
# without fuse3 nobody builds its file
without=tests/crash/fold-fs.c
case $LIBRARY_CFLAGS in *fuse3*) without=none ;; esac
# nor these, whose headers no package has: configure says which of them are built
strangers=(! -path plugin/hosts/eggdrop/module.c ! -path 'plugin/hosts/concord/*')
mapfile -t sources < <(find plugin tests -name '*.c' ! -path tests/crash/mutant.c ! -path $without "${strangers[@]}" | sort)
# hosts are built without our configuration
mapfile -t alone < <(grep -l '^#define _GNU_SOURCE' "${sources[@]}")
mapfile -t with < <(printf '%s\n' "${sources[@]}" | grep -vxF "$(printf '%s\n' "${alone[@]}")")
[ ${#with[@]} -gt 40 ] && check "${with[@]}" && check alone "${alone[@]}"
ok $? "all ${#sources[@]} sources are clean"
sed 's/^/# /' "$dir/out" | head -n 40
# the crash harness builds the store once more with its steps left out
if [ -f tests/crash/mutant.c ]; then
  mapfile -t sources < <(find tests/crash/mutant.c plugin/store -name '*.c')
  check -DENCORE_MUTANTS "${sources[@]}"; ok $? "so is the store of the crash harness"
  sed 's/^/# /' "$dir/out" | head -n 40
fi
printf '#include <glib.h>\nint f (void);\nint\nf (void)\n{\n  g_autofree char *unused = g_strdup ("x");\n  return 0;\n}\n' >"$dir/wrong.c"
! check "$dir/wrong.c" && ! check alone "$dir/wrong.c" && grep -q 'unused variable' "$dir/out"; ok $? "a variable that only gcc overlooks is found"

echo "1..$n"
exit $failed
