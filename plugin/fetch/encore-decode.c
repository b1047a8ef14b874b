/* SPDX-License-Identifier: LGPL-2.1-or-later
 * filesrc ! decodebin ! audioconvert ! audioresample ! appsink, without a main loop and without any
 * decoder for pictures. */
#include "config.h"
#include "fetch/encore-decode.h"

#include <gst/app/gstappsink.h>
#include <gst/audio/audio.h>
#include <gst/gst.h>
#include <gst/pbutils/pbutils.h>
#include <math.h>

#define PULL_NS (100 * GST_MSECOND)
#define STUCK_US (30 * G_USEC_PER_SEC)

typedef struct {
  GstElement *pipeline, *sink;
  gboolean linked; /* a pad with sound came */
} Decoder;

static void
on_pad_added (GstElement *decodebin, GstPad *pad, gpointer data)
{
  Decoder *self = data;
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  g_autoptr (GstElement) convert = gst_bin_get_by_name (GST_BIN (self->pipeline), "convert");
  g_autoptr (GstPad) sink = gst_element_get_static_pad (convert, "sink");

  if (caps == NULL || gst_pad_is_linked (sink) ||
      !g_str_has_prefix (gst_structure_get_name (gst_caps_get_structure (caps, 0)), "audio/x-raw"))
    return;
  if (gst_pad_link (pad, sink) == GST_PAD_LINK_OK)
    self->linked = TRUE;
}

/* Decoders pass over what they cannot decode, without a word, unless told how much is too much. */
static void
on_element_added (GstBin *bin, GstBin *parent, GstElement *element, gpointer data)
{
  if (g_object_class_find_property (G_OBJECT_GET_CLASS (element), "max-errors") != NULL)
    g_object_set (element, "max-errors", 0, NULL);
}

static gboolean
build (Decoder *self, const char *path, gboolean strict, GError **error)
{
  self->pipeline = gst_parse_launch (
      "filesrc name=file ! decodebin name=decode caps=audio/x-raw expose-all-streams=false "
      "audioconvert name=convert ! audioresample quality=6 ! "
      "audio/x-raw,format=F32LE,rate=48000,channels=2,layout=interleaved ! "
      "appsink name=sink sync=false max-buffers=32",
      error);
  if (self->pipeline == NULL) {
    g_prefix_error (error, "a GStreamer plugin of the base set is missing: ");
    return FALSE;
  }
  g_autoptr (GstElement) file = gst_bin_get_by_name (GST_BIN (self->pipeline), "file");
  g_autoptr (GstElement) decode = gst_bin_get_by_name (GST_BIN (self->pipeline), "decode");
  self->sink = gst_bin_get_by_name (GST_BIN (self->pipeline), "sink");
  g_object_set (file, "location", path, NULL);
  g_signal_connect (decode, "pad-added", G_CALLBACK (on_pad_added), self);
  if (strict)
    g_signal_connect (self->pipeline, "deep-element-added", G_CALLBACK (on_element_added), NULL);
  return TRUE;
}

static void
take_down (Decoder *self)
{
  if (self->pipeline != NULL)
    gst_element_set_state (self->pipeline, GST_STATE_NULL);
  g_clear_pointer (&self->sink, gst_object_unref);
  g_clear_pointer (&self->pipeline, gst_object_unref);
}

/* The first error counts; those that follow are its echo. */
static gboolean
check_bus (Decoder *self, GError **error)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (self->pipeline);
  g_autofree char *missing = NULL;
  g_autoptr (GstMessage) message = NULL;

  while ((message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT)) != NULL) {
    if (gst_is_missing_plugin_message (message)) {
      g_free (missing);
      missing = gst_missing_plugin_message_get_description (message);
    } else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
      g_autoptr (GError) first = NULL;
      gst_message_parse_error (message, &first, NULL);
      if (missing != NULL && g_strrstr (missing, "text/") == NULL)
        g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_NO_DECODER, "GStreamer has no %s", missing);
      else if (g_error_matches (first, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN))
        g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_NO_AUDIO, "there is no sound in it");
      else
        g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "cannot be decoded: %s",
                     first->message);
      return FALSE;
    }
    g_clear_pointer (&message, gst_message_unref);
  }
  return TRUE;
}

static gboolean
hand_on (GstSample *sample, EncorePcmFunc func, gpointer data, gint64 *frames, GError **error)
{
  GstBuffer *buffer = gst_sample_get_buffer (sample);
  GstMapInfo map;

  if (!gst_buffer_map (buffer, &map, GST_MAP_READ))
    return TRUE;
  const gsize n = map.size / (ENCORE_DECODE_CHANNELS * sizeof (float));
  const gboolean ok = n == 0 || func ((const float *) (gpointer) map.data, n, data, error);
  gst_buffer_unmap (buffer, &map);
  *frames += n;
  return ok;
}

static gboolean
pull_all (Decoder *self, GCancellable *cancellable, EncorePcmFunc func, gpointer data,
          gint64 *frames, GError **error)
{
  GstAppSink *sink = GST_APP_SINK (self->sink);
  gint64 alive_us = g_get_monotonic_time ();

  for (;;) {
    g_autoptr (GstSample) sample = gst_app_sink_try_pull_sample (sink, PULL_NS);
    if (g_cancellable_is_cancelled (cancellable)) {
      g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED, "decoding was cancelled");
      return FALSE;
    }
    if (sample != NULL) {
      if (!hand_on (sample, func, data, frames, error))
        return FALSE;
      alive_us = g_get_monotonic_time ();
      continue;
    }
    if (!check_bus (self, error))
      return FALSE;
    if (gst_app_sink_is_eos (sink))
      return TRUE;
    if (g_get_monotonic_time () > alive_us + STUCK_US) {
      g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT,
                           "the decoder makes no progress");
      return FALSE;
    }
  }
}

static gboolean
decode (const char *path, gboolean strict, GCancellable *cancellable, EncorePcmFunc func,
        gpointer data, gint64 *frames, GError **error)
{
  Decoder self = {0};

  *frames = 0;
  if (!gst_init_check (NULL, NULL, error))
    return FALSE;
  gboolean ok = build (&self, path, strict, error);
  if (ok) {
    gst_element_set_state (self.pipeline, GST_STATE_PLAYING);
    ok = pull_all (&self, cancellable, func, data, frames, error);
  }
  take_down (&self);
  if (ok && *frames == 0) {
    g_set_error_literal (error, ENCORE_ERROR,
                         self.linked ? ENCORE_ERROR_CORRUPT : ENCORE_ERROR_NO_AUDIO,
                         "there is no sound in it");
    return FALSE;
  }
  return ok;
}

gboolean
encore_decode (const char *path, GCancellable *cancellable, EncorePcmFunc func, gpointer data,
               gint64 *frames, GError **error)
{
  return decode (path, FALSE, cancellable, func, data, frames, error);
}

static gboolean
drop (const float *samples, gsize frames, gpointer data, GError **error)
{
  return TRUE;
}

gboolean
encore_decode_check (const char *path, GCancellable *cancellable, gint64 *frames, GError **error)
{
  return decode (path, TRUE, cancellable, drop, NULL, frames, error);
}
