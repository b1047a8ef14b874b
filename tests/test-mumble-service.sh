#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A service manager's view of a bot on Mumble: tests/mumble/service.py.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need murmurd openssl
TEST_DIR=$dir TEST_MEDIA=$dir TEST_YTDLP=/bin/true /usr/bin/python3 -B "$abs_top_srcdir/tests/mumble/service.py"
