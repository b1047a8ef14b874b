#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A Mumble server that is none, and one whose frames are broken: tests/mumble/hostile.py.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need openssl curl ffmpeg
start_site
TEST_DIR=$dir TEST_MEDIA=$media TEST_YTDLP=$ytdlp /usr/bin/python3 -B "$abs_top_srcdir/tests/mumble/hostile.py"
