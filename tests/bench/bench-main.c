/* SPDX-License-Identifier: LGPL-2.1-or-later
 * encore-bench: `make bench` runs it; `encore-bench --help` tells its options. */
#include "config.h"
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store-fixture.h"

enum { EXIT_OK, EXIT_MISSED, EXIT_USAGE, EXIT_NOT_RUN };

static const struct {
  const char *name;
  void (*run) (Bench *self);
} GROUPS[] = {{"start", bench_start},   {"cpu", bench_cpu},     {"hits", bench_hits},
              {"memory", bench_memory}, {"evict", bench_evict}, {"large", bench_large},
              {"fetch", bench_fetch},   {"miss", bench_miss},   {"normalise", bench_normalise},
              {"mumble", bench_mumble}, {"rooms", bench_rooms}};

#define FEW_ROWS 1000 /* enough for what does not look up by the thousand; they take minutes */

static const Bench FULL = {.rounds = 3,
                           .n_rows = 100000,
                           .n_songs = 10,
                           .n_catalogue = 2000,
                           .n_million = 1000000,
                           .n_rooms = 1000,
                           .max_rooms = 20000,
                           .song_s = 60,
                           .plays = 100,
                           .peer_plays = 10,
                           .window_s = 10,
                           .hits_s = 2,
                           .settle_s = 6};
/* Enough to see that everything runs; the figures say nothing. */
static const Bench QUICK = {.quick = TRUE,
                            .rounds = 1,
                            .n_rows = 200,
                            .n_songs = 2,
                            .n_catalogue = 20,
                            .n_million = 300,
                            .n_rooms = 5,
                            .max_rooms = 5,
                            .song_s = 4,
                            .plays = 3,
                            .peer_plays = 1,
                            .window_s = 0.3,
                            .hits_s = 0.05,
                            .settle_s = 0.2};

/* ---- for the figures */

void
bench_measure (Bench *self, const BenchFigure *figures, guint n, gboolean with_songs,
               BenchRunFunc run)
{
  g_autofree BenchRow **rows = g_new (BenchRow *, n);
  g_autoptr (GError) error = NULL;
  gboolean ok = !with_songs || self->no_songs == NULL;

  for (guint i = 0; i < n; i++) {
    rows[i] = bench_row_new (&figures[i]);
    g_ptr_array_add (self->rows, rows[i]);
    if (!ok)
      bench_row_fail (rows[i], "%s", self->no_songs);
  }
  if (!ok)
    return;
  g_printerr ("bench: %s\n", figures[0].name);
  const BenchLoad load = bench_load_begin (self);
  ok = run (self, rows, &error);
  const double foreign_cores = bench_load_end (self, &load);
  for (guint i = 0; i < n; i++) {
    rows[i]->foreign_cores = foreign_cores;
    if (!ok)
      bench_row_fail (rows[i], "%s", error->message);
  }
}

void
bench_shuffle (Bench *self, void *array, guint n, gsize size)
{
  char *bytes = array;
  g_autofree char *other = g_malloc (size);

  for (guint i = n; i > 1; i--) {
    char *last = bytes + (i - 1) * size;
    char *chosen = bytes + g_rand_int_range (self->rand, 0, i) * size;
    memcpy (other, last, size);
    memcpy (last, chosen, size);
    memcpy (chosen, other, size);
  }
}

void
bench_sleep (double seconds)
{
  g_usleep ((gulong) (seconds * G_USEC_PER_SEC));
}

gint64
bench_now_ns (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * G_GINT64_CONSTANT (1000000000) + now.tv_nsec;
}

/* ---- one run */

static gboolean
prepare (Bench *self, GError **error)
{
  const char *build = g_getenv ("abs_top_builddir");
  g_autofree char *tests = g_build_filename (build != NULL ? build : ".", "tests", NULL);

  self->module = g_strdup (g_getenv ("ENCORE_MODULE"));
  self->host = g_build_filename (tests, "bench", "bench-host", NULL);
  self->ffmpeg = g_find_program_in_path ("ffmpeg");
  if (self->module == NULL) {
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                         "ENCORE_MODULE is not set: use make bench, or tests/env.sh");
    return FALSE;
  }
  /* a real file system, where the build is, not one in memory; make clean knows the name */
  self->dir = g_mkdtemp (g_build_filename (tests, "bench-XXXXXX.tmp", NULL));
  if (self->dir == NULL) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "cannot make a directory in %s", tests);
    return FALSE;
  }
  self->cache_dir = g_build_filename (self->dir, "cache", NULL);
  self->rand = g_rand_new ();
  self->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) bench_row_free);
  return bench_make_cache (self, error);
}

static void
make_songs (Bench *self, gboolean copies)
{
  g_autoptr (GError) error = NULL;

  if (self->ffmpeg == NULL)
    self->no_songs = g_strdup ("ffmpeg is not installed: there are no songs and no peer");
  else if (!bench_make_songs (self, &error) ||
           (copies && !bench_make_copies (self, self->n_rooms, &error)))
    self->no_songs = g_strdup_printf ("no songs: %s", error->message);
}

