# SPDX-License-Identifier: LGPL-2.1-or-later
# A real WeeChat with our plugin, a real IRC server and people on it, all on loopback and with their
# own directories.  Sourced after lib.sh; everything is ended by its process id.
need weechat-headless ngircd python3
weechat_plugins=
for place in /usr/lib/*/weechat/plugins /usr/lib/weechat/plugins; do
  [ -f "$place/irc.so" ] && weechat_plugins=$place
done
[ -n "$weechat_plugins" ] && [ -f "$weechat_plugins/fifo.so" ] && [ -f "$weechat_plugins/logger.so" ] ||
  { echo "1..0 # SKIP WeeChat's plugins irc, fifo and logger are not installed"; exit 0; }
[ -f "$top/.libs/weechat-encore.so" ] || { echo "1..0 # SKIP built without the host for WeeChat"; exit 0; }
pids=()
cleanup_weechat () {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
  cleanup
}
trap cleanup_weechat EXIT

free_port () {
  /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
answers () { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

start_ngircd () { # sets $irc_port
  irc_port=$(free_port)
  mkdir -p "$dir/irc"
  printf '[Global]\nName = irc.test\nInfo = test\nListen = 127.0.0.1\nPorts = %s\nServerUID = %s\nServerGID = %s\n[Limits]\nMaxPenaltyTime = 0\nMaxConnectionsIP = 0\nPingTimeout = 600\n[Options]\nDNS = no\nIdent = no\nPAM = no\n' \
    "$irc_port" "$(id -u nobody)" "$(id -g nobody)" >"$dir/irc/ngircd.conf"
  ngircd -n -f "$dir/irc/ngircd.conf" >"$dir/irc/log" 2>&1 &
  pids+=($!)
  await answers "$irc_port"
}

weechat_home () { # PORT [LINE-OF-encore.conf...]: makes $dir/home
  mkdir -p "$dir/home"
  screen=$dir/home/logs/core.weechat.weechatlog
  printf '[file]\nflush_delay = 0\n' >"$dir/home/logger.conf"
  local port=$1
  shift
  printf '[look]\nsave_config_on_exit = on\n[history]\nmax_buffer_lines_number = 100\n[plugin]\nautoload = "irc,fifo,logger,weechat-encore"\n' >"$dir/home/weechat.conf"
  printf '[server_default]\nanti_flood_prio_high = 0\nanti_flood_prio_low = 0\n[server]\nlocal.addresses = "127.0.0.1/%s"\nlocal.ssl = off\nlocal.ipv6 = off\nlocal.nicks = "encorebot"\nlocal.capabilities = "*"\nlocal.autoconnect = on\nlocal.autoreconnect_delay = 1\nlocal.autojoin = "#music"\n' \
    "$port" >"$dir/home/irc.conf"
  printf '%s\n' "$@" >"$dir/home/encore.conf"
}
# The plugin's section of encore.conf.
plugin_lines () { # [LINE...]
  printf '[encore]\ncache_dir = "%s"\nmin_free = "0"\nallow_private = "yes"\nytdlp = "%s"\n' "$dir/cache" "${ytdlp:-yt-dlp}"
  printf '%s\n' "$@"
}
start_weechat () { # sets $weechat; what it shows in its own buffer is in $screen
  mkdir -p "$dir/extra/plugins"
  ln -sf "$weechat_plugins"/{irc,fifo,logger}.so "$top/.libs/weechat-encore.so" "$dir/extra/plugins/"
  WEECHAT_EXTRA_LIBDIR=$dir/extra ${WEECHAT_WRAP:-} weechat-headless -d "$dir/home" </dev/null >"$dir/weechat.out" 2>&1 &
  weechat=$!
  pids+=("$weechat")
  await test -p "$dir/home/weechat_fifo_$weechat"
}
weechat () { # COMMAND
  timeout 10 sh -c 'printf "core.weechat *%s\n" "$1" >"$2"' sh "$1" "$dir/home/weechat_fifo_$weechat"
}
screen () { has "$screen" "$1"; }

# A person NAME on the channel: says NAME LINE; what he reads is in $dir/NAME.says.
person () { # NAME
  mkfifo "$dir/$1.mouth"
  /usr/bin/python3 "$abs_top_srcdir/tests/irc.py" client "$irc_port" "$1" '#music' <"$dir/$1.mouth" >"$dir/$1.says" 2>&1 &
  pids+=($!)
  eval "exec {mouth_$1}>\"\$dir/\$1.mouth\""
  await grep -qs joined "$dir/$1.says"
}
says () { # NAME LINE
  local -n mouth=mouth_$1
  local lines
  mapfile -t lines <"$dir/$1.says"
  marks[$1]=${#lines[@]}
  printf '%s\n' "$2" >&"$mouth"
}
declare -A marks
# What NAME has read since he spoke last.
since () {
  local lines
  mapfile -ts "${marks[$1]:-0}" lines <"$dir/$1.says"
  printf '%s\n' "${lines[@]}"
}
reads () { # NAME REGEX
  local lines line
  mapfile -ts "${marks[$1]:-0}" lines <"$dir/$1.says"
  for line in "${lines[@]}"; do [[ $line =~ $2 ]] && return; done
  return 1
}
asks () { # NAME LINE REGEX WHAT: a test
  says "$1" "$2"
  await reads "$1" "$3"
  local status=$?
  [ $status = 0 ] || since "$1" | sed "s/^/# $1 reads: /"
  ok $status "$4"
}
