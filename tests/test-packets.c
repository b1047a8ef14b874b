/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Opus packets split, joined and made louder or quieter, judged by what a listener's decoder hears.
 */
#include "config.h"
#include "play/encore-cross.h"
#include "play/encore-gain.h"
#include "play/encore-regroup.h"

#include <math.h>
#include <opus.h>
#include <string.h>

#include "base/encore-ogg.h"

#define RATE ENCORE_OPUS_RATE_HZ
#define CHANNELS 2

/* Packets are a GPtrArray of GBytes. */

static GPtrArray *
packets_new (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
}

/* Tones with an attack every half second, at -9 dB or so; the same on every machine. */
static float *
make_music (gsize samples)
{
  float *pcm = g_new (float, samples *CHANNELS);

  for (gsize i = 0; i < samples; i++) {
    const double t = (double) i / RATE, beat = fmod (t, 0.5);
    const double body = 0.2 * sin (2 * G_PI * 220 * t) + 0.1 * sin (2 * G_PI * 554.4 * t);
    const double hit = 0.15 * exp (-8 * beat) * sin (2 * G_PI * 1760 * t);
    pcm[i * CHANNELS] = body + hit;
    pcm[i * CHANNELS + 1] = body - 0.5 * hit;
  }
  return pcm;
}

static GPtrArray *
encode (const float *pcm, gsize samples, int frame_samples, int application, int bitrate_bps)
{
  int code;
  OpusEncoder *encoder = opus_encoder_create (RATE, CHANNELS, application, &code);
  GPtrArray *packets = packets_new ();
  guint8 packet[4000];

  g_assert_cmpint (code, ==, OPUS_OK);
  opus_encoder_ctl (encoder, OPUS_SET_BITRATE (bitrate_bps));
  for (gsize at = 0; at + frame_samples <= samples; at += frame_samples) {
    const int len =
        opus_encode_float (encoder, pcm + at * CHANNELS, frame_samples, packet, sizeof packet);
    g_assert_cmpint (len, >, 0);
    g_ptr_array_add (packets, g_bytes_new (packet, len));
  }
  opus_encoder_destroy (encoder);
  return packets;
}

/* *SAMPLES (out): of a channel. */
static float *
decode (const GPtrArray *packets, gsize *samples)
{
  int code;
  OpusDecoder *decoder = opus_decoder_create (RATE, CHANNELS, &code);
  float *pcm = g_new0 (float, (packets->len + 1) * 5760 * CHANNELS);

  *samples = 0;
  for (guint i = 0; i < packets->len; i++) {
    gsize len;
    const guint8 *data = g_bytes_get_data (packets->pdata[i], &len);
    const int n = opus_decode_float (decoder, data, len, pcm + *samples * CHANNELS, 5760, 0);
    g_assert_cmpint (n, >, 0);
    *samples += n;
  }
  opus_decoder_destroy (decoder);
  return pcm;
}

static double
rms_db (const float *pcm, gsize from, gsize to)
{
  double sum = 0;

  for (gsize i = from * CHANNELS; i < to * CHANNELS; i++)
    sum += (double) pcm[i] * pcm[i];
  return 10 * log10 (sum / ((to - from) * CHANNELS) + 1e-20);
}

static double
snr_db (const float *wanted, const float *got, gsize from, gsize to)
{
  double signal = 0, noise = 0;

  for (gsize i = from * CHANNELS; i < to * CHANNELS; i++) {
    signal += (double) wanted[i] * wanted[i];
    noise += (double) (wanted[i] - got[i]) * (wanted[i] - got[i]);
  }
  return 10 * log10 (signal / (noise + 1e-20));
}

/* ---- regroup */

