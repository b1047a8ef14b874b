#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes the songs of the offline site in DIR, once, encoded the way YouTube serves them, and
# catalogue.json: short synthetic ones where a test needs a known signal, and real music from small
# Debian packages, which are downloaded and unpacked but not installed.  Where these cannot be had
# DIR/no-music says why, the catalogue has the synthetic songs only, and a call ten minutes later tries
# again.  Several tests may ask at the same time.
#   make-media.sh DIR
set -euo pipefail
export LC_ALL=C.UTF-8
dir=$1
mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9
version=$(cksum < "$0")

if [ "$(cat "$dir/version" 2>/dev/null)" = "$version" ] &&
   { [ ! -f "$dir/no-music" ] || [ -z "$(find "$dir/no-music" -mmin +10)" ]; }; then
  exit 0
fi
rm -f "$dir/version"

# Encodes INPUT... in the background to DIR/OUTPUT, which appears when it is whole.
jobs=()
encode () { # OUTPUT INPUT... -- OPTION...
  local out=$1 input=()
  shift
  while [ "$1" != -- ]; do input+=("$1"); shift; done
  shift
  { ffmpeg -v error -y "${input[@]}" -map 0:a -map_metadata -1 -ac 2 -b:a 128k "$@" "$dir/tmp.$out" </dev/null &&
    mv "$dir/tmp.$out" "$dir/$out"; } &
  jobs+=($!)
}
opus () { # NAME INPUT...
  local name=$1
  shift
  encode "$name.251.webm" "$@" -- -c:a libopus -cues_to_front 1
}
aac () {
  local name=$1
  shift
  encode "$name.140.m4a" "$@" -- -c:a aac -movflags +dash+global_sidx -frag_duration 10000000
}

# ---- synthetic
tune='0.3*sin(2*PI*(220+55*floor(2*t))*t)+0.1*sin(2*PI*880*t)*exp(-3*mod(t\,0.5))'
for format in opus aac; do
  $format tune -f lavfi -i "aevalsrc=$tune|$tune:s=48000:d=8"
  $format quiet -f lavfi -i 'anoisesrc=d=6:c=pink:a=0.02:r=44100'
  $format loud -f lavfi -i 'aevalsrc=0.9*sin(2*PI*330*t)|0.9*sin(2*PI*495*t):s=48000:d=6'
done
# -16.3 LUFS
opus kept -f lavfi -i 'aevalsrc=0.153*sin(2*PI*997*t)|0.153*sin(2*PI*997*t):s=48000:d=4'
opus short -f lavfi -i 'sine=frequency=700:sample_rate=48000:duration=1'
# with a picture, only a picture, in fragments, no media at all
black='color=black:s=64x36:r=5:d=8'
ffmpeg -v error -y -f lavfi -i "aevalsrc=$tune|$tune:s=44100:d=8" -f lavfi -i "$black" -c:a aac -b:a 96k \
  -c:v libx264 -preset ultrafast -movflags +faststart "$dir/tune.18.mp4" </dev/null
ffmpeg -v error -y -f lavfi -i "$black" -c:v libvpx-vp9 -deadline realtime -cues_to_front 1 "$dir/tune.247.webm" </dev/null
rm -rf "$dir/tune.hls"
mkdir "$dir/tune.hls"
ffmpeg -v error -y -f lavfi -i "aevalsrc=$tune|$tune:s=44100:d=8" -c:a aac -b:a 128k -f hls -hls_time 2 \
  -hls_playlist_type vod -hls_segment_type fmp4 -hls_segment_filename "$dir/tune.hls/%d.m4s" "$dir/tune.hls/index.m3u8" </dev/null
# a stream that goes on: site.py tells of its fragments one by one
rm -rf "$dir/radio.hls"
mkdir "$dir/radio.hls"
ffmpeg -v error -y -f lavfi -i "aevalsrc=$tune|$tune:s=44100:d=60" -c:a aac -b:a 96k -f hls -hls_time 1 \
  -hls_playlist_type vod -hls_segment_type fmp4 -hls_segment_filename "$dir/radio.hls/%d.m4s" "$dir/radio.hls/index.m3u8" </dev/null
