/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A database that is lost, damaged or old: made again, copied once a week, migrated.
 */
#include "config.h"
#include "store/encore-cache.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/encore-media-id.h"
#include "store-fixture.h"
#include "store/encore-cache-private.h"

#define A "dQw4w9WgXcQ"
#define B "-bcdefghijA"
#define C "_bcdefghijE"

static void
fill (const char *dir, gboolean with_copy)
{
  EncoreCache *cache = fixture_open (dir, 0);
  g_autoptr (GError) error = NULL;

  fixture_publish (cache, A, "Never Gonna Give You Up", 10);
  fixture_publish (cache, B, "Pinned", 10);
  fixture_publish (cache, C, "Gone", 10);
  g_assert_true (encore_cache_pin (cache, B, TRUE, NULL));
  fixture_is_hit (cache, A, TRUE);
  fixture_is_hit (cache, A, TRUE);
  g_assert_true (encore_cache_remove (cache, C, NULL));
  g_assert_true (encore_cache_flush (cache, NULL));
  if (with_copy)
    g_assert_true (encore_backup_make (cache, &error));
  g_assert_no_error (error);
  encore_cache_close (cache);
}

static gint64
plays_of (EncoreCache *cache, const char *id)
{
  g_autoptr (EncoreEntryInfo) info = NULL;

  return encore_cache_info (cache, id, &info, NULL) ? info->access_count : -1;
}

typedef enum { FROM_FILES, FROM_RUINS, FROM_COPY } Known; /* what is not in the files */

static void
check_rebuilt (const char *dir, Known known)
{
  EncoreCache *cache = fixture_open (dir, 0);
  g_autoptr (GPtrArray) found = encore_cache_find (cache, "gonna", 10, NULL);
  g_autoptr (EncoreEntryInfo) info = NULL;
  EncoreCacheStats stats;
  EncoreAudit audit;

  encore_cache_stats (cache, &stats);
  g_assert_cmpint (stats.entries, ==, 2);
  g_assert_true (fixture_is_hit (cache, A, FALSE));
  g_assert_true (fixture_is_hit (cache, B, FALSE));
  g_assert_cmpuint (found->len, ==, 1);
  g_assert_true (encore_cache_info (cache, B, &info, NULL));
  g_assert_cmpint (info->pinned, ==, known != FROM_FILES);
  g_assert_cmpuint (strlen (info->sha256), ==, known == FROM_COPY ? 64 : 0);
  g_assert_cmpint (plays_of (cache, A), ==, known != FROM_FILES ? 3 : 0);
  g_assert_cmpint (stats.total_plays, ==, known == FROM_COPY ? 5 : known == FROM_RUINS ? 4 : 0);
  g_assert_true (encore_cache_verify (cache, B, FALSE, NULL)); /* gets its checksum */
  g_assert_cmpint (fixture_number (dir, "SELECT length (sha256) FROM entry WHERE id = '" B "'"), ==,
                   64);
  g_assert_true (encore_cache_audit (cache, FALSE, &audit, NULL, NULL, NULL));
  g_assert_cmpint (audit.adopted + audit.orphans + audit.dangling + audit.mismatched, ==, 0);
  encore_cache_close (cache);
}

static void
overwrite (const char *dir, const char *name, const char *bytes, gssize len)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);

  g_assert_true (g_file_set_contents (path, bytes, len, NULL));
}

/* Lost, emptied, overwritten, with a page of zeroes in it, of an unknown format: all songs are
 * there.
 */
