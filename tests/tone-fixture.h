/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Tones as packets, and what a listener's decoder makes of packets. */
#pragma once

#include <glib.h>

/* (transfer full): of GBytes */
GPtrArray *tone_packets_new (void);
/* tone_make_packets: N of 20 ms: three tones that go on and on, of whole periods in 10 ms where HZ
 * is a multiple of 200. */
GPtrArray *tone_make_packets (guint n, double hz);
/* tone_decode: (transfer full): mono, 48 kHz; NULL among PACKETS: lost. */
float *tone_decode (const GPtrArray *packets);
double tone_level_db (const float *pcm, gsize from, gsize n);
/* tone_roughness: peak of the fourth difference: a click stands out of the music before it. */
double tone_roughness (const float *pcm, gsize from, gsize to);
