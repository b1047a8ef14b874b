#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""IRC for the tests, on loopback.

    irc.py client PORT NICK CHANNEL     joins; each line of stdin is said there ("/raw LINE" is sent as it is);
                                        prints "* joined" and then "<NICK> TEXT" for what is said
    irc.py bench PORT NICK CHANNEL N TEXT ANSWER
                                        says TEXT N times, each after the answer that begins with ANSWER
                                        (A|B: with one of them);
                                        prints "p50 MS p99 MS max MS"
    irc.py load PORT NICK CHANNEL S TEXT...
                                        says the TEXTs in turn for S seconds, 90 a second
    irc.py server [CAPABILITY...]       prints "READY PORT", serves one client who may join any channel; each line
                                        of stdin goes to him as it is, each line of his is printed
"""
import os
import select
import socket
import sys
import time


class Lines:
    """Lines of a socket, with a limit of time."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, b''

    def next(self, timeout_s=20.0):
        end = time.monotonic() + timeout_s
        while b'\n' not in self.buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                return None
            got = self.sock.recv(65536)
            if not got:
                sys.exit('irc.py: the connection ended')
            self.buffer += got
        line, self.buffer = self.buffer.split(b'\n', 1)
        return line.rstrip(b'\r').decode('utf-8', 'backslashreplace')

    def say(self, line):
        self.sock.sendall(line.encode() + b'\r\n')


def join(port, nick, channel):
    irc = Lines(socket.create_connection(('127.0.0.1', int(port))))
    irc.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    irc.say(f'NICK {nick}\r\nUSER {nick} 0 * :{nick}')
    while (line := irc.next()) is not None:
        if line.startswith('PING'):
            irc.say('PONG' + line[4:])
        elif ' 001 ' in line:
            irc.say(f'JOIN {channel}')
        elif ' 366 ' in line:
            return irc
    sys.exit(f'irc.py: {nick} cannot join {channel}')


def heard(line):
    """(nick, text) of a PRIVMSG, else None"""
    parts = line.split(' ', 3)
    if len(parts) == 4 and parts[1] == 'PRIVMSG':
        return parts[0][1:].split('!')[0], parts[3][1:]
    return None


def client(port, nick, channel):
    irc = join(port, nick, channel)
    print('* joined', flush=True)
    pending = b''
    while True:
        for ready in select.select([irc.sock, 0], [], [])[0]:
            if ready == 0:
                got = os.read(0, 65536)
                if not got:
                    return
                *lines, pending = (pending + got).split(b'\n')
                for line in lines:
                    text = line.decode()
                    irc.say(text[5:] if text.startswith('/raw ') else f'PRIVMSG {channel} :{text}')
                continue
            line = irc.next()
            while line is not None:
                if line.startswith('PING'):
                    irc.say('PONG' + line[4:])
                elif (said := heard(line)):
                    print(f'<{said[0]}> {said[1]}', flush=True)
                line = irc.next(0) if b'\n' in irc.buffer else None


def bench(port, nick, channel, n, text, answer):
    irc = join(port, nick, channel)
    times = []
    for _ in range(int(n)):
        start = time.monotonic()
        irc.say(f'PRIVMSG {channel} :{text}')
        while (line := irc.next()) is not None:
            said = heard(line)
            if said and said[1].startswith(tuple(answer.split('|'))):
                break
        else:
            sys.exit('irc.py: no answer')
        times.append((time.monotonic() - start) * 1000)
    times.sort()
    print(f'p50 {times[len(times) // 2]:.2f} p99 {times[len(times) * 99 // 100]:.2f} max {times[-1]:.2f}')


def load(port, nick, channel, seconds, *texts):
    irc = join(port, nick, channel)
    end, n = time.monotonic() + float(seconds), 0
    while time.monotonic() < end:
        irc.say(f'PRIVMSG {channel} :{texts[n % len(texts)]}')
        n += 1
        due = time.monotonic() + 1 / 90
        while (left := due - time.monotonic()) > 0:
            line = irc.next(left)
            if line is not None and line.startswith('PING'):
                irc.say('PONG' + line[4:])
    print(n)


def serve(*capabilities):
    listener = socket.create_server(('127.0.0.1', 0))
    print('READY', listener.getsockname()[1], flush=True)
    irc, nick, pending = Lines(listener.accept()[0]), '*', b''
    while True:
        for ready in select.select([irc.sock, 0], [], [])[0]:
            if ready == 0:
                got = os.read(0, 65536)
                if not got:
                    return
                *lines, pending = (pending + got).split(b'\n')
                for line in lines:
                    irc.sock.sendall(line + b'\r\n')
                continue
            line = irc.next()
            while line is not None:
                nick = answer(irc, line, nick, capabilities)
                print(line, flush=True)
                line = irc.next(0) if b'\n' in irc.buffer else None


def answer(irc, line, nick, capabilities):
    word, _, rest = line.partition(' ')
    if line.startswith('CAP LS'):
        irc.say(f':fake CAP * LS :{" ".join(capabilities)}')
    elif line.startswith('CAP REQ'):
        irc.say(f':fake CAP * ACK {line[8:]}')
    elif word == 'NICK':
        nick = rest.lstrip(':')
    elif word == 'USER' and not capabilities or line == 'CAP END':
        irc.say(f':fake 001 {nick} :Welcome\r\n:fake 005 {nick} PREFIX=(ov)@+ CHANTYPES=# :are supported\r\n'
                f':fake 376 {nick} :End')
    elif word == 'PING':
        irc.say(f':fake PONG fake {rest}')
    elif word == 'JOIN':
        irc.say(f':{nick}!bot@host JOIN {rest}\r\n:fake 353 {nick} = {rest} :{nick}\r\n:fake 366 {nick} {rest} :End')
    return nick


if __name__ == '__main__':
    {'client': client, 'bench': bench, 'load': load, 'server': serve}[sys.argv[1]](*sys.argv[2:])
