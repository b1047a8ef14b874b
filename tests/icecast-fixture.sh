# SPDX-License-Identifier: LGPL-2.1-or-later
# A real Icecast server on loopback and listeners.  Sourced after lib.sh; ended by process id.
need icecast2 ffmpeg ffprobe curl python3 opusinfo
icecast_pids=()
cleanup_icecast () {
  local pid
  for pid in "${icecast_pids[@]}"; do kill "$pid" 2>/dev/null; done
}
start_icecast () { # sets $icecast, its address, and $icecast_pid; again: at the same port
  local port=${icecast##*:}
  [ -n "${port:-}" ] || port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  icecast=http://127.0.0.1:$port
  mkdir -p "$dir/icecast/web" "$dir/icecast/admin"
  chmod 755 "$dir"
  chmod 777 "$dir/icecast"
  cat >"$dir/icecast/icecast.xml" <<EOF
<icecast><limits><clients>50</clients><sources>6</sources><queue-size>262144</queue-size><client-timeout>10</client-timeout>
<header-timeout>5</header-timeout><source-timeout>5</source-timeout><burst-on-connect>1</burst-on-connect><burst-size>4096</burst-size></limits>
<authentication><source-password>secret</source-password><admin-user>admin</admin-user><admin-password>admin</admin-password></authentication>
<hostname>localhost</hostname><listen-socket><port>$port</port><bind-address>127.0.0.1</bind-address></listen-socket>
<fileserve>1</fileserve><paths><basedir>$dir/icecast</basedir><logdir>$dir/icecast</logdir><webroot>$dir/icecast/web</webroot>
<adminroot>/usr/share/icecast2/admin</adminroot></paths><logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog><loglevel>3</loglevel></logging>
<security><chroot>0</chroot><changeowner><user>nobody</user><group>nogroup</group></changeowner></security></icecast>
EOF
  # asked while it starts, icecast2 2.4 dies now and then: then once more
  up_or_dead () { curl -so /dev/null "$icecast/" || ! kill -0 "$icecast_pid" 2>/dev/null; }
  local try
  for try in 1 2 3 4 5; do
    icecast2 -c "$dir/icecast/icecast.xml" >"$dir/icecast/out" 2>&1 &
    icecast_pid=$!
    icecast_pids+=($!)
    await up_or_dead && kill -0 "$icecast_pid" 2>/dev/null && return
    echo "# icecast2 died while it started ($try)"
  done
  return 1
}
stop_icecast () {
  kill "$icecast_pid"
  wait "$icecast_pid" 2>/dev/null
}
mounts () { curl -s -u admin:admin "$icecast/admin/listmounts"; }
on_air () { grep -q "mount=\"$1\"" < <(mounts); }
listeners () { # MOUNT
  curl -s -u admin:admin "$icecast/admin/listmounts" | /usr/bin/python3 -c '
import re, sys
found = re.search(r"mount=\"" + re.escape(sys.argv[1]) + r"\">.*?<listeners>(\d+)", sys.stdin.read(), re.S)
print(found[1] if found else -1)' "$1"
}
listen () { # NAME MOUNT: the stream as it comes, to $dir/NAME.opus; sets $listener
  curl -sN "$icecast$2" -o "$dir/$1.opus" &
  listener=$!
  icecast_pids+=($!)
  heard_bytes () { [ -s "$dir/$1.opus" ]; }
  await heard_bytes "$1"
}
# The room's own silence; $silence_md5 is what the plugin ends a song with.
room_silence_md5=$(printf '\xfc\xff\xfe' | md5sum | cut -d' ' -f1)
heard_in_order () { # NAME SONG...: NAME.opus has the packets of each SONG.md5 and nothing else; sets $heard
  packets "$dir/$1.opus" | grep -vx -e "$room_silence_md5" -e "$silence_md5" >"$dir/$1.md5"
  heard=$(/usr/bin/python3 - "$dir" "$@" <<'PY'
import sys
folder, ear, *songs = sys.argv[1:]
ear = open(f'{folder}/{ear}.md5').read().split()
at = 0
for name in songs:
    song = open(f'{folder}/{name}.md5').read().split()
    places = [i for i in range(at, len(ear) - len(song) + 1) if ear[i:i + len(song)] == song]
    if not song or not places:
        print(f'{name} was not heard whole')
        break
    at = places[0] + len(song)
else:
    print('all' if at == len(ear) else f'{len(ear) - at} packets of something else')
PY
  )
  [ "$heard" = all ]
}
