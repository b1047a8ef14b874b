#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Does FILE, a decoded recording of a room, sound like SOURCE?  Compares their energy over time.

    envelope.py SOURCE FILE [PACKETS]

PACKETS: the Ogg Opus file from which FILE was decoded.  Frames of silence in it before the last five stand for
slots in which the machine was late; they are cut out, since they shift what follows.
Prints "CORRELATION DB": of the RMS values of 100 ms windows, and the level of FILE against SOURCE in dB.
"""
import array
import math
import subprocess
import sys

RATE, CHANNELS, WINDOW, FRAME, PRE_SKIP, SILENCE_BYTES = 48000, 2, 4800, 960, 312, 3


def output_of(*command):
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True).stdout


def decode(path):
    return array.array('f', output_of('ffmpeg', '-v', 'error', '-i', path, '-map', '0:a', '-ac', str(CHANNELS),
                                      '-ar', str(RATE), '-f', 'f32le', '-'))


def cut_gaps(samples, packets):
    sizes = output_of('ffprobe', '-v', 'error', '-show_entries', 'packet=size', '-of', 'csv=p=0', packets).split()
    gaps = [i for i, size in enumerate(sizes[:-5]) if int(size.strip(b',')) == SILENCE_BYTES]
    if gaps:
        print(f'# the machine was late by {len(gaps)} slots of 20 ms', file=sys.stderr)
    for i in reversed(gaps):
        start = (i * FRAME - PRE_SKIP) * CHANNELS
        del samples[max(start, 0):start + FRAME * CHANNELS]
    return samples


def rms(samples):
    step = WINDOW * CHANNELS
    return [math.sqrt(sum(x * x for x in samples[i:i + step]) / step)
            for i in range(0, len(samples) - step + 1, step)]


def correlation(a, b):
    n = len(a)
    mean_a, mean_b = sum(a) / n, sum(b) / n
    covariance = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b))
    return covariance / math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))


source, file = decode(sys.argv[1]), decode(sys.argv[2])
if len(sys.argv) > 3:
    file = cut_gaps(file, sys.argv[3])
source, file = rms(source), rms(file)
if len(file) < len(source):
    sys.exit(f'the file has {len(file)} windows of 100 ms, the source {len(source)}')
file = file[:len(source)]
level = 20 * math.log10(math.sqrt(sum(x * x for x in file) / sum(x * x for x in source)))
print(f'{correlation(source, file):.4f} {level:.2f}')
