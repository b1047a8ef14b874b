#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# weechat-encore.so in a real weechat-headless on a real ngircd: commands, rights, options, life.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
. "$abs_top_srcdir/tests/weechat-fixture.sh"
need yt-dlp ffmpeg curl
start_site
start_ngircd
person amy # the first on a channel is its operator
weechat_home "$irc_port" '[chat]' 'channels = "local.#music"' 'rate_per_minute = 0' 'line_interval = 0' \
  '[who]' 'admins = "*!*boss@127.0.0.1"' '[voice]' 'url = "none"' "$(plugin_lines)"
start_weechat
person boss
person carl

# -- commands
asks carl '?play https://youtu.be/tuneAAAAAAA' '^<encorebot> Playing: The Test Tune' "a person plays a song"
asks carl '?play https://youtu.be/keptAAAAAAA' '^<encorebot> ' "and queues one more"
asks carl '?np' '^<encorebot> Playing: The Test Tune' "he asks what plays"
asks carl '?skip' '^<encorebot> ' "he skips it"
await reads carl '^<encorebot> Playing: '; ok $? "the next one plays"
says carl '?frobnicate'
asks carl '?version' '^<encorebot> Encore [0-9]' "another bot's command is none of ours"
[ "$(grep -c frobnicate "$dir/carl.says")" = 0 ]; ok $? "and gets no answer"

# -- rights
asks carl '?cache_clear' '^<encorebot> For admins only: \?cache_clear' "cache_clear is refused to one without rights"
asks amy '?cache_clear' '^<encorebot> For admins only: \?cache_clear' "and to the operator of the channel, who is a DJ"
asks boss '?cache_clear' '^<encorebot> .*To confirm say' "and allowed to an admin"
asks carl '?pause' 'DJs' "a person may not hold the music"
asks amy '?pause' '^<encorebot> Paused' "the operator of the channel may"
asks boss '?resume' '^<encorebot> Going on' "so may an admin"
says boss '/raw NICK bess'
says boss '/raw NICK boss'
says carl '/raw NICK bosss'
asks carl '?cache_clear' 'For admins only' "a nick is no identity"
says carl '/raw NICK carl'

# -- who sits at WeeChat
weechat '/encore cache'
await screen 'songs'; ok $? "/encore answers on the screen"
since carl | grep -q 'songs'; [ $? != 0 ]; ok $? "and nowhere else"
weechat '/encore'
await screen "encore.so"; ok $? "/encore alone tells what is loaded"
weechat '/encore frobnicate'
await screen 'There is no such command'; ok $? "a mistake is told"

# -- options
weechat '/set encore.chat.prefix !'
await screen 'encore.chat.prefix = "!"'
asks carl '!version' '^<encorebot> Encore' "/set prefix works at once"
weechat '/set encore.chat.prefix ?'
weechat '/set encore.chat.prefix /'
await screen 'a prefix is one or more signs'; ok $? "a prefix that is a slash is refused in words"
weechat '/set encore.who.admins boss'
await screen 'a nick alone is no identity'; ok $? "a mask that is only a nick is refused in words"
weechat '/set encore.who.admins *!*@*'
await screen "'*!*@*'"; ok $? "and one that is everybody"
weechat '/set encore.encore.max_sise 1GiB'
await screen 'taken by /encore restart'; ok $? "an option of the plugin waits for a restart, and that is told"
weechat '/encore restart'
await screen "unknown option 'max_sise' (did you mean 'max_size'?)"; ok $? "a mistake in it is named"
says carl '?version'
weechat '/unset encore.encore.max_sise'
weechat '/set encore.encore.max_size 1GiB'
weechat '/encore restart'
asks_cache () { says carl '?cache'; await reads carl 'Cache:' && reads carl '1\.0.*GiB'; }
await asks_cache; ok $? "mended, it runs with the new value"
weechat '/save encore'
await grep -qs 'max_size = "1GiB"' "$dir/home/encore.conf"; ok $? "options are kept in encore.conf"
kill -HUP "$weechat"
asks carl '?version' '^<encorebot> Encore' "SIGHUP reads the options again"
await screen 'Options reloaded from encore.conf'
weechat '/encore restart'
await asks_cache; ok $? "with those of the plugin"
weechat '/set encore.chat.rate_per_minute 1'
weechat '/set encore.chat.burst 3'
await screen 'encore.chat.burst'
asks carl '?version' 'Encore' "few commands at once"
for _ in $(seq 20); do says carl '?version'; done
asks amy '?version' 'Encore' "somebody else is not held up by it"
[ "$(grep -c '> Encore [0-9]' "$dir/carl.says")" -lt 15 ] ; ok $? "a flood of commands is not answered"
weechat '/set encore.chat.rate_per_minute 0'
await screen 'rate_per_minute = 0'
weechat '/set encore.chat.channels local.#other'
await screen '= "local.#other"'
says carl '?version'
weechat '/set encore.chat.prefix ?,'
await screen '= "?,"'
weechat '/set encore.chat.channels local.#mus*'
await screen '= "local.#mus*"'
asks carl '?,version' 'Encore' "channels are chosen by masks"
[ "$(since carl | grep -c Encore)" = 1 ] && [ "$(grep -c '> Encore' "$dir/carl.says")" = "$(($(grep -c '> Encore' "$dir/carl.says")))" ]
ok $? "one that was not chosen is not heard"
weechat '/set encore.chat.prefix ?'
await screen '= "?"'

# -- how long it takes
# (figures of a busy machine say little: they are shown, what is tested is that every answer comes)
measure () { # TEXT ANSWER
  figures=$(/usr/bin/python3 "$abs_top_srcdir/tests/irc.py" bench "$irc_port" dora '#music' 200 "$1" "$2")
  local status=$?
  echo "# $1, from the line sent to the answer read: $figures ms"
  ok $status "200 times $1, 200 answers"
}
measure '?version' 'Encore '
measure '?np' 'Playing|Paused|Nothing plays'
measure '?queue' 'The queue is empty'

# -- life
asks carl '?play https://youtu.be/loudAAAAAAA' 'encorebot' "something plays"
weechat '/upgrade'
gone () { [ ! -e "$dir/home/weechat_fifo_$weechat" ]; }
asks_again () { says carl '?version'; await reads carl '> Encore'; }
await asks_again; ok $? "after /upgrade it answers"
grep -q 'encorebot.*QUIT\|QUIT' "$dir/carl.says"; [ $? != 0 ]; ok $? "without having left"
asks carl '?queue' '^<encorebot> ' "and has its queue"
kill "$weechat"
wait "$weechat"
ok $? "SIGTERM ends it with status 0"
grep -q crash "$screen" "$dir/weechat.out"; [ $? != 0 ]; ok $? "nothing crashed"
finish
