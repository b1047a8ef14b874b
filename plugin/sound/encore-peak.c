/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "sound/encore-peak.h"

#include <ebur128.h>
#include <float.h>
#include <math.h>

#include "base/encore-ogg.h"
#include "sound/encore-decode.h"

#define CHANNELS ENCORE_DECODE_CHANNELS
/* Between samples no more than this times the largest of them can be found: the sum of the
 * magnitudes of the coefficients that a windowed sinc of 12 taps has half way (1.87), rounded up.
 */
#define BETWEEN_MAX 1.9

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

double
encore_peak_above (EncorePeak *self, const float *samples, gsize n, double least)
{
  const float *before = samples - ENCORE_PEAK_CONTEXT * CHANNELS;
  float largest = 0;
  double peak = 0;

  for (const float *at = before; at < samples + n * CHANNELS; at++)
    if (!(fabsf (*at) <= largest)) /* what is no number is large, too */
      largest = isfinite (*at) ? fabsf (*at) : FLT_MAX;
  if (largest * BETWEEN_MAX <= least)
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
