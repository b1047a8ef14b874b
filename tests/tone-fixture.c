/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Tones as packets, and what a listener's decoder makes of packets. */
#include "config.h"
#include "tone-fixture.h"

#include <math.h>
#include <opus.h>

#include "base/encore-ogg.h"

#define RATE ENCORE_OPUS_RATE_HZ
#define N ENCORE_PACKET_SAMPLES

GPtrArray *
tone_packets_new (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
}

GPtrArray *
tone_make_packets (guint n, double hz)
{
  int code;
  OpusEncoder *encoder = opus_encoder_create (RATE, 2, OPUS_APPLICATION_AUDIO, &code);
  GPtrArray *packets = tone_packets_new ();
  guint8 packet[4000];
  float pcm[N * 2];

  g_assert_cmpint (code, ==, OPUS_OK);
  opus_encoder_ctl (encoder, OPUS_SET_BITRATE (128000));
  for (guint i = 0; i < n; i++) {
    for (guint k = 0; k < N; k++) {
      const double t = (double) (i * N + k) / RATE;
      pcm[2 * k] = pcm[2 * k + 1] = 0.25 * sin (2 * G_PI * hz * t) +
                                    0.1 * sin (2 * G_PI * 2.5 * hz * t) +
                                    0.05 * sin (2 * G_PI * 8 * hz * t);
    }
    const int len = opus_encode_float (encoder, pcm, N, packet, sizeof packet);
    g_assert_cmpint (len, >, 0);
    g_ptr_array_add (packets, g_bytes_new (packet, len));
  }
  opus_encoder_destroy (encoder);
  return packets;
}

float *
tone_decode (const GPtrArray *packets)
{
  int code;
  OpusDecoder *decoder = opus_decoder_create (RATE, 1, &code);
  float *pcm = g_new0 (float, packets->len *N);

  for (guint i = 0; i < packets->len; i++) {
    gsize len = 0;
    const guint8 *data =
        packets->pdata[i] != NULL ? g_bytes_get_data (packets->pdata[i], &len) : NULL;
    g_assert_cmpint (opus_decode_float (decoder, data, len, pcm + i * N, N, 0), ==, N);
  }
  opus_decoder_destroy (decoder);
  return pcm;
}

double
tone_level_db (const float *pcm, gsize from, gsize n)
{
  double sum = 0;

  for (gsize i = from; i < from + n; i++)
    sum += (double) pcm[i] * pcm[i];
  return 10 * log10 (sum / n + 1e-20);
}

double
tone_roughness (const float *pcm, gsize from, gsize to)
{
  double peak = 0;

  for (gsize i = from + 4; i < to; i++)
    peak = MAX (
        peak, fabs (pcm[i] - 4.0 * pcm[i - 1] + 6.0 * pcm[i - 2] - 4.0 * pcm[i - 3] + pcm[i - 4]));
  return peak;
}
