#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Does FILE sound like SOURCE?  Compares their energy over time.

    envelope.py SOURCE FILE [OFFSET-S]   OFFSET-S: where the source begins in FILE

Prints "CORRELATION DB": of the RMS values of 100 ms windows, and the level of FILE against SOURCE in dB.
"""
import array
import math
import subprocess
import sys

RATE, WINDOW = 48000, 4800


def rms(path):
    pcm = subprocess.run(['ffmpeg', '-v', 'error', '-i', path, '-map', '0:a', '-ac', '2', '-ar', str(RATE),
                          '-f', 'f32le', '-'], check=True, stdin=subprocess.DEVNULL, capture_output=True).stdout
    samples = array.array('f', pcm)
    step = WINDOW * 2
    return [math.sqrt(sum(x * x for x in samples[i:i + step]) / step)
            for i in range(0, len(samples) - step + 1, step)]


def correlation(a, b):
    n = len(a)
    mean_a, mean_b = sum(a) / n, sum(b) / n
    covariance = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b))
    return covariance / math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))


source, file = rms(sys.argv[1]), rms(sys.argv[2])
file = file[int(sys.argv[3]) * RATE // WINDOW if len(sys.argv) > 3 else 0:]
if len(file) < len(source):
    sys.exit(f'the file has {len(file)} windows of 100 ms, the source {len(source)}')
file = file[:len(source)]
level = 20 * math.log10(math.sqrt(sum(x * x for x in file) / sum(x * x for x in source)))
print(f'{correlation(source, file):.4f} {level:.2f}')
