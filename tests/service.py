# SPDX-License-Identifier: LGPL-2.1-or-later
"""encore-bot as systemd runs it: what it tells the manager, SIGHUP, SIGTERM, and the unit's restrictions.

Environment: that of tests/env.sh, and TEST_DIR, TEST_YTDLP, TEST_MEDIA from test-service.sh.
"""
import atexit
import os
import re
import signal
import socket
import subprocess
import sys
import time

DIR = os.environ['TEST_DIR']
TOP = os.environ['abs_top_builddir']
BOT = f'{TOP}/encore-bot'
PATIENCE_S = 30
_results = []
_bots = []


def ok(good, name):
    _results.append(bool(good))
    print(f"{'ok' if good else 'not ok'} {len(_results)} {name}", flush=True)
    return good


def skip(reason, name):
    _results.append(True)
    print(f'ok {len(_results)} {name} # SKIP {reason}', flush=True)


def note(text):
    print(f'# {text}', flush=True)


@atexit.register
def end_children():
    for bot in _bots:
        if bot.child.poll() is None:
            bot.child.kill()
            bot.child.wait()


def await_that(condition, timeout=PATIENCE_S):
    end = time.monotonic() + timeout
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


class Manager:
    """The socket to which services talk; ABSTRACT: in the kernel's name space, not a file."""

    def __init__(self, name, abstract=False):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = f'{DIR}/{name}.socket'
        self.address = f'@{path}' if abstract else path
        self.socket.bind(f'\0{path}' if abstract else path)
        self.heard = []

    def hear(self, timeout=PATIENCE_S):
        """the next datagram as a dictionary; None: there was none in time"""
        self.socket.settimeout(timeout)
        try:
            text = self.socket.recv(4096).decode()
        except (socket.timeout, BlockingIOError):
            return None
        self.heard.append(dict(line.split('=', 1) for line in text.split('\n')))
        return self.heard[-1]

    def await_key(self, key, value=None):
        """hears until KEY comes, with VALUE where it matters; what was heard with it"""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            said = self.hear(max(end - time.monotonic(), 0.01))
            if said is None:
                return None
            if key in said and value in (None, said[key]):
                return said
        return None


class Bot:
    def __init__(self, name, config, manager=None, network='console', env=(), before=(), closed=False):
        self.name, self.config, self.network = name, f'{DIR}/{name}.conf', network
        self.write(config)
        self.env = {**os.environ, **dict(env)}
        self.env.pop('NOTIFY_SOCKET', None)
        if manager is not None:
            self.env['NOTIFY_SOCKET'] = manager.address
        self.before = list(before)
        self.out, self.err = f'{DIR}/{name}.out', f'{DIR}/{name}.log'
        with open(self.out, 'wb') as out, open(self.err, 'wb') as err:
            self.child = subprocess.Popen(
                [*before, BOT, '--config', self.config, network], env=self.env,
                stdin=subprocess.DEVNULL if closed else subprocess.PIPE, stdout=out, stderr=err)
        _bots.append(self)

    def write(self, config):
        """by rename, as editors do"""
        with open(f'{self.config}.new', 'w', encoding='utf-8') as out:
            out.write(config)
        os.rename(f'{self.config}.new', self.config)

    def say(self, line):
        self.child.stdin.write(f'{line}\n'.encode())
        self.child.stdin.flush()

    def read(self, path):
        with open(path, encoding='utf-8') as file:
            return file.read()

    def told(self, regex):
        return await_that(lambda: re.search(regex, self.read(self.out)))

    def logged(self, regex):
        return await_that(lambda: re.search(regex, self.read(self.err)))

    def end(self, number=signal.SIGTERM):
        self.child.send_signal(number)
        return self.child.wait(PATIENCE_S)

    def show(self):
        for path in (self.out, self.err):
            for line in self.read(path).splitlines()[-40:]:
                note(f'{self.name}: {line}')


