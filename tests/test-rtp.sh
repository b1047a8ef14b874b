#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Music as RTP: two songs with a pause between them are one stream, nothing missing, the songs bit for bit; a program
# that knows nothing of us hears it.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need yt-dlp ffmpeg curl
start_site
mkfifo "$dir/receiver.in"
/usr/bin/python3 "$abs_top_srcdir/tests/rtp.py" "$dir/rtp" <"$dir/receiver.in" >"$dir/receiver" &
receiver=$!
trap 'kill "$receiver" 2>/dev/null; cleanup' EXIT
exec 7>"$dir/receiver.in"
until grep -q READY "$dir/receiver"; do pause 0.05; done
config "rtp://127.0.0.1:$(awk '{ print $2 }' "$dir/receiver")" early=no >"$dir/a.conf"
printf '?play https://youtu.be/keptAAAAAAA\n?play https://youtu.be/shortAAAAAA\n' | bot a
ok $? "two songs are sent"
exec 7>&-
wait "$receiver"
! grep BAD "$dir/rtp" | sed 's/^/# /' | grep .; ok $? "every datagram is RTP of one source, payload type 96"
for id in kept short; do packets "$(find "$dir/cache/opus" -name "${id}AAA*.opus")"; done >"$dir/songs"
awk '{ print $4 }' "$dir/rtp" | grep -vx "$silence_md5" | cmp -s - "$dir/songs"
ok $? "the songs are in it bit for bit"
awk '{ if (NR > 1 && ($1 - last + 65536) % 65536 != 1) bad++; last = $1 } END { exit bad > 0 || NR < 240 }' "$dir/rtp"
ok $? "no number is missing, none is double"
awk '{
  step = ($2 - last + 4294967296) % 4294967296
  if (NR == 1 ? !$3 : step % 960 || step == 0 || ((step != 960) != $3)) bad++
  last = $2
} END { exit bad > 0 }' "$dir/rtp"
ok $? "times go on in steps of 20 ms, the marker is where they jump"
awk 'NR == 1 { t = $2; ms = $5 } { drift = ($2 - t + 4294967296) % 4294967296 / 48 - ($5 - ms); if (drift < 0) drift = -drift; if (drift > most) most = drift }
  END { print "# clock of the stream and of the machine differ by at most " most " ms"; exit most > 200 }' "$dir/rtp"
ok $? "and with the clock, over the pause too"
port=$(/usr/bin/python3 -c '
import socket
while True:
    s = socket.socket(type=socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    if s.getsockname()[1] % 2 == 0: break
print(s.getsockname()[1])') # RTCP has the odd ones
printf 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio %s RTP/AVP 96\na=rtpmap:96 opus/48000/2\n' "$port" >"$dir/x.sdp"
ffmpeg -v error -protocol_whitelist file,udp,rtp -i "$dir/x.sdp" -c copy "$dir/heard.opus" </dev/null >"$dir/ffmpeg.log" 2>&1 &
listener=$!
bound () { grep -qi ":$(printf '%04X' "$port") " /proc/net/udp; }
until bound; do kill -0 "$listener" || break; pause 0.05; done
config "rtp://127.0.0.1:$port" early=no >"$dir/b.conf"
echo '?play https://youtu.be/keptAAAAAAA' | bot b
kill -INT "$listener"
wait "$listener"
packets "$dir/heard.opus" | grep -vx "$silence_md5" >"$dir/heard.md5"
packets "$(find "$dir/cache/opus" -name 'keptAAA*.opus')" | cmp -s - "$dir/heard.md5"
ok $? "ffmpeg hears it, bit for bit"
finish a b
