/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Any file that GStreamer knows, as 48 kHz stereo float, block by block.  For fetch and import
 * only. */
#pragma once

#include <gio/gio.h>

#include "base/encore-error.h"
#include "store/encore-reader.h"

G_BEGIN_DECLS

#define ENCORE_DECODE_CHANNELS 2

/* FRAMES interleaved stereo frames.  Returns: FALSE with ERROR to stop. */
typedef gboolean (*EncorePcmFunc) (const float *samples, gsize frames, gpointer data,
                                   GError **error);

/* encore_decode: the whole of PATH, and it must be whole as far as its container can tell
 * (encore-whole.h); compare *FRAMES with what others announced.  Errors: NO_DECODER (names it),
 * NO_AUDIO, CORRUPT, CANCELLED, and those of FUNC. Threads: any; needs no main loop. */
gboolean encore_decode (const char *path, GCancellable *cancellable, EncorePcmFunc func,
                        gpointer data, gint64 *frames, GError **error);
/* encore_decode_growing: the same while it comes; nothing is known of its length. */
gboolean encore_decode_growing (EncoreReader *growing, GCancellable *cancellable,
                                EncorePcmFunc func, gpointer data, gint64 *frames, GError **error);
/* encore_decode_check: the same for its errors and its length only; a packet that the decoder
 * refuses is CORRUPT here, where encore_decode() goes on with the next. */
gboolean
encore_decode_check (const char *path, GCancellable *cancellable, gint64 *frames, GError **error);

G_END_DECLS
