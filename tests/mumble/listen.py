# SPDX-License-Identifier: LGPL-2.1-or-later
"""Listening to a song and judging it, with the names that the tests print."""
import os

from client import Heard
from fixture import note, ok

MEDIA = os.environ['TEST_MEDIA']
SONG = f'{MEDIA}/tune.251.webm'
TUNE = 'https://youtu.be/tuneAAAAAAA'


def packets_of(client, session, since=0):
    return [p for p in client.voice[since:] if p.session == session]


def end_of(client, session, since=0, timeout=30):
    """what SESSION sent until the mark of the end"""
    client.wait(lambda: any(p.last for p in packets_of(client, session, since)), timeout)
    return Heard(packets_of(client, session, since))


def play(client, bot, html=f'?play {TUNE}'):
    """everything that BOT sends until it ends a song that is asked for with HTML"""
    since = len(client.voice)
    client.say(html)
    client.wait(lambda: any(p.last for p in packets_of(client, bot, since)), 60)
    return Heard(packets_of(client, bot, since))


def judge(heard, name):
    note(f'{name}: {heard}')
    ok(heard.packets and heard.lost == 0 and heard.overlaps == 0 and (heard.stood_still or set(heard.steps) <= {2}),
       f'{name}: the sequence counts 10 ms, nothing is lost or doubled')
    ok(heard.ends == 1 and heard.packets[-1].last and not heard.empty_ends and not heard.bad,
       f'{name}: it ends with the mark on a real packet, all are whole and of 20 ms')
    ok(19.5 <= heard.gap(.5) <= 20.5, f'{name}: the packets come 20 ms apart')
