/* SPDX-License-Identifier: LGPL-2.1-or-later
 * encorevoicesink: the end of the line.
 *
 * In a bot it belongs to a room and never waits: whoever pushes knows how much room the ring has.
 * Outside one it plays in time like any sink, sends nothing, and tells what a room would have got.
 */

/**
 * SECTION:element-encorevoicesink
 * @title: encorevoicesink
 * @short_description: takes Opus packets of 20 ms for a voice room
 *
 * In a bot the packets fill the ring of a room, from where they are sent at 20 ms.  In any other
 * pipeline they are taken in time and counted; at the end of the stream the figures are printed
 * (unless #encorevoicesink:silent) and posted as an element message.
 *
 * |[
 * gst-launch-1.0 encoretrack uri=encore://youtube/dQw4w9WgXcQ ! encorepack ! encorevoicesink
 * gst-launch-1.0 filesrc location=song.opus ! oggdemux ! encorepack ! encorevoicesink sync=false
 * ]|
 */
#include "config.h"
#include "play/elements/gstencorevoicesink.h"

#include "base/encore-ogg.h"
#include "play/encore-regroup.h"

GST_DEBUG_CATEGORY_STATIC (encorevoicesink_debug);
#define GST_CAT_DEFAULT encorevoicesink_debug

#define DEFAULT_SILENT FALSE
#define LATE_NS (20 * GST_MSECOND)

