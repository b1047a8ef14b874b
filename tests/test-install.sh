#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# make install into an empty directory: everything is there, pkg-config finds it, a program built
# against it starts the installed module; make uninstall leaves no file.  Prints TAP.
set -uo pipefail
unset G_DEBUG MAKEFLAGS MAKELEVEL MFLAGS
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0
failed=0
ok () { # STATUS NAME
  n=$((n + 1))
  if [ "$1" = 0 ]; then echo "ok $n $2"; else echo "not ok $n $2"; failed=1; fi
}
run_make () { # TARGET: output is shown only if it fails
  make -C "$abs_top_builddir" "$1" DESTDIR="$dir/root" >"$dir/log" 2>&1 || { sed 's/^/# /' "$dir/log" | tail -n 30; return 1; }
}
# where a directory variable of the Makefile points
place () {
  printf 'include Makefile\nencore-print:\n\t@echo "%s"\n' "\$($1)" | make -s -C "$abs_top_builddir" -f - encore-print 2>/dev/null
}
prefix=$(place prefix)
pkglib=$(place pkglibdir)
gst=$(place gstplugindir)
root=$dir/root

run_make install; ok $? "make install DESTDIR"
there () { # FILE...
  local file status=0
  for file; do
    [ -f "$root$file" ] || { echo "# $file is missing"; status=1; }
  done
  return $status
}
there "$pkglib/encore.so"; ok $? "the module"
if [ -f "$abs_top_builddir/.libs/weechat-encore.so" ]; then
  there "$(place weechatplugindir)/weechat-encore.so"; ok $? "the plugin for WeeChat"
fi
[ -z "$(find "$root" -name '*.la' -o -name '*.a')" ]; ok $? "without what only libtool wants"
there "$(place includedir)/bot-plugin.h"; ok $? "the contract"
there "$(place bindir)/encore-bot" "$(place bindir)/encore-cache"; ok $? "the programs"
[ ! -e "$root$(place bindir)/sample-host" ]; ok $? "the sample is not one of them"
there "$(place man1dir)/encore-bot.1" "$(place man1dir)/encore-cache.1" "$(place man3dir)/bot-plugin.3" "$(place man7dir)/encore.7" "$(place man7dir)/weechat-encore.7"; ok $? "the manuals"
there "$(place docdir)/README.md" "$(place docdir)/encore.conf.example" "$(place docdir)/encore-bot.conf.example" "$(place docdir)/weechat-encore.conf.example"; ok $? "README and the example configurations"
there "$(place pkgconfigdir)/bot-plugin.pc"; ok $? "bot-plugin.pc"
[ "$(find "$root" -name '*uninstalled*' | wc -l)" = 0 ]; ok $? "its uninstalled kin stays at home"
# (the prefix may lie below the build, as make distcheck has it)
! grep -rF --include='*.pc' --include='*.conf*' --include='*.[137]' -e "$root" -e "$abs_top_builddir" -e "$abs_top_srcdir" "$root" | grep -vF "$prefix" | sed 's/^/# /' | grep .
ok $? "no path of the build in them"

