#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What comes from outside is never a command of WeeChat nor a line of IRC, and who is who is not taken
# from a nick: a plugin that says the worst, and a server that sends it.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
. "$abs_top_srcdir/tests/weechat-fixture.sh"
# shellcheck disable=SC2046,SC2086 # options
${CC:-cc} -Wall -Werror -shared -fPIC ${SANITIZERS:-} $(pkg-config --cflags bot-plugin) -o "$dir/hostile.so" \
  "$abs_top_srcdir/tests/hostile-plugin.c" -pthread
ok $? "the hostile plugin is built"
mkfifo "$dir/server.in"
/usr/bin/python3 "$abs_top_srcdir/tests/irc.py" server server-time account-tag extended-join echo-message message-tags \
  <"$dir/server.in" >"$dir/server.out" 2>&1 &
pids+=($!)
exec {server}>"$dir/server.in"
await grep -qs READY "$dir/server.out"
weechat_home "$(awk '/READY/ { print $2; exit }' "$dir/server.out")" '[module]' "path = \"$dir/hostile.so\"" \
  '[chat]' 'channels = "local.#music,local.#m*"' 'rate_per_minute = 0' 'line_interval = 0' 'max_lines = 3' \
  '[who]' 'admins = "*!*boss@host.of.boss"' 'admin_accounts = "Boss,elsewhere/eve"' 'djs = "local/*!*@dj.host"'
start_weechat
came () { grep -q -- "$1" "$dir/server.out"; }
await came '^JOIN #music'
mark=1
send () { # LINE: from the server
  mark=$(($(wc -l <"$dir/server.out") + 1))
  printf '%s\n' "$1" >&"$server"
}
answered () { tail -n +$mark "$dir/server.out" | grep -q -- "$1"; }
answer_to () { # LINE REGEX WHAT
  send "$1"
  await answered "$2"; ok $? "$3"
}
lines () { tail -n +$mark "$dir/server.out"; }
hostile () { # N: all that came of it
  send ":amy!a@h PRIVMSG #music :?hostile $1"
  await answered 'PRIVMSG #music :end$'
}
only_messages () { [ "$(lines | grep -vc '^PRIVMSG #music :')" = 0 ]; }

hostile 0; [ "$(lines | head -n 1)" = 'PRIVMSG #music : /quit bye' ] && only_messages; ok $? "/quit is text"
hostile 1; only_messages && [ "$(lines | wc -l)" = 2 ]; ok $? "CR LF ends no line"
hostile 2; only_messages && ! lines | LC_ALL=C grep -q '[[:cntrl:]]'; ok $? "no colours, no terminal sequences"
hostile 3; only_messages && [ "$(lines | wc -l)" = 4 ] && [ "$(lines | head -n 3 | LC_ALL=C awk 'length > 420' | wc -l)" = 0 ] &&
  lines | head -n 3 | iconv -f utf-8 -t utf-8 >/dev/null && lines | sed -n 3p | grep -q '…$'; ok $? "4 KB are cut at a character, to three lines"
hostile 4; only_messages && ! lines | LC_ALL=C grep -q "$(printf '\001')"; ok $? "no CTCP"
hostile 5; [ "$(lines | head -n 1)" = 'PRIVMSG #music : ?who am I' ]; ok $? "an answer is no command for the next bot"
hostile 6; only_messages && lines | iconv -f utf-8 -t utf-8 >/dev/null; ok $? "what is no UTF-8 is made so"
hostile 7; [ "$(lines | head -n 1)" = 'PRIVMSG #music : %s%n%d%1000000d ${sec.data.key} ${info:version}' ]; ok $? "no format, nothing is evaluated"
hostile 8; ! lines | grep -q "$(printf '\342\200\256')"; ok $? "nothing turns the direction of writing"
hostile 9; [ "$(lines | head -n 1)" = 'PRIVMSG #music :local;#music;;;/quit' ]; ok $? "semicolons end no field"
hostile 10; [ "$(lines | head -n 1)" = 'PRIVMSG #music : /exec -o ls' ]; ok $? "blanks hide no slash"
for i in 0 1 2 3 7 9 10; do weechat "/encore hostile $i"; done
weechat '/encore who'
await screen 'operator is admin'; ok $? "the same on the screen of who sits here"
kill -0 "$weechat"; ok $? "WeeChat is still there"

# -- who is who
answer_to ':boss!x@h PRIVMSG #music :?who' 'boss is nobody' "a nick is no identity"
answer_to ':zoe!~boss@host.of.boss PRIVMSG #music :?who' 'zoe is admin' "an admin by his mask"
answer_to ':zoe!z@dj.host PRIVMSG #music :?who' 'zoe is dj' "a DJ by his mask, on this server"
answer_to '@account=boss :zoe!z@h PRIVMSG #music :?who' 'zoe is admin' "an admin by his account, of the message's tag"
answer_to '@account=eve :eve!z@h PRIVMSG #music :?who' 'eve is nobody' "an account of another network is none here"
answer_to '@+account=boss :eve!z@h PRIVMSG #music :?who' 'eve is nobody' "a tag that a client sent is none of the server's"
send ':joe!j@h JOIN #music boss :Joe'
answer_to ':joe!j@h PRIVMSG #music :?who' 'joe is admin' "by his account, of extended-join"
first=$(lines | grep -o '[0-9]*$')
answer_to '@account=boss :other!o@elsewhere PRIVMSG #music :?who' "other is admin $first" "one account is one person, whatever his nick"
send ':pat!p@h JOIN #music * :Pat'
answer_to ':pat!p@h PRIVMSG #music :?who' 'pat is nobody' "who is not logged in has no account"
send ':srv MODE #music +v pat'
answer_to ':pat!p@h PRIVMSG #music :?who' 'pat is nobody' "a voice is no operator"
send ':srv MODE #music +o pat'
answer_to ':pat!p@h PRIVMSG #music :?who' 'pat is dj' "an operator of the channel is a DJ"
weechat '/set encore.who.ops_are_djs off'
await screen 'ops_are_djs = off'
answer_to ':pat!p@h PRIVMSG #music :?who' 'pat is nobody' "unless the operator of the bot says otherwise"

# -- what is no command
judged () { grep -c ' is \(nobody\|dj\|admin\) [0-9]' "$dir/server.out"; }
before=$(judged)
send ':encorebot!bot@host PRIVMSG #music :?who'
send ':amy!a@h PRIVMSG encorebot :?who'
send ':amy!a@h PRIVMSG #elsewhere :?who'
send ":amy!a@h PRIVMSG #m;local;;;/quit :?who"
send "$(printf ':amy!a@h PRIVMSG #music :\001ACTION ?who\001')"
send ':amy!a@h NOTICE #music :?who'
send ':amy!a@h PRIVMSG #music :say ?who'
send ':amy!a@h PRIVMSG #music :?hostile 99'
await answered 'end$' && [ "$(judged)" = "$before" ]
ok $? "our own echo, queries, other channels, actions, notices and talk are none"
send ":amy!a@h PRIVMSG #music :?who$(printf ' %0.sx' $(seq 2000))"
await answered 'amy is'; ok $? "a line of 4 KB"
kill "$weechat"; wait "$weechat"; ok $? "SIGTERM ends it with status 0"
finish
