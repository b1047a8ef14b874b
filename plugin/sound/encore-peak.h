/* SPDX-License-Identifier: LGPL-2.1-or-later
 * True peaks (ITU-R BS.1770-4 annex 2), interpolated by libebur128 where a peak may matter and
 * nowhere else.  Private to sound. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define ENCORE_PEAK_CONTEXT 24 /* frames: what the interpolator knows of the past */

typedef struct EncorePeak EncorePeak;

/* encore_peak_new: a meter of 48 kHz stereo.  Returns: (transfer full): free with
 * encore_peak_free().  Threads: one at a time. */
EncorePeak *encore_peak_new (void);
void encore_peak_free (EncorePeak *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncorePeak, encore_peak_free)

/* encore_peak_above: the true peak, linear, of the N interleaved frames at SAMPLES; 0 when it
 * cannot be more than LEAST.  ENCORE_PEAK_CONTEXT frames before SAMPLES must be readable: they are
 * what was heard before, else silence.  Keeps nothing from one call to the next. */
double encore_peak_above (EncorePeak *self, const float *samples, gsize n, double least);

/* encore_peak_db: dBTP of LINEAR, -HUGE_VAL for none; encore_peak_linear: back again. */
double encore_peak_db (double linear);
double encore_peak_linear (double db);

G_END_DECLS
