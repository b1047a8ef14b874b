#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# encore-cache by hand.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
tool=$top/encore-cache

got=$(printf 'https://youtu.be/dQw4w9WgXcR\nnever gonna\n-bcdefghijA\n\ndQw4w9WgXcQ\0x' | "$tool" id)
[ "$got" = $'youtube:dQw4w9WgXcQ\n-\nyoutube:-bcdefghijA\n-\n-' ]; ok $? "id prints the canonical id or -"
"$tool" config --example | grep -q '^#max_size = 8GiB$'; ok $? "config prints the example"
"$tool" config --example | cmp -s - "$abs_top_srcdir/data/encore.conf.example"; ok $? "data/encore.conf.example is that example"
missing=$("$tool" config | awk '{ print $1 }' | while read -r key; do grep -q "^.BR $key " "$abs_top_srcdir/data/encore.7" || echo "$key"; done)
[ -z "$missing" ]; ok $? "every option is in encore.7 $missing"
missing=$(sed -n 's/^ *{"\([a-z_]*\)", .*/\1/p' "$abs_top_srcdir/plugin/bot/encore-command.c" | while read -r name; do grep -q "^.B $name" "$abs_top_srcdir/data/encore.7" || echo "$name"; done)
[ -z "$missing" ]; ok $? "every command is in encore.7 $missing"
verbs=$("$tool" --help | sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\).*/\1/p')
missing=$(for verb in $verbs; do grep -q "^\.B[IR]* $verb\b" "$abs_top_srcdir/data/encore-cache.1" || echo "$verb"; done)
[ "$(echo "$verbs" | wc -l)" -ge 10 ] && [ -z "$missing" ]; ok $? "every verb is in encore-cache.1 $missing"
options=$("$tool" --help | sed -n '/^Application/,$s/.*--\([a-z-]*\).*/\1/p')
missing=$(for option in $options; do sed -n '/^.SH OPTIONS/,$s/\\-/-/gp' "$abs_top_srcdir/data/encore-cache.1" | grep -q -- "^\.B[IR]* \(-. \)*--$option\b" || echo "$option"; done)
[ "$(echo "$options" | wc -l)" -ge 5 ] && [ -z "$missing" ]; ok $? "every option is in encore-cache.1 $missing"
"$tool" --dir "$dir/cache" repair >"$dir/out"; ok $? "an empty cache is clean"
printf 'no music' >"$dir/cache/opus/00/stranger.txt"
mkdir "$dir/cache/tmp/dQw4w9WgXcQ.1-0"
"$tool" --dir "$dir/cache" --dry-run repair >"$dir/out"
[ $? = 1 ] && [ -f "$dir/cache/opus/00/stranger.txt" ]; ok $? "repair --dry-run only tells"
"$tool" --dir "$dir/cache" repair >"$dir/out"
ls "$dir/cache/opus/00/stranger.txt" >/dev/null 2>&1; [ $? != 0 ]; ok $? "repair removes what is nobody's"
"$tool" --dir "$dir/cache" repair >/dev/null; ok $? "and is clean afterwards"
"$tool" --dir "$dir/cache" info dQw4w9WgXcQ 2>"$dir/err"
[ $? = 1 ] && grep -q 'not in the cache' "$dir/err"; ok $? "info of a missing song: exit status 1"
ln -s "$dir/cache" "$dir/link"
"$tool" --dir "$dir/link" stats 2>"$dir/err"
[ $? -ge 2 ] && grep -q 'symbolic link' "$dir/err"; ok $? "a link is refused in words"
"$tool" --dir "$dir/cache" frobnicate 2>"$dir/err"
[ $? = 2 ] && grep -q 'no verb' "$dir/err"; ok $? "an unknown verb: exit status 2"
finish
