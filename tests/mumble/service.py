# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service manager's view of a bot on Mumble, and what SIGHUP changes there."""
import os
import re
import signal
import socket

from fixture import DIR, Bot, Server, certificate, finish, free_port, ok

manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(f'{DIR}/manager')
manager.settimeout(30)
os.environ['NOTIFY_SOCKET'] = f'{DIR}/manager'


def hear(line):
    """TRUE when it comes; what came before it"""
    before = []
    try:
        while True:
            lines = manager.recv(4096).decode().split('\n')
            if line in lines:
                return True, before
            before += lines
    except socket.timeout:
        return False, before


def change(bot, **settings):
    """the bot's file, with other SETTINGS, read again"""
    path = f'{DIR}/{bot.name}.conf'
    with open(path, encoding='utf-8') as file:
        text = file.read()
    for key, value in settings.items():
        text = re.sub(rf'(?m)^{key}=.*\n', '', text).replace('[mumble]\n', f'[mumble]\n{key}={value}\n')
    with open(f'{path}.new', 'w', encoding='utf-8') as file:
        file.write(text)
    os.rename(f'{path}.new', path)
    mark = bot.mark()
    bot.child.send_signal(signal.SIGHUP)
    hear('READY=1')
    return mark


server = Server()
owner = server.owner()
for name in ('Music', 'Other'):
    owner.make_channel(name)
amy = server.client('amy', certificate=certificate('amy'))
amy.join('Music')
bot = Bot(server, user='encore', channels='Music,Other')
ready, before = hear('READY=1')
ok(ready and any(re.match(r'STATUS=In [12] of 2 channels of 127\.0\.0\.1', line) for line in before), 'READY=1 when it is in a room')
ok(hear('STATUS=In 2 of 2 channels of 127.0.0.1')[0] or 'STATUS=In 2 of 2 channels of 127.0.0.1' in before, 'the status counts them')
encore = amy.user('encore')
amy.wait(lambda: amy.users[encore][5] == amy.find('Music'))


def whoami(words):
    texts = len(amy.texts)
    amy.say('?whoami')
    return amy.wait(lambda: amy.heard(words, texts))


ok(whoami('you are a dj.'), 'amy is a dj as everybody is')
cert = re.search(r'cert:[0-9a-f]{40}', amy.texts[-1][2]).group()
mark = change(bot, djs='user:77')
ok(bot.says(r'changed: mumble\.djs\n', since=mark) and whoami('neither admin nor dj'), 'SIGHUP: djs: now she is none')
mark = change(bot, admins=cert)
ok(bot.says(r'changed: mumble\.admins\n', since=mark) and whoami('you are an admin.'), 'admins: now she is one')
change(bot, admins='amy')
ok(bot.says("admins = 'amy' is not cert:HASH", since=mark) and whoami('you are an admin.'), 'a wrong one changes nothing')
mark = change(bot, admins='', channels='Other', bitrate=16000)
ok(bot.says(r'changed: mumble\.admins, mumble\.bitrate|changed: mumble\.bitrate, mumble\.admins', since=mark)
   and bot.says(r'only a restart changes: mumble\.channels\n', since=mark) and whoami('neither admin nor dj'),
   'channels need a restart, which the log says; the rest does not')
amy.say('?help')
ok(amy.wait(lambda: amy.heard('play', 0)), 'the bot is where it was')

mark = bot.mark()
server.stop()
ok(hear('STATUS=In 0 of 2 channels of 127.0.0.1')[0], 'the server is down: the status says so')
ok(bot.stop() == 0 and hear('STOPPING=1')[0], 'the end: STOPPING=1, exit status 0')

# ---- a server that is not there is no failure of the service
server.port = free_port()
bot = Bot(server, name='second', user='encore')
ready, before = hear('READY=1')
ok(ready and 'STATUS=In 0 of 1 channels of 127.0.0.1' in before, 'no server: READY=1 all the same, with a status that says so')
ok(bot.stop() == 0 and hear('STOPPING=1')[0], 'and it ends')
finish()
