/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The lookup of a hit: lease, row, open file, and a count that is written behind.  Beside it what
 * other bots do: the database opened for every lookup, and a stat of the file.
 *
 * Threads: one or two that look up, the store's own that writes the counts. */
#include "config.h"
#include "bench.h"

#include <math.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "store-fixture.h"

#define CHECK_TIME_EVERY 16
#define MAX_THREADS 2

static const BenchFigure HITS[] = {
    {.name = "hits-1-thread",
     .unit = "/s",
     .more_is_better = TRUE,
     .goal = 10000,
     .times = NAN,
     .peer = "open, SELECT, close, stat",
     .means = "lookups of random ids that end with the open file, counted"},
    {.name = "hits-2-threads",
     .unit = "/s",
     .more_is_better = TRUE,
     .goal = 10000,
     .times = NAN,
     .peer = "the same in two threads",
     .means = "the same of two threads together"},
    {.name = "counts-behind",
     .unit = "s",
     .decimals = 3,
     .goal = NAN,
     .times = NAN,
     .means = "until all counts of a window with two threads are in the database, after it"},
};

typedef gboolean (*LookUpFunc) (gconstpointer where, const char *id);

typedef struct {
  LookUpFunc look_up;
  gconstpointer where;
  guint n_rows;
  guint32 seed;
  gint64 until_us;
  guint64 done, failed;
} Worker;

/* ---- ours */

static gboolean
look_up_ours (gconstpointer where, const char *id)
{
  g_autoptr (EncoreHandle) handle = encore_cache_get ((EncoreCache *) where, id, TRUE, NULL);

  return handle != NULL;
}

/* ---- the peer */

/* A database as such bots have it, with the same ids: the defaults of SQLite. */
static gboolean
make_peer (Bench *self, const char *path, GError **error)
{
  static const char sql[] =
      "CREATE TABLE song (id TEXT PRIMARY KEY, title TEXT, duration INTEGER);"
      "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %u)"
      " INSERT INTO song SELECT printf ('tiny%%06dA', i), 'Title ' || i, 200 FROM n";
  g_autofree char *all = g_strdup_printf (sql, self->n_rows - 1);
  sqlite3 *db = NULL;

  const gboolean ok = sqlite3_open (path, &db) == SQLITE_OK &&
                      sqlite3_exec (db, all, NULL, NULL, NULL) == SQLITE_OK;
  if (!ok)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "the peer's database: %s",
                 sqlite3_errmsg (db));
  sqlite3_close (db);
  return ok;
}

static gboolean
look_up_peer (gconstpointer where, const char *id)
{
  const Bench *bench = where;
  g_autofree char *path = g_build_filename (bench->dir, "peer.db", NULL);
  g_autofree char *file = fixture_file (bench->cache_dir, id);
  sqlite3 *db = NULL;
  sqlite3_stmt *stmt = NULL;
  struct stat st;

  gboolean found = sqlite3_open (path, &db) == SQLITE_OK &&
                   sqlite3_prepare_v2 (db, "SELECT title, duration FROM song WHERE id = ?1", -1,
                                       &stmt, NULL) == SQLITE_OK &&
                   sqlite3_bind_text (stmt, 1, id, -1, SQLITE_STATIC) == SQLITE_OK &&
                   sqlite3_step (stmt) == SQLITE_ROW;
  sqlite3_finalize (stmt);
  sqlite3_close (db);
  return found && stat (file, &st) == 0;
}

/* ---- one window */

static gpointer
work (gpointer data)
{
  Worker *self = data;
  g_autoptr (GRand) rand = g_rand_new_with_seed (self->seed);

  while (g_get_monotonic_time () < self->until_us)
    for (guint i = 0; i < CHECK_TIME_EVERY; i++) {
      g_autofree char *id = bench_small_id (g_rand_int_range (rand, 0, self->n_rows));
      if (self->look_up (self->where, id))
        self->done++;
      else
        self->failed++;
    }
  return NULL;
}

static gboolean
run_window (Bench *self, LookUpFunc look_up, gconstpointer where, guint n_threads, double *rate,
            guint64 *done, GError **error)
{
  const gint64 begin_us = g_get_monotonic_time ();
  Worker workers[MAX_THREADS];
  GThread *threads[MAX_THREADS];
  guint64 failed = 0;

  *done = 0;
  for (guint i = 0; i < n_threads; i++) {
    workers[i] = (Worker){.look_up = look_up,
                          .where = where,
                          .n_rows = self->n_rows,
                          .seed = g_rand_int (self->rand),
                          .until_us = begin_us + (gint64) (self->hits_s * G_USEC_PER_SEC)};
    threads[i] = g_thread_new ("look-up", work, &workers[i]);
  }
  for (guint i = 0; i < n_threads; i++) {
    g_thread_join (threads[i]);
    *done += workers[i].done;
    failed += workers[i].failed;
  }
  *rate = *done / ((g_get_monotonic_time () - begin_us) / 1e6);
  if (failed > 0)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%u of %u lookups were no hits",
                 (guint) failed, (guint) (failed + *done));
  return failed == 0;
}

static gint64
count_plays (EncoreCache *cache)
{
  EncoreCacheStats stats;

  encore_cache_stats (cache, &stats);
  return stats.total_plays;
}

/* Every hit must be in the database afterwards. */
static gboolean
run_ours (Bench *self, EncoreCache *cache, guint n_threads, double *rate, double *behind_s,
          GError **error)
{
  const gint64 before = count_plays (cache);
  guint64 done;

  if (!run_window (self, look_up_ours, cache, n_threads, rate, &done, error))
    return FALSE;
  const gint64 end_us = g_get_monotonic_time ();
  if (!encore_cache_flush (cache, error))
    return FALSE;
  *behind_s = (g_get_monotonic_time () - end_us) / 1e6;
  const gint64 counted = count_plays (cache) - before;
  if (counted == (gint64) done)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%u hits, but %d were counted", (guint) done,
               (int) counted);
  return FALSE;
}

/* ---- rounds */

typedef struct {
  BenchRow *row;
  guint n_threads;
  gboolean ours;
} Part;

static gboolean
run_part (Bench *self, EncoreCache *cache, const Part *part, BenchRow *counts, GError **error)
{
  double rate = 0, behind_s = 0;
  guint64 done;

  if (part->ours ? !run_ours (self, cache, part->n_threads, &rate, &behind_s, error)
                 : !run_window (self, look_up_peer, self, part->n_threads, &rate, &done, error))
    return FALSE;
  bench_row_add (part->row, part->ours, rate);
  if (part->ours && part->n_threads == 2)
    bench_row_add (counts, TRUE, behind_s);
  return TRUE;
}

static gboolean
run_hits (Bench *self, BenchRow **rows, GError **error)
{
  g_autoptr (EncoreCache) cache = fixture_open (self->cache_dir, 0);
  g_autofree char *peer = g_build_filename (self->dir, "peer.db", NULL);
  Part parts[] = {{rows[0], 1, TRUE}, {rows[0], 1, FALSE}, {rows[1], 2, TRUE}, {rows[1], 2, FALSE}};

  if (!make_peer (self, peer, error))
    return FALSE;
  for (guint i = 0; i < self->rounds; i++) {
    bench_shuffle (self, parts, G_N_ELEMENTS (parts), sizeof *parts);
    for (guint k = 0; k < G_N_ELEMENTS (parts); k++)
      if (!run_part (self, cache, &parts[k], rows[2], error))
        return FALSE;
  }
  return TRUE;
}

void
bench_hits (Bench *self)
{
  bench_measure (self, HITS, G_N_ELEMENTS (HITS), FALSE, run_hits);
}
