#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# encore-bot and a service manager, which is a socket of the test's: tests/service.py.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need yt-dlp ffmpeg curl
start_site
TEST_DIR=$dir TEST_YTDLP=$ytdlp /usr/bin/python3 -B "$abs_top_srcdir/tests/service.py"
