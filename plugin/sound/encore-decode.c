/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Any file as PCM, and the proof that it is whole. */
#include "config.h"
#include "sound/encore-decode.h"

#include "base/encore-ogg.h"
#include "sound/encore-opus-pcm.h"
#include "sound/encore-pull.h"
#include "sound/encore-whole.h"

typedef struct {
  EncorePcmFunc func;
  gpointer data;
  gint64 frames;
  EncoreOpusPcm *opus;
} Decode;

static gboolean
hand_on (Decode *self, const float *samples, gsize frames, GError **error)
{
  self->frames += frames;
  return frames == 0 || self->func (samples, frames, self->data, error);
}

static gboolean
take_sample (GstSample *sample, gpointer data, GError **error)
{
  Decode *self = data;
  GstBuffer *buffer = gst_sample_get_buffer (sample);
  GstMapInfo map;

  /* what comes as it is can only be what was taken */
  if (gst_structure_has_name (gst_caps_get_structure (gst_sample_get_caps (sample), 0),
                              "audio/x-opus")) {
    const float *samples;
    const gssize n = encore_opus_pcm_decode (self->opus, sample, &samples, error);
    return n >= 0 && hand_on (self, samples, n, error);
  }
  if (!gst_buffer_map (buffer, &map, GST_MAP_READ)) { /* left out the song would seem cut off */
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_FAILED, "decoded sound cannot be read");
    return FALSE;
  }
  const gboolean ok = hand_on (self, (const float *) (gpointer) map.data,
                               map.size / (ENCORE_DECODE_CHANNELS * sizeof (float)), error);
  gst_buffer_unmap (buffer, &map);
  return ok;
}

static gboolean
decode (const char *path, EncoreReader *growing, gboolean strict, GCancellable *cancellable,
        EncorePcmFunc func, gpointer data, gint64 *frames, GError **error)
{
  Decode self = {func, data, 0, encore_opus_pcm_new (strict)};
  const EncorePullSpec spec = {.caps = "audio/x-raw",
                               .tail = "audioconvert name=tail ! audioresample quality=6 ! "
                                       "audio/x-raw,format=F32LE,rate=48000,channels=2,"
                                       "layout=interleaved",
                               .as_is = encore_opus_pcm_takes,
                               .strict = strict,
                               .growing = growing,
                               .sample = take_sample,
                               .data = &self};
  EncorePulled pulled;

  *frames = 0;
  const gboolean ok = encore_pull (path, &spec, cancellable, &pulled, error);
  encore_opus_pcm_free (self.opus);
  if (!ok)
    return FALSE;
  *frames = self.frames;
  if (self.frames == 0) {
    g_set_error_literal (error, ENCORE_ERROR,
                         pulled.n_pads > 0 ? ENCORE_ERROR_CORRUPT : ENCORE_ERROR_NO_AUDIO,
                         "there is no sound in it");
    return FALSE;
  }
  return growing != NULL || encore_whole_check_file (path, self.frames * 1000 / ENCORE_OPUS_RATE_HZ,
                                                     pulled.announced_ns / 1000000, error);
}

gboolean
encore_decode (const char *path, GCancellable *cancellable, EncorePcmFunc func, gpointer data,
               gint64 *frames, GError **error)
{
  return decode (path, NULL, FALSE, cancellable, func, data, frames, error);
}

gboolean
encore_decode_growing (EncoreReader *growing, GCancellable *cancellable, EncorePcmFunc func,
                       gpointer data, gint64 *frames, GError **error)
{
  return decode (NULL, growing, FALSE, cancellable, func, data, frames, error);
}

static gboolean
drop (const float *samples, gsize frames, gpointer data, GError **error)
{
  return TRUE;
}

gboolean
encore_decode_check (const char *path, GCancellable *cancellable, gint64 *frames, GError **error)
{
  return decode (path, NULL, TRUE, cancellable, drop, NULL, frames, error);
}
