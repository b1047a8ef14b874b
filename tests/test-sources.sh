#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Songs that are not on YouTube: files at an address, and other sites, where the option sources allows
# them.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need yt-dlp ffmpeg curl sqlite3
start_site
port=${url##*:}
file=$url/media/tuneAAAAAAA/251
chat () { # NAME [LINE-OF-[encore]...]: chat from stdin
  config null prefetch=0 "${@:2}" >"$dir/$1.conf"
  sed "s/allow_private=yes/allow_private=${private:-yes}/" -i "$dir/$1.conf"
  bot "$1"
}
told () { grep -qF -- "$2" "$dir/$1.out"; }
cached () { sqlite3 "$dir/cache/encore.db" "SELECT count(*) FROM entry WHERE id LIKE '$1' AND state = 1"; }
check () { # NAME-OF-THE-BOT NAME: after a test
  local rc=$?
  ok $rc "$2"
  [ $rc = 0 ] || sed 's/^/# /' "$dir/$1.out" "$dir/$1.log"
}

# -- nothing but YouTube, unless it is said
printf '?play %s\n?play https://songs.example/tuneAAAAAAA\n' "$file" | chat default
! grep -q Playing "$dir/default.out" && [ "$(stat_of all requests)" = 0 ]; check default "not asked for: nothing is reached"
printf '?play https://songs.example/shortAAAAAA.mp3\n?play file:///etc/passwd\n?play ftp://127.0.0.1/x.mp3\n' | private=no chat schemes sources=any
! grep -q Playing "$dir/schemes.out" && ! ls "$dir"/cache/opus/*/* >/dev/null 2>&1; check schemes "odd schemes"

# -- a file at an address
printf '?play %s\n' "$file" | private=no chat private sources=http
grep -q 'no public address' "$dir/private.log" && [ "$(stat_of all requests)" = 0 ]; check private "a private address is not connected to"
rm -rf "$dir/cache"
printf '?play %s#t=3\n' "$file" | chat http sources=http
told http 'Playing: 251 (' && [ "$(cached 'http-%')" = 1 ] && [ "$(stat_of media/tuneAAAAAAA/251 requests)" = 1 ]; check http "a file at an address is played"
printf '?play HTTP://127.0.0.1:%s/media/tuneAAAAAAA/251\n' "$port" | chat again sources=http ytdlp=/nonexistent
told again 'Playing: 251' && [ "$(stat_of media/tuneAAAAAAA/251 requests)" = 1 ]; check again "once, whatever its spelling; and without yt-dlp"
[ "$(stat_of resolve/video/tuneAAAAAAA requests)" = 0 ]; check again "nobody is asked what it is"
[ "$(sqlite3 "$dir/cache/encore.db" "SELECT url FROM entry WHERE id LIKE 'http-%'")" = "$file" ]; check again "its row says where it came from"
curl -s -X POST -d '{"media/loudAAAAAAA/251": {"body": "<html>"}, "media/aacOnlyAAAA/140": {"status": 403}}' "$url/faults" >/dev/null
printf '?play %s/media/loudAAAAAAA/251\n?play %s/media/aacOnlyAAAA/140\n?play %s/media/none/1\n' "$url" "$url" "$url" | chat faults sources=http
[ "$(grep -c 'Cannot play' "$dir/faults.out")" = 3 ] && [ "$(cached 'http-%')" = 1 ] && told faults 'no whole song'; check faults "a page, a refusal, nothing there: told, and not kept"
curl -s -X POST "$url/reset" >/dev/null
curl -s -X POST -d '{"media/loudAAAAAAA/140": {"status": 429}}' "$url/faults" >/dev/null
printf '?play %s/media/loudAAAAAAA/140\n?play shortAAAAAA\n' "$url" | chat limit sources=http
[ "$(grep -c 'Cannot play' "$dir/limit.out")" = 1 ] && told limit 'Playing: One Second'; check limit "a server that wants fewer requests does not keep us from YouTube"

ffmpeg -v error -f lavfi -i 'sine=frequency=440:duration=4' -write_xing 0 -id3v2_version 0 -b:a 128k "$dir/bare.mp3"
/usr/bin/python3 - "$dir/bare.mp3" >"$dir/bare.port" <<'END' &
import socket, sys
listener = socket.create_server(('127.0.0.1', 0))
print(listener.getsockname()[1], flush=True)
with open(sys.argv[1], 'rb') as f:
    sound = f.read()
for framing in (b'Connection: close', b'Content-Length: %d' % len(sound)):  # cut off without a length, then whole
    client = listener.accept()[0]
    client.recv(65536)
    client.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n' + framing + b'\r\n\r\n')
    client.sendall(sound[:len(sound) // 2] if framing.startswith(b'Conn') else sound)
    client.close()
END
await test -s "$dir/bare.port"
bare=http://127.0.0.1:$(cat "$dir/bare.port")
printf '?play %s/cut.mp3\n?play %s/whole.mp3\n' "$bare" "$bare" | chat bare sources=http early=no
! told bare 'Playing: cut' && grep -q 'where it ends' "$dir/bare.log" && told bare 'Playing: whole (0:04)'; check bare "half a song whose length nobody told is no song"

# -- other sites
printf '?play https://songs.example/tuneAAAAAAA?from=chat\n' | chat site sources=any
told site 'Playing: The Test Tune' && [ "$(cached 'songs-%')" = 1 ]; check site "another site's song is played"
requests=$(stat_of all requests)
printf '?play https://songs.example/tuneAAAAAAA?from=chat\n' | chat hit sources=any ytdlp=/nonexistent
told hit 'Playing: The Test Tune' && [ "$(stat_of all requests)" = "$requests" ]; check hit "from the cache the next time"
printf '?play tuneAAAAAAA\n' | chat youtube sources=any
told youtube 'Playing: The Test Tune' && [ "$(cached tuneAAAAAAA)" = 1 ] && [ "$(cached 'songs-%')" = 1 ]; check youtube "the same id at YouTube is another song"
printf '?play http://127.0.0.1:%s/page\n' "$port" | private=no chat generic sources=any
! told generic Playing && [ "$(stat_of page requests)" = 0 ]; check generic "yt-dlp does not ask addresses of sites that it does not know"
curl -s -X POST "$url/reset" >/dev/null
printf '?play http://127.0.0.1:%s/Mediasite/Play/2db6c271681e4f199af3c60d1f82869b1d\n' "$port" | private=no chat anyhost sources=any
grep -q 'no public address' "$dir/anyhost.log" && [ "$(stat_of all requests)" = 0 ]; check anyhost "nor private addresses with a page of a kind that it knows at any host"
printf '?play https://www.youtube.com/playlist?list=PLxxxxxxxxxxxxxxx\n' | chat playlist sources=any
! told playlist Playing && ! told playlist Fetching; check playlist "a playlist of YouTube is no song of another site"
"$top/encore-cache" --config "$dir/site.conf" fetch "https://songs.example/loudAAAAAAA" >"$dir/out" 2>&1
[ $? = 0 ] && [ "$(cached 'songs-%')" = 2 ]; ok $? "encore-cache fetch takes them, too"
finish
