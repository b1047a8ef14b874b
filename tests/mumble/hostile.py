# SPDX-License-Identifier: LGPL-2.1-or-later
"""A server that is none, or a bad one: the bot says so, lives, and works when there is a good one again."""
import random
import socket
import ssl
import struct
import threading
import time

from client import (ACL, CHANNEL_STATE, CONFIG, DENIED, QUERY, SYNC, TEXT, TUNNEL, USER_REMOVE, USER_STATE, pack, unpack)
from fixture import Bot, await_that, certificate, finish, note, ok

FRAMES = 20000
US, AMY = 7, 8
HASH = 'ab' * 20
random.seed(20)


def frame(kind, fields):
    body = pack(fields) if isinstance(fields, list) else fields
    return struct.pack('>HI', kind, len(body)) + body


LOGIN = [
    (CHANNEL_STATE, [(1, 0), (3, 'Root')]), (USER_STATE, [(1, US), (3, 'encore')]),
    (USER_STATE, [(1, AMY), (3, 'amy'), (15, HASH)]), (SYNC, [(1, US), (2, 72000)]), (CONFIG, [(1, 558000), (3, True), (4, 5000)])]
SAMPLES = LOGIN + [
    (CHANNEL_STATE, [(1, 1), (2, 0), (3, 'Music')]), (6, [(1, 1)]), (USER_STATE, [(1, US), (2, AMY), (6, True)]),
    (USER_STATE, [(1, AMY), (10, True), (14, '<b>me</b>')]), (USER_REMOVE, [(1, 9)]),
    (TEXT, [(1, AMY), (3, 0), (5, '?play <a href="https://youtu.be/tuneAAAAAAA">x</a>')]), (TEXT, [(1, AMY), (2, US), (5, '?np')]),
    (DENIED, [(1, 8), (4, 1)]), (ACL, [(1, 0), (3, pack([(1, 'staff'), (5, 1)]))]), (QUERY, [(1, 0), (2, 15), (3, True)]),
    (TUNNEL, bytes([128, AMY, 2, 3, 1, 2, 3])), (25, [(1, 1)])]


def mutant():
    kind, fields = random.choice(SAMPLES)
    body = bytearray(pack(fields) if isinstance(fields, list) else fields)
    for _ in range(random.choice((0, 1, 1, 2, 8))):
        what = random.randrange(4)
        at = random.randrange(len(body) + 1)
        if what == 0 and body:
            body[at % len(body)] = random.randrange(256)
        elif what == 1:
            body[at:at] = random.randbytes(random.choice((1, 4, 200)))
        elif what == 2:
            del body[at:]
        else:
            kind = random.randrange(27)
    # what would only end it: refused, thrown out
    return b'' if kind in (4, 8) else frame(kind, bytes(body))


class Hostile:
    def __init__(self):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate('hostile'))
        self.context.verify_mode = ssl.CERT_NONE
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.acts, self.came, self.texts = [], 0, []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            raw = self.listener.accept()[0]
            act = self.acts[min(self.came, len(self.acts) - 1)]
            self.came += 1
            try:
                act(self, raw)
            except OSError as error:
                note(f'{act.__name__}: {error}')
            raw.close()

    def tls(self, raw):
        return self.context.wrap_socket(raw, server_side=True)

    def drain(self, sock):
        """reads what the bot says until nothing comes"""
        sock.settimeout(0.01)
        try:
            while sock.recv(65536):
                pass
        except (socket.timeout, ssl.SSLWantReadError):
            pass
        sock.settimeout(20)


def no_tls(server, raw):
    raw.sendall(b'220 mail.example ESMTP ready\r\n' * 100)
    raw.recv(1000)


def cuts(server, raw):
    raw.recv(100)


def too_long(server, raw):
    sock = server.tls(raw)
    sock.sendall(struct.pack('>HI', 0, 0x800000) + b'x' * 1000)
    while sock.recv(1000):  # until it has gone
        pass
    sock.close()


def mutants(server, raw):
    sock = server.tls(raw)
    sock.sendall(b''.join(frame(*f) for f in LOGIN))
    data = b''.join(mutant() for _ in range(FRAMES))
    while data:
        n = random.choice((1, 7, 100, 4000, 16000))
        sock.sendall(data[:n])
        data = data[n:]
        if random.random() < 0.05:
            server.drain(sock)
    server.drain(sock)
    sock.close()


def good(server, raw):
    sock = server.tls(raw)
    sock.sendall(b''.join(frame(*f) for f in LOGIN))
    data, asked = b'', 0
    while True:
        if time.monotonic() - asked > 2:  # there may be no room for the answer yet, after such a crowd
            asked = time.monotonic()
            sock.sendall(frame(TEXT, [(1, AMY), (2, US), (5, '?whoami')]))
        more = sock.recv(65536)
        if not more:
            break
        data += more
        while len(data) >= 6 and len(data) >= 6 + struct.unpack('>I', data[2:6])[0]:
            kind, size = struct.unpack('>HI', data[:6])
            if kind == TEXT:
                server.texts.append(unpack(data[6:6 + size])[5][0].decode())
            data = data[6 + size:]
    sock.close()


server = Hostile()
server.acts = [no_tls, cuts, too_long, mutants, good]
bot = Bot(server, user='encore')
again = r'.*; tried again in'
ok(bot.says(f'(?s){again}.*{again}', 60), 'what speaks no TLS, or cuts it, is told and tried again')
ok(bot.says(f'the server sends what is no Mumble protocol{again}', 20), 'a frame that is too long ends the connection')
ok(bot.says(r'(?s)no Mumble protocol.*here in the root channel', 20), 'the next one is let in')
start = time.monotonic()
ok(bot.says(r'(?s)here in the root channel.*; tried again', 60),
   f'{FRAMES} frames that were changed at random do not bring it down')
note(f'after {time.monotonic() - start:.1f} s')
ok(bot.says('back in the root channel', 60), 'it comes back when the server is good again')


ok(await_that(lambda: any(f'cert:{HASH}' in text for text in list(server.texts)), 30), 'and answers')
ok(bot.stop() == 0, 'SIGTERM ends it in order')
ok('Sanitizer' not in bot.log() and 'CRITICAL' not in bot.log() and 'WARNING **' not in bot.log(), 'nothing in its log that should not be')
finish()
