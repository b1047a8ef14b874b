/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Passes over the decoded song: measure (ITU-R BS.1770, EBU R128), then one gain and Opus.  Two,
 * since an hour of PCM does not belong in memory and the gain is known only at the end.  When the
 * gain is hardly heard and the packets are right already, they are kept instead.  Where the
 * peaks come near the ceiling the packets are listened to: the coder raises peaks a little, and
 * then it is done again with so much less gain. */
#include "config.h"
#include "fetch/encore-normalise.h"

#include <ebur128.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/encore-ogg.h"
#include "fetch/encore-decode.h"
#include "fetch/encore-encode.h"
#include "fetch/encore-opus-file.h"
#include "fetch/encore-remux.h"

#define REMUXED_TAG "ENCORE_REMUXED"
#define HEADROOM_DB 0.2 /* by which the coder usually raises the peaks */
#define OVERSHOOT_DB 3  /* no more is expected of it */
#define ROUNDS 5        /* of encoding: hardly ever is more than one needed */
#define TOLERANCE_DB 0.05
#define REMUX_BELOW_DB 1
#define STEP_DB 0.1 /* what a coder does to a peak changes with every gain: growing steps */

/* ---- measure */

static gboolean
measure_block (const float *samples, gsize frames, gpointer data, GError **error)
{
  if (ebur128_add_frames_float (data, samples, frames) == EBUR128_SUCCESS)
    return TRUE;
  g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_FAILED, "loudness cannot be measured");
  return FALSE;
}

static double
to_db (double linear)
{
  return linear > 0 ? 20 * log10 (linear) : -HUGE_VAL;
}

static gboolean
measure (const char *path, GCancellable *cancellable, EncoreNormalised *out, gint64 *frames,
         GError **error)
{
  ebur128_state *state =
      ebur128_init (ENCORE_DECODE_CHANNELS, ENCORE_OPUS_RATE_HZ,
                    EBUR128_MODE_I | EBUR128_MODE_TRUE_PEAK | EBUR128_MODE_HISTOGRAM);
  double peak = 0;

  const gboolean ok = encore_decode (path, cancellable, measure_block, state, frames, error);
  if (ok) {
    ebur128_loudness_global (state, &out->loudness_lufs);
    for (guint channel = 0; channel < ENCORE_DECODE_CHANNELS; channel++) {
      double one = 0;
      ebur128_true_peak (state, channel, &one);
      peak = MAX (peak, one);
    }
    out->true_peak_dbtp = to_db (peak);
  }
  ebur128_destroy (&state);
  return ok;
}

/* No limiter: a quiet song with high peaks stays quieter than the target.  Silence stays silence.
 */
static double
choose_gain (const EncoreNormalised *measured, const EncoreNormaliseOptions *options)
{
  if (!isfinite (measured->loudness_lufs) || !isfinite (measured->true_peak_dbtp))
    return 0;
  return MIN (options->loudness_lufs - measured->loudness_lufs,
              options->true_peak_dbtp - HEADROOM_DB - measured->true_peak_dbtp);
}

/* ---- write */

typedef struct {
  const char *source_path;
  EncoreOpusFile *file;
  const char *const *comments;
  const EncoreNormaliseOptions *options;
  GCancellable *cancellable;
  gint64 frames;
} Work;

static void
add_decibels (GPtrArray *comments, const char *key, double value)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  g_ascii_formatd (number, sizeof number, "%.2f", value);
  g_ptr_array_add (comments, g_strconcat (key, "=", number, NULL));
}

/* The caller's comments and what we measured; R128_TRACK_GAIN is Q7.8 dB to -23 LUFS of what is in
 * the file now (RFC 7845 section 5.2.1). */
static char **
all_comments (const char *const *comments, const EncoreNormalised *m)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (g_free);

  for (; *comments != NULL; comments++)
    g_ptr_array_add (all, g_strdup (*comments));
  if (isfinite (m->loudness_lufs)) {
    add_decibels (all, "ENCORE_LUFS", m->loudness_lufs);
    add_decibels (all, "ENCORE_PEAK", m->true_peak_dbtp);
    g_ptr_array_add (all,
                     g_strdup_printf ("R128_TRACK_GAIN=%d",
                                      (int) lrint (256 * (-23 - m->loudness_lufs - m->gain_db))));
  }
  add_decibels (all, "ENCORE_GAIN", m->gain_db);
  if (m->remuxed)
    g_ptr_array_add (all, g_strdup (REMUXED_TAG "=1"));
  g_ptr_array_add (all, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&all), FALSE);
}

static gboolean
encode (Work *work, gboolean meter, EncoreNormalised *out, double *peak_dbtp, GError **error)
{
  g_autoptr (EncoreOggWriter) writer = encore_ogg_writer_new (encore_opus_file_write, work->file);
  g_auto (GStrv) comments = all_comments (work->comments, out);
  const EncoreEncodeSpec spec = {.bitrate_bps = work->options->bitrate_bps,
                                 .gain_db = out->gain_db,
                                 .frames = work->frames,
                                 .meter = meter};
  EncoreEncoded encoded;

  if (!encore_opus_file_start_over (work->file, error) ||
      !encore_encode (work->source_path, &spec, writer, (const char *const *) comments,
                      work->cancellable, &encoded, error))
    return FALSE;
  out->max_packet_bytes = encoded.max_packet_bytes;
  *peak_dbtp = encoded.true_peak_dbtp;
  return TRUE;
}

