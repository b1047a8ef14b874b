/* SPDX-License-Identifier: LGPL-2.1-or-later
 * encoretrack: packets out of the pages of a cache file, whole or growing.
 *
 * Not a GstBaseSrc: a thousand rooms must not be a thousand threads.  In a room somebody calls
 * fill() when the ring runs low; in gst-launch the source pad has a task of its own, like any
 * source.  Both hold the pad's stream lock while they push, so seeks and state changes are the same
 * for both. */

/**
 * SECTION:element-encoretrack
 * @title: encoretrack
 * @short_description: Opus packets of a song in the Encore cache
 *
 * Reads a song that Encore has cached and hands out its packets as they are stored: Opus, 48 kHz,
 * 20 ms each, stamped exactly 20 ms apart.  Nothing is fetched: a song that is not in the cache is
 * an error.  Seeking is exact to the packet.
 *
 * |[
 * gst-launch-1.0 encoretrack uri=encore://youtube/dQw4w9WgXcQ ! encorepack ! encorevoicesink
 * gst-launch-1.0 encoretrack uri=encore://youtube/dQw4w9WgXcQ ! opusdec ! autoaudiosink
 * ]|
 */
#include "config.h"
#include "play/elements/gstencoretrack.h"

#include <gst/pbutils/pbutils.h>

#include "base/encore-ogg.h"
#include "play/elements/gstencore.h"

GST_DEBUG_CATEGORY_STATIC (encoretrack_debug);
#define GST_CAT_DEFAULT encoretrack_debug

enum { PROP_0, PROP_URI, PROP_CACHE_DIR };

static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                             GST_STATIC_CAPS ("audio/x-opus, channel-mapping-family = (int) 0, "
                                              "rate = (int) 48000, channels = (int) [ 1, 2 ]"));

struct _GstEncoreTrack {
  GstElement parent;
  GstPad *srcpad;
  gboolean driven;
  gint flushing; /* atomic: ends a wait for a growing entry; an int, the reader takes its address */
  gint want_eos; /* atomic: gst-launch -e */
  /* object lock */
  char *uri, *cache_dir;
  EncoreEntry *entry; /* from READY to PAUSED and back; where driven from give() */
  /* stream lock of the pad */
  EncoreOggReader *ogg;
  GstSegment segment;
  gint64 seek_ns; /* -1: none */
  guint32 seqnum;
  gboolean started, need_segment, discont, ended;
};

G_DEFINE_TYPE (GstEncoreTrack, gst_encore_track, GST_TYPE_ELEMENT)

/* ---- pushing, under the stream lock */

static gssize
read_entry (gpointer data, gint64 offset, guint8 *buf, gsize len, GError **error)
{
  return encore_reader_read (data, offset, buf, len, error);
}

static GstBuffer *
header_buffer (const guint8 *data, gsize len)
{
  GstBuffer *buffer = gst_buffer_new_memdup (data, len);

  GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_HEADER);
  return buffer;
}

/* With the file's own headers in them, so that a muxer behind us keeps pre-skip and tags. */
static GstCaps *
make_caps (GstEncoreTrack *self)
{
  gsize head_len, tags_len;
  const guint8 *head, *tags;

  encore_ogg_reader_get_headers (self->ogg, &head, &head_len, &tags, &tags_len);
  g_autoptr (GstBuffer) head_buffer = header_buffer (head, head_len);
  g_autoptr (GstBuffer) tags_buffer = header_buffer (tags, tags_len);
  GstCaps *caps = gst_codec_utils_opus_create_caps_from_header (head_buffer, tags_buffer);
  if (caps == NULL)
    return NULL;
  /* the header tells the rate before encoding, Opus itself knows only this one */
  gst_caps_set_simple (caps, "rate", G_TYPE_INT, ENCORE_OPUS_RATE_HZ, NULL);
  return caps;
}

