/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Samples are counted from the encoder's end: a packet that it makes of [p + L, p + L + 960) sounds
 * like the source's packet at p, L being its look-ahead.  So L samples are thrown away once, at the
 * start, and every packet waits for the one behind it. */
#include "config.h"
#include "play/encore-gain.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/encore-ogg.h"
#include "play/encore-opus.h"

#define CHANNELS 2
#define WARM_PACKETS 5 /* after 100 ms the decoder has forgotten where it began */
#define PACKET_BYTES 4000
#define PACKETS_PER_S (ENCORE_OPUS_RATE_HZ / ENCORE_PACKET_SAMPLES)
#define BURST_PACKETS 18 /* of the limit, that may come at once: 5 % of what servers look back */
#define FLOOR \
  0.001 /* -60 dB: a slope begins and ends there, since silence is infinitely far away */

typedef struct {
  OpusDecoder *decoder;
  OpusEncoder *encoder;
  gsize drop; /* samples still to be thrown away: the encoder's look-ahead */
  float pcm[2 * ENCORE_PACKET_SAMPLES * CHANNELS];
  gsize n;              /* samples of a channel in PCM */
  guint to_warm;        /* encoded packets that are not wanted: theirs were sent already */
  double now;           /* the gain at the end of the last encoded packet */
  float clip[CHANNELS]; /* the soft clipper's memory of the packet before */
  guint max_bps;        /* that the encoder keeps to; 0: it has its own idea */
} Coder;

struct EncoreGain {
  _Atomic double wanted;
  _Atomic double slope; /* dB per packet at most; 0: no limit */
  _Atomic guint max_bps;
  GByteArray *recent[WARM_PACKETS]; /* the packets that came in last; a ring, its memory kept */
  guint n_recent;                   /* ever growing */
  GQueue out;                       /* GBytes */
  gboolean held; /* the newest of RECENT: its encoded form waits for the next one */
  /* in bit/s times packets, up to BURST_PACKETS times the limit: what may still go out, and what
   * would be left if all passed */
  guint limit;
  gint64 credit, credit_passing;
  Coder *coder; /* (nullable): NULL while packets pass */
};

static void
coder_free (Coder *self)
{
  if (self == NULL)
    return;
  if (self->decoder != NULL)
    opus_decoder_destroy (self->decoder);
  if (self->encoder != NULL)
    opus_encoder_destroy (self->encoder);
  g_free (self);
}

static void
set_rate (Coder *self, guint max_bps)
{
  encore_opus_encoder_limit (self->encoder, max_bps);
  self->max_bps = max_bps;
}

static Coder *
coder_new (GError **error)
{
  Coder *self = g_new0 (Coder, 1);

  self->now = 1.0;
  self->decoder = encore_opus_decoder_new (error);
  if (self->decoder != NULL)
    self->encoder = encore_opus_encoder_new (&self->drop, error);
  if (self->encoder != NULL)
    return self;
  coder_free (self);
  return NULL;
}

EncoreGain *
encore_gain_new (void)
{
  EncoreGain *self = g_new0 (EncoreGain, 1);

  atomic_init (&self->wanted, 1.0);
  atomic_init (&self->max_bps, 0);
  for (guint i = 0; i < WARM_PACKETS; i++)
    self->recent[i] = g_byte_array_new ();
  return self;
}

void
encore_gain_reset (EncoreGain *self)
{
  self->n_recent = 0;
  self->held = FALSE;
  g_queue_clear_full (&self->out, (GDestroyNotify) g_bytes_unref);
  g_clear_pointer (&self->coder, coder_free);
}

void
encore_gain_free (EncoreGain *self)
{
  if (self == NULL)
    return;
  encore_gain_reset (self);
  for (guint i = 0; i < WARM_PACKETS; i++)
    g_byte_array_unref (self->recent[i]);
  g_free (self);
}

void
encore_gain_set (EncoreGain *self, double linear)
{
  atomic_store (&self->wanted, CLAMP (linear, 0.0, ENCORE_GAIN_MAX));
}

void
encore_gain_limit (EncoreGain *self, guint max_bps)
{
  atomic_store (&self->max_bps, max_bps);
}

