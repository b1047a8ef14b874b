/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What a room says, at the pace that the server takes.  A server ignores texts and changes of one's
 * own state that come too fast, without a word; so both go through one bucket that repeats the
 * server's own arithmetic.  What has to wait is joined, so that twenty answers need no twenty
 * messages.
 *
 * Threads: [main]. */
#pragma once

#include <glib.h>
#include <protobuf-c/protobuf-c.h>

/* The server's leaky bucket, with a token to spare.  Only whole units that have passed are given
 * back, the rest of one is lost: that is how servers count. */
typedef struct {
  gint64 last_us;
  guint used;
} MumbleBucket;

#define MUMBLE_BURST 3
#define MUMBLE_UNIT_US 1100000

/* mumble_bucket_take: Returns: 0: taken; else how many microseconds to wait before asking again. */
gint64 mumble_bucket_take (MumbleBucket *self, gint64 now_us);

#define MUMBLE_TO_CHANNEL 0

typedef struct MumbleOutbox MumbleOutbox;

typedef struct {
  /* HTML to SESSION, or to the room's channel with MUMBLE_TO_CHANNEL. */
  void (*text) (guint32 session, const char *html, gpointer data);
  /* The room's own state changed: say it with mumble_outbox_get_comment() and the like. */
  void (*state) (gpointer data);
} MumbleOutboxFuncs;

MumbleOutbox *mumble_outbox_new (const MumbleOutboxFuncs *funcs, gpointer data);
void mumble_outbox_free (MumbleOutbox *self);

/* mumble_outbox_open: the connection is there; what waits begins to go. */
void mumble_outbox_open (MumbleOutbox *self);
/* mumble_outbox_shut: it is gone: private answers are forgotten, since sessions are, too. */
void mumble_outbox_shut (MumbleOutbox *self);
/* mumble_outbox_set_limits: LENGTH in units of UTF-16, 0: none; without HTML there is one line to a
 * message. */
void mumble_outbox_set_limits (MumbleOutbox *self, guint length, gboolean html);
/* mumble_outbox_say: TEXT is plain. */
void mumble_outbox_say (MumbleOutbox *self, guint32 session, const char *text);
/* mumble_outbox_touch: STATE is called when there is room for it, once for many touches. */
void mumble_outbox_touch (MumbleOutbox *self);
/* mumble_outbox_count: a change that was sent beside the outbox and that the server counts. */
void mumble_outbox_count (MumbleOutbox *self);
