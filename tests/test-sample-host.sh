#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The sample host as a bot author meets it: built out of tree by the line in its head comment, through
# pkg-config bot-plugin alone, then run with the real module and the offline site.  Prints TAP.
set -uo pipefail
unset G_DEBUG # a warning in the log is no bug here
source=$abs_top_srcdir/plugin/hosts/sample/sample-host.c
dir=$(mktemp -d)
site=
cleanup () {
  [ -n "$site" ] && kill "$site" 2>/dev/null
  rm -rf "$dir"
}
trap cleanup EXIT
n=0
failed=0
ok () { # STATUS NAME
  n=$((n + 1))
  if [ "$1" = 0 ]; then echo "ok $n $2"; else echo "not ok $n $2"; failed=1; fi
}

# -- built by its own Makefile line
[ "$(wc -l <"$source")" -lt 100 ]; ok $? "under 100 lines"
[ "$(grep -c '^#include "' "$source")" = 1 ] && ! grep -qE '^#include <(glib|gst|gio)' "$source"
ok $? "it includes the contract and the C library"
mkdir "$dir/author"
cp "$source" "$dir/author"
sed -n 's/^ \* \(sample-host: .*\)$/\1/p' "$source" >"$dir/author/Makefile"
(cd "$dir/author" && env -u MAKEFLAGS -u MAKELEVEL make -s CC="${CC:-cc} $SANITIZERS" >"$dir/make.log" 2>&1)
[ -x "$dir/author/sample-host" ] && ! [ -s "$dir/make.log" ]; ok $? "its head comment's line builds it, without a word"
sed 's/^/# /' "$dir/make.log"
host=$dir/author/sample-host

# -- the host's side of the contract, shown by a plugin that watches it
${CC:-cc} -Wall -Werror -shared -fPIC $SANITIZERS $(pkg-config --cflags bot-plugin) -o "$dir/sample-plugin.so" \
  "$abs_top_srcdir/tests/sample-plugin.c" -pthread
printf '?posts\nhello ?echo\n?echo   two  words  \n?ech\n?' | "$host" "$dir/sample-plugin.so" key=value k=x >"$dir/plugin.out" 2>"$dir/plugin.log"
ok $? "a second plugin runs in it, too"
grep -q '^200 ran, 0 out of order, 0 off main$' "$dir/plugin.out"; ok $? "posts run on [main], once, in order"
! grep -q 'after stop' "$dir/plugin.out" && grep -q 'sample-plugin: 1 dropped' "$dir/plugin.log"
ok $? "posts that come too late are dropped"
[ "$(grep -c '^<' "$dir/plugin.out")" = 1 ] && grep -q '^<echo> <two  words> key 5 <value> <val> unset -2$' "$dir/plugin.out"
ok $? "commands are copied, arguments trimmed, values cut like snprintf"
[ $failed = 0 ] || sed 's/^/# /' "$dir/plugin.out" "$dir/plugin.log"
"$host" /nonexistent.so </dev/null 2>"$dir/err"
[ $? = 2 ] && grep -q 'does not start' "$dir/err"; ok $? "no plugin: exit status 2, in words"

# -- the real module on the offline site
for program in yt-dlp ffmpeg curl; do
  command -v $program >/dev/null && continue
  echo "ok $((n + 1)) the real module plays # SKIP $program is not installed"
  echo "1..$((n + 1))"
  exit $failed
done
bash "$abs_top_srcdir/tests/site/make-media.sh" "$abs_top_builddir/tests/media"
mkfifo "$dir/stdin" "$dir/ready"
/usr/bin/python3 "$abs_top_srcdir/tests/site/site.py" "$abs_top_builddir/tests/media" <"$dir/stdin" >"$dir/ready" &
site=$!
exec 8>"$dir/stdin"
read -r _ url <"$dir/ready"
ytdlp=$(bash "$abs_top_srcdir/tests/site/make-wrapper.sh" "$dir" "$url")
module=$(pkg-config --variable=moduledir bot-plugin)/encore.so
[ "$module" -ef "$ENCORE_MODULE" ]; ok $? "pkg-config tells where the module is"
play () { # NAME YTDLP
  echo '?play https://youtu.be/loudAAAAAAA' |
    timeout 60 "$host" "$module" cache_dir="$dir/cache" min_free=0 allow_private=yes ytdlp="$2" >"$dir/$1.out" 2>"$dir/$1.log"
}
play miss "$ytdlp"; ok $? "a play with an empty cache ends well"
grep -q '^Playing: Loud Tones' "$dir/miss.out"; ok $? "the song is told"
requests=$(curl -s "$url/stats" | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["media/loudAAAAAAA/251"]["requests"])')
[ "$requests" = 1 ]; ok $? "it was fetched once"
packets=$(sed -n 's/^\([0-9]*\) packets$/\1/p' "$dir/miss.out")
[ "${packets:-0}" -ge 300 ]; ok $? "its six seconds arrive as ${packets:-no} packets of 20 ms"
kill "$site"
site=
play hit /nonexistent; ok $? "a second play, the site gone and no yt-dlp"
grep -q 'hit youtube:loudAAAAAAA' "$dir/hit.log" && ! grep -q 'hit youtube' "$dir/miss.log"
ok $? "is a hit, the first was none"
[ "$(tail -n 1 "$dir/hit.out")" = "$packets packets" ]; ok $? "and gives the same packets"

# -- a host of the first version of the contract: its header, as it was, is kept in tests/contract-1.0
${CC:-cc} -Wall -Werror $SANITIZERS -I "$abs_top_srcdir/tests/contract-1.0" -o "$dir/old-host" "$source" -ldl &&
  grep -q '^#define BOT_ABI_MINOR 0' "$abs_top_srcdir/tests/contract-1.0/bot-plugin.h"
ok $? "a host of 1.0 is built"
new_host=$host host=$dir/old-host
play old /nonexistent && [ "$(tail -n 1 "$dir/old.out")" = "$packets packets" ]; ok $? "today's module plays in it"
host=$new_host
printf '?version\n' | timeout 60 "$host" "$module" cache_dir="$dir/cache" max_size=lots >/dev/null 2>"$dir/err"
[ $? = 2 ] && grep -q "max_size" "$dir/err"; ok $? "a wrong option is named and the plugin does not start"

[ $failed = 0 ] || sed 's/^/# /' "$dir"/*.out "$dir"/*.log
echo "1..$n"
exit $failed
