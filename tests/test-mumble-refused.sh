#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Mumble servers that refuse the bot, and people whom it refuses: tests/mumble/refused.py.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need murmurd yt-dlp ffmpeg curl openssl
start_site
TEST_DIR=$dir TEST_MEDIA=$media TEST_YTDLP=$ytdlp /usr/bin/python3 -B "$abs_top_srcdir/tests/mumble/refused.py"
