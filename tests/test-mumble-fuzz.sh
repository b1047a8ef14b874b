#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# libFuzzer on what a Mumble server may send: no crash, no leak, no undefined behaviour, and what tests/fuzz/fuzz-mumble.c
# asserts.  FUZZ_SECONDS (30).  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
seconds=${FUZZ_SECONDS:-30}
src=$abs_top_srcdir
host=plugin/hosts/encore-bot
clang=$(command -v clang || command -v clang-14) || { echo "1..0 # SKIP clang is not installed"; exit 0; }
flags="-g -O1 -fno-sanitize-recover=all -fsanitize=address,undefined"
printf 'int LLVMFuzzerTestOneInput (const char *d, long n);\nint LLVMFuzzerTestOneInput (const char *d, long n)\n{\n  return 0;\n}\n' >"$dir/none.c"
# shellcheck disable=SC2086
$clang $flags -fsanitize=fuzzer "$dir/none.c" -o "$dir/none" 2>/dev/null || {
  echo "1..0 # SKIP clang's fuzzer (libclang-rt-14-dev) is not installed"; exit 0; }
export ASAN_OPTIONS=abort_on_error=0 G_MESSAGES_DEBUG=
export LSAN_OPTIONS="suppressions=$src/tests/lsan.supp:print_suppressions=0"

cd "$src" || exit 1
files=("tests/fuzz/fuzz-mumble.c" "$abs_top_builddir/$host/mumble.pb-c.c")
for part in frame outbox people room room-frame speech text voice world; do
  files+=("$host/mumble-$part.c")
done
# shellcheck disable=SC2046,SC2086
$clang $flags -fsanitize=fuzzer -std=gnu11 -DHAVE_CONFIG_H -DG_LOG_DOMAIN='"encore-bot"' -I"$abs_top_builddir" \
  -I"$abs_top_builddir/$host" -I"$host" -Iplugin -Iplugin/include -Itests/fuzz "${files[@]}" -o "$dir/fuzz" \
  $(pkg-config --cflags --libs gio-2.0 libprotobuf-c) >"$dir/compile.log" 2>&1
ok $? "it compiles"
sed 's/^/# /' "$dir/compile.log"

mkdir "$dir/corpus" "$dir/found"
nice "$dir/fuzz" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 \
  -artifact_prefix="$dir/found/" "$dir/corpus" tests/fuzz/corpus/mumble >"$dir/fuzz.log" 2>&1
status=$?
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$dir/fuzz.log")
[ $status = 0 ] && [ "${runs:-0}" -gt $((10 * seconds)) ]
ok $? "${runs:-no} inputs in $seconds s"
[ $status = 0 ] || {
  tail -n 40 "$dir/fuzz.log" | sed 's/^/# /'
  for file in "$dir/found"/*; do [ -f "$file" ] && echo "# $(basename "$file"): $(base64 -w 0 "$file")"; done
}
finish
