/* SPDX-License-Identifier: LGPL-2.1-or-later
 * encorepack: what a voice room can send, from any Opus.
 *
 * The usual packet, 20 ms at volume 1, goes through as the buffer that it is.  All state belongs to
 * the streaming thread; `volume` may be set from any. */

/**
 * SECTION:element-encorepack
 * @title: encorepack
 * @short_description: makes Opus packets of 20 ms, with a volume
 *
 * Passes Opus packets of 20 ms as they are, splits and joins others without decoding, drops header
 * packets and stamps what comes out exactly 20 ms apart.  Away from #encorepack:volume 1.0 packets
 * are decoded, multiplied and encoded; the volume may change while it plays, without a click.
 *
 * |[
 * gst-launch-1.0 encoretrack uri=encore://youtube/dQw4w9WgXcQ ! encorepack volume=0.5 !
 * encorevoicesink gst-launch-1.0 filesrc location=song.opus ! oggdemux ! encorepack !
 * encorevoicesink
 * ]|
 */
#include "config.h"
#include "play/elements/gstencorepack.h"

#include <string.h>

#include "base/encore-ogg.h"
#include "play/encore-gain.h"
#include "play/encore-regroup.h"

GST_DEBUG_CATEGORY_STATIC (encorepack_debug);
#define GST_CAT_DEFAULT encorepack_debug

#define DEFAULT_VOLUME 1.0
#define DEFAULT_SLOPE 0.0
#define SLOPE_MAX 1000.0
#define OPUS_CAPS "audio/x-opus, channel-mapping-family = (int) 0"

enum { PROP_0, PROP_VOLUME, PROP_SLOPE };

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE ("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (OPUS_CAPS));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (OPUS_CAPS));

struct _GstEncorePack {
  GstElement parent;
  GstPad *sinkpad, *srcpad;
  EncoreRegroup *regroup;
  EncoreGain *gain;
  double volume, slope; /* object lock */
  GstClockTime pts;     /* of the next packet; NONE: take what comes */
  gboolean discont;     /* to be told with the next packet */
};

G_DEFINE_TYPE (GstEncorePack, gst_encore_pack, GST_TYPE_ELEMENT)

/* ---- packets */

static void
forget (GstEncorePack *self)
{
  encore_regroup_reset (self->regroup);
  encore_gain_reset (self->gain);
  self->pts = GST_CLOCK_TIME_NONE;
  self->discont = TRUE;
}

/* BUFFER (transfer full) is ours alone. */
static GstFlowReturn
push_buffer (GstEncorePack *self, GstBuffer *buffer)
{
  GST_BUFFER_PTS (buffer) = self->pts;
  GST_BUFFER_DTS (buffer) = GST_CLOCK_TIME_NONE;
  GST_BUFFER_DURATION (buffer) = ENCORE_PACKET_NS;
  GST_BUFFER_FLAG_UNSET (buffer, GST_BUFFER_FLAG_DISCONT);
  if (self->discont)
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  self->discont = FALSE;
  self->pts += ENCORE_PACKET_NS;
  return gst_pad_push (self->srcpad, buffer);
}

static GstBuffer *
buffer_from_bytes (GBytes *bytes)
{
  return gst_buffer_new_wrapped_bytes (bytes);
}

/* Everything the gain has ready. */
static GstFlowReturn
drain_gain (GstEncorePack *self)
{
  GstFlowReturn flow = GST_FLOW_OK;
  GBytes *packet;

  while ((packet = encore_gain_pop (self->gain)) != NULL) {
    if (flow == GST_FLOW_OK)
      flow = push_buffer (self, buffer_from_bytes (packet));
    g_bytes_unref (packet);
  }
  return flow;
}

static GstFlowReturn
fail (GstEncorePack *self, const GError *error)
{
  GST_ELEMENT_ERROR (self, STREAM, DECODE, ("The music is damaged."), ("%s", error->message));
  return GST_FLOW_ERROR;
}

/* Everything the regrouping has ready, through the gain. */
static GstFlowReturn
drain_regroup (GstEncorePack *self)
{
  GstFlowReturn flow = GST_FLOW_OK;
  GBytes *packet;

  while ((packet = encore_regroup_pop (self->regroup)) != NULL) {
    g_autoptr (GError) error = NULL;
    gsize len;
    const guint8 *data = g_bytes_get_data (packet, &len);
    if (flow == GST_FLOW_OK)
      flow =
          encore_gain_push (self->gain, data, len, &error) ? drain_gain (self) : fail (self, error);
    g_bytes_unref (packet);
  }
  return flow;
}

static GstFlowReturn
drain_end (GstEncorePack *self)
{
  if (!GST_CLOCK_TIME_IS_VALID (self->pts))
    return GST_FLOW_OK;
  encore_regroup_finish (self->regroup);
  const GstFlowReturn flow = drain_regroup (self);
  if (flow != GST_FLOW_OK)
    return flow;
  encore_gain_finish (self->gain);
  return drain_gain (self);
}

/* Demuxers hand the headers of the file on as buffers; they are no music.  Nor is an empty one. */
static gboolean
is_no_music (GstBuffer *buffer, const GstMapInfo *map)
{
  return map->size == 0 || GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_HEADER) ||
         (map->size >= 8 &&
          (memcmp (map->data, "OpusHead", 8) == 0 || memcmp (map->data, "OpusTags", 8) == 0));
}

static GstFlowReturn
repack (GstEncorePack *self, const GstMapInfo *map)
{
  g_autoptr (GError) error = NULL;

  if (!encore_regroup_push (self->regroup, map->data, map->size, &error))
    return fail (self, error);
  return drain_regroup (self);
}

