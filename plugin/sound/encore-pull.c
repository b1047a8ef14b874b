/* SPDX-License-Identifier: LGPL-2.1-or-later
 * filesrc ! decodebin ! TAIL ! appsink, without TAIL for what comes as it is.  The thread that
 * decodes calls back, too, and the one that demuxes is not held up for it: threads that hand over
 * packet by packet take as much time as the decoder.  The caller's thread only looks after them.  A
 * growing file goes through an appsrc, whose thread waits for the bytes. */
#include "config.h"
#include "sound/encore-pull.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/pbutils/pbutils.h>

#include "sound/encore-missing.h"

#define TICK_US (G_USEC_PER_SEC / 10)
#define IDLE_TICKS 10 /* of TICK_US without any thread that could bring something */
#define STUCK_US (30 * G_USEC_PER_SEC)
#define FEED_BYTES 65536
#define AHEAD_BYTES (8 << 20) /* of the file between demuxer and decoder: mostly all of it */

typedef struct {
  const EncorePullSpec *spec;
  GstElement *pipeline;
  GstPad *head, *end, *sink; /* where the tail begins and ends, and where it leads */
  EncoreReader *growing;     /* (nullable) */
  gint64 fed_bytes;          /* appsrc's thread only */
  gint stop;                 /* atomic: its wait is over */
  gint n_pads;               /* atomic: pads with sound that came */
  char *missing;             /* (nullable) decoder that is not installed */
  gint n_samples;            /* atomic */
  gint busy;                 /* atomic: the caller's function has one of them */
  GMutex mutex;
  GCond cond;
  gboolean ended;  /* under the mutex */
  GError *refused; /* (nullable): by the caller's function; under the mutex */
} Pull;

/* [streaming] */
static gboolean
on_autoplug_continue (GstElement *decodebin, GstPad *pad, GstCaps *caps, gpointer data)
{
  const Pull *self = data;

  return !self->spec->as_is (caps);
}

/* [streaming] Returns: (transfer full) (nullable): the pad that is used. */
static GstPad *
get_used (Pull *self)
{
  if (gst_pad_is_linked (self->head))
    return gst_pad_get_peer (self->head);
  return gst_pad_is_linked (self->end) ? NULL : gst_pad_get_peer (self->sink);
}

/* What the resampler still has is of the stream before: a new segment brings it out. */
static void
cut_off_tail (Pull *self)
{
  g_autoptr (GstCaps) of_stream = gst_pad_get_current_caps (self->head);
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  if (of_stream != NULL)
    gst_pad_send_event (self->head, gst_event_new_segment (&segment));
  gst_pad_unlink (self->end, self->sink);
}

/* The first stream of the file is used: decodebin brings decoded ones before others, and nothing
 * flows until it has brought all.  It goes past the tail or through it: a chained file may have one
 * behind the other. */
static gboolean
link_pad (Pull *self, GstPad *pad, const GstCaps *caps)
{
  const gboolean is_past = self->spec->as_is != NULL && self->spec->as_is (caps);
  g_autoptr (GstPad) used = get_used (self);

  if (used != NULL) {
    g_autofree char *ours = gst_pad_get_stream_id (used);
    g_autofree char *other = gst_pad_get_stream_id (pad);
    if (g_strcmp0 (ours, other) <= 0)
      return TRUE;
    gst_pad_unlink (used, gst_pad_is_linked (self->head) ? self->head : self->sink);
  }
  if (is_past && gst_pad_is_linked (self->end))
    cut_off_tail (self);
  else if (!is_past && !gst_pad_is_linked (self->end))
    gst_pad_link (self->end, self->sink);
  return gst_pad_link (pad, is_past ? self->sink : self->head) == GST_PAD_LINK_OK;
}

/* [streaming] Other pads stay unlinked: what they carry is dropped. */
static void
on_pad_added (GstElement *decodebin, GstPad *pad, gpointer data)
{
  Pull *self = data;
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);

  if (caps == NULL ||
      !g_str_has_prefix (gst_structure_get_name (gst_caps_get_structure (caps, 0)), "audio/"))
    return;
  if (link_pad (self, pad, caps))
    g_atomic_int_inc (&self->n_pads);
}

