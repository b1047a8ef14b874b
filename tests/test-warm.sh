#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Songs fetched before anybody asks for them: with progress, within a budget, behind what listeners wait for.
# Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need yt-dlp ffmpeg curl
start_site
faults () { curl -s -X POST -d "$1" "$url/faults" >/dev/null; }
list='https://www.youtube.com/playlist?list'
cached () { find "$dir/cache/opus" -name '*.opus' | wc -l; }

config null warm_budget=1GiB >"$dir/warm.conf"
talk warm
ask "amy: ?cache warm $list=PLthree" 'is for admins' "warm: only an admin"
ask 'boss: ?cache warm' 'Usage: cache warm <link of a playlist>\|top <n>' "warm: wrong use"
ask 'boss: ?cache warm top x' 'Usage: cache warm' "warm top: no number"
ask 'boss: ?cache warm tuneAAAAAAA' 'Usage: cache warm' "warm: the link of a song"
ask 'boss: ?cache warm top 5' 'Every song that was ever played is in the cache' "warm top: nothing to do"
ask "boss: ?cache warm $list=PLnone" 'Nothing was found' "warm: no such playlist"
ask 'amy: ?cache jobs' 'Nothing is being fetched' "and it is over"
faults '{"media/*": {"rate": 60000}}'
ask "boss: ?cache warm $list=PLthree" 'Warm 3: 3 songs; cache jobs shows how far it is|Warm [0-9]+: 3 songs' "warm: a playlist"
ask_until 'amy: ?cache jobs' 'The Test Tune [0-9]+ % \| warm [0-9]+: 0 of 3, ' "warm: progress"
# somebody who listens has a job of his own, and what warm does next waits for it
ask 'amy: ?play shortAAAAAA' 'Fetching: shortAAAAAA' "warm: somebody wants to hear a song"
hear 'Playing: One Second'; ok $? "and hears it"
[ "$(cached)" -le 2 ]; ok $? "before warm has come far"
curl -s -X POST "$url/reset" >/dev/null
hear 'Warm [0-9]+ is done: 3 fetched \([1-9][0-9.]+.KiB\), 0 were here, 0 failed, 0 left'; ok $? "warm: done, with figures"
[ "$(cached)" = 4 ]; ok $? "the songs are there"
ask "boss: ?cache warm $list=PLthree" 'Warm [0-9]+: 3 songs' "warm: once more"
hear 'is done: 0 fetched \(0 bytes\), 3 were here, 0 failed, 0 left'; ok $? "nothing is fetched again"
[ "$(stat_of media/tuneAAAAAAA/251 requests)" = 0 ]; ok $? "and nothing asked for"

# -- those that were played and have gone
ask 'amy: ?play tuneAAAAAAA' 'Playing: The Test Tune' "a song is played"
say 'boss: ?stop'
hear 'Stopped'
say 'boss: ?cache_clear'
hear 'cache_clear [0-9]{6}'
token=$(sed -n 's/.*cache_clear \([0-9]\{6\}\)$/\1/p' "$dir/warm.out" | tail -1)
ask "boss: ?cache_clear $token" 'songs removed' "the cache is emptied"
ask 'boss: ?cache warm top 1' 'Warm [0-9]+: 1 song;' "warm top"
hear 'is done: 1 fetched'; ok $? "warm top: done"
[ "$(cached)" = 1 ] && [ -n "$(find "$dir/cache/opus" -name tuneAAAAAAA.opus)" ]
ok $? "it is the one that was played most"

hang_up

# -- ended
config null warm_budget=1GiB >"$dir/ended.conf"
talk ended
faults '{"media/*": {"rate": 40000}}'
ask "boss: ?cache warm $list=PLlong" 'Warm [0-9]+: 50 songs' "warm: not endless"
number=$(sed -n 's/.*Warm \([0-9]*\): 50 songs.*/\1/p' "$dir/ended.out" | tail -1)
ask_until 'amy: ?cache jobs' "Loud Tones [0-9]+ % \| warm $number: 1 of 50" "warm: what is there is passed over"
ask "amy: ?cache cancel $number" 'is for admins' "cancel: only an admin"
ask 'boss: ?cache cancel 99' 'There is no warm 99' "cancel: no such number"
ask 'boss: ?cache cancel' 'Usage: cache cancel' "cancel: wrong use"
ask 'boss: ?cache cancel keptAAAAAAA' 'keptAAAAAAA is not being fetched' "cancel: a song that is not in flight"
ask 'boss: ?cache cancel loudAAAAAAA' 'loudAAAAAAA is cancelled' "cancel: a song that is"
ask_until 'amy: ?cache jobs' "Quiet Noise [0-9]+ % \| warm $number: 2 of 50" "warm goes on with the next one"
ask "boss: ?cache cancel $number" "Warm $number is cancelled: 0 fetched \([1-9].*\), 1 were here, 1 failed, 48 left" "cancel: a warm"
ask_until 'amy: ?cache jobs' 'Nothing is being fetched' "cancel: its fetch ends, too"
tmp_empty () { [ -z "$(ls -A "$dir/cache/tmp")" ]; }
await tmp_empty
# a fetch that is more than half done is carried on
[ "$(cached)" -le 2 ] && tmp_empty; ok $? "and leaves nothing half-made"
curl -s -X POST "$url/reset" >/dev/null
faults '{"resolve/video/loudAAAAAAA": {"status": 429}}'
ask "boss: ?cache warm $list=PLthree" 'ended, the site refuses us: 0 fetched .* 1 were here, 0 failed, 2 left' "warm: ends when the site refuses us"
say 'boss: ?cache backoff lift'
hang_up

# -- a budget a day, of all processes
rm -rf "$dir/cache"
curl -s -X POST "$url/reset" >/dev/null
one=$(stat -Lc %s "$media/tune.251.webm")
config null warm_budget=$((one * 3 / 2)) >"$dir/budget.conf"
talk budget
say "boss: ?cache warm $list=PLthree"
hear "ended, today's warm_budget is used up: 1 fetched .* 0 were here, 0 failed, 2 left"
ok $? "warm: ends with the budget, before a song that would go beyond it"
[ "$(cached)" = 1 ]; ok $? "that one is not kept"
ask 'amy: ?play loudAAAAAAA' 'Playing: Loud Tones' "who wants to hear it is no matter of the budget"
hang_up
config null warm_budget=$one >"$dir/other.conf"
talk other
say "boss: ?cache warm $list=PLthree"
hear "ended, today's warm_budget is used up: 0 fetched \(0 bytes\), 2 were here, 0 failed, 1 left"
ok $? "another process knows what was spent"
hang_up
[ "$(stat_of resolve/video/-quietAAAAA requests)" = 0 ]; ok $? "and does not ask"

finish warm ended budget other
