/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A network of one room whose chat is standard input and output; people are who they say. */
#pragma once

#include <glib.h>

/* console_run: with CONFIG, which was read from the file PATH, until the input ends, and with
 * WAIT_IDLE until all is played out after that, or until SIGTERM or SIGINT.  Returns: an exit
 * status. */
int console_run (const char *path, GKeyFile *config, gboolean wait_idle);
