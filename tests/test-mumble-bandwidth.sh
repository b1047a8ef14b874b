#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A Mumble server that allows less than the song has, from the start, after a restart and while it runs: tests/mumble/bandwidth.py.
. "$abs_top_srcdir/tests/lib.sh"
need murmurd yt-dlp ffmpeg curl openssl
/usr/bin/python3 -c "import Ice" 2>/dev/null || { echo "1..0 # SKIP python3-zeroc-ice is not installed"; exit 0; }
start_site
TEST_DIR=$dir TEST_MEDIA=$media TEST_YTDLP=$ytdlp /usr/bin/python3 -B "$abs_top_srcdir/tests/mumble/bandwidth.py"
