#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A Mumble server that allows less than the song has, from the start and all of a sudden: tests/mumble/bandwidth.py.
. "$abs_top_srcdir/tests/lib.sh"
need murmurd yt-dlp ffmpeg curl openssl
start_site
TEST_DIR=$dir TEST_MEDIA=$media TEST_YTDLP=$ytdlp /usr/bin/python3 -B "$abs_top_srcdir/tests/mumble/bandwidth.py"
