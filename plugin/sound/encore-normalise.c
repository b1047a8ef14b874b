/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Two passes over the decoded song: measure (ITU-R BS.1770, EBU R128), then one gain and Opus, for
 * the gain is known only at the end.  Between them a song is kept as PCM, an hour is not.  When the
 * gain is hardly heard and the packets are right already, they are kept instead.  Where the
 * peaks come near the ceiling they are kept below it one by one. */
#include "config.h"
#include "sound/encore-normalise.h"

#include <ebur128.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/encore-ogg.h"
#include "sound/encore-decode.h"
#include "sound/encore-encode.h"
#include "sound/encore-opus-file.h"
#include "sound/encore-peak.h"
#include "sound/encore-remux.h"

#define REMUXED_TAG "ENCORE_REMUXED"
#define HEADROOM_DB 0.2 /* by which the coder usually raises the peaks */
#define OVERSHOOT_DB 4  /* no more is expected of it */
#define LIMIT_DB 6      /* by which single peaks are turned down at most: not heard as such */
#define REMUX_BELOW_DB 1

typedef struct {
  const char *source_path;
  EncorePcm *pcm;
  EncoreOpusFile *file;
  const char *const *comments;
  const EncoreNormaliseOptions *options;
  GCancellable *cancellable;
  gint64 frames;
} Work;

/* ---- measure */

#define CHANNELS ENCORE_DECODE_CHANNELS
#define CONTEXT (ENCORE_PEAK_CONTEXT * CHANNELS)
#define CHUNK 240 /* frames: where they are all low no peak is looked for */

typedef struct {
  ebur128_state *loudness;
  EncorePeak *meter;
  EncorePcm *pcm;
  double peak;
  float recent[CONTEXT + CHUNK * CHANNELS]; /* those before, and those of a chunk */
  gsize filled;                             /* frames of the chunk */
} Measure;

static void
end_chunk (Measure *self)
{
  const double peak =
      encore_peak_above (self->meter, self->recent + CONTEXT, self->filled, self->peak);

  self->peak = MAX (self->peak, peak);
  memmove (self->recent, self->recent + self->filled * CHANNELS, CONTEXT * sizeof (float));
  self->filled = 0;
}

static gboolean
measure_block (const float *samples, gsize frames, gpointer data, GError **error)
{
  Measure *self = data;

  if (ebur128_add_frames_float (self->loudness, samples, frames) != EBUR128_SUCCESS) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_FAILED, "loudness cannot be measured");
    return FALSE;
  }
  encore_pcm_add (self->pcm, samples, frames);
  while (frames > 0) {
    const gsize n = MIN (frames, CHUNK - self->filled);
    memcpy (self->recent + CONTEXT + self->filled * CHANNELS, samples,
            n * CHANNELS * sizeof *samples);
    self->filled += n;
    samples += n * CHANNELS;
    frames -= n;
    if (self->filled == CHUNK)
      end_chunk (self);
  }
  return TRUE;
}

static gboolean
measure (Work *work, EncoreNormalised *out, GError **error)
{
  g_autofree Measure *self = g_new0 (Measure, 1);

  self->loudness =
      ebur128_init (CHANNELS, ENCORE_OPUS_RATE_HZ, EBUR128_MODE_I | EBUR128_MODE_HISTOGRAM);
  self->meter = encore_peak_new ();
  self->pcm = work->pcm;
  const gboolean ok = encore_decode (work->source_path, work->cancellable, measure_block, self,
                                     &work->frames, error);
  if (ok) {
    ebur128_loudness_global (self->loudness, &out->loudness_lufs);
    end_chunk (self);
    out->true_peak_dbtp = encore_peak_db (self->peak);
  }
  ebur128_destroy (&self->loudness);
  encore_peak_free (self->meter);
  return ok;
}

/* To the target, unless the peaks would then be more than LIMIT_DB above the ceiling: such a song
 * stays quieter than the target.  Silence stays silence. */
static double
choose_gain (const EncoreNormalised *measured, const EncoreNormaliseOptions *options,
             double limit_db)
{
  if (!isfinite (measured->loudness_lufs) || !isfinite (measured->true_peak_dbtp))
    return 0;
  return MIN (options->loudness_lufs - measured->loudness_lufs,
              options->true_peak_dbtp - HEADROOM_DB + limit_db - measured->true_peak_dbtp);
}

/* ---- write */

static void
add_decibels (GPtrArray *comments, const char *key, double value)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  g_ascii_formatd (number, sizeof number, "%.2f", value);
  g_ptr_array_add (comments, g_strconcat (key, "=", number, NULL));
}

/* The caller's comments and what we measured; R128_TRACK_GAIN is Q7.8 dB to -23 LUFS of the song
 * with its gain (RFC 7845 section 5.2.1), before peaks are turned down. */
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
encode (Work *work, EncoreNormalised *out, GError **error)
{
  g_autoptr (EncoreOggWriter) writer = encore_ogg_writer_new (encore_opus_file_write, work->file);
  g_auto (GStrv) comments = all_comments (work->comments, out);
  const double ceiling_dbtp = work->options->true_peak_dbtp;
  const EncoreEncodeSpec spec = {.bitrate_bps = work->options->bitrate_bps,
                                 .gain_db = out->gain_db,
                                 .frames = work->frames,
                                 .pcm = work->pcm,
                                 .limited = out->true_peak_dbtp + out->gain_db >
                                            ceiling_dbtp - OVERSHOOT_DB,
                                 .ceiling_dbtp = ceiling_dbtp};
  EncoreEncoded encoded;

  if (!encore_opus_file_start_over (work->file, error) ||
      !encore_encode (work->source_path, &spec, writer, (const char *const *) comments,
                      work->cancellable, &encoded, error))
    return FALSE;
  if (encoded.true_peak_dbtp > ceiling_dbtp)
    g_debug ("fetch: a peak of %.2f dBTP stays", encoded.true_peak_dbtp);
  out->max_packet_bytes = encoded.max_packet_bytes;
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
  /* kept packets cannot be turned down */
  if (fabs (choose_gain (out, work->options, 0)) < REMUX_BELOW_DB) {
    const EncoreRemuxResult result = remux (work, out, error);
    if (result != ENCORE_REMUX_UNFIT)
      return result == ENCORE_REMUX_DONE;
  }
  out->gain_db = choose_gain (out, work->options, LIMIT_DB);
  return encode (work, out, error);
}

static gboolean
write_file (Work *work, const char *opus_path, EncoreNormalised *out, GError **error)
{
  work->file = encore_opus_file_new (opus_path, error);
  if (work->file == NULL)
    return FALSE;
  const gboolean ok = write_opus (work, out, error);
  out->opus_bytes = encore_opus_file_close (work->file);
  if (!ok)
    unlink (opus_path);
  return ok;
}

static gboolean
normalise (const char *source_path, const char *opus_path, const char *const *comments,
           const EncoreNormaliseOptions *options, GCancellable *cancellable, EncoreNormalised *out,
           GError **error)
{
  g_autofree char *dir = g_path_get_dirname (opus_path);
  Work work = {.source_path = source_path,
               .comments = comments,
               .options = options,
               .cancellable = cancellable,
               .pcm = encore_pcm_new (dir, options->min_free_bytes)};

  memset (out, 0, sizeof *out);
  gboolean ok = measure (&work, out, error);
  out->duration_ms = work.frames * 1000 / ENCORE_OPUS_RATE_HZ;
  ok = ok && write_file (&work, opus_path, out, error);
  encore_pcm_free (work.pcm);
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
