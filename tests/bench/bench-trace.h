/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What rooms ask for: a trace of music requests, the same in every run.
 *
 * Songs: 90 % of log-normal length around 228 s, 7 % short, 3 % mixes of 30 to 120 minutes.  Rooms
 * have favourites that drift and listen in bursts: favourites, charts that move, now and then
 * something new, the same again, and playlists that are heard once. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  guint n_songs, n_requests;
  guint *length_s; /* of each song */
  guint *songs;    /* the requests, in order */
} BenchTrace;

BenchTrace *bench_trace_new (guint n_songs, guint n_requests);
void bench_trace_free (BenchTrace *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BenchTrace, bench_trace_free)

G_END_DECLS