static void
push_tags (GstEncoreTrack *self)
{
  GstTagList *tags = gst_tag_list_new_empty ();

  if (*self->entry->title != '\0')
    gst_tag_list_add (tags, GST_TAG_MERGE_REPLACE, GST_TAG_TITLE, self->entry->title, NULL);
  if (*self->entry->artist != '\0')
    gst_tag_list_add (tags, GST_TAG_MERGE_REPLACE, GST_TAG_ARTIST, self->entry->artist, NULL);
  if (gst_tag_list_is_empty (tags))
    gst_tag_list_unref (tags);
  else
    gst_pad_push_event (self->srcpad, gst_event_new_tag (tags));
}

static gboolean
push_start (GstEncoreTrack *self, GError **error)
{
  g_autofree char *text = encore_media_id_to_text (&self->entry->id);
  g_autofree char *stream_id =
      gst_pad_create_stream_id (self->srcpad, GST_ELEMENT_CAST (self), text);
  g_autoptr (GstCaps) caps = make_caps (self);

  if (caps == NULL) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT,
                         "the header of the file is damaged");
    return FALSE;
  }
  GstEvent *start = gst_event_new_stream_start (stream_id);
  gst_event_set_group_id (start, gst_util_group_id_next ());
  gst_pad_push_event (self->srcpad, start);
  gst_pad_push_event (self->srcpad, gst_event_new_caps (caps));
  GST_INFO_OBJECT (self, "%s: %" G_GINT64_FORMAT " ms, %" GST_PTR_FORMAT, text,
                   self->entry->duration_ms, caps);
  return TRUE;
}

static void
push_segment (GstEncoreTrack *self)
{
  GstEvent *event = gst_event_new_segment (&self->segment);

  if (self->seqnum != GST_SEQNUM_INVALID)
    gst_event_set_seqnum (event, self->seqnum);
  gst_pad_push_event (self->srcpad, event);
}

static gboolean
push_events (GstEncoreTrack *self, GError **error)
{
  const gboolean first = !self->started;

  if (first && !push_start (self, error))
    return FALSE;
  self->started = TRUE;
  if (self->need_segment)
    push_segment (self);
  self->need_segment = FALSE;
  if (first)
    push_tags (self);
  return TRUE;
}

static EncoreFillResult
push_end (GstEncoreTrack *self, GError **error)
{
  if (self->ended)
    return ENCORE_FILL_END;
  if (!push_events (self, error))
    return ENCORE_FILL_FAILED;
  self->ended = TRUE;
  GST_DEBUG_OBJECT (self, "end of the song");
  GstEvent *eos = gst_event_new_eos ();
  if (self->seqnum != GST_SEQNUM_INVALID)
    gst_event_set_seqnum (eos, self->seqnum);
  gst_pad_push_event (self->srcpad, eos);
  return ENCORE_FILL_END;
}

static EncoreFillResult
from_ogg (GstEncoreTrack *self, EncoreOggResult result, GError **error)
{
  if (result == ENCORE_OGG_PACKET)
    return ENCORE_FILL_MORE;
  if (result == ENCORE_OGG_WAIT)
    return ENCORE_FILL_WAIT;
  return result == ENCORE_OGG_END ? push_end (self, error) : ENCORE_FILL_FAILED;
}

