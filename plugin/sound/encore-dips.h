/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Where music is turned down for a moment, around a peak: a raised cosine of 7.5 ms down to it and
 * one of 40 ms up again, in dB, so that nothing of it is heard.  Where two meet the deeper counts.
 * Private to sound. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define ENCORE_DIPS_BLOCK 120 /* frames of 48 kHz, 2.5 ms: between their borders it is linear */
#define ENCORE_DIPS_DOWN 3    /* blocks before that of the peak */
#define ENCORE_DIPS_UP 16     /* blocks behind it */
#define ENCORE_DIPS_RING 64   /* borders that are remembered */

/* All zero: nothing is turned down.  What lies more than ENCORE_DIPS_RING - ENCORE_DIPS_UP - 2
 * blocks behind the newest peak or block is forgotten. */
typedef struct {
  gint64 end;     /* border behind the last that is remembered */
  gint64 n_fixed; /* borders that stay as they are: the music before them is gone */
  float depth_db[ENCORE_DIPS_RING];
} EncoreDips;

/* encore_dips_add: all of block BLOCK by DEPTH_DB at least. */
void encore_dips_add (EncoreDips *self, gint64 block, double depth_db);

/* encore_dips_get_db: how far block BLOCK is turned down where it is least. */
double encore_dips_get_db (EncoreDips *self, gint64 block);

/* encore_dips_apply: N blocks of interleaved stereo from block FIRST on, from IN to OUT.  Returns:
 * FALSE when nothing was turned down. */
gboolean encore_dips_apply (EncoreDips *self, gint64 first, guint n, const float *in, float *out);

G_END_DECLS