static GPtrArray *
regroup (const GPtrArray *in)
{
  g_autoptr (EncoreRegroup) regroup = encore_regroup_new ();
  g_autoptr (GError) error = NULL;
  GPtrArray *out = packets_new ();
  GBytes *packet;

  for (guint i = 0; i < in->len; i++) {
    gsize len;
    const guint8 *data = g_bytes_get_data (in->pdata[i], &len);
    g_assert_true (encore_regroup_push (regroup, data, len, &error));
    g_assert_no_error (error);
    while ((packet = encore_regroup_pop (regroup)) != NULL)
      g_ptr_array_add (out, packet);
  }
  encore_regroup_finish (regroup);
  while ((packet = encore_regroup_pop (regroup)) != NULL)
    g_ptr_array_add (out, packet);
  for (guint i = 0; i < out->len; i++) {
    gsize len;
    const guint8 *data = g_bytes_get_data (out->pdata[i], &len);
    g_assert_cmpuint (encore_opus_samples (data, len), ==, ENCORE_PACKET_SAMPLES);
  }
  return out;
}

/* Frames of these lengths are cut and joined as they are: the decoder cannot tell. */
static void
test_regroup_lossless (void)
{
  const int lengths[] = {120, 240, 480, 960, 1920, 2880}; /* 2.5 to 60 ms */
  g_autofree float *music = make_music (2 * RATE);

  for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++) {
    /* low delay: CELT only, whose longer packets are made of frames of 20 ms */
    g_autoptr (GPtrArray) in = encode (music, 2 * RATE - 2 * RATE % 2880, lengths[i],
                                       OPUS_APPLICATION_RESTRICTED_LOWDELAY, 128000);
    g_autoptr (GPtrArray) out = regroup (in);
    gsize before, after;
    g_autofree float *pcm_in = decode (in, &before);
    g_autofree float *pcm_out = decode (out, &after);
    g_assert_cmpuint (after, >=, before);
    g_assert_cmpuint (after - before, <, ENCORE_PACKET_SAMPLES);
    /* up to the last whole packet: what is left over had to be encoded */
    const gsize whole = before / ENCORE_PACKET_SAMPLES * ENCORE_PACKET_SAMPLES;
    g_assert_true (memcmp (pcm_in, pcm_out, whole * CHANNELS * sizeof (float)) == 0);
  }
}

static void
test_regroup_silk (void)
{
  g_autofree float *music = make_music (3 * RATE);
  g_autoptr (GPtrArray) in = encode (music, 3 * RATE, 2880, OPUS_APPLICATION_VOIP, 10000);
  gsize len, before, after;
  const guint8 *first = g_bytes_get_data (in->pdata[0], &len);

  g_assert_cmpint (opus_packet_get_samples_per_frame (first, RATE), ==, 2880); /* cannot be cut */
  g_autoptr (GPtrArray) out = regroup (in);
  g_assert_cmpuint (out->len, ==, in->len * 3);
  g_autofree float *pcm_in = decode (in, &before);
  g_autofree float *pcm_out = decode (out, &after);
  g_assert_cmpuint (before, ==, after);
  const double wanted = rms_db (pcm_in, RATE, 2 * RATE), got = rms_db (pcm_out, RATE, 2 * RATE);
  g_assert_cmpfloat (fabs (wanted - got), <, 1.0);
}

/* 10 ms of one mode wait when another mode comes: they cannot be one packet, and are not lost. */
static void
test_regroup_change_of_mode (void)
{
  g_autofree float *music = make_music (2 * RATE);
  g_autoptr (GPtrArray) celt =
      encode (music, RATE / 2 + 480, 480, OPUS_APPLICATION_RESTRICTED_LOWDELAY, 96000);
  g_autoptr (GPtrArray) silk = encode (music, RATE, 960, OPUS_APPLICATION_VOIP, 10000);
  gsize before, after;

  g_assert_cmpuint (celt->len % 2, ==, 1);
  for (guint i = 0; i < silk->len; i++)
    g_ptr_array_add (celt, g_bytes_ref (silk->pdata[i]));
  g_autoptr (GPtrArray) out = regroup (celt);
  g_free (decode (celt, &before));
  g_free (decode (out, &after));
  g_assert_cmpuint (after, >=, before);
  g_assert_cmpuint (after - before, <, ENCORE_PACKET_SAMPLES);
}