void
encore_gain_set_slope (EncoreGain *self, double db_per_s)
{
  atomic_store (&self->slope, MAX (db_per_s, 0.0) / PACKETS_PER_S);
}

/* Where the gain is at the end of a packet that begins at NOW. */
static double
approach (EncoreGain *self, double now)
{
  const double wanted = atomic_load (&self->wanted), slope = atomic_load (&self->slope);
  const double factor = pow (10, slope / 20), from = MAX (now, FLOOR);

  if (slope == 0.0 || (wanted < FLOOR && now <= FLOOR))
    return wanted;
  return CLAMP (wanted, from / factor, from * factor);
}

/* The packet that came I packets ago; 0 is the newest. */
static GByteArray *
get_recent (EncoreGain *self, guint i)
{
  return self->recent[(self->n_recent - 1 - i) % WARM_PACKETS];
}

static void
remember (EncoreGain *self, const guint8 *packet, gsize len)
{
  GByteArray *slot = self->recent[self->n_recent++ % WARM_PACKETS];

  g_byte_array_set_size (slot, 0);
  g_byte_array_append (slot, packet, len);
}

/* ---- the limit: a bucket, so that no stretch of packets is more than it and BURST_PACKETS */

static gint64
cost_of (gsize len)
{
  return (gint64) len * 8 * PACKETS_PER_S;
}

static void
take_limit (EncoreGain *self)
{
  const guint limit = atomic_load (&self->max_bps);

  if (limit != self->limit)
    self->credit = self->credit_passing = 0;
  self->limit = limit;
}

static void
pay (EncoreGain *self, gint64 *credit, gsize len)
{
  const gint64 most = (gint64) self->limit * BURST_PACKETS;

  *credit = CLAMP (*credit + self->limit - cost_of (len), -most, most);
}

/* May the next packet, of LEN bytes, pass as it is?  The coders are only let go when there is some
 * room, else they would come and go all the time. */
static gboolean
fits (EncoreGain *self, gsize len)
{
  if (self->limit == 0)
    return TRUE;
  return self->credit + self->limit >= cost_of (len) &&
         (self->coder == NULL ||
          self->credit_passing >= (gint64) self->limit * (BURST_PACKETS / 2));
}

gboolean
encore_gain_pass (EncoreGain *self, const guint8 *packet, gsize len)
{
  take_limit (self);
  if (self->coder != NULL || self->out.length > 0 || atomic_load (&self->wanted) != 1.0 ||
      !fits (self, len))
    return FALSE;
  pay (self, &self->credit, len);
  pay (self, &self->credit_passing, len);
  remember (self, packet, len);
  return TRUE;
}

/* ---- one packet through the coders */

static gboolean
decode (Coder *self, const guint8 *packet, gsize len, GError **error)
{
  float *to = self->pcm + self->n * CHANNELS;
  const int n = opus_decode_float (self->decoder, packet, len, to, ENCORE_PACKET_SAMPLES, 0);

  if (n != ENCORE_PACKET_SAMPLES) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "an Opus packet cannot be decoded: %s",
                 n < 0 ? opus_strerror (n) : "it is not 20 ms long");
    return FALSE;
  }
  const gsize drop = MIN (self->drop, (gsize) n);
  self->drop -= drop;
  memmove (to, to + drop * CHANNELS, (n - drop) * CHANNELS * sizeof (float));
  self->n += n - drop;
  return TRUE;
}

/* The gain moves in a straight line over the packet, from where it was to GAIN. */
static void
ramp (float *pcm, double from, double gain)
{
  for (guint i = 0; i < ENCORE_PACKET_SAMPLES; i++) {
    const float g = from + (gain - from) * (i + 1) / ENCORE_PACKET_SAMPLES;
    for (guint c = 0; c < CHANNELS; c++)
      pcm[i * CHANNELS + c] *= g;
  }
}

