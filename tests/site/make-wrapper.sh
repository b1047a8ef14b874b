#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Writes DIR/yt-dlp-offline: the real yt-dlp with our plugin, which asks ADDRESS and nothing else.  The
# address is baked in, since the product scrubs the environment of its children.  A Python script, as the
# real one is: it may also be taken for its modules.
#   make-wrapper.sh DIR ADDRESS
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
/usr/bin/python3 - "$2" "$here" "$(command -v yt-dlp)" >"$1/yt-dlp-offline" <<'END'
import sys
print('''#!/usr/bin/python3
import os
import runpy
import sys

os.environ['ENCORE_FIXTURE_BASE'] = {!r}
sys.dont_write_bytecode = True
sys.modules['Cryptodome'] = None  # not needed, and a sixth of the time of a start
sys.path.insert(0, {!r})
runpy.run_path({!r}, run_name=__name__)'''.format(*sys.argv[1:]))
END
chmod +x "$1/yt-dlp-offline"
echo "$1/yt-dlp-offline"
