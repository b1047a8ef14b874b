# SPDX-License-Identifier: LGPL-2.1-or-later
"""encore-bot on a real Mumble server, for the bench.

    python3 mumble.py BANDWIDTH_BPS URL      (and what tests/mumble/fixture.py reads from the environment)

Standard input, one command a line, and its answer, one line, on standard output:
    pid          bot PID
    hit          heard MS    from the command of one client to the first packet at another, out of silence
    play         playing     again and again, until "stop"
    stop         silent
    count        packets N   that came in all
At the end of its input it leaves.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'mumble'))
from fixture import Bot, Server  # pylint: disable=wrong-import-position

bandwidth, url = int(sys.argv[1]), sys.argv[2]
server = Server(f'server{os.getpid()}', bandwidth=bandwidth, messageburst=1000, messagelimit=1000)
owner = server.owner()
owner.make_channel('Music')
bot = Bot(server, f'bot{os.getpid()}', user='encore', channels='Music')
if not bot.says('here in Music'):
    sys.exit(bot.log())
speaker, listener = server.client('speaker'), server.client('listener')
for one in speaker, listener:
    one.join('Music')
encore = listener.user('encore')


def came():
    return [p for p in listener.voice if p.session == encore]


def begin():
    """the first packet that comes for a command, and when the command was sent"""
    before, at = len(came()), time.monotonic()
    speaker.say(f'?play {url}')
    if not listener.wait(lambda: len(came()) > before):
        sys.exit(bot.log())
    return came()[before], at


def silence():
    speaker.say('?stop')
    if not listener.wait(lambda: came()[-1].last):
        sys.exit(bot.log())


def hit():
    first, at = begin()
    silence()
    return f'heard {(first.when - at) * 1000:.2f}'


def play():
    begin()
    speaker.say('?loop song')
    return 'playing'


def stop():
    silence()
    return 'silent'


# the song is made to fit once, before anything is measured
begin()
if bandwidth < 100000 and not bot.says('rendition of ', 120):
    sys.exit(bot.log())
silence()

COMMANDS = {'pid': lambda: f'bot {bot.child.pid}', 'hit': hit, 'play': play, 'stop': stop, 'count': lambda: f'packets {len(came())}'}
print('ready', flush=True)
for line in sys.stdin:
    print(COMMANDS.get(line.strip(), lambda: 'failed: no such command')(), flush=True)
bot.stop()
for one in speaker, listener, owner:
    one.close()
server.stop()
