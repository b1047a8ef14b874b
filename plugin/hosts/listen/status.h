/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The JSON file of a listening room, replaced whole at each change:
 *   {"name": "libera.#music", "url": "http://HOST:PORT/MOUNT", "state": "live", "since": 1790000000,
 *    "title": "A Song", "title_since": 1790000100, "error": ""}
 * state is joining, live, lost, refused or ended; title "" is silence; times are seconds of Unix.
 *
 * Threads: status_set() and status_set_title() from any, status_write() from one. */
#pragma once

#include <glib.h>

#include "hosts/listen/listen.h"

G_BEGIN_DECLS

typedef struct Status Status;

/* status_new: @path NULL: nothing is ever written. */
Status *status_new (const char *path, const char *url, const char *name);
void status_free (Status *self);
void status_set (Status *self, ListenState state, const char *error);
void status_set_title (Status *self, const char *title);
/* status_write: if something changed.  A file that cannot be written is told once in the log. */
void status_write (Status *self);

G_END_DECLS
