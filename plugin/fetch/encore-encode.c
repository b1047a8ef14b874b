/* SPDX-License-Identifier: LGPL-2.1-or-later
 * libopus in float, fed block by block.  GStreamer's encoder takes 16 bit only, in which hot
 * masters clip before the gain is applied. */
#include "config.h"
#include "fetch/encore-encode.h"

#include <ebur128.h>
#include <math.h>
#include <opus.h>

#include "fetch/encore-decode.h"

#define CHANNELS ENCORE_DECODE_CHANNELS
#define COMPLEXITY 10
#define PACKET_MAX 4000 /* bytes; libopus' own recommendation */

typedef struct {
  OpusEncoder *encoder;
  OpusDecoder *decoder; /* (nullable), with METER */
  ebur128_state *meter;
  EncoreOggWriter *writer;
  float gain;
  float frame[ENCORE_PACKET_SAMPLES * CHANNELS];
  gsize filled; /* frames in FRAME */
  guint max_packet_bytes;
} Encode;

static gboolean
fail (int code, GError **error)
{
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_FAILED, "opus: %s", opus_strerror (code));
  return FALSE;
}

static gboolean
open_coders (Encode *self, const EncoreEncodeSpec *spec, opus_int32 *lookahead, GError **error)
{
  int code;

  self->encoder =
      opus_encoder_create (ENCORE_OPUS_RATE_HZ, CHANNELS, OPUS_APPLICATION_AUDIO, &code);
  if (self->encoder == NULL)
    return fail (code, error);
  opus_encoder_ctl (self->encoder, OPUS_SET_BITRATE (spec->bitrate_bps));
  opus_encoder_ctl (self->encoder, OPUS_SET_VBR (!spec->constant));
  opus_encoder_ctl (self->encoder, OPUS_SET_VBR_CONSTRAINT (1));
  opus_encoder_ctl (self->encoder, OPUS_SET_COMPLEXITY (COMPLEXITY));
  opus_encoder_ctl (self->encoder, OPUS_GET_LOOKAHEAD (lookahead));
  if (!spec->meter)
    return TRUE;
  self->decoder = opus_decoder_create (ENCORE_OPUS_RATE_HZ, CHANNELS, &code);
  if (self->decoder == NULL)
    return fail (code, error);
  self->meter = ebur128_init (CHANNELS, ENCORE_OPUS_RATE_HZ, EBUR128_MODE_TRUE_PEAK);
  return TRUE;
}

static void
close_coders (Encode *self)
{
  g_clear_pointer (&self->encoder, opus_encoder_destroy);
  g_clear_pointer (&self->decoder, opus_decoder_destroy);
  if (self->meter != NULL)
    ebur128_destroy (&self->meter);
}

static gboolean
listen_to (Encode *self, const guint8 *packet, int len, GError **error)
{
  float heard[ENCORE_PACKET_SAMPLES * CHANNELS];
  const int n = opus_decode_float (self->decoder, packet, len, heard, ENCORE_PACKET_SAMPLES, FALSE);

  if (n < 0)
    return fail (n, error);
  ebur128_add_frames_float (self->meter, heard, n);
  return TRUE;
}

static gboolean
encode_frame (Encode *self, GError **error)
{
  guint8 packet[PACKET_MAX];
  const int len =
      opus_encode_float (self->encoder, self->frame, ENCORE_PACKET_SAMPLES, packet, sizeof packet);

  self->filled = 0;
  if (len < 1)
    return fail (len, error);
  self->max_packet_bytes = MAX (self->max_packet_bytes, (guint) len);
  return (self->decoder == NULL || listen_to (self, packet, len, error)) &&
         encore_ogg_writer_packet (self->writer, packet, len, error);
}

static gboolean
encode_block (const float *samples, gsize frames, gpointer data, GError **error)
{
  Encode *self = data;

  while (frames > 0) {
    const gsize n = MIN (frames, ENCORE_PACKET_SAMPLES - self->filled);
    float *to = self->frame + self->filled * CHANNELS;
    for (gsize i = 0; i < n * CHANNELS; i++)
      to[i] = samples[i] * self->gain;
    self->filled += n;
    samples += n * CHANNELS;
    frames -= n;
    if (self->filled == ENCORE_PACKET_SAMPLES && !encode_frame (self, error))
      return FALSE;
  }
  return TRUE;
}

/* The encoder is LOOKAHEAD samples behind: silence pushes the end of the music out. */
static gboolean
drain (Encode *self, guint lookahead, GError **error)
{
  static const float silence[ENCORE_PACKET_SAMPLES * CHANNELS];

  if (!encode_block (silence, lookahead, self, error))
    return FALSE;
  if (self->filled == 0)
    return TRUE;
  return encode_block (silence, ENCORE_PACKET_SAMPLES - self->filled, self, error);
}

static double
get_true_peak_dbtp (Encode *self)
{
  double peak = 0;

  for (guint channel = 0; self->meter != NULL && channel < CHANNELS; channel++) {
    double one = 0;
    ebur128_true_peak (self->meter, channel, &one);
    peak = MAX (peak, one);
  }
  return peak > 0 ? 20 * log10 (peak) : -HUGE_VAL;
}

gboolean
encore_encode (const char *path, const EncoreEncodeSpec *spec, EncoreOggWriter *writer,
               const char *const *comments, GCancellable *cancellable, EncoreEncoded *out,
               GError **error)
{
  g_autofree Encode *self = g_new0 (Encode, 1);
  opus_int32 lookahead = 0;
  gint64 frames = 0;

  self->writer = writer;
  self->gain = pow (10, spec->gain_db / 20);
  gboolean ok =
      open_coders (self, spec, &lookahead, error) &&
      encore_ogg_writer_begin (writer, CHANNELS, lookahead, comments, error) &&
      (spec->growing != NULL
           ? encore_decode_growing (spec->growing, cancellable, encode_block, self, &frames, error)
           : encore_decode (path, cancellable, encode_block, self, &frames, error));
  if (ok && spec->growing == NULL && frames != spec->frames) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT,
                         "the file changed while it was decoded");
    ok = FALSE;
  }
  ok = ok && drain (self, lookahead, error) && encore_ogg_writer_end (writer, frames, error);
  *out = (EncoreEncoded){frames, self->max_packet_bytes, get_true_peak_dbtp (self)};
  close_coders (self);
  return ok;
}
