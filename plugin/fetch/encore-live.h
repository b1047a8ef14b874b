/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A live stream, heard as it comes (encore-early.h) and never kept.  Private to fetch. */
#pragma once

#include "fetch/encore-job.h"

G_BEGIN_DECLS

/* encore_live_run: blocks until the stream ends or the job's cancellable does it; its deadline does
 * not count.  Tells progress and, with the first bytes, what can be heard.
 * Errors, always one: LIVE when it is over; GONE when there was nothing to hear; CANCELLED; those
 * of a download.  Threads: a worker that lives as long as the call. */
void encore_live_run (const EncoreJob *job, GError **error);

G_END_DECLS