/* Decoders pass over what they cannot decode, without a word, unless told how much is too much. */
static void
on_element_added (GstBin *bin, GstBin *parent, GstElement *element, gpointer data)
{
  if (g_object_class_find_property (G_OBJECT_GET_CLASS (element), "max-errors") != NULL)
    g_object_set (element, "max-errors", 0, NULL);
}

/* [appsrc] What there is, or, when nothing is, what comes next. */
static void
on_need_data (GstAppSrc *src, guint unused, gpointer data)
{
  Pull *self = data;
  g_autofree guint8 *bytes = g_malloc (FEED_BYTES);
  gssize n = 0;

  if (encore_reader_wait (self->growing, self->fed_bytes, &self->stop))
    n = encore_reader_read (self->growing, self->fed_bytes, bytes, FEED_BYTES, NULL);
  if (n <= 0) {
    gst_app_src_end_of_stream (src);
    return;
  }
  self->fed_bytes += n;
  gst_app_src_push_buffer (src, gst_buffer_new_wrapped (g_steal_pointer (&bytes), n));
}

/* [streaming] */
static GstFlowReturn
on_new_sample (GstAppSink *sink, gpointer data)
{
  Pull *self = data;
  g_autoptr (GstSample) sample = gst_app_sink_pull_sample (sink);
  g_autoptr (GError) error = NULL;

  if (sample == NULL) /* the pipeline is being stopped */
    return GST_FLOW_FLUSHING;
  g_atomic_int_inc (&self->n_samples);
  g_atomic_int_set (&self->busy, TRUE);
  const gboolean ok = self->spec->sample (sample, self->spec->data, &error);
  g_atomic_int_set (&self->busy, FALSE);
  if (ok)
    return GST_FLOW_OK;
  g_mutex_lock (&self->mutex);
  self->refused = g_steal_pointer (&error);
  g_cond_signal (&self->cond);
  g_mutex_unlock (&self->mutex);
  return GST_FLOW_ERROR;
}

/* [streaming] */
static void
on_eos (GstAppSink *sink, gpointer data)
{
  Pull *self = data;

  g_mutex_lock (&self->mutex);
  self->ended = TRUE;
  g_cond_signal (&self->cond);
  g_mutex_unlock (&self->mutex);
}

static void
set_sink (Pull *self)
{
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (self->pipeline), "sink");
  g_autoptr (GstElement) tail = gst_bin_get_by_name (GST_BIN (self->pipeline), "tail");
  GstAppSinkCallbacks callbacks = {.new_sample = on_new_sample, .eos = on_eos};

  self->head = gst_element_get_static_pad (tail, "sink");
  self->sink = gst_element_get_static_pad (sink, "sink");
  self->end = gst_pad_get_peer (self->sink);
  gst_app_sink_set_callbacks (GST_APP_SINK (sink), &callbacks, self, NULL);
}

static void
set_source (Pull *self, const char *path)
{
  g_autoptr (GstElement) source = gst_bin_get_by_name (GST_BIN (self->pipeline), "source");

  if (self->growing == NULL) {
    g_object_set (source, "location", path, NULL);
    return;
  }
  const GstAppSrcCallbacks callbacks = {.need_data = on_need_data};
  gst_app_src_set_callbacks (GST_APP_SRC (source), (GstAppSrcCallbacks *) &callbacks, self, NULL);
}

