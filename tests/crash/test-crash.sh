#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Many processes use one cache and are killed at random instants.  Prints TAP.
set -uo pipefail
. "$abs_top_srcdir/tests/crash/crash.sh"
rounds=${CRASH_KILL_ROUNDS:-200}
seconds=${CRASH_ROLL_SECONDS:-20}

drive once --procs 4 --threads 16 --ids 200
ok $? "4 processes x 16 threads x 200 songs: 200 fetches, every play counted"
drive kill --rounds $((rounds * 3 / 4)) --max-ms $max_ms --budget 700000
ok $? "SIGKILL at random instants, with eviction: rows and files agree"
drive kill --rounds $((rounds / 4)) --max-ms $max_ms
ok $? "SIGKILL at random instants: what was acknowledged is there, what was removed is not"
drive roll --seconds "$seconds" --procs 4 --threads 3 --max-ms $max_ms --budget 700000
ok $? "processes come and go beside live peers"
drive damage --rounds "${CRASH_DAMAGES:-100}"
ok $? "the database damaged at random: every song is there, and pinned if it was"
drive version --rounds $((rounds / 40)) --delay 0
ok $? "beside a newer and an older version: refused in words, those there go on, migrated at the end"
finish
