#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Asks the installed yt-dlp which video each text of texts.txt names, and writes vectors.tsv.

    make-vectors.py            writes vectors.tsv beside this file
    make-vectors.py --check    compares; exit status 0 same, 1 different, 77 another yt-dlp

Run by hand after a change of texts.txt.  Offline: all of yt-dlp's extractors and its way from one to
the next are asked, but a request to the network is refused, and YouTube's own extractor ends with the
id that its pattern found.  Like the product it is asked for one video (--no-playlist).

A line of the table: the text, what yt-dlp says, what Encore must say: ID, "-" for none, or "ID?" for
either that one or none.  A section of texts.txt that yt-dlp contradicts is an error, not a line.
"""
import os
import re
import sys

import yt_dlp
from yt_dlp.extractor.youtube import YoutubeIE
from yt_dlp.version import __version__

HERE = os.path.dirname(os.path.abspath(__file__))
ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
HEAD = f'# Made by make-vectors.py from texts.txt; yt-dlp {__version__}\n# text\tyt-dlp\tEncore\n'


class Found(Exception):
    pass


class Silent:
    def debug(self, message):
        pass

    warning = error = debug


def end_with_id(self, url):
    raise Found(self._match_id(url))


def refuse_network(self, request):
    raise yt_dlp.utils.ExtractorError('no network', expected=True)


def canonical(video_id):
    """An id is 64 bits in eleven letters of six: the two lowest bits of the last one are unused."""
    return video_id[:-1] + ALPHABET[ALPHABET.index(video_id[-1]) & ~3]


def ask(ydl, text):
    try:
        ydl.extract_info(text, download=False)
    except Found as found:
        return str(found)
    except (yt_dlp.utils.DownloadError, ValueError):
        # ValueError: no URL at all to Python, such as a broken IPv6 address
        pass
    return None


def unescape(line):
    raw = re.sub(rb'\\([0-7]{3})', lambda m: bytes([int(m[1], 8)]), line.encode())
    return raw.decode()


def sections(path):
    """Yields (kind, id or None, escaped text)."""
    kind = wanted = None
    with open(path, encoding='ascii') as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip('\n')
            if line.startswith('== '):
                kind, *rest = line[3:].split()
                wanted = rest[0] if kind in ('either', 'strict') else None
            elif line and kind is not None:
                yield number, kind, wanted, line


def row(ydl, number, kind, wanted, line):
    said = ask(ydl, unescape(line))
    agrees = {'id': said is not None, 'none': said is None,
              'either': said is None or canonical(said) == wanted,
              'strict': said is not None and canonical(said) != wanted}[kind]
    if not agrees:
        print(f'texts.txt:{number}: {line} is under "{kind}", but yt-dlp says {said}', file=sys.stderr)
        return None
    must = {'id': said and canonical(said), 'none': '-', 'either': f'{wanted}?', 'strict': wanted}[kind]
    return f'{line}\t{said or "-"}\t{must}\n'


def main():
    path = os.path.join(HERE, 'vectors.tsv')
    if sys.argv[1:] == ['--check']:
        with open(path, encoding='ascii') as f:
            old = f.read()
        if not old.startswith(HEAD):
            sys.exit(77)
    YoutubeIE._real_extract = end_with_id
    yt_dlp.YoutubeDL.urlopen = refuse_network
    with yt_dlp.YoutubeDL({'noplaylist': True, 'logger': Silent(), 'cachedir': False}) as ydl:
        rows = [row(ydl, *item) for item in sections(os.path.join(HERE, 'texts.txt'))]
    if None in rows:
        return 1
    table = HEAD + ''.join(rows)
    if sys.argv[1:] == ['--check']:
        sys.exit(0 if table == old else 1)
    with open(path, 'w', encoding='ascii') as f:
        f.write(table)
    return 0


if __name__ == '__main__':
    sys.exit(main())