enum { PROP_0, PROP_ROOM, PROP_SILENT, PROP_STATS };

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE ("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                             GST_STATIC_CAPS ("audio/x-opus, channel-mapping-family = (int) 0"));

/* What a room would have got. */
typedef struct {
  guint64 packets, bytes;
  guint max_bytes; /* longest packet */
  guint64 gaps;    /* places where a packet was missing, doubled or out of step */
  guint64 late;    /* packets more than 20 ms behind their time */
  GstClockTime max_late_ns;
} Stats;

struct _GstEncoreVoiceSink {
  GstBaseSink parent;
  EncoreProducer *producer; /* (nullable) not owned */
  /* object lock */
  char *room;
  gboolean silent;
  Stats stats;
  GstClockTime expected; /* PTS of the next packet; streaming thread */
};

G_DEFINE_TYPE (GstEncoreVoiceSink, gst_encore_voice_sink, GST_TYPE_BASE_SINK)

/* ---- figures */

static GstStructure *
get_stats (GstEncoreVoiceSink *self)
{
  GST_OBJECT_LOCK (self);
  const Stats s = self->stats;
  g_autofree char *room = g_strdup (self->room);
  GST_OBJECT_UNLOCK (self);
  const guint64 duration_ns = s.packets * ENCORE_PACKET_NS;
  return gst_structure_new (
      "encorevoicesink-stats", "room", G_TYPE_STRING, room, "packets", G_TYPE_UINT64, s.packets,
      "bytes", G_TYPE_UINT64, s.bytes, "duration-ns", G_TYPE_UINT64, duration_ns, "bitrate-bps",
      G_TYPE_UINT64,
      duration_ns > 0 ? gst_util_uint64_scale (s.bytes * 8, GST_SECOND, duration_ns) : 0,
      "max-packet-bytes", G_TYPE_UINT, s.max_bytes, "gaps", G_TYPE_UINT64, s.gaps, "late",
      G_TYPE_UINT64, s.late, "max-late-ns", G_TYPE_UINT64, s.max_late_ns, NULL);
}

static void
tell_stats (GstEncoreVoiceSink *self)
{
  GstStructure *structure = get_stats (self);
  const Stats s = self->stats;

  GST_INFO_OBJECT (self, "%" GST_PTR_FORMAT, structure);
  if (!self->silent)
    gst_print ("%s: %" G_GUINT64_FORMAT
               " packets of 20 ms = %.2f s, %.1f kbit/s, longest %u bytes, "
               "%" G_GUINT64_FORMAT " gaps, %" G_GUINT64_FORMAT " late (at most %.1f ms)\n",
               self->room != NULL ? self->room : GST_OBJECT_NAME (self), s.packets,
               s.packets * 0.02, s.packets > 0 ? s.bytes * 0.4 / s.packets : 0.0, s.max_bytes,
               s.gaps, s.late, s.max_late_ns / 1e6);
  gst_element_post_message (GST_ELEMENT_CAST (self),
                            gst_message_new_element (GST_OBJECT_CAST (self), structure));
  g_object_notify (G_OBJECT (self), "stats");
}

/* How far behind its time BUFFER is; 0 where nothing keeps time. */
static GstClockTime
get_lateness (GstEncoreVoiceSink *self, GstBuffer *buffer)
{
  GstBaseSink *base = GST_BASE_SINK (self);
  g_autoptr (GstClock) clock = gst_element_get_clock (GST_ELEMENT_CAST (self));
  const GstClockTime due =
      gst_segment_to_running_time (&base->segment, GST_FORMAT_TIME, GST_BUFFER_PTS (buffer));

  if (clock == NULL || !gst_base_sink_get_sync (base) || !GST_CLOCK_TIME_IS_VALID (due))
    return 0;
  const GstClockTimeDiff late = GST_CLOCK_DIFF (
      gst_element_get_base_time (GST_ELEMENT_CAST (self)) + due + gst_base_sink_get_latency (base),
      gst_clock_get_time (clock));
  return MAX (late, 0);
}

static void
count (GstEncoreVoiceSink *self, GstBuffer *buffer, gsize len)
{
  const GstClockTime late_ns = get_lateness (self, buffer);
  const GstClockTime pts = GST_BUFFER_PTS (buffer);
  const gboolean in_step = !GST_CLOCK_TIME_IS_VALID (self->expected) || pts == self->expected ||
                           GST_BUFFER_IS_DISCONT (buffer);

  GST_OBJECT_LOCK (self);
  self->stats.packets++;
  self->stats.bytes += len;
  self->stats.max_bytes = MAX (self->stats.max_bytes, len);
  self->stats.max_late_ns = MAX (self->stats.max_late_ns, late_ns);
  self->stats.gaps += !in_step;
  self->stats.late += late_ns > LATE_NS;
  GST_OBJECT_UNLOCK (self);
  self->expected = GST_CLOCK_TIME_IS_VALID (pts) ? pts + ENCORE_PACKET_NS : GST_CLOCK_TIME_NONE;
}

/* ---- packets */

static GstFlowReturn
push_to_room (GstEncoreVoiceSink *self, GstBuffer *buffer, const GstMapInfo *map)
{
  const GstSegment *segment = &GST_BASE_SINK (self)->segment;
  const guint64 start =
      gst_segment_to_stream_time (segment, GST_FORMAT_TIME, GST_BUFFER_PTS (buffer));
  const gint64 end_ns = (GST_CLOCK_TIME_IS_VALID (start) ? start : 0) + ENCORE_PACKET_NS;

  switch (encore_producer_push (self->producer, map->data, map->size, end_ns)) {
  case ENCORE_PUSH_OK:
    return GST_FLOW_OK;
  case ENCORE_PUSH_STALE:
    GST_DEBUG_OBJECT (self, "the room plays something else by now");
    return GST_FLOW_EOS;
  default:
    GST_ELEMENT_ERROR (self, RESOURCE, NO_SPACE_LEFT, (NULL), ("more packets than were asked for"));
    return GST_FLOW_ERROR;
  }
}

static GstFlowReturn
render (GstBaseSink *base, GstBuffer *buffer)
{
  GstEncoreVoiceSink *self = GST_ENCORE_VOICE_SINK (base);
  GstFlowReturn flow = GST_FLOW_OK;
  GstMapInfo map;

  if (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_HEADER))
    return GST_FLOW_OK;
  if (!gst_buffer_map (buffer, &map, GST_MAP_READ))
    return GST_FLOW_ERROR;
  const guint samples = encore_opus_samples (map.data, map.size);
  if (samples != ENCORE_PACKET_SAMPLES) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT, ("A voice room takes Opus packets of 20 ms."),
                       ("a packet of %u us; put encorepack in front", samples * 1000 / 48));
    flow = GST_FLOW_ERROR;
  } else if (self->producer != NULL) {
    flow = push_to_room (self, buffer, &map);
  } else {
    count (self, buffer, map.size);
  }
  gst_buffer_unmap (buffer, &map);
  return flow;
}

