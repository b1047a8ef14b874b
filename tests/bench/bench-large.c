/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A cache of a million songs, and what a publish costs.  The million are names of one small file,
 * on a file system in memory where there is one; their rows are written directly, or they took an
 * hour. */
#include "config.h"
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encore-media-id.h"
#include "sound/encore-normalise.h"
#include "store-fixture.h"

#define SMALL_PACKETS 5
#define LOOKUPS 2000 /* a round */
#define PUBLISHES 5  /* a round */

static const BenchFigure LARGE[] = {
    {.name = "large-open",
     .unit = "ms",
     .decimals = 2,
     .goal = 5,
     .times = NAN,
     .means = "opening the cache of a million songs after a clean end"},
    {.name = "large-hit",
     .unit = "us",
     .decimals = 1,
     .goal = 25,
     .times = NAN,
     .means = "one lookup in it that ends with the open file, counted"},
    {.name = "large-stats",
     .unit = "ms",
     .decimals = 1,
     .goal = 50,
     .times = NAN,
     .means = "encore-cache stats, the whole process"},
    {.name = "large-audit",
     .unit = "s",
     .decimals = 2,
     .goal = 60,
     .times = NAN,
     .means = "rows and files compared (encore-cache repair)"},
    {.name = "large-hit-audit",
     .unit = "us",
     .decimals = 1,
     .goal = NAN,
     .times = NAN,
     .means = "lookups meanwhile, one every millisecond"},
};
static const BenchFigure PUBLISH[] = {
    {.name = "publish",
     .unit = "ms",
     .decimals = 2,
     .goal = 10,
     .times = NAN,
     .peer = "fdatasync, rename, fsync of the directory",
     .means = "from the last byte of a song of 4 minutes, just encoded, to its committed row, on "
              "the disk of the build"},
};

/* ---- a million */

static gboolean
insert_rows (Bench *self, sqlite3 *db, gint64 bytes)
{
  sqlite3_stmt *entry = NULL, *words = NULL;
  gboolean ok =
      sqlite3_prepare_v2 (db,
                          "INSERT INTO entry (id, state, opus_size, sha256, title, artist, url,"
                          " duration_ms, created_at, last_access, access_count, prio)"
                          " VALUES (?1, 0, ?2, hex (randomblob (32)), 'Title of ' || ?1, 'Artist',"
                          " 'https://www.youtube.com/watch?v=' || ?1, 100, 1, ?3, 1, ?3)",
                          -1, &entry, NULL) == SQLITE_OK &&
      sqlite3_prepare_v2 (db,
                          "INSERT INTO words (rowid, id, title, artist) VALUES (?1, ?2, ?3, ?4)",
                          -1, &words, NULL) == SQLITE_OK;

  for (guint i = 1; ok && i < self->n_million; i++) {
    g_autofree char *id = bench_song_id (i);
    g_autofree char *title = g_strdup_printf ("Title of %s", id);
    sqlite3_bind_text (entry, 1, id, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (entry, 2, bytes);
    sqlite3_bind_int64 (entry, 3, i);
    sqlite3_bind_int64 (words, 1, encore_id_hash (id) & G_MAXINT64);
    sqlite3_bind_text (words, 2, id, -1, SQLITE_STATIC);
    sqlite3_bind_text (words, 3, title, -1, SQLITE_STATIC);
    sqlite3_bind_text (words, 4, "Artist", -1, SQLITE_STATIC);
    ok = sqlite3_step (entry) == SQLITE_DONE && sqlite3_step (words) == SQLITE_DONE;
    sqlite3_reset (entry);
    sqlite3_reset (words);
  }
  sqlite3_finalize (entry);
  sqlite3_finalize (words);
  /* the triggers count them when they become ready */
  return ok && sqlite3_exec (db, "UPDATE entry SET state = 1 WHERE state = 0", NULL, NULL, NULL) ==
                   SQLITE_OK;
}

static gboolean
write_rows (Bench *self, const char *dir, gint64 bytes, GError **error)
{
  g_autofree char *path = g_build_filename (dir, "encore.db", NULL);
  sqlite3 *db = NULL;

  const gboolean ok = sqlite3_open (path, &db) == SQLITE_OK &&
                      sqlite3_exec (db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
                      insert_rows (self, db, bytes) &&
                      sqlite3_exec (db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
  if (!ok)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "the rows: %s", sqlite3_errmsg (db));
  sqlite3_close (db);
  return ok;
}

static gboolean
make_large (Bench *self, const char *dir, GError **error)
{
  EncoreCache *cache = fixture_open (dir, 0);
  g_autofree char *first_id = bench_song_id (0);
  struct stat st;

  fixture_publish (cache, first_id, "Title", SMALL_PACKETS);
  encore_cache_close (cache);
  g_autofree char *first = fixture_file (dir, first_id);
  gboolean ok = stat (first, &st) == 0;
  for (guint i = 1; ok && i < self->n_million; i++) {
    g_autofree char *id = bench_song_id (i);
    g_autofree char *file = fixture_file (dir, id);
    ok = link (first, file) == 0;
  }
  if (!ok) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "the files: %s", g_strerror (errno));
    return FALSE;
  }
  return write_rows (self, dir, st.st_size, error);
}

