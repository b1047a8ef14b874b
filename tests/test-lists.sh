#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Many songs at once: playlists, searches, what the cache has, and what is fetched before its turn.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need yt-dlp ffmpeg curl
start_site
faults () { curl -s -X POST -d "$1" "$url/faults" >/dev/null; }
asked () { stat_of "resolve/video/$1" requests; }
list='https://www.youtube.com/playlist?list'

# -- a playlist
config null queue_max=4 playlist_max=50 prefetch=4 >"$dir/list.conf"
talk list
ask 'amy: ?playlist' 'Usage: playlist <link> \[n\]' "playlist: wrong use"
ask 'amy: ?playlist tuneAAAAAAA' 'Usage: playlist' "playlist: the link of a song"
ask "amy: ?playlist $list=PLthree 0" 'Usage: playlist' "playlist: no songs"
ask "amy: ?playlist $list=PLthree x" 'Usage: playlist' "playlist: no number"
ask "amy: ?playlist $list=--exec=x" 'Usage: playlist' "playlist: no option"
ask "amy: ?playlist $list=PLnone" 'Nothing was found' "playlist: there is none"
ask "amy: ?playlist $list=PLempty" 'Nothing was found' "playlist: an empty one"
ask "amy: ?play $list=PLthree" 'link of a playlist: playlist <link> queues' "play tells of playlist"
faults '{"media/*": {"rate": 60000}}'
ask "amy: ?playlist $list=PLthree" 'Queued 3 songs' "playlist: queued at once"
ask 'amy: ?np' 'Being fetched: The Test Tune' "playlist: the first one is fetched"
ask 'amy: ?queue' '2 waiting, .*: 1\. Loud Tones \(0:06, amy\) \| 2\. Quiet Noise \(0:06, amy\)' "playlist: the others wait, with titles and lengths"
hear 'Playing: The Test Tune' && ask 'boss: ?pause' 'Paused' "playlist: the first one plays"
ask_until 'amy: ?cache' 'Cache: 3 songs.*0 being fetched' "playlist: the others are fetched meanwhile"
grep -o 'publish youtube:[^ ]*' "$dir/list.log" | tr '\n' ' ' |
  grep -qx 'publish youtube:tuneAAAAAAA publish youtube:loudAAAAAAA publish youtube:-quietAAAAA '
ok $? "playlist: in order"
[ "$(stat_of resolve/playlist/PLthree requests)" = 1 ]; ok $? "playlist: one question for the list"
ask "bob: ?playlist https://youtube.com/watch?v=tuneAAAAAAA&list=PLthree 1" 'Queued 1 song\.' "playlist: as many as one likes, by another link"
ask "bob: ?playlist $list=PLthree" 'Queued 1 of 3 songs\. The queue is full \(4 songs\)' "playlist: as many as may wait"
ask 'boss: ?stop' 'Stopped' "stop"
ask "amy: ?playlist $list=PLholes" 'Queued 2 songs' "playlist: without what nobody may see"
ask 'boss: ?stop' 'Stopped' "stop again"

# -- what is there
ask 'amy: ?cached' 'Usage: cached <words>\|random\|top' "cached: wrong use"
ask 'amy: ?cached no such song' 'Nothing in the cache' "cached: nothing"
ask 'amy: ?cached ncore' 'Nothing in the cache' "cached: words, not pieces of them"
ask 'amy: ?cached TES tune' 'Nothing in the cache' "cached: only the last one may be unfinished"
ask 'amy: ?cached tun' 'Queued as #1: The Test Tune|Playing: The Test Tune' "cached: the only one is queued"
ask 'amy: ?cached encore' '#1 .* \| #2 .* \| #3 ' "cached: several are shown"
ask 'amy: ?cached top' '#1 .* \| #2 .* \| #3 ' "cached top"
ask 'amy: ?play #1' 'Queued as #[12]: |Playing: ' "and picked with play #n"
ask 'amy: ?cached random' 'Queued as #[23]: (The Test Tune|Loud Tones|Quiet Noise)|Playing: ' "cached random"
say 'boss: ?stop'
hang_up

