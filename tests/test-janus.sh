#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The Janus recipe as weechat-encore.7 prints it, given to a real janus on loopback: nothing has come before we play,
# RTP comes while we do, and a browser would be offered Opus.  The ports alone are changed.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need yt-dlp ffmpeg curl janus openssl
libs=
for place in /usr/lib/*/janus /usr/lib/janus; do [ -d "$place/plugins" ] && libs=$place; done
[ -f "$libs/plugins/libjanus_streaming.so" ] && [ -f "$libs/transports/libjanus_http.so" ] ||
  { echo "1..0 # SKIP janus has no streaming plugin or no HTTP transport"; exit 0; }
start_site

# -- the recipe out of the manual's source
manual=$abs_top_srcdir/data/weechat-encore.7
sed -n '/In janus\.plugin\.streaming\.jcfg:$/,/^\.fi$/p' "$manual" |
  sed -n '/^\.RS$/,/^\.RE$/{//!p}' >"$dir/recipe"
grep -q '^music: {$' "$dir/recipe" && [ "$(tail -n 1 "$dir/recipe")" = '}' ]; ok $? "the manual has a recipe"
port=$(sed -n 's/^ *audioport = \([0-9]*\)$/\1/p' "$dir/recipe")
[ -n "$port" ] && grep -q "encore\.voice\.url rtp://127\.0\.0\.1:$port\." "$manual"
ok $? "and names the address that belongs to it"
[ "$n$failed" = 20 ] || finish
read -r http rtp < <(/usr/bin/python3 -c '
import socket
a = socket.socket(); a.bind(("127.0.0.1", 0))
while True:
    s = socket.socket(type=socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    if s.getsockname()[1] % 2 == 0: break
print(a.getsockname()[1], s.getsockname()[1])')

# -- janus with it, and with nothing else than it needs
mkdir "$dir/janus" "$dir/plugins" "$dir/transports"
ln -s "$libs/plugins/libjanus_streaming.so" "$dir/plugins/"
ln -s "$libs/transports/libjanus_http.so" "$dir/transports/"
sed "s/^\( *audioport = \)$port$/\1$rtp/" "$dir/recipe" >"$dir/janus/janus.plugin.streaming.jcfg"
printf 'general: {\n  json = "compact"\n  base_path = "/janus"\n  http = true\n  port = %s\n  ip = "127.0.0.1"\n  https = false\n}\nadmin: {\n  admin_http = false\n}\n' \
  "$http" >"$dir/janus/janus.transport.http.jcfg"
printf 'general: {\n  configs_folder = "%s"\n  plugins_folder = "%s"\n  transports_folder = "%s"\n  events_folder = "%s"\n  loggers_folder = "%s"\n  interface = "127.0.0.1"\n  debug_colors = false\n}\nnat: {\n  ice_enforce_list = "lo"\n}\nmedia: {\n}\nevents: {\n  broadcast = false\n}\n' \
  "$dir/janus" "$dir/plugins" "$dir/transports" "$dir/none" "$dir/none" >"$dir/janus/janus.jcfg"
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=test -days 2 -keyout "$dir/janus/key" -out "$dir/janus/cert" 2>/dev/null
janus -C "$dir/janus/janus.jcfg" -F "$dir/janus" -c "$dir/janus/cert" -k "$dir/janus/key" </dev/null >"$dir/janus.log" 2>&1 &
janus=$!
trap 'kill "$janus" 2>/dev/null; wait "$janus" 2>/dev/null; cleanup' EXIT

api=http://127.0.0.1:$http/janus
field () { # PATH, such as data.id: of the JSON on stdin
  /usr/bin/python3 -c '
import json, sys
value = json.load(sys.stdin)
for key in sys.argv[1].split("."):
    value = value[int(key)] if isinstance(value, list) else value[key]
print(value)' "$1" 2>/dev/null
}
post () { curl -sS --max-time 10 -H 'Content-Type: application/json' -d "$2" "$1"; } # URL JSON
session=
until session=$(post "$api" '{"janus":"create","transaction":"1"}' 2>/dev/null | field data.id); do
  kill -0 "$janus" 2>/dev/null && [ $SECONDS -lt 40 ] || break
  pause 0.05
done
[ -n "$session" ]; ok $? "janus starts with the recipe"
handle=$(post "$api/$session" '{"janus":"attach","plugin":"janus.plugin.streaming","transaction":"2"}' | field data.id)
info () { # what the mountpoint says of itself
  post "$api/$session/$handle" '{"janus":"message","transaction":"3","body":{"request":"info","id":1}}' >"$dir/info"
}
age () { info && field plugindata.data.info.media.0.age_ms <"$dir/info"; } # since the last packet, or the start
info && [ "$(field plugindata.data.info.type <"$dir/info")" = live ] &&
  [ "$(field plugindata.data.info.media.0.type <"$dir/info")" = audio ]
ok $? "it has a live mountpoint for audio"
older () { # MS: within 10 s
  local end=$((SECONDS + 10)) now
  until now=$(age) && [ "${now:-0}" -gt "$1" ]; do
    [ $SECONDS -lt $end ] && kill -0 "$janus" 2>/dev/null || return 1
    pause 0.05
  done
  return 0
}
older 500; ok $? "nothing comes to it: it grows old"

# -- we play: younger than before, and again and again
config "rtp://127.0.0.1:$rtp" early=no >"$dir/a.conf"
: >"$dir/a.out"
(echo '?play https://youtu.be/keptAAAAAAA' | bot a; echo $? >"$dir/status") &
player=$!
fresh=0
worst=0
while [ $fresh -lt 10 ] && kill -0 "$player" 2>/dev/null; do
  now=$(age)
  if [ -n "$now" ] && [ "$now" -lt 100 ]; then
    fresh=$((fresh + 1))
    [ "$now" -gt $worst ] && worst=$now
  fi
  pause 0.05
done
echo "# ten looks with RTP younger than 100 ms, the oldest $worst ms"
[ $fresh = 10 ]; ok $? "RTP of ours comes to it while a song plays"
post "$api/$session/$handle" '{"janus":"message","transaction":"4","body":{"request":"watch","id":1}}' >"$dir/watch"
offer=
for _ in 1 2 3 4 5; do # events are polled for
  curl -sS --max-time 10 "$api/$session?maxev=1" >"$dir/event"
  offer=$(field jsep.sdp <"$dir/event") && break
done
grep -qi '^a=rtpmap:[0-9]* opus/48000/2' <<<"$offer" && grep -q '^a=fmtp:[0-9]* .*stereo=1' <<<"$offer"
ok $? "who watches is offered stereo Opus"
wait "$player"
[ "$(cat "$dir/status")" = 0 ]; ok $? "the song ends well"
older 500; ok $? "and its mountpoint grows old again"
kill "$janus"
wait "$janus" 2>/dev/null
ok $? "janus leaves when told"
[ $failed = 0 ] || { tail -n 40 "$dir/janus.log"; cat "$dir"/info "$dir"/watch "$dir"/event; } 2>/dev/null | sed 's/^/# janus: /'
finish a
