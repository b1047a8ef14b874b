/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Some frames are on their way.  The newest is only looked at, for a dip begins before its peak;
 * the one before it is encoded; the packets of those before that wait, for what comes out with a
 * packet is partly the music of the frame before it, and a frame that is turned down is another
 * packet. */
#include "config.h"
#include "sound/encore-ceiling.h"

#include <math.h>
#include <string.h>

#include "base/encore-error.h"
#include "base/encore-ogg.h"
#include "sound/encore-decode.h"
#include "sound/encore-dips.h"
#include "sound/encore-peak.h"

#define CHANNELS ENCORE_DECODE_CHANNELS
#define FRAME (ENCORE_PACKET_SAMPLES * CHANNELS)
#define BLOCK (ENCORE_DIPS_BLOCK * CHANNELS)
#define CONTEXT (ENCORE_PEAK_CONTEXT * CHANNELS)
#define BLOCKS (ENCORE_PACKET_SAMPLES / ENCORE_DIPS_BLOCK)
#define PACKET_MAX 4000 /* bytes; libopus' own recommendation */
#define HEADROOM_DB 0.2 /* by which the coder usually raises peaks */
#define METERS_DB 0.5   /* by which the library may find less than there is between samples */
#define WAITING 2
#define TRIES 16
#define STEP_DB 0.1 /* what a coder does to a peak changes with every gain: growing steps */

G_STATIC_ASSERT (ENCORE_PACKET_SAMPLES % ENCORE_DIPS_BLOCK == 0);

/* Samples with those before them. */
typedef struct {
  float before[CONTEXT], samples[FRAME];
} Span;

/* A frame, and the coders as they were before it. */
typedef struct {
  gint64 number;
  float music[FRAME];
  gpointer encoder, decoder;
  float heard_before[CONTEXT];
  guint8 packet[PACKET_MAX];
  int len;
  double peak; /* of what is heard with it, 0 when far below the ceiling */
} Step;

struct EncoreCeiling {
  OpusEncoder *encoder;
  OpusDecoder *decoder;
  EncoreOpusPacketFunc func;
  gpointer data;
  gsize encoder_bytes, decoder_bytes;
  double ceiling; /* linear */
  gint64 delay;   /* of the coder, frames */
  EncorePeak *meter;
  EncoreDips dips;
  EncoreDips before;        /* as they were before the packet that is looked at */
  Span next;                /* frame number N_FRAMES - 1 */
  gint64 n_frames;          /* that came */
  Step *steps[WAITING + 1]; /* the oldest first */
  Span heard;
  double peak;
};

static gboolean
fail (int code, GError **error)
{
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_FAILED, "opus: %s", opus_strerror (code));
  return FALSE;
}

static Step *
step_new (const EncoreCeiling *of)
{
  Step *self = g_new0 (Step, 1);

  self->number = -1;
  self->encoder = g_malloc (of->encoder_bytes);
  self->decoder = g_malloc (of->decoder_bytes);
  return self;
}

static void
step_free (Step *self)
{
  g_free (self->encoder);
  g_free (self->decoder);
  g_free (self);
}

EncoreCeiling *
encore_ceiling_new (OpusEncoder *encoder, double ceiling_dbtp, EncoreOpusPacketFunc func,
                    gpointer data, GError **error)
{
  opus_int32 delay = 0;
  int code;
  OpusDecoder *decoder = opus_decoder_create (ENCORE_OPUS_RATE_HZ, CHANNELS, &code);

  if (decoder == NULL) {
    fail (code, error);
    return NULL;
  }
  opus_encoder_ctl (encoder, OPUS_GET_LOOKAHEAD (&delay));
  EncoreCeiling *self = g_new0 (EncoreCeiling, 1);
  self->encoder = encoder;
  self->decoder = decoder;
  self->func = func;
  self->data = data;
  self->ceiling = encore_peak_linear (ceiling_dbtp - METERS_DB);
  self->delay = delay;
  self->meter = encore_peak_new ();
  /* asked once: libopus looks at the processor each time, which on a virtual one takes long */
  self->encoder_bytes = opus_encoder_get_size (CHANNELS);
  self->decoder_bytes = opus_decoder_get_size (CHANNELS);
  for (guint i = 0; i <= WAITING; i++)
    self->steps[i] = step_new (self);
  return self;
}

void
encore_ceiling_free (EncoreCeiling *self)
{
  opus_decoder_destroy (self->decoder);
  encore_peak_free (self->meter);
  for (guint i = 0; i <= WAITING; i++)
    step_free (self->steps[i]);
  g_free (self);
}

/* ---- one packet */

static void
keep_tail (float *before, const float *samples)
{
  memcpy (before, samples + FRAME - CONTEXT, CONTEXT * sizeof *before);
}

/* A copy is all that a coder's state needs (opus.h). */
static void
save (EncoreCeiling *self, Step *step)
{
  memcpy (step->encoder, self->encoder, self->encoder_bytes);
  memcpy (step->decoder, self->decoder, self->decoder_bytes);
  memcpy (step->heard_before, self->heard.before, sizeof step->heard_before);
}

static void
go_back (EncoreCeiling *self, const Step *step)
{
  memcpy (self->encoder, step->encoder, self->encoder_bytes);
  memcpy (self->decoder, step->decoder, self->decoder_bytes);
  memcpy (self->heard.before, step->heard_before, sizeof step->heard_before);
}