static EncoreFillResult
push_packet (GstEncoreTrack *self, const guint8 *packet, gsize len, gint64 pts_ns, GError **error)
{
  if (!push_events (self, error))
    return ENCORE_FILL_FAILED;
  GstBuffer *buffer = gst_buffer_new_memdup (packet, len);
  GST_BUFFER_PTS (buffer) = pts_ns;
  GST_BUFFER_DURATION (buffer) = ENCORE_PACKET_NS;
  if (self->discont)
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  self->discont = FALSE;
  self->segment.position = pts_ns + ENCORE_PACKET_NS;
  GST_LOG_OBJECT (self, "packet at %" GST_TIME_FORMAT ", %" G_GSIZE_FORMAT " bytes",
                  GST_TIME_ARGS (pts_ns), len);
  const GstFlowReturn flow = gst_pad_push (self->srcpad, buffer);
  if (flow == GST_FLOW_OK)
    return ENCORE_FILL_MORE;
  GST_DEBUG_OBJECT (self, "downstream says %s", gst_flow_get_name (flow));
  if (flow == GST_FLOW_EOS || flow == GST_FLOW_FLUSHING)
    return ENCORE_FILL_END;
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_FAILED, "the pipeline does not go on: %s",
               gst_flow_get_name (flow));
  return ENCORE_FILL_FAILED;
}

static EncoreFillResult
push_one (GstEncoreTrack *self, GError **error)
{
  const guint8 *packet;
  gsize len;
  gint64 pts_ns;

  if (g_atomic_int_get (&self->want_eos))
    return push_end (self, error);
  if (self->seek_ns >= 0) {
    const EncoreOggResult sought = encore_ogg_reader_seek (self->ogg, self->seek_ns, error);
    if (sought != ENCORE_OGG_PACKET)
      return from_ogg (self, sought, error);
    self->seek_ns = -1;
  }
  const EncoreOggResult result = encore_ogg_reader_next (self->ogg, &packet, &len, &pts_ns, error);
  if (result != ENCORE_OGG_PACKET)
    return from_ogg (self, result, error);
  if (GST_CLOCK_TIME_IS_VALID (self->segment.stop) && (guint64) pts_ns >= self->segment.stop)
    return push_end (self, error);
  return push_packet (self, packet, len, pts_ns, error);
}

EncoreFillResult
gst_encore_track_fill (GstEncoreTrack *self, guint n, GError **error)
{
  EncoreFillResult result = ENCORE_FILL_END;
  gboolean complete;

  GST_PAD_STREAM_LOCK (self->srcpad);
  if (self->ogg != NULL) {
    const gint64 size = encore_reader_get_size (self->entry->reader, &complete);
    encore_ogg_reader_set_size (self->ogg, size, complete);
    result = ENCORE_FILL_MORE;
    for (guint i = 0; i < n && result == ENCORE_FILL_MORE; i++)
      result = push_one (self, error);
    /* what it waits for may never come */
    if (result == ENCORE_FILL_WAIT && !encore_reader_check (self->entry->reader, size, error))
      result = ENCORE_FILL_FAILED;
  }
  GST_PAD_STREAM_UNLOCK (self->srcpad);
  return result;
}

/* ---- the task, outside rooms */

static void
stop_with_error (GstEncoreTrack *self, const GError *error)
{
  if (g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT))
    GST_ELEMENT_ERROR (self, STREAM, DECODE, ("The cached song is damaged."),
                       ("%s", error->message));
  else
    GST_ELEMENT_ERROR (self, RESOURCE, READ, ("The cached song cannot be read."),
                       ("%s", error->message));
  gst_pad_push_event (self->srcpad, gst_event_new_eos ());
}

/* Whoever stops us has set `flushing` before it waits for the stream lock, which the task holds. */
static void
task (gpointer data)
{
  GstEncoreTrack *self = data;
  g_autoptr (GError) error = NULL;
  const EncoreFillResult result = gst_encore_track_fill (self, 1, &error);

  if (result == ENCORE_FILL_MORE)
    return;
  if (result == ENCORE_FILL_WAIT &&
      (encore_reader_wait (self->entry->reader, encore_ogg_reader_wants (self->ogg) - 1,
                           &self->flushing) ||
       g_atomic_int_get (&self->want_eos)))
    return;
  if (result == ENCORE_FILL_FAILED)
    stop_with_error (self, error);
  GST_DEBUG_OBJECT (self, "the task pauses");
  gst_pad_pause_task (self->srcpad);
}

