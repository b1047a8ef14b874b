# SPDX-License-Identifier: LGPL-2.1-or-later
"""A second Mumble client, written for the tests from the protocol and not from the bot's code.

Client joins a server, types, and keeps everything that it hears with the time at which it came.
"""
import array
import math
import select
import socket
import ssl
import struct
import subprocess
import threading
import time

(VERSION, TUNNEL, AUTHENTICATE, PING, REJECT, SYNC, CHANNEL_REMOVE, CHANNEL_STATE, USER_REMOVE, USER_STATE) = range(10)
TEXT, DENIED, ACL, QUERY, CONFIG = 11, 12, 13, 20, 24
PING_S = 5


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def pack(fields):
    """[(number, int, bool, str or bytes)] as protobuf"""
    out = b''
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(int(value))
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def unpack(data):
    """{number: [int or bytes]}"""
    out, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value
    while at < len(data):
        key = number()
        if key & 7 == 0:
            value = number()
        elif key & 7 == 2:
            size = number()
            value, at = data[at:at + size], at + size
        else:
            size = 8 if key & 7 == 1 else 4
            value, at = data[at:at + size], at + size
        out.setdefault(key >> 3, []).append(value)
    return out


def mumble_number(data, at):
    """(value, where the next begins) of Mumble's own kind of number"""
    first = data[at]
    for bits, extra in ((0x80, 0), (0xc0, 1), (0xe0, 2), (0xf0, 3)):
        if first < bits:
            value = first & (0x7f >> extra)
            break
    else:
        extra, value = {0xf0: (4, 0), 0xf4: (8, 0)}[first]
    for byte in data[at + 1:at + 1 + extra]:
        value = value << 8 | byte
    return value, at + 1 + extra


def to_mumble_number(value):
    """of at most 14 bits"""
    return bytes([value]) if value < 0x80 else bytes([0x80 | value >> 8, value & 0xff])


class Packet:
    """One voice packet as it came."""

    def __init__(self, body, when):
        self.when = when
        self.kind = body[0] >> 5
        self.session, at = mumble_number(body, 1)
        self.sequence, at = mumble_number(body, at)
        size, at = mumble_number(body, at)
        self.last = bool(size & 0x2000)
        self.opus = body[at:at + (size & 0x1fff)]
        self.whole = len(self.opus) == size & 0x1fff


def frame_ms(opus):
    config, count = opus[0] >> 3, opus[0] & 3
    if config < 12:
        ms = (10, 20, 40, 60)[config & 3]
    else:
        ms = (10, 20)[config & 1] if config < 16 else (2.5, 5, 10, 20)[config & 3]
    return ms * (1, 2, 2, opus[1] & 63 if len(opus) > 1 else 0)[count]


