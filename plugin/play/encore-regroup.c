/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Every packet is taken apart into its frames, each a packet of its own, and these are joined until
 * they make 20 ms: no case of lengths needs special care. */
#include "config.h"
#include "play/encore-regroup.h"

#include <opus.h>
#include <string.h>

#include "base/encore-ogg.h"

#define CHANNELS 2
#define FRAMES_MAX 48      /* in a packet, RFC 6716 section 3.2.5 */
#define FRAME_BYTES 1276   /* of one frame: a byte of TOC goes before it */
#define PACKET_BYTES 4000  /* libopus' own recommendation */
#define SAMPLES_MAX 5760   /* 120 ms */
#define BITRATE_BPS 128000 /* of what had to be encoded anew */

/* Decodes and encodes: for packets that cannot be cut. */
typedef struct {
  OpusDecoder *decoder;
  OpusEncoder *encoder;
  float pcm[(SAMPLES_MAX + ENCORE_PACKET_SAMPLES) * CHANNELS];
  gsize n; /* samples of a channel in PCM */
} Recoder;

struct EncoreRegroup {
  OpusRepacketizer *joiner;
  GPtrArray *frames; /* GByteArray: what JOINER points to */
  guint pending;     /* samples in FRAMES */
  GQueue out;        /* GBytes */
  Recoder *recoder;  /* (nullable) */
};

guint
encore_opus_samples (const guint8 *packet, gsize len)
{
  const int n = len > 0 ? opus_packet_get_nb_samples (packet, len, ENCORE_OPUS_RATE_HZ) : 0;

  return MAX (n, 0);
}

static void
recoder_free (Recoder *self)
{
  if (self == NULL)
    return;
  if (self->decoder != NULL)
    opus_decoder_destroy (self->decoder);
  if (self->encoder != NULL)
    opus_encoder_destroy (self->encoder);
  g_free (self);
}

static Recoder *
recoder_new (GError **error)
{
  Recoder *self = g_new0 (Recoder, 1);
  int code = OPUS_OK;

  self->decoder = opus_decoder_create (ENCORE_OPUS_RATE_HZ, CHANNELS, &code);
  if (code == OPUS_OK)
    self->encoder =
        opus_encoder_create (ENCORE_OPUS_RATE_HZ, CHANNELS, OPUS_APPLICATION_AUDIO, &code);
  if (code == OPUS_OK)
    code = opus_encoder_ctl (self->encoder, OPUS_SET_BITRATE (BITRATE_BPS));
  if (code == OPUS_OK)
    return self;
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_FAILED, "opus: %s", opus_strerror (code));
  recoder_free (self);
  return NULL;
}

EncoreRegroup *
encore_regroup_new (void)
{
  EncoreRegroup *self = g_new0 (EncoreRegroup, 1);

  self->joiner = opus_repacketizer_create ();
  self->frames = g_ptr_array_new_with_free_func ((GDestroyNotify) g_byte_array_unref);
  return self;
}

void
encore_regroup_reset (EncoreRegroup *self)
{
  opus_repacketizer_init (self->joiner);
  g_ptr_array_set_size (self->frames, 0);
  self->pending = 0;
  g_queue_clear_full (&self->out, (GDestroyNotify) g_bytes_unref);
  g_clear_pointer (&self->recoder, recoder_free);
}

void
encore_regroup_free (EncoreRegroup *self)
{
  if (self == NULL)
    return;
  encore_regroup_reset (self);
  opus_repacketizer_destroy (self->joiner);
  g_ptr_array_unref (self->frames);
  g_free (self);
}

gboolean
encore_regroup_is_idle (const EncoreRegroup *self)
{
  return self->pending == 0 && self->recoder == NULL && self->out.length == 0;
}

/* ---- decoded and encoded */

static void
encode_one (EncoreRegroup *self)
{
  Recoder *recoder = self->recoder;
  guint8 packet[PACKET_BYTES];
  const int len = opus_encode_float (recoder->encoder, recoder->pcm, ENCORE_PACKET_SAMPLES, packet,
                                     sizeof packet);

  recoder->n -= ENCORE_PACKET_SAMPLES;
  memmove (recoder->pcm, recoder->pcm + ENCORE_PACKET_SAMPLES * CHANNELS,
           recoder->n * CHANNELS * sizeof (float));
  if (len > 0)
    g_queue_push_tail (&self->out, g_bytes_new (packet, len));
}