/* Seeks and gst-launch -e come from any thread, perhaps while the entry is being closed. */
static void
end_wait (GstEncoreTrack *self)
{
  g_autoptr (EncoreReader) reader = NULL;

  g_atomic_int_set (&self->flushing, TRUE);
  GST_OBJECT_LOCK (self);
  if (self->entry != NULL)
    reader = encore_reader_ref (self->entry->reader);
  GST_OBJECT_UNLOCK (self);
  if (reader != NULL)
    encore_reader_wake (reader);
}

static gboolean
activate_mode (GstPad *pad, GstObject *parent, GstPadMode mode, gboolean active)
{
  GstEncoreTrack *self = GST_ENCORE_TRACK (parent);

  if (mode != GST_PAD_MODE_PUSH)
    return FALSE;
  if (!active) {
    end_wait (self);
    return gst_pad_stop_task (pad);
  }
  g_atomic_int_set (&self->flushing, FALSE);
  return self->driven || gst_pad_start_task (pad, task, self, NULL);
}

/* ---- seeking: any thread; the work itself is done by the next push */

static gboolean
may_seek (GstEncoreTrack *self, GstEvent *event)
{
  GstSeekFlags flags;
  GstFormat format;
  gdouble rate;

  gst_event_parse_seek (event, &rate, &format, &flags, NULL, NULL, NULL, NULL);
  if (format != GST_FORMAT_TIME || rate != 1.0 || (flags & GST_SEEK_FLAG_SEGMENT) != 0) {
    GST_DEBUG_OBJECT (self, "only seeks in time at normal speed");
    return FALSE;
  }
  return GST_PAD_IS_ACTIVE (self->srcpad);
}

static void
do_seek_locked (GstEncoreTrack *self, GstEvent *event)
{
  GstSeekFlags flags;
  GstFormat format;
  GstSeekType start_type, stop_type;
  gint64 start, stop;
  gdouble rate;

  gst_event_parse_seek (event, &rate, &format, &flags, &start_type, &start, &stop_type, &stop);
  gst_segment_do_seek (&self->segment, rate, format, flags, start_type, start, stop_type, stop,
                       NULL);
  self->seek_ns = self->segment.position;
  self->seqnum = gst_event_get_seqnum (event);
  self->need_segment = self->discont = TRUE;
  self->ended = FALSE;
  GST_INFO_OBJECT (self, "seek to %" GST_TIME_FORMAT, GST_TIME_ARGS (self->seek_ns));
}

static gboolean
seek (GstEncoreTrack *self, GstEvent *event)
{
  GstSeekFlags flags;

  if (!may_seek (self, event))
    return FALSE;
  gst_event_parse_seek (event, NULL, NULL, &flags, NULL, NULL, NULL, NULL);
  const gboolean flush = (flags & GST_SEEK_FLAG_FLUSH) != 0;
  GstEvent *flush_start = gst_event_new_flush_start (),
           *flush_stop = gst_event_new_flush_stop (TRUE);
  gst_event_set_seqnum (flush_start, gst_event_get_seqnum (event));
  gst_event_set_seqnum (flush_stop, gst_event_get_seqnum (event));

  end_wait (self);
  if (flush)
    gst_pad_push_event (self->srcpad, g_steal_pointer (&flush_start));
  else if (!self->driven)
    gst_pad_pause_task (self->srcpad);
  GST_PAD_STREAM_LOCK (self->srcpad);
  g_atomic_int_set (&self->flushing, FALSE);
  if (flush)
    gst_pad_push_event (self->srcpad, g_steal_pointer (&flush_stop));
  do_seek_locked (self, event);
  if (!self->driven)
    gst_pad_start_task (self->srcpad, task, self, NULL);
  GST_PAD_STREAM_UNLOCK (self->srcpad);
  g_clear_pointer (&flush_start, gst_event_unref);
  g_clear_pointer (&flush_stop, gst_event_unref);
  return TRUE;
}