static void
test_regroup_garbage (void)
{
  const struct {
    guint8 data[4];
    gsize len;
  } bad[] = {{{0}, 0}, {{0xff}, 1}, {{0xff, 0x00}, 2}, {{0xff, 0x3f, 1, 2}, 4}, {{0x02, 0xff}, 2}};
  g_autoptr (EncoreRegroup) regroup = encore_regroup_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autoptr (GError) error = NULL;
    g_assert_false (encore_regroup_push (regroup, bad[i].data, bad[i].len, &error));
    g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT);
    g_assert_null (encore_regroup_pop (regroup));
    g_assert_true (encore_regroup_is_idle (regroup));
  }
}

/* ---- gain */

static guint
without_limit (guint i)
{
  return 0;
}

/* VOLUME_AT tells the volume and LIMIT_AT the highest bitrate from packet I on. */
static GPtrArray *
apply_all (const GPtrArray *in, double (*volume_at) (guint i), double db_per_s,
           guint (*limit_at) (guint i))
{
  g_autoptr (EncoreGain) gain = encore_gain_new ();
  GPtrArray *out = packets_new ();
  GBytes *packet;

  encore_gain_set_slope (gain, db_per_s);
  for (guint i = 0; i < in->len; i++) {
    g_autoptr (GError) error = NULL;
    gsize len;
    const guint8 *data = g_bytes_get_data (in->pdata[i], &len);
    encore_gain_set (gain, volume_at (i));
    encore_gain_limit (gain, limit_at (i));
    if (encore_gain_pass (gain, data, len)) {
      g_ptr_array_add (out, g_bytes_ref (in->pdata[i]));
      continue;
    }
    g_assert_true (encore_gain_push (gain, data, len, &error));
    g_assert_no_error (error);
    while ((packet = encore_gain_pop (gain)) != NULL)
      g_ptr_array_add (out, packet);
  }
  encore_gain_finish (gain);
  while ((packet = encore_gain_pop (gain)) != NULL)
    g_ptr_array_add (out, packet);
  return out;
}

static GPtrArray *
apply (const GPtrArray *in, double (*volume_at) (guint i))
{
  return apply_all (in, volume_at, 0, without_limit);
}

static GPtrArray *
make_packets (gsize seconds)
{
  g_autofree float *music = make_music (seconds * RATE);

  return encode (music, seconds * RATE, ENCORE_PACKET_SAMPLES, OPUS_APPLICATION_AUDIO, 128000);
}

static double
half (guint i)
{
  return 0.5;
}

/* From the first packet on, and where it should be in time. */
static void
test_gain_level_and_place (void)
{
  g_autoptr (GPtrArray) in = make_packets (3);
  g_autoptr (GPtrArray) out = apply (in, half);
  gsize n, m;
  g_autofree float *wanted = decode (in, &n);
  g_autofree float *got = decode (out, &m);

  g_assert_cmpuint (out->len, ==, in->len);
  for (gsize i = 0; i < n * CHANNELS; i++)
    wanted[i] *= 0.5;
  g_assert_cmpfloat (snr_db (wanted, got, RATE, 3 * RATE), >, 20);
  g_assert_cmpfloat (rms_db (got, 960, 4800), <, rms_db (wanted, 960, 4800) + 1);
}

static double
on_and_off (guint i)
{
  /* a second each, changing a quarter of a second away from the attacks of the music */
  return (i + 37) / 50 % 2 == 0 ? 1.0 : 0.5;
}

/* Peak of the fourth difference: a click is where it stands out of the music around it.  Without
 * the ramp it is 2600 times as much, with cold coders 50 times. */
