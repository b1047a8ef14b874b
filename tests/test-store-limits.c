/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The store's limits: size, age, free space, history. */
#include "config.h"
#include "store/encore-cache.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store-fixture.h"
#include "store/encore-cache-private.h"

#define A "dQw4w9WgXcQ"
#define B "-bcdefghijA"
#define C "_bcdefghijE"

/* The least worth keeping goes first; pinned, playing and queued songs stay. */
static void
test_evict (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  g_autofree char *kept = fixture_file (dir, A);
  gint64 removed;

  for (int i = 0; i < 8; i++) {
    g_autofree char *id = g_strdup_printf ("song%d-00000A", i);
    fixture_publish (cache, id, "x", 100);
  }
  fixture_publish (cache, A, "loved", 100);
  for (int i = 0; i < 5; i++)
    fixture_is_hit (cache, A, TRUE);
  g_assert_true (encore_cache_pin (cache, "song0-00000A", TRUE, NULL));
  EncoreHandle *playing = encore_cache_get (cache, "song1-00000A", FALSE, NULL);
  EncoreLease *queued = encore_cache_protect (cache, "song2-00000A");

  removed = encore_cache_evict (cache, 5 * 22000, NULL, NULL, NULL);
  g_assert_cmpint (removed, >, 0);
  g_assert_true (g_file_test (kept, G_FILE_TEST_EXISTS));
  g_assert_true (fixture_is_hit (cache, "song0-00000A", FALSE));
  g_assert_true (fixture_is_hit (cache, "song1-00000A", FALSE));
  g_assert_true (fixture_is_hit (cache, "song2-00000A", FALSE));
  g_assert_cmpint (encore_cache_clear (cache, NULL, NULL, NULL, NULL), >, 0);
  g_assert_true (fixture_is_hit (cache, "song0-00000A", FALSE));
  g_assert_true (fixture_is_hit (cache, "song1-00000A", FALSE));
  g_assert_false (fixture_is_hit (cache, A, FALSE));
  encore_cache_unprotect (queued);
  encore_handle_free (playing);
  g_assert_cmpint (encore_cache_clear (cache, NULL, NULL, NULL, NULL), ==, 2);
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* Publishing beyond the limit evicts others; one song may not take more than a quarter. */
static void
test_limit (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 100000);
  g_autoptr (EncoreHandle) hit = NULL;
  g_autoptr (GError) error = NULL;
  EncoreCacheStats stats;

  for (int i = 0; i < 12; i++) {
    g_autofree char *id = g_strdup_printf ("song%02d-0000A", i);
    fixture_publish (cache, id, "x", 50);
    encore_cache_stats (cache, &stats);
    g_assert_cmpint (stats.bytes, <=, 100000);
  }
  g_assert_cmpint (stats.entries, >=, 7);
  EncoreClaim *claim = encore_cache_claim (cache, A, 0, NULL, &hit, NULL);
  g_autofree char *path = g_build_filename (encore_claim_get_dir (claim), "x.opus", NULL);
  const EncorePublish what = {.opus_name = "x.opus"};
  fixture_write_opus (path, A, "mix", 200);
  g_assert_null (encore_claim_publish (claim, &what, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_TOO_BIG);
  encore_claim_free (claim);
  g_autofree char *file = fixture_file (dir, A);
  g_assert_false (g_file_test (file, G_FILE_TEST_EXISTS));
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* The size that a site announces empties no cache: no song may take more than a quarter. */
static void
test_announced (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 100000);
  EncoreCacheStats before, after;

  for (int i = 0; i < 8; i++) {
    g_autofree char *id = g_strdup_printf ("song%02d-0000A", i);
    fixture_publish (cache, id, "x", 50);
  }
  encore_cache_stats (cache, &before);
  g_assert_true (encore_cache_room_for (cache, 1000000, NULL));
  encore_cache_stats (cache, &after);
  g_assert_cmpint (after.bytes, <, before.bytes);
  g_assert_cmpint (after.bytes, >, 50000);
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* A quota, or want of inodes: the disk refuses though it tells of room. */
static void
test_refusing_disk (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  g_autoptr (GError) error = NULL;
  EncoreCacheStats stats;

  for (int i = 0; i < 20; i++) {
    g_autofree char *id = g_strdup_printf ("song%02d-0000A", i);
    fixture_publish (cache, id, "x", 1500); /* 300 KB */
  }
  fixture_let_warn ();
  g_assert_true (encore_evict_unjam (cache, &error));
  g_assert_no_error (error);
  encore_cache_stats (cache, &stats);
  g_assert_cmpint (stats.entries, >, 0);
  g_assert_cmpint (stats.entries, <, 10);
  encore_cache_close (cache);
  fixture_remove (dir);
}

static gint64
plays_of (EncoreCache *cache, const char *id)
{
  g_autoptr (EncoreEntryInfo) info = NULL;

  g_assert_true (encore_cache_flush (cache, NULL));
  return encore_cache_info (cache, id, &info, NULL) ? info->access_count : -1;
}

/* Plays are remembered of songs that were evicted, also those that were counted but not yet
 * written. */
static void
test_history (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);

  fixture_publish (cache, A, "One", 5);
  fixture_is_hit (cache, A, TRUE);
  fixture_is_hit (cache, A, TRUE);
  g_assert_true (encore_cache_remove (cache, A, NULL));
  g_assert_true (encore_cache_flush (cache, NULL));
  g_assert_false (fixture_is_hit (cache, A, FALSE));
  fixture_publish (cache, A, "One", 5);
  g_assert_cmpint (plays_of (cache, A), ==, 4);
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* What is remembered is bounded: the oldest go, and failures that have expired. */
static void
test_history_trim (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  EncoreAudit audit;

  fixture_sql (dir,
               "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10100)"
               " INSERT INTO entry (id, state, access_count, last_access)"
               " SELECT 'gone' || i, 3, 1, i FROM n;"
               "INSERT INTO entry (id, state, fail_until) VALUES ('expired', 3, 1)");
  g_assert_true (encore_cache_audit (cache, FALSE, &audit, NULL, NULL, NULL));
  g_assert_cmpint (fixture_number (dir, "SELECT count (*) FROM entry"), ==, 10000);
  g_assert_cmpint (fixture_number (dir, "SELECT min (last_access) FROM entry"), ==, 101);
  encore_cache_close (cache);
  fixture_remove (dir);
}

static EncoreCache *
open_aging (const char *dir)
{
  const EncoreCacheOptions options = {.dir = dir,
                                      .max_age_ms = G_GINT64_CONSTANT (1000) * 3600 * 24 * 10};
  g_autoptr (GError) error = NULL;
  EncoreCache *cache = encore_cache_open (&options, &error);

  g_assert_no_error (error);
  return cache;
}

/* The clock as it was seen last, DAYS before now; then a play of B lets it go on. */
static void
jump (EncoreCache *cache, const char *dir, int days)
{
  g_autofree char *sql =
      g_strdup_printf ("UPDATE total SET v = unixepoch () - %d * 24 * 3600 WHERE k = 'seen'", days);

  fixture_sql (dir, sql);
  fixture_is_hit (cache, B, TRUE);
  g_assert_true (encore_cache_flush (cache, NULL));
}

/* Max_age counts time that was lived through: a clock that jumps by a year or goes back removes
 * nothing, days that pass do. */
static void
test_age (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = open_aging (dir);

  fixture_publish (cache, A, "Old", 5);
  fixture_publish (cache, B, "Played", 5);
  fixture_is_hit (cache, A, TRUE);
  g_assert_true (encore_cache_flush (cache, NULL));
  jump (cache, dir, 400);
  jump (cache, dir, -4000);
  g_assert_cmpint (encore_cache_evict (cache, -1, NULL, NULL, NULL), ==, 0);
  g_assert_true (fixture_is_hit (cache, A, FALSE));
  jump (cache, dir, 2);
  g_assert_cmpint (encore_cache_evict (cache, -1, NULL, NULL, NULL), ==, 0);
  jump (cache, dir, 2); /* 7 + 0 + 2 + 2 */
  g_assert_cmpint (encore_cache_evict (cache, -1, NULL, NULL, NULL), ==, 1);
  g_assert_false (fixture_is_hit (cache, A, FALSE));
  g_assert_true (fixture_is_hit (cache, B, FALSE));
  encore_cache_close (cache);
  fixture_remove (dir);
}

static gint64
free_bytes (const char *dir)
{
  EncoreCache *cache = fixture_open (dir, 0);
  EncoreCacheStats stats;

  encore_cache_stats (cache, &stats);
  encore_cache_close (cache);
  return stats.free_bytes;
}

/* Songs go when that makes the room that is wanted; where not even an empty cache would, they stay.
 * The answer is in words.  The disk is shared, so that both are told by large numbers. */
static void
test_min_free (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autofree char *big = fixture_file (dir, B);
  EncoreCacheOptions options = {.dir = dir, .min_free_bytes = G_MAXINT64 / 4};
  g_autoptr (GError) hopeless = NULL, error = NULL;
  EncoreCache *cache = fixture_open (dir, 0);

  fixture_publish (cache, A, "Pinned", 5);
  fixture_publish (cache, B, "Not pinned", 5);
  g_assert_true (encore_cache_pin (cache, A, TRUE, NULL));
  encore_cache_close (cache);
  cache = encore_cache_open (&options, NULL);
  g_assert_false (encore_cache_room_for (cache, 1, &hopeless));
  g_assert_error (hopeless, ENCORE_ERROR, ENCORE_ERROR_NO_SPACE);
  g_assert_true (fixture_is_hit (cache, B, FALSE));
  encore_cache_close (cache);

  /* as if it had a terabyte to give; what is wanted is still not there when it has gone */
  fixture_sql (dir, "UPDATE entry SET state = 2; UPDATE entry SET opus_size = 1 << 40;"
                    "UPDATE entry SET state = 1");
  options.min_free_bytes = free_bytes (dir) + (G_GINT64_CONSTANT (1) << 39);
  cache = encore_cache_open (&options, NULL);
  g_assert_false (encore_cache_room_for (cache, 1, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_NO_SPACE);
  g_assert_false (g_file_test (big, G_FILE_TEST_EXISTS));
  g_assert_cmpint (fixture_number (dir, "SELECT state FROM entry WHERE id = '" A "'"), ==, 1);
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* ---- a disk that is full */

static void
fill_disk (const char *dir)
{
  g_autofree char *path = g_build_filename (dir, "..", "filler", NULL);
  const int fd = open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  static const char block[4096];

  g_assert_cmpint (fd, >=, 0);
  while (write (fd, block, sizeof block) > 0)
    ;
  g_assert_cmpint (errno, ==, ENOSPC);
  close (fd);
}

static void
use_full_disk (const char *mount_point)
{
  g_autofree char *dir = g_build_filename (mount_point, "cache", NULL);
  g_autofree char *reserve = g_build_filename (dir, "reserve", NULL);
  EncoreCache *cache = fixture_open (dir, 0);
  g_autoptr (GError) error = NULL;
  g_autoptr (EncoreHandle) hit = NULL;

  for (int i = 0; i < 20; i++) {
    g_autofree char *id = g_strdup_printf ("song%02d-0000A", i);
    fixture_publish (cache, id, "x", 1500); /* 300 KB */
  }
  fill_disk (dir);
  g_assert_true (fixture_is_hit (cache, "song00-0000A", TRUE)); /* what is there plays */
  EncoreClaim *claim = encore_cache_claim (cache, A, 0, NULL, &hit, &error);
  g_assert_no_error (error);
  g_assert_nonnull (claim);
  g_autofree char *path = g_build_filename (encore_claim_get_dir (claim), "x.opus", NULL);
  fixture_write_opus (path, A, "New", 1500);
  const EncorePublish what = {.opus_name = "x.opus"};
  EncoreHandle *handle = encore_claim_publish (claim, &what, &error);
  g_assert_no_error (error);
  encore_handle_free (handle);
  encore_claim_free (claim);
  g_assert_true (fixture_is_hit (cache, A, FALSE));
  g_assert_true (g_file_test (reserve, G_FILE_TEST_EXISTS));
  encore_cache_close (cache);
}

/* Where all songs together are less than what is needed none of them goes. */
static void
use_hopeless_disk (const char *mount_point)
{
  g_autofree char *dir = g_build_filename (mount_point, "cache", NULL);
  g_autofree char *reserve = g_build_filename (dir, "reserve", NULL);
  EncoreCache *cache = fixture_open (dir, 0);
  g_autoptr (GError) error = NULL;

  fixture_publish (cache, A, "Plays on", 500);
  fill_disk (dir);
  g_assert_false (encore_evict_unjam (cache, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_NO_SPACE);
  g_assert_true (fixture_is_hit (cache, A, TRUE));
  g_assert_true (g_file_test (reserve, G_FILE_TEST_EXISTS));
  encore_cache_close (cache);
}

/* Who opens the cache when the disk is full already, a bot or an administrator who makes room: not
 * even what SQLite needs to read fits. */
static void
open_on_full_disk (const char *mount_point)
{
  g_autofree char *dir = g_build_filename (mount_point, "cache", NULL);
  g_autofree char *reserve = g_build_filename (dir, "reserve", NULL);
  const EncoreCacheOptions look = {.dir = dir, .read_only = TRUE};
  g_autoptr (GError) error = NULL;
  EncoreCache *cache = fixture_open (dir, 0);

  for (int i = 0; i < 20; i++) {
    g_autofree char *id = g_strdup_printf ("song%02d-0000A", i);
    fixture_publish (cache, id, "x", 1500); /* 300 KB */
  }
  encore_cache_close (cache);
  fill_disk (dir);
  cache = encore_cache_open (&look, &error);
  g_assert_no_error (error);
  g_assert_true (fixture_is_hit (cache, "song00-0000A", FALSE));
  encore_cache_close (cache);
  fill_disk (dir);
  cache = fixture_open (dir, 0);
  g_assert_true (fixture_is_hit (cache, "song00-0000A", FALSE));
  g_assert_true (g_file_test (reserve, G_FILE_TEST_EXISTS)); /* as large as it can be */
  fill_disk (dir);
  g_assert_cmpint (encore_cache_clear (cache, NULL, NULL, NULL, &error), ==, 20);
  g_assert_no_error (error);
  encore_cache_close (cache);
}

/* On a disk that somebody else filled not even the transactions of an eviction fit; the reserve is
 * given up for them, and made again. */
static void
test_full_disk (gconstpointer data)
{
  void (*const use) (const char *) = data;
  g_autofree char *dir = fixture_make_dir ();
  int status;
  const pid_t child = fork ();

  if (child == 0) {
    fixture_let_warn ();
    if (unshare (CLONE_NEWNS) < 0 || mount ("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount ("tmpfs", dir, "tmpfs", 0, "size=12m,mode=700") < 0)
      _exit (77);
    use (dir);
    _exit (0);
  }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  if (WIFEXITED (status) && WEXITSTATUS (status) == 77)
    g_test_skip ("no small file system can be mounted (needs root)");
  else
    g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);
  fixture_remove (dir);
}

/* A total that cannot be read is no empty cache. */
static void
test_total_lost (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autoptr (GError) error = NULL;
  EncoreCache *cache = fixture_open (dir, 0);
  EncoreCacheStats stats;

  fixture_publish (cache, "aaaaaaaaaaA", "First", 10);
  fixture_publish (cache, "bbbbbbbbbbA", "Second", 10);
  fixture_sql (dir, "DELETE FROM total WHERE k IN ('entries', 'bytes')");
  const GLogLevelFlags fatal = g_log_set_always_fatal (G_LOG_FATAL_MASK); /* it warns */
  encore_cache_stats (cache, &stats);
  g_assert_cmpint (stats.entries, ==, 2);
  g_assert_cmpint (stats.bytes, >, 0);
  g_assert_cmpint (encore_cache_evict (cache, 0, NULL, NULL, &error), ==, 2);
  g_assert_no_error (error);
  g_log_set_always_fatal (fatal);
  encore_cache_close (cache);
  fixture_remove (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/limits/evict-spares-pinned-playing-queued", test_evict);
  g_test_add_func ("/limits/size-and-quarter", test_limit);
  g_test_add_func ("/limits/announced-size-empties-no-cache", test_announced);
  g_test_add_func ("/limits/disk-that-refuses-though-it-has-room", test_refusing_disk);
  g_test_add_func ("/limits/history-remembers-plays", test_history);
  g_test_add_func ("/limits/history-is-bounded", test_history_trim);
  g_test_add_func ("/limits/age-by-time-lived", test_age);
  g_test_add_func ("/limits/min-free", test_min_free);
  g_test_add_data_func ("/limits/full-disk-and-reserve", use_full_disk, test_full_disk);
  g_test_add_data_func ("/limits/full-disk-of-others", use_hopeless_disk, test_full_disk);
  g_test_add_data_func ("/limits/full-disk-at-open", open_on_full_disk, test_full_disk);
  g_test_add_func ("/limits/a-lost-total-is-no-empty-cache", test_total_lost);
  return g_test_run ();
}
