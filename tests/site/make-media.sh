#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes the songs of the offline site in DIR, once: short synthetic ones, encoded the way YouTube
# serves them, and catalogue.json.  Several tests may ask at the same time.
#   make-media.sh DIR
set -euo pipefail
dir=$1
mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9
[ -f "$dir/catalogue.json" ] && exit 0

encode () { # NAME FILTER
  ffmpeg -v error -y -f lavfi -i "$2" -map_metadata -1 -c:a libopus -b:a 128k -cues_to_front 1 "$dir/$1.251.webm" </dev/null
  ffmpeg -v error -y -f lavfi -i "$2" -map_metadata -1 -c:a aac -b:a 128k -movflags +dash+global_sidx -frag_duration 10000000 "$dir/$1.140.m4a" </dev/null
}
tune='0.3*sin(2*PI*(220+55*floor(2*t))*t)+0.1*sin(2*PI*880*t)*exp(-3*mod(t\,0.5))'
encode tune "aevalsrc=$tune|$tune:s=48000:d=8"
encode quiet 'anoisesrc=d=6:c=pink:a=0.02:r=44100'
encode loud 'aevalsrc=0.9*sin(2*PI*330*t)|0.9*sin(2*PI*495*t):s=48000:d=6'

cat > "$dir/catalogue.json.tmp" <<'JSON'
{"aliases": {"aliasTuneAA": "tuneAAAAAAA"},
 "videos": {
  "tuneAAAAAAA": {"title": "The Test Tune", "uploader": "Encore", "duration": 8, "files": {"251": "tune.251.webm", "140": "tune.140.m4a"}},
  "-quietAAAAA": {"title": "Quiet Noise", "uploader": "Encore", "duration": 6, "files": {"251": "quiet.251.webm", "140": "quiet.140.m4a"}},
  "loudAAAAAAA": {"title": "Loud Tones", "uploader": "Encore", "duration": 6, "files": {"251": "loud.251.webm"}},
  "aacOnlyAAAA": {"title": "Only AAC", "uploader": "Encore", "duration": 6, "files": {"140": "loud.140.m4a"}},
  "evilTitleAA": {"title": "../\"$(id)`x` %s%n\n<b>\u202eevil\u0000 /quit --exec=x", "uploader": "Encore", "duration": 6, "files": {"251": "loud.251.webm"}},
  "wrongLenAAA": {"title": "Announced longer", "uploader": "Encore", "duration": 300, "files": {"251": "loud.251.webm"}},
  "tenHoursAAA": {"title": "Ten hours", "uploader": "Encore", "duration": 36000, "files": {"251": "tune.251.webm"}},
  "liveAAAAAAA": {"title": "Live", "uploader": "Encore", "live_status": "is_live", "is_live": true, "files": {"251": "tune.251.webm"}},
  "upcomingAAA": {"error": "Premieres in 3 hours"},
  "privateAAAA": {"error": "Private video. Sign in if you've been granted access to this video"},
  "removedAAAA": {"error": "Video unavailable. This video has been removed by the uploader"},
  "botCheckAAA": {"error": "Sign in to confirm you\u2019re not a bot"},
  "ageAAAAAAAA": {"error": "Sign in to confirm your age. This video may be inappropriate for some users."},
  "noFormatsAA": {"title": "No formats", "uploader": "Encore", "duration": 6, "files": {}}
 }}
JSON
mv "$dir/catalogue.json.tmp" "$dir/catalogue.json"