static gboolean
event (GstBaseSink *base, GstEvent *event)
{
  GstEncoreVoiceSink *self = GST_ENCORE_VOICE_SINK (base);

  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS && self->producer == NULL)
    tell_stats (self);
  return GST_BASE_SINK_CLASS (gst_encore_voice_sink_parent_class)->event (base, event);
}

static gboolean
start (GstBaseSink *base)
{
  GstEncoreVoiceSink *self = GST_ENCORE_VOICE_SINK (base);

  GST_OBJECT_LOCK (self);
  self->stats = (Stats){0};
  self->expected = GST_CLOCK_TIME_NONE;
  GST_OBJECT_UNLOCK (self);
  return TRUE;
}

/* ---- properties */

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  GstEncoreVoiceSink *self = GST_ENCORE_VOICE_SINK (object);

  GST_OBJECT_LOCK (self);
  if (id == PROP_ROOM) {
    g_free (self->room);
    self->room = g_value_dup_string (value);
  } else {
    self->silent = g_value_get_boolean (value);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  GstEncoreVoiceSink *self = GST_ENCORE_VOICE_SINK (object);

  if (id == PROP_STATS) {
    g_value_take_boxed (value, get_stats (self));
    return;
  }
  GST_OBJECT_LOCK (self);
  if (id == PROP_ROOM)
    g_value_set_string (value, self->room);
  else
    g_value_set_boolean (value, self->silent);
  GST_OBJECT_UNLOCK (self);
}

static void
finalize (GObject *object)
{
  g_free (GST_ENCORE_VOICE_SINK (object)->room);
  G_OBJECT_CLASS (gst_encore_voice_sink_parent_class)->finalize (object);
}

static void
gst_encore_voice_sink_init (GstEncoreVoiceSink *self)
{
  self->silent = DEFAULT_SILENT;
  self->expected = GST_CLOCK_TIME_NONE;
  gst_base_sink_set_last_sample_enabled (GST_BASE_SINK (self), FALSE);
}

static void
install_properties (GObjectClass *klass)
{
  g_object_class_install_property (
      klass, PROP_ROOM,
      g_param_spec_string ("room", "Room",
                           "Name of the voice room; outside a bot only a name in the figures", NULL,
                           G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY));
  g_object_class_install_property (
      klass, PROP_SILENT,
      g_param_spec_boolean (
          "silent", "Silent", "Print no figures at the end of the stream", DEFAULT_SILENT,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
  g_object_class_install_property (
      klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
                          "Packets, bytes, bitrate (bit/s), longest packet (bytes), gaps, packets "
                          "more than 20 ms late, greatest lateness (ns)",
                          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void
gst_encore_voice_sink_class_init (GstEncoreVoiceSinkClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSinkClass *base_class = GST_BASE_SINK_CLASS (klass);

  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  base_class->render = render;
  base_class->event = event;
  base_class->start = start;
  install_properties (object_class);
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_set_static_metadata (element_class, "Encore voice sink", "Sink/Audio",
                                         "20 ms Opus packets to a voice room", "Encore");
  GST_DEBUG_CATEGORY_INIT (encorevoicesink_debug, "encorevoicesink", 0,
                           "Encore: packets to a voice room");
}

GstElement *
gst_encore_voice_sink_new_unpaced (void)
{
  return g_object_new (GST_TYPE_ENCORE_VOICE_SINK, "sync", FALSE, "async", FALSE, NULL);
}

void
gst_encore_voice_sink_join (GstEncoreVoiceSink *self, EncoreProducer *producer, const char *room)
{
  self->producer = producer;
  GST_OBJECT_LOCK (self);
  g_free (self->room);
  self->room = g_strdup (room);
  GST_OBJECT_UNLOCK (self);
}
