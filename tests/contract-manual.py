# SPDX-License-Identifier: LGPL-2.1-or-later
# Holds bot-plugin(3) against bot-plugin.h and prints what differs, one line each; status 1 then.
#   contract-manual.py HEADER MANUAL
# Compared: each member of each struct with its whole declaration, in order; the thread tag of each
# function; the value of each macro; every other public name.
import re
import sys


def squeeze(text):
    return ' '.join(text.split())


def read_header(text):
    structs, names = {}, {}
    for body, name in re.findall(r'typedef struct \w+ \{(.*?)\n\} (\w+);', text, re.S):
        members, tag = [], ''
        for comment, declaration, after in re.findall(
                r'/\*(.*?)\*/|([^;/]+);[ \t]*(/\*[^\n]*?\*/)?', body, re.S):
            if comment:
                tag = tag_of(comment)
                continue
            members.append((squeeze(declaration), tag_of(after) or tag if '(*' in declaration else ''))
            tag = ''
        structs[name] = members
    for name, value in re.findall(r'^#define (BOT_\w+)[ \t]+([^(\s_][^\s]*|\(-\d+\))', text, re.M):
        names[name] = value
    for name in re.findall(r'^#define (BOT_EXPORT)\b|^#define (BOT_HAS\([^)]*\))', text, re.M):
        names[name[0] or name[1]] = ''
    for enum in re.findall(r'^enum \{(.*?)\};', text, re.M):
        names.update((name, '') for name in re.findall(r'BOT_\w+', enum))
    for name in re.findall(r'^typedef (?!struct)[^;]*?(bot_\w+)(?:\)[^;]*)?;', text, re.M):
        names[name] = ''
    names.update((name, '') for name in re.findall(r'^extern BOT_EXPORT .*?(\w+);', text, re.M))
    return structs, names


def tag_of(comment):
    found = re.search(r'\[(?:main|any|send)\]', comment)
    return found.group() if found else ''


def read_manual(text):
    structs, names, section, lines = {}, {}, '', text.replace('\\-', '-').split('\n')
    for i, line in enumerate(lines):
        if line.startswith(('.SH ', '.SS ')):
            section = line[4:]
        elif line == '.TP' and section not in ('Threads',):
            entry = lines[i + 1].removeprefix('.B ')
            if section.startswith('bot_'):
                structs.setdefault(section, []).append((entry, tag_of(lines[i + 2]) if '(*' in entry else ''))
            else:
                name, _, value = (entry, '', '') if entry.startswith('BOT_HAS') else entry.partition(' ')
                names[name] = value
    return structs, names


def differences(header, manual):
    structs, names = header
    for struct in sorted(structs.keys() | manual[0].keys()):
        ours, theirs = structs.get(struct, []), manual[0].get(struct, [])
        yield from (f'{struct}: not in the manual: {" ".join(m)}' for m in ours if m not in theirs)
        yield from (f'{struct}: not in the header: {" ".join(m)}' for m in theirs if m not in ours)
        if sorted(ours) == sorted(theirs) and ours != theirs:
            yield f'{struct}: another order'
    for name in sorted(names.keys() | manual[1].keys()):
        if names.get(name) != manual[1].get(name):
            yield f'{name}: header {names.get(name)!r}, manual {manual[1].get(name)!r}'


def main():
    with open(sys.argv[1]) as header, open(sys.argv[2]) as manual:
        text, page = header.read(), manual.read()
    # a second count, by eye of another kind: no public name escapes the reading above
    found = list(differences(read_header(text), read_manual(page)))
    plain = re.sub(r'/\*.*?\*/', '', text, flags=re.S)
    for name in sorted(set(re.findall(r'\b(?:BOT_[A-Z]\w*|bot_[a-z]\w*)\b', plain)) - {'BOT_PLUGIN_H'}):
        if not re.search(rf'\b{name}\b', page):
            found.append(f'{name}: nowhere in the manual')
    print('\n'.join(found), end='\n' if found else '')
    return bool(found)


sys.exit(main())