static gboolean
may_pass (GstEncorePack *self, const GstMapInfo *map)
{
  return encore_opus_samples (map->data, map->size) == ENCORE_PACKET_SAMPLES &&
         encore_regroup_is_idle (self->regroup) &&
         encore_gain_pass (self->gain, map->data, map->size);
}

/* @buffer: (transfer full) */
static GstFlowReturn
take (GstEncorePack *self, GstBuffer *buffer)
{
  g_autoptr (GstBuffer) mine = buffer;
  GstFlowReturn flow = GST_FLOW_OK;
  gboolean pass = FALSE;
  GstMapInfo map;

  if (!gst_buffer_map (mine, &map, GST_MAP_READ))
    return GST_FLOW_ERROR;
  if (!is_no_music (mine, &map)) {
    if (!GST_CLOCK_TIME_IS_VALID (self->pts))
      self->pts = GST_BUFFER_PTS_IS_VALID (mine) ? GST_BUFFER_PTS (mine) : 0;
    pass = may_pass (self, &map);
    if (!pass)
      flow = repack (self, &map);
  }
  gst_buffer_unmap (mine, &map);
  return pass ? push_buffer (self, gst_buffer_make_writable (g_steal_pointer (&mine))) : flow;
}

static GstFlowReturn
chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  GstEncorePack *self = GST_ENCORE_PACK (parent);
  GstFlowReturn flow = GST_FLOW_OK;

  if (GST_BUFFER_IS_DISCONT (buffer) && GST_CLOCK_TIME_IS_VALID (self->pts)) {
    flow = drain_end (self);
    forget (self);
  }
  if (flow == GST_FLOW_OK)
    return take (self, buffer);
  gst_buffer_unref (buffer);
  return flow;
}

/* ---- events */

static gboolean
sink_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  GstEncorePack *self = GST_ENCORE_PACK (parent);

  switch (GST_EVENT_TYPE (event)) {
  case GST_EVENT_EOS:
    drain_end (self);
    break;
  case GST_EVENT_FLUSH_STOP:
    forget (self);
    break;
  case GST_EVENT_SEGMENT:
    /* a new place in the music: what is pending belongs to the old one */
    drain_end (self);
    forget (self);
    break;
  default:
    break;
  }
  return gst_pad_event_default (pad, parent, event);
}

/* ---- life */

static GstStateChangeReturn
change_state (GstElement *element, GstStateChange transition)
{
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS (gst_encore_pack_parent_class)->change_state (element, transition);

  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    forget (GST_ENCORE_PACK (element));
  return result;
}

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  GstEncorePack *self = GST_ENCORE_PACK (object);
  const double number = g_value_get_double (value);

  GST_OBJECT_LOCK (self);
  *(id == PROP_VOLUME ? &self->volume : &self->slope) = number;
  GST_OBJECT_UNLOCK (self);
  if (id == PROP_VOLUME)
    encore_gain_set (self->gain, number);
  else
    encore_gain_set_slope (self->gain, number);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  GstEncorePack *self = GST_ENCORE_PACK (object);

  GST_OBJECT_LOCK (self);
  g_value_set_double (value, id == PROP_VOLUME ? self->volume : self->slope);
  GST_OBJECT_UNLOCK (self);
}

static void
finalize (GObject *object)
{
  GstEncorePack *self = GST_ENCORE_PACK (object);

  encore_regroup_free (self->regroup);
  encore_gain_free (self->gain);
  G_OBJECT_CLASS (gst_encore_pack_parent_class)->finalize (object);
}

static void
gst_encore_pack_init (GstEncorePack *self)
{
  self->regroup = encore_regroup_new ();
  self->gain = encore_gain_new ();
  self->volume = DEFAULT_VOLUME;
  self->slope = DEFAULT_SLOPE;
  self->pts = GST_CLOCK_TIME_NONE;
  self->sinkpad = gst_pad_new_from_static_template (&sink_template, "sink");
  gst_pad_set_chain_function (self->sinkpad, chain);
  gst_pad_set_event_function (self->sinkpad, sink_event);
  GST_PAD_SET_PROXY_CAPS (self->sinkpad);
  gst_element_add_pad (GST_ELEMENT_CAST (self), self->sinkpad);
  self->srcpad = gst_pad_new_from_static_template (&src_template, "src");
  GST_PAD_SET_PROXY_CAPS (self->srcpad);
  gst_element_add_pad (GST_ELEMENT_CAST (self), self->srcpad);
}

static void
gst_encore_pack_class_init (GstEncorePackClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  element_class->change_state = change_state;
  g_object_class_install_property (
      object_class, PROP_VOLUME,
      g_param_spec_double ("volume", "Volume",
                           "Factor for the samples, linear; 1.0 passes packets as they are", 0.0,
                           ENCORE_GAIN_MAX, DEFAULT_VOLUME,
                           G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
  g_object_class_install_property (
      object_class, PROP_SLOPE,
      g_param_spec_double ("slope", "Slope",
                           "Decibels a second by which the volume moves at most; 0: at once", 0.0,
                           SLOPE_MAX, DEFAULT_SLOPE,
                           G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "Encore pack", "Filter/Effect/Audio",
                                         "Opus packets of 20 ms, at another volume where asked",
                                         "Encore");
  GST_DEBUG_CATEGORY_INIT (encorepack_debug, "encorepack", 0, "Encore: packets of 20 ms");
}
