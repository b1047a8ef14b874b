/* SPDX-License-Identifier: GPL-3.0-or-later
 * What comes from outside is made fit for one IRC line, and how often somebody may speak.  No
 * thread, no WeeChat. */
#pragma once

#include <glib.h>

/* text_clean: TEXT as UTF-8 without control characters (they become blanks), so without line ends,
 * colours, CTCP marks and terminal sequences.  (transfer full) */
char *text_clean (const char *text);
/* text_lines: TEXT, cleaned, as at most MAX_LINES lines of at most MAX_BYTES bytes, cut between
 * words where there is one and never inside a character; the last ends in an ellipsis if something
 * is missing.  A line never begins with a sign that a client or another bot takes for a command: it
 * gets a blank before it.  Returns: (transfer full): strings. */
GPtrArray *text_lines (const char *text, gsize max_bytes, guint max_lines);

/* A token bucket; all 0 is a full one. */
typedef struct {
  gint64 spent_until_us; /* the time at which it will be full again */
} Bucket;

/* bucket_take: one token at NOW_US of a bucket of BURST that gets one each INTERVAL_US; an
 * INTERVAL_US of 0 never runs dry.  Returns: FALSE if it is empty. */
gboolean bucket_take (Bucket *self, gint64 now_us, gint64 interval_us, guint burst);
gboolean bucket_is_full (const Bucket *self, gint64 now_us);

#define BUCKETS_MAX 4096 /* users with one that is not full */

/* buckets_new: a user's id (guint64 *) -> his Bucket.  Free with g_hash_table_unref. */
GHashTable *buckets_new (void);
/* buckets_take: one token of USER's bucket of BURST that gets PER_MINUTE; a PER_MINUTE of 0 never
 * runs dry.  Returns: FALSE if it is empty, or too many others have one. */
gboolean
buckets_take (GHashTable *self, guint64 user, gint64 now_us, guint per_minute, guint burst);
