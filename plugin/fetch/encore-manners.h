/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Manners towards the site, for every question that goes there: nobody asks while it refuses us,
 * not more often than `min_interval`, and a network that failed is tried once more.  Private to
 * fetch.  Threads: workers; all of it blocks. */
#pragma once

#include "fetch/encore-job.h"

G_BEGIN_DECLS

/* encore_manners_may_ask: waits for our turn.  Errors: THROTTLED while the site is left alone,
 * CANCELLED. */
gboolean encore_manners_may_ask (EncoreCache *cache, const EncoreConfig *config,
                                 GCancellable *cancellable, GError **error);
/* encore_manners_note: what came of the question; ERROR: (nullable).  A refusal begins a back-off
 * for all processes, any other answer of the site ends their number in a row. */
void encore_manners_note (EncoreCache *cache, const GError *error);
/* encore_manners_again: is it worth another try, after TRIES that began at BEGAN_US?  If so waits
 * between 1 and 3 s, so that many who failed together do not come back together. */
gboolean encore_manners_again (const EncoreConfig *config, guint tries, gint64 began_us,
                               GCancellable *cancellable, const GError *error);

/* encore_manners_run: encore_job_run() with all of the above, both tries within fetch_timeout; a
 * song that is in the cache by now needs none of it, and one that is not on YouTube only the other
 * try. The DEADLINE_US of JOB is not used. */
gboolean encore_manners_run (const EncoreJob *job, EncoreFetched *out, GError **error);

G_END_DECLS