/* Returns: (transfer full) (nullable): NULL while the coders are being warmed. */
static GBytes *
encode (Coder *self, double gain)
{
  guint8 packet[PACKET_BYTES];
  const gboolean wanted = self->to_warm == 0;

  if (wanted) {
    ramp (self->pcm, self->now, gain);
    self->now = gain;
    if (gain > 1.0)
      opus_pcm_soft_clip (self->pcm, ENCORE_PACKET_SAMPLES, CHANNELS, self->clip);
  } else {
    self->to_warm--;
  }
  const int len =
      opus_encode_float (self->encoder, self->pcm, ENCORE_PACKET_SAMPLES, packet, sizeof packet);
  self->n -= ENCORE_PACKET_SAMPLES;
  memmove (self->pcm, self->pcm + ENCORE_PACKET_SAMPLES * CHANNELS,
           self->n * CHANNELS * sizeof (float));
  return wanted && len > 0 ? g_bytes_new (packet, len) : NULL;
}

/* Warmed with what was heard last; the packets it makes of that are thrown away.  A stream that
 * begins has no volume to come from. */
static gboolean
start_coding (EncoreGain *self, double wanted, GError **error)
{
  Coder *coder = coder_new (error);
  const guint n = MIN (self->n_recent, WARM_PACKETS);
  gboolean ok = coder != NULL;

  if (ok && n == 0)
    coder->now = wanted;
  else if (ok)
    coder->to_warm = n;
  for (guint i = n; ok && i > 0; i--) {
    const GByteArray *packet = get_recent (self, i - 1);
    ok = decode (coder, packet->data, packet->len, error);
    while (coder->n >= ENCORE_PACKET_SAMPLES)
      g_assert (encode (coder, 1.0) == NULL);
  }
  if (ok)
    self->coder = coder;
  else
    coder_free (coder);
  return ok;
}

static void
emit (EncoreGain *self, GBytes *packet)
{
  if (packet == NULL)
    return;
  pay (self, &self->credit, g_bytes_get_size (packet));
  g_queue_push_tail (&self->out, packet);
}

/* Back at 1.0, and the last encoded packet ended there: the one that is held passes as it is. */
static void
stop_coding (EncoreGain *self)
{
  const GByteArray *packet = get_recent (self, 0);

  g_clear_pointer (&self->coder, coder_free);
  self->held = FALSE;
  emit (self, g_bytes_new (packet->data, packet->len));
}

gboolean
encore_gain_push (EncoreGain *self, const guint8 *packet, gsize len, GError **error)
{
  const double wanted = atomic_load (&self->wanted);
  take_limit (self);
  const gboolean passes = wanted == 1.0 && fits (self, len);

  pay (self, &self->credit_passing, len);
  if (self->coder == NULL && passes) {
    emit (self, g_bytes_new (packet, len));
    remember (self, packet, len);
    return TRUE;
  }
  if (self->coder == NULL && !start_coding (self, wanted, error))
    return FALSE;
  if (self->coder->max_bps != self->limit)
    set_rate (self->coder, self->limit);
  /* it pays the look-ahead of the one that is held */
  if (!decode (self->coder, packet, len, error))
    return FALSE;
  while (self->coder->n >= ENCORE_PACKET_SAMPLES)
    emit (self, encode (self->coder, approach (self, self->coder->now)));
  self->held = TRUE;
  remember (self, packet, len);
  if (passes && self->coder->now == 1.0 && self->coder->to_warm == 0)
    stop_coding (self);
  return TRUE;
}

/* The last packet has none behind it: silence pushes it out. */
void
encore_gain_finish (EncoreGain *self)
{
  Coder *coder = self->coder;

  if (coder == NULL || !self->held)
    return;
  const gsize missing = ENCORE_PACKET_SAMPLES - MIN (coder->n, ENCORE_PACKET_SAMPLES);
  memset (coder->pcm + coder->n * CHANNELS, 0, missing * CHANNELS * sizeof (float));
  coder->n += missing;
  coder->to_warm = 0;
  emit (self, encode (coder, approach (self, coder->now)));
  self->held = FALSE;
  g_clear_pointer (&self->coder, coder_free);
}

GBytes *
encore_gain_pop (EncoreGain *self)
{
  return g_queue_pop_head (&self->out);
}