ffmpeg -v error -y -f lavfi -i "color=red:s=64x36:d=1" -frames:v 1 "$dir/thumb.jpg" </dev/null

# ---- real music

# Downloads PACKAGE and unpacks it in DIR/PACKAGE.
unpack () {
  local tmp=$dir/tmp.$1
  [ -d "$dir/$1" ] && return 0
  rm -rf "$tmp"
  mkdir -p "$tmp"
  if ! (cd "$tmp" && apt-get download -qq -o Acquire::Retries=0 -o Acquire::http::Timeout=15 "$1") >"$dir/log" 2>&1 ||
     ! dpkg-deb -x "$tmp/$1"_*.deb "$tmp" >>"$dir/log" 2>&1; then
    rm -rf "$tmp"
    echo "the package $1 cannot be had: $(grep -v '^W:' "$dir/log" | tail -1)"
    return 1
  fi
  rm -f "$tmp"/*.deb
  mv "$tmp" "$dir/$1"
}

rows=()
song () { # ID TITLE ARTIST FORMATS FILE: its media, and its row of the catalogue
  local id=$1 file=$dir/$5 files= format
  for format in $4; do
    $format "$id" -i "$file"
    [ $format = opus ] && format="\"251\": \"$id.251.webm\"" || format="\"140\": \"$id.140.m4a\""
    files+=${files:+, }$format
  done
  ln -sfn "$5" "$dir/$id.source" # for comparisons
  rows+=("$(printf '"%s": {"title": "%s", "uploader": "%s", "duration": %.0f, "files": {%s}}' "$id" "$2" "$3" \
    "$(ffprobe -v error -show_entries format=duration -of csv=p=0 "$file")" "$files")")
}

if reason=$(for package in tumiki-fighters-data parsec47-data asc-music; do unpack $package || exit 1; done); then
  rm -f "$dir/no-music"
  # Tumiki Fighters, 2004, Kenta Cho; BSD-2-Clause
  toy=tumiki-fighters-data/usr/share/games/tumiki-fighters/sounds
  song returnHomeA 'Return to Home' 'Kenta Cho' 'opus aac' $toy/return_to_home.ogg
  song gigantToyAA 'Here Comes a Gigantic Toy' 'Kenta Cho' opus $toy/here_comes_a_gigantic_toy.ogg
  song junkCityAAA 'Battle over the Junk City' 'Kenta Cho' opus $toy/battle_over_the_junk_city.ogg
  song meadowAAAAA 'Panic on Meadow' 'Kenta Cho' aac $toy/panic_on_meadow.ogg
  # PARSEC47, 2003, Kenta Cho; BSD-2-Clause
  song parsecOneAA 'PARSEC47, the first pattern' 'Kenta Cho' opus parsec47-data/usr/share/games/parsec47/sounds/ptn1.ogg
  # Advanced Strategic Command, 2002, Michael Kievernagel; GPL-2+
  asc=asc-music/usr/share/games/asc/music
  song machineWarA 'Machine Wars' 'Michael Kievernagel' aac $asc/machine_wars.mp3
  song strikeAAAAA 'Time to Strike' 'Michael Kievernagel' opus $asc/time_to_strike.mp3
else
  echo "$reason" >"$dir/no-music"
fi
for job in "${jobs[@]}"; do wait "$job"; done

# ---- the catalogue
{
  cat <<'JSON'
{"aliases": {"aliasShortA": "shortAAAAAA", "aliasTuneAA": "tuneAAAAAAA"},
 "videos": {
  "tuneAAAAAAA": {"title": "The Test Tune", "uploader": "Encore", "duration": 8, "files": {"251": "tune.251.webm", "140": "tune.140.m4a"}},
  "-quietAAAAA": {"title": "Quiet Noise", "uploader": "Encore", "duration": 6, "files": {"251": "quiet.251.webm", "140": "quiet.140.m4a"}},
  "loudAAAAAAA": {"title": "Loud Tones", "uploader": "Encore", "duration": 6, "files": {"251": "loud.251.webm"}},
  "aacOnlyAAAA": {"title": "Only AAC", "uploader": "Encore", "duration": 6, "files": {"140": "loud.140.m4a"}},
  "evilTitleAA": {"title": "../\"$(id)`x` %s%n\n<b>\u202eevil\u0000 /quit --exec=x", "uploader": "Encore", "duration": 6, "files": {"251": "loud.251.webm"}},
  "keptAAAAAAA": {"title": "Loud Enough", "uploader": "Encore", "duration": 4, "files": {"251": "kept.251.webm"}},
  "shortAAAAAA": {"title": "One Second", "uploader": "Encore", "duration": 1, "files": {"251": "short.251.webm"}},
  "wrongLenAAA": {"title": "Announced longer", "uploader": "Encore", "duration": 300, "files": {"251": "loud.251.webm"}},
  "tenHoursAAA": {"title": "Ten hours", "uploader": "Encore", "duration": 36000, "files": {"251": "tune.251.webm"}},
  "liveAAAAAAA": {"title": "Live", "uploader": "Encore", "live_status": "is_live", "is_live": true, "files": {"251": "tune.251.webm"}},
  "radioAAAAAA": {"title": "Radio Encore", "uploader": "Encore", "live_status": "is_live", "is_live": true, "files": {"234": "radio.hls"}},
  "wasLiveAAAA": {"title": "Was Live", "uploader": "Encore", "duration": 8, "live_status": "was_live", "was_live": true, "files": {"251": "tune.251.webm"}},
  "noLengthAAA": {"title": "No Duration", "uploader": "Encore", "files": {"251": "tune.251.webm", "140": "tune.140.m4a"}},
  "videoOnlyAA": {"title": "Only a Picture", "uploader": "Encore", "duration": 8, "files": {"247": "tune.247.webm"}},
  "withVideoAA": {"title": "Sound with a Picture", "uploader": "Encore", "duration": 8, "files": {"18": "tune.18.mp4"}},
  "hlsOnlyAAAA": {"title": "In Fragments", "uploader": "Encore", "duration": 8, "files": {"234": "tune.hls"}},
  "_underscorA": {"title": "-o /tmp/x ; rm -rf $HOME %(id)s {0} \u200b\u2066a\u2069 \ud83c\udfb5", "uploader": "\u0007\u001b[31m<script>", "duration": 6, "files": {"251": "loud.251.webm"}},
  "comingSoonA": {"title": "Coming Soon", "uploader": "Encore", "live_status": "is_upcoming", "release_timestamp": 4102444800, "files": {"251": "tune.251.webm"}},
  "upcomingAAA": {"error": "Premieres in 3 hours"},
  "limitedAAAA": {"error": "Video unavailable. This content isn\u2019t available, try again later. The current session has been rate-limited by YouTube for up to an hour."},
  "geoAAAAAAAA": {"error": "The uploader has not made this video available in your country"},
  "membersAAAA": {"error": "Join this channel to get access to members-only content like this video, and other exclusive perks."},
  "drmAAAAAAAA": {"error": "This video is DRM protected"},
  "privateAAAA": {"error": "Private video. Sign in if you've been granted access to this video"},
  "removedAAAA": {"error": "Video unavailable. This video has been removed by the uploader"},
  "botCheckAAA": {"error": "Sign in to confirm you\u2019re not a bot"},
  "ageAAAAAAAA": {"error": "Sign in to confirm your age. This video may be inappropriate for some users."},
JSON
  [ ${#rows[@]} = 0 ] || printf '  %s,\n' "${rows[@]}"
  cat <<'JSON'
  "noFormatsAA": {"title": "No formats", "uploader": "Encore", "duration": 6, "files": {}}
 }}
JSON
} >"$dir/catalogue.json.tmp"
mv "$dir/catalogue.json.tmp" "$dir/catalogue.json"
echo "$version" >"$dir/version"
