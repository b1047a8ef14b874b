/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The end of one song and the beginning of the next as one stream of 20 ms Opus packets.
 *
 * Both are decoded, mixed at equal power (their sum is as loud as each of them) and encoded.  The
 * coders are warmed with what was heard last, and the encoder's delay is paid with one packet of
 * look-ahead: the packets before and behind the fade are the songs' own, bit for bit, and join it
 * without a click.
 *
 * Threads: one user at a time. */
#pragma once

#include <glib.h>

#include "base/encore-error.h"

G_BEGIN_DECLS

#define ENCORE_CROSS_WARM 5 /* after 100 ms a decoder has forgotten where it began */

typedef struct EncoreCross EncoreCross;

/* encore_cross_new: over N packets.  Errors: FAILED. */
EncoreCross *encore_cross_new (guint n, GError **error);
void encore_cross_free (EncoreCross *self);
/* encore_cross_warm: a packet of the old song that went out as it was; the last ones before the
 * fade, in their order. */
void encore_cross_warm (EncoreCross *self, const guint8 *packet, gsize len);
/* encore_cross_push: the next packet of each song.
 * @old: (nullable): that song is over.  @max_bps: that the mix keeps to; 0: no limit.
 * Returns: (transfer full) (nullable): the mix of the call before; NULL for the first call.  What
 * cannot be decoded is silence. */
GBytes *
encore_cross_push (EncoreCross *self, GBytes *old, const guint8 *packet, gsize len, guint max_bps);
/* encore_cross_finish: the new song is over, too.  Returns: as push(). */
GBytes *encore_cross_finish (EncoreCross *self, guint max_bps);
/* encore_cross_is_over: N packets came out; the new song's packet that was pushed last is not among
 * them: it goes out as it is. */
gboolean encore_cross_is_over (EncoreCross *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreCross, encore_cross_free)

G_END_DECLS
