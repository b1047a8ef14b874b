#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# bot-plugin(3) tells what bot-plugin.h has, and its example is a plugin: compiled as C and as C++ and
# run in the sample host.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
header=$abs_top_srcdir/plugin/include/bot-plugin.h
manual=$abs_top_srcdir/data/bot-plugin.3
compare () { # HEADER MANUAL
  /usr/bin/python3 "$abs_top_srcdir/tests/contract-manual.py" "$1" "$2" >"$dir/out" 2>&1
}
compare "$header" "$manual"; ok $? "manual and header tell the same"
sed 's/^/# /' "$dir/out"

bites () { # FILE SED-SCRIPT COMPLAINT NAME
  cp "$header" "$dir/header"
  cp "$manual" "$dir/manual"
  sed -i "$2" "$dir/$1"
  ! cmp -s "$dir/$1" "${!1}" && ! compare "$dir/header" "$dir/manual" && grep -q "$3" "$dir/out"
  local found=$?
  ok $found "finds $4"
  [ $found = 0 ] || sed 's/^/# /' "$dir/out"
}
bites header 's|^  bot_id voice_room;|  bot_id floor;\n&|' 'bot_call: not in the manual: bot_id floor' "a member without a line"
bites header 's|^  uint32_t queue_us;|  uint64_t queue_us;|' 'not in the manual: uint64_t queue_us' "another type"
bites header 's|/\* \[any\] Idempotent|/* [main] Idempotent|' 'bot_host_voice: not in the manual' "another thread"
bites header 's|^#define BOT_EAGAIN (-3)|#define BOT_EAGAIN (-9)|' 'BOT_EAGAIN: header' "another value"
bites header 's|^#define BOT_VOICE_LAST.*|&\n#define BOT_VOICE_FIRST 2u|' 'BOT_VOICE_FIRST: ' "a flag without a line"
bites header 's|^typedef int32_t bot_result;|&\ntypedef int32_t bot_level;|' 'bot_level: ' "a type without a line"
bites header 's|BOT_LOG_INFO,|& BOT_LOG_NOTICE,|' 'BOT_LOG_NOTICE: ' "a level without a line"
bites manual '/^\.B uint32_t queue_us/s/queue_us/queue_ms/' 'not in the header: uint32_t queue_ms' "a line without a member"
bites manual '/^\.B uint32_t max_bytes/{s/max_bytes/max_bps/;n;n;n;s/max_bps/max_bytes/}' 'bot_voice_spec: another order' "members in another order"

if command -v groff >/dev/null; then
  groff -man -Tutf8 -ww "$manual" 2>&1 >/dev/null | sed 's/^/# /' >"$dir/groff"
  [ ! -s "$dir/groff" ]; ok $? "groff sets it without a warning"
  cat "$dir/groff"
else
  skip "groff is not installed" "groff sets it without a warning"
fi

awk '/^\.SH EXAMPLES/ { found = 1 } found && /^\.RE/ { exit } found && on { print } found && /^\.RS/ { on = 1 }' "$manual" |
  sed 's/\\-/-/g' >"$dir/hello.c"
cp "$dir/hello.c" "$dir/hello.cc"
${CC:-cc} -Wall -Werror ${SANITIZERS:-} $(pkg-config --cflags bot-plugin) -o "$dir/host" \
  "$abs_top_srcdir/plugin/hosts/sample/sample-host.c" -ldl
ok $? "the sample host is built"
example () { # COMPILER STANDARD SUFFIX
  local name="the example, by $1 as $2, answers"
  command -v "${1%% *}" >/dev/null || { skip "$1 is not installed" "$name"; return; }
  # shellcheck disable=SC2046,SC2086 # options
  $1 -std=$2 -Wall -Wextra -Wpedantic -Werror -shared -fPIC -fvisibility=hidden ${SANITIZERS:-} $(pkg-config --cflags bot-plugin) \
    -o "$dir/hello.so" "$dir/hello.$3" 2>"$dir/log" &&
    [ "$(echo '?hello' | timeout 20 "$dir/host" "$dir/hello.so" 2>>"$dir/log" | head -n 1)" = Hello. ]
  ok $? "$name"
  sed 's/^/# /' "$dir/log"
}
example "${CC:-cc}" c11 c
example "${CXX:-c++}" c++17 cc
if [ -z "$SANITIZERS" ]; then # one compiler's sanitizer does not run in the other's program
  example clang c11 c
  example clang++ c++17 cc
fi
finish