# -- what is fetched ahead
songs () { printf '%s: ?play %s\n' amy loudAAAAAAA amy -quietAAAAA amy keptAAAAAAA >&7; }
hold () { # OPTION...: a bot whose room is held by a paused song
  name=$1
  shift
  rm -rf "$dir/cache/opus" "$dir/cache/encore.db"*
  curl -s -X POST "$url/reset" >/dev/null
  config null early=no "$@" >"$dir/$name.conf" # what plays is there
  talk "$name"
  ask 'boss: ?play tuneAAAAAAA' 'Playing: The Test Tune' "$name: a song plays"
  say 'boss: ?pause'
  hear 'Paused'
}
hold none prefetch=0
songs
hear 'Queued as #3'; ok $? "prefetch=0: three are queued"
ask 'amy: ?cache jobs' 'Nothing is being fetched' "prefetch=0: none of them is fetched before its turn"
ask 'boss: ?skip' 'Skipped: The Test Tune' "skip"
hear 'Playing: Loud Tones'; ok $? "prefetch=0: its turn comes"
[ "$(asked -quietAAAAA)" = 0 ]; ok $? "prefetch=0: the next one was not asked for"
say 'boss: ?stop'
hang_up

hold users prefetch=9 jobs=4 per_user_jobs=1
faults '{"media/*": {"rate": 15000}}'
songs
hear 'Queued as #3'; ok $? "per_user_jobs=1: three are queued"
ask_until 'amy: ?cache jobs' '^\[console\] Loud Tones [0-9]+ %$' "per_user_jobs=1: one of them is fetched"
[ "$(asked -quietAAAAA)" = 0 ]; ok $? "per_user_jobs=1: the others are not asked for meanwhile"
say 'bob: ?play shortAAAAAA'
ask_until 'amy: ?cache jobs' '^\[console\] (Loud Tones [^|]*\| (short|One)[^|]*|(short|One)[^|]*\| Loud Tones[^|]*)$' "per_user_jobs=1: and one of somebody else"
say 'boss: ?stop'
hang_up

hold jobs prefetch=9 jobs=2 per_user_jobs=0
faults '{"media/*": {"rate": 15000}}'
songs
hear 'Queued as #3'; ok $? "jobs=2: three are queued"
ask_until 'amy: ?cache jobs' '^\[console\] Loud Tones [0-9]+ %$' "jobs=2: one is fetched ahead"
[ "$(asked -quietAAAAA)" = 0 ]; ok $? "jobs=2: the others are not asked for meanwhile"
say 'bob: ?play shortAAAAAA'
hear 'Queued as #4' && ask 'amy: ?cache jobs' '^\[console\] Loud Tones [0-9]+ %$' "jobs=2: and no more"
ask 'boss: ?skip' 'Skipped: The Test Tune' "jobs=2: its turn comes"
hear 'Playing: Loud Tones' && ask 'boss: ?pause' 'Paused' "jobs=2: it plays"
ask_until 'amy: ?cache jobs' '^\[console\] Quiet Noise [0-9]+ %$' "jobs=2: now the next one is fetched ahead"
say 'boss: ?stop'
hang_up

# -- what cannot be had now is tried again when its turn comes
hold later prefetch=2 jobs=2
faults '{"resolve/video/loudAAAAAAA": {"status": 429, "times": 1}}'
ask 'amy: ?play loudAAAAAAA' 'Queued as #1' "a song is queued"
ask_until 'amy: ?cache backoff' 'nobody asks it for another' "the site refuses it"
ask 'amy: ?queue' '1 waiting' "it waits on"
ask 'boss: ?cache backoff lift' 'may be asked again' "the site may be asked again"
ask 'boss: ?skip' 'Skipped' "its turn comes"
hear 'Playing: Loud Tones'; ok $? "it is had"
say 'boss: ?stop'
hang_up

finish list none users jobs later
