/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The store: hit, miss, waiting, counts, failures, aliases.  Limits, repair and refusals have tests
 * of their own. */
#include "config.h"
#include "store/encore-cache.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store-fixture.h"
#include "store/encore-open.h"

#define A "dQw4w9WgXcQ"
#define B "-bcdefghijA"
#define C "_bcdefghijE"

static gint64
plays_of (EncoreCache *cache, const char *id)
{
  g_autoptr (EncoreEntryInfo) info = NULL;

  g_assert_true (encore_cache_flush (cache, NULL));
  return encore_cache_info (cache, id, &info, NULL) ? info->access_count : -1;
}

static gboolean
is_hit (EncoreCache *cache, const char *id, gboolean count)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EncoreHandle) handle = encore_cache_get (cache, id, count, &error);

  if (handle == NULL)
    g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND);
  return handle != NULL;
}

static void
test_publish (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autofree char *file = fixture_file (dir, B);
  {
    g_autoptr (EncoreCache) cache = fixture_open (dir, 0);
    g_assert_false (is_hit (cache, B, TRUE));
    fixture_publish (cache, B, "One", 50);
    g_assert_true (g_file_test (file, G_FILE_TEST_IS_REGULAR)); /* by id, no random suffix */
    g_assert_cmpuint (fixture_count_tmp (dir), ==, 0);
  }
  g_autoptr (EncoreCache) cache = fixture_open (dir, 0);
  g_autoptr (EncoreHandle) handle = encore_cache_get (cache, B, FALSE, NULL);
  struct stat st;
  g_assert_nonnull (handle);
  g_assert_cmpint (fstat (encore_handle_get_fd (handle), &st), ==, 0);
  g_assert_cmpint (st.st_size, ==, encore_handle_get_info (handle)->opus_bytes);
  g_assert_cmpstr (encore_handle_get_info (handle)->title, ==, "One");
  g_assert_cmpuint (strlen (encore_handle_get_info (handle)->sha256), ==, 64);
  g_clear_pointer (&handle, encore_handle_free);
  g_clear_pointer (&cache, encore_cache_close);
  fixture_remove (dir);
}

static void
test_counts (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  EncoreCacheStats stats;

  fixture_publish (cache, A, "One", 5);
  g_assert_cmpint (plays_of (cache, A), ==, 1);
  g_assert_true (
      is_hit (cache, A, TRUE)); /* play, skip, play again: a hit, and the count goes up */
  g_assert_cmpint (plays_of (cache, A), ==, 2);
  for (int i = 0; i < 10; i++)
    is_hit (cache, A, TRUE);
  is_hit (cache, C, TRUE);
  encore_cache_stats (cache, &stats);
  g_assert_cmpint (stats.hits, ==, 11);
  g_assert_cmpint (stats.misses, ==, 1);
  g_assert_cmpint (stats.total_plays, ==, 12);
  encore_cache_close (cache);
  cache = fixture_open (dir, 0);
  g_assert_cmpint (plays_of (cache, A), ==, 12);
  encore_cache_close (cache);
  fixture_remove (dir);
}

typedef struct {
  EncoreCache *cache;
  gint fetches, hits;
} Race;

static gpointer
race_thread (gpointer data)
{
  Race *race = data;
  g_autoptr (EncoreHandle) hit = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (EncoreClaim) claim = encore_cache_claim (race->cache, A, 0, NULL, &hit, &error);

  g_assert_no_error (error);
  if (claim == NULL) {
    g_atomic_int_inc (&race->hits);
    return NULL;
  }
  g_atomic_int_inc (&race->fetches);
  g_autofree char *path = g_build_filename (encore_claim_get_dir (claim), "x.opus", NULL);
  fixture_write_opus (path, A, "One", 500);
  const EncorePublish what = {.opus_name = "x.opus"};
  g_autoptr (EncoreHandle) handle = encore_claim_publish (claim, &what, &error);
  g_assert_no_error (error);
  g_assert_nonnull (handle);
  return NULL;
}

