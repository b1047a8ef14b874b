/* SPDX-License-Identifier: LGPL-2.1-or-later
 * encorevoicesink: takes 20 ms Opus packets; in a bot it fills a room's ring. */
#pragma once

#include <gst/base/gstbasesink.h>

#include "play/encore-voice.h"

G_BEGIN_DECLS

#define GST_TYPE_ENCORE_VOICE_SINK (gst_encore_voice_sink_get_type ())
G_DECLARE_FINAL_TYPE (GstEncoreVoiceSink, gst_encore_voice_sink, GST, ENCORE_VOICE_SINK,
                      GstBaseSink)

/* gst_encore_voice_sink_new_unpaced: for rooms: the room's clock empties its ring.  Returns:
 * (transfer floating). */
GstElement *gst_encore_voice_sink_new_unpaced (void);
/* gst_encore_voice_sink_join: packets go to PRODUCER from now on; once, before the first one comes.
 * @producer: (transfer none) (nullable): must outlive the sink's READY state.  @room: (nullable):
 * its name. */
void
gst_encore_voice_sink_join (GstEncoreVoiceSink *self, EncoreProducer *producer, const char *room);

G_END_DECLS