static void
test_rebuild (gconstpointer data)
{
  const gboolean with_copy = GPOINTER_TO_INT (data);
  static const char *const ways[] = {"lost", "empty", "garbage", "zeroes", "format"};

  for (guint i = 0; i < G_N_ELEMENTS (ways); i++) {
    g_autofree char *dir = fixture_make_dir ();
    g_autofree char *db = g_build_filename (dir, "encore.db", NULL);
    g_autofree char *bytes = NULL;
    gsize len;
    fill (dir, with_copy);
    g_assert_true (g_file_get_contents (db, &bytes, &len, NULL));
    if (i == 0)
      g_assert_cmpint (g_unlink (db), ==, 0);
    else if (i == 1)
      overwrite (dir, "encore.db", "", 0);
    else if (i == 2)
      overwrite (dir, "encore.db", "This was a database once, but is one no more.", -1);
    else if (i == 3)
      memset (bytes + 4096, 0, 8192), overwrite (dir, "encore.db", bytes, len);
    else /* of the schema: SQLite says no more than "error" */
      bytes[47] = 9, overwrite (dir, "encore.db", bytes, len);
    if (i >= 2)
      g_test_expect_message ("Encore", G_LOG_LEVEL_WARNING, "*the database is damaged*");
    g_test_expect_message ("Encore", G_LOG_LEVEL_WARNING, "*made again from the files*2 songs*");
    check_rebuilt (dir, with_copy ? FROM_COPY : FROM_FILES);
    g_test_assert_expected_messages ();
    fixture_remove (dir);
  }
}

