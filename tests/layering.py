#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The walls of the house: prints a line for each rule that the sources below DIR break.

    layering.py DIR        exit status 1 if there was one
LIBRARY_CFLAGS: compiler options for the libraries; without them no header is compiled alone.
"""
import os
import pathlib
import re
import shlex
import subprocess
import sys

MAX_FILE_LINES = 700
MAX_FUNCTION_LINES = 90

# What each folder may include of the others.
MAY = {
    'include': '', 'base': 'base', 'store': 'base store', 'sound': 'base store sound',
    'fetch': 'base store sound fetch', 'import': 'base store sound import', 'play': 'base store play',
    'bot': 'base store sound fetch play bot', 'hosts': 'hosts', 'tools': 'base store sound fetch import',
    # listening rooms write the cache's format: its page writer is in base
    'hosts/listen': 'base hosts',
}
# Which folders may use a library.  Programs below hosts/ link none of our code and may have a sound
# library of their own; the truth and the network stay where they are.
LIBRARIES = [
    (r'sqlite3\.h', 'store'),
    (r'gst/', 'play sound import hosts'),
    (r'curl/', 'fetch hosts/listen'),
    (r'bot-plugin\.h', 'bot hosts'),
]
PROCESSES = re.compile(r'\b(g_spawn_\w+|g_subprocess_\w+|posix_spawnp?|popen|system|v?fork|exec[lv]p?e?) ?\(')
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# These stand for code of others, which knows no config.h.
STRANGERS = ('plugin/hosts/sample/', 'plugin/hosts/template/', 'plugin/hosts/concord/',
             'plugin/hosts/eggdrop/module.c', 'tests/sample-plugin.c', 'tests/hostile-plugin.c', 'tests/bench/bench-host.c')
# Headers that include one which need not be installed: its pkg-config name.
OPTIONAL = {'plugin/hosts/weechat/api.h': 'weechat'}
CXX = ('plugin/hosts/dpp/',)


def folder_of(name):
    parts = name.split('/')
    below = '/'.join(parts[1:3])
    return below if below in MAY else parts[1]


def check_include(folder, target):
    for pattern, folders in LIBRARIES:
        if re.match(pattern, target) and folder not in folders.split():
            yield f'{folder} must not include {target} (only {folders} may)'
    if '..' in target.split('/'):
        yield f'includes {target}: no way around the folders'
    other = target.split('/')[0] if '/' in target else None
    if other in MAY and other not in MAY[folder].split():
        yield f'{folder} must not include {target} (it may: {MAY[folder] or "nothing of ours"})'


def check_functions(lines):
    """Bodies begin with a brace alone at the left edge or, in the sample, behind the head."""
    head = start = None
    for number, line in enumerate(lines, 1):
        if re.match(r'\w.*\(', line):
            head = line
        if line == '{' or re.match(r'\w.*\) \{', line):
            start = number
        if line.startswith('}') and start is not None:
            if number - start + 1 > MAX_FUNCTION_LINES:
                yield f'{number - start + 1} lines in one function: {head}'
            start = None


def check_text(name, lines):
    if 'SPDX-License-Identifier: ' not in ''.join(lines[:1]):
        yield 'no licence in the first line'
    if len(lines) > MAX_FILE_LINES:
        yield f'{len(lines)} lines, at most {MAX_FILE_LINES}'
    yield from check_functions(lines)
    if any(re.match(r'\s*goto \w+;', line) for line in lines):
        yield 'goto'


def check_file(name):
    lines = pathlib.Path(name).read_text(encoding='utf-8').splitlines()
    includes = [m.groups() for m in map(INCLUDE.match, lines) if m]
    folder = folder_of(name) if name.startswith('plugin/') else None
    if folder is not None and folder not in MAY:
        yield 'a folder that the house has not'
        return
    yield from check_text(name, lines)
    if name.endswith('.c') and not name.startswith(STRANGERS) and includes[:1] != [('"', 'config.h')]:
        yield f'the first include is {includes[0][1] if includes else "none"}, not config.h'
    if name.endswith('.h') and not name.endswith('/bot-plugin.h') and '#pragma once' not in lines:
        yield 'no #pragma once'
    if folder is None:
        return  # tests may look anywhere
    for _, target in includes:
        yield from check_include(folder, target)
    for number, line in enumerate(lines, 1):
        if folder != 'fetch' and PROCESSES.search(line):
            yield f'line {number}: only fetch starts processes'


def can_compile(name):
    if name.startswith(CXX):
        return False  # no C
    return name not in OPTIONAL or subprocess.run(['pkg-config', '--exists', OPTIONAL[name]], check=False).returncode == 0


def proven_alone(names):
    """the headers that some file includes right behind config.h: it would not compile if they did not"""
    for name in filter(lambda name: name.endswith('.c'), names):
        head = re.search(r'^#include "config\.h"\n#include "(.*)"$', pathlib.Path(name).read_text(encoding='utf-8'), re.M)
        if head:
            for folder in (os.path.dirname(name), 'plugin', 'plugin/include', 'tests'):
                if os.path.exists(f'{folder}/{head[1]}'):
                    yield f'{folder}/{head[1]}'
                    break


def compiles_alone(name, options):
    # -include, not the file itself: #pragma once in a main file is a warning
    command = shlex.split(os.environ.get('CC', 'cc')) + [
        '-std=gnu11', '-Wall', '-Wextra', '-Wno-unused-parameter', '-Werror', '-fsyntax-only',
        '-DG_LOG_DOMAIN="Encore"', '-Iplugin', '-Iplugin/include', '-Itests', *shlex.split(options),
        '-include', name, '-x', 'c', '/dev/null']
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def main():
    os.chdir(sys.argv[1])
    names = sorted(str(p) for top in ('plugin', 'tests') for p in pathlib.Path(top).rglob('*.[ch]'))
    options = os.environ.get('LIBRARY_CFLAGS')
    proven = set(proven_alone(names))
    found = 0
    for name in names:
        complaints = list(check_file(name))
        if options and name.endswith('.h') and name not in proven and can_compile(name) and not compiles_alone(name, options):
            complaints.append('does not compile alone')
        for complaint in complaints:
            print(f'{name}: {complaint}')
            found = 1
    return found if names else 2


if __name__ == '__main__':
    sys.exit(main())
