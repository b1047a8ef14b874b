/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Samples are counted from the encoder's end, as in encore-gain.c: its look-ahead is thrown away
 * once, so that every packet it makes needs the one behind. */
#include "config.h"
#include "play/encore-cross.h"

#include <math.h>
#include <string.h>

#include "base/encore-ogg.h"
#include "play/encore-opus.h"

#define CHANNELS 2
#define PACKET_FLOATS (ENCORE_PACKET_SAMPLES * CHANNELS)
#define PACKET_BYTES 4000

struct EncoreCross {
  OpusDecoder *old, *fresh;
  OpusEncoder *encoder;
  gsize drop;    /* samples still to be thrown away: the encoder's look-ahead */
  guint to_warm; /* encoded packets that are not wanted: theirs were sent already */
  guint n, pushed, popped;
  gsize samples; /* of a channel in PCM */
  float pcm[2 * PACKET_FLOATS];
  float clip[CHANNELS]; /* the soft clipper's memory of the packet before */
};

EncoreCross *
encore_cross_new (guint n, GError **error)
{
  g_autoptr (EncoreCross) self = g_new0 (EncoreCross, 1);

  self->n = n;
  self->encoder = encore_opus_encoder_new (&self->drop, error);
  if (self->encoder == NULL)
    return NULL;
  self->old = encore_opus_decoder_new (error);
  if (self->old == NULL)
    return NULL;
  self->fresh = encore_opus_decoder_new (error);
  return self->fresh != NULL ? g_steal_pointer (&self) : NULL;
}

void
encore_cross_free (EncoreCross *self)
{
  if (self == NULL)
    return;
  if (self->old != NULL)
    opus_decoder_destroy (self->old);
  if (self->fresh != NULL)
    opus_decoder_destroy (self->fresh);
  if (self->encoder != NULL)
    opus_encoder_destroy (self->encoder);
  g_free (self);
}

static void
decode (OpusDecoder *decoder, const guint8 *packet, gsize len, float *to)
{
  const int n = opus_decode_float (decoder, packet, len, to, ENCORE_PACKET_SAMPLES, 0);

  if (n != ENCORE_PACKET_SAMPLES)
    memset (to, 0, PACKET_FLOATS * sizeof (float));
}

static void
append (EncoreCross *self, const float *pcm)
{
  const gsize drop = MIN (self->drop, ENCORE_PACKET_SAMPLES), n = ENCORE_PACKET_SAMPLES - drop;

  self->drop -= drop;
  memcpy (self->pcm + self->samples * CHANNELS, pcm + drop * CHANNELS,
          n * CHANNELS * sizeof (float));
  self->samples += n;
}

/* Returns: (transfer full) (nullable). */
static GBytes *
encode (EncoreCross *self)
{
  guint8 packet[PACKET_BYTES];

  if (self->samples < ENCORE_PACKET_SAMPLES)
    return NULL;
  opus_pcm_soft_clip (self->pcm, ENCORE_PACKET_SAMPLES, CHANNELS, self->clip);
  const int len =
      opus_encode_float (self->encoder, self->pcm, ENCORE_PACKET_SAMPLES, packet, sizeof packet);
  self->samples -= ENCORE_PACKET_SAMPLES;
  memmove (self->pcm, self->pcm + PACKET_FLOATS, self->samples * CHANNELS * sizeof (float));
  if (self->to_warm > 0) {
    self->to_warm--;
    return NULL;
  }
  self->popped++;
  return len > 0 ? g_bytes_new (packet, len) : NULL;
}

void
encore_cross_warm (EncoreCross *self, const guint8 *packet, gsize len)
{
  float pcm[PACKET_FLOATS];

  self->to_warm++;
  decode (self->old, packet, len, pcm);
  append (self, pcm);
  g_assert (encode (self) == NULL);
}

/* A quarter of a circle: the squares of both factors are 1 together. */
static void
mix (EncoreCross *self, float *old, const float *fresh)
{
  const double step = G_PI_2 / ((double) self->n * ENCORE_PACKET_SAMPLES);
  const gsize first = (gsize) self->pushed * ENCORE_PACKET_SAMPLES;

  for (gsize i = 0; i < ENCORE_PACKET_SAMPLES; i++) {
    const double angle = MIN ((first + i) * step, G_PI_2);
    const float down = cos (angle), up = sin (angle);
    for (gsize c = i * CHANNELS; c < (i + 1) * CHANNELS; c++)
      old[c] = old[c] * down + fresh[c] * up;
  }
  self->pushed++;
}

GBytes *
encore_cross_push (EncoreCross *self, GBytes *old, const guint8 *packet, gsize len, guint max_bps)
{
  float old_pcm[PACKET_FLOATS] = {0}, fresh_pcm[PACKET_FLOATS] = {0};

  if (old != NULL) {
    gsize old_len;
    const guint8 *data = g_bytes_get_data (old, &old_len);
    decode (self->old, data, old_len, old_pcm);
  }
  if (packet != NULL)
    decode (self->fresh, packet, len, fresh_pcm);
  mix (self, old_pcm, fresh_pcm);
  append (self, old_pcm);
  encore_opus_encoder_limit (self->encoder, max_bps);
  return encode (self);
}

GBytes *
encore_cross_finish (EncoreCross *self, guint max_bps)
{
  return encore_cross_push (self, NULL, NULL, 0, max_bps);
}

gboolean
encore_cross_is_over (EncoreCross *self)
{
  return self->popped >= self->n;
}
