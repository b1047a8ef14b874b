#define ENCORE_RESOLVER_PY \
  "# SPDX-License-Identifier: LGPL-2.1-or-later\n" \
  "\"\"\"A yt-dlp that stays and answers again and again; its supervisor is encore-worker.c.\n" \
  "\n" \
  "    encore-resolver.py YT-DLP [ARGUMENT...]\n" \
  "\n" \
  "YT-DLP is the Python program in use, whose modules are taken; the ARGUMENTs are those of one run of it,\n" \
  "without an address.  Standard input has a request a line, {\"request\": N, \"url\": ADDRESS}; standard output\n" \
  "what yt-dlp prints for it (--print), then {\"event\": \"end\", \"request\": N, \"error\": TEXT}, TEXT empty if\n" \
  "there was none.  The first line is {\"event\": \"ready\", \"version\": V, \"file\": F}: F changes with the version.\n" \
  "\"\"\"\n" \
  "import json\n" \
  "import os\n" \
  "import runpy\n" \
  "import sys\n" \
  "\n" \
  "\n" \
  "def tell(**event):\n" \
  "    print(json.dumps(event), flush=True)\n" \
  "\n" \
  "\n" \
  "def answer(ydl, failures, url):\n" \
  "    \"\"\"The text of an error, or nothing.\"\"\"\n" \
  "    try:\n" \
  "        ydl.download([url])\n" \
  "    except failures as e:\n" \
  "        return str(e)\n" \
  "    except Exception as e:  # a bug of yt-dlp or of a plugin; the next song may do\n" \
  "        return f'ERROR: {type(e).__name__}: {e}'\n" \
  "    return ''\n" \
  "\n" \
  "\n" \
  "def main():\n" \
  "    program, arguments = sys.argv[1], sys.argv[2:]\n" \
  "    # what children and libraries write by themselves must not come between our lines\n" \
  "    sys.stdout = os.fdopen(os.dup(1), 'w', encoding='utf-8', errors='replace', newline='\\n')\n" \
  "    os.dup2(2, 1)\n" \
  "    sys.path.pop(0)  # our own directory\n" \
  "    sys.argv = [program]\n" \
  "    runpy.run_path(program, run_name='encore_resolver')\n" \
  "    import yt_dlp\n" \
  "    import yt_dlp.version\n" \
  "\n" \
  "    options = yt_dlp.parse_options(arguments).ydl_opts\n" \
  "    options['ignoreerrors'] = False  # else the text of an error is only printed\n" \
  "    ydl = yt_dlp.YoutubeDL(options)\n" \
  "    tell(event='ready', version=yt_dlp.version.__version__, file=yt_dlp.version.__file__ or '')\n" \
  "    for line in sys.stdin:\n" \
  "        request = json.loads(line)\n" \
  "        error = answer(ydl, yt_dlp.utils.YoutubeDLError, request['url'])\n" \
  "        tell(event='end', request=request['request'], error=error)\n" \
  "\n" \
  "\n" \
  "main()\n" \
  ""
