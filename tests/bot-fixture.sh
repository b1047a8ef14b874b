# SPDX-License-Identifier: LGPL-2.1-or-later
# For scripts that run encore-bot where something is wrong: with lib.sh and the offline site; the answers of the
# bot that ran last are in $dir/out, its log in $dir/log.  Sourced with the programs that the test needs besides.
. "$abs_top_srcdir/tests/lib.sh"
need yt-dlp ffmpeg python3 curl "$@"
chmod 755 "$dir" # some bots run as another user
bot=''
cleanup_bot () {
  [ -n "$bot" ] && kill "$bot" 2>/dev/null
  mountpoint -q "$dir/disk" && umount "$dir/disk"
  cleanup
}
trap cleanup_bot EXIT
start_site
mkfifo "$dir/chat"
: >"$dir/out"
: >"$dir/log"
faults () { curl -s -X POST -d "$1" "$url/faults" >/dev/null; }
no_faults () { curl -s -X POST "$url/reset" >/dev/null; }
ok () { # STATUS NAME: and what the bot said, if it failed
  n=$((n + 1))
  if [ "$1" = 0 ]; then echo "ok $n $2"; return; fi
  echo "not ok $n $2"
  sed 's/^/# /' "$dir/out" "$dir/log"
  failed=1
}

config () { # [LINE-OF-[encore]...]: later lines win.  VOICE: as in encore-bot(1)
  printf '[bot]\nplugin=%s\n[console]\nvoice=%s\n[encore]\n' "$ENCORE_MODULE" "${VOICE:-null}" >"$dir/bot.conf"
  printf '%s\n' "cache_dir=$dir/cache" min_free=0 allow_private=yes "ytdlp=$ytdlp" "$@" >>"$dir/bot.conf"
}
# Chat comes from standard input; RUN_AS: a command before the bot.  Answers in DIR/out, log in DIR/log.
run () {
  ${RUN_AS:-} timeout 100 "$top/encore-bot" --config "$dir/bot.conf" --wait-idle console >"$dir/out" 2>"$dir/log"
}
# A bot that is talked to: start, say LINE, await COMMAND..., quit.
start () {
  : >"$dir/out"
  : >"$dir/log"
  ${RUN_AS:-} timeout 100 "$top/encore-bot" --config "$dir/bot.conf" --wait-idle console \
    <"$dir/chat" >"$dir/out" 2>"$dir/log" &
  bot=$!
  exec 7>"$dir/chat"
}
quit () {
  exec 7>&-
  wait "$bot"
  bot=''
}
told () { has "$dir/out" "$1"; }
logged () { has "$dir/log" "$1"; }

# Processes that have to do with DIR: children that were left behind.
strays () {
  local file
  for file in /proc/[0-9]*/cmdline; do
    tr '\0' ' ' <"$file"
    echo
  done 2>/dev/null | needle="$dir/" awk 'index($0, ENVIRON["needle"]) { n++; print "# stray: " $0 } END { exit n > 0 }'
}
settled () { # [CACHE]: nothing half-made, rows and files agree, no child is left
  local cache=${1:-$dir/cache}
  [ -z "$(ls -A "$cache/tmp")" ] && ${RUN_AS:-} "$top/encore-cache" --dir "$cache" --dry-run repair >"$dir/repair" && strays
}
