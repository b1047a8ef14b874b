/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Opus packets of a demuxer as 48 kHz stereo float, by libopus itself.  GStreamer's opusdec, which
 * has the streams that are not taken here, knows 16 bit only, so that loud places come out clipped;
 * with it a song took a third more time to normalise.  Private to sound. */
#pragma once

#include <gst/gst.h>

#include "sound/encore-decode.h"

G_BEGIN_DECLS

/* encore_opus_caps_head: the OpusHead packet (RFC 7845 section 5.1) among the headers in CAPS.
 * Returns: (transfer none) (nullable). */
GstBuffer *encore_opus_caps_head (const GstCaps *caps);
/* encore_opus_is_header: whether a packet is a header: Ogg hands its own on as if they were
 * sound. */
gboolean encore_opus_is_header (const guint8 *packet, gsize len);

typedef struct EncoreOpusPcm EncoreOpusPcm;

/* STRICT: a packet that cannot be decoded is CORRUPT; else it is passed over.
 * Returns: (transfer full): free with encore_opus_pcm_free().  Threads: one at a time. */
EncoreOpusPcm *encore_opus_pcm_new (gboolean strict);
void encore_opus_pcm_free (EncoreOpusPcm *self);

/* encore_opus_pcm_takes: one stream of one or two channels, whose caps bring its header. */
gboolean encore_opus_pcm_takes (const GstCaps *caps);
/* encore_opus_pcm_decode: one packet of a stream that is taken, as long as its demuxer says that it
 * is (GstAudioClippingMeta: pre-skip and the end; else the beginning of its segment), with its
 * header's gain.  Other caps than before are another stream.
 * *SAMPLES (out): until the next call.  Returns: stereo frames, which may be none; -1 with ERROR:
 * CORRUPT, FAILED. */
gssize encore_opus_pcm_decode (EncoreOpusPcm *self, GstSample *sample, const float **samples,
                               GError **error);

G_END_DECLS
