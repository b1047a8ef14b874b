#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds the play lease (or with a third argument the lock) of ID in the file LOCKS until standard
input ends (encore-lock.c)."""
import fcntl
import struct
import sys

h = 0xcbf29ce484222325
for b in sys.argv[2].encode():
    h = (h ^ b) * 0x100000001b3 % 2**64
for m in (0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53):
    h = (h ^ h >> 33) * m % 2**64
h ^= h >> 33
f = open(sys.argv[1], 'r+b')
lock = len(sys.argv) > 3
F_OFD_SETLK, start = 37, (h & 0x1fffffffffffffff) << 1 | (not lock)
fcntl.fcntl(f, F_OFD_SETLK, struct.pack('hhqqi4x', fcntl.F_WRLCK if lock else fcntl.F_RDLCK, 0, start, 1, 0))
print('held', flush=True)
sys.stdin.read()
