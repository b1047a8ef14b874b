#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every command as people use it, rightly and wrongly, in one conversation.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need yt-dlp ffmpeg curl
start_site

# -- all songs into the cache, so that the rest is about commands
config null >"$dir/fill.conf"
printf '?play tuneAAAAAAA\n?play -quietAAAAA\n?play loudAAAAAAA\n' | bot fill
[ "$(find "$dir/cache/opus" -type f | wc -l)" = 3 ]; ok $? "three songs are cached"

config null >"$dir/talk.conf"
sed -i 's/^admins=.*/admins=boss\ndjs=dee/' "$dir/talk.conf"
talk talk
ask 'amy: ?np' 'Nothing plays' "np: nothing plays"
ask 'amy: ?queue' 'The queue is empty' "queue: empty"
ask 'amy: ?history' 'Nothing was played yet' "history: nothing yet"
ask 'amy: ?pipeline' 'Nothing plays' "pipeline: nothing plays"
ask 'amy: ?cache list title' '#1 .* \| #2 .* \| #3 The Test Tune' "cache list: before anything was played"
ask 'amy: ?play' 'Usage: play' "play: wrong use"
ask 'amy: ?play #3' 'Playing: The Test Tune \(0:08\)' "play #n: of that list; told when it sounds"
ask 'amy: ?np' 'Playing: The Test Tune, 0:0[0-9] of 0:08, asked for by amy' "np: title, position, length, who"
# held, so that the song does not end under the questions
ask 'amy: ?pause' 'is for DJs' "pause: only a DJ"
ask 'dee: ?pause' 'Paused' "pause"
ask 'dee: ?pause' 'Nothing to pause' "pause: twice"
ask 'amy: ?np' 'Paused: The Test Tune' "np: paused"
ask 'bob: ?play quiet noise' 'Queued as #1' "play words: searched and queued"
ask 'bob: ?play loudAAAAAAA' 'Queued as #2: ' "play: queued behind"
ask 'bob: ?play https://youtu.be/tuneAAAAAAA' 'Queued as #3: The Test Tune' "play: the same song again, by another link"
long=$(printf 'la%.0s' {1..2000})
ask "dee: ?play "$'\u202e'"$long" 'Queued as #4: (la){100}$' "play words: no mark turns the line round, and it is not endless"
ask 'dee: ?remove 4' 'Removed: (la){100}$' "remove: words not looked up yet"
ask $'ev\u202eil: ?play tuneAAAAAAA' 'Queued as #4' "play: somebody with an odd name"
ask 'amy: ?queue' '4\. The Test Tune \(0:08, evil\)' "queue: no marks in a name"
ask 'dee: ?remove 4' 'Removed: The Test Tune' "remove: another's, by a DJ"
# the words are looked up at the site meanwhile
SECONDS=0
while [ $SECONDS -lt 20 ]; do
  say 'amy: ?queue'
  hear '3 waiting' && grep -q '1\. Quiet Noise' "$dir/talk.out" && break
done
ask 'amy: ?queue' '3 waiting, page 1 of 1: 1\. Quiet Noise \(0:06, bob\) \| 2\. Loud Tones \(0:06, bob\) \| 3\. The Test Tune' "queue: in order, with titles, lengths and names"
ask 'amy: ?queue 2' 'The queue has 1 page' "queue: a page that is not there"
ask 'amy: ?queue x' 'Usage: queue \[page\]' "queue: wrong use"
ask 'amy: ?remove 1' 'is for DJs' "remove: another's song only by a DJ"
ask 'bob: ?remove 3' 'Removed: The Test Tune' "remove: one's own"
ask 'bob: ?remove 9' 'The queue has no song 9' "remove: no such song"
ask 'bob: ?remove x' 'Usage: remove <n\|mine>' "remove: wrong use"
ask 'dee: ?resume' 'Going on' "resume"
ask 'dee: ?resume' 'not paused' "resume: twice"
ask 'dee: ?shuffle' 'Mixed' "shuffle"
ask 'dee: ?loop' 'Usage: loop off\|song\|queue' "loop: wrong use"
ask 'dee: ?loop song' 'Loop: song' "loop song"
ask 'amy: ?skip' 'Skipped: The Test Tune' "skip: one's own song"
hear 'Playing: (Quiet Noise|Loud Tones)'
ok $? "skip: the next one sounds, in spite of loop song"
ask 'dee: ?loop off' 'Loop: off' "loop off"
ask 'dee: ?pause' 'Paused' "pause: again"
ask 'amy: ?history' 'Played: #1 .* \| #2 The Test Tune' "history: newest first"
ask 'amy: ?play #2' 'Queued as #2: The Test Tune' "play #n: of the last list"
ask 'amy: ?play #17' 'no #17 in the last list' "play #n: not there"
ask 'amy: ?skip' 'is for DJs' "skip: another's song only by a DJ"
ask 'bob: ?remove mine' '1 song taken out' "remove mine"
ask 'dee: ?clear' '1 song taken out of the queue' "clear: the song that plays goes on"
ask 'amy: ?np' 'Paused: ' "clear: it does"
ask 'dee: ?loop queue' 'Loop: queue' "loop queue"
ask 'dee: ?stop' 'Stopped; the queue is empty' "stop"
ask 'dee: ?stop' 'Nothing plays' "stop: twice"