/* Sixteen threads want one new song: who waits for the lock looks again and finds it. */
static void
test_look_again (void)
{
  g_autofree char *dir = fixture_make_dir ();
  Race race = {.cache = fixture_open (dir, 0)};
  GThread *threads[16];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("race", race_thread, &race);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_cmpint (race.fetches, ==, 1);
  g_assert_cmpint (race.hits, ==, 15);
  encore_cache_close (race.cache);
  fixture_remove (dir);
}

static void
test_claim_patience (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  g_autoptr (EncoreHandle) hit = NULL;
  g_autoptr (GError) late = NULL, left = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  EncoreClaim *claim = encore_cache_claim (cache, A, 0, NULL, &hit, NULL);

  g_assert_nonnull (claim);
  g_assert_null (encore_cache_claim (cache, A, g_get_monotonic_time () + 50000, NULL, &hit, &late));
  g_assert_error (late, ENCORE_ERROR, ENCORE_ERROR_DEADLINE);
  g_cancellable_cancel (cancellable);
  g_assert_null (encore_cache_claim (cache, A, 0, cancellable, &hit, &left));
  g_assert_error (left, ENCORE_ERROR, ENCORE_ERROR_CANCELLED);
  encore_claim_free (claim);
  g_assert_cmpuint (fixture_count_tmp (dir), ==, 0);
  encore_cache_close (cache);
  fixture_remove (dir);
}

static gpointer
cancel_soon (gpointer data)
{
  g_usleep (50000);
  g_cancellable_cancel (data);
  return NULL;
}

static void
test_failures (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  g_autoptr (EncoreHandle) hit = NULL;
  g_autoptr (GError) error = NULL;
  gint64 retry_s = 0;
  EncoreClaim *claim = encore_cache_claim (cache, A, 0, NULL, &hit, NULL);

  encore_claim_fail (claim, ENCORE_ERROR_PRIVATE, "Private video");
  encore_claim_free (claim);
  g_assert_true (encore_cache_get_failure (cache, A, &retry_s, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_PRIVATE);
  g_assert_cmpint (retry_s, >, 6 * 24 * 3600);
  g_assert_false (is_hit (cache, A, FALSE));
  g_assert_true (encore_cache_forget_failure (cache, A, NULL));
  g_assert_false (encore_cache_get_failure (cache, A, NULL, NULL));
  fixture_publish (cache, A, "Now public", 5);
  g_assert_true (is_hit (cache, A, FALSE));
  encore_cache_close (cache);
  fixture_remove (dir);
}

static void
test_alias (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  g_autoptr (EncoreHandle) hit = NULL;
  EncoreClaim *claim = encore_cache_claim (cache, A, 0, NULL, &hit, NULL);
  g_autofree char *path = g_build_filename (encore_claim_get_dir (claim), "x.opus", NULL);
  const EncorePublish what = {.opus_name = "x.opus", .answered_id = B};
  g_autofree char *file = fixture_file (dir, B);
  EncoreCacheStats stats;

  fixture_write_opus (path, B, "One", 5);
  EncoreHandle *handle = encore_claim_publish (claim, &what, NULL);
  g_assert_cmpstr (encore_handle_get_info (handle)->id, ==, B);
  encore_handle_free (handle);
  encore_claim_free (claim);
  g_assert_true (is_hit (cache, A, FALSE));
  g_assert_true (is_hit (cache, B, FALSE));
  g_assert_true (g_file_test (file, G_FILE_TEST_EXISTS));
  encore_cache_stats (cache, &stats);
  g_assert_cmpint (stats.entries, ==, 1);
  encore_cache_close (cache);
  fixture_remove (dir);
}

static void
test_find (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);

  fixture_publish (cache, A, "Never Gonna Give You Up", 5);
  fixture_publish (cache, B, "\"Quoted\" AND (odd) * title", 5);
  static const struct {
    const char *words;
    guint hits;
  } rows[] = {{"never", 1},    {"NEVER up", 1}, {"gon", 1}, {"odd quot", 1}, {"nothing", 0},
              {"\" OR \"", 0}, {"", 0},         {"AND", 1}, {"never*", 1},   {"title:x", 0}};
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (GPtrArray) infos = encore_cache_find (cache, rows[i].words, 10, &error);
    g_assert_no_error (error);
    if (infos->len != rows[i].hits)
      g_error ("'%s' found %u", rows[i].words, infos->len);
  }
  g_autoptr (GPtrArray) all = encore_cache_list (cache, ENCORE_SORT_TITLE, 0, 10, NULL);
  g_assert_cmpuint (all->len, ==, 2);
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* A process that was stopped in the middle of a fetch keeps the id's lock: nobody waits for it
 * longer than he wants to. */
