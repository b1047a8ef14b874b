# SPDX-License-Identifier: LGPL-2.1-or-later
"""Music that steps back while people speak in its channel, heard by a third client."""
import glob
import math

from client import Heard, energies, read_ogg, write_ogg
from fixture import DIR, Bot, Server, finish, note, ok
from listen import TUNE, packets_of, play

DUCK_DB = -20
SPEECH = b'\xf8\xff\xfe'  # what is said does not matter

server = Server()
owner = server.owner()
for name in ('Music', 'Elsewhere'):
    owner.make_channel(name)
bot = Bot(server, user='encore', channels='Music', encore=[f'duck={DUCK_DB}'])
ok(bot.says('here in Music'), 'the bot joins its channel')
amy, bob = server.client('amy'), server.client('bob')
amy.join('Music')
encore = amy.user('encore')
play(amy, encore)  # it is in the cache from now on
cached = read_ogg(glob.glob(f'{DIR}/cache/opus/*/tuneAAAAAAA.opus')[0])


def speak(n, target=0):
    """bob sends N packets while amy hears N of the music; where amy is by then"""
    for i in range(n):
        at = len(packets_of(amy, encore, since))
        bob.speak(SPEECH, 2 * i, last=i == n - 1, target=target)
        amy.wait(lambda: len(packets_of(amy, encore, since)) > at)  # pylint: disable=cell-var-from-loop
    return len(packets_of(amy, encore, since))


def levels_db(packets, name):
    write_ogg(f'{DIR}/{name}.opus', packets)
    return [20 * math.log10(max(e, 1e-9)) for e in energies(f'{DIR}/{name}.opus', 0.02)]


def differs(heard):
    """by how many dB each packet of the music is louder than that of the cache"""
    n = min(len(heard), len(cached))
    pairs = zip(levels_db(heard[:n], 'heard'), levels_db(cached[:n], 'cached'))
    return [a - b for a, b in pairs]


# ---- one speaks, and stops
bob.join('Music')
since = len(amy.voice)
amy.say(f'?play {TUNE}')
amy.wait(lambda: len(packets_of(amy, encore, since)) >= 60)
began = len(packets_of(amy, encore, since))
ended = speak(90)
amy.wait(lambda: any(p.last for p in packets_of(amy, encore, since)), 30)
heard = Heard(packets_of(amy, encore, since))
note(f'while one spoke, from {began} to {ended}: {heard}')
ok(heard.lost == 0 and heard.overlaps == 0 and not heard.bad, 'nothing of the music is lost')
by_db = differs([p.opus for p in heard.packets])
note(' '.join(f'{d:.0f}' for d in by_db))
falls = next((i for i, d in enumerate(by_db) if i > 5 and d < -3), 0)
rises = next((i for i, d in enumerate(by_db) if i > ended and d > -3), 0)
note(f'{(falls - began) * 20} ms after the first word the music is 3 dB softer, {(rises - ended) * 20} ms after the last it is back')
ok(0 < falls - began <= 25, 'it is softer within half a second')
low = sorted(by_db[falls + 20:ended])
ok(low and abs(low[len(low) // 2] - DUCK_DB) < 2, f'by {DUCK_DB} dB')
ok(35 <= rises - ended <= 120, 'and as loud as before when nobody spoke for a while')
packets = [p.opus for p in heard.packets]
ok(packets[:began] == cached[:began] and packets[rises + 20:len(cached)] == cached[rises + 20:],
   'where it is as loud as before the packets are those of the cache')

# ---- who does not speak here does not count
since = len(amy.voice)
bob.join('Elsewhere')
amy.say(f'?play {TUNE}')
amy.wait(lambda: len(packets_of(amy, encore, since)) >= 20)
speak(30)
amy.wait(lambda: any(p.last for p in packets_of(amy, encore, since)), 30)
ok([p.opus for p in packets_of(amy, encore, since)][:len(cached)] == cached, 'another channel is not this one')

# ---- without the option
bob.join('Music')
ok(bot.stop() == 0, 'SIGTERM ends it in order')
amy.wait(lambda: encore not in amy.users)
plain = Bot(server, name='plain', user='plain', channels='Music')
encore = amy.user('plain')
ok(plain.says('here in Music'), 'a bot without the option')
since = len(amy.voice)
amy.say(f'?play {TUNE}')
amy.wait(lambda: len(packets_of(amy, encore, since)) >= 20)
speak(30)
amy.wait(lambda: any(p.last for p in packets_of(amy, encore, since)), 30)
heard = Heard(packets_of(amy, encore, since))
note(f'without the option: {heard}')
ok([p.opus for p in heard.packets][:len(cached)] == cached, 'plays on as loud as before')
ok(plain.stop() == 0, 'SIGTERM ends it in order')
finish()
