/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What a service manager wants to know, in the protocol of sd_notify(3): a datagram of lines to the
 * socket that it names in the environment.  Without one nothing is sent.  [any] */
#pragma once

#include <glib.h>

/* notify_send: STATE is "READY=1", or several such lines.  Returns: FALSE if nobody was told. */
gboolean notify_send (const char *state);
/* notify_status: TEXT as STATUS, whatever it is: one line. */
void notify_status (const char *text);
/* notify_reloading: a reload begins; READY=1 ends it. */
void notify_reloading (void);
/* notify_watchdog_us: how often the manager wants to hear WATCHDOG=1; 0: it does not. */
guint64 notify_watchdog_us (void);
/* notify_is_journal: standard error goes to the journal, which makes its own time stamps and reads
 * "<3>" before a line as its priority. */
gboolean notify_is_journal (void);
