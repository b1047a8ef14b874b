#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Music that steps back while people speak, on a real Mumble server: tests/mumble/duck.py.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need murmurd yt-dlp ffmpeg curl openssl
start_site
TEST_DIR=$dir TEST_MEDIA=$media TEST_YTDLP=$ytdlp /usr/bin/python3 -B "$abs_top_srcdir/tests/mumble/duck.py"
