# SPDX-License-Identifier: LGPL-2.1-or-later
"""A yt-dlp that stays and answers again and again; its supervisor is encore-worker.c.

    encore-resolver.py YT-DLP [ARGUMENT...]

YT-DLP is the Python program in use, whose modules are taken; the ARGUMENTs are those of one run of it,
without an address.  Standard input has a request a line, {"request": N, "url": ADDRESS}; standard output
what yt-dlp prints for it (--print), then {"event": "end", "request": N, "error": TEXT}, TEXT empty if
there was none.  The first line is {"event": "ready", "version": V, "file": F}: F changes with the version.
"""
import json
import os
import runpy
import sys


def tell(**event):
    print(json.dumps(event), flush=True)


def answer(ydl, failures, url):
    """The text of an error, or nothing."""
    try:
        ydl.download([url])
    except failures as e:
        return str(e)
    except Exception as e:  # a bug of yt-dlp or of a plugin; the next song may do
        return f'ERROR: {type(e).__name__}: {e}'
    return ''


def main():
    program, arguments = sys.argv[1], sys.argv[2:]
    # what children and libraries write by themselves must not come between our lines
    sys.stdout = os.fdopen(os.dup(1), 'w', encoding='utf-8', errors='replace', newline='\n')
    os.dup2(2, 1)
    sys.path.pop(0)  # our own directory
    sys.argv = [program]
    runpy.run_path(program, run_name='encore_resolver')
    import yt_dlp
    import yt_dlp.version

    options = yt_dlp.parse_options(arguments).ydl_opts
    options['ignoreerrors'] = False  # else the text of an error is only printed
    ydl = yt_dlp.YoutubeDL(options)
    tell(event='ready', version=yt_dlp.version.__version__, file=yt_dlp.version.__file__ or '')
    for line in sys.stdin:
        request = json.loads(line)
        error = answer(ydl, yt_dlp.utils.YoutubeDLError, request['url'])
        tell(event='end', request=request['request'], error=error)


main()