/* ---- its figures */

static gboolean
look_up (Bench *self, EncoreCache *cache, BenchRow *row, GError **error)
{
  g_autofree char *id = bench_song_id (g_rand_int_range (self->rand, 0, self->n_million));
  const gint64 begin_ns = bench_now_ns ();
  EncoreHandle *handle = encore_cache_get (cache, id, TRUE, error);

  if (handle == NULL)
    return FALSE;
  bench_row_add (row, TRUE, (bench_now_ns () - begin_ns) / 1e3);
  encore_handle_free (handle);
  return TRUE;
}

static gboolean
run_stats (Bench *self, const char *dir, BenchRow *row, GError **error)
{
  const char *build = g_getenv ("abs_top_builddir");
  g_autofree char *tool = g_build_filename (build != NULL ? build : ".", "encore-cache", NULL);
  const char *const argv[] = {tool, "--dir", dir, "stats", NULL};
  const int nowhere = open ("/dev/null", O_WRONLY | O_CLOEXEC);
  const gint64 begin_ns = bench_now_ns ();
  const pid_t pid = bench_spawn (argv, nowhere, error);
  const gboolean ok = pid != 0 && bench_reap (pid, NULL, error);

  close (nowhere);
  if (ok)
    bench_row_add (row, TRUE, (bench_now_ns () - begin_ns) / 1e6);
  return ok;
}

typedef struct {
  EncoreCache *cache;
  EncoreAudit found;
  GError *error;
  double time_s;
  _Atomic gboolean done;
} Audit;

static gpointer
audit (gpointer data)
{
  Audit *self = data;
  const gint64 begin_ns = bench_now_ns ();

  encore_cache_audit (self->cache, FALSE, &self->found, NULL, NULL, &self->error);
  self->time_s = (bench_now_ns () - begin_ns) / 1e9;
  self->done = TRUE;
  return NULL;
}

static gboolean
run_audit (Bench *self, EncoreCache *cache, BenchRow *row, BenchRow *meanwhile, GError **error)
{
  Audit job = {.cache = cache};
  GThread *thread = g_thread_new ("audit", audit, &job);
  gboolean ok = TRUE;

  do {
    ok = ok && look_up (self, cache, meanwhile, error);
    g_usleep (1000);
  } while (!job.done);
  g_thread_join (thread);
  if (job.error != NULL && ok) {
    g_propagate_error (error, job.error);
    return FALSE;
  }
  g_clear_error (&job.error);
  if (ok && (job.found.checked != self->n_million || job.found.dangling + job.found.orphans > 0)) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%d entries checked, not %u",
                 (int) job.found.checked, self->n_million);
    return FALSE;
  }
  if (ok)
    bench_row_add (row, TRUE, job.time_s);
  return ok;
}

static gboolean
run_round (Bench *self, const char *dir, BenchRow **rows, GError **error)
{
  const EncoreCacheOptions options = {.dir = dir};
  const gint64 begin_ns = bench_now_ns ();
  g_autoptr (EncoreCache) cache = encore_cache_open (&options, error);

  if (cache == NULL)
    return FALSE;
  bench_row_add (rows[0], TRUE, (bench_now_ns () - begin_ns) / 1e6);
  for (guint i = 0; i < LOOKUPS; i++)
    if (!look_up (self, cache, rows[1], error))
      return FALSE;
  return run_stats (self, dir, rows[2], error) && run_audit (self, cache, rows[3], rows[4], error);
}