/* A rebuild that is killed begins again; broken files are not taken in. */
static void
test_rebuild_broken (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autofree char *db = g_build_filename (dir, "encore.db", NULL);
  g_autofree char *cut = fixture_file (dir, B);
  struct stat st;

  fill (dir, FALSE);
  g_assert_cmpint (g_stat (cut, &st), ==, 0);
  g_assert_cmpint (truncate (cut, st.st_size - 20), ==, 0);
  g_assert_cmpint (g_unlink (db), ==, 0);
  g_test_expect_message ("Encore", G_LOG_LEVEL_WARNING, "*1 songs, 1 broken files*");
  EncoreCache *cache = fixture_open (dir, 0);
  g_test_assert_expected_messages ();
  g_assert_true (fixture_is_hit (cache, A, FALSE));
  g_assert_false (fixture_is_hit (cache, B, FALSE));
  g_assert_false (g_file_test (cut, G_FILE_TEST_EXISTS));
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* Nobody takes the database from under somebody who uses it. */
static void
test_rebuild_beside (void)
{
  g_autofree char *dir = fixture_make_dir ();
  const EncoreCacheOptions options = {.dir = dir, .rebuild = TRUE};
  g_autoptr (GError) busy = NULL, error = NULL;

  fill (dir, FALSE);
  const pid_t peer = fixture_hold (dir, NULL);
  g_assert_null (encore_cache_open (&options, &busy));
  g_assert_error (busy, ENCORE_ERROR, ENCORE_ERROR_BUSY);
  kill (peer, SIGKILL);
  g_assert_cmpint (waitpid (peer, NULL, 0), ==, peer);
  g_test_expect_message ("Encore", G_LOG_LEVEL_WARNING, "*renewed as was asked*");
  g_test_expect_message ("Encore", G_LOG_LEVEL_WARNING, "*made again from the files*");
  EncoreCache *cache = encore_cache_open (&options, &error);
  g_assert_no_error (error);
  g_test_assert_expected_messages ();
  encore_cache_close (cache);
  check_rebuilt (dir, FROM_COPY);
  fixture_remove (dir);
}

static guint
count_asides (const char *dir)
{
  g_autoptr (GDir) entries = g_dir_open (dir, 0, NULL);
  const char *name;
  guint n = 0;

  while ((name = g_dir_read_name (entries)) != NULL)
    n += g_str_has_prefix (name, "encore.db.corrupt-");
  return n;
}

/* Asked to make a damaged database again: once, and the damaged one is kept as it was.  Two within
 * one second have two names. */
static void
test_rebuild_damaged (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autofree char *db = g_build_filename (dir, "encore.db", NULL);
  const EncoreCacheOptions options = {.dir = dir, .rebuild = TRUE};
  g_autofree char *bytes = NULL, *kept = NULL, *aside = NULL;
  gsize len, kept_len;

  fill (dir, FALSE);
  g_assert_true (g_file_get_contents (db, &bytes, &len, NULL));
  memset (bytes + 4096, 0, 8192), overwrite (dir, "encore.db", bytes, len);
  g_test_expect_message ("Encore", G_LOG_LEVEL_WARNING, "*the database is damaged*");
  g_test_expect_message ("Encore", G_LOG_LEVEL_WARNING, "*made again from the files*");
  EncoreCache *cache = encore_cache_open (&options, NULL);
  g_test_assert_expected_messages ();
  encore_cache_close (cache);
  g_assert_cmpuint (count_asides (dir), ==, 1);
  g_autoptr (GDir) entries = g_dir_open (dir, 0, NULL);
  while (aside == NULL || !g_str_has_prefix (aside, "encore.db.corrupt-")) {
    g_free (aside);
    aside = g_strdup (g_dir_read_name (entries));
  }
  g_autofree char *path = g_build_filename (dir, aside, NULL);
  g_assert_true (g_file_get_contents (path, &kept, &kept_len, NULL));
  g_assert_cmpmem (kept, kept_len, bytes, len);
  g_test_expect_message ("Encore", G_LOG_LEVEL_WARNING, "*renewed as was asked*");
  g_test_expect_message ("Encore", G_LOG_LEVEL_WARNING, "*made again from the files*");
  encore_cache_close (encore_cache_open (&options, NULL));
  g_test_assert_expected_messages ();
  g_assert_cmpuint (count_asides (dir), ==, 2);
  fixture_remove (dir);
}

/* Rebuilt, songs go in the order in which they would have gone. */
static void
test_rebuild_order (void)
{
  static const EncoreEvictPolicy policies[] = {ENCORE_EVICT_LRU, ENCORE_EVICT_AGE};

  for (guint i = 0; i < G_N_ELEMENTS (policies); i++) {
    g_autofree char *dir = fixture_make_dir ();
    const EncoreCacheOptions options = {.dir = dir, .policy = policies[i], .rebuild = TRUE};
    EncoreCache *cache = fixture_open (dir, 0);
    fixture_publish (cache, A, "One", 5);
    fixture_publish (cache, B, "Two", 5);
    fixture_publish (cache, C, "Three", 5);
    encore_cache_close (cache);
    fixture_sql (dir, "UPDATE entry SET last_access = 300, created_at = 20 WHERE id = '" A "';"
                      "UPDATE entry SET last_access = 200, created_at = 30 WHERE id = '" B "';"
                      "UPDATE entry SET last_access = 100, created_at = 10 WHERE id = '" C "'");
    fixture_let_warn ();
    encore_cache_close (encore_cache_open (&options, NULL));
    g_assert_cmpint (fixture_number (dir, "SELECT count (*) FROM entry WHERE state = 1"), ==, 3);
    g_assert_cmpint (
        fixture_number (dir, i == 0
                                 ? "SELECT group_concat (id, '') = '" C B A
                                   "' FROM (SELECT id FROM entry ORDER BY prio)"
                                 : "SELECT group_concat (id, '') = '" C A B
                                   "' FROM (SELECT id FROM entry ORDER BY prio)"),
        ==, 1);
    g_assert_cmpint (
        fixture_number (
            dir, "SELECT max (prio) <= (SELECT v FROM total WHERE k = 'turn') FROM entry"),
        ==, 1);
    fixture_remove (dir);
  }
}

/* Something that looked wrong while the database was used is looked into at the next open.  A large
 * one that was closed is not read through without a reason. */
static void
test_suspect (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autofree char *suspect = g_build_filename (dir, "encore.db-suspect", NULL);
  g_autofree char *db = g_build_filename (dir, "encore.db", NULL);
  struct stat st;

  fill (dir, FALSE);
  g_assert_true (g_file_set_contents (suspect, "", 0, NULL));
  encore_cache_close (fixture_open (dir, 0));
  g_assert_false (g_file_test (suspect, G_FILE_TEST_EXISTS)); /* it was sound */

  fixture_sql (dir, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                    " WHERE i < 3000) INSERT INTO entry (id, state, access_count, title)"
                    " SELECT 'gone' || i, 3, 1, hex (zeroblob (1000)) FROM n;"
                    "PRAGMA wal_checkpoint (TRUNCATE)");
  g_assert_cmpint (g_stat (db, &st), ==, 0);
  g_assert_cmpint (st.st_size, >, 5 << 20);
  const int fd = open (db, O_WRONLY | O_CLOEXEC);
  g_autofree char *zeroes = g_malloc0 (1 << 20);
  g_assert_cmpint (pwrite (fd, zeroes, 1 << 20, 3 << 20), ==, 1 << 20);
  close (fd);
  encore_cache_close (fixture_open (dir, 0));
  g_assert_true (g_file_set_contents (suspect, "", 0, NULL));
  g_test_expect_message ("Encore", G_LOG_LEVEL_WARNING, "*the database is damaged*");
  g_test_expect_message ("Encore", G_LOG_LEVEL_WARNING, "*made again from the files*2 songs*");
  check_rebuilt (dir, FROM_RUINS); /* the bad pages have others */
  g_test_assert_expected_messages ();
  g_assert_false (g_file_test (suspect, G_FILE_TEST_EXISTS));
  fixture_remove (dir);
}

/* Somebody died over the copy: nothing of it stays. */
static void
test_backup_begun (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autofree char *begun = g_build_filename (dir, ENCORE_BACKUP_NAME "-new", NULL);
  g_autofree char *journal = g_strconcat (begun, "-journal", NULL);

  fill (dir, TRUE);
  for (int i = 0; i < 2; i++) {
    g_assert_true (g_file_set_contents (begun, "begun", -1, NULL));
    g_assert_true (g_file_set_contents (journal, "begun", -1, NULL));
    EncoreCache *cache = fixture_open (dir, 0);
    if (i == 1)
      g_assert_true (encore_backup_make (cache, NULL));
    encore_cache_close (cache);
    g_assert_false (g_file_test (begun, G_FILE_TEST_EXISTS));
    g_assert_false (g_file_test (journal, G_FILE_TEST_EXISTS));
  }
  fixture_remove (dir);
}

/* The copy is made once a week, by one; its time may be wrong. */
static void
test_backup_due (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autofree char *copy = g_build_filename (dir, ENCORE_BACKUP_NAME, NULL);
  EncoreCache *cache = fixture_open (dir, 0);
  const gint64 now_s = g_get_real_time () / G_USEC_PER_SEC;
  static const struct {
    int days;
    gboolean due;
  } rows[] = {{0, FALSE}, {-6, FALSE}, {-8, TRUE}, {8, TRUE}};
  struct stat before, after;

  fixture_publish (cache, A, "One", 5);
  encore_backup_if_due (cache);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    const struct timespec times[2] = {{.tv_sec = now_s + rows[i].days * 24 * 3600},
                                      {.tv_sec = now_s + rows[i].days * 24 * 3600}};
    g_assert_cmpint (utimensat (AT_FDCWD, copy, times, 0), ==, 0);
    g_assert_cmpint (g_stat (copy, &before), ==, 0);
    encore_backup_if_due (cache);
    g_assert_cmpint (g_stat (copy, &after), ==, 0);
    g_assert_cmpint (before.st_ino != after.st_ino, ==, rows[i].due);
  }
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* The cache as the first released version left it, with its files. */
static void
make_version_2 (const char *dir)
{
  g_autofree char *path =
      g_build_filename (g_getenv ("G_TEST_SRCDIR"), "fixtures/encore-v2.sql", NULL);
  static const struct {
    const char *id;
    guint packets;
  } songs[] = {{A, 5}, {B, 7}, {"answeredidA", 4}};
  g_autofree char *sql = NULL;

  encore_cache_close (fixture_open (dir, 0)); /* the directories */
  g_autofree char *db = g_build_filename (dir, "encore.db", NULL);
  g_assert_cmpint (g_unlink (db), ==, 0);
  g_assert_true (g_file_get_contents (path, &sql, NULL, NULL));
  fixture_sql (dir, sql);
  for (guint i = 0; i < G_N_ELEMENTS (songs); i++) {
    g_autofree char *file = fixture_file (dir, songs[i].id);
    const char *const titles[] = {"Never Gonna Give You Up", "\"Quoted\" title; DROP TABLE",
                                  "Answered"};
    fixture_write_opus (file, songs[i].id, titles[i], songs[i].packets);
  }
}

/* @with_index: some of that version had an index that others lacked. */
static void
test_migrate (gconstpointer with_index)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autoptr (EncoreEntryInfo) info = NULL;
  EncoreAudit audit;

  make_version_2 (dir);
  if (with_index != NULL)
    fixture_sql (dir, "CREATE INDEX entry_pinned ON entry (pinned, state) WHERE pinned = 1");
  EncoreCache *cache = fixture_open (dir, 0);
  g_assert_cmpint (fixture_number (dir, "PRAGMA user_version"), ==, 4);
  g_assert_true (fixture_is_hit (cache, A, FALSE));
  g_assert_true (fixture_is_hit (cache, "aliasaliasA", FALSE));
  g_assert_cmpint (plays_of (cache, A), ==, 4);
  g_assert_true (encore_cache_info (cache, B, &info, NULL));
  g_assert_true (info->pinned);
  fixture_publish (cache, C, "Back again", 5); /* its history is remembered */
  g_assert_cmpint (plays_of (cache, C), ==, 2);
  fixture_is_hit (cache, A, TRUE);
  g_assert_true (encore_cache_flush (cache, NULL));
  g_assert_cmpint (fixture_number (dir, "SELECT v > 0 FROM total WHERE k = 'seen'"), ==, 1);
  g_assert_true (encore_cache_audit (cache, FALSE, &audit, NULL, NULL, NULL));
  g_assert_cmpint (audit.adopted + audit.orphans + audit.dangling + audit.mismatched, ==, 0);
  encore_cache_close (cache);
  /* it is looked into at each open: a migrated one is what a new one is, else it is set aside */
  cache = fixture_open (dir, 0);
  g_assert_cmpint (plays_of (cache, A), ==, 5);
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* A database is not changed under an older version that uses it. */
static void
test_migrate_beside (void)
{
  g_autofree char *dir = fixture_make_dir ();
  const EncoreCacheOptions options = {.dir = dir};
  g_autoptr (GError) error = NULL;
  const pid_t peer = fixture_hold (dir, NULL);

  fixture_sql (dir, "PRAGMA user_version = 2");
  g_assert_null (encore_cache_open (&options, &error));
  g_assert_nonnull (strstr (error->message, "an older Encore is using the cache"));
  kill (peer, SIGKILL);
  g_assert_cmpint (waitpid (peer, NULL, 0), ==, peer);
  fixture_remove (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rebuild/a-copy-that-was-begun-is-removed", test_backup_begun);
  g_test_add_data_func ("/rebuild/database-made-again", GINT_TO_POINTER (FALSE), test_rebuild);
  g_test_add_data_func ("/rebuild/database-made-again-with-its-copy", GINT_TO_POINTER (TRUE),
                        test_rebuild);
  g_test_add_func ("/rebuild/database-made-again-without-broken-files", test_rebuild_broken);
  g_test_add_func ("/rebuild/database-made-again-only-when-alone", test_rebuild_beside);
  g_test_add_func ("/rebuild/damaged-one-is-kept-as-it-was", test_rebuild_damaged);
  g_test_add_func ("/rebuild/order-of-eviction", test_rebuild_order);
  g_test_add_func ("/rebuild/suspicion-is-looked-into", test_suspect);
  g_test_add_func ("/rebuild/copy-once-a-week", test_backup_due);
  g_test_add_data_func ("/rebuild/version-2-is-migrated", GINT_TO_POINTER (FALSE), test_migrate);
  g_test_add_data_func ("/rebuild/version-2-with-an-index-more-is-migrated", GINT_TO_POINTER (TRUE),
                        test_migrate);
  g_test_add_func ("/rebuild/no-migration-beside-an-older-version", test_migrate_beside);
  return g_test_run ();
}
