/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The network Mumble: rooms on one server. */
#pragma once

#include <glib.h>

/* mumble_run: with CONFIG, which was read from the file PATH, until SIGTERM or SIGINT, or until no
 * room makes sense any more.  Returns: an exit status. */
int mumble_run (const char *path, GKeyFile *config);