static gboolean
run_large (Bench *self, BenchRow **rows, GError **error)
{
  g_autofree char *dir = fixture_make_dir ();
  gboolean ok = make_large (self, dir, error);

  for (guint i = 0; ok && i < self->rounds; i++)
    ok = run_round (self, dir, rows, error);
  fixture_remove (dir);
  return ok;
}

/* ---- publish */

/* The least that a durable file costs on this disk: the same bytes written, synced, renamed. */
static gboolean
sync_bare (Bench *self, const char *like, guint number, BenchRow *row, GError **error)
{
  g_autofree char *bytes = NULL, *from = g_build_filename (self->dir, "bare.tmp", NULL);
  g_autofree char *to = g_strdup_printf ("%s/bare%03u", self->dir, number);
  gsize len;

  if (!g_file_get_contents (like, &bytes, &len, error))
    return FALSE;
  const int dir = open (self->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int fd = open (from, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  gboolean ok = dir >= 0 && fd >= 0 && write (fd, bytes, len) == (gssize) len;
  const gint64 begin_ns = bench_now_ns ();
  ok = ok && fdatasync (fd) == 0 && rename (from, to) == 0 && fsync (dir) == 0;
  bench_row_add (row, FALSE, (bench_now_ns () - begin_ns) / 1e6);
  if (!ok)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: %s", to, g_strerror (errno));
  close (fd);
  close (dir);
  return ok;
}

/* About 4 MB of Opus at 128 kbit/s.  (transfer full) */
static char *
make_source (Bench *self, GError **error)
{
  char *path = g_build_filename (self->dir, "publish.opus", NULL);
  const char *const argv[] = {
      self->ffmpeg, "-v",      "error", "-f",   "lavfi", "-i", "anoisesrc=d=240:a=0.1:c=pink",
      "-c:a",       "libopus", "-b:a",  "128k", "-ac",   "2",  "-y",
      path,         NULL};
  const pid_t pid = bench_spawn (argv, STDERR_FILENO, error);

  if (pid != 0 && bench_reap (pid, NULL, error))
    return path;
  g_free (path);
  return NULL;
}

static gboolean
run_publish (Bench *self, BenchRow **rows, GError **error)
{
  g_autoptr (EncoreCache) cache = fixture_open (self->cache_dir, 0);
  g_autofree char *source = make_source (self, error);
  const EncoreNormaliseOptions options = {-16, -1.5, 128000, 0, 0};

  for (guint i = 0; source != NULL && i < self->rounds * PUBLISHES; i++) {
    g_autofree char *id = g_strdup_printf ("publish%03uA", i);
    g_autoptr (EncoreHandle) hit = NULL;
    g_autoptr (EncoreClaim) claim = encore_cache_claim (cache, id, 0, NULL, &hit, error);
    if (claim == NULL)
      return FALSE;
    g_autofree char *path = g_build_filename (encore_claim_get_dir (claim), "song.opus", NULL);
    g_autofree char *id_tag = g_strconcat ("ENCORE_ID=", id, NULL);
    const char *const comments[] = {id_tag, NULL};
    EncoreNormalised song;
    if (!encore_normalise (source, path, comments, &options, NULL, &song, error))
      return FALSE;
    const EncorePublish what = {
        .opus_name = "song.opus", .title = id, .duration_ms = song.duration_ms};
    const gint64 begin_ns = bench_now_ns ();
    g_autoptr (EncoreHandle) handle = encore_claim_publish (claim, &what, error);
    if (handle == NULL)
      return FALSE;
    bench_row_add (rows[0], TRUE, (bench_now_ns () - begin_ns) / 1e6);
    g_autofree char *file = fixture_file (self->cache_dir, id);
    if (!sync_bare (self, file, i, rows[0], error))
      return FALSE;
  }
  return source != NULL;
}

void
bench_large (Bench *self)
{
  bench_measure (self, LARGE, G_N_ELEMENTS (LARGE), FALSE, run_large);
  bench_measure (self, PUBLISH, G_N_ELEMENTS (PUBLISH), TRUE, run_publish);
}
