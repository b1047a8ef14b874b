/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Peaks: found as libebur128 finds them, turned down without a step, and below the ceiling in the
 * packets as a decoder and a meter of the test's own hear them. */
#include "config.h"
#include "sound/encore-ceiling.h"

#include <ebur128.h>
#include <math.h>
#include <string.h>

#include "base/encore-ogg.h"
#include "sound/encore-dips.h"
#include "sound/encore-peak.h"

#define RATE_HZ 48000
#define CONTEXT (2 * ENCORE_PEAK_CONTEXT)
#define FRAME (2 * ENCORE_PACKET_SAMPLES)
#define BLOCK (2 * ENCORE_DIPS_BLOCK)

/* ---- dips */

static void
test_dip (void)
{
  EncoreDips dips = {0};
  float in[40 * BLOCK], out[40 * BLOCK];

  for (gsize i = 0; i < G_N_ELEMENTS (in); i++)
    in[i] = 1;
  encore_dips_add (&dips, 10, 3);
  encore_dips_add (&dips, 10, 1); /* the deeper counts */
  g_assert_true (encore_dips_apply (&dips, 0, 40, in, out));
  g_assert_cmpfloat_with_epsilon (encore_dips_get_db (&dips, 10), 3, 1e-6);
  for (gsize i = 0; i < G_N_ELEMENTS (in); i++) {
    const gsize block = i / BLOCK;
    if (block == 10)
      g_assert_cmpfloat_with_epsilon (out[i], pow (10, -3 / 20.0), 1e-5);
    else if (block < 10 - ENCORE_DIPS_DOWN || block > 10 + ENCORE_DIPS_UP)
      g_assert_cmpfloat (out[i], ==, 1);
    else
      g_assert_cmpfloat (out[i], <=, 1);
    /* 3 dB down in 7.5 ms: at the steepest half of it in 2.5 ms, in 120 steps */
    if (i >= 2)
      g_assert_cmpfloat (fabsf (out[i] - out[i - 2]), <, 0.16 / ENCORE_DIPS_BLOCK);
    if (i % 2 == 1)
      g_assert_cmpfloat (out[i], ==, out[i - 1]);
  }
}

/* Music that is out cannot be turned down any more: what follows begins as it ended. */
static void
test_dips_stay (void)
{
  EncoreDips dips = {0};
  float in[3 * BLOCK], out[3 * BLOCK];

  for (gsize i = 0; i < G_N_ELEMENTS (in); i++)
    in[i] = 1;
  encore_dips_add (&dips, 12, 2);
  encore_dips_apply (&dips, 10, 1, in, out);
  const float last = out[BLOCK - 1];
  dips.n_fixed = 12; /* the border behind block 10 is the last of them */
  encore_dips_add (&dips, 11, 9);
  encore_dips_add (&dips, 12, 9);
  encore_dips_apply (&dips, 11, 2, in, out);
  g_assert_cmpfloat (fabsf (out[0] - last), <, 0.01);
  g_assert_cmpfloat_with_epsilon (out[2 * BLOCK - 1], pow (10, -9 / 20.0), 0.01);
}

static void
test_dips_are_forgotten (void)
{
  EncoreDips dips = {0};
  float in[BLOCK], out[BLOCK];

  for (gsize i = 0; i < G_N_ELEMENTS (in); i++)
    in[i] = i;
  encore_dips_add (&dips, 0, 3);
  for (gint64 block = 0; block < 10 * ENCORE_DIPS_RING; block++) {
    const gboolean any = encore_dips_apply (&dips, block, 1, in, out);
    g_assert_cmpint (any, ==, block <= ENCORE_DIPS_UP);
    if (!any)
      g_assert_cmpmem (in, sizeof in, out, sizeof out);
  }
}

/* ---- the meter */

static double
true_peak (const float *samples, gsize n)
{
  ebur128_state *state = ebur128_init (2, RATE_HZ, EBUR128_MODE_TRUE_PEAK);
  double left = 0, right = 0;

  ebur128_add_frames_float (state, samples, n);
  ebur128_true_peak (state, 0, &left);
  ebur128_true_peak (state, 1, &right);
  ebur128_destroy (&state);
  return MAX (left, right);
}

