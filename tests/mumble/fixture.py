# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the Mumble host share: a real server with its own files, the bot, TAP.

Environment: those of tests/env.sh, and TEST_DIR, TEST_YTDLP from the script that started us.
"""
import atexit
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time

from client import Client

DIR = os.environ['TEST_DIR']
TOP = os.environ['abs_top_builddir']
PASSWORD = 'secret'
_children = []
_results = []
_bots = []


def ok(good, name):
    _results.append(bool(good))
    print(f"{'ok' if good else 'not ok'} {len(_results)} {name}", flush=True)
    return good


def note(text):
    print(f'# {text}', flush=True)


def finish():
    if not all(_results):
        for bot in _bots:
            for line in bot.log().splitlines()[-60:]:
                note(f'{bot.name}: {line}')
    print(f'1..{len(_results)}', flush=True)
    sys.exit(not all(_results))


@atexit.register
def end_children():
    for child in _children:
        if child.poll() is None:
            child.send_signal(signal.SIGCONT)
            child.kill()
            child.wait()


def await_that(condition, timeout=20):
    """what CONDITION says in the end, for things of which nobody tells"""
    end = time.monotonic() + timeout
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def certificate(name):
    """a throw-away one; the path of its PEM"""
    key, crt = f'{DIR}/{name}.pem', f'{DIR}/{name}.crt'
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '365', '-subj', f'/CN={name}',
                    '-keyout', key, '-out', crt], check=True, stderr=subprocess.DEVNULL)
    with open(key, 'a', encoding='ascii') as out, open(crt, encoding='ascii') as more:
        out.write(more.read())
    return key


class Server:
    """murmurd on loopback with a database of its own."""

    def __init__(self, name='server', **settings):
        self.name, self.port, self.child = name, free_port(), None
        self.dir = f'{DIR}/{name}'
        os.mkdir(self.dir)
        self.settings = {
            'bandwidth': 558000, 'users': 50, 'opusthreshold': 0, 'allowhtml': 'true', 'messageburst': 5, 'messagelimit': 1,
            'autobanAttempts': 0, 'welcometext': '', **settings}
        self.write()
        subprocess.run(['murmurd', '-ini', f'{self.dir}/murmur.ini', '-fg', '-supw', PASSWORD], check=True,
                       capture_output=True, timeout=60)
        self.start()

    def write(self):
        fixed = {'database': f'{self.dir}/murmur.sqlite', 'logfile': '', 'pidfile': '', 'host': '127.0.0.1', 'port': self.port,
                 'bonjour': 'false', 'ice': '""', 'icesecretwrite': '', 'logdays': -1, 'kdfiterations': 1000, 'sqlite_wal': 1}
        if os.getuid() == 0:
            fixed['uname'] = 'root'
        with open(f'{self.dir}/murmur.ini', 'w', encoding='utf-8') as out:
            for key, value in {**fixed, **self.settings}.items():
                out.write(f'{key}={value}\n')

    def start(self):
        with open(f'{self.dir}/log', 'ab') as log:
            self.child = subprocess.Popen(['murmurd', '-ini', f'{self.dir}/murmur.ini', '-fg'], stdout=log, stderr=log)
        _children.append(self.child)
        if not await_that(self.answers, 60):
            raise SystemExit(f'murmurd does not answer: {open(self.dir + "/log", encoding="utf-8").read()}')

    def answers(self):
        context = ssl._create_unverified_context()
        try:
            with socket.create_connection(('127.0.0.1', self.port), 1) as raw, context.wrap_socket(raw):
                return True
        except OSError:
            return False

    def stop(self):
        self.child.terminate()
        self.child.wait(20)

    def restart(self, **settings):
        self.stop()
        self.settings.update(settings)
        self.write()
        self.start()

    def configure(self, key, value):
        """changes a setting of the server while it runs, as its administrators do: by Ice, at settings['ice']"""
        import Ice  # pylint: disable=import-outside-toplevel
        Ice.loadSlice('', ['-I/usr/share/ice/slice', '/usr/share/slice/Murmur.ice'])
        import Murmur  # pylint: disable=import-outside-toplevel,import-error
        with Ice.initialize() as ice:
            meta = Murmur.MetaPrx.checkedCast(ice.stringToProxy('Meta:' + self.settings['ice'].strip('"')))
            secret = {'secret': self.settings['icesecretwrite']}
            meta.getServer(1, secret).setConf(key, str(value), secret)

    def client(self, name, **more):
        return Client(self.port, name, **more)

    def owner(self):
        return Client(self.port, 'SuperUser', password=PASSWORD)


class Bot:
    """encore-bot mumble."""

    def __init__(self, server, name='bot', encore=(), **settings):
        self.server, self.name = server, name
        self.certificate = f'{DIR}/{name}.pem'
        lines = {'host': '127.0.0.1', 'port': server.port, 'certificate': self.certificate, **settings}
        with open(f'{DIR}/{name}.conf', 'w', encoding='utf-8') as out:
            out.write(f"[bot]\nplugin={os.environ['ENCORE_MODULE']}\n[mumble]\n")
            out.write(''.join(f'{k}={v}\n' for k, v in lines.items()))
            out.write(f"[encore]\ncache_dir={DIR}/cache\nmin_free=0\nallow_private=yes\nytdlp={os.environ['TEST_YTDLP']}\n")
            out.write(''.join(f'{line}\n' for line in encore))
        self.child = None
        _bots.append(self)
        self.start()

    def start(self):
        with open(f'{DIR}/{self.name}.log', 'ab') as log:
            self.child = subprocess.Popen(
                [f'{TOP}/encore-bot', '--config', f'{DIR}/{self.name}.conf', 'mumble'], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env={**os.environ, 'ENCORE_BOT_DEBUG': '1'})
        _children.append(self.child)

    def log(self):
        with open(f'{DIR}/{self.name}.log', encoding='utf-8', errors='replace') as log:
            return log.read()

    def says(self, pattern, timeout=20, since=0):
        """TRUE when the log has it behind SINCE"""
        return bool(await_that(lambda: re.search(pattern, self.log()[since:]), timeout))

    def mark(self):
        return len(self.log())

    def stop(self):
        """its exit status"""
        self.child.terminate()
        return self.child.wait(20)

    def cpu_s(self):
        with open(f'/proc/{self.child.pid}/stat', encoding='ascii') as stat:
            fields = stat.read().rsplit(') ', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