#define CLICK 4
static double
roughness (const float *pcm, gsize from, gsize to)
{
  double peak = 0;

  for (gsize i = from + 4; i < to; i++) {
    const double d = pcm[i * CHANNELS] - 4.0 * pcm[(i - 1) * CHANNELS] +
                     6.0 * pcm[(i - 2) * CHANNELS] - 4.0 * pcm[(i - 3) * CHANNELS] +
                     pcm[(i - 4) * CHANNELS];
    peak = MAX (peak, fabs (d));
  }
  return peak;
}

static void
test_gain_switches_without_click (void)
{
  g_autoptr (GPtrArray) in = make_packets (10);
  g_autoptr (GPtrArray) out = apply (in, on_and_off);
  gsize n, m;
  g_autofree float *plain = decode (in, &n);
  g_autofree float *got = decode (out, &m);

  g_assert_cmpuint (out->len, ==, in->len);
  for (guint s = 0; s < 10; s++) {
    const gsize seam = (s * 50 + 13) * ENCORE_PACKET_SAMPLES;
    const double here = roughness (plain, seam - RATE / 20, seam + RATE / 10);
    const double there = roughness (got, seam - RATE / 20, seam + RATE / 10);
    g_test_message ("seam %u: %.5f, before %.5f", s, there, here);
    g_assert_cmpfloat (there, <, CLICK * here);
  }
  /* back at 1.0 the packets themselves pass, but for the one over which the gain moves */
  guint changed = 0;
  for (guint i = 0; i < in->len; i++)
    if (on_and_off (i) == 1.0 && !g_bytes_equal (in->pdata[i], out->pdata[i]))
      changed++;
  g_assert_cmpuint (changed, <=, 5);
}

static double
mute (guint i)
{
  return i < 50 ? 1.0 : 0.0;
}

static double
loud (guint i)
{
  return 1.5;
}

static void
test_gain_extremes (void)
{
  g_autoptr (GPtrArray) in = make_packets (2);
  g_autoptr (GPtrArray) silent = apply (in, mute);
  g_autoptr (GPtrArray) big = apply (in, loud);
  gsize n;
  g_autofree float *plain = decode (in, &n);
  g_autofree float *quiet_pcm = decode (silent, &n);
  g_autofree float *loud_pcm = decode (big, &n);

  g_assert_cmpuint (silent->len, ==, in->len);
  g_assert_cmpfloat (rms_db (quiet_pcm, RATE + RATE / 4, 2 * RATE), <, -80);
  const double step = rms_db (loud_pcm, RATE, 2 * RATE) - rms_db (plain, RATE, 2 * RATE);
  g_assert_cmpfloat (fabs (step - 20 * log10 (1.5)), <, 0.5);
}

/* 3 dB less after a second. */
static double
softer (guint i)
{
  return i < 50 ? 1.0 : pow (10, -3 / 20.0);
}

/* Nobody notices: half a decibel a second, not at once. */
static void
test_gain_moves_gently (void)
{
  g_autoptr (GPtrArray) in = make_packets (10);
  g_autoptr (GPtrArray) out = apply_all (in, softer, 0.5, without_limit);
  gsize n, m;
  g_autofree float *plain = decode (in, &n);
  g_autofree float *got = decode (out, &m);
  double before = 0;

  g_assert_cmpuint (out->len, ==, in->len);
  for (guint s = 0; s < 10; s++) {
    const double here =
        rms_db (got, s * RATE, (s + 1) * RATE) - rms_db (plain, s * RATE, (s + 1) * RATE);
    g_test_message ("second %u: %+.2f dB", s, here);
    g_assert_cmpfloat (fabs (here - before), <, 0.6);
    before = here;
  }
  g_assert_cmpfloat (fabs (before + 3), <, 0.1);
  g_assert_cmpfloat (roughness (got, 0, m), <, 1.2 * roughness (plain, 0, n));
}

static double
restless (guint i)
{
  static const double volumes[] = {1.0, 0.3, 1.0, 1.0, 1.5, 0.0, 1.0};

  return volumes[(i * i / 3) % G_N_ELEMENTS (volumes)];
}

