/* SPDX-License-Identifier: LGPL-2.1-or-later
 * libopus in float, fed block by block.  GStreamer's encoder takes 16 bit only, in which hot
 * masters clip before the gain is applied. */
#include "config.h"
#include "sound/encore-encode.h"

#include <math.h>
#include <opus.h>

#include "sound/encore-ceiling.h"
#include "sound/encore-decode.h"
#include "sound/encore-peak.h"

#define CHANNELS ENCORE_DECODE_CHANNELS
#define COMPLEXITY 10
#define PACKET_MAX 4000 /* bytes; libopus' own recommendation */

typedef struct {
  OpusEncoder *encoder;
  EncoreCeiling *ceiling; /* (nullable) */
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
write_packet (const guint8 *packet, int len, gpointer data, GError **error)
{
  Encode *self = data;

  self->max_packet_bytes = MAX (self->max_packet_bytes, (guint) len);
  return encore_ogg_writer_packet (self->writer, packet, len, error);
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
  if (!spec->limited)
    return TRUE;
  self->ceiling = encore_ceiling_new (self->encoder, spec->ceiling_dbtp, write_packet, self, error);
  return self->ceiling != NULL;
}

static void
close_coders (Encode *self)
{
  g_clear_pointer (&self->encoder, opus_encoder_destroy);
  g_clear_pointer (&self->ceiling, encore_ceiling_free);
}

static gboolean
encode_frame (Encode *self, GError **error)
{
  guint8 packet[PACKET_MAX];

  self->filled = 0;
  if (self->ceiling != NULL)
    return encore_ceiling_frame (self->ceiling, self->frame, error);
  const int len =
      opus_encode_float (self->encoder, self->frame, ENCORE_PACKET_SAMPLES, packet, sizeof packet);
  return len < 1 ? fail (len, error) : write_packet (packet, len, self, error);
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
  if (self->filled > 0 &&
      !encode_block (silence, ENCORE_PACKET_SAMPLES - self->filled, self, error))
    return FALSE;
  return self->ceiling == NULL || encore_ceiling_end (self->ceiling, error);
}

static gboolean
encode_all (Encode *self, const char *path, const EncoreEncodeSpec *spec, GCancellable *cancellable,
            gint64 *frames, GError **error)
{
  if (spec->growing != NULL)
    return encore_decode_growing (spec->growing, cancellable, encode_block, self, frames, error);
  if (spec->pcm != NULL && encore_pcm_is_kept (spec->pcm))
    return encore_pcm_read (spec->pcm, cancellable, encode_block, self, frames, error);
  return encore_decode (path, cancellable, encode_block, self, frames, error);
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
  self->gain = encore_peak_linear (spec->gain_db);
  gboolean ok = open_coders (self, spec, &lookahead, error) &&
                encore_ogg_writer_begin (writer, CHANNELS, lookahead, comments, error) &&
                encode_all (self, path, spec, cancellable, &frames, error);
  if (ok && spec->growing == NULL && frames != spec->frames) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT,
                         "the file changed while it was decoded");
    ok = FALSE;
  }
  ok = ok && drain (self, lookahead, error) && encore_ogg_writer_end (writer, frames, error);
  *out = (EncoreEncoded){frames, self->max_packet_bytes,
                         self->ceiling != NULL ? encore_ceiling_get_peak_dbtp (self->ceiling)
                                               : -HUGE_VAL};
  close_coders (self);
  return ok;
}