static gboolean
src_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  if (GST_EVENT_TYPE (event) != GST_EVENT_SEEK)
    return gst_pad_event_default (pad, parent, event);
  const gboolean done = seek (GST_ENCORE_TRACK (parent), event);
  gst_event_unref (event);
  return done;
}

/* gst-launch -e, and applications that seek the element itself. */
static gboolean
send_event (GstElement *element, GstEvent *event)
{
  GstEncoreTrack *self = GST_ENCORE_TRACK (element);
  gboolean done = FALSE;

  if (GST_EVENT_TYPE (event) == GST_EVENT_SEEK) {
    done = seek (self, event);
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_EOS) {
    g_atomic_int_set (&self->want_eos, TRUE);
    end_wait (self);
    done = TRUE;
  } else {
    return GST_ELEMENT_CLASS (gst_encore_track_parent_class)->send_event (element, event);
  }
  gst_event_unref (event);
  return done;
}

/* ---- queries */

static gint64
get_duration_ns (GstEncoreTrack *self)
{
  gint64 duration_ns = -1;

  GST_OBJECT_LOCK (self);
  if (self->entry != NULL && self->entry->duration_ms > 0)
    duration_ns = self->entry->duration_ms * GST_MSECOND;
  GST_OBJECT_UNLOCK (self);
  return duration_ns;
}

static gboolean
src_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  GstEncoreTrack *self = GST_ENCORE_TRACK (parent);
  const gint64 duration_ns = get_duration_ns (self);
  GstFormat format;

  switch (GST_QUERY_TYPE (query)) {
  case GST_QUERY_DURATION:
    gst_query_parse_duration (query, &format, NULL);
    if (format != GST_FORMAT_TIME || duration_ns < 0)
      return FALSE;
    gst_query_set_duration (query, GST_FORMAT_TIME, duration_ns);
    return TRUE;
  case GST_QUERY_POSITION:
    gst_query_parse_position (query, &format, NULL);
    if (format != GST_FORMAT_TIME)
      return FALSE;
    gst_query_set_position (query, GST_FORMAT_TIME, self->segment.position);
    return TRUE;
  case GST_QUERY_SEEKING:
    gst_query_parse_seeking (query, &format, NULL, NULL, NULL);
    gst_query_set_seeking (query, format, format == GST_FORMAT_TIME, 0, duration_ns);
    return TRUE;
  case GST_QUERY_LATENCY:
    gst_query_set_latency (query, FALSE, 0, GST_CLOCK_TIME_NONE);
    return TRUE;
  case GST_QUERY_URI:
    GST_OBJECT_LOCK (self);
    gst_query_set_uri (query, self->uri);
    GST_OBJECT_UNLOCK (self);
    return TRUE;
  default:
    return gst_pad_query_default (pad, parent, query);
  }
}

/* ---- life */

/* @entry: (transfer full) */
static void
take_entry (GstEncoreTrack *self, EncoreEntry *entry)
{
  GST_OBJECT_LOCK (self);
  self->entry = entry;
  GST_OBJECT_UNLOCK (self);
  self->ogg = encore_ogg_reader_new (read_entry, entry->reader);
  self->started = self->ended = FALSE;
  self->need_segment = self->discont = TRUE;
  g_atomic_int_set (&self->want_eos, FALSE);
}

static gboolean
open_entry (GstEncoreTrack *self)
{
  EncoreEntry *entry = gst_encore_open_entry (GST_ELEMENT_CAST (self), self->uri, self->cache_dir);

  if (entry == NULL)
    return FALSE;
  take_entry (self, entry);
  return TRUE;
}

