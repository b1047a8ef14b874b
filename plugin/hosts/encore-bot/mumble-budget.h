/* SPDX-License-Identifier: LGPL-2.1-or-later
 * How often one address may knock at one server, over all rooms: servers ban, without a word, who
 * connects more than ten times in two minutes.  Times are monotonic, in microseconds. */
#pragma once

#include <glib.h>

#define MUMBLE_BUDGET_ATTEMPTS 8

typedef struct {
  gint64 at_us[MUMBLE_BUDGET_ATTEMPTS]; /* of the last attempts that count, a ring; 0: none */
  guint next;
  guint cut; /* attempts in a row that were cut before the handshake was over */
  gint64 closed_until_us;
} MumbleBudget;

/* mumble_budget_take: Returns: 0: go, and it is counted; else how long to wait. */
gint64 mumble_budget_take (MumbleBudget *self, gint64 now_us);
/* mumble_budget_give_back: the last attempt did not come to a connection. */
void mumble_budget_give_back (MumbleBudget *self);
/* mumble_budget_note: the last attempt was CUT before the handshake was over, or not.  Returns:
 * TRUE if that looks like a ban: nothing goes for five minutes. */
gboolean mumble_budget_note (MumbleBudget *self, gboolean cut, gint64 now_us);