class Client:
    def __init__(self, port, name, password='', certificate=None, source=None, tokens=()):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(certificate)
        raw = socket.create_connection(('127.0.0.1', port), 10, source and (source, 0))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(raw)
        self.name, self.session, self.rejected = name, None, None
        self.channels, self.users, self.texts, self.voice = {}, {}, [], []
        self.denied, self.removed, self.acl, self.config, self.max_bandwidth = [], [], [], {}, None
        self.gone, self.deafened = False, False
        self.change, self.lock = threading.Condition(), threading.Lock()
        self.send(VERSION, [(1, 0x104ff), (5, 1 << 48 | 4 << 32 | 287 << 16), (2, 'listener')])
        self.send(AUTHENTICATE, [(1, name), (2, password)] + [(3, t) for t in tokens] + [(5, True)])
        self.pinged = time.monotonic()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        self.wait(lambda: self.session is not None and self.config or self.gone or self.rejected is not None)

    # ---- what the server says
    def receive(self):
        """what came within a second, None: nothing.  One thread at a time may be in a TLS connection, so nobody waits in it."""
        with self.lock:
            pending = self.socket.pending()
        if not pending and not select.select([self.socket], [], [], 1)[0]:
            return None
        with self.lock:
            self.socket.settimeout(0)
            try:
                return self.socket.recv(65536)
            except ssl.SSLWantReadError:
                return None
            finally:
                self.socket.settimeout(10)

    def run(self):
        data = b''
        while not self.gone:
            try:
                if time.monotonic() - self.pinged > PING_S:
                    self.pinged = time.monotonic()
                    self.send(PING, [(1, 1)])
                more = self.receive()
            except (OSError, ValueError):
                more = b''
            if more is None:
                continue
            when = time.monotonic()
            data += more
            with self.change:
                while len(data) >= 6:
                    kind, size = struct.unpack('>HI', data[:6])
                    if len(data) < 6 + size:
                        break
                    self.take(kind, data[6:6 + size], when)
                    data = data[6 + size:]
                self.gone = self.gone or not more
                self.change.notify_all()

    def take(self, kind, body, when):
        if kind == TUNNEL:
            self.voice.append(Packet(body, when))
            return
        message = unpack(body)
        first = {k: v[0] for k, v in message.items()}
        if kind == SYNC:
            self.session, self.max_bandwidth = first[1], first.get(2)
        elif kind == CHANNEL_STATE:
            self.channels.setdefault(first[1], {}).update(first)
        elif kind == CHANNEL_REMOVE:
            self.channels.pop(first[1], None)
        elif kind == USER_STATE:
            user = self.users.setdefault(first[1], {3: b'', 5: 0})
            user.update(first)
            user['changes'] = user.get('changes', 0) + 1
        elif kind == USER_REMOVE:
            self.removed.append(first)
            self.users.pop(first[1], None)
        elif kind == TEXT:
            self.texts.append((when, first.get(1), first.get(5, b'').decode(), 2 in message))
        elif kind == DENIED:
            self.denied.append(first)
        elif kind == REJECT:
            self.rejected = (first.get(1, 0), first.get(2, b'').decode())
        elif kind == ACL:
            self.acl.append(message)
        elif kind == CONFIG:
            self.config.update(first)

    # ---- what we say
    def send(self, kind, fields):
        body = pack(fields) if isinstance(fields, list) else fields
        with self.lock:
            self.socket.sendall(struct.pack('>HI', kind, len(body)) + body)

    def wait(self, condition, timeout=20):
        """what CONDITION, called whenever something changes, says in the end"""
        with self.change:
            return self.change.wait_for(condition, timeout)

    def find(self, path):
        at = 0
        for name in filter(None, path.split('/')):
            at = next((i for i, c in self.channels.items()
                       if c.get(2, 0) == at and c.get(3) == name.encode() and i != 0), None)
            if at is None:
                return None
        return at

    def join(self, path):
        at = self.find(path)
        if self.users[self.session][5] != at:
            self.send(USER_STATE, [(1, self.session), (5, at)])
        return self.wait(lambda: self.users[self.session][5] == at)

    def make_channel(self, name, parent=0):
        self.order(CHANNEL_STATE, [(2, parent), (3, name), (8, False)])
        return self.wait(lambda: any(c.get(3) == name.encode() for c in self.channels.values()))

    def user(self, name):
        """the session of NAME, which may still have to come"""
        def look():
            return next((s for s, u in self.users.items() if u[3] == name.encode()), None)
        self.wait(lambda: look() is not None)
        return look()

    def seen_off(self, *names):
        """the server has seen off those who had the NAMES: who comes next under one is somebody else"""
        return self.wait(lambda: not {n.encode() for n in names} & {u.get(3) for u in self.users.values()})

    def say(self, html, to=None):
        where = (3, self.users[self.session][5]) if to is None else (2, to)
        self.send(TEXT, [where, (5, html)])

    def speak(self, opus, sequence, last=False, target=0):
        """one packet of Opus; SEQUENCE counts 10 ms"""
        self.send(TUNNEL, bytes([0x80 | target]) + to_mumble_number(sequence)
                  + to_mumble_number(len(opus) | (0x2000 if last else 0)) + opus)

    def heard(self, what, since=0, private=None):
        return [t for t in self.texts[since:] if what in t[2] and private in (None, t[3])]

    def ask(self, html, what, to=None, timeout=20):
        """TRUE when a text with WHAT came after HTML was said"""
        since = len(self.texts)
        self.say(html, to)
        return bool(self.wait(lambda: self.heard(what, since), timeout))

    # ---- what only owners may; the server drops what comes too fast
    def order(self, kind, fields):
        rest = 1.1 - (time.monotonic() - getattr(self, 'ordered', 0))
        if rest > 0:
            time.sleep(rest)
        self.send(kind, fields)
        self.ordered = time.monotonic()

    def move(self, session, path):
        self.order(USER_STATE, [(1, session), (5, self.find(path))])

    def mute(self, session, on):
        self.order(USER_STATE, [(1, session), (6, on)])

    def kick(self, session, reason, ban=False):
        self.order(USER_REMOVE, [(1, session), (3, reason)] + [(4, True)] * ban)

    def remove_channel(self, path):
        at = self.find(path)
        self.order(CHANNEL_REMOVE, [(1, at)])
        return self.wait(lambda: at not in self.channels)

    def rules(self, path, entries=(), groups=()):
        """ENTRIES: (group, granted, denied); GROUPS: (name, members)"""
        fields = [(1, self.find(path)), (2, True)]
        for name, members in groups:
            fields.append((3, pack([(1, name), (2, False), (3, True), (4, True)] + [(5, m) for m in members])))
        for group, granted, denied in entries:
            fields.append((4, pack([(1, True), (2, True), (3, False), (5, group), (6, granted), (7, denied)])))
        self.order(ACL, fields)

    def close(self):
        self.gone = True
        self.thread.join()
        self.socket.close()