static void
test_peak (void)
{
  enum { CHUNK = 240, N = 100 * CHUNK };
  g_autofree float *music = g_new0 (float, CONTEXT + 2 * N);
  g_autoptr (EncorePeak) meter = encore_peak_new ();
  guint n_skipped = 0;
  double peak = 0;

  for (gsize i = 0; i < 2 * N; i++) /* swells, and rests */
    music[CONTEXT + i] = g_test_rand_double_range (-0.5, 0.5) * pow (sin (i * 0.0003), 8);
  for (gsize at = 0; at < N; at += CHUNK) {
    const double one = encore_peak_above (meter, music + CONTEXT + 2 * at, CHUNK, peak);
    n_skipped += one == 0;
    peak = MAX (peak, one);
  }
  g_assert_cmpfloat_with_epsilon (peak, true_peak (music + CONTEXT, N), 1e-6);
  g_assert_cmpuint (n_skipped, >, 20);
}

/* What lies as far above its samples as can be: signs that all meet half way between two of them.
 */
static void
test_peak_between_samples (void)
{
  enum { N = 48 };
  float music[CONTEXT + 2 * N] = {0};
  g_autoptr (EncorePeak) meter = encore_peak_new ();

  for (int i = 0; i < N; i++) {
    const int from_middle = i < N / 2 ? N / 2 - 1 - i : i - N / 2;
    music[CONTEXT + 2 * i] = from_middle % 2 == 0 ? 0.25f : -0.25f;
  }
  const double peak = true_peak (music + CONTEXT, N);
  g_test_message ("%.3f between samples of 0.25", peak);
  g_assert_cmpfloat (peak, >, 1.8 * 0.25);
  g_assert_cmpfloat (encore_peak_above (meter, music + CONTEXT, N, peak * 0.999), >, 0);
  g_assert_cmpfloat (encore_peak_above (meter, music + CONTEXT, N, 0.6), ==, 0);
}

/* Music of all kinds, from the lowest to noise at the highest: none that is there is passed over.
 */
static void
test_peak_never_too_low (void)
{
  enum { N = 96, KINDS = 20000 };
  g_autofree float *music = g_new0 (float, CONTEXT + 2 * N);
  g_autoptr (EncorePeak) meter = encore_peak_new ();
  guint n_useful = 0;

  for (guint kind = 0; kind < KINDS; kind++) {
    const double step = pow (g_test_rand_double (), 2) * G_PI, noise = pow (0.5, kind % 20);
    const double offset = g_test_rand_double_range (-0.5, 0.5);
    for (gsize i = 0; i < N; i++)
      music[CONTEXT + 2 * i] =
          offset + cos (i * step + kind) + noise * (g_test_rand_bit () ? 1 : -1);
    const double peak = encore_peak_above (meter, music + CONTEXT, N, 0);
    g_assert_cmpfloat (encore_peak_above (meter, music + CONTEXT, N, peak * 0.99999), ==, peak);
    n_useful += encore_peak_above (meter, music + CONTEXT, N, peak * 1.3) == 0;
  }
  g_test_message ("%u of %d need no meter for 2.3 dB", n_useful, KINDS);
  g_assert_cmpuint (n_useful, >, KINDS / 3);
}

/* ---- the coder */

#define N_FRAMES 200

typedef struct {
  OpusDecoder *decoder;
  GPtrArray *packets; /* of GBytes */
  float heard[N_FRAMES * FRAME];
} Listener;

static gboolean
on_packet (const guint8 *packet, int len, gpointer data, GError **error)
{
  Listener *self = data;

  g_assert_cmpint (opus_decode_float (self->decoder, packet, len,
                                      self->heard + self->packets->len * FRAME,
                                      ENCORE_PACKET_SAMPLES, FALSE),
                   ==, ENCORE_PACKET_SAMPLES);
  g_ptr_array_add (self->packets, g_bytes_new (packet, len));
  return TRUE;
}

static Listener *
listener_new (void)
{
  Listener *self = g_new0 (Listener, 1);

  self->decoder = opus_decoder_create (RATE_HZ, 2, NULL);
  self->packets = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  return self;
}

