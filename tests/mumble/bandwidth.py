# SPDX-License-Identifier: LGPL-2.1-or-later
"""A server that allows less than the song has: it is encoded to fit, for servers drop the rest silently."""
import glob
import os

from client import Heard, correlation, read_ogg, write_ogg
from fixture import DIR, Bot, Server, finish, free_port, note, ok
from listen import MEDIA, TUNE, judge, packets_of, play

CAP_BPS = 53392  # of 72000: (72000 - 15200) * 0.94

# ---- the default of Debian's server
server = Server(bandwidth=72000)
bot = Bot(server, user='encore')
ok(bot.says(f'allows 72000 bit/s: {CAP_BPS} bit/s of music'), 'the bot says what the server leaves for music')
amy = server.client('amy')
encore = amy.user('encore')
# at this rate the levels of tones that stand still are the encoder's, so it is real music where there is some
SONG = f'{MEDIA}/returnHomeA.251.webm'
music = os.path.exists(SONG)
heard = play(amy, encore, '?play https://youtu.be/returnHomeA' if music else f'?play {TUNE}')
judge(heard, 'at 72,000 bit/s')
ok(0.9 * CAP_BPS < heard.bps() <= CAP_BPS, 'the song is encoded to what is left')
ok(len({len(p.opus) for p in heard.packets[:-6]}) == 1, 'at a constant rate')


def is_the_song(packets, least, name):
    if not music:
        note('no real music could be had: what is heard is not compared')
        return
    write_ogg(f'{DIR}/heard.opus', [p.opus for p in packets])
    likeness = correlation(SONG, f'{DIR}/heard.opus')
    note(f'correlation of 50 ms energies: {likeness:.4f}')
    ok(likeness > least, name)


is_the_song(heard.packets, 0.9, 'what is heard is the song, whose gain is on its way to what was measured')
# it is kept at such a rate: the next play takes the packets as they are
TUNE_ID = 'tuneAAAAAAA'
SONG_ID = 'returnHomeA' if music else TUNE_ID
ok(bot.says(rf'rendition of youtube:{SONG_ID} at 52 kbit/s', 60), 'it is made once more at a constant rate')
n_before = len(packets_of(amy, encore))
amy.say(f'?play {SONG_ID}')
amy.wait(lambda: packets_of(amy, encore, n_before), 30)
ok(amy.ask('?pipeline', f'encore://cbr52/{SONG_ID}'), 'the next play takes that, as the pipeline says')
amy.wait(lambda: any(p.last for p in packets_of(amy, encore, n_before)), 60)
kept = read_ogg(glob.glob(f'{DIR}/cache/opus/*/cbr52-{SONG_ID}.opus')[0])
again = Heard(packets_of(amy, encore, n_before))
note(f'again: {again}')
received = [p.opus for p in again.packets[:-5]]
whole = received == kept and again.lost == 0
rest = iter(kept)
# what a busy machine sends late and then at once may be more than the server takes
in_order = all(any(packet == one for one in rest) for packet in received)
ok(whole or (in_order and len(received) > 0.9 * len(kept) and again.gap(1) > 40), 'packet by packet')
if whole:
    is_the_song(again.packets, 0.95, 'and what is heard is the song')
n_texts = len(amy.texts)
ok(amy.ask('?cached top', '0:') and not amy.heard('cbr52', n_texts), 'a list of songs does not show it')
n_before = len(packets_of(amy, encore))
amy.say(f'?play {TUNE}')
amy.wait(lambda: packets_of(amy, encore, n_before), 30)
ok(amy.ask('?pipeline', f'max-bitrate={CAP_BPS}'), 'the pipeline in force says so')

# ---- one that is damaged: the song itself goes on, and it is made again
ok(bot.says(rf'rendition of youtube:{TUNE_ID} at 52 kbit/s', 60), 'another one is made')
amy.say('?stop')
with open(glob.glob(f'{DIR}/cache/opus/*/cbr52-{TUNE_ID}.opus')[0], 'r+b') as file:
    file.seek(30000)
    file.write(b'damage' * 20)
