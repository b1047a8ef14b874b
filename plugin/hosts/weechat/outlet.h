/* SPDX-License-Identifier: GPL-3.0-or-later
 * Lines to IRC servers, no faster than WeeChat's anti-flood lets them out, and not without end:
 * what a busy room has to say is old when its turn comes.
 *
 * Threads: [main] only. */
#pragma once

#include <glib.h>

#include "options.h"

typedef struct Outlet Outlet;

Outlet *outlet_new (Options *options);
/* What waits is dropped. */
void outlet_free (Outlet *self);
/* outlet_say: LINE, which text_lines() made, to CHANNEL of SERVER: never a command, whatever it
 * looks like. */
void outlet_say (Outlet *self, const char *server, const char *channel, const char *line);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Outlet, outlet_free)
