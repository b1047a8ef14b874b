#!/bin/sh
# The environment in which uninstalled programs and tests run; used by make check and by people:
#   tests/env.sh gst-inspect-1.0 encoretrack
# ENCORE_TEST_TIMEOUT: seconds a test may take.  WRAP: a program to run the test under.
top=${abs_top_builddir:-$(cd "$(dirname "$0")/.." && pwd)}
src=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
export abs_top_builddir="$top" abs_top_srcdir="$src"
export ENCORE_MODULE="$top/.libs/encore.so"
export PKG_CONFIG_PATH="$top/data${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
export GST_PLUGIN_PATH_1_0="$top/.libs" GST_REGISTRY_1_0="$top/tests/registry.bin"
# The scanner process would load our module without the sanitizer's runtime and blacklist it.
export GST_REGISTRY_FORK=no
export LSAN_OPTIONS="suppressions=$src/tests/lsan.supp:print_suppressions=0:fast_unwind_on_malloc=0"
export LC_ALL=C.UTF-8
# Debian's own interpreter: yt-dlp's module belongs to it.
export PYTHON=/usr/bin/python3
case $1 in *.sh) set -- bash "$@" ;; esac
exec timeout -k 5 "${ENCORE_TEST_TIMEOUT:-600}" $WRAP "$@"
