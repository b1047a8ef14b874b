#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The Debian packages: built, looked at by lintian, unpacked, and a song played by what is in them.  Takes
# minutes and installs what building packages needs: part of make check-full only.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need apt-get dpkg-deb yt-dlp ffmpeg
debs=$dir/deb root=$dir/root
mkdir "$root"
command -v lintian >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends lintian; } >/dev/null 2>&1
bash "$abs_top_srcdir/data/build-deb.sh" "$debs" >"$dir/out" 2>&1
ok $? "dpkg-buildpackage makes them"
[ "$(ls "$debs" | grep -c '\.deb$')" -ge 3 ] || ls "$debs" | sed 's/^/# /'
for package in encore weechat-encore encore-dev; do
  [ -n "$(ls "$debs/${package}_"*.deb)" ] && dpkg-deb -x "$debs/${package}_"*.deb "$root"
  ok $? "$package is there"
done
if command -v lintian >/dev/null; then
  lintian --fail-on error "$debs"/*.changes >"$dir/lintian" 2>&1
  ok $? "lintian finds no error"
  sed 's/^/# /' "$dir/lintian"
else
  skip "lintian cannot be had" "lintian finds no error"
fi
apt-get install --simulate --no-install-recommends "$debs"/*.deb >"$dir/out" 2>&1
ok $? "apt would install them"
absent=
for path in usr/bin/encore-bot usr/bin/encore-cache 'usr/lib/*/encore/encore.so' 'usr/lib/*/gstreamer-1.0/*encore*.so' \
  'usr/lib/*/weechat/plugins/weechat-encore.so' usr/include/bot-plugin.h 'usr/lib/*/pkgconfig/bot-plugin.pc' \
  lib/systemd/system/encore-bot.service lib/systemd/system/encore-bot@.service etc/encore/encore-bot.conf \
  usr/share/man/man1/encore-bot.1.gz usr/share/man/man1/encore-cache.1.gz usr/share/man/man7/encore.7.gz; do
  compgen -G "$root/$path" >/dev/null || absent+=" $path"
done
[ -z "$absent" ]; ok $? "what belongs in them is in them$absent"
[ -z "$(find "$root" -name '*.la' -o -name '*.a')" ]; ok $? "and nothing of libtool's"
mkdir "$dir/scripts" && dpkg-deb -e "$debs"/encore_*.deb "$dir/scripts"
grep -q 'try-restart.*encore-bot@\*' "$dir/scripts/postinst" && grep -q "restart.*'encore-bot.service'" "$dir/scripts/postinst"
ok $? "an upgrade starts again what runs"
grep -q "systemctl stop encore-bot.service 'encore-bot@" "$dir/scripts/prerm"; ok $? "a removal stops it"
grep -q 'private/encore' "$dir/scripts/postrm"; ok $? "a purge takes songs and certificates with it"

start_site
ENCORE_MODULE=$(compgen -G "$root/usr/lib/*/encore/encore.so")
for time in first second; do
  config "file:$dir/$time.opus" >"$dir/$time.conf"
  printf '%s\n' 'boss: ?play tuneAAAAAAA' |
    timeout 60 "$root/usr/bin/encore-bot" --config "$dir/$time.conf" --wait-idle console >"$dir/$time.out" 2>"$dir/$time.log"
  [ $? = 0 ] && grep -q 'Playing: The Test Tune' "$dir/$time.out"; ok $? "the $time play"
done
[ "$(stat_of media/tuneAAAAAAA/251 requests)" = 1 ]; ok $? "one download"
cmp -s <(packets "$(find "$dir/cache/opus" -name tuneAAAAAAA.opus)") <(heard "$dir/second.opus")
ok $? "the second is the cached song, packet by packet"
[ $failed = 0 ] || sed 's/^/# /' "$dir/out"
finish first second
