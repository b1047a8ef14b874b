#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Writes DIR/yt-dlp-offline: the real yt-dlp with our plugin, which asks ADDRESS and nothing else.  The
# address is baked in, since the product scrubs the environment of its children.
#   make-wrapper.sh DIR ADDRESS
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
printf '#!/bin/sh\nENCORE_FIXTURE_BASE=%q PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=%q exec /usr/bin/python3 %q "$@"\n' \
  "$2" "$here" "$(command -v yt-dlp)" > "$1/yt-dlp-offline"
chmod +x "$1/yt-dlp-offline"
echo "$1/yt-dlp-offline"
