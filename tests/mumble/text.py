# SPDX-License-Identifier: LGPL-2.1-or-later
"""Servers that allow little text: every answer arrives all the same."""
import re

from fixture import Bot, Server, finish, note, ok


def whole_help(client, limit):
    """the texts that answer ?help; TRUE when each is within LIMIT and none was denied"""
    since = len(client.texts)
    client.say('?help')
    client.wait(lambda: client.heard('whoami', since) or client.heard('version', since), 30)
    client.ask('?nonesuch', 'no command', timeout=30)  # behind the last
    texts = [t[2] for t in client.texts[since:]]
    note(f'{len(texts)} messages, of up to {max(map(len, texts), default=0)} units')
    return texts, bool(texts) and all(len(t) <= limit for t in texts)


plain = Server()
bot = Bot(plain, 'roomy', user='encore')
amy = plain.client('amy')
amy.user('encore')
wanted, good = whole_help(amy, 4000)
ok(good, 'a server that allows much: the help comes')
words = [re.sub(r'<[^>]*>', ' ', t) for t in wanted]
words = ' '.join(words).split()
amy.close()
bot.stop()

short = Server('short', textmessagelength=60)
bot = Bot(short, 'short-bot', user='encore')
amy = short.client('amy')
amy.user('encore')
texts, good = whole_help(amy, 60)
ok(good and len(texts) > len(wanted), 'a server that allows 60 units: every piece is within them')
ok(' '.join(re.sub(r'<[^>]*>', ' ', t) for t in texts).split() == words, 'and nothing is missing')
ok('too long' not in bot.log(), 'the server denied nothing')
amy.close()
bot.stop()

bare = Server('bare', allowhtml='false')
bot = Bot(bare, 'bare-bot', user='encore')
amy = bare.client('amy')
amy.user('encore')
texts, good = whole_help(amy, 4000)
ok(good and not any('<br' in t for t in texts), 'a server without HTML: a line a message')
ok(' '.join(texts).split() == words, 'and nothing is missing')
ok(amy.ask('?play nothing &amp; <none>', 'nothing', timeout=30), 'what people type there is taken as it is')
amy.close()
ok(bot.stop() == 0, 'SIGTERM ends it in order')
finish()
