#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Mumble servers that allow short texts only, or no HTML: tests/mumble/text.py.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need murmurd yt-dlp ffmpeg curl openssl
start_site
TEST_DIR=$dir TEST_MEDIA=$media TEST_YTDLP=$ytdlp /usr/bin/python3 -B "$abs_top_srcdir/tests/mumble/text.py"
