/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "sound/encore-opus-pcm.h"

#include <gst/audio/audio.h>
#include <opus.h>
#include <string.h>

#include "base/encore-ogg.h"

#define HEAD_BYTES 19
#define PACKET_FRAMES_MAX 5760 /* 120 ms */

struct EncoreOpusPcm {
  gboolean strict;
  GstCaps *caps; /* (nullable) of the stream that the decoder is for */
  OpusDecoder *decoder;
  float block[PACKET_FRAMES_MAX * ENCORE_DECODE_CHANNELS];
};

GstBuffer *
encore_opus_caps_head (const GstCaps *caps)
{
  const GValue *headers =
      gst_structure_get_value (gst_caps_get_structure (caps, 0), "streamheader");

  if (headers == NULL || !GST_VALUE_HOLDS_ARRAY (headers) ||
      gst_value_array_get_size (headers) == 0)
    return NULL;
  return gst_value_get_buffer (gst_value_array_get_value (headers, 0));
}

gboolean
encore_opus_is_header (const guint8 *packet, gsize len)
{
  return len >= 8 && (memcmp (packet, "OpusHead", 8) == 0 || memcmp (packet, "OpusTags", 8) == 0);
}

/* Copies the header.  Returns: FALSE if there is none, or one of more than two channels. */
static gboolean
read_head (const GstCaps *caps, guint8 head[HEAD_BYTES])
{
  GstBuffer *buffer = encore_opus_caps_head (caps);

  return buffer != NULL && gst_buffer_extract (buffer, 0, head, HEAD_BYTES) == HEAD_BYTES &&
         memcmp (head, "OpusHead", 8) == 0 && head[9] >= 1 && head[9] <= 2 && head[18] == 0;
}

gboolean
encore_opus_pcm_takes (const GstCaps *caps)
{
  guint8 head[HEAD_BYTES];

  return gst_structure_has_name (gst_caps_get_structure (caps, 0), "audio/x-opus") &&
         read_head (caps, head);
}

EncoreOpusPcm *
encore_opus_pcm_new (gboolean strict)
{
  EncoreOpusPcm *self = g_new0 (EncoreOpusPcm, 1);

  self->strict = strict;
  return self;
}

void
encore_opus_pcm_free (EncoreOpusPcm *self)
{
  gst_clear_caps (&self->caps);
  g_clear_pointer (&self->decoder, opus_decoder_destroy);
  g_free (self);
}

static gboolean
begin (EncoreOpusPcm *self, GstCaps *caps, GError **error)
{
  guint8 head[HEAD_BYTES];
  int code = OPUS_OK;

  gst_caps_replace (&self->caps, caps);
  g_clear_pointer (&self->decoder, opus_decoder_destroy);
  if (!read_head (caps, head)) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT,
                         "cannot be decoded: its Opus header is damaged");
    return FALSE;
  }
  self->decoder = opus_decoder_create (ENCORE_OPUS_RATE_HZ, ENCORE_DECODE_CHANNELS, &code);
  if (code == OPUS_OK) /* 1/256 dB, as in the header */
    code = opus_decoder_ctl (self->decoder, OPUS_SET_GAIN ((gint16) (head[16] | head[17] << 8)));
  if (code != OPUS_OK)
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_FAILED, "opus: %s", opus_strerror (code));
  return code == OPUS_OK;
}

/* Frames of SAMPLE before its segment: Matroska's way where the sound does not begin at 0. */
static guint64
count_early (GstSample *sample)
{
  const GstSegment *segment = gst_sample_get_segment (sample);
  const GstClockTime pts = GST_BUFFER_PTS (gst_sample_get_buffer (sample));

  if (segment->format != GST_FORMAT_TIME || !GST_CLOCK_TIME_IS_VALID (pts) || pts >= segment->start)
    return 0;
  return gst_util_uint64_scale_round (segment->start - pts, ENCORE_OPUS_RATE_HZ, GST_SECOND);
}

/* What is left of FRAMES in the block. */
static gssize
clip (EncoreOpusPcm *self, GstSample *sample, gssize frames, const float **samples)
{
  const GstAudioClippingMeta *meta =
      gst_buffer_get_audio_clipping_meta (gst_sample_get_buffer (sample));
  const gboolean is_told = meta != NULL && meta->start > 0;
  const guint64 start = MIN (is_told ? meta->start : count_early (sample), (guint64) frames);
  const guint64 end = meta != NULL ? MIN (meta->end, frames - start) : 0;

  *samples = self->block + start * ENCORE_DECODE_CHANNELS;
  return frames - start - end;
}

gssize
encore_opus_pcm_decode (EncoreOpusPcm *self, GstSample *sample, const float **samples,
                        GError **error)
{
  GstBuffer *buffer = gst_sample_get_buffer (sample);
  GstCaps *caps = gst_sample_get_caps (sample);
  GstMapInfo map;

  *samples = self->block;
  if (caps != self->caps && !begin (self, caps, error))
    return -1;
  if (!gst_buffer_map (buffer, &map, GST_MAP_READ)) { /* left out the song would seem cut off */
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_FAILED, "a packet cannot be read");
    return -1;
  }
  /* nothing stands for a packet that was lost: libopus would make one up */
  const int n = map.size == 0 || encore_opus_is_header (map.data, map.size)
                    ? 0
                    : opus_decode_float (self->decoder, map.data, map.size, self->block,
                                         PACKET_FRAMES_MAX, FALSE);
  gst_buffer_unmap (buffer, &map);
  if (n >= 0)
    return clip (self, sample, n, samples);
  if (!self->strict)
    return 0;
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "cannot be decoded: a packet of Opus: %s",
               opus_strerror (n));
  return -1;
}
