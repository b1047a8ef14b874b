/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The store: hit, miss, counts, failures, aliases, eviction, rows and files put right. */
#include "config.h"
#include "store/encore-cache.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store-fixture.h"

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
    is_hit (cache, A, TRUE);
  g_assert_true (encore_cache_pin (cache, "song0-00000A", TRUE, NULL));
  EncoreHandle *playing = encore_cache_get (cache, "song1-00000A", FALSE, NULL);
  EncoreLease *queued = encore_cache_protect (cache, "song2-00000A");

  removed = encore_cache_evict (cache, 5 * 22000, NULL, NULL, NULL);
  g_assert_cmpint (removed, >, 0);
  g_assert_true (g_file_test (kept, G_FILE_TEST_EXISTS));
  g_assert_true (is_hit (cache, "song0-00000A", FALSE));
  g_assert_true (is_hit (cache, "song1-00000A", FALSE));
  g_assert_true (is_hit (cache, "song2-00000A", FALSE));
  g_assert_cmpint (encore_cache_clear (cache, NULL, NULL, NULL, NULL), >, 0);
  g_assert_true (is_hit (cache, "song0-00000A", FALSE));
  g_assert_true (is_hit (cache, "song1-00000A", FALSE));
  g_assert_false (is_hit (cache, A, FALSE));
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

/* A whole file without a row gets one, a broken one goes; a row without its file goes. */
static void
test_audit (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  g_autofree char *orphan = fixture_file (dir, A);
  g_autofree char *broken = fixture_file (dir, B);
  g_autofree char *vanished = fixture_file (dir, C);
  EncoreAudit audit;

  fixture_write_opus (orphan, A, "Found again", 10);
  g_assert_true (g_file_set_contents (broken, "no music", -1, NULL));
  fixture_publish (cache, C, "Vanishes", 10);
  g_assert_cmpint (g_unlink (vanished), ==, 0);
  /* dry: the same is told, nothing is done */
  g_assert_true (encore_cache_audit (cache, TRUE, &audit, NULL, NULL, NULL));
  g_assert_cmpint (audit.adopted, ==, 1);
  g_assert_cmpint (audit.orphans, ==, 1);
  g_assert_cmpint (audit.dangling, ==, 1);
  g_assert_false (is_hit (cache, A, FALSE));
  g_assert_true (g_file_test (orphan, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (broken, G_FILE_TEST_EXISTS));
  g_assert_true (encore_cache_audit (cache, FALSE, &audit, NULL, NULL, NULL));
  g_assert_cmpint (audit.adopted, ==, 1);
  g_assert_cmpint (audit.orphans, ==, 1);
  g_assert_cmpint (audit.orphan_bytes, ==, 8);
  g_assert_cmpint (audit.dangling, ==, 1);
  g_assert_true (is_hit (cache, A, FALSE));
  g_assert_false (is_hit (cache, C, FALSE));
  g_assert_false (g_file_test (broken, G_FILE_TEST_EXISTS));
  g_assert_true (encore_cache_audit (cache, FALSE, &audit, NULL, NULL, NULL));
  g_assert_cmpint (audit.adopted + audit.orphans + audit.dangling + audit.mismatched, ==, 0);
  encore_cache_close (cache);
  fixture_remove (dir);
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

/* A process that was killed in the middle of a fetch leaves nothing behind. */
static void
test_recover (void)
{
  g_autofree char *dir = fixture_make_dir ();
  const pid_t child = fork ();

  if (child == 0) {
    EncoreHandle *hit = NULL;
    EncoreCache *cache = fixture_open (dir, 0);
    EncoreClaim *claim = encore_cache_claim (cache, A, 0, NULL, &hit, NULL);
    g_autofree char *path = g_build_filename (encore_claim_get_dir (claim), "x.part", NULL);
    g_file_set_contents (path, "half", -1, NULL);
    raise (SIGKILL);
  }
  g_assert_cmpint (waitpid (child, NULL, 0), ==, child);
  g_assert_cmpuint (fixture_count_tmp (dir), ==, 1);
  EncoreCache *cache = fixture_open (dir, 0);
  g_assert_cmpuint (fixture_count_tmp (dir), ==, 0);
  fixture_publish (cache, A, "Second try", 5);
  encore_cache_close (cache);
  fixture_remove (dir);
}

static void
test_refusals (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autofree char *link = g_strconcat (dir, "-link", NULL);
  const EncoreCacheOptions through_link = {.dir = link};
  const EncoreCacheOptions open_to_all = {.dir = dir};
  g_autoptr (GError) linked = NULL, open = NULL;

  g_assert_cmpint (symlink (dir, link), ==, 0);
  g_assert_null (encore_cache_open (&through_link, &linked));
  g_assert_nonnull (strstr (linked->message, "symbolic link"));
  g_assert_cmpint (chmod (dir, 0777), ==, 0);
  g_assert_null (encore_cache_open (&open_to_all, &open));
  g_assert_nonnull (strstr (open->message, "written by others"));
  g_unlink (link);
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
  g_test_add_func ("/store/evict-spares-pinned-playing-queued", test_evict);
  g_test_add_func ("/store/limit-and-quarter", test_limit);
  g_test_add_func ("/store/orphan-and-dangling-are-put-right", test_audit);
  g_test_add_func ("/store/a-lost-row-is-no-second-download", test_claim_adopts);
  g_test_add_func ("/store/killed-fetch-is-recovered", test_recover);
  g_test_add_func ("/store/refuses-links-and-open-directories", test_refusals);
  return g_test_run ();
}