static double
listener_free (Listener *self)
{
  const double peak = true_peak (self->heard, N_FRAMES * ENCORE_PACKET_SAMPLES);

  g_ptr_array_unref (self->packets);
  opus_decoder_destroy (self->decoder);
  g_free (self);
  return 20 * log10 (peak);
}

static OpusEncoder *
encoder_new (void)
{
  OpusEncoder *self = opus_encoder_create (RATE_HZ, 2, OPUS_APPLICATION_AUDIO, NULL);

  opus_encoder_ctl (self, OPUS_SET_BITRATE (96000));
  return self;
}

/* A tone, and from the middle on bursts, which a coder makes much of. */
static float *
make_music (void)
{
  float *music = g_new0 (float, N_FRAMES *FRAME);

  for (int i = 0; i < N_FRAMES * ENCORE_PACKET_SAMPLES; i++) {
    const double burst = i < N_FRAMES / 2 * ENCORE_PACKET_SAMPLES ? 0 : exp (-(i % 9000) / 800.0);
    for (int channel = 0; channel < 2; channel++)
      music[2 * i + channel] = 0.05 * sin (i * (0.05 + 0.01 * channel)) +
                               0.75 * burst * g_test_rand_double_range (-1, 1);
  }
  return music;
}

static void
test_ceiling (void)
{
  const double ceilings_dbtp[] = {-1.5, -3, -1.5};
  g_autofree float *music = make_music ();
  const double source_dbtp = 20 * log10 (true_peak (music, N_FRAMES * ENCORE_PACKET_SAMPLES));
  OpusEncoder *plain = encoder_new ();
  Listener *as_it_is = listener_new ();

  for (guint i = 0; i < N_FRAMES; i++) {
    guint8 packet[4000];
    const int len =
        opus_encode_float (plain, music + i * FRAME, ENCORE_PACKET_SAMPLES, packet, sizeof packet);
    g_assert_true (on_packet (packet, len, as_it_is, NULL));
  }
  for (gsize round = 0; round < G_N_ELEMENTS (ceilings_dbtp); round++) {
    OpusEncoder *encoder = encoder_new ();
    Listener *listener = listener_new ();
    g_autoptr (GError) error = NULL;
    EncoreCeiling *ceiling =
        encore_ceiling_new (encoder, ceilings_dbtp[round], on_packet, listener, &error);
    g_assert_no_error (error);
    for (guint i = 0; i < N_FRAMES; i++)
      g_assert_true (encore_ceiling_frame (ceiling, music + i * FRAME, &error));
    g_assert_true (encore_ceiling_end (ceiling, &error));
    g_assert_cmpuint (listener->packets->len, ==, N_FRAMES);
    for (guint i = 0; i < N_FRAMES / 2 - 2; i++) /* nothing is done where nothing need be done */
      g_assert_true (g_bytes_equal (listener->packets->pdata[i], as_it_is->packets->pdata[i]));
    const double told_dbtp = encore_ceiling_get_peak_dbtp (ceiling);
    const double heard_dbtp = listener_free (listener);
    g_test_message ("%.2f dBTP, heard %.2f, told %.2f", ceilings_dbtp[round], heard_dbtp,
                    told_dbtp);
    g_assert_cmpfloat (heard_dbtp, <=, ceilings_dbtp[round] + 1e-3);
    g_assert_cmpfloat (heard_dbtp, >, ceilings_dbtp[round] - 1.5);
    g_assert_cmpfloat_with_epsilon (told_dbtp, heard_dbtp, 1e-3);
    encore_ceiling_free (ceiling);
    opus_encoder_destroy (encoder);
  }
  opus_encoder_destroy (plain);
  const double plain_dbtp = listener_free (as_it_is);
  g_test_message ("%.2f dBTP in the source, %.2f as it is", source_dbtp, plain_dbtp);
  g_assert_cmpfloat (plain_dbtp, >, -1.5);
}

#define SHORT_FRAMES 16
#define DELAY 312 /* of the coder, frames */

