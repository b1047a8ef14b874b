/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Opus packets of which no true peak, decoded again, passes a ceiling.  Peaks of the music above it
 * are turned down for a moment (encore-dips.h).  A coder moves peaks, some of them up: each packet
 * is decoded at once, and where one is too high its music and the packet's before it are turned
 * down a little more and encoded again, from the coder's state before them.  Private to sound. */
#pragma once

#include <gio/gio.h>
#include <opus.h>

G_BEGIN_DECLS

typedef struct EncoreCeiling EncoreCeiling;

typedef gboolean (*EncoreOpusPacketFunc) (const guint8 *packet, int len, gpointer data,
                                          GError **error);

/* encore_ceiling_new: ENCODER (48 kHz, stereo, frames of 20 ms; kept, not freed) is used by nobody
 * else.  FUNC is called for each packet, a few frames late.  Returns: (transfer full) (nullable):
 * FAILED.  Threads: one at a time. */
EncoreCeiling *encore_ceiling_new (OpusEncoder *encoder, double ceiling_dbtp,
                                   EncoreOpusPacketFunc func, gpointer data, GError **error);
void encore_ceiling_free (EncoreCeiling *self);

/* encore_ceiling_frame: 960 interleaved frames. */
gboolean encore_ceiling_frame (EncoreCeiling *self, const float *frame, GError **error);

/* encore_ceiling_end: what is not encoded yet. */
gboolean encore_ceiling_end (EncoreCeiling *self, GError **error);

/* encore_ceiling_get_peak_dbtp: of the packets, as far as it came near the ceiling; -HUGE_VAL when
 * it did not.  Above the ceiling only where many tries did not help. */
double encore_ceiling_get_peak_dbtp (const EncoreCeiling *self);

G_END_DECLS
