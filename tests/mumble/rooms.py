# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several channels at once, some of which do not let the bot in or not speak."""
from client import Heard
from fixture import Bot, Server, finish, note, ok
from listen import TUNE, end_of, packets_of

SPEAK, ENTER = 8, 4
server = Server()
owner = server.owner()
for name in ('Music', 'Silent', 'Closed'):
    owner.make_channel(name)

# ---- channels that do not let it in, or not speak
bot = Bot(server, 'kept-out', user='encore', channels='Closed, Silent, Music/Nowhere')
owner.rules('Closed', [('all', 0, ENTER)])
owner.rules('Silent', [('all', 0, SPEAK)])
bot.stop()
owner.seen_off('encore', 'encore-2', 'encore-3')
bot = Bot(server, 'kept-out-again', user='encore', channels='Closed, Silent, Music/Nowhere')
ok(bot.says('Closed: the bot may not enter this channel'), 'a closed channel: told')
ok(bot.says('Music/Nowhere: there is no such channel; waiting for it in the root'), 'a channel that is not there: told')
ok(bot.says('Silent: the bot may not speak in this channel'), 'a channel where it may not speak: told')
owner.rules('Silent', [('all', SPEAK, 0)])
ok(bot.says('(?s)Silent: the bot may speak again.*Silent: back in Silent'), 'it may again: out and in, which the server wants')
amy = server.client('amy')
amy.join('Silent')
second = amy.user('encore-2')
amy.wait(lambda: not amy.users[second].get(8))
ok(amy.ask('?play shortAAAAAA', 'Playing') and amy.wait(lambda: packets_of(amy, second)), 'and is heard')
amy.close()
bot.stop()
owner.seen_off('encore', 'encore-2', 'encore-3')

# ---- two channels at once
owner.make_channel('Jazz')
bot = Bot(server, 'two', user='encore', channels='Music, Jazz')
amy, bob = server.client('amy'), server.client('bob')
amy.join('Music')
bob.join('Jazz')
one, two = amy.user('encore'), bob.user('encore-2')
amy.wait(lambda: amy.users[one].get(15) and amy.users.get(two, {}).get(15))
ok(amy.users[one][15] != amy.users[two][15], 'the bot of the second channel has a certificate of its own')
amy.wait(lambda: amy.users[one][5] == amy.find('Music'))
bob.wait(lambda: bob.users[two][5] == bob.find('Jazz'))
amy.say(f'?play {TUNE}')
bob.say('?play loudAAAAAAA')
ok(amy.wait(lambda: amy.heard('Playing: The Test Tune')) and bob.wait(lambda: bob.heard('Playing: Loud Tones')) and
   not amy.heard('Loud Tones') and not bob.heard('Test Tune'), 'two channels: each has its song and its answers')
first, other = end_of(amy, one), end_of(bob, two)
note(f'Music: {first}')
note(f'Jazz: {other}')
ok(first.lost == other.lost == 0 and first.overlaps == other.overlaps == 0 and first.ends == other.ends == 1,
   'both are whole')

# ---- banned
owner.kick(owner.user('encore-2'), 'enough', ban=True)
ok(bot.says(r'Jazz: banned by SuperUser: enough; tried again in 600\.0 s'), 'banned: the log says by whom and why')
ok(bot.stop() == 0, 'SIGTERM ends it in order')
finish()