static void
test_stopped_holder (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (EncoreHandle) hit = NULL;
  g_autoptr (GError) late = NULL, left = NULL;
  const pid_t child = fixture_hold (dir, A);
  EncoreCache *cache = fixture_open (dir, 0);
  int status;

  g_assert_cmpint (kill (child, SIGSTOP), ==, 0);
  const gint64 begin_us = g_get_monotonic_time ();
  g_assert_null (encore_cache_claim (cache, A, begin_us + 100000, NULL, &hit, &late));
  g_assert_error (late, ENCORE_ERROR, ENCORE_ERROR_DEADLINE);
  GThread *canceller = g_thread_new ("cancel", cancel_soon, cancellable);
  g_assert_null (encore_cache_claim (cache, A, 0, cancellable, &hit, &left));
  g_assert_error (left, ENCORE_ERROR, ENCORE_ERROR_CANCELLED);
  g_thread_join (canceller);
  g_assert_cmpint (g_get_monotonic_time () - begin_us, <, 2 * G_USEC_PER_SEC);
  g_assert_cmpint (kill (child, SIGKILL), ==, 0);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  fixture_publish (cache, A, "Mine now", 5); /* what the dead one left is nobody's */
  encore_cache_close (cache);
  fixture_remove (dir);
}

static gpointer
fail_soon (gpointer data)
{
  EncoreClaim *claim = data;

  g_usleep (50000);
  encore_claim_fail (claim, ENCORE_ERROR_GEO, "not in your country");
  encore_claim_free (claim);
  return NULL;
}