static void
test_gain_loses_no_packet (void)
{
  g_autoptr (GPtrArray) in = make_packets (4);

  for (guint cut = 1; cut <= in->len; cut += 7) {
    g_autoptr (GPtrArray) some = packets_new ();
    for (guint i = 0; i < cut; i++)
      g_ptr_array_add (some, g_bytes_ref (in->pdata[i]));
    g_autoptr (GPtrArray) out = apply (some, restless);
    g_assert_cmpuint (out->len, ==, cut);
  }
}

#define LIMIT_BPS 48000
#define LIMIT_FROM 50
#define LIMIT_UP_TO 100

static double
full (guint i)
{
  return 1.0;
}

static guint
in_the_middle (guint i)
{
  return i >= LIMIT_FROM && i < LIMIT_UP_TO ? LIMIT_BPS : 0;
}

/* Every packet within the limit has its size, every other one passes, and the music stays where it
 * was. */
static void
test_gain_limit (void)
{
  g_autoptr (GPtrArray) in = make_packets (3);
  g_autoptr (GPtrArray) out = apply_all (in, full, 0, in_the_middle);
  gsize n, m;
  g_autofree float *wanted = decode (in, &n);
  g_autofree float *got = decode (out, &m);

  g_assert_cmpuint (out->len, ==, in->len);
  for (guint i = 0; i < out->len; i++)
    if (i < LIMIT_FROM || i > LIMIT_UP_TO)
      g_assert_true (g_bytes_equal (in->pdata[i], out->pdata[i]));
    else if (i < LIMIT_UP_TO - 1)
      g_assert_cmpuint (g_bytes_get_size (out->pdata[i]), ==, LIMIT_BPS / 8 / 50);
  const gsize from = LIMIT_FROM * ENCORE_PACKET_SAMPLES, to = LIMIT_UP_TO * ENCORE_PACKET_SAMPLES;
  g_assert_cmpfloat (fabs (rms_db (got, from, to) - rms_db (wanted, from, to)), <, 1);
  g_assert_cmpfloat (snr_db (wanted, got, from, to), >, 6);
}

/* 48 kbit/s, then three seconds of much more, then 48 again. */
static GPtrArray *
make_loud_in_the_middle (void)
{
  GPtrArray *out = packets_new ();

  for (guint part = 0; part < 3; part++) {
    const gsize samples = (part == 0 ? 4 : part == 1 ? 3 : 9) * RATE;
    g_autofree float *music = make_music (samples);
    g_autoptr (GPtrArray) packets = encode (music, samples, ENCORE_PACKET_SAMPLES,
                                            OPUS_APPLICATION_AUDIO, part == 1 ? 192000 : 48000);
    for (guint i = 0; i < packets->len; i++)
      g_ptr_array_add (out, g_bytes_ref (packets->pdata[i]));
  }
  return out;
}

static guint
hundred (guint i)
{
  return 100000;
}

static guint
roomy (guint i)
{
  return 400000;
}

/* What keeps to the limit passes bit for bit, though nobody knows its rate beforehand; no 7.2 s,
 * which is what Mumble's servers look at, are 5 % more than it. */