/* What of BLOCK of HEARD is not the music at another gain, as a share of it. */
static double
get_error (const float *music, const float *heard)
{
  double mm = 0, mh = 0, hh = 0;

  for (gsize i = 0; i < BLOCK; i++) {
    mm += music[i] * music[i];
    mh += music[i] * heard[i];
    hh += heard[i] * heard[i];
  }
  return hh > 0 ? 1 - mh * mh / (mm * hh) : 0;
}

/* Bursts of a tone, at all places of a packet: after the coders went back they go on as if they had
 * not gone ahead, so what is told is what is heard, and there is no seam in it. */
static void
test_goes_back (void)
{
  double worst = 0;
  guint n_near = 0;

  for (guint song = 0; song < 240; song++) {
    g_autofree float *music = g_new0 (float, SHORT_FRAMES *FRAME);
    const int at = 6 * ENCORE_PACKET_SAMPLES + song * 16;
    OpusEncoder *encoder = encoder_new ();
    Listener *listener = listener_new ();
    EncoreCeiling *ceiling = encore_ceiling_new (encoder, -1.5, on_packet, listener, NULL);

    for (int i = 0; i < SHORT_FRAMES * ENCORE_PACKET_SAMPLES; i++) {
      const double burst = i < at ? 0 : exp (-(i - at) / 300.0) * (1 - exp (-(i - at) / 20.0));
      for (int channel = 0; channel < 2; channel++)
        music[2 * i + channel] = 0.2 * sin (i * (0.03 + 0.004 * channel)) +
                                 0.9 * burst * sin (i * (0.11 + 0.0006 * song));
    }
    for (guint i = 0; i < SHORT_FRAMES; i++)
      g_assert_true (encore_ceiling_frame (ceiling, music + i * FRAME, NULL));
    g_assert_true (encore_ceiling_end (ceiling, NULL));
    for (int from = 4 * FRAME; from + 2 * (DELAY + ENCORE_DIPS_BLOCK) <= SHORT_FRAMES * FRAME;
         from += BLOCK)
      worst = MAX (worst, get_error (music + from, listener->heard + from + 2 * DELAY));
    const double told_dbtp = encore_ceiling_get_peak_dbtp (ceiling);
    const double heard_dbtp = listener_free (listener);
    n_near += isfinite (told_dbtp);
    if (isfinite (told_dbtp)) /* the highest that was looked at */
      g_assert_cmpfloat_with_epsilon (told_dbtp, heard_dbtp, 0.05);
    g_assert_cmpfloat (heard_dbtp, <=, -1.5);
    encore_ceiling_free (ceiling);
    opus_encoder_destroy (encoder);
  }
  g_test_message ("worst block: %.3f is no music; %u songs came near", worst, n_near);
  g_assert_cmpuint (n_near, >, 20);
  g_assert_cmpfloat (worst, <, 0.2);
}

static void
test_ends (void)
{
  static const float silence[FRAME];

  for (guint n = 0; n < 4; n++) {
    OpusEncoder *encoder = encoder_new ();
    Listener *listener = listener_new ();
    EncoreCeiling *ceiling = encore_ceiling_new (encoder, -1.5, on_packet, listener, NULL);
    for (guint i = 0; i < n; i++)
      g_assert_true (encore_ceiling_frame (ceiling, silence, NULL));
    g_assert_true (encore_ceiling_end (ceiling, NULL));
    g_assert_cmpuint (listener->packets->len, ==, n);
    g_assert_cmpfloat (encore_ceiling_get_peak_dbtp (ceiling), ==, -HUGE_VAL);
    encore_ceiling_free (ceiling);
    opus_encoder_destroy (encoder);
    listener_free (listener);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dips/one", test_dip);
  g_test_add_func ("/dips/stay-where-music-is-out", test_dips_stay);
  g_test_add_func ("/dips/are-forgotten", test_dips_are_forgotten);
  g_test_add_func ("/peak/as-all-of-it", test_peak);
  g_test_add_func ("/peak/between-samples", test_peak_between_samples);
  g_test_add_func ("/peak/never-too-low", test_peak_never_too_low);
  g_test_add_func ("/ceiling/no-packet-above-it", test_ceiling);
  g_test_add_func ("/ceiling/goes-back", test_goes_back);
  g_test_add_func ("/ceiling/ends", test_ends);
  return g_test_run ();
}
