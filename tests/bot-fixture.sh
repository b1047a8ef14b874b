# SPDX-License-Identifier: LGPL-2.1-or-later
# For scripts that talk to encore-bot: a directory, the offline site, a configuration, and TAP.  Sourced with the
# programs that the test needs besides its own; ends the test with a reason where one is missing.
set -uo pipefail
unset G_DEBUG # a warning in the log is no bug here
for program in yt-dlp ffmpeg python3 curl "$@"; do
  command -v "$program" >/dev/null || { echo "1..0 # SKIP $program is not installed"; exit 0; }
done
top=$abs_top_builddir
media=$top/tests/media
dir=$(mktemp -d)
chmod 755 "$dir" # some bots run as another user
site='' bot=''
cleanup () {
  [ -n "$bot" ] && kill "$bot" 2>/dev/null
  [ -n "$site" ] && kill "$site" 2>/dev/null
  mountpoint -q "$dir/disk" && umount "$dir/disk"
  rm -rf "$dir"
}
trap cleanup EXIT

bash "$abs_top_srcdir/tests/site/make-media.sh" "$media"
mkfifo "$dir/stdin" "$dir/ready" "$dir/chat"
/usr/bin/python3 "$abs_top_srcdir/tests/site/site.py" "$media" <"$dir/stdin" >"$dir/ready" &
site=$!
exec 8>"$dir/stdin"
read -r _ url <"$dir/ready"
ytdlp=$(bash "$abs_top_srcdir/tests/site/make-wrapper.sh" "$dir" "$url")
faults () { curl -s -X POST -d "$1" "$url/faults" >/dev/null; }
no_faults () { curl -s -X POST "$url/reset" >/dev/null; }

n=0
failed=0
: >"$dir/out"
: >"$dir/log"
ok () { # STATUS NAME
  n=$((n + 1))
  if [ "$1" = 0 ]; then echo "ok $n $2"; return; fi
  echo "not ok $n $2"
  sed 's/^/# /' "$dir/out" "$dir/log"
  failed=1
}
skip () { # NAME REASON
  n=$((n + 1))
  echo "ok $n $1 # SKIP $2"
}
finish () {
  echo "1..$n"
  exit $failed
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
say () { echo "$1" >&7; }
await () {
  local i
  for i in $(seq 600); do
    "$@" && return
    read -rt 0.05 <> <(:) # a pause without a process
  done
  return 1
}
quit () {
  exec 7>&-
  wait "$bot"
  bot=''
}
told () { grep -qF -- "$1" "$dir/out"; }
logged () { grep -qF -- "$1" "$dir/log"; }

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
