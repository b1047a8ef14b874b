#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# weechat-encore.so is unloaded and loaded again while people give commands and music plays: nothing
# crashes, no thread and no descriptor is left behind.  WEECHAT_RELOADS: how often (default 100).  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
. "$abs_top_srcdir/tests/weechat-fixture.sh"
need yt-dlp ffmpeg curl
reloads=${WEECHAT_RELOADS:-100}
start_site
start_ngircd
weechat_home "$irc_port" '[chat]' 'channels = "local.#music"' 'rate_per_minute = 0' 'line_interval = 0' \
  '[who]' 'djs = "*!*@*"' '[voice]' 'url = "none"' "$(plugin_lines)"
start_weechat
person amy
asks amy '?play https://youtu.be/tuneAAAAAAA' '> Playing: The Test Tune' "music plays"
count () { find "/proc/$weechat/$1" -mindepth 1 -maxdepth 1 | wc -l; } # task, fd
memory () { awk '/^VmRSS/ { print $2 }' "/proc/$weechat/status"; }
loads () { grep -c 'Plugin "encore" loaded' "$screen"; }
reload () { # waits until it is loaded again
  local before
  before=$(loads)
  weechat '/plugin reload encore'
  loaded () { [ "$(loads)" -gt "$before" ]; }
  await loaded
}
asks_version () { says amy '?version'; await reads amy '> Encore'; }
reload && await asks_version; ok $? "after a reload it answers"
ours () { grep -h encore /proc/"$weechat"/task/*/comm; }
unload () {
  local before
  before=$(grep -c 'Plugin "encore" unloaded' "$screen")
  weechat '/plugin unload encore'
  unloaded () { [ "$(grep -c 'Plugin "encore" unloaded' "$screen")" -gt "$before" ]; }
  await unloaded
}
unload
fds=$(count fd)
tasks=$(count task) # GLib keeps a few of its own for the next one
weechat "/plugin load $top/.libs/weechat-encore.so"
await asks_version; ok $? "unloaded and loaded by hand it answers"
/usr/bin/python3 "$abs_top_srcdir/tests/irc.py" load "$irc_port" bill '#music' 300 \
  '?play tuneAAAAAAA' '?queue' '?np' '?cache' '?skip' '?play loudAAAAAAA' '?history' '?cache info tuneAAAAAAA' '?stop' >/dev/null 2>&1 &
load=$!
pids+=("$load")
for i in $(seq "$reloads"); do
  reload || break
  [ "$i" = 10 ] && kib=$(memory)
done
kill "$load" 2>/dev/null
[ "$(loads)" -gt "$reloads" ]; ok $? "$reloads reloads under about 90 commands a second"
await asks_version; ok $? "after them it answers"
echo "# memory $kib -> $(memory) KiB after 10 -> $reloads reloads"
[ "$(memory)" -lt $((kib + 5120)) ]; ok $? "and has grown by less than 5 MiB"
unload
[ -z "$(ours)" ]; ok $? "unloaded, it leaves no thread"
few () { [ "$(count fd)" -le "$fds" ] && [ "$(count task)" -le $((tasks + 2)) ]; }
await few; ok $? "and no descriptor"
echo "# descriptors $fds -> $(count fd), threads of GLib $tasks -> $(count task)"
weechat "/plugin load $top/.libs/weechat-encore.so"
await asks_version; ok $? "and it can be loaded again"
kill "$weechat"; wait "$weechat"; ok $? "SIGTERM ends WeeChat with status 0"
! grep -qi crash "$dir/weechat.out" "$screen"; ok $? "nothing crashed"
finish
