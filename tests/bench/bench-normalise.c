/* SPDX-License-Identifier: LGPL-2.1-or-later
 * CPU time of bringing a song of four minutes to one loudness as Opus, in a process of its own;
 * beside it the two ways that ffmpeg has, which decode twice. */
#include "config.h"
#include "bench.h"

#include <glib/gstdio.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sound/encore-normalise.h"

static const BenchFigure FIGURES[] = {
    {.name = "normalise",
     .unit = "s",
     .decimals = 2,
     .goal = NAN,
     .times = 3,
     .peer = "ffmpeg loudnorm, two passes",
     .means = "CPU of four minutes: decoded, measured, gain, Opus of 128 kbit/s"},
    {.name = "normalise-scan",
     .unit = "s",
     .decimals = 2,
     .goal = NAN,
     .times = 1,
     .peer = "ffmpeg ebur128 with true peak, then volume",
     .means = "the same beside the cheaper way, which knows no limit of the peaks"},
    {.name = "normalise-off",
     .unit = "LU",
     .decimals = 2,
     .goal = 0.5,
     .times = NAN,
     .means = "how far the result is from -16 LUFS by ffmpeg's ebur128"},
};

#define TARGET_LUFS (-16.0)

int
bench_normalise_one (const char *source, const char *opus)
{
  const EncoreNormaliseOptions options = {
      .loudness_lufs = TARGET_LUFS, .true_peak_dbtp = -1.5, .bitrate_bps = 128000};
  const char *const comments[] = {NULL};
  g_autoptr (GError) error = NULL;
  EncoreNormalised out;

  if (!encore_normalise (source, opus, comments, &options, NULL, &out, &error))
    g_printerr ("encore-bench: %s: %s\n", source, error->message);
  else if (out.remuxed)
    g_printerr ("encore-bench: %s has that loudness already\n", source);
  return error != NULL || out.remuxed ? 1 : 0;
}

/* Adds its CPU time. */
static gboolean
run_ffmpeg (Bench *self, const char *source, const char *filter, const char *opus, char **text,
            double *cpu_s, GError **error)
{
  g_autofree char *log = g_build_filename (self->dir, "ffmpeg.log", NULL);
  g_autofree char *script = g_strdup_printf (
      "exec \"$0\" -nostdin -hide_banner -y -threads 1 -i \"$1\" -af \"$2\" %s 2>\"$4\"",
      opus != NULL ? "-threads 1 -c:a libopus -b:a 128k -f opus \"$3\"" : "-f null -");
  const char *const argv[] = {
      "sh", "-c", script, self->ffmpeg, source, filter, opus != NULL ? opus : "", log, NULL};
  const pid_t pid = bench_spawn (argv, -1, error);
  double used_s;

  if (pid == 0 || !bench_reap (pid, &used_s, error))
    return FALSE;
  *cpu_s += used_s;
  return text == NULL || g_file_get_contents (log, text, NULL, error);
}

/* The number behind the last KEY of TEXT. */
static double
number_after (const char *text, const char *key)
{
  const char *at = g_strrstr (text, key);

  return at != NULL ? g_ascii_strtod (at + strlen (key) + strspn (at + strlen (key), " \":"), NULL)
                    : NAN;
}

static gboolean
run_loudnorm (Bench *self, const char *source, const char *opus, double *cpu_s, GError **error)
{
  g_autofree char *text = NULL;

  if (!run_ffmpeg (self, source, "loudnorm=I=-16:TP=-1.5:print_format=json", NULL, &text, cpu_s,
                   error))
    return FALSE;
  g_autofree char *filter = g_strdup_printf (
      "loudnorm=I=-16:TP=-1.5:linear=true:measured_I=%.2f:measured_TP=%.2f:measured_LRA=%.2f:"
      "measured_thresh=%.2f:offset=%.2f",
      number_after (text, "\"input_i\""), number_after (text, "\"input_tp\""),
      number_after (text, "\"input_lra\""), number_after (text, "\"input_thresh\""),
      number_after (text, "\"target_offset\""));
  return run_ffmpeg (self, source, filter, opus, NULL, cpu_s, error);
}

static gboolean
scan (Bench *self, const char *source, double *lufs, double *cpu_s, GError **error)
{
  g_autofree char *text = NULL;

  if (!run_ffmpeg (self, source, "ebur128=peak=true", NULL, &text, cpu_s, error))
    return FALSE;
  *lufs = number_after (text, "    I:");
  return TRUE;
}

static gboolean
run_scan (Bench *self, const char *source, const char *opus, double *cpu_s, GError **error)
{
  double lufs;

  if (!scan (self, source, &lufs, cpu_s, error))
    return FALSE;
  g_autofree char *filter = g_strdup_printf ("volume=%.2fdB", TARGET_LUFS - lufs);
  return run_ffmpeg (self, source, filter, opus, NULL, cpu_s, error);
}

static gboolean
run_ours (Bench *self, const char *source, const char *opus, double *cpu_s, GError **error)
{
  const char *const argv[] = {"/proc/self/exe", "--normalise", source, opus, NULL};
  g_autofree char *program = g_file_read_link (argv[0], error);
  const char *const with_name[] = {program, argv[1], argv[2], argv[3], NULL};
  const pid_t pid = program != NULL ? bench_spawn (with_name, -1, error) : 0;

  return pid != 0 && bench_reap (pid, cpu_s, error);
}

static gboolean
run_round (Bench *self, const char *source, BenchRow **rows, GError **error)
{
  g_autofree char *opus = g_build_filename (self->dir, "normalised.opus", NULL);
  double ours_s = 0, loudnorm_s = 0, scan_s = 0, lufs, unused_s = 0;

  g_unlink (opus);
  if (!run_ours (self, source, opus, &ours_s, error) ||
      !scan (self, opus, &lufs, &unused_s, error) ||
      !run_loudnorm (self, source, opus, &loudnorm_s, error) ||
      !run_scan (self, source, opus, &scan_s, error))
    return FALSE;
  bench_row_add (rows[0], TRUE, ours_s);
  bench_row_add (rows[1], TRUE, ours_s);
  bench_row_add (rows[0], FALSE, loudnorm_s);
  bench_row_add (rows[1], FALSE, scan_s);
  bench_row_add (rows[2], TRUE, fabs (lufs - TARGET_LUFS));
  return TRUE;
}

static gboolean
run (Bench *self, BenchRow **rows, GError **error)
{
  for (guint i = 0; i < self->rounds; i++) {
    g_autofree char *source = g_build_filename (self->dir, "source.opus", NULL);
    if (!bench_compose (self, i, self->quick ? 4 : 240, source, error) ||
        !run_round (self, source, rows, error))
      return FALSE;
    g_unlink (source);
  }
  return TRUE;
}

void
bench_normalise (Bench *self)
{
  bench_measure (self, FIGURES, G_N_ELEMENTS (FIGURES), TRUE, run);
}