n_before, mark = len(packets_of(amy, encore)), bot.mark()
amy.say(f'?play {TUNE}')
ok(bot.says(rf'{TUNE_ID}.*the song itself goes on', 30, mark), 'a damaged one is told in the log')
ok(bot.says('played to its end', 30, mark), 'the song goes on to its end')
amy.wait(lambda: any(p.last for p in packets_of(amy, encore, n_before)))
n_heard = len([p for p in packets_of(amy, encore, n_before) if p.opus != b'\xf8\xff\xfe'])
note(f'{n_heard} packets')
ok(395 <= n_heard <= 405, 'with all of its packets')
ok(not amy.heard('broke off') and bot.says(rf'cbr52-{TUNE_ID}: .*; it is made again', 20, mark), 'nobody is told, and the next play makes it again')

# ---- more, until the server is started again with less, in the middle of a song
server.restart(bandwidth=192000)
ok(bot.says('(?s)allows 192000 bit/s.*back in'), 'the bot is back when the server is')
amy = server.client('amy')
encore = amy.user('encore')
amy.say(f'?play {TUNE}')
amy.wait(lambda: len(packets_of(amy, encore)) > 100)
before = Heard(packets_of(amy, encore))
note(f'before: {before}')
ok(before.bps() > 100000, 'a song that fits is not encoded again')
server.restart(bandwidth=72000)
ok(bot.says('(?s)192000.*back in.*allows 72000 bit/s.*back in'), 'it comes back to a server that allows less')
amy = server.client('amy')
encore = amy.user('encore')
amy.wait(lambda: any(p.last for p in packets_of(amy, encore)), 30)
after = Heard(packets_of(amy, encore))
note(f'after: {after}')
fitting = Heard(after.packets[40:])  # what was ready before it knew
ok(fitting.packets and fitting.lost == 0 and fitting.bps() <= CAP_BPS, 'the rest of the song comes at the lower rate')
total = len(before.packets) + len(after.packets)
ok(380 <= total <= 425, f'the song went on where it was: {total} packets of 401 and the silence')

# ---- less while it runs, and more again: its administrator changes the setting in the middle of a song
amy.close()
server.restart(bandwidth=192000, ice=f'"tcp -h 127.0.0.1 -p {free_port()}"', icesecretwrite='word')
ok(bot.says('(?s)allows 72000 bit/s.*allows 192000 bit/s.*back in'), 'it comes back to a server that allows more')
amy = server.client('amy')
encore = amy.user('encore')
amy.say(f'?play {TUNE}')
amy.wait(lambda: len(packets_of(amy, encore)) > 60)
lowered = len(packets_of(amy, encore))  # before the server begins to drop some
server.configure('bandwidth', 72000)


def fits(first):
    """where 50 packets begin that all fit, from FIRST on; those that were on their way may be the server's to drop"""
    sizes = [len(p.opus) <= CAP_BPS * 0.02 / 8 for p in packets_of(amy, encore)]
    return next((i for i in range(first, len(sizes) - 50) if all(sizes[i:i + 50])), None)


amy.wait(lambda: fits(lowered) is not None)
fitting = fits(lowered)
server.configure('bandwidth', 192000)
raised = len(packets_of(amy, encore))
amy.wait(lambda: any(p.last for p in packets_of(amy, encore)), 30)
whole = Heard(packets_of(amy, encore))
note(f'lowered at {lowered}, fitting from {fitting}, raised at {raised}: {whole}')
parts = [Heard(whole.packets[a:b]) for a, b in ((0, lowered), (fitting, raised), (fitting, None))]
ok(fitting and parts[1].bps() <= CAP_BPS, 'what comes after it was lowered fits')
cached = read_ogg(glob.glob(f'{DIR}/cache/opus/*/tuneAAAAAAA.opus')[0])
# what the server dropped is between the two; a machine that stood still may add to the numbers there, not take away
span = (whole.packets[fitting].sequence - whole.packets[lowered - 1].sequence) // 2 - 1
dropped = span - (fitting - lowered)
ok(len(whole.packets) + dropped >= len(cached) + 5 and whole.overlaps == 0 and not whole.bad, 'nothing that fits is lost')
# the song's first packets are larger than even the higher limit
ok([p.opus for p in whole.packets[lowered - 10:lowered]] == cached[lowered - 10:lowered], 'before, packets are those of the cache')
ok([p.opus for p in whole.packets[-35:-5]] == cached[-30:], 'when it was raised again, too')
amy.close()
ok(bot.stop() == 0, 'SIGTERM ends it in order')
finish()