/* Who waited for a fetch that fails gets its failure; who comes later may try. */
static void
test_shared_failure (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  g_autoptr (EncoreHandle) hit = NULL;
  g_autoptr (GError) shared = NULL;
  EncoreClaim *claim = encore_cache_claim (cache, A, 0, NULL, &hit, NULL);
  GThread *failing = g_thread_new ("fail", fail_soon, claim);

  g_assert_null (encore_cache_claim (cache, A, 0, NULL, &hit, &shared));
  g_assert_error (shared, ENCORE_ERROR, ENCORE_ERROR_GEO);
  g_thread_join (failing);
  fixture_publish (cache, A, "By another way", 5);
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* A failure that would hold for longer than any does was told by a clock that was set back since.
 */
static void
test_failure_clock (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  g_autoptr (EncoreHandle) hit = NULL;
  EncoreClaim *claim = encore_cache_claim (cache, A, 0, NULL, &hit, NULL);

  encore_claim_fail (claim, ENCORE_ERROR_PRIVATE, "Private video");
  encore_claim_free (claim);
  g_assert_true (encore_cache_get_failure (cache, A, NULL, NULL));
  fixture_sql (dir, "UPDATE entry SET fail_until = fail_until + 365 * 24 * 3600");
  g_assert_false (encore_cache_get_failure (cache, A, NULL, NULL));
  /* by an hour: also one that holds for half a minute would hold for longer than it may */
  fixture_sql (dir, "UPDATE entry SET fail_code = 'failed', fail_until = unixepoch () + 25");
  g_assert_true (encore_cache_get_failure (cache, A, NULL, NULL));
  fixture_sql (dir, "UPDATE entry SET fail_until = fail_until + 3600");
  g_assert_false (encore_cache_get_failure (cache, A, NULL, NULL));
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* With no descriptor left a cached song cannot be opened; that is no miss, whoever takes it for one
 * removes the file to fetch it again. */
static void
test_descriptors (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autofree char *file = fixture_file (dir, A);
  EncoreCache *cache = fixture_open (dir, 0);
  struct rlimit old;

  fixture_publish (cache, A, "One", 5);
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &old), ==, 0);
  for (int i = 0; i < 2; i++) { /* none for the file; none for the first lease */
    g_autoptr (GError) error = NULL;
    const int next = dup (0);
    const struct rlimit few = {next, old.rlim_max};
    close (next);
    g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &few), ==, 0);
    g_assert_null (encore_cache_get (cache, A, FALSE, &error));
    g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &old), ==, 0);
    g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE);
    encore_cache_close (cache);
    cache = fixture_open (dir, 0);
  }
  g_assert_true (is_hit (cache, A, FALSE));
  g_assert_true (g_file_test (file, G_FILE_TEST_EXISTS));
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* However many rooms play a song, it is open once; published anew it is another file. */
static void
test_shared_descriptor (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autofree char *file = fixture_file (dir, A);
  g_autofree char *other = g_strconcat (file, ".new", NULL);
  EncoreCache *cache = fixture_open (dir, 0);
  EncoreHandle *handles[50];
  struct stat before, after;
  char bytes[8];

  fixture_publish (cache, A, "One", 5);
  g_assert_true (is_hit (cache, A, FALSE)); /* what stays open from the first hit on */
  const guint none = fixture_count_entries ("/proc/self/fd");
  for (guint i = 0; i < G_N_ELEMENTS (handles); i++)
    g_assert_nonnull (handles[i] = encore_cache_get (cache, A, FALSE, NULL));
  g_assert_cmpuint (fixture_count_entries ("/proc/self/fd"), ==, none + 1);
  g_assert_cmpint (stat (file, &before), ==, 0);

  fixture_write_opus (other, A, "One", 5);
  g_assert_cmpint (rename (other, file), ==, 0);
  g_autoptr (EncoreHandle) anew = encore_cache_get (cache, A, FALSE, NULL);
  g_assert_nonnull (anew);
  g_assert_cmpint (fstat (encore_handle_get_fd (anew), &after), ==, 0);
  g_assert_cmpint (after.st_ino, !=, before.st_ino);
  for (guint i = 0; i + 1 < G_N_ELEMENTS (handles); i++)
    encore_handle_free (handles[i]);
  const int last = encore_handle_get_fd (handles[G_N_ELEMENTS (handles) - 1]);
  g_assert_cmpint (fstat (last, &after), ==, 0);
  g_assert_cmpint (after.st_ino, ==, before.st_ino);
  g_assert_cmpint (pread (last, bytes, sizeof bytes, 0), ==, sizeof bytes);
  encore_handle_free (handles[G_N_ELEMENTS (handles) - 1]);
  g_clear_pointer (&anew, encore_handle_free);
  g_assert_cmpuint (fixture_count_entries ("/proc/self/fd"), ==, none);
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* What an element of GStreamer plays has no cache any more. */
static void
test_handle_alone (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  const EncoreCacheOptions options = {.dir = dir, .read_only = TRUE};
  char bytes[4];

  fixture_publish (cache, A, "One", 5);
  encore_cache_close (cache);
  cache = encore_cache_open (&options, NULL);
  g_assert_nonnull (cache);
  EncoreHandle *handle = encore_cache_get (cache, A, FALSE, NULL);
  EncoreHandle *other = encore_cache_get (cache, A, FALSE, NULL);
  encore_cache_close (cache);
  g_assert_cmpint (pread (encore_handle_get_fd (handle), bytes, sizeof bytes, 0), ==, 4);
  encore_handle_free (handle);
  g_assert_cmpint (pread (encore_handle_get_fd (other), bytes, sizeof bytes, 0), ==, 4);
  encore_handle_free (other);
  fixture_remove (dir);
}

/* Below an overlay two songs may have the same inode, of two devices. */
static void
test_same_inode (void)
{
  EncoreOpen *open = encore_open_new ();
  struct stat st = {.st_dev = 1, .st_ino = 124}, other = {.st_dev = 2, .st_ino = 124};
  const int a = dup (0), b = dup (0), c = dup (0);
  EncoreOpenFile *one = encore_open_share (open, a, &st);
  EncoreOpenFile *two = encore_open_share (open, b, &other);

  g_assert_cmpint (encore_open_file_get_fd (one), ==, a);
  g_assert_cmpint (encore_open_file_get_fd (two), ==, b);
  g_assert_true (encore_open_share (open, c, &st) == one);
  encore_open_unshare (one);
  encore_open_unshare (two);
  g_assert_cmpint (fcntl (a, F_GETFD), >=, 0);
  g_assert_cmpint (fcntl (b, F_GETFD), <, 0);
  encore_open_unref (open);
  encore_open_unshare (one); /* the last one keeps what it needs */
  g_assert_cmpint (fcntl (a, F_GETFD), <, 0);
}

/* Who would fetch a song whose row was lost finds its file; a broken one makes room. */
static void
test_claim_adopts (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  g_autofree char *whole = fixture_file (dir, A);
  g_autofree char *broken = fixture_file (dir, B);
  g_autoptr (GError) error = NULL;
  g_autoptr (EncoreHandle) hit = NULL;
  g_autoptr (EncoreHandle) none = NULL;

  fixture_write_opus (whole, A, "Found again", 10);
  fixture_write_opus (broken, A, "Under another's name", 10);
  g_autoptr (EncoreClaim) no_claim = encore_cache_claim (cache, A, 0, NULL, &hit, &error);
  g_assert_no_error (error);
  g_assert_null (no_claim);
  g_assert_nonnull (hit);
  g_assert_cmpstr (encore_handle_get_info (hit)->title, ==, "Found again");
  EncoreClaim *claim = encore_cache_claim (cache, B, 0, NULL, &none, &error);
  g_assert_no_error (error);
  g_assert_nonnull (claim);
  g_assert_null (none);
  g_assert_false (g_file_test (broken, G_FILE_TEST_EXISTS));
  encore_claim_free (claim);
  g_clear_pointer (&hit, encore_handle_free);
  encore_cache_close (cache);
  fixture_remove (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/store/names-by-id-never-a-random-suffix", test_publish);
  g_test_add_func ("/store/play-again-is-a-hit-and-the-count-goes-up", test_counts);
  g_test_add_func ("/store/lookup-again-under-the-lock", test_look_again);
  g_test_add_func ("/store/claim-has-deadline-and-cancel", test_claim_patience);
  g_test_add_func ("/store/failures-are-remembered", test_failures);
  g_test_add_func ("/store/alias", test_alias);
  g_test_add_func ("/store/find-and-list", test_find);
  g_test_add_func ("/store/waiter-leaves-a-stopped-process", test_stopped_holder);
  g_test_add_func ("/store/waiters-share-a-failure", test_shared_failure);
  g_test_add_func ("/store/failure-with-a-clock-set-back", test_failure_clock);
  g_test_add_func ("/store/hit-survives-want-of-descriptors", test_descriptors);
  g_test_add_func ("/store/a-song-is-open-once", test_shared_descriptor);
  g_test_add_func ("/store/a-handle-outlives-a-read-only-cache", test_handle_alone);
  g_test_add_func ("/store/two-songs-of-one-inode", test_same_inode);
  g_test_add_func ("/store/a-lost-row-is-no-second-download", test_claim_adopts);
  return g_test_run ();
}
