/* SPDX-License-Identifier: LGPL-2.1-or-later
 * encorevoicesink: takes 20 ms Opus packets; in a bot it fills a room's ring. */
#pragma once

#include <gst/base/gstbasesink.h>

#include "play/encore-voice.h"

G_BEGIN_DECLS

#define GST_TYPE_ENCORE_VOICE_SINK (gst_encore_voice_sink_get_type ())
G_DECLARE_FINAL_TYPE (GstEncoreVoiceSink, gst_encore_voice_sink, GST, ENCORE_VOICE_SINK,
                      GstBaseSink)

/* gst_encore_voice_sink_new_for_room: packets go to PRODUCER, unpaced: the room's clock empties its
 * ring.  @producer: (transfer none): must outlive the sink's READY state.  @room: its name.
 * Returns: (transfer floating). */
GstElement *gst_encore_voice_sink_new_for_room (EncoreProducer *producer, const char *room);

G_END_DECLS
