#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A live stream, in the real bot from the offline site: refused, or heard as it comes and never kept; ended by the
# site, by skip, by a fault, by a kill.  Prints TAP.
. "$abs_top_srcdir/tests/bot-fixture.sh"
mkdir "$dir/t"
export TMPDIR=$dir/t
say_to () { printf '%s\n' "$1" >&7; }
nothing_temporary () { [ -z "$(ls -A "$dir/cache/tmp")$(ls -A "$dir/t")" ]; }
nobody_left () { ! pgrep -f -- "$url/hls/radioAAAAAA" >/dev/null; }

# -- off
config restore=no
echo '?play radioAAAAAA' | run
told 'Cannot play Radio Encore: This is a live stream'; ok $? "live=no: in words"

# -- until the site ends it; remembered as a stream meanwhile
faults '{"hls/radioAAAAAA/index.m3u8": {"end_after": 8}}'
VOICE=file:$dir/live.opus config restore=no live=yes early=no
start
say_to '?play radioAAAAAA'
say_to "?play shortAAAAAA"
await told 'Playing: Radio Encore (live)'; ok $? "it plays, and says what it is"
say_to '?np'
await told 'of live, asked for by'; ok $? "and np, too"
say_to '?cache jobs'
await told 'Radio Encore'; ok $? "it is a job"
await told 'Playing: One Second (0:01)'; ok $? "when it is over the queue goes on"
! told 'broke off' && ! told 'Cannot' && ! told 'not kept'; ok $? "without complaint"
quit
nothing=$(find "$dir/cache/opus" -type f | grep -vc shortAAAAAA)
[ "$nothing" = 0 ]; ok $? "nothing of it is kept"
packets "$dir/live.opus" | grep -vxc "$silence_md5" >"$dir/n"
echo "# $(cat "$dir/n") packets with the song after it"
[ "$(cat "$dir/n")" -ge 400 ] && [ "$(cat "$dir/n")" -le 470 ]; ok $? "eight seconds of it were heard"
await nobody_left; ok $? "no process stays"

# -- twice in the queue, and skipped
no_faults
config restore=no live=yes prefetch=1
start
say_to '?play radioAAAAAA'
await told 'Playing: Radio Encore (live)'
say_to '?play radioAAAAAA'
say_to '?play shortAAAAAA'
await told 'Queued as #2'
say_to '?skip'
twice () { has_times 2 "$dir/out" 'Playing: Radio Encore (live)'; }
await twice; ok $? "asked for again it plays again"
say_to '?skip'
await told 'Playing: One Second (0:01)'; ok $? "skipped: the next song plays"
await nobody_left; ok $? "and nobody reads it any more"
quit
nothing=$(find "$dir/cache/opus" -type f | grep -vc shortAAAAAA)
[ "$nothing" = 0 ] && nothing_temporary; ok $? "nothing of it is kept, nor a directory"

# -- it stalls.  (Of a playlist that cannot be had any more ffmpeg says no more than that the stream is over.)
rm -rf "$dir/cache"
config restore=no live=yes stall=4s
start
say_to '?play radioAAAAAA'
say_to '?play shortAAAAAA'
await told 'Playing: Radio Encore (live)'
faults '{"hls/*": {"delay": 60}}'
await told 'Radio Encore broke off'; ok $? "a stream that stalls is told in words"
await told 'Playing: One Second (0:01)'; ok $? "and the queue goes on"
quit
no_faults

# -- the bot is killed
echo '# Netscape HTTP Cookie File' >"$dir/cookies.txt"
config restore=no live=yes "cookies=$dir/cookies.txt"
start
say_to '?play radioAAAAAA'
await told 'Playing: Radio Encore (live)'
pkill -KILL -P "$bot" # the bot itself: what it started with is timeout(1)
wait "$bot" 2>/dev/null
bot=''
exec 7>&-
await nobody_left; ok $? "a bot that is killed leaves no process"
copies=$(find "$dir/cache/tmp" "$dir/t" -name cookies.txt | wc -l)
echo '?np' | run
[ "$copies" = 1 ] && nothing_temporary && logged 'cleanup: 1 unfinished things'
ok $? "and what it left, a copy of the cookies too, is removed by the next one"

finish