# dh_missing in miniature: what is installed below the prefix is in a package
in_packages () {
  local file name pattern status=0
  while read -r file; do
    name=usr/${file#"$root$prefix/"}
    while read -r pattern _; do
      pattern=${pattern/lib\/\*\//lib/} # Debian has a directory for the machine in between
      case $name in $pattern | $pattern/*) continue 2 ;; esac
    done < <(cat "$abs_top_srcdir"/data/debian/*.install)
    echo "# $name is in no package"
    status=1
  done < <(find "$root$prefix" ! -type d ! -path '*/systemd/*')
  return $status
}
in_packages; ok $? "each file is in a Debian package"

# GStreamer finds the very same object
if grep -q libgstencore "$abs_top_srcdir/Makefile.am"; then
  link=$root$gst/libgstencore.so
  [ -L "$link" ]; ok $? "the GStreamer plugin is a link"
  # the target is a path of the installed system, absolute or not
  target=$(readlink "$link")
  case $target in /*) target=$root$target ;; *) target=$root$gst/$target ;; esac
  [ "$target" -ef "$root$pkglib/encore.so" ]; ok $? "to the module"
fi

# -- a bot author's build against it.  The installed .pc alone is on the path.
unset PKG_CONFIG_PATH
export PKG_CONFIG_LIBDIR=$root$(place pkgconfigdir)
[ "$(pkg-config --variable=moduledir bot-plugin)" = "$pkglib" ]; ok $? "its moduledir is where the module goes"
module=$(pkg-config --define-variable=prefix="$root$prefix" --variable=moduledir bot-plugin)/encore.so
[ "$module" -ef "$root$pkglib/encore.so" ]; ok $? "and moves with the prefix"
cp "$abs_top_srcdir/plugin/hosts/sample/sample-host.c" "$dir/my-bot.c"
# shellcheck disable=SC2046,SC2086 # options
${CC:-cc} $SANITIZERS $(pkg-config --define-variable=prefix="$root$prefix" --cflags bot-plugin) -M "$dir/my-bot.c" >"$dir/depends" 2>"$dir/log" &&
  grep -qF "$root$(place includedir)/bot-plugin.h" "$dir/depends" &&
  ${CC:-cc} $SANITIZERS $(PKG_CONFIG_SYSROOT_DIR="$root" pkg-config --cflags bot-plugin) -o "$dir/my-bot" "$dir/my-bot.c" -ldl 2>"$dir/log"
ok $? "the installed header builds a host, with a prefix and with a sysroot"
sed 's/^/# /' "$dir/log" | head -n 20
# GStreamer must not find the module of the build as well, which it does when it looks for plugins anew
echo '?version' | env -u GST_PLUGIN_PATH_1_0 GST_REGISTRY_1_0="$dir/registry.bin" timeout 60 "$dir/my-bot" "$module" cache_dir="$dir/cache" >"$dir/out" 2>"$dir/log"
[ $? = 0 ] && grep -q '^Encore [0-9]' "$dir/out"; ok $? "which starts the installed module"
[ $failed = 0 ] || sed 's/^/# /' "$dir/out" "$dir/log"
# -- and a plugin author's: the template, by its own Makefile
cp -r "$abs_top_srcdir/plugin/hosts/template" "$dir/template" && chmod -R u+w "$dir/template"
PKG_CONFIG_SYSROOT_DIR="$root" make -s -C "$dir/template" CC="${CC:-cc}" CFLAGS="-Wall -Wextra -Werror $SANITIZERS" LDFLAGS="${SANITIZERS:+-Wl,-z,nodefs}" >"$dir/template.log" 2>&1 &&
  [ ! -s "$dir/template.log" ]
ok $? "the template's Makefile builds a plugin, without a word"
sed 's/^/# /' "$dir/template.log" | head -n 20
[ "$(nm -D --defined-only "$dir/template/template.so" | awk '$2 ~ /[A-Z]/ { print $3 }' | grep -vE '^__(asan|ubsan|odr)')" = bot_plugin_entry ]
ok $? "with one symbol"
printf '?timer\n?timer 61\n?timer 1x\n?timer 1\n' | timeout 30 "$dir/my-bot" "$dir/template/template.so" max=60 >"$dir/out" 2>"$dir/log" &&
  printf '%s\n' 'Give the seconds, from 1 to 60.' 'Give the seconds, from 1 to 60.' 'Give the seconds, from 1 to 60.' 'Timer set: 1 s.' 'Time is up.' '0 packets' | cmp -s - "$dir/out"
ok $? "in the sample it answers, refuses in words, and tells from its thread; the host waits while it is busy"
[ $failed = 0 ] || sed 's/^/# /' "$dir/out" "$dir/log"
timeout 30 "$dir/my-bot" "$dir/template/template.so" max=never </dev/null >/dev/null 2>"$dir/log"
[ $? = 2 ] && grep -q 'max: must be seconds' "$dir/log"; ok $? "a wrong option is named and it does not start"
printf '[bot]\nplugin=%s\n[template]\nmax=60\n' "$dir/template/template.so" >"$dir/template.conf"
# without --wait-idle the bot leaves while a timer of a minute runs: stop() has to end it
printf '?timer 60\n' | timeout -k 5 20 "$root$(place bindir)/encore-bot" --config "$dir/template.conf" console >"$dir/out" 2>"$dir/log" &&
  grep -q '^\[console\] Timer set: 60 s\.$' "$dir/out" && ! grep -q 'Time is up' "$dir/out" &&
  grep -q 'Template: stopped, timers cut off: 1$' "$dir/log"
ok $? "in encore-bot it is stopped while a timer runs"
[ $failed = 0 ] || sed 's/^/# /' "$dir/out" "$dir/log"
"$root$(place bindir)/encore-cache" id <<<'https://youtu.be/dQw4w9WgXcQ' | grep -qx 'youtube:dQw4w9WgXcQ'
ok $? "the installed encore-cache runs"
printf '[bot]\nplugin=%s\n[encore]\ncache_dir=%s\n' "$module" "$dir/cache" >"$dir/bot.conf"
echo '?version' | timeout 60 "$root$(place bindir)/encore-bot" --config "$dir/bot.conf" --wait-idle console >"$dir/out" 2>"$dir/log" &&
  grep -q '^\[console\] Encore [0-9]' "$dir/out"
ok $? "the installed encore-bot runs"
[ $failed = 0 ] || sed 's/^/# /' "$dir/out" "$dir/log"
if command -v man >/dev/null; then
  for page in "$(place man7dir)/encore.7" "$(place man7dir)/weechat-encore.7" "$(place man3dir)/bot-plugin.3"; do
    LC_ALL=C.UTF-8 man --warnings -l "$root$page" 2>&1 >/dev/null
  done | sed 's/^/# /' | tee "$dir/man"
  [ ! -s "$dir/man" ]; ok $? "the manuals are set without a warning"
fi

run_make install; ok $? "make install over it"
run_make uninstall; ok $? "make uninstall"
find "$root" ! -type d >"$dir/left"
[ ! -s "$dir/left" ]; ok $? "leaves no file"
sed "s|^$root|# |" "$dir/left"

echo "1..$n"
exit $failed
