#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The loopback site behind the offline yt-dlp: media, faults, counters.

    site.py MEDIA-DIR      prints "READY http://127.0.0.1:PORT"; ends with its standard input

GET  /resolve/video/ID  /resolve/search/WORDS  /resolve/playlist/ID  /media/ID/ITAG  /hls/ID/NAME
     /thumb/ID  /stats
POST /faults  {"media/ID/251": {"status": 403, "times": 1}}     POST /reset

A fault belongs to a path, or to all that begin like it ("media/*").  Of every kind of path:
  times N            only the next N requests          after N        not the next N
  first_url          only URLs of the first resolve since the reset
  delay S            seconds before the answer
  status N           that answer, with retry_after S
  redirect URL       302
  body TEXT          HTML with status 200 instead of what was asked for
Of the bytes of media, hls and thumb; positions are those of the whole file:
  rate N             bytes per second                  slow_unless_range N   the same, unless a range is asked for
  stall_at N         silence from there on, for stall_s S (else for ever)
  drop_at N          the connection is closed there    drop_after N   ... after so many bytes of each answer
  rst                ... by RST instead of FIN
  truncate_at N      the file ends there, and every length agrees
  length N           Content-Length wrong by N; null: none at all
  no_range           ranges are ignored                gzip           claimed, but not done
  corrupt_at N       corrupt_bytes (1) bytes from there on are inverted
  forbid_from N      403 for what begins there or later, and what begins before is cut off there
  endless            the file again and again, without a length
  require {NAME: V}  403 without this request header; V null: without any
Of hls/radioAAAAAA/index.m3u8, a stream that goes on:
  end_after N        it ends with that fragment
Of resolve/video/ID:
  error TEXT         the extractor's failure           style          plain, chunk or dashy
  chunk_bytes N      of these styles                   expire_s S     the URL is 403 after that
  announce false     no filesize                       info, format   merged into the answer, null takes away
