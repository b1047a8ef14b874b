/* SPDX-License-Identifier: LGPL-2.1-or-later
 * One song on its way to a room's ring, the very line that people type after gst-launch-1.0:
 *
 *   encoretrack ! encorepack ! encorevoicesink
 *
 * Disposable: made for one song, never reused.  It has no thread and no clock; somebody calls
 * fill(). Threads: new on the control thread; fill on one thread at a time; unref on whichever
 * thread comes last, never while filling. */
#pragma once

#include "play/encore-entry.h"
#include "play/encore-voice.h"

G_BEGIN_DECLS

typedef struct EncorePipeline EncorePipeline;

/* encore_pipeline_new: running, nothing pushed yet.  @entry: (transfer full), on failure too.
 * @producer: (transfer none): gets the packets; must outlive every fill().  Errors: FAILED. */
EncorePipeline *encore_pipeline_new (EncoreEntry *entry, gint64 start_ns, EncoreProducer *producer,
                                     const char *room, GError **error);
EncorePipeline *encore_pipeline_ref (EncorePipeline *self);
void encore_pipeline_unref (EncorePipeline *self);
/* encore_pipeline_stop: lets go of the file; what it was can still be told. */
void encore_pipeline_stop (EncorePipeline *self);
/* encore_pipeline_limit: at most MAX_BPS from now on, 0: no limit.  A song passes as it is where
 * its packets keep to it. */
void encore_pipeline_limit (EncorePipeline *self, guint max_bps);
guint encore_pipeline_get_limit (EncorePipeline *self);
/* Up to N packets. */
EncoreFillResult encore_pipeline_fill (EncorePipeline *self, guint n, GError **error);

/* encore_pipeline_set_volume: of the pack, LINEAR; it moves there by DB_PER_S at most, 0: at once
 * (within 20 ms).  Threads: any. */
void encore_pipeline_set_volume (EncorePipeline *self, double linear, double db_per_s);

/* encore_pipeline_describe: (transfer full): the line, with every property that is not at its
 * default, for a shell.  It plays from the cache in CACHE_DIR, in time. */
char *encore_pipeline_describe (EncorePipeline *self, const char *cache_dir);

/* encore_pipeline_init: gst_init, our elements registered, a pipeline prepared.  Errors: FAILED. */
gboolean encore_pipeline_init (GError **error);
/* encore_pipeline_prepare: the next new() finds a pipeline that runs and only wants its song, else
 * making it is a third of the time from a command to its first packet.  One in the process; costs
 * 0.2 ms, for when nobody waits.  Threads: any. */
void encore_pipeline_prepare (void);
/* encore_pipeline_clear: lets go of the prepared one. */
void encore_pipeline_clear (void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncorePipeline, encore_pipeline_unref)

G_END_DECLS
