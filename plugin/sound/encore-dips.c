/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "sound/encore-dips.h"

#include <math.h>
#include <string.h>

#include "sound/encore-peak.h"

#define CHANNELS 2

/* The ring up to border LAST; what is new there is not turned down. */
static void
reach (EncoreDips *self, gint64 last)
{
  for (; self->end <= last; self->end++)
    self->depth_db[self->end % ENCORE_DIPS_RING] = 0;
}

static float *
at_border (EncoreDips *self, gint64 border)
{
  return &self->depth_db[border % ENCORE_DIPS_RING];
}

/* How much of a dip is left X of its way, 0 to 1, from the peak. */
static double
slope (double x)
{
  return 0.5 * (1 + cos (G_PI * x));
}

void
encore_dips_add (EncoreDips *self, gint64 block, double depth_db)
{
  const gint64 first = MAX (block - ENCORE_DIPS_DOWN, self->n_fixed),
               last = block + 1 + ENCORE_DIPS_UP;

  reach (self, last);
  if (!isfinite (depth_db)) /* samples that are no numbers: they are not for us to mend */
    return;
  for (gint64 border = first; border <= last; border++) {
    const double share = border < block       ? slope ((double) (block - border) / ENCORE_DIPS_DOWN)
                         : border > block + 1 ? slope ((border - block - 1.0) / ENCORE_DIPS_UP)
                                              : 1;
    float *depth = at_border (self, border);
    *depth = MAX (*depth, (float) (depth_db * share));
  }
}

double
encore_dips_get_db (EncoreDips *self, gint64 block)
{
  reach (self, block + 1);
  return MIN (*at_border (self, block), *at_border (self, block + 1));
}

gboolean
encore_dips_apply (EncoreDips *self, gint64 first, guint n, const float *in, float *out)
{
  gboolean any = FALSE;

  reach (self, first + n);
  for (guint i = 0; i < n; i++) {
    const gsize at = (gsize) i * ENCORE_DIPS_BLOCK * CHANNELS;
    const float left_db = *at_border (self, first + i), right_db = *at_border (self, first + i + 1);
    if (left_db == 0 && right_db == 0) {
      memcpy (out + at, in + at, ENCORE_DIPS_BLOCK * CHANNELS * sizeof *in);
      continue;
    }
    const float left = encore_peak_linear (-left_db), right = encore_peak_linear (-right_db);
    for (gsize j = 0; j < ENCORE_DIPS_BLOCK * CHANNELS; j++)
      out[at + j] = in[at + j] * (left + (right - left) * (j / CHANNELS) / ENCORE_DIPS_BLOCK);
    any = TRUE;
  }
  return any;
}