def config(*encore, bot='', network='[console]\nvoice=null', cache='cache'):
    return (f'[bot]\nplugin={os.environ["ENCORE_MODULE"]}\nadmins=boss\n{bot}\n{network}\n[encore]\ncache_dir={DIR}/{cache}\n'
            f'min_free=0\nallow_private=yes\nytdlp={os.environ["TEST_YTDLP"]}\n' + '\n'.join(encore) + '\n')


def finish():
    if not all(_results):
        for bot in _bots:
            bot.show()
    print(f'1..{len(_results)}', flush=True)
    sys.exit(not all(_results))


# ---- what the manager hears
manager = Manager('first')
bot = Bot('first', config(), manager)
first = manager.await_key('READY', '1')
ok(first is not None and any('STATUS' in said for said in manager.heard), 'the manager hears READY=1, and a status for people')
bot.say('amy: ?play tuneAAAAAAA')
ok(bot.told('Playing: The Test Tune'), 'commands are taken')
before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
bot.child.send_signal(signal.SIGHUP)
said = manager.await_key('RELOADING', '1')
ok(said is not None and before_us <= int(said.get('MONOTONIC_USEC', 0)) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000,
   'SIGHUP: RELOADING=1 with the time')
ok(manager.await_key('READY', '1') is not None, 'then READY=1 again')
ok(bot.logged(r'was read again') and not re.search('configuration: (changed|only)', bot.read(bot.err)),
   'an unchanged file changes nothing')

# ---- what changes in a running bot
bot.say('amy: ?play -quietAAAAA')
ok(bot.told('Queued as #1'), 'a song waits')
bot.write(config('queue_max=1', 'volume=50', 'max_duration=1h', bot='prefix=!\ndjs=amy'))
bot.child.send_signal(signal.SIGHUP)
ok(manager.await_key('READY', '1') is not None, 'another file: READY=1')
ok(bot.logged(r'configuration: changed: volume, queue_max\n'), 'the log names the options of the plugin that changed')
ok(bot.logged(r'configuration: changed: bot\.prefix, bot\.djs\n'), 'and those of the bot')
ok(bot.logged(r'configuration: only a restart changes: max_duration\n'), 'and what only a restart changes')
bot.say('amy: !play loudAAAAAAA')
ok(bot.told(r'The queue is full \(1 songs\)'), 'the new prefix is obeyed, and the new limit')
bot.say('bob: !skip')
ok(bot.told('DJ'), 'rights are the new ones')
ok('Stopped' not in bot.read(bot.out) and bot.child.poll() is None, 'the music plays on')
bot.child.send_signal(signal.SIGHUP)
manager.await_key('READY', '1')
ok(await_that(lambda: bot.read(bot.err).count('only a restart changes: max_duration') == 2)
   and bot.read(bot.err).count('configuration: changed') == 2, 'read once more: only what still waits for a restart is named')

# ---- a broken file
for broken, words, name in (
        (config('queue_max=none'), r"queue_max = 'none' is not a whole number(.|\n)*the plugin refuses \[encore\] \(see above\); "
                                   'what was in force before still is', 'a value that is none'),
        (config('queue_maxx=3'), "unknown option 'queue_maxx'", 'a key of the plugin that nobody knows'),
        (config('rename=play=stop'), "gives two commands the name 'stop'", 'commands of one name'),
        (config(bot='prefixx=?'), r"\[bot\]: unknown key 'prefixx'", 'a key of the bot that nobody knows'),
        (config(network='[console]\nvoice=loud'), "voice = 'loud' is none of", 'a voice that is none'),
        (config(network='[consoul]'), r'unknown section \[consoul\]', 'a section that nobody knows'),
        ('[bot\n', r'configuration: .*first\.conf: .*; what was', 'no key file at all')):
    bot.write(broken)
    logged = len(bot.read(bot.err))
    bot.child.send_signal(signal.SIGHUP)
    ready = manager.await_key('RELOADING') and manager.await_key('READY', '1')
    ok(ready and await_that(lambda: re.search(words, bot.read(bot.err)[logged:]), 5), f'{name}: READY=1 all the same, the log says why')
