/* SPDX-License-Identifier: LGPL-2.1-or-later
 * From whatever was downloaded to what the cache keeps: EBU R128 loudness and true peak measured
 * (libebur128), one gain, Opus 48 kHz stereo in 20 ms packets, tags in the file.  The decode of the
 * whole song is also the proof that it is whole. */
#pragma once

#include <gio/gio.h>

#include "base/encore-error.h"

G_BEGIN_DECLS

typedef struct {
  double loudness_lufs;  /* target, e.g. -16 */
  double true_peak_dbtp; /* ceiling, e.g. -1.5 */
  int bitrate_bps;
  gint64 deadline_us;    /* of g_get_monotonic_time(), 0: none */
  gint64 min_free_bytes; /* of the disk: what it works with does not go below it */
} EncoreNormaliseOptions;

typedef struct {
  gint64 duration_ms;   /* decoded, not announced */
  double loudness_lufs; /* integrated, of the source; -HUGE_VAL for silence */
  double true_peak_dbtp;
  double gain_db;   /* applied: target - loudness, less where peaks would pass the ceiling by more
                       than 6 dB; up to these they are turned down for a moment; 0 when remuxed */
  gboolean remuxed; /* stereo Opus, not over half more than BITRATE_BPS, and |gain| < 1 dB: packets
                       kept as they were, split or joined to 20 ms where need be */
  guint max_packet_bytes;
  gint64 opus_bytes;
} EncoreNormalised;

/* encore_normalise: reads SOURCE_PATH, writes OPUS_PATH (O_EXCL, not synced).
 * @comments: NULL-terminated "KEY=value"; ENCORE_LUFS, ENCORE_PEAK, ENCORE_GAIN, R128_TRACK_GAIN
 * and, if so, ENCORE_REMUXED are added.
 * Errors: NO_DECODER (names the missing GStreamer element), NO_AUDIO, CORRUPT, NO_SPACE, CANCELLED,
 * DEADLINE.
 * Threads: any worker; blocks; calls gst_init if need be. */
gboolean encore_normalise (const char *source_path, const char *opus_path,
                           const char *const *comments, const EncoreNormaliseOptions *options,
                           GCancellable *cancellable, EncoreNormalised *out, GError **error);

/* encore_normalise_was_remuxed: by what the comments of the Opus file FD say.  Reads a few pages.
 */
gboolean encore_normalise_was_remuxed (int fd);

G_END_DECLS