/stats/WHAT/PATH, and all in /stats: {path: {requests, bytes, open, peak, ranges}}; "all" sums the paths up, and its peak is that of media.
"""
import hashlib
import json
import os
import re
import socket
import struct
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.dont_write_bytecode = True
from catalogue import TYPES, Catalogue  # noqa: E402
from playlists import playlist  # noqa: E402

RANGES_MAX = 200
catalogue = Catalogue(sys.argv[1])
lock = threading.Lock()
stats, faults, resolves, radios, over = {}, {}, {}, {}, threading.Event()
eras = [0]  # how often all was reset


def count(era, key, asked_range=None, **add):
    """what of a request of before the last reset is still going on counts no more"""
    with lock:
        if era != eras[0]:
            return
        for name in (key, 'all'):
            row = stats.setdefault(name, {'requests': 0, 'bytes': 0, 'open': 0, 'peak': 0, 'ranges': []})
            for what, n in add.items():
                if what != 'open' or name == key or key.startswith('media/'):
                    row[what] += n
            row['peak'] = max(row['peak'], row['open'])
        if asked_range and len(stats[key]['ranges']) < RANGES_MAX:
            stats[key]['ranges'].append(asked_range)


def fault_for(key, resolve):
    with lock:
        fault = faults.get(key) or faults.get(key.split('/')[0] + '/*')
        if not fault or (fault.get('first_url') and resolve != '1'):
            return {}
        if fault.get('after', 0) > 0:
            fault['after'] -= 1
            return {}
        if 'times' in fault:
            if fault['times'] <= 0:
                return {}
            fault['times'] -= 1
        return dict(fault)


def next_resolve(video_id):
    with lock:
        resolves[video_id] = resolves.get(video_id, 0) + 1
        return resolves[video_id]


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
        if self.command != 'HEAD':
            self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        with lock:
            if self.path == '/reset':
                stats.clear()
                eras[0] += 1
                radios.clear()
                faults.clear()
                resolves.clear()
            elif self.path == '/faults':
                faults.update(json.loads(body))
        self.answer({})

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        key = urllib.parse.unquote(url.path).strip('/')
        if key == 'stats':
            with lock:
                text = json.dumps(stats)
            return self.answer(text.encode())
        if key.startswith('stats/'):
            what, _, path = key.removeprefix('stats/').partition('/')
            with lock:
                text = str(stats.get(path, {}).get(what, 0))
            return self.answer(text.encode())
        self.era = eras[0]
        count(self.era, key, requests=1, open=1, asked_range=self.headers.get('Range') or self.query.get('range'))
        try:
            self.serve(key, fault_for(key, self.query.get('n')))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            count(self.era, key, open=-1)

    do_HEAD = do_GET

    def serve(self, key, fault):
        over.wait(fault.get('delay', 0))
        if 'status' in fault:
            retry = [('Retry-After', str(fault['retry_after']))] if 'retry_after' in fault else []
            return self.answer({'error': 'fault'}, fault['status'], headers=retry)
        if 'redirect' in fault:
            return self.answer(b'', 302, headers=[('Location', fault['redirect'])])
        if 'body' in fault and key.startswith('resolve/'):
            return self.answer(fault['body'].encode(), kind='text/html')
        parts = key.split('/')
        if parts[:2] == ['resolve', 'video']:
            if 'error' in fault:
                return self.answer({'error': fault['error']})
            return self.answer(catalogue.video(parts[2], next_resolve(parts[2]), fault))
        if parts[:2] == ['resolve', 'search']:
            return self.answer(catalogue.search('/'.join(parts[2:])))
        if parts[:2] == ['resolve', 'playlist']:
            return self.answer(playlist(parts[2], catalogue.all['videos']))
        if parts[0] in ('media', 'hls') and len(parts) == 3:
            return self.media(key, parts, fault)
        if parts[0] == 'thumb':
            return self.send_file(key, os.path.join(catalogue.dir, 'thumb.jpg'), 'image/jpeg', fault)
        return self.answer({'error': 'nothing here'}, 404)

    def media(self, key, parts, fault):
        path = catalogue.path(parts[1], '234' if parts[0] == 'hls' else parts[2])
        if path and parts[0] == 'hls':
            path = os.path.join(path, os.path.basename(parts[2]))
        if not path or not os.path.exists(path):
            return self.answer({'error': 'no such media'}, 404)
        if path.endswith('/radio.hls/index.m3u8'):
            return self.radio(path, parts[1], fault)
        if float(self.query.get('expire', 'inf')) < time.time():
            return self.answer({'error': 'expired'}, 403)
        for name, value in fault.get('require', {}).items():
            if name not in self.headers or (value is not None and self.headers[name] != value):
                return self.answer({'error': 'a header is missing'}, 403)
        if parts[0] == 'media':
            kind = TYPES[parts[2]][1]
        else:
            kind = 'application/vnd.apple.mpegurl' if path.endswith('.m3u8') else 'video/mp4'
        self.send_file(key, path, kind, fault)

    def radio(self, path, video_id, fault):
        """The last fragments of a stream that began when it was first asked for, a second each."""
        with lock:
            began = radios.setdefault(video_id, time.time())
        with open(path, encoding='utf-8') as f:
            head, *fragments = re.split(r'(?=#EXTINF)', f.read().replace('#EXT-X-PLAYLIST-TYPE:VOD\n', ''))
        fragments = [text.replace('#EXT-X-ENDLIST\n', '') for text in fragments]
        end = min(fault.get('end_after', len(fragments)), len(fragments))
        there = min(int(time.time() - began) + 3, end)
        first = max(there - 5, 0)
        text = head.replace('SEQUENCE:0', f'SEQUENCE:{first}') + ''.join(fragments[first:there])
        self.answer((text + ('#EXT-X-ENDLIST\n' if there == end else '')).encode(), kind='application/vnd.apple.mpegurl')

    def asked_range(self, total, etag, fault):
        """(start, end, whether by the header)"""
        by_query = re.fullmatch(r'(\d+)-(\d+)', self.query.get('range', ''))
        by_header = re.fullmatch(r'bytes=(\d*)-(\d*)', self.headers.get('Range') or '')
        if self.headers.get('If-Range') not in (None, etag) or 'no_range' in fault:
            by_header = None
        if by_query and 'no_range' not in fault:
            return int(by_query[1]), min(int(by_query[2]) + 1, total), False
        if not by_header or by_header[0] == 'bytes=-':
            return 0, total, False
        if not by_header[1]:
            return max(total - int(by_header[2]), 0), total, True
        return int(by_header[1]), min(int(by_header[2]) + 1 if by_header[2] else total, total), True

    def send_file(self, key, path, kind, fault):
        with open(path, 'rb') as f:
            data = bytearray(f.read())
        if 'body' in fault:
            data, kind = bytearray(fault['body'].encode()), 'text/html'
        for i in range(fault.get('corrupt_at', len(data)), len(data))[:fault.get('corrupt_bytes', 1)]:
            data[i] ^= 0xff
        data = bytes(data[:fault.get('truncate_at')])
        etag = '"' + hashlib.sha256(data).hexdigest()[:16] + '"'
        total = len(data)
        if 'endless' in fault:
            fault = dict(fault, no_range=True, length=None)
        start, end, ranged = self.asked_range(total, etag, fault)
        if start >= total and total > 0:
            return self.answer(b'', 416, kind, [('Content-Range', f'bytes */{total}')])
        if start >= fault.get('forbid_from', total + 1):
            return self.answer({'error': 'forbidden'}, 403)
        self.send_response(206 if ranged else 200)
        self.send_header('Content-Type', kind)
        self.send_header('ETag', etag)
        if fault.get('length', 0) is None:
            self.send_header('Connection', 'close')
        else:
            self.send_header('Content-Length', str(max(end - start + fault.get('length', 0), 0)))
        if 'no_range' not in fault:
            self.send_header('Accept-Ranges', 'bytes')
        if 'gzip' in fault:
            self.send_header('Content-Encoding', 'gzip')
        if ranged:
            self.send_header('Content-Range', f'bytes {start}-{end - 1}/{total}')
        self.end_headers()
        if 'length' in fault:
            self.close_connection = True
        while 'endless' in fault and not over.is_set():
            self.send_bytes(key, data, start, end, dict(fault, rate=fault.get('rate')))
        if self.command != 'HEAD':
            bounded = end < total or (self.headers.get('Range') or '-')[-1] != '-' or 'range' in self.query
            self.send_bytes(key, data, start, end, dict(fault, rate=None if bounded and 'rate' not in fault else
                                                         fault.get('rate', fault.get('slow_unless_range'))))

    def send_bytes(self, key, data, start, end, fault):
        rate = fault['rate']
        stops = [fault[name] for name in ('drop_at', 'stall_at', 'forbid_from') if name in fault]
        if 'drop_after' in fault:
            stops.append(start + fault['drop_after'])
        stop = max(min(stops + [end]), start)
        step = min(16384, max(int(rate / 8), 1)) if rate else 16384
        for at in range(start, stop, step):
            chunk = data[at:min(at + step, stop)]
            self.wfile.write(chunk)
            count(self.era, key, bytes=len(chunk))
            if rate:
                over.wait(len(chunk) / rate)
        if stop < end:
            self.break_off(stop == fault.get('stall_at'), fault)

    def break_off(self, stall, fault):
        self.wfile.flush()
        if stall:
            over.wait(fault.get('stall_s', 3600))
        if 'rst' in fault:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.close_connection = True
        if 'rst' in fault:  # no FIN first
            self.rfile.close()
            self.wfile.close()
            os.close(self.connection.detach())
        else:
            self.connection.shutdown(socket.SHUT_WR)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (OSError, ValueError)):  # the client has gone, or we closed it
            super().handle_error(request, client_address)


server = Server(('127.0.0.1', 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f'READY http://127.0.0.1:{server.server_address[1]}', flush=True)
sys.stdin.buffer.read()
over.set()
server.shutdown()