# -- search, and what it shows
ask 'amy: ?search tones' '#1 Loud Tones \(0:06\)' "search"
ask 'amy: ?play #1' 'Playing: Loud Tones' "play #n: of the search"
ask 'amy: ?search' 'Usage: search <words>' "search: wrong use"
ask 'amy: ?search no such song anywhere' 'Nothing was found|found nothing|No song' "search: nothing found"
say 'dee: ?stop'

# -- the cache, as people see it
ask 'amy: ?cache' 'Cache: 3 songs, .* of 8.0.GiB, .* free on disk \| hits [1-9]' "cache: entries, size, limit, hits"
ask 'amy: ?cache list' '#1 .* \| #2 .* \| #3 ' "cache list"
ask 'amy: ?cache list top' '#1 .* plays\) \| #2 .* \| #3 ' "cache list top"
ask 'amy: ?cache list size' '#1 The Test Tune' "cache list size: the largest first"
ask 'amy: ?cache list bottom' 'Usage: cache list' "cache list: wrong use"
ask 'amy: ?cache find qui' '#1 Quiet Noise' "cache find: the last word may be unfinished"
ask 'amy: ?cache find "; DROP TABLE entry; --' 'Nothing in the cache' "cache find: what people type is no SQL"
ask 'amy: ?cache find' 'Usage: cache find' "cache find: wrong use"
ask 'amy: ?cache info tuneAAAAAAA' 'tuneAAAAAAA: The Test Tune.* \(0:08\), .* LUFS as it came, .* plays' "cache info"
ask 'amy: ?cache info AAAAAAAAAAA' 'not in the cache' "cache info: not there"
ask 'amy: ?cache pin tuneAAAAAAA' 'is for admins' "cache pin: only an admin"
ask 'boss: ?cache pin tuneAAAAAAA' 'is pinned' "cache pin"
ask 'amy: ?cache info tuneAAAAAAA' 'pinned' "cache info: pinned"
ask 'boss: ?cache_clear' 'say within 60 s: cache_clear [0-9]{6}|say within 60 s: \?cache_clear [0-9]{6}' "cache_clear: asks for its token"
token=$(sed -n 's/.*cache_clear \([0-9]\{6\}\)$/\1/p' "$dir/talk.out" | tail -1)
ask "amy: ?cache_clear $token" 'is for admins' "cache_clear: a token is no right"
ask "boss: ?cache_clear $token" '2 songs removed, .* freed; 1 kept' "cache_clear: all but the pinned one"
ask "boss: ?cache_clear $token" 'not the token' "cache_clear: a token is good for once"
ask 'boss: ?cache unpin tuneAAAAAAA' 'not pinned any more' "cache unpin"
ask 'amy: ?cache frob' 'Usage: cache' "cache: wrong use"
ask 'boss: ?cache_cleanup dry' 'Dry run. 1 entries checked' "cache_cleanup dry"
ask 'boss: ?cache_cleanup now' 'Usage: cache_cleanup' "cache_cleanup: wrong use"

# -- about itself
ask 'amy: ?version' 'Encore [0-9.]+, GStreamer 1\.' "version"
ask 'amy: ?help' 'play' "help: the list"
ask 'amy: ?help skip' 'skip' "help: one command"
ask 'amy: ?help frobnicate' 'no such command' "help: no such command"
ask 'amy: ?frobnicate' 'no command \?frobnicate' "an unknown command"
hang_up
[ $? = 0 ]; ok $? "the bot leaves when all is played"
grep -q 'cleanup: kept youtube:tuneAAAAAAA (skipped) because it is cached' "$dir/talk.log"
ok $? "the log says that a skipped song stays"
grep -q 'cleanup: kept youtube:.* (stopped) because it is cached' "$dir/talk.log"
ok $? "and that a stopped one stays"
grep -q 'cleanup: removed loudAAAAAAA' "$dir/talk.log"; ok $? "and which ones cache_clear removed"
finish fill talk
