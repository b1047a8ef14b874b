# SPDX-License-Identifier: LGPL-2.1-or-later
"""Servers that refuse the bot, or are not the ones they should be; and how it is told from others."""
import os
import re
import subprocess

from client import Client
from fixture import DIR, PASSWORD, Bot, Server, certificate, finish, note, ok

server = Server(serverpassword='sesame')


def ends(bot, words, name):
    """It gives up for good, in these words."""
    try:
        status = bot.child.wait(20)
    except subprocess.TimeoutExpired:
        status = None
    ok(status == 1 and re.search(words, bot.log()) and 'not tried again' in bot.log(), name)


# ---- what makes no sense to try again
ends(Bot(server, 'no-password'), r'wrong server password \(option password\)', 'a wrong server password')
ends(Bot(server, 'odd', user='a:b<c>', password='sesame'), r"does not allow the name 'a:b<c>' \(option user\)", 'a name that the server does not allow')
ends(Bot(server, 'super', user='SuperUser', password='sesame'),
     r"the name 'SuperUser' is registered with another certificate or password", 'a name that is registered by somebody else')

# ---- the server's certificate
bot = Bot(server, 'visitor', password='sesame')
ok(bot.says('here in the root channel'), 'with the password it is let in')
digest = re.search('shows the certificate ([0-9a-f]{64})', bot.log())[1]
bot.stop()
bot.start()
ok(bot.says('(?s)here in.*here in'), 'the same certificate at the next visit')
bot.stop()
pinned = Bot(server, 'pinned', password='sesame', fingerprint=':'.join(re.findall('..', digest.upper())))
ok(pinned.says('here in') and 'shows the certificate' not in pinned.log(), 'the one of the option fingerprint')
pinned.stop()
ends(Bot(server, 'wrong-pin', password='sesame', fingerprint='ab' * 32),
     f"the server's certificate is {digest}, not {'ab' * 32} as fingerprint says", 'another one than in the option fingerprint')
ends(Bot(server, 'strict', password='sesame', verify='ca'), 'is not signed for this name by an authority',
     'one that no authority has signed, with verify=ca')
server.stop()
for name in os.listdir(server.dir):
    if name.startswith('murmur.sqlite'):
        os.remove(f'{server.dir}/{name}')
subprocess.run(['murmurd', '-ini', f'{server.dir}/murmur.ini', '-fg', '-supw', PASSWORD], check=True, capture_output=True)
server.start()
bot.start()
ends(bot, f"the server's certificate is [0-9a-f]+, not {digest} as {DIR}/visitor.pem.servers says", 'a certificate that was changed')
careless = Bot(server, 'careless', password='sesame', verify='off')
ok(careless.says('here in'), 'with verify=off anything goes')
careless.stop()

# ---- a name that is taken, as by a ghost
ghost = Client(server.port, 'encore', password='sesame', source='127.0.0.9')
bot = Bot(server, 'late', user='encore', password='sesame')
ok(bot.says(r"the name 'encore' is taken, perhaps by the bot's own last connection; tried again in 5\.0 s"), 'a taken name is tried again')
ghost.close()
ok(bot.says('here in'), 'until it is free')

# ---- who is who: the certificate, the registration, the group; never the name
owner = Client(server.port, 'SuperUser', password=PASSWORD)
boss_pem, fred_pem = certificate('boss'), certificate('fred')
boss_hash = subprocess.run(['openssl', 'x509', '-in', boss_pem, '-noout', '-fingerprint', '-sha1'], check=True, capture_output=True,
                           text=True).stdout.split('=')[1].strip()
bot.stop()


def register(name, pem):
    one = Client(server.port, name, password='sesame', certificate=pem)
    one.send(9, [(1, one.session), (4, 0)])
    one.wait(lambda: 4 in one.users[one.session])
    number = one.users[one.session].get(4)
    one.close()
    return number


owner.rules('', [('all', 0x80000, 0)])  # whoever wants may register
fred = register('fred', fred_pem)
gina = register('gina', certificate('gina'))
note(f'registered: fred {fred}, gina {gina}')
bot = Bot(server, 'judge', user='judge', password='sesame', admins=f'cert:{boss_hash}, user:{fred}, group:staff', djs='group:djs')
ok(bot.says('here in'), 'a bot with rules')
refused, wanted = 'cache_cleanup is for admins', 'entries checked'


def asks(name, what, words, pem=None):
    one = Client(server.port, name, password='sesame', certificate=pem)
    one.user('judge')
    result = one.ask(what, words, timeout=10)
    if not result:
        note(f'{name} {one.users[one.session]}: {[t[2] for t in one.texts]}')
    one.close()
    return result


ok(asks('anybody', '?cache_cleanup', wanted, boss_pem), 'the certificate makes the admin, whatever the name')
ok(asks('boss', '?cache_cleanup', refused), 'the name alone does not')
ok(asks('boss', '?cache_cleanup', refused, certificate('impostor')), 'nor does it with another certificate')
ok(asks('fred', '?cache_cleanup', wanted, fred_pem), 'a registered user by his number')
ok(asks('gina', '?cache_cleanup', refused, f'{DIR}/gina.pem'), 'another one is none')
ok(asks('boss', '?whoami', f'cert:{boss_hash.replace(":", "").lower()}; you are an admin', boss_pem), 'whoami tells what to write')
ok(bot.says('without the right to write ACLs.* group:NAME is nobody'), 'groups that the bot may not know are told')
owner.rules('', [('all', 1, 0)], [('staff', [gina])])  # the bot may know the groups
ok(bot.says('tells the groups') and asks('gina', '?cache_cleanup', wanted, f'{DIR}/gina.pem'), 'a member of the group staff is one, as soon as he is in it')
bot.stop()
finish()
