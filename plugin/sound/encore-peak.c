/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "sound/encore-peak.h"

#include <ebur128.h>
#include <math.h>
#include <string.h>

#include "base/encore-ogg.h"
#include "sound/encore-decode.h"

#define CHANNELS ENCORE_DECODE_CHANNELS
/* The interpolator is a sinc of 49 taps, four to a sample, in a Hann window (interp_create() of
 * libebur128). What it finds between two samples is a line between them times BETWEEN_LINE at most,
 * and second differences times coefficients whose magnitudes sum up to BETWEEN_BEND half way, where
 * they are largest: partial sums, twice over, of the taps without that line.  Both are rounded up.
 */
#define BETWEEN_LINE 1.001 /* 1.0009045 */
#define BETWEEN_BEND 0.302 /* 0.3012761 */

struct EncorePeak {
  ebur128_state *meter;
};

EncorePeak *
encore_peak_new (void)
{
  EncorePeak *self = g_new0 (EncorePeak, 1);

  self->meter = ebur128_init (CHANNELS, ENCORE_OPUS_RATE_HZ, EBUR128_MODE_TRUE_PEAK);
  return self;
}

void
encore_peak_free (EncorePeak *self)
{
  ebur128_destroy (&self->meter);
  g_free (self);
}

/* As bits, which for magnitudes are in the same order; what is no number comes last. */
static guint32
magnitude (float sample)
{
  guint32 bits;

  memcpy (&bits, &sample, sizeof bits);
  return bits & ~(1u << 31);
}

static double
from_magnitude (guint32 bits)
{
  float sample;

  memcpy (&sample, &bits, sizeof sample);
  return isfinite (sample) ? sample : HUGE_VAL;
}

/* What is between N frames does not exceed it. */
static double
bound (const float *samples, gsize n)
{
  guint32 largest = 0, bend = 0;

  for (gsize i = 0; i < 2 * CHANNELS; i++)
    largest = MAX (largest, magnitude (samples[i]));
  for (gsize i = 2 * CHANNELS; i < n * CHANNELS; i++) {
    const float *at = samples + i;
    largest = MAX (largest, magnitude (at[0]));
    bend = MAX (bend, magnitude (at[0] - 2 * at[-CHANNELS] + at[-2 * CHANNELS]));
  }
  return from_magnitude (largest) * BETWEEN_LINE + from_magnitude (bend) * BETWEEN_BEND;
}

double
encore_peak_above (EncorePeak *self, const float *samples, gsize n, double least)
{
  const float *before = samples - ENCORE_PEAK_CONTEXT * CHANNELS;
  double peak = 0;

  if (bound (before, ENCORE_PEAK_CONTEXT + n) <= least)
    return 0;
  ebur128_add_frames_float (self->meter, before, ENCORE_PEAK_CONTEXT);
  ebur128_add_frames_float (self->meter, samples, n);
  for (guint channel = 0; channel < CHANNELS; channel++) {
    double one = 0;
    ebur128_prev_true_peak (self->meter, channel, &one);
    peak = MAX (peak, one);
  }
  return peak;
}

double
encore_peak_db (double linear)
{
  return linear > 0 ? 20 * log10 (linear) : -HUGE_VAL;
}

double
encore_peak_linear (double db)
{
  return pow (10, db / 20);
}