os.unlink(bot.config)
bot.child.send_signal(signal.SIGHUP)
ok(manager.await_key('READY', '1') and bot.logged('No such file'), 'no file: the log says so')
bot.say('amy: !play loudAAAAAAA')
ok(await_that(lambda: bot.read(bot.out).count('The queue is full (1 songs)') == 2), 'what was in force before still is')

# ---- the end
ok(bot.end() == 0, 'SIGTERM: exit status 0')
ok(manager.await_key('STOPPING', '1') is not None, 'the manager heard STOPPING=1')
ok(manager.hear(0.01) is None, 'and nothing after it')
ok(os.listdir(f'{DIR}/cache/tmp') == [], 'nothing half-made is left')
again = Bot('again', config())
ok(again.logged('[0-9] songs') or again.told('Going on after a restart: 2 songs'), 'the queue was kept')
ok(again.end(signal.SIGINT) == 0, 'without a manager all is the same')

# ---- an abstract address, the watchdog, the journal
manager = Manager('second', abstract=True)
with open(f'{DIR}/second.log', 'wb'):
    pass
status = os.stat(f'{DIR}/second.log')
bot = Bot('second', config(cache='cache2'), manager,
          env={'WATCHDOG_USEC': '300000', 'JOURNAL_STREAM': f'{status.st_dev}:{status.st_ino}'})
ok(manager.await_key('READY', '1') is not None, 'an abstract address')
beats = [manager.await_key('WATCHDOG', '1') and time.monotonic() for i in range(5)]
ok(all(beats) and (beats[4] - beats[0]) / 4 < 0.3, 'the watchdog is fed in time')
bot.child.send_signal(signal.SIGSTOP)
os.waitid(os.P_PID, bot.child.pid, os.WSTOPPED)
while manager.hear(0.01) is not None:  # what was sent before
    pass
ok(manager.hear(0.5) is None, 'but not by a bot that hangs')
bot.child.send_signal(signal.SIGCONT)
ok(bot.end() == 0, 'it ends')
log = bot.read(bot.err)
ok(log and all(re.match('<[3467]>[A-Za-z]+: ', line) for line in log.splitlines()), 'to the journal lines begin with their priority')
bot = Bot('third', config(cache='cache2'), None, env={'WATCHDOG_USEC': '300000', 'WATCHDOG_PID': '1', 'JOURNAL_STREAM': '1:1'})
ok(bot.logged('(?m)^[0-9:.]+ info'), 'to a file with the time')
bot.end()
status = []
for address in ('', '/', '@', 'vsock:2:1', f'{DIR}/nobody', '/' + 'x' * 200):
    run = subprocess.run([BOT, '--config', bot.config, 'console'], env={**os.environ, 'NOTIFY_SOCKET': address},
                         stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=PATIENCE_S)
    status.append(run.returncode)
ok(status == [0] * 6, 'an address where nobody listens is no matter')

# ---- a plugin that never comes to its end
hostile = f'{DIR}/hostile.so'
flags = subprocess.run(['pkg-config', '--cflags', 'bot-plugin'], check=True, capture_output=True, text=True).stdout.split()
subprocess.run([*os.environ['CC'].split(), '-shared', '-fPIC', *os.environ['SANITIZERS'].split(), *flags, '-o', hostile,
                f"{os.environ['abs_top_srcdir']}/tests/hostile-plugin.c", '-pthread'], check=True)
for number in (signal.SIGTERM, signal.SIGINT):
    bot = Bot('hangs', f'[bot]\nplugin={hostile}\n', None, env={'HOSTILE_STOP': 'hanging'})
    bot.say('amy: ?hostile 99')
    bot.told('end')
    bot.child.send_signal(number)
    bot.logged('hanging')
    ok(bot.end(number) == -number, f'a second {number.name} ends a bot whose plugin hangs')
finish()
