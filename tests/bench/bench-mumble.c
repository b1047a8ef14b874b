/* SPDX-License-Identifier: LGPL-2.1-or-later
 * encore-bot on a real Mumble server: how soon a song of the cache is heard by another client, and
 * what the bot takes of a processor for a room. */
#include "config.h"
#include "bench.h"

#include <math.h>
#include <stdlib.h>

#define ROOMY_BPS 558000 /* the stored packets pass */
#define USUAL_BPS 72000  /* Debian's default: a rendition of the cache */
#define HITS 30
#define PACKETS_PER_S 50
#define PACKETS_WANTED 0.98 /* or the window is not one of playing */

static const BenchFigure HIT = {
    .name = "mumble-hit",
    .unit = "ms",
    .decimals = 1,
    .goal = 60,
    .times = NAN,
    .means = "command of a Mumble client -> first packet at another one, out of silence"};
static const BenchFigure CPU[] = {
    {.name = "mumble-cpu",
     .unit = "%",
     .decimals = 2,
     .goal = 1.5,
     .times = NAN,
     .means = "of a core for a room on a server that allows the stored packets (558 kbit/s)"},
    {.name = "mumble-cpu-72k",
     .unit = "%",
     .decimals = 2,
     .goal = 1.5,
     .times = NAN,
     .means = "the same on one with the default of 72 kbit/s: a rendition of the cache"},
};

static BenchHost *
new_room (Bench *self, guint bandwidth_bps, GError **error)
{
  g_autofree char *murmurd = g_find_program_in_path ("murmurd");
  g_autofree char *dir = g_strconcat ("TEST_DIR=", self->dir, NULL);
  g_autofree char *script =
      g_build_filename (g_getenv ("abs_top_srcdir"), "tests", "bench", "mumble.py", NULL);
  g_autofree char *bandwidth = g_strdup_printf ("%u", bandwidth_bps);
  g_autofree char *id = bench_song_id (0);
  g_autofree char *url = g_strconcat ("https://youtu.be/", id, NULL);
  const char *const argv[] = {
      "env", dir, "TEST_YTDLP=true", "/usr/bin/python3", "-B", script, bandwidth, url, NULL};

  if (murmurd != NULL)
    return bench_peer_new (self, "encore-bot on Mumble", argv, error);
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "mumble-server is not installed");
  return NULL;
}

static gboolean
ask_number (BenchHost *room, const char *command, double *out, GError **error)
{
  const char *answer;

  if (!bench_host_ask (room, &answer, error, "%s", command))
    return FALSE;
  *out = g_ascii_strtod (answer, NULL);
  return TRUE;
}

/* ---- how soon */

static gboolean
run_hits (Bench *self, BenchRow **rows, GError **error)
{
  g_autoptr (BenchHost) room = new_room (self, ROOMY_BPS, error);

  for (guint i = 0; room != NULL && i < MIN (self->plays, HITS); i++) {
    double ms;
    if (!ask_number (room, "hit", &ms, error))
      return FALSE;
    bench_row_add (rows[0], TRUE, ms);
  }
  return room != NULL;
}

/* ---- how much */

/* Of a window in the middle of a song that begins anew again and again. */
static gboolean
measure (Bench *self, BenchHost *room, pid_t pid, double *percent, GError **error)
{
  double before, after;

  if (!ask_number (room, "count", &before, error))
    return FALSE;
  const gint64 cpu_ns = bench_process_cpu_ns (pid), time_ns = bench_now_ns ();
  bench_sleep (self->window_s);
  const double used_ns = bench_process_cpu_ns (pid) - cpu_ns;
  const double window_ns = bench_now_ns () - time_ns;
  if (!ask_number (room, "count", &after, error))
    return FALSE;
  if (!self->quick && after - before < PACKETS_WANTED * PACKETS_PER_S * window_ns / 1e9 - 1) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "only %.0f packets came in %.1f s",
                 after - before, window_ns / 1e9);
    return FALSE;
  }
  if (used_ns <= 0) {
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "the bot's CPU time cannot be read");
    return FALSE;
  }
  *percent = used_ns / window_ns * 100;
  return TRUE;
}

static gboolean
run_cpu_at (Bench *self, guint bandwidth_bps, BenchRow *row, GError **error)
{
  g_autoptr (BenchHost) room = new_room (self, bandwidth_bps, error);
  double pid, percent;

  if (room == NULL || !ask_number (room, "pid", &pid, error) ||
      !bench_host_ask (room, NULL, error, "play"))
    return FALSE;
  bench_sleep (MIN (self->settle_s, self->window_s)); /* counts are written, too */
  for (guint i = 0; i < self->rounds; i++) {
    if (!measure (self, room, pid, &percent, error))
      return FALSE;
    bench_row_add (row, TRUE, percent);
  }
  return bench_host_ask (room, NULL, error, "stop");
}

static gboolean
run_cpu (Bench *self, BenchRow **rows, GError **error)
{
  return run_cpu_at (self, ROOMY_BPS, rows[0], error) &&
         run_cpu_at (self, USUAL_BPS, rows[1], error);
}

void
bench_mumble (Bench *self)
{
  bench_measure (self, &HIT, 1, TRUE, run_hits);
  bench_measure (self, CPU, G_N_ELEMENTS (CPU), TRUE, run_cpu);
}