static gboolean
build (Pull *self, const char *path, GError **error)
{
  const EncorePullSpec *spec = self->spec;
  g_autofree char *line =
      g_strdup_printf ("%s name=source ! decodebin name=decode expose-all-streams=false "
                       "%s ! appsink name=sink sync=false",
                       self->growing != NULL ? "appsrc" : "filesrc", spec->tail);
  g_autoptr (GstCaps) caps = gst_caps_from_string (spec->caps);
  g_autoptr (GError) local = NULL;

  self->pipeline = gst_parse_launch_full (line, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &local);
  if (self->pipeline == NULL) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_NO_DECODER,
                 "a GStreamer plugin of the base set is missing: %s", local->message);
    return FALSE;
  }
  g_autoptr (GstElement) decode = gst_bin_get_by_name (GST_BIN (self->pipeline), "decode");
  set_source (self, path);
  set_sink (self);
  g_object_set (decode, "caps", caps, "max-size-bytes", AHEAD_BYTES, "max-size-buffers", G_MAXUINT,
                "max-size-time", G_MAXUINT64, NULL);
  g_signal_connect (decode, "pad-added", G_CALLBACK (on_pad_added), self);
  if (spec->as_is != NULL)
    g_signal_connect (decode, "autoplug-continue", G_CALLBACK (on_autoplug_continue), self);
  if (spec->strict)
    g_signal_connect (self->pipeline, "deep-element-added", G_CALLBACK (on_element_added), NULL);
  return TRUE;
}

static void
take_down (Pull *self)
{
  g_atomic_int_set (&self->stop, TRUE);
  if (self->growing != NULL)
    encore_reader_wake (self->growing);
  if (self->pipeline != NULL)
    gst_element_set_state (self->pipeline, GST_STATE_NULL);
  gst_clear_object (&self->head);
  gst_clear_object (&self->end);
  gst_clear_object (&self->sink);
  gst_clear_object (&self->pipeline);
  g_clear_pointer (&self->missing, g_free);
  g_clear_error (&self->refused);
  g_mutex_clear (&self->mutex);
  g_cond_clear (&self->cond);
}

/* Is it the stream that is at fault?  FIRST (nullable): none, it is silent. */
static gboolean
is_of_stream (const GError *first)
{
  /* without the plugin that tells kinds of files apart no file is any */
  g_autoptr (GstPlugin) kinds = gst_plugin_load_by_name ("typefindfunctions");

  if (kinds == NULL || first == NULL)
    return kinds != NULL;
  return first->domain == GST_STREAM_ERROR && first->code != GST_STREAM_ERROR_NOT_IMPLEMENTED &&
         first->code != GST_STREAM_ERROR_CODEC_NOT_FOUND;
}

static void
explain (Pull *self, const GError *first, GError **error)
{
  if (self->missing != NULL && g_strrstr (self->missing, "text/") == NULL)
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_NO_DECODER, "GStreamer has no %s",
                 self->missing);
  else if (first == NULL)
    g_set_error_literal (error, ENCORE_ERROR,
                         is_of_stream (NULL) ? ENCORE_ERROR_CORRUPT : ENCORE_ERROR_FAILED,
                         "cannot be decoded: it ends before its sound begins");
  else if (g_error_matches (first, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN))
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_NO_AUDIO, "there is no sound in it");
  else
    g_set_error (error, ENCORE_ERROR,
                 is_of_stream (first) ? ENCORE_ERROR_CORRUPT : ENCORE_ERROR_FAILED,
                 "cannot be decoded: %s", first->message);
}

/* The first error counts; those that follow are its echo. */
static gboolean
check_bus (Pull *self, GError **error)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (self->pipeline);
  g_autoptr (GstMessage) message = NULL;

  while ((message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT)) != NULL) {
    if (gst_is_missing_plugin_message (message)) {
      g_free (self->missing);
      self->missing = encore_missing_describe (message);
    } else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
      g_autoptr (GError) first = NULL;
      gst_message_parse_error (message, &first, NULL);
      explain (self, first, error);
      return FALSE;
    }
    g_clear_pointer (&message, gst_message_unref);
  }
  return TRUE;
}

static gboolean
is_running (GstElement *element, GstPad *pad, gpointer data)
{
  if (gst_pad_get_task_state (pad) == GST_TASK_STARTED)
    *(gboolean *) data = TRUE;
  return TRUE;
}

static void
look_for_running (const GValue *element, gpointer running)
{
  gst_element_foreach_pad (g_value_get_object (element), is_running, running);
}

/* decodebin swallows an error that a demuxer posts while it is being added, and then nothing more
 * comes, neither error nor end of stream. */