/* Turns down the music that comes out with block I of the packet of frame NUMBER: the coder is
 * behind, so it is a part of two blocks. */
static void
turn_down (EncoreCeiling *self, gint64 number, guint i, double by_db)
{
  const gint64 at = number * ENCORE_PACKET_SAMPLES + i * ENCORE_DIPS_BLOCK - self->delay;
  const gint64 first = MAX (at, 0) / ENCORE_DIPS_BLOCK;

  for (gint64 block = first; block <= first + 1; block++)
    encore_dips_add (&self->dips, block, encore_dips_get_db (&self->before, block) + by_db);
}

/* STEP's packet, from the coders as they are.  Where it is too high it is turned down, by STEP_DB
 * more at each TRY; *HIGH tells so, for it to be encoded again. */
static gboolean
encode (EncoreCeiling *self, Step *step, guint try, gboolean *high, GError **error)
{
  float frame[FRAME];

  save (self, step);
  step->peak = 0;
  self->before = self->dips;
  encore_dips_apply (&self->dips, step->number * BLOCKS, BLOCKS, step->music, frame);
  step->len =
      opus_encode_float (self->encoder, frame, ENCORE_PACKET_SAMPLES, step->packet, PACKET_MAX);
  if (step->len < 1)
    return fail (step->len, error);
  const int n = opus_decode_float (self->decoder, step->packet, step->len, self->heard.samples,
                                   ENCORE_PACKET_SAMPLES, FALSE);
  if (n != ENCORE_PACKET_SAMPLES)
    return fail (n < 0 ? n : OPUS_INTERNAL_ERROR, error);
  for (guint i = 0; i < BLOCKS; i++) {
    const double peak = encore_peak_above (self->meter, self->heard.samples + i * BLOCK,
                                           ENCORE_DIPS_BLOCK, self->ceiling);
    step->peak = MAX (step->peak, peak);
    if (peak <= self->ceiling || try == TRIES)
      continue;
    turn_down (self, step->number, i, encore_peak_db (peak / self->ceiling) + STEP_DB * (try + 1));
    *high = TRUE;
  }
  keep_tail (self->heard.before, self->heard.samples);
  return TRUE;
}

static gboolean
hand_on (EncoreCeiling *self, Step *step, GError **error)
{
  self->peak = MAX (self->peak, step->peak);
  return step->number < 0 || self->func (step->packet, step->len, self->data, error);
}

/* The newest step, and those that wait once more as often as need be. */
static gboolean
encode_newest (EncoreCeiling *self, GError **error)
{
  guint from = WAITING;

  for (guint try = 0; from <= WAITING; try++) {
    guint high = WAITING + 1; /* the first that is */
    if (try > 0)
      go_back (self, self->steps[from]);
    for (guint i = from; i <= WAITING; i++) {
      gboolean is_high = FALSE;
      if (!encode (self, self->steps[i], try, &is_high, error))
        return FALSE;
      high = is_high ? MIN (high, i) : high;
    }
    /* its music begins in the frame before it */
    from = high > WAITING || high == 0 || self->steps[high - 1]->number < 0 ? high : high - 1;
  }
  return TRUE;
}

/* The oldest is done with, and free for the next frame. */
static gboolean
hand_on_oldest (EncoreCeiling *self, GError **error)
{
  Step *const oldest = self->steps[0];

  if (!hand_on (self, oldest, error))
    return FALSE;
  /* what comes out from now on follows on what is out */
  if (oldest->number >= 0)
    self->dips.n_fixed = (oldest->number + 1) * BLOCKS + 1;
  memmove (self->steps, self->steps + 1, WAITING * sizeof *self->steps);
  self->steps[WAITING] = oldest;
  return TRUE;
}

/* ---- the music before it is encoded */

static void
look_at (EncoreCeiling *self)
{
  const double allowed = self->ceiling * encore_peak_linear (-HEADROOM_DB);

  for (guint i = 0; i < BLOCKS; i++) {
    const double peak =
        encore_peak_above (self->meter, self->next.samples + i * BLOCK, ENCORE_DIPS_BLOCK, allowed);
    if (peak > allowed)
      encore_dips_add (&self->dips, (self->n_frames - 1) * BLOCKS + i,
                       encore_peak_db (peak / allowed));
  }
}

static void
take_next (EncoreCeiling *self)
{
  Step *const newest = self->steps[WAITING];

  newest->number = self->n_frames - 1;
  memcpy (newest->music, self->next.samples, sizeof self->next.samples);
}

gboolean
encore_ceiling_frame (EncoreCeiling *self, const float *frame, GError **error)
{
  const gboolean first = self->n_frames == 0;

  if (!first) {
    take_next (self);
    keep_tail (self->next.before, self->next.samples);
  }
  memcpy (self->next.samples, frame, sizeof self->next.samples);
  self->n_frames++;
  look_at (self);
  return first || (encode_newest (self, error) && hand_on_oldest (self, error));
}

gboolean
encore_ceiling_end (EncoreCeiling *self, GError **error)
{
  if (self->n_frames == 0)
    return TRUE;
  take_next (self);
  gboolean ok = encode_newest (self, error);
  for (guint i = 0; ok && i <= WAITING; i++)
    ok = hand_on (self, self->steps[i], error);
  return ok;
}

double
encore_ceiling_get_peak_dbtp (const EncoreCeiling *self)
{
  return encore_peak_db (self->peak);
}
