/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Opus packets of any length in, packets of 20 ms out, without decoding where the format allows it:
 * frames of 2.5, 5, 10 and 20 ms are split and joined as they are (RFC 6716, section 3).  What
 * cannot be cut (one SILK frame of 40 or 60 ms) or joined (a change of mode in mid-packet) is
 * decoded and encoded, from there to the next reset.
 *
 * Threads: one user at a time. */
#pragma once

#include <glib.h>

#include "base/encore-error.h"

G_BEGIN_DECLS

typedef struct EncoreRegroup EncoreRegroup;

EncoreRegroup *encore_regroup_new (void);
void encore_regroup_free (EncoreRegroup *self);
/* Forgets what is pending: after a seek. */
void encore_regroup_reset (EncoreRegroup *self);

/* encore_regroup_is_idle: nothing is pending: a packet of 20 ms may pass by on the left. */
gboolean encore_regroup_is_idle (const EncoreRegroup *self);
/* encore_opus_samples: length of PACKET at 48 kHz; 0 if it is no Opus packet. */
guint encore_opus_samples (const guint8 *packet, gsize len);

/* encore_regroup_push: PACKET is copied; pop() until there is nothing before the next one.
 * Errors: CORRUPT if it is no Opus packet. */
gboolean encore_regroup_push (EncoreRegroup *self, const guint8 *packet, gsize len, GError **error);
/* encore_regroup_finish: the end of the stream: what is pending is filled up with silence. */
void encore_regroup_finish (EncoreRegroup *self);
/* encore_regroup_pop: Returns: the next packet of 20 ms, (transfer full) (nullable). */
GBytes *encore_regroup_pop (EncoreRegroup *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreRegroup, encore_regroup_free)

G_END_DECLS
