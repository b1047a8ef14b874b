/* SPDX-License-Identifier: LGPL-2.1-or-later
 * encoretrack: the 20 ms Opus packets of one cached song. */
#pragma once

#include <gst/gst.h>

#include "play/encore-entry.h"
#include "play/encore-voice.h"

G_BEGIN_DECLS

#define GST_TYPE_ENCORE_TRACK (gst_encore_track_get_type ())
G_DECLARE_FINAL_TYPE (GstEncoreTrack, gst_encore_track, GST, ENCORE_TRACK, GstElement)

/* gst_encore_track_new_driven: for rooms: it has no task of its own, somebody calls fill().
 * Returns: (transfer floating). */
GstElement *gst_encore_track_new_driven (void);
/* gst_encore_track_give: the song of a driven one, once, while it is PAUSED or PLAYING.  @entry:
 * (transfer full). */
void gst_encore_track_give (GstEncoreTrack *self, EncoreEntry *entry, gint64 start_ns);

/* gst_encore_track_fill: pushes up to N packets and returns.  Returns: MORE; WAIT: the entry has
 * grown no further; END: all was pushed, or nobody downstream wants more; FAILED with ERROR
 * (CORRUPT or STORE).  Threads: one at a time, while the element is PAUSED or PLAYING. */
EncoreFillResult gst_encore_track_fill (GstEncoreTrack *self, guint n, GError **error);

G_END_DECLS
