#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Receives RTP on loopback for the tests.

    rtp.py FILE     prints "READY PORT"; writes a line "NUMBER TIMESTAMP MARKER MD5 MS" for each datagram
                    until stdin ends; what is no RTP of ours is "BAD HEX"
"""
import hashlib
import select
import socket
import sys
import time

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(('127.0.0.1', 0))
print('READY', sock.getsockname()[1], flush=True)
ssrc = None
with open(sys.argv[1], 'w', encoding='ascii', buffering=1) as out:
    while True:
        ready = select.select([sock, 0], [], [])[0]
        if 0 in ready:
            break
        data = sock.recv(65536)
        ssrc = ssrc or data[8:12]
        if len(data) < 13 or data[0] != 0x80 or data[1] & 0x7f != 96 or data[8:12] != ssrc:
            print('BAD', data[:16].hex(), file=out)
            continue
        print(int.from_bytes(data[2:4], 'big'), int.from_bytes(data[4:8], 'big'), data[1] >> 7,
              hashlib.md5(data[12:]).hexdigest(), round(time.monotonic() * 1000), file=out)
