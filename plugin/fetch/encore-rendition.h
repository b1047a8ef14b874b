/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A cached song once more, for voices that take less than it has: Opus at a constant rate, made
 * once and kept as an entry of its own (encore_media_id_rendition()).  Private to fetch. */
#pragma once

#include <gio/gio.h>

#include "base/encore-media-id.h"
#include "store/encore-cache.h"

G_BEGIN_DECLS

typedef struct {
  guint kbps;
  double true_peak_dbtp; /* ceiling */
} EncoreRenditionSpec;

/* encore_rendition_make: from SONG's Opus file, unless it is there.  Its url tells of which file it
 * was made (ENCORE_RENDITION_OF); one that was made of another is removed.  Returns: FALSE with
 * ERROR: NOT_FOUND without SONG, CORRUPT if that has not the bytes that were published, NO_SPACE if
 * songs would have to go for it, BUSY, DEADLINE or a remembered failure if it is not to be made
 * now, those of decoding and of the cache.  Threads: any worker; blocks. */
gboolean
encore_rendition_make (EncoreCache *cache, const EncoreMediaId *song, const EncoreRenditionSpec *as,
                       GCancellable *cancellable, GError **error);

/* Those that were asked for, one at a time in a thread of its own.  Any thread. */
typedef struct EncoreRenditions EncoreRenditions;
EncoreRenditions *
encore_renditions_new (EncoreCache *cache, double true_peak_dbtp, GCancellable *closing);
void encore_renditions_free (EncoreRenditions *self); /* waits for those that were asked for */
void encore_renditions_ask (EncoreRenditions *self, const EncoreMediaId *song, guint kbps);
guint encore_renditions_count (EncoreRenditions *self); /* not made yet */

G_END_DECLS
