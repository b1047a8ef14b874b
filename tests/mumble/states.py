# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything that can happen to a connection: told in words, survived, and the song waits meanwhile."""
import os
import signal
import time

from fixture import Bot, Server, finish, note, ok
from listen import TUNE, packets_of

server = Server()
owner = server.owner()
for name in ('Music', 'Other'):
    owner.make_channel(name)
amy = server.client('amy')
amy.join('Music')


def quiet(client, seconds=0.5):
    """TRUE when nothing more comes"""
    before = len(client.voice)
    return not client.wait(lambda: len(client.voice) > before, seconds)


def music(packets):
    """without silence, which is also where the machine stood still"""
    return [p for p in packets if p.opus != b'\xf8\xff\xfe']


def whole_song():
    """the song that began at SINCE has come to its end, whatever was between, and all of it was sent"""
    ended = bot.says('played to its end', 40, mark) and amy.wait(lambda: packets_of(amy, encore, since)[-1].last) and quiet(amy)
    note(f'{len(music(packets_of(amy, encore, since)))} packets')
    return ended and 395 <= len(music(packets_of(amy, encore, since))) <= 401


# ---- whoever is kicked comes back, and the song goes on
bot = Bot(server, user='encore', channels='Music', return_after=1)
encore = amy.user('encore')
amy.wait(lambda: amy.users[encore][5] == amy.find('Music'))
amy.say(f'?play {TUNE}')
amy.say('?play shortAAAAAA')
ok(amy.wait(lambda: len(packets_of(amy, encore)) > 50), 'a song plays')
owner.kick(owner.user('encore'), 'too <loud>')
ok(bot.says(r'kicked by SuperUser: too <loud>; tried again in 1\.0 s'), 'kicked: the log says by whom, why, and what follows')
before = music(packets_of(amy, encore))
ok(amy.wait(lambda: encore not in amy.users), 'it is gone')
back = amy.user('encore')
ok(bot.says('(?s)kicked.*back in Music'), 'it comes back into its channel')
ok(bot.says('youtube:shortAAAAAA .played to its end', 40), 'both songs end')
amy.wait(lambda: packets_of(amy, back)[-1].last)
rest = music(packets_of(amy, back))
note(f'{len(before)} + {len(rest)} packets')
ok(430 <= len(before) + len(rest) <= 452, 'the song goes on where it was, and the queue after it')
for wait in ('2', '4'):
    owner.kick(owner.user('encore'), 'still too loud')
    ok(bot.says(rf'kicked again by SuperUser: still too loud; tried again in {wait}\.0 s'), f'kicked again: it stays away for {wait} s')
    ok(bot.says(rf'(?s)in {wait}\.0 s.*back in Music'), 'and comes back')
    amy.wait(lambda: amy.user('encore') and amy.users[amy.user('encore')][5] == amy.find('Music'))
    back = amy.user('encore')

# ---- muted: nothing is sent, the song waits
encore = back
since, mark = len(amy.voice), bot.mark()
amy.say(f'?play {TUNE}')
amy.wait(lambda: len(packets_of(amy, encore, since)) > 50)
texts = len(amy.texts)
owner.mute(encore, True)
ok(bot.says('muted by SuperUser'), 'muted: the log says by whom')
ok(amy.wait(lambda: amy.heard('I may not speak here now; the music waits.', texts)), 'and the chat that the music waits')
ok(quiet(amy), 'nothing is sent')
time.sleep(1)
owner.mute(encore, False)
ok(bot.says('unmuted by SuperUser'), 'unmuted: the log says by whom')
ok(whole_song(), 'and the song goes on where it was')

# ---- nobody listens
since, mark = len(amy.voice), bot.mark()
amy.say(f'?play {TUNE}')
amy.wait(lambda: len(packets_of(amy, encore, since)) > 50)
amy.send(9, [(1, amy.session), (10, True)])
ok(bot.says('nobody listens') and amy.wait(lambda: packets_of(amy, encore)[-1].last or quiet(amy)), 'a deafened listener is none')
ok(quiet(amy), 'nothing is sent for nobody')
amy.send(9, [(1, amy.session), (10, False), (9, False)])
ok(whole_song(), 'when somebody listens again the song goes on where it was')

# ---- moved, and the channel taken away
owner.move(encore, 'Other')
ok(bot.says('moved to Other by SuperUser'), 'moved: the log says where and by whom')
amy.join('Other')
ok(amy.ask('?np', 'Nothing'), 'it takes commands there')
amy.join('Music')
owner.move(encore, 'Music')
ok(bot.says('moved to Music by SuperUser'), 'and comes back the same way')
owner.remove_channel('Music')
ok(bot.says('moved to the root channel by the server'), 'its channel was removed: the log says so')
mark = bot.mark()
owner.make_channel('Music')
ok(amy.wait(lambda: amy.find('Music') and amy.users[encore][5] == amy.find('Music')) and bot.says('back in Music', 20, mark), 'when there is such a channel again it goes in')

# ---- the server stands still
os.kill(server.child.pid, signal.SIGSTOP)
start, mark = time.monotonic(), bot.mark()
ok(bot.says('the server says nothing any more', 30, mark), f'a server that stands still is noticed')
took = time.monotonic() - start
note(f'after {took:.1f} s')
ok(14 < took < 21, 'after 15 s')
os.kill(server.child.pid, signal.SIGCONT)
ok(bot.says('back in Music', 40, mark), 'and it is back when the server is')

# ---- restarted
mark = bot.mark()
server.restart()
ok(bot.says('(the server closed the connection|reset).*tried again', 20, mark) and bot.says('back in Music', 20, mark),
   'a server that is started again is found again')
ok(bot.stop() == 0, 'SIGTERM ends it in order')

finish()
