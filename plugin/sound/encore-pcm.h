/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A song that was decoded once and is read again: 48 kHz stereo float in a file without a name,
 * which goes with its descriptor.  Only an aid: where there is no room the song is decoded again.
 * Private to sound. */
#pragma once

#include "sound/encore-decode.h"

G_BEGIN_DECLS

#define ENCORE_PCM_MAX_BYTES (512 << 20) /* 23 minutes */

typedef struct EncorePcm EncorePcm;

/* encore_pcm_new: on the disk of DIR, of which it takes a quarter at most of what is free beyond
 * MIN_FREE_BYTES, for songs must not go for it.  Returns: (transfer full): free with
 * encore_pcm_free().  Threads: one at a time. */
EncorePcm *encore_pcm_new (const char *dir, gint64 min_free_bytes);
void encore_pcm_free (EncorePcm *self);

/* encore_pcm_add: N interleaved frames more; when there is no room nothing is kept. */
void encore_pcm_add (EncorePcm *self, const float *samples, gsize n);

/* encore_pcm_is_kept: all that was added. */
gboolean encore_pcm_is_kept (const EncorePcm *self);

/* encore_pcm_read: all of it, from the beginning, when it is kept.  *FRAMES (out): how many came.
 * Errors: STORE when it cannot be read, CANCELLED, those of FUNC. */
gboolean encore_pcm_read (EncorePcm *self, GCancellable *cancellable, EncorePcmFunc func,
                          gpointer data, gint64 *frames, GError **error);

G_END_DECLS
