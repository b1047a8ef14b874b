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
check () { # [-DMACRO] FILE...: all of them, two at a time
  local define=-DENCORE_CHECKED_BY_CLANG
  case $1 in -D*) define=$1; shift ;; esac
  printf '%s\0' "$@" | xargs -0 -n 1 -P 2 "$clang" -fsyntax-only -std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter \
    -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wpointer-arith -Wformat=2 -Wwrite-strings -Wundef -Wvla \
    "$define" -DHAVE_CONFIG_H -DG_LOG_DOMAIN='"Encore"' -DENCORE_MODULE_DIR='"/"' -DGLIB_VERSION_MIN_REQUIRED=GLIB_VERSION_2_72 \
    -DGLIB_VERSION_MAX_ALLOWED=GLIB_VERSION_2_72 -I"$abs_top_builddir" -I"$abs_top_builddir/plugin" -Iplugin -Iplugin/include -Itests $LIBRARY_CFLAGS \
    >"$dir/out" 2>&1
}
# without fuse3 nobody builds its file
without=tests/crash/fold-fs.c
case $LIBRARY_CFLAGS in *fuse3*) without=none ;; esac
# nor these, whose headers no package has: configure says which of them are built
strangers=(! -path plugin/hosts/eggdrop/module.c ! -path 'plugin/hosts/concord/*')
mapfile -t sources < <(find plugin tests -name '*.c' ! -path tests/crash/mutant.c ! -path $without "${strangers[@]}" | sort)
[ ${#sources[@]} -gt 40 ] && check "${sources[@]}"
ok $? "all ${#sources[@]} sources are clean"
sed 's/^/# /' "$dir/out" | head -n 40
# the crash harness builds the store once more with its steps left out
if [ -f tests/crash/mutant.c ]; then
  mapfile -t sources < <(find tests/crash/mutant.c plugin/store -name '*.c')
  check -DENCORE_MUTANTS "${sources[@]}"; ok $? "so is the store of the crash harness"
  sed 's/^/# /' "$dir/out" | head -n 40
fi
printf '#include <glib.h>\nint f (void);\nint\nf (void)\n{\n  g_autofree char *unused = g_strdup ("x");\n  return 0;\n}\n' >"$dir/wrong.c"
! check "$dir/wrong.c" && grep -q 'unused variable' "$dir/out"; ok $? "a variable that only gcc overlooks is found"

echo "1..$n"
exit $failed
