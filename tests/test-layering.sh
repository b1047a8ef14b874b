#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Includes go one way, headers stand alone, files and functions stay short; and layering.py, which
# looks after that, finds each kind of mistake in a copy of the tree with one wrong line.  Prints TAP.
set -uo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0
failed=0
ok () { # STATUS NAME
  n=$((n + 1))
  if [ "$1" = 0 ]; then echo "ok $n $2"; else echo "not ok $n $2"; failed=1; fi
}
/usr/bin/python3 "$abs_top_srcdir/tests/layering.py" "$abs_top_srcdir" >"$dir/out" 2>&1
ok $? "the tree keeps its rules"
sed 's/^/# /' "$dir/out"

fresh () {
  chmod -R u+w "$dir/tree" 2>/dev/null
  rm -rf "$dir/tree"
  mkdir -p "$dir/tree/tests"
  cp -r "$abs_top_srcdir/plugin" "$dir/tree"
  cp "$abs_top_srcdir"/tests/*.[ch] "$dir/tree/tests"
  chmod -R u+w "$dir/tree"
}
# The file must be there, and exactly the complaint about it must come.
bites () { # NAME FILE COMPLAINT
  LIBRARY_CFLAGS= /usr/bin/python3 "$abs_top_srcdir/tests/layering.py" "$dir/tree" >"$dir/out" 2>&1
  local status=$?
  [ $status = 1 ] && [ "$(wc -l <"$dir/out")" = 1 ] && grep -q "^$2:.*$3" "$dir/out"
  local found=$?
  ok $found "finds $1"
  [ $found = 0 ] || sed 's/^/# /' "$dir/out"
}
include () { # FILE INCLUDE: the line goes behind the first include
  fresh
  sed -i "0,/^#include/s|^\(#include.*\)|\1\n#include $2|" "$dir/tree/$1"
}

fresh
LIBRARY_CFLAGS= /usr/bin/python3 "$abs_top_srcdir/tests/layering.py" "$dir/tree" >"$dir/out" 2>&1
ok $? "a copy is as good"
include plugin/base/encore-error.c '"store/encore-cache.h"'
bites "base looking into store" plugin/base/encore-error.c 'base must not include store/'
include plugin/store/encore-evict.c '"fetch/encore-fetch.h"'
bites "store looking into fetch" plugin/store/encore-evict.c 'store must not include fetch/'
include plugin/play/encore-ring.c '"fetch/encore-fetch.h"'
bites "play looking into fetch" plugin/play/encore-ring.c 'play must not include fetch/'
include plugin/fetch/encore-fetch.h '"play/encore-ring.h"'
bites "fetch looking into play" plugin/fetch/encore-fetch.h 'fetch must not include play/'
include plugin/sound/encore-peak.c '"fetch/encore-fetch.h"'
bites "sound looking into fetch" plugin/sound/encore-peak.c 'sound must not include fetch/'
include plugin/import/encore-probe.c '"fetch/encore-fetch.h"'
bites "import looking into fetch" plugin/import/encore-probe.c 'import must not include fetch/'
include plugin/fetch/encore-job.c '"import/encore-import.h"'
bites "fetch looking into import" plugin/fetch/encore-job.c 'fetch must not include import/'
include plugin/play/encore-ring.h '"bot/encore-room.h"'
bites "play looking into bot" plugin/play/encore-ring.h 'play must not include bot/'
include plugin/hosts/encore-bot/main.c '"base/encore-error.h"'
bites "a host looking behind the contract" plugin/hosts/encore-bot/main.c 'hosts must not include base/'
include plugin/tools/main.c '"play/encore-ring.h"'
bites "a tool looking into play" plugin/tools/main.c 'tools must not include play/'
include plugin/store/encore-evict.c '"../fetch/encore-fetch.h"'
bites "a way around the folders" plugin/store/encore-evict.c 'no way around'
include plugin/fetch/encore-fetch.c '<sqlite3.h>'
bites "SQLite outside store" plugin/fetch/encore-fetch.c 'must not include sqlite3.h'
include plugin/bot/encore-room.h '<gst/gst.h>'
bites "GStreamer outside play, sound and import" plugin/bot/encore-room.h 'must not include gst/'
include plugin/store/encore-cache.c '<curl/curl.h>'
bites "curl outside fetch" plugin/store/encore-cache.c 'must not include curl/'
include plugin/play/encore-ring.c '"bot-plugin.h"'
bites "the contract outside bot and hosts" plugin/play/encore-ring.c 'must not include bot-plugin.h'
fresh
printf '\nvoid f (void)\n{\n  popen ("x", "r");\n}\n' >>"$dir/tree/plugin/bot/encore-text.c"
bites "a process started outside fetch" plugin/bot/encore-text.c 'only fetch starts processes'
fresh
sed -i '/^#include "config.h"$/d' "$dir/tree/plugin/bot/encore-text.c"
bites "a file without config.h first" plugin/bot/encore-text.c 'the first include is bot/encore-text.h, not config.h'
fresh
yes '/* more */' | head -n 700 >>"$dir/tree/plugin/bot/encore-text.c"
bites "a file that is too long" plugin/bot/encore-text.c 'lines, at most 700'
fresh
{ printf '\nint\nlong_one (void)\n{\n'; yes '  f ();' | head -n 89; printf '}\n'; } >>"$dir/tree/plugin/bot/encore-text.c"
bites "a function of 91 lines" plugin/bot/encore-text.c '91 lines in one function: long_one'
fresh
{ printf '\nint\nlong_one (void)\n{\n'; yes '  f ();' | head -n 88; printf '}\n'; } >>"$dir/tree/plugin/bot/encore-text.c"
LIBRARY_CFLAGS= /usr/bin/python3 "$abs_top_srcdir/tests/layering.py" "$dir/tree" >"$dir/out"
ok $? "a function of 90 lines is none too long"
fresh
printf '\nvoid f (void)\n{\n  goto end;\nend:;\n}\n' >>"$dir/tree/plugin/bot/encore-text.c"
bites "goto" plugin/bot/encore-text.c goto
fresh
sed -i 's/^#pragma once$//' "$dir/tree/plugin/bot/encore-text.h"
bites "a header without its guard" plugin/bot/encore-text.h 'pragma once'
fresh
mkdir "$dir/tree/plugin/attic"
mv "$dir/tree/plugin/bot/encore-text.h" "$dir/tree/plugin/attic"
bites "a folder that the house has not" plugin/attic/encore-text.h 'a folder that'
# only a header that no file includes before all others is compiled, so only here
fresh
sed -i "/^#include/d" "$dir/tree/plugin/bot/encore-room.h"
/usr/bin/python3 "$abs_top_srcdir/tests/layering.py" "$dir/tree" >"$dir/out" 2>&1
[ $? = 1 ] && grep -q "^plugin/bot/encore-room.h: does not compile alone" "$dir/out"
ok $? "finds a header that does not stand alone"

# the tests that the README promises
missing=$(grep -oE '`/[a-z]+/[a-z0-9-]+`' "$abs_top_srcdir/README.md" | tr -d '\140' | while read -r name; do
  grep -qF "\"$name\"" "$abs_top_srcdir"/tests/*.c || echo "$name"
done
grep -oE '"[a-z][a-z ,;:.0-9/]{12,}"' "$abs_top_srcdir/README.md" | tr -d '"' | while read -r name; do
  grep -qF "$name" "$abs_top_srcdir"/tests/*.sh || echo "$name"
done)
[ -z "$missing" ]
ok $? "every test that the README names is there $missing"

echo "1..$n"
exit $failed