# ---- judging what was heard

STILL_MS = 200  # by so much the pacer is late before it lets slots go


class Heard:
    """What a list of packets of one speaker is worth."""

    def __init__(self, packets):
        self.packets = packets
        self.steps, self.gaps_ms = {}, []
        for a, b in zip(packets, packets[1:]):
            step = b.sequence - a.sequence
            if not a.last:
                self.steps[step] = self.steps.get(step, 0) + 1
                self.gaps_ms.append((b.when - a.when) * 1000)
        # where the machine stood still the sequence goes on with the clock: nothing was sent that could be lost
        self.stood_still = 0
        self.lost = 0
        for a, b in zip(packets, packets[1:]):
            missing = (b.sequence - a.sequence - 2) // 2
            if a.last or missing <= 0:
                continue
            if (b.when - a.when) * 1000 > STILL_MS and (b.when - a.when) * 1000 >= missing * 20:
                self.stood_still += missing
            else:
                self.lost += missing
        self.overlaps = sum(n for s, n in self.steps.items() if s < 2)
        self.ends = sum(p.last for p in packets)
        self.empty_ends = sum(p.last and not p.opus for p in packets)
        self.bad = sum(not p.whole or p.kind != 4 or frame_ms(p.opus) != 20 for p in packets)
        self.largest = max((len(p.opus) for p in packets), default=0)

    def bps(self):
        return sum(len(p.opus) for p in self.packets) * 8 / (len(self.packets) * 0.02) if self.packets else 0

    def gap(self, quantile):
        return sorted(self.gaps_ms)[min(int(len(self.gaps_ms) * quantile), len(self.gaps_ms) - 1)] if self.gaps_ms else 0

    def __str__(self):
        return (f'{len(self.packets)} packets, lost {self.lost}, stood still for {self.stood_still}, overlaps {self.overlaps}, bad {self.bad}, ends {self.ends}, '
                f'gap p50 {self.gap(.5):.2f} p99 {self.gap(.99):.2f} max {self.gap(1):.2f} ms, '
                f'{self.bps() / 1000:.1f} kbit/s, largest {self.largest}')


CRC = []
for byte in range(256):
    value = byte << 24
    for _ in range(8):
        value = (value << 1 ^ (0x04c11db7 if value & 0x80000000 else 0)) & 0xffffffff
    CRC.append(value)


def ogg_page(packet, granule, number, flags):
    lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
    page = struct.pack('<4sBBqIIIB', b'OggS', 0, flags, granule, 1, number, 0, len(lacing)) + lacing + packet
    crc = 0
    for byte_ in page:
        crc = (crc << 8 & 0xffffffff) ^ CRC[crc >> 24 ^ byte_]
    return page[:22] + struct.pack('<I', crc) + page[26:]


def write_ogg(path, packets):
    with open(path, 'wb') as out:
        out.write(ogg_page(b'OpusHead\x01\x02' + struct.pack('<HIhB', 312, 48000, 0, 0), 0, 0, 2))
        out.write(ogg_page(b'OpusTags' + struct.pack('<I', 4) + b'test' + struct.pack('<I', 0), 0, 1, 0))
        for i, opus in enumerate(packets):
            out.write(ogg_page(opus, 960 * (i + 1), i + 2, 4 if i == len(packets) - 1 else 0))


def read_ogg(path):
    """The packets of an Ogg Opus file without its two headers."""
    packets, part = [], b''
    with open(path, 'rb') as file:
        data = file.read()
    at = 0
    while at + 27 <= len(data):
        n = data[at + 26]
        lacing = data[at + 27:at + 27 + n]
        at += 27 + n
        for size in lacing:
            part += data[at:at + size]
            at += size
            if size < 255:
                packets.append(part)
                part = b''
    return packets[2:]


def energies(path, window_s=0.05):
    raw = subprocess.run(['ffmpeg', '-v', 'error', '-i', path, '-map', '0:a', '-ac', '1', '-ar', '16000', '-f', 'f32le', '-'],
                         check=True, stdin=subprocess.DEVNULL, capture_output=True).stdout
    samples = array.array('f', raw)
    step = int(16000 * window_s)
    return [math.sqrt(sum(x * x for x in samples[i:i + step]) / step) for i in range(0, len(samples) - step + 1, step)]


def correlation(source, recording):
    """of the energies of two files in windows of 50 ms, as far as the recording goes"""
    a, b = energies(source), energies(recording)
    n = min(len(a), len(b))
    a, b = a[:n], b[:n]
    mean_a, mean_b = sum(a) / n, sum(b) / n
    covariance = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b))
    spread = math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))
    return covariance / spread if spread else 0.0