static gboolean
recode (EncoreRegroup *self, const guint8 *packet, gsize len, GError **error)
{
  Recoder *recoder = self->recoder;
  const int n = opus_decode_float (recoder->decoder, packet, len,
                                   recoder->pcm + recoder->n * CHANNELS, SAMPLES_MAX, 0);

  if (n < 0) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "an Opus packet cannot be decoded: %s",
                 opus_strerror (n));
    return FALSE;
  }
  recoder->n += n;
  while (recoder->n >= ENCORE_PACKET_SAMPLES)
    encode_one (self);
  return TRUE;
}

/* From here on everything is encoded anew, beginning with the frames that wait to be joined. */
static gboolean
begin_recoding (EncoreRegroup *self, GError **error)
{
  gboolean ok = TRUE;

  self->recoder = recoder_new (error);
  if (self->recoder == NULL)
    return FALSE;
  for (guint i = 0; i < self->frames->len && ok; i++) {
    const GByteArray *frame = self->frames->pdata[i];
    ok = recode (self, frame->data, frame->len, error);
  }
  opus_repacketizer_init (self->joiner);
  g_ptr_array_set_size (self->frames, 0);
  self->pending = 0;
  return ok;
}

/* ---- cut and joined */

static void
join (EncoreRegroup *self)
{
  guint8 packet[PACKET_BYTES * 2];
  const int len = opus_repacketizer_out (self->joiner, packet, sizeof packet);

  if (len > 0)
    g_queue_push_tail (&self->out, g_bytes_new (packet, len));
  opus_repacketizer_init (self->joiner);
  g_ptr_array_set_size (self->frames, 0);
  self->pending = 0;
}

static gboolean
add_frame (EncoreRegroup *self, guint8 toc, const guint8 *data, gsize len, guint samples,
           GError **error)
{
  const guint8 alone = toc & ~3; /* code 0: one frame */
  GByteArray *frame = g_byte_array_sized_new (len + 1);

  g_byte_array_append (frame, &alone, 1);
  g_byte_array_append (frame, data, len);
  if (self->recoder == NULL &&
      opus_repacketizer_cat (self->joiner, frame->data, frame->len) == OPUS_OK) {
    g_ptr_array_add (self->frames, frame);
    self->pending += samples;
    if (self->pending == ENCORE_PACKET_SAMPLES)
      join (self);
    return TRUE;
  }
  /* another mode than the frames that wait: they cannot be one packet */
  const gboolean ok = (self->recoder != NULL || begin_recoding (self, error)) &&
                      recode (self, frame->data, frame->len, error);
  g_byte_array_unref (frame);
  return ok;
}

gboolean
encore_regroup_push (EncoreRegroup *self, const guint8 *packet, gsize len, GError **error)
{
  const guint8 *frames[FRAMES_MAX];
  opus_int16 sizes[FRAMES_MAX];
  guint8 toc;
  const int n = encore_opus_samples (packet, len) > 0
                    ? opus_packet_parse (packet, len, &toc, frames, sizes, NULL)
                    : OPUS_INVALID_PACKET;

  if (n < 1) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "not an Opus packet");
    return FALSE;
  }
  const guint samples = opus_packet_get_samples_per_frame (packet, ENCORE_OPUS_RATE_HZ);
  if (samples > ENCORE_PACKET_SAMPLES && self->recoder == NULL && !begin_recoding (self, error))
    return FALSE;
  if (self->recoder != NULL)
    return recode (self, packet, len, error);
  for (int i = 0; i < n; i++)
    if (!add_frame (self, toc, frames[i], sizes[i], samples, error))
      return FALSE;
  return TRUE;
}

void
encore_regroup_finish (EncoreRegroup *self)
{
  if (self->pending > 0 && self->recoder == NULL && !begin_recoding (self, NULL))
    return;
  Recoder *recoder = self->recoder;
  if (recoder == NULL || recoder->n == 0)
    return;
  memset (recoder->pcm + recoder->n * CHANNELS, 0,
          (ENCORE_PACKET_SAMPLES - recoder->n) * CHANNELS * sizeof (float));
  recoder->n = ENCORE_PACKET_SAMPLES;
  encode_one (self);
}

GBytes *
encore_regroup_pop (EncoreRegroup *self)
{
  return g_queue_pop_head (&self->out);
}
