/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A song that is heard while it is downloaded: beside the download its beginning is made into what
 * rooms play, Ogg Opus that grows.  Opus packets are kept as they are, everything else is decoded
 * and encoded; the loudness is that of the source.
 *
 * It lives in a file without a name, which is gone with its last reader: nothing of it is kept.
 *
 * Threads: the job's functions are called by the job; run() on a worker of its own, which may still
 * be at work when the job has ended. */
#pragma once

#include <gio/gio.h>

#include "store/encore-reader.h"

G_BEGIN_DECLS

typedef struct EncoreEarly EncoreEarly;

/* encore_early_new: of the file at PATH, which is being downloaded; its work is pushed to POOL,
 * whose function is encore_early_run().  @dir: on whose file system it grows.
 * Errors: STORE, NO_SPACE. */
EncoreEarly *encore_early_new (GThreadPool *pool, const char *path, const char *dir,
                               int bitrate_bps, GError **error);
/* encore_early_new_stream: of what append() brings, without end: what is long past is given back to
 * the disk. */
EncoreEarly *
encore_early_new_stream (GThreadPool *pool, const char *dir, int bitrate_bps, GError **error);
void encore_early_run (gpointer early, gpointer closing); /* a GFunc */
/* encore_early_free: the job's share.  Without complete() before, what was read fails. */
void encore_early_free (EncoreEarly *self);

/* encore_early_get_reader: (transfer none): what rooms read. */
EncoreReader *encore_early_get_reader (EncoreEarly *self);

/* encore_early_advance: BYTES of PATH are there.  Another file than before ends it. */
void encore_early_advance (EncoreEarly *self, const char *path, gint64 bytes);
/* encore_early_append: of a stream.  Errors: STORE, NO_SPACE. */
gboolean encore_early_append (EncoreEarly *self, const guint8 *bytes, gsize len, GError **error);
/* encore_early_complete: PATH is whole; NULL: so is the stream. */
void encore_early_complete (EncoreEarly *self, const char *path);
void encore_early_fail (EncoreEarly *self, const GError *error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreEarly, encore_early_free)

G_END_DECLS
