/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A file through GStreamer, sample by sample: filesrc ! decodebin ! TAIL ! appsink, without a main
 * loop and without any decoder for pictures; also while it grows.  Private to sound. */
#pragma once

#include <gio/gio.h>
#include <gst/gst.h>

#include "base/encore-error.h"
#include "store/encore-reader.h"

G_BEGIN_DECLS

/* In a thread of GStreamer's, one call after the other, none once encore_pull() has returned.
 * Returns: FALSE with ERROR to stop. */
typedef gboolean (*EncoreSampleFunc) (GstSample *sample, gpointer data, GError **error);

typedef struct {
  const char *caps; /* of the pads wanted: decodebin decodes until it has these */
  const char *tail; /* of the pipeline, ends at an appsink; its first element is named "tail" */
  gboolean (*as_is) (const GstCaps *caps); /* (nullable): what comes as its demuxer gives it, past
                                              decoder and tail */
  gboolean strict; /* what a decoder refuses is an error; else it goes on with the next packet */
  EncoreReader *growing; /* (nullable): what is read instead of PATH, as it comes */
  EncoreSampleFunc sample;
  gpointer data;
} EncorePullSpec;

typedef struct {
  guint n_pads;        /* with sound; the first one was used */
  gint64 announced_ns; /* by the container, 0: it does not say */
} EncorePulled;

/* encore_pull: the whole of PATH.  End of stream proves nothing.
 * Errors: NO_DECODER (names it), NO_AUDIO, CORRUPT, CANCELLED, those of SAMPLE and, when all that
 * came was told, that of the growing one's writer.
 * Threads: any; blocks; calls gst_init if need be. */
gboolean encore_pull (const char *path, const EncorePullSpec *spec, GCancellable *cancellable,
                      EncorePulled *out, GError **error);

G_END_DECLS