static void
close_entry (GstEncoreTrack *self)
{
  GST_PAD_STREAM_LOCK (self->srcpad);
  g_clear_pointer (&self->ogg, encore_ogg_reader_free);
  gst_segment_init (&self->segment, GST_FORMAT_TIME);
  self->seek_ns = -1;
  self->seqnum = GST_SEQNUM_INVALID;
  GST_PAD_STREAM_UNLOCK (self->srcpad);
  GST_OBJECT_LOCK (self);
  EncoreEntry *entry = g_steal_pointer (&self->entry);
  GST_OBJECT_UNLOCK (self);
  encore_entry_free (entry);
}

static GstStateChangeReturn
change_state (GstElement *element, GstStateChange transition)
{
  GstEncoreTrack *self = GST_ENCORE_TRACK (element);

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !self->driven && !open_entry (self))
    return GST_STATE_CHANGE_FAILURE;
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS (gst_encore_track_parent_class)->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
      (transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE))
    close_entry (self);
  return result;
}

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  GstEncoreTrack *self = GST_ENCORE_TRACK (object);

  GST_OBJECT_LOCK (self);
  char **where = id == PROP_URI ? &self->uri : &self->cache_dir;
  g_free (*where);
  *where = g_value_dup_string (value);
  GST_OBJECT_UNLOCK (self);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  GstEncoreTrack *self = GST_ENCORE_TRACK (object);

  GST_OBJECT_LOCK (self);
  g_value_set_string (value, id == PROP_URI ? self->uri : self->cache_dir);
  GST_OBJECT_UNLOCK (self);
}

static void
finalize (GObject *object)
{
  GstEncoreTrack *self = GST_ENCORE_TRACK (object);

  g_clear_pointer (&self->ogg, encore_ogg_reader_free);
  g_clear_pointer (&self->entry, encore_entry_free);
  g_free (self->uri);
  g_free (self->cache_dir);
  G_OBJECT_CLASS (gst_encore_track_parent_class)->finalize (object);
}

static void
gst_encore_track_init (GstEncoreTrack *self)
{
  gst_segment_init (&self->segment, GST_FORMAT_TIME);
  self->seek_ns = -1;
  self->seqnum = GST_SEQNUM_INVALID;
  self->srcpad = gst_pad_new_from_static_template (&src_template, "src");
  gst_pad_set_activatemode_function (self->srcpad, activate_mode);
  gst_pad_set_event_function (self->srcpad, src_event);
  gst_pad_set_query_function (self->srcpad, src_query);
  gst_pad_use_fixed_caps (self->srcpad);
  gst_element_add_pad (GST_ELEMENT_CAST (self), self->srcpad);
  GST_OBJECT_FLAG_SET (self, GST_ELEMENT_FLAG_SOURCE);
}

static void
gst_encore_track_class_init (GstEncoreTrackClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  element_class->change_state = change_state;
  element_class->send_event = send_event;
  gst_encore_install_entry_properties (object_class, PROP_URI, PROP_CACHE_DIR);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "Encore track", "Source/Audio",
                                         "20 ms Opus packets of a song in the Encore cache",
                                         "Encore");
  GST_DEBUG_CATEGORY_INIT (encoretrack_debug, "encoretrack", 0, "Encore: packets of a cached song");
}

GstElement *
gst_encore_track_new_driven (void)
{
  GstEncoreTrack *self = g_object_new (GST_TYPE_ENCORE_TRACK, NULL);

  self->driven = TRUE;
  return GST_ELEMENT_CAST (self);
}

void
gst_encore_track_give (GstEncoreTrack *self, EncoreEntry *entry, gint64 start_ns)
{
  g_return_if_fail (self->driven && self->entry == NULL);
  GST_PAD_STREAM_LOCK (self->srcpad);
  take_entry (self, entry);
  if (start_ns > 0) {
    self->seek_ns = start_ns;
    self->segment.start = self->segment.time = self->segment.position = start_ns;
  }
  GST_PAD_STREAM_UNLOCK (self->srcpad);
  GST_OBJECT_LOCK (self);
  self->uri = encore_media_id_to_uri (&entry->id);
  GST_OBJECT_UNLOCK (self);
}