static gboolean
is_idle (Pull *self)
{
  g_autoptr (GstIterator) elements = gst_bin_iterate_recurse (GST_BIN (self->pipeline));
  gboolean running = FALSE;

  while (gst_iterator_foreach (elements, look_for_running, &running) == GST_ITERATOR_RESYNC)
    gst_iterator_resync (elements);
  return !running;
}

static gboolean
is_growing (Pull *self)
{
  return self->growing != NULL && !encore_reader_has_music (self->growing, G_MAXINT64);
}

/* Nothing came for TICK_US.  Returns: FALSE when nothing will. */
static gboolean
check_life (Pull *self, gint64 silent_us, guint *idle_ticks, GError **error)
{
  if (is_growing (self))
    return TRUE;
  *idle_ticks = is_idle (self) ? *idle_ticks + 1 : 0;
  if (*idle_ticks >= IDLE_TICKS)
    explain (self, NULL, error);
  else if (silent_us > STUCK_US)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_DEADLINE,
                         "the decoder makes no progress");
  else
    return TRUE;
  return FALSE;
}

/* What the caller's function said.  It stands behind what GStreamer makes of it. */
static gboolean
check_refused (Pull *self, GError **error)
{
  g_mutex_lock (&self->mutex);
  GError *refused = g_steal_pointer (&self->refused);
  g_mutex_unlock (&self->mutex);
  if (refused == NULL)
    return TRUE;
  g_clear_error (error);
  g_propagate_error (error, refused);
  return FALSE;
}

/* Until the end, or for TICK_US.  *ENDED (out): nothing more comes. */
static void
wait_for_end (Pull *self, gboolean *ended)
{
  const gint64 tick_us = g_get_monotonic_time () + TICK_US;

  g_mutex_lock (&self->mutex);
  while (!self->ended && self->refused == NULL &&
         g_cond_wait_until (&self->cond, &self->mutex, tick_us))
    ;
  *ended = self->ended;
  g_mutex_unlock (&self->mutex);
}

static gboolean
run (Pull *self, GCancellable *cancellable, GError **error)
{
  gint64 alive_us = g_get_monotonic_time ();
  guint idle_ticks = 0;
  gint n_seen = 0;

  for (;;) {
    gboolean ended;
    wait_for_end (self, &ended);
    if (!check_refused (self, error))
      return FALSE;
    if (g_cancellable_is_cancelled (cancellable)) {
      g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED, "decoding was cancelled");
      return FALSE;
    }
    /* the end first: an error is on the bus before the end of the stream that it causes */
    if (!check_bus (self, error)) {
      check_refused (self, error);
      return FALSE;
    }
    if (ended)
      return self->growing == NULL || encore_reader_check (self->growing, G_MAXINT64, error);
    const gint n_samples = g_atomic_int_get (&self->n_samples);
    if (n_samples != n_seen || g_atomic_int_get (&self->busy)) {
      n_seen = n_samples;
      alive_us = g_get_monotonic_time ();
      idle_ticks = 0;
    } else if (!check_life (self, g_get_monotonic_time () - alive_us, &idle_ticks, error))
      return FALSE;
  }
}

gboolean
encore_pull (const char *path, const EncorePullSpec *spec, GCancellable *cancellable,
             EncorePulled *out, GError **error)
{
  Pull self = {.spec = spec, .growing = spec->growing};

  *out = (EncorePulled){0, 0};
  if (!gst_init_check (NULL, NULL, error))
    return FALSE;
  g_mutex_init (&self.mutex);
  g_cond_init (&self.cond);
  gboolean ok = build (&self, path, error);
  if (ok) {
    gst_element_set_state (self.pipeline, GST_STATE_PLAYING);
    ok = run (&self, cancellable, error);
    gst_element_query_duration (self.pipeline, GST_FORMAT_TIME, &out->announced_ns);
  }
  take_down (&self);
  out->n_pads = self.n_pads;
  out->announced_ns = MAX (out->announced_ns, 0);
  return ok;
}