static gboolean
is_chosen (const char *name, char **only)
{
  return only == NULL || g_strv_contains ((const char *const *) only, name);
}

static int
run (Bench *self, char **only, const char *json, const char *svg, gboolean strict)
{
  g_autoptr (GError) error = NULL;
  int status = EXIT_OK;

  if (!prepare (self, &error)) {
    g_printerr ("encore-bench: %s\n", error->message);
    return EXIT_NOT_RUN;
  }
  make_songs (self, is_chosen ("rooms", only));
  bench_find_peers (self);
  g_auto (GStrv) machine = bench_machine_describe (self);
  for (guint i = 0; i < G_N_ELEMENTS (GROUPS); i++)
    if (is_chosen (GROUPS[i].name, only))
      GROUPS[i].run (self);
  bench_print_table (self, machine);
  if ((json != NULL && !bench_write_json (self, machine, json, &error)) ||
      (svg != NULL && !bench_write_svg (self, machine, svg, &error))) {
    g_printerr ("encore-bench: %s\n", error->message);
    status = EXIT_NOT_RUN;
  }
  for (guint i = 0; i < self->rows->len; i++) {
    const BenchRow *row = self->rows->pdata[i];
    if (row->reason != NULL)
      status = EXIT_NOT_RUN;
    else if (strict && status == EXIT_OK && bench_row_judge (row) == BENCH_MISSED)
      status = EXIT_MISSED;
  }
  return status;
}

static void
clear (Bench *self, gboolean keep)
{
  if (self->dir != NULL && keep)
    g_printerr ("bench: kept %s\n", self->dir);
  else if (self->dir != NULL)
    fixture_remove (self->dir);
  g_clear_pointer (&self->rows, g_ptr_array_unref);
  g_clear_pointer (&self->rand, g_rand_free);
  g_free (self->no_songs);
  g_free (self->dir);
  g_free (self->cache_dir);
  g_free (self->module);
  g_free (self->host);
  g_free (self->ffmpeg);
  g_free (self->node);
  g_free (self->djs);
  g_free (self->no_peers);
}

int
main (int argc, char **argv)
{
  if (argc == 4 && strcmp (argv[1], "--normalise") == 0) /* ourselves: bench-normalise.c */
    return bench_normalise_one (argv[2], argv[3]);
  gboolean quick = FALSE, strict = FALSE, keep = FALSE;
  int rounds = 0, rows = 0;
  g_autofree char *json = NULL, *svg = NULL, *groups = NULL;
  const GOptionEntry entries[] = {
      {"quick", 0, 0, G_OPTION_ARG_NONE, &quick, "Only see that everything runs", NULL},
      {"rounds", 0, 0, G_OPTION_ARG_INT, &rounds, "Rounds of every figure (3)", "N"},
      {"rows", 0, 0, G_OPTION_ARG_INT, &rows, "Entries of the cache (100000; 1000 without hits)",
       "N"},
      {"only", 0, 0, G_OPTION_ARG_STRING, &groups,
       "Of start, cpu, hits, memory, evict, large, fetch, miss, normalise, mumble, rooms",
       "GROUP,..."},
      {"json", 0, 0, G_OPTION_ARG_FILENAME, &json, "Write the result there, too", "FILE"},
      {"svg", 0, 0, G_OPTION_ARG_FILENAME, &svg, "Draw what has a peer there", "FILE"},
      {"keep", 0, 0, G_OPTION_ARG_NONE, &keep, "Leave the cache there, for a profiler", NULL},
      {"strict", 0, 0, G_OPTION_ARG_NONE, &strict, "A missed goal is exit status 1", NULL},
      {NULL, 0, 0, 0, NULL, NULL, NULL}};
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_set_summary (context, "Figures of Encore, each beside a peer, in one run.");
  g_option_context_set_description (
      context, "Exit status: 0 everything ran, 1 a goal is missed (--strict), 2 wrong use, 3 "
               "something was not run.");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc > 1 || rounds < 0 ||
      rows < 0) {
    g_printerr ("encore-bench: %s\n", error != NULL ? error->message : "see --help");
    return EXIT_USAGE;
  }
  g_auto (GStrv) only = groups != NULL ? g_strsplit (groups, ",", -1) : NULL;
  for (char **group = only; group != NULL && *group != NULL; group++) {
    gboolean known = FALSE;
    for (guint i = 0; i < G_N_ELEMENTS (GROUPS); i++)
      known |= strcmp (GROUPS[i].name, *group) == 0;
    if (!known) {
      g_printerr ("encore-bench: there is no group '%s'\n", *group);
      return EXIT_USAGE;
    }
  }
  Bench bench = quick ? QUICK : FULL;
  bench.rounds = rounds > 0 ? (guint) rounds : bench.rounds;
  if (rows > 0)
    bench.n_rows = rows;
  else if (!is_chosen ("hits", only))
    bench.n_rows = MIN (bench.n_rows, FEW_ROWS);
  const int status = run (&bench, only, json, svg, strict);
  clear (&bench, keep);
  return status;
}