static gboolean
encode_below_ceiling (Work *work, EncoreNormalised *out, GError **error)
{
  const double ceiling_dbtp = work->options->true_peak_dbtp;
  const gboolean meter = out->true_peak_dbtp + out->gain_db > ceiling_dbtp - OVERSHOOT_DB;
  double peak_dbtp;

  for (int round = 0; round < ROUNDS; round++) {
    if (!encode (work, meter, out, &peak_dbtp, error))
      return FALSE;
    if (peak_dbtp <= ceiling_dbtp + TOLERANCE_DB)
      return TRUE;
    g_debug ("fetch: a peak of %.2f dBTP after encoding with %.2f dB", peak_dbtp, out->gain_db);
    if (round + 1 < ROUNDS)
      out->gain_db -= peak_dbtp - ceiling_dbtp + STEP_DB * (round + 1);
  }
  return TRUE;
}

/* *OUT with gain 0, when the packets can stay as they are. */
static EncoreRemuxResult
remux (Work *work, EncoreNormalised *out, GError **error)
{
  g_autoptr (EncoreOggWriter) writer = encore_ogg_writer_new (encore_opus_file_write, work->file);
  EncoreNormalised kept = *out;
  const EncoreRemuxSpec spec = {.frames = work->frames,
                                .max_bitrate_bps = work->options->bitrate_bps / 2 * 3};
  const char *why;

  kept.gain_db = 0;
  kept.remuxed = TRUE;
  g_auto (GStrv) comments = all_comments (work->comments, &kept);
  const EncoreRemuxResult result =
      encore_remux (work->source_path, &spec, writer, (const char *const *) comments,
                    work->cancellable, &kept.max_packet_bytes, &why, error);
  if (result == ENCORE_REMUX_DONE)
    *out = kept;
  else if (result == ENCORE_REMUX_UNFIT)
    g_debug ("fetch: encoded although it is loud enough: %s", why);
  return result;
}

static gboolean
write_opus (Work *work, EncoreNormalised *out, GError **error)
{
  if (fabs (out->gain_db) < REMUX_BELOW_DB) {
    const EncoreRemuxResult result = remux (work, out, error);
    if (result != ENCORE_REMUX_UNFIT)
      return result == ENCORE_REMUX_DONE;
  }
  return encode_below_ceiling (work, out, error);
}

static gboolean
normalise (const char *source_path, const char *opus_path, const char *const *comments,
           const EncoreNormaliseOptions *options, GCancellable *cancellable, EncoreNormalised *out,
           GError **error)
{
  Work work = {.source_path = source_path,
               .comments = comments,
               .options = options,
               .cancellable = cancellable};

  memset (out, 0, sizeof *out);
  if (!measure (source_path, cancellable, out, &work.frames, error))
    return FALSE;
  out->gain_db = choose_gain (out, options);
  out->duration_ms = work.frames * 1000 / ENCORE_OPUS_RATE_HZ;

  work.file = encore_opus_file_new (opus_path, error);
  if (work.file == NULL)
    return FALSE;
  const gboolean ok = write_opus (&work, out, error);
  out->opus_bytes = encore_opus_file_close (work.file);
  if (!ok)
    unlink (opus_path);
  return ok;
}

/* ---- the deadline */

/* Stops the work when its time is over: all of its passes look at the cancellable. */
typedef struct {
  GMutex mutex;
  GCond cond;
  gint64 deadline_us;
  gboolean done, late; /* under the mutex */
  GCancellable *stop;
} Clock;

static gpointer
watch_clock (gpointer data)
{
  Clock *self = data;

  g_mutex_lock (&self->mutex);
  while (!self->done && !self->late)
    self->late = !g_cond_wait_until (&self->cond, &self->mutex, self->deadline_us);
  g_mutex_unlock (&self->mutex);
  if (self->late)
    g_cancellable_cancel (self->stop);
  return NULL;
}

static void
pass_on (GCancellable *cancellable, gpointer stop)
{
  g_cancellable_cancel (stop);
}

gboolean
encore_normalise (const char *source_path, const char *opus_path, const char *const *comments,
                  const EncoreNormaliseOptions *options, GCancellable *cancellable,
                  EncoreNormalised *out, GError **error)
{
  g_autoptr (GCancellable) stop = g_cancellable_new ();
  Clock clock = {.deadline_us = options->deadline_us, .stop = stop};
  g_autoptr (GError) local = NULL;
  gulong handler = 0;

  if (options->deadline_us == 0)
    return normalise (source_path, opus_path, comments, options, cancellable, out, error);
  g_mutex_init (&clock.mutex);
  g_cond_init (&clock.cond);
  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (pass_on), stop, NULL);
  GThread *thread = g_thread_new ("encore-clock", watch_clock, &clock);
  const gboolean ok = normalise (source_path, opus_path, comments, options, stop, out, &local);
  g_mutex_lock (&clock.mutex);
  clock.done = TRUE;
  g_cond_signal (&clock.cond);
  g_mutex_unlock (&clock.mutex);
  g_thread_join (thread);
  if (handler != 0)
    g_cancellable_disconnect (cancellable, handler);
  g_mutex_clear (&clock.mutex);
  g_cond_clear (&clock.cond);
  if (!ok && clock.late && !g_cancellable_is_cancelled (cancellable) &&
      g_error_matches (local, ENCORE_ERROR, ENCORE_ERROR_CANCELLED))
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_DEADLINE,
                         "the time for a fetch was over while it was decoded");
  else if (!ok)
    g_propagate_error (error, g_steal_pointer (&local));
  return ok;
}

gboolean
encore_normalise_was_remuxed (int fd)
{
  g_auto (EncoreOggSummary) summary = {0};

  return encore_ogg_summarise (fd, &summary, NULL) &&
         g_strcmp0 (encore_ogg_summary_get (&summary, REMUXED_TAG), "1") == 0;
}
