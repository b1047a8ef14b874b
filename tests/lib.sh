# SPDX-License-Identifier: LGPL-2.1-or-later
# What the script tests share; sourced, not run.  TAP, a directory of the test's own, the offline site
# and encore-bot.
#   . "$abs_top_srcdir/tests/lib.sh"; need strace; start_site; ...; finish
set -uo pipefail
trap '' PIPE  # a bot that has gone is found by what it does not say
unset G_DEBUG # a warning in the log of a program is no bug here
top=$abs_top_builddir
dir=$(mktemp -d)
n=0
failed=0
site=
cleanup () {
  [ -n "$site" ] && kill "$site" 2>/dev/null
  rm -rf "$dir"
}
trap cleanup EXIT

# Tests wait for what happens, at the same time as others: a look at it and the pause before the next one take
# no process, of which there would be fifty a second.
exec {never}<> <(:) # a pipe on which nothing comes
pause () { read -rt "$1" -u "$never"; } # SECONDS
await () { # COMMAND...: within 30 s; also if the command awaits something itself
  local end=$((SECONDS + 30))
  while [ $SECONDS -le $end ]; do
    "$@" && return
    pause 0.05
  done
  echo "# never: $*"
  return 1
}
text_of () { # FILE: sets $text
  text=
  { IFS= read -rd '' text <"$1"; } 2>/dev/null
}
has () { # FILE TEXT
  local text
  text_of "$1"
  [[ $text == *"$2"* ]]
}
has_times () { # N FILE TEXT
  local text rest
  text_of "$2"
  rest=${text//"$3"/}
  [ $(((${#text} - ${#rest}) / ${#3})) = "$1" ]
}

need () { # PROGRAM...: the whole test is skipped without them
  for program in "$@"; do
    command -v "$program" >/dev/null || { echo "1..0 # SKIP $program is not installed"; exit 0; }
  done
}
ok () { # STATUS NAME
  n=$((n + 1))
  if [ "$1" = 0 ]; then echo "ok $n $2"; else echo "not ok $n $2"; failed=1; fi
}
skip () { # REASON NAME
  n=$((n + 1))
  echo "ok $n $2 # SKIP $1"
}
finish () { # [NAME-OF-A-BOT...]: what they said, if something failed
  if [ $failed != 0 ]; then
    for name in "$@"; do sed "s/^/# $name: /" "$dir/$name.out" "$dir/$name.log"; done
  fi
  echo "1..$n"
  exit $failed
}

# Sets $url, the site's address, $media, its files, and $ytdlp, the real yt-dlp that asks it.
start_site () {
  media=$top/tests/media
  bash "$abs_top_srcdir/tests/site/make-media.sh" "$media"
  mkfifo "$dir/stdin" "$dir/ready"
  /usr/bin/python3 "$abs_top_srcdir/tests/site/site.py" "$media" <"$dir/stdin" >"$dir/ready" &
  site=$!
  exec 8>"$dir/stdin"
  read -r _ url <"$dir/ready"
  ytdlp=$(bash "$abs_top_srcdir/tests/site/make-wrapper.sh" "$dir" "$url")
}
stat_of () { # KEY WHAT: what the site counted
  curl -s "$url/stats/$2/${1// /%20}"
}

config () { # VOICE [LINE-OF-[encore]...]: a configuration for encore-bot
  printf '[bot]\nplugin=%s\nadmins=boss\n[console]\nvoice=%s\n[encore]\ncache_dir=%s\nmin_free=0\nallow_private=yes\nytdlp=%s\n' \
    "$ENCORE_MODULE" "$1" "$dir/cache" "$ytdlp"
  shift
  printf '%s\n' "$@"
}
bot () { # NAME: chat from stdin, answers to NAME.out, log to NAME.log
  timeout 60 "$top/encore-bot" --config "$dir/$1.conf" --wait-idle console >"$dir/$1.out" 2>"$dir/$1.log"
}
packets () { # FILE: a checksum for each of its packets
  ffmpeg -v error -i "$1" -map 0:a -c copy -f framemd5 - 2>/dev/null | grep -v '^#' | awk -F', *' '{ print $6 }'
}
silence_md5=$(printf '\xf8\xff\xfe' | md5sum | cut -d' ' -f1)
# The packets of a voice file without its silence, which is also where the machine stood still for
# more than a tick of 20 ms.
heard () { # FILE
  packets "$1" | grep -vx "$silence_md5"
}

# A conversation: the bot NAME runs beside the test, which speaks and waits for answers.
talk () { # NAME
  talking=$1
  mkfifo "$dir/$1.chat" "$dir/$1.answers"
  timeout 120 "$top/encore-bot" --config "$dir/$1.conf" --wait-idle console \
    <"$dir/$1.chat" >"$dir/$1.answers" 2>"$dir/$1.log" &
  talk_pid=$!
  exec 7>"$dir/$1.chat" 6<"$dir/$1.answers"
}
say () { # LINE
  printf '%s\n' "$1" >&7 2>/dev/null
}
hear () { # REGEX: waits for an answer that matches; others are passed over
  local line
  while read -r -t 20 -u 6 line; do
    printf '%s\n' "$line" >>"$dir/$talking.out"
    [[ $line =~ $1 ]] && return 0
  done
  echo "# nobody said: $1"
  return 1
}
ask () { # LINE REGEX NAME: a test
  say "$1"
  hear "$2"
  ok $? "$3"
}
ask_until () { # LINE REGEX NAME: a test; asks until it is answered like that, for 30 s
  local end=$((SECONDS + 30)) line=
  while [ $SECONDS -le $end ]; do
    say "$1"
    hear . && line=$(tail -n 1 "$dir/$talking.out") && [[ $line =~ $2 ]] && break
    pause 0.2
  done
  [[ $line =~ $2 ]]
  ok $? "$3"
}
hang_up () { # reads the rest
  exec 7>&-
  cat <&6 >>"$dir/$talking.out"
  exec 6<&-
  wait "$talk_pid"
}
