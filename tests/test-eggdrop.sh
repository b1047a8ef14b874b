#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The module in a real eggdrop in the background, on a real ngircd: commands, rights, the end.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
[ -f "$top/plugin/hosts/eggdrop/.libs/encore.so" ] ||
  { echo "1..0 # SKIP built without the module for eggdrop"; exit 0; }
need eggdrop setpriv
. "$abs_top_srcdir/tests/weechat-fixture.sh" # ngircd and people
need yt-dlp ffmpeg curl
start_site
start_ngircd
person amy
modules=$(dirname "$(dpkg -L eggdrop 2>/dev/null | grep '/irc\.so$')")
[ -f "$modules/irc.so" ] || { echo "1..0 # SKIP eggdrop's modules are not where Debian has them"; exit 0; }
egg=$dir/egg
mkdir -p "$egg/modules"
ln -s "$modules"/*.so "$egg/modules/"
rm -f "$egg/modules/encore.so"
ln -s "$top/plugin/hosts/eggdrop/.libs/encore.so" "$egg/modules/encore.so"
cat >"$egg/egg.conf" <<END
set mod-path "$egg/modules/"
set help-path "/usr/share/eggdrop/help/"
set text-path "/usr/share/eggdrop/text/"
set userfile "$egg/users"
set chanfile "$egg/chans"
set pidfile "$egg/pid"
set nick "encorebot"
set altnick "encorebot2"
set owner "boss"
set log-time 0
logfile mco * "$egg/log"
loadmodule blowfish
loadmodule channels
loadmodule server
loadmodule irc
set net-type 5
set msg-rate 0
set servers { 127.0.0.1:$irc_port }
channel add #music
channel set #music -cycle
loadmodule encore
set encore-config "$egg/encore.conf"
END
cat >"$egg/users" <<'END'
#4v: eggdrop v1.8.4 -- encorebot -- written Thu Jan  1 00:00:00 1970
boss       - hjlmnoptx           
--HOSTS *!*boss@127.0.0.1
dora       - ho                  
--HOSTS *!*dora@127.0.0.1
END
{ printf '[eggdrop]\nmodule = %s\nchannels = #mus*\nrate_per_minute = 0\nline_interval = 0\nvoice_url = none\n' "$top/.libs/encore.so"
  plugin_lines | tr -d '"'; } >"$egg/encore.conf"
chmod -R a+rwX "$dir"
as_nobody=()
[ "$(id -u)" = 0 ] && as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
(cd "$egg" && HOME=$egg exec "${as_nobody[@]}" eggdrop egg.conf) >"$dir/egg.out" 2>&1
await test -s "$egg/pid"
eggdrop=$(cat "$egg/pid")
pids+=("$eggdrop")
person boss
person dora
person carl
# what people say before eggdrop knows the channel is not heard
ready () { says carl '?version'; reads carl '^<encorebot> Encore [0-9]'; }
await ready; ok $? "a command is answered by an eggdrop that went to the background after loading us"

asks carl '?play https://youtu.be/tuneAAAAAAA' '^<encorebot> Playing: The Test Tune' "a person plays a song: other threads reach eggdrop's"
says carl '?play https://youtu.be/keptAAAAAAA'
says carl '?play https://youtu.be/loudAAAAAAA'
says carl '?frobnicate'
asks carl '?np' '^<encorebot> Playing: The Test Tune' "he asks what plays"
[ "$(grep -c frobnicate "$dir/carl.says")" = 0 ]; ok $? "another bot's command gets no answer"
asks carl '?pause' '^<encorebot> .*DJs' "a person may not hold the music"
asks dora '?pause' '^<encorebot> Paused' "an operator of eggdrop's list may"
asks dora '?cache_clear' '^<encorebot> For admins only: \?cache_clear' "but is no admin"
asks boss '?cache_clear' '^<encorebot> .*To confirm say' "an owner is"
kill -TERM "$eggdrop"
gone () { ! kill -0 "$eggdrop" 2>/dev/null; }
await gone; ok $? "SIGTERM ends it while a song plays"

echo "1..$n"
exit $failed
