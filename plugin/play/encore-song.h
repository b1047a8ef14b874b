/* SPDX-License-Identifier: LGPL-2.1-or-later
 * One song on its way to a room's ring, as the producer that a voice asks for packets.
 *
 * With a crossfade the song ends early, where the fade begins, and the one behind it mixes what is
 * left into its own first packets: the fade belongs to the song that comes, and so does whatever
 * the room does meanwhile.  It is at most half of each song, and less if the next song is known
 * late.  A song that is heard while it is downloaded has no known end: it does not fade.
 *
 * Threads: new on the control thread; what fills is on one thread at a time. */
#pragma once

#include "play/encore-pipeline.h"

G_BEGIN_DECLS

typedef struct {
  const char *room;
  gint64 start_ms;
  double volume; /* linear */
  guint max_bps; /* 0: no limit */
  gint64 crossfade_ms;
  gboolean growing; /* its length is what was announced */
} EncoreSongSpec;

/* encore_song_new: @entry: (transfer full), on failure too.  *PIPELINE (out) (transfer full): to be
 * told what changes.  Errors: FAILED. */
EncoreProducer *encore_song_new (EncoreEntry *entry, const EncoreSongSpec *spec,
                                 EncorePipeline **pipeline, GError **error);

G_END_DECLS
