#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The loopback site behind the offline yt-dlp: catalogue, media, faults, counters.

    site.py MEDIA-DIR      prints "READY http://127.0.0.1:PORT"; ends with its standard input

GET  /resolve/video/ID  /resolve/search/WORDS  /resolve/playlist/ID  /media/ID/ITAG  /stats
POST /faults  {"media/ID/251": {"status": 403, "times": 1}}     POST /reset
Faults: delay status rate stall_at drop_at truncate_at body error
"""
import json
import os
import re
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.dont_write_bytecode = True
from playlists import playlist  # noqa: E402

media_dir = sys.argv[1]
with open(os.path.join(media_dir, 'catalogue.json'), encoding='utf-8') as f:
    catalogue = json.load(f)
lock = threading.Lock()
stats, faults, over = {}, {}, threading.Event()

TYPES = {'251': ('webm', 'opus', 48000, 'audio/webm'), '140': ('m4a', 'mp4a.40.2', 44100, 'audio/mp4')}


def count(key, **add):
    with lock:
        row = stats.setdefault(key, {'requests': 0, 'bytes': 0, 'open': 0, 'peak': 0})
        for name, n in add.items():
            row[name] += n
        row['peak'] = max(row['peak'], row['open'])


def fault_for(key):
    with lock:
        fault = faults.get(key) or faults.get(key.split('/')[0] + '/*')
        if not fault:
            return {}
        if 'times' in fault:
            if fault['times'] <= 0:
                return {}
            fault['times'] -= 1
        return dict(fault)


def video(video_id):
    asked = catalogue['aliases'].get(video_id, video_id)
    song = catalogue['videos'].get(asked)
    if song is None:
        return {'error': 'Video unavailable'}
    info = {'id': asked, 'webpage_url': 'https://www.youtube.com/watch?v=' + asked,
            'extractor_key': 'Youtube', 'live_status': 'not_live'}
    info.update({k: v for k, v in song.items() if k != 'files'})
    if 'error' in song:
        return {'error': song['error']}
    formats = []
    for itag, name in song.get('files', {}).items():
        ext, codec, rate, _ = TYPES[itag]
        formats.append({'format_id': itag, 'ext': ext, 'acodec': codec, 'vcodec': 'none', 'asr': rate,
                        'abr': 128, 'url': f'/media/{asked}/{itag}', 'protocol': 'http',
                        'filesize': os.path.getsize(os.path.join(media_dir, name)),
                        'container': ext + '_dash'})
    info['formats'] = formats
    return info


def search(words):
    wanted = re.findall(r'\w+', words.lower())
    hits = [{'id': i, 'title': s['title'], 'duration': s.get('duration')}
            for i, s in catalogue['videos'].items()
            if 'files' in s and wanted and all(w in s['title'].lower() for w in wanted)]
    return {'hits': hits}


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def answer(self, data, status=200, kind='application/json', headers=()):
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        with lock:
            if self.path == '/reset':
                stats.clear()
                faults.clear()
            elif self.path == '/faults':
                faults.update(json.loads(body))
        self.answer({})

    def do_GET(self):
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        key = path.strip('/')
        if key == 'stats':
            with lock:
                text = json.dumps(stats)
            return self.answer(text.encode())
        count(key, requests=1, open=1)
        try:
            self.serve(key, fault_for(key))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            count(key, open=-1)

    def serve(self, key, fault):
        over.wait(fault.get('delay', 0))
        if 'status' in fault:
            return self.answer({'error': 'fault'}, fault['status'])
        parts = key.split('/')
        if parts[:2] == ['resolve', 'video']:
            return self.answer({'error': fault['error']} if 'error' in fault else video(parts[2]))
        if parts[:2] == ['resolve', 'search']:
            return self.answer(search('/'.join(parts[2:])))
        if parts[:2] == ['resolve', 'playlist']:
            return self.answer(playlist(parts[2], catalogue['videos']))
        if parts[0] == 'media' and len(parts) == 3:
            return self.media(key, parts[1], parts[2], fault)
        return self.answer({'error': 'nothing here'}, 404)

    def media(self, key, video_id, itag, fault):
        with open(os.path.join(media_dir, catalogue['videos'][video_id]['files'][itag]), 'rb') as f:
            data = f.read()
        kind = TYPES[itag][3]
        if 'body' in fault:
            data, kind = fault['body'].encode(), 'text/html'
        if 'truncate_at' in fault:
            data = data[:fault['truncate_at']]
        total, start, end = len(data), 0, len(data)
        asked = re.match(r'bytes=(\d+)-(\d*)', self.headers.get('Range') or '')
        if asked:
            start = int(asked[1])
            end = min(int(asked[2]) + 1 if asked[2] else total, total)
            if start >= total:
                return self.answer(b'', 416, kind, [('Content-Range', f'bytes */{total}')])
        self.send_response(206 if asked else 200)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(end - start))
        self.send_header('Accept-Ranges', 'bytes')
        if asked:
            self.send_header('Content-Range', f'bytes {start}-{end - 1}/{total}')
        self.end_headers()
        self.send_bytes(key, data[start:end], start, fault)

    def send_bytes(self, key, data, offset, fault):
        step = 16384
        for i in range(0, len(data), step):
            chunk = data[i:i + step]
            for name in ('drop_at', 'stall_at'):
                if name in fault and offset + i + len(chunk) > fault[name]:
                    self.wfile.flush()
                    if name == 'stall_at':
                        over.wait(fault.get('stall_s', 3600))
                    self.close_connection = True
                    self.connection.close()
                    return
            self.wfile.write(chunk)
            count(key, bytes=len(chunk))
            if 'rate' in fault:
                over.wait(len(chunk) / fault['rate'])


server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f'READY http://127.0.0.1:{server.server_address[1]}', flush=True)
sys.stdin.buffer.read()
over.set()
server.shutdown()
