#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# weechat-encore(7) and the example configuration tell what the plugin has: a real WeeChat writes its options down, and
# takes the example and the lines of GETTING STARTED without a word.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
. "$abs_top_srcdir/tests/weechat-fixture.sh"
manual=$abs_top_srcdir/data/weechat-encore.7
example=$abs_top_srcdir/data/weechat-encore.conf.example
runs () { grep -qs 'Encore [0-9]' "$screen"; }
options () { # FILE: section.name = value
  awk '/^\[/ { section = substr($1, 2, length($1) - 2); next } /^[a-z]/ && section != "encore" { print section "." $0 }' "$1"
}

weechat_home 1 "$(plugin_lines)"
: >"$dir/home/irc.conf"
start_weechat
weechat '/save encore'
await screen 'Options saved to encore.conf'
kill "$weechat"
wait "$weechat"
options "$dir/home/encore.conf" >"$dir/defaults"
[ "$(wc -l <"$dir/defaults")" -ge 20 ]; ok $? "WeeChat has written our options down"
missing=$(while read -r name _ value; do
  value=${value//\"/}
  line=$(grep -F "encore.$name " "$manual" | grep default) || echo "$name is not in the manual"
  case $line in *"(default: ${value:-empty})"*) ;; *) echo "the default of $name is '$value', the manual says: $line" ;; esac
  grep -q "^$name = " < <(options "$example") || echo "$name is not in the example"
done <"$dir/defaults")
[ -z "$missing" ]; ok $? "each is in the manual, with its default, and in the example"
[ -z "$missing" ] || sed 's/^/# /' <<<"$missing"
strange=$(options "$example" | while read -r name _; do grep -q "^$name = " "$dir/defaults" || echo "$name"; done)
[ -z "$strange" ]; ok $? "the example has no other $strange"

# -- the example, as it is
rm -r "$dir/home"
weechat_home 1
: >"$dir/home/irc.conf"
{ cat "$example"; plugin_lines | tail -n +2; } >"$dir/home/encore.conf"
start_weechat
weechat '/encore version'
await runs; ok $? "with the example Encore runs"
! grep -E '=!=|warning|ignored|invalid' "$screen" | sed 's/^/# /' | grep .; ok $? "and nothing in it is refused"
kill "$weechat"
wait "$weechat"
options "$dir/home/encore.conf" | sort >"$dir/kept"
options "$example" | sort | cmp -s - "$dir/kept"; ok $? "all its values were taken"

# -- getting started
rm -r "$dir/home"
weechat_home 1
: >"$dir/home/irc.conf"
: >"$dir/home/encore.conf"
sed -i 's/,weechat-encore//' "$dir/home/weechat.conf"
start_weechat
grep -q '^/encore restart' "$manual"; ok $? "the manual has a way to begin"
while read -r command; do
  case $command in '/encore restart') break ;; esac
  weechat "$command"
done < <(sed -n '/^\.nf/,/^\.fi/p' "$manual" | grep '^/' | sed 's/\\-/-/g')
weechat "/set encore.encore.cache_dir $dir/cache"
weechat '/encore restart'
weechat '/encore version'
await runs; ok $? "and Encore runs"
! grep -E '=!=' "$screen" | sed 's/^/# /' | grep .; ok $? "nothing of it is refused"
weechat '/save encore'
await grep -qs 'max_size = "20GiB"' "$dir/home/encore.conf"; ok $? "and is kept"
[ $failed = 0 ] || tail -n 30 "$screen" | sed 's/^/# /'
kill "$weechat"
wait "$weechat"
ok $? "SIGTERM ends WeeChat with status 0"
finish