static void
test_gain_limit_window (void)
{
  g_autoptr (GPtrArray) in = make_loud_in_the_middle ();
  g_autoptr (GPtrArray) out = apply_all (in, full, 0, hundred);
  g_autoptr (GPtrArray) same = apply_all (in, full, 0, roomy);
  gsize window = 0, was = 0, largest = 0, coded = 0;

  g_assert_cmpuint (out->len, ==, in->len);
  g_assert_cmpuint (same->len, ==, in->len);
  for (guint i = 0; i < out->len; i++) {
    const gboolean passed = g_bytes_equal (in->pdata[i], out->pdata[i]);
    g_assert_true (g_bytes_equal (in->pdata[i], same->pdata[i]));
    g_assert_true (passed || (i > 200 && i < out->len - 100));
    coded += !passed;
    window += g_bytes_get_size (out->pdata[i]);
    was += g_bytes_get_size (in->pdata[i]);
    if (i >= 360) {
      window -= g_bytes_get_size (out->pdata[i - 360]);
      was -= g_bytes_get_size (in->pdata[i - 360]);
      largest = MAX (largest, was);
      g_assert_cmpuint (window, <=, 1.05 * 100000 / 8 * 7.2);
    }
  }
  g_test_message ("%" G_GSIZE_FORMAT " packets coded, of 7.2 s up to %" G_GSIZE_FORMAT " bytes",
                  coded, largest);
  g_assert_cmpuint (largest, >, 1.05 * 100000 / 8 * 7.2);
  g_assert_cmpuint (coded, >, 100);
}

/* ---- crossfade */

static void
add_packet (GPtrArray *out, GBytes *packet)
{
  if (packet != NULL)
    g_ptr_array_add (out, packet);
}

/* A song into itself, a second further on: the level stays within 4 dB. */
static void
test_cross_level (void)
{
  const guint first = 50, n = 50;
  g_autofree float *music = make_music (4 * RATE);
  g_autoptr (GPtrArray) song =
      encode (music, 4 * RATE, ENCORE_PACKET_SAMPLES, OPUS_APPLICATION_AUDIO, 128000);
  g_autoptr (GPtrArray) out = packets_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (EncoreCross) cross = encore_cross_new (n, &error);
  gsize len, samples;

  for (guint i = 0; i < first; i++)
    g_ptr_array_add (out, g_bytes_ref (song->pdata[i]));
  for (guint i = first - ENCORE_CROSS_WARM; i < first; i++) {
    const guint8 *data = g_bytes_get_data (song->pdata[i], &len);
    encore_cross_warm (cross, data, len);
  }
  for (guint i = 0; i <= n; i++) {
    const guint8 *data = g_bytes_get_data (song->pdata[i], &len);
    add_packet (out,
                encore_cross_push (cross, i < n ? song->pdata[first + i] : NULL, data, len, 0));
  }
  g_assert_true (encore_cross_is_over (cross));
  g_assert_cmpuint (out->len, ==, first + n);
  for (guint i = n; i < 2 * n; i++)
    g_ptr_array_add (out, g_bytes_ref (song->pdata[i]));
  g_autofree float *pcm = decode (out, &samples);
  const double before = rms_db (pcm, RATE / 2, RATE);
  for (gsize at = RATE; at < 2 * RATE; at += RATE / 10) {
    g_test_message ("%+.1f dB", rms_db (pcm, at, at + RATE / 10) - before);
    g_assert_cmpfloat (fabs (rms_db (pcm, at, at + RATE / 10) - before), <, 4.0);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/packets/regroup-is-lossless", test_regroup_lossless);
  g_test_add_func ("/packets/regroup-of-long-silk-frames", test_regroup_silk);
  g_test_add_func ("/packets/regroup-over-a-change-of-mode", test_regroup_change_of_mode);
  g_test_add_func ("/packets/regroup-refuses-garbage", test_regroup_garbage);
  g_test_add_func ("/packets/gain-level-and-place", test_gain_level_and_place);
  g_test_add_func ("/packets/gain-switches-without-click", test_gain_switches_without_click);
  g_test_add_func ("/packets/gain-from-silence-to-its-maximum", test_gain_extremes);
  g_test_add_func ("/packets/gain-moves-gently", test_gain_moves_gently);
  g_test_add_func ("/packets/gain-loses-no-packet", test_gain_loses_no_packet);
  g_test_add_func ("/packets/gain-keeps-to-a-limit", test_gain_limit);
  g_test_add_func ("/packets/gain-passes-what-keeps-to-a-limit", test_gain_limit_window);
  g_test_add_func ("/packets/crossfade-level", test_cross_level);
  return g_test_run ();
}
