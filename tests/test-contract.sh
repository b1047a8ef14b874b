#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The contract as compilers and the loader see it: bot-plugin.h alone in every C and C++ that hosts
# are written in, and exactly the promised symbols.  Prints TAP.
set -uo pipefail
header=$abs_top_srcdir/plugin/include/bot-plugin.h
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0
failed=0
ok () { # STATUS NAME
  n=$((n + 1))
  if [ "$1" = 0 ]; then echo "ok $n $2"; else echo "not ok $n $2"; failed=1; fi
}
skip () { # NAME REASON
  n=$((n + 1))
  echo "ok $n $1 # SKIP $2"
}

# -- the header
cp "$header" "$dir"
printf '#include "bot-plugin.h"\n' >"$dir/alone.c"
# what a host and a plugin do with it, in the words that C and C++ share
cat >"$dir/use.c" <<'C'
#include "bot-plugin.h"
#include "bot-plugin.h"
extern int calls (const bot_host *host, const bot_host_voice *voice, const bot_plugin *plugin);
int
calls (const bot_host *host, const bot_host_voice *voice, const bot_plugin *plugin)
{
  if (plugin->abi_major != BOT_ABI_MAJOR || !BOT_HAS (plugin, busy) || !BOT_HAS (voice, now_playing))
    return BOT_EINVAL;
  if (BOT_HAS (host, log))
    host->log (host->ctx, BOT_LOG_INFO, bot_plugin_entry.id, BOT_EXT_VOICE);
  return voice->send (host->ctx, 1, 0, BOT_VOICE_LAST, "x", 1);
}
C
cp "$dir/alone.c" "$dir/alone.cc"
cp "$dir/use.c" "$dir/use.cc"
compile () { # COMPILER STANDARD SUFFIX
  if [ -z "$1" ] || ! command -v ${1%% *} >/dev/null; then
    skip "${1:-no compiler} $2" "not installed"
    return
  fi
  local status=0 file
  for file in alone use; do
    # shellcheck disable=SC2086 # a compiler may be given with options
    $1 -std="$2" -Wall -Wextra -Wpedantic -Werror -I"$dir" -c "$dir/$file.$3" -o "$dir/$file.o" 2>"$dir/err" ||
      { status=1; sed 's/^/# /' "$dir/err"; }
  done
  ok $status "$1 takes the header as $2"
}
for std in c99 c11; do
  compile "${CC:-cc}" $std c
  compile clang $std c
done
for std in c++11 c++17; do
  compile "${CXX:-c++}" $std cc
  compile clang++ $std cc
done
# hidden padding would be a layout that the next compiler may see otherwise
${CC:-cc} -std=c99 -Wpadded -Werror -I"$dir" -c "$dir/alone.c" -o "$dir/alone.o" 2>"$dir/err"
ok $? "no hidden padding on this machine"
# the check bites
sed 's|^typedef int32_t bot_result;.*|typedef long long bot_result;; // not C99|' "$header" >"$dir/bot-plugin.h"
! ${CC:-cc} -std=c99 -Wall -Wextra -Wpedantic -Werror -I"$dir" -c "$dir/alone.c" -o "$dir/alone.o" 2>/dev/null
ok $? "a header that is not C99 is found out"

# -- the symbols.  The one list of what the module promises to export: the host's entry always, the
# two of a GStreamer plugin together or not at all.
host_symbols=bot_plugin_entry
gst_symbols='gst_plugin_encore_get_desc gst_plugin_encore_register'
nm -D --defined-only "$ENCORE_MODULE" | awk '{ print $NF }' | sort >"$dir/exported"
promised=$host_symbols
grep -q '^gst_plugin_' "$dir/exported" && promised="$promised $gst_symbols"
printf '%s\n' $promised | sort >"$dir/promised"
cmp -s "$dir/exported" "$dir/promised"
ok $? "exactly the promised symbols are exported"
[ $failed = 0 ] || diff "$dir/promised" "$dir/exported" | sed 's/^/# /'
[ "$(nm -D --defined-only "$ENCORE_MODULE" | awk '$3 == "bot_plugin_entry" { print $2 }' | grep -c '[DR]')" = 1 ]
ok $? "the entry is data: its version is read before any code runs"
readelf -dW "$ENCORE_MODULE" | grep -q 'FLAGS_1.*NODELETE'; ok $? "the module stays mapped (NODELETE)"
[ -z "$SANITIZERS" ] && { ! readelf -dW "$ENCORE_MODULE" | grep -qE 'R(UN)?PATH|TEXTREL'; ok $? "no path of the build in it"; }

echo "1..$n"
exit $failed
