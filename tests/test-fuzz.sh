#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# libFuzzer on what reads texts and files of others: no crash, no leak, no undefined behaviour, and what
# tests/fuzz/fuzz-*.c assert.  FUZZ_SECONDS (60): for each of them, two at a time.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
seconds=${FUZZ_SECONDS:-60}
src=$abs_top_srcdir
clang=$(command -v clang || command -v clang-14) || { echo "1..0 # SKIP clang is not installed"; exit 0; }
flags="-g -O1 -fno-sanitize-recover=all -fsanitize=address,undefined"
printf '#include <stdint.h>\n#include <stdlib.h>\nint LLVMFuzzerTestOneInput (const uint8_t *d, size_t n);
int LLVMFuzzerTestOneInput (const uint8_t *d, size_t n)\n{\n  char *p = malloc (n + 1);\n  p[0] = 0;\n
  if (n > 2 && d[0] == 98)\n    return d[n + 1];\n  if (n < 2 || d[0] != 108)\n    free (p);\n  return 0;\n}\n' >"$dir/plant.c"
# shellcheck disable=SC2086
$clang $flags -fsanitize=fuzzer "$dir/plant.c" -o "$dir/plant" 2>/dev/null || {
  echo "1..0 # SKIP clang's fuzzer (libclang-rt-14-dev) is not installed"; exit 0; }
export ASAN_OPTIONS=abort_on_error=0 G_MESSAGES_DEBUG=
# the slow unwinder of env.sh would take nine tenths of the time
export LSAN_OPTIONS="suppressions=$src/tests/lsan.supp:print_suppressions=0"

compile () { # FILE: into DIR/FILE.o
  # shellcheck disable=SC2086
  $clang -c $flags -fsanitize=fuzzer-no-link -std=gnu11 -DHAVE_CONFIG_H -DG_LOG_DOMAIN='"Encore"' \
    -DENCORE_MODULE_DIR='"/"' -I"$abs_top_builddir" -I"$abs_top_builddir/plugin" -I"$src/plugin" -I"$src/plugin/include" -I"$src/tests/fuzz" \
    $LIBRARY_CFLAGS "$src/$1" -o "$dir/$(basename "$1").o" || echo "$1" >>"$dir/uncompiled"
}
library=(plugin/base/*.c)
for part in address child download http media partial sandbox worker ytdlp ytdlp-answer; do
  library+=("plugin/fetch/encore-$part.c")
done
library+=(plugin/sound/encore-announced.c plugin/sound/encore-whole.c)
fuzzers=(id line option tag)
cd "$src" || exit 1
objects=()
for file in ${library[*]} $(printf 'tests/fuzz/fuzz-%s.c ' "${fuzzers[@]}"); do
  [ "$(jobs -rp | wc -l)" -lt 2 ] || wait -n
  compile "$file" &
  case $file in plugin/*) objects+=("$dir/$(basename "$file").o") ;; esac
done
wait
for name in "${fuzzers[@]}"; do
  # shellcheck disable=SC2046,SC2086
  $clang $flags -fsanitize=fuzzer "$dir/fuzz-$name.c.o" "${objects[@]}" -o "$dir/fuzz-$name" \
    $(pkg-config --libs gio-unix-2.0 json-glib-1.0 libcurl ogg) -lm || echo "fuzz-$name" >>"$dir/uncompiled"
done
[ ! -e "$dir/uncompiled" ]; ok $? "all of it compiles"

! "$dir/plant" -artifact_prefix="$dir/" -runs=100000 -max_len=8 >"$dir/plant.log" 2>&1 && grep -q 'AddressSanitizer' "$dir/plant.log"
ok $? "a fault that was planted is found"
echo l12 >"$dir/leak"
! "$dir/plant" -artifact_prefix="$dir/" "$dir/leak" >"$dir/leak.log" 2>&1 && grep -q LeakSanitizer "$dir/leak.log"
ok $? "so is a leak"

fuzz () { # NAME
  mkdir "$dir/corpus-$1" "$dir/found-$1"
  # the tests beside it come first
  nice "$dir/fuzz-$1" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 \
    -artifact_prefix="$dir/found-$1/" "$dir/corpus-$1" "$src/tests/fuzz/corpus/$1" >"$dir/fuzz-$1.log" 2>&1
  echo $? >"$dir/fuzz-$1.rc"
}
for pair in "id line" "option tag"; do
  for name in $pair; do fuzz "$name" & done
  wait
done
for name in "${fuzzers[@]}"; do
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$dir/fuzz-$name.log")
  [ "$(cat "$dir/fuzz-$name.rc")" = 0 ] && [ "${runs:-0}" -gt $((10 * seconds)) ]
  ok $? "$name: ${runs:-no} inputs in $seconds s"
  [ "$(cat "$dir/fuzz-$name.rc")" = 0 ] || {
    tail -n 40 "$dir/fuzz-$name.log" | sed 's/^/# /'
    for file in "$dir/found-$name"/*; do [ -f "$file" ] && echo "# $(basename "$file"): $(base64 -w 0 "$file")"; done
  }
done
finish
