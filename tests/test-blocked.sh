#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What people see while the site refuses the bot, and while it cannot be reached: songs in the cache play, with
# their titles; the rest is told in words, and the site is left alone.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need yt-dlp ffmpeg strace curl
start_site
asked () { stat_of "resolve/video/$1" requests; }

config null >"$dir/fill.conf"
talk fill
ask 'amy: ?play aliasTuneAA' 'Playing: The Test Tune' "a song is fetched"
ask 'boss: ?stop' 'Stopped' "and stopped"
ask 'amy: ?play privateAAAA' 'This video is private' "a private song is told"
hang_up

# -- refused
config null >"$dir/blocked.conf"
talk blocked
ask 'amy: ?cache explain privateAAAA' 'not in the cache. The last fetch failed \(private\): This video is private. The site is not asked for it again within (7 d 0 h|6 d 23 h)' "explain: a failure, with its reason and how long it holds"
ask 'amy: ?play privateAAAA' 'Cannot play privateAAAA: This video is private' "and play says so"
[ "$(asked privateAAAA)" = 1 ]; ok $? "without a question"
ask 'amy: ?cache explain tuneAAAAAAA' 'tuneAAAAAAA is in the cache: The Test Tune, .*, [1-9] plays?, number 1 of 1 to go when room is needed. It plays at once, without the network' "explain: a song that is there"
ask 'amy: ?cache explain aliasTuneAA' 'aliasTuneAA is another name of tuneAAAAAAA, which is in the cache' "explain: another name"
ask 'amy: ?cache explain loudAAAAAAA' 'loudAAAAAAA is not in the cache. play would fetch it' "explain: never heard of"
ask 'amy: ?cache explain no such' 'Usage: cache explain' "explain: wrong use"
ask 'amy: ?cache backoff' 'The site may be asked' "backoff: none"
ask 'amy: ?play botCheckAAA' 'Cannot play botCheckAAA: The site refuses us for the moment .* It is asked again in 10 min' "a bot check is told, with the time"
ask 'amy: ?play loudAAAAAAA' 'Cannot play loudAAAAAAA: The site refuses us .* It is asked again in 10 min' "another song: the same"
[ "$(asked loudAAAAAAA)" = 0 ]; ok $? "without a question"
ask 'amy: ?play nothing that is known' 'The site refuses us' "words: the same"
[ "$(stat_of 'resolve/search/nothing that is known' requests)" = 0 ]; ok $? "without a question"
ask 'amy: ?cache explain loudAAAAAAA' 'not in the cache. The site has refused us and is left alone for another 10 min' "explain: why it is not fetched"
ask 'amy: ?cache backoff' 'nobody asks it for another 10 min; songs in the cache still play' "backoff: how long"
ask 'amy: ?play youtu.be/tuneAAAAAAA' 'Playing: The Test Tune \(0:08\)' "a cached song plays, with its title"
ask 'amy: ?np' 'Playing: The Test Tune, 0:0[0-9] of 0:08' "np has it, too"
ask 'amy: ?play tune' 'Queued as #1: ' "words that cannot be looked up"
SECONDS=0
while [ $SECONDS -lt 20 ]; do
  say 'amy: ?queue'
  hear '1 waiting|is empty' && grep -q '1\. The Test Tune' "$dir/blocked.out" && break
done
grep -q '1\. The Test Tune' "$dir/blocked.out"; ok $? "are the song in the cache that has them in its title"

# -- another process obeys
config null >"$dir/second.conf"
printf '?play loudAAAAAAA\n?play tuneAAAAAAA\n' | bot second
grep -q 'Cannot play loudAAAAAAA: The site refuses us .* It is asked again in' "$dir/second.out"
ok $? "another process tells the same"
grep -q 'Playing: The Test Tune' "$dir/second.out" && [ "$(asked loudAAAAAAA)" = 0 ]
ok $? "plays what is there, and does not ask"

# -- lifted
ask 'amy: ?cache backoff lift' 'is for admins' "backoff lift: only an admin"
ask 'boss: ?cache backoff lft' 'Usage: cache backoff \[lift\]' "backoff: wrong use"
ask 'boss: ?cache backoff lift' 'The site may be asked again' "backoff lift"
say 'boss: ?stop'
ask 'amy: ?play loudAAAAAAA' 'Playing: Loud Tones' "the site is asked again"
ask 'boss: ?stop' 'Stopped' "stop"
hang_up

# -- the site is gone
kill "$site"
wait "$site" 2>/dev/null
site=
config null >"$dir/gone.conf"
talk gone
ask 'amy: ?play shortAAAAAA' 'Cannot play shortAAAAAA: The site cannot be reached' "without a site a new song is told to be out of reach"
ask 'amy: ?cache explain shortAAAAAA' 'The last fetch failed \(network\): .* not asked for it again within [1-3]?[0-9] s' "for half a minute"
ask 'amy: ?search tones' '#1 Loud Tones \(0:06\)' "search shows what is here"
ask 'amy: ?play #1' 'Playing: Loud Tones' "and it plays"
hang_up
config null >"$dir/words.conf"
printf '?play the TEST  tune\n' |
  timeout 60 strace -f -qq -e trace=execve,%network -o "$dir/trace" \
    "$top/encore-bot" --config "$dir/words.conf" --wait-idle console >"$dir/words.out" 2>"$dir/words.log"
grep -q 'Playing: The Test Tune' "$dir/words.out"; ok $? "the title of a cached song is enough to play it"
[ "$(grep -cv '+++ exited' "$dir/trace")" = 1 ] && grep -q 'execve(' "$dir/trace"
ok $? "without a process or a socket"

finish fill blocked second gone words
