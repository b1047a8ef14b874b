/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Rows and files put right: recovery, audit, verification, a database that is lost, damaged or old.
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

static gboolean
is_hit (EncoreCache *cache, const char *id, gboolean count)
{
  g_autoptr (EncoreHandle) handle = encore_cache_get (cache, id, count, NULL);

  return handle != NULL;
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
  g_assert_cmpint (fixture_number (dir, "SELECT count (*) FROM entry"), ==, 1);
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

/* A process with a scratch directory in which there is something; to be killed. */
static pid_t
hold_scratch (const char *dir)
{
  int ready[2];
  char byte;

  g_assert_cmpint (pipe (ready), ==, 0);
  const pid_t child = fork ();
  if (child == 0) {
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    EncoreCache *cache = fixture_open (dir, 0);
    EncoreScratch *scratch = encore_cache_scratch (cache, "search", NULL);
    g_autofree char *home = g_build_filename (encore_scratch_get_dir (scratch), "home", NULL);
    g_autofree char *path = g_build_filename (home, "cookies.txt", NULL);
    g_mkdir (home, 0700);
    if (g_file_set_contents (path, "secret", -1, NULL) && write (ready[1], "", 1) == 1)
      pause ();
    _exit (1);
  }
  close (ready[1]);
  g_assert_cmpint (read (ready[0], &byte, 1), ==, 1);
  close (ready[0]);
  return child;
}

/* What is temporary and belongs to no song stays as long as its owner lives, and not longer. */
static void
test_scratch (void)
{
  g_autofree char *dir = fixture_make_dir ();
  const pid_t child = hold_scratch (dir);
  EncoreCache *cache = fixture_open (dir, 0);
  EncoreScratch *ours = encore_cache_scratch (cache, "live", NULL);
  EncoreAudit audit;

  g_assert_cmpuint (fixture_count_tmp (dir), ==, 2);
  g_assert_true (encore_cache_audit (cache, FALSE, &audit, NULL, NULL, NULL));
  g_assert_cmpint (audit.skipped, ==, 2);
  g_assert_true (g_file_test (encore_scratch_get_dir (ours), G_FILE_TEST_IS_DIR));
  g_assert_cmpuint (fixture_count_tmp (dir), ==, 2);
  encore_scratch_free (ours);
  g_assert_cmpuint (fixture_count_tmp (dir), ==, 1);
  encore_cache_close (cache);
  g_assert_cmpint (kill (child, SIGKILL), ==, 0);
  g_assert_cmpint (waitpid (child, NULL, 0), ==, child);
  g_assert_cmpuint (fixture_count_tmp (dir), ==, 1);
  cache = fixture_open (dir, 0);
  g_assert_cmpuint (fixture_count_tmp (dir), ==, 0);
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* The row is put right when it is the file that is whole; a source that is not what the row says is
 * forgotten, the song stays; a second file of a song goes. */
static void
test_audit_sizes (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  g_autofree char *second =
      g_strdup_printf ("%s/opus/%02x/" B ".bin", dir, (guint) (encore_id_hash (B) & 0xff));
  EncoreAudit audit;

  fixture_publish (cache, A, "Whole", 10);
  fixture_publish (cache, B, "Two files", 10);
  fixture_publish (cache, C, "Source", 10);
  g_assert_true (g_file_set_contents (second, "x", 1, NULL));
  fixture_sql (dir, "UPDATE entry SET state = 2 WHERE id = '" A "';"
                    "UPDATE entry SET opus_size = 5 WHERE id = '" A "';"
                    "UPDATE entry SET state = 1 WHERE id = '" A "';"
                    "UPDATE entry SET state = 2 WHERE id = '" C "';"
                    "UPDATE entry SET src_size = 7, src_ext = 'm4a' WHERE id = '" C "';"
                    "UPDATE entry SET state = 1 WHERE id = '" C "'");
  g_assert_true (encore_cache_audit (cache, TRUE, &audit, NULL, NULL, NULL));
  g_assert_cmpint (audit.adopted + audit.orphans + audit.mismatched, ==, 3);
  g_assert_true (g_file_test (second, G_FILE_TEST_EXISTS)); /* dry: only told */
  g_assert_true (encore_cache_audit (cache, FALSE, &audit, NULL, NULL, NULL));
  g_assert_cmpint (audit.adopted, ==, 1);
  g_assert_cmpint (audit.orphans, ==, 1);
  g_assert_cmpint (audit.mismatched, ==, 1);
  g_assert_true (is_hit (cache, A, FALSE));
  g_assert_true (is_hit (cache, B, FALSE));
  g_assert_true (is_hit (cache, C, FALSE));
  g_assert_false (g_file_test (second, G_FILE_TEST_EXISTS));
  g_assert_cmpint (fixture_number (dir, "SELECT v FROM total WHERE k = 'bytes'"), ==,
                   fixture_number (dir, "SELECT sum (opus_size + src_size) FROM entry"));
  g_assert_true (encore_cache_audit (cache, FALSE, &audit, NULL, NULL, NULL));
  g_assert_cmpint (audit.adopted + audit.orphans + audit.dangling + audit.mismatched, ==, 0);
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* What somebody works on is left alone, and so is a cache that is being closed. */
static void
test_audit_beside (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  g_autofree char *vanished = fixture_file (dir, A);
  g_autoptr (GError) error = NULL;
  EncoreAudit audit;

  fixture_publish (cache, A, "Playing", 10);
  EncoreHandle *playing = encore_cache_get (cache, A, FALSE, NULL);
  g_assert_cmpint (g_unlink (vanished), ==, 0);
  g_assert_true (encore_cache_audit (cache, FALSE, &audit, NULL, NULL, NULL));
  g_assert_cmpint (audit.dangling, ==, 0);
  g_assert_cmpint (audit.skipped, ==, 1);
  encore_handle_free (playing);
  encore_cache_interrupt (cache);
  g_assert_false (encore_cache_audit (cache, FALSE, &audit, NULL, NULL, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED);
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* What others do while an audit is in the middle of its work. */
typedef struct {
  EncoreCache *cache;
  GAsyncQueue *done; /* 1: all of it went well, 2: not */
  int decisions;
} Beside;

static gpointer
use_beside (gpointer data)
{
  Beside *beside = data;

  const gboolean plays = is_hit (beside->cache, A, TRUE);
  fixture_publish (beside->cache, "meanwhile-A", "Published meanwhile", 5);
  const gboolean ok = plays && encore_cache_flush (beside->cache, NULL) &&
                      encore_cache_remove (beside->cache, "meanwhile-A", NULL);
  g_async_queue_push (beside->done, GINT_TO_POINTER (ok ? 1 : 2));
  return NULL;
}

static void
on_decision (const char *id, gboolean removed, gint64 bytes, const char *reason, gpointer data)
{
  Beside *beside = data;

  beside->decisions++;
  GThread *thread = g_thread_new ("beside", use_beside, beside);
  /* only a thread that the audit holds up takes so long */
  const gpointer answer = g_async_queue_timeout_pop (beside->done, 8 * G_USEC_PER_SEC);
  g_assert_cmpint (GPOINTER_TO_INT (answer), ==, 1);
  g_thread_join (thread);
}

/* An audit holds nothing that a play, a publish, a flush or a removal needs, not even between two
 * songs that it puts right. */
static void
test_audit_holds_nobody_up (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  g_autofree char *orphan = fixture_file (dir, B);
  g_autofree char *vanished = fixture_file (dir, C);
  Beside beside = {cache, g_async_queue_new (), 0};
  EncoreAudit audit;

  fixture_publish (cache, A, "Plays", 10);
  fixture_publish (cache, C, "Vanishes", 10);
  g_assert_cmpint (g_unlink (vanished), ==, 0);
  g_assert_true (g_file_set_contents (orphan, "no music", -1, NULL));
  g_assert_true (encore_cache_audit (cache, FALSE, &audit, on_decision, &beside, NULL));
  g_assert_cmpint (audit.orphans, ==, 1);
  g_assert_cmpint (audit.dangling, ==, 1);
  g_assert_cmpint (beside.decisions, ==, 2);
  g_async_queue_unref (beside.done);
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* ---- damaged files */

static void
flip_byte (const char *path, int at)
{
  const int fd = open (path, O_RDWR);
  char byte;

  g_assert_cmpint (pread (fd, &byte, 1, at), ==, 1);
  byte ^= 1;
  g_assert_cmpint (pwrite (fd, &byte, 1, at), ==, 1);
  close (fd);
}

static guint
count_below (const char *dir, const char *name)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autoptr (GDir) entries = g_dir_open (path, 0, NULL);
  guint n = 0;

  while (entries != NULL && g_dir_read_name (entries) != NULL)
    n++;
  return n;
}

static void
test_verify (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  g_autofree char *file = fixture_file (dir, A);
  g_autoptr (GError) dry = NULL, damaged = NULL;

  fixture_publish (cache, A, "Damaged", 100);
  fixture_publish (cache, B, "Sound", 100);
  g_assert_true (encore_cache_verify (cache, A, FALSE, NULL));
  flip_byte (file, 5000);
  g_assert_true (is_hit (cache, A, FALSE)); /* nobody reads all of it before he plays */
  g_assert_false (encore_cache_verify (cache, A, TRUE, &dry));
  g_assert_error (dry, ENCORE_ERROR, ENCORE_ERROR_CORRUPT);
  g_assert_true (is_hit (cache, A, FALSE));
  g_test_expect_message ("Encore", G_LOG_LEVEL_WARNING, "*is damaged: kept as quarantine/*");
  g_assert_false (encore_cache_verify (cache, A, FALSE, &damaged));
  g_test_assert_expected_messages ();
  g_assert_error (damaged, ENCORE_ERROR, ENCORE_ERROR_CORRUPT);
  g_assert_false (is_hit (cache, A, FALSE));
  g_assert_cmpuint (count_below (dir, "quarantine"), ==, 1);
  g_assert_true (encore_cache_verify (cache, B, FALSE, NULL));
  fixture_publish (cache, A, "Fetched again", 100);
  g_assert_true (encore_cache_verify (cache, A, FALSE, NULL));
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* Whoever plays a song that is found damaged keeps his file; nobody else gets it. */
static void
test_verify_playing (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  g_autofree char *file = fixture_file (dir, A);
  struct stat st;

  fixture_publish (cache, A, "Damaged", 100);
  EncoreHandle *playing = encore_cache_get (cache, A, FALSE, NULL);
  flip_byte (file, 5000);
  g_test_expect_message ("Encore", G_LOG_LEVEL_WARNING, "*is damaged*");
  g_assert_false (encore_cache_verify (cache, A, FALSE, NULL));
  g_test_assert_expected_messages ();
  g_assert_cmpint (fstat (encore_handle_get_fd (playing), &st), ==, 0);
  g_assert_true (g_file_test (file, G_FILE_TEST_EXISTS));
  g_assert_false (is_hit (cache, A, FALSE));
  encore_handle_free (playing);
  fixture_publish (cache, A, "Fetched again", 100);
  g_assert_true (encore_cache_verify (cache, A, FALSE, NULL));
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* ---- a database that is lost, damaged or old */

static void
fill (const char *dir, gboolean with_copy)
{
  EncoreCache *cache = fixture_open (dir, 0);
  g_autoptr (GError) error = NULL;

  fixture_publish (cache, A, "Never Gonna Give You Up", 10);
  fixture_publish (cache, B, "Pinned", 10);
  fixture_publish (cache, C, "Gone", 10);
  g_assert_true (encore_cache_pin (cache, B, TRUE, NULL));
  is_hit (cache, A, TRUE);
  is_hit (cache, A, TRUE);
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

static void
check_rebuilt (const char *dir, gboolean with_copy)
{
  EncoreCache *cache = fixture_open (dir, 0);
  g_autoptr (GPtrArray) found = encore_cache_find (cache, "gonna", 10, NULL);
  g_autoptr (EncoreEntryInfo) info = NULL;
  EncoreCacheStats stats;
  EncoreAudit audit;

  encore_cache_stats (cache, &stats);
  g_assert_cmpint (stats.entries, ==, 2);
  g_assert_true (is_hit (cache, A, FALSE));
  g_assert_true (is_hit (cache, B, FALSE));
  g_assert_cmpuint (found->len, ==, 1);
  g_assert_true (encore_cache_info (cache, B, &info, NULL));
  g_assert_cmpint (info->pinned, ==, with_copy);
  g_assert_cmpuint (strlen (info->sha256), ==, with_copy ? 64 : 0);
  g_assert_cmpint (plays_of (cache, A), ==, with_copy ? 3 : 0);
  g_assert_cmpint (stats.total_plays, ==, with_copy ? 5 : 0);
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
    check_rebuilt (dir, with_copy);
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
  g_assert_true (is_hit (cache, A, FALSE));
  g_assert_false (is_hit (cache, B, FALSE));
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
  check_rebuilt (dir, TRUE);
  fixture_remove (dir);
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
  check_rebuilt (dir, FALSE);
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
  g_assert_true (is_hit (cache, A, FALSE));
  g_assert_true (is_hit (cache, "aliasaliasA", FALSE));
  g_assert_cmpint (plays_of (cache, A), ==, 4);
  g_assert_true (encore_cache_info (cache, B, &info, NULL));
  g_assert_true (info->pinned);
  fixture_publish (cache, C, "Back again", 5); /* its history is remembered */
  g_assert_cmpint (plays_of (cache, C), ==, 2);
  is_hit (cache, A, TRUE);
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
  g_test_add_func ("/repair/killed-fetch-is-recovered", test_recover);
  g_test_add_func ("/repair/scratch-of-a-killed-process-is-removed", test_scratch);
  g_test_add_func ("/repair/orphan-and-dangling-are-put-right", test_audit);
  g_test_add_func ("/repair/sizes-sources-and-second-files", test_audit_sizes);
  g_test_add_func ("/repair/what-is-in-use-is-skipped", test_audit_beside);
  g_test_add_func ("/repair/audit-holds-nobody-up", test_audit_holds_nobody_up);
  g_test_add_func ("/repair/a-copy-that-was-begun-is-removed", test_backup_begun);
  g_test_add_func ("/repair/damaged-file-is-quarantined-and-fetched-again", test_verify);
  g_test_add_func ("/repair/damaged-file-while-it-plays", test_verify_playing);
  g_test_add_data_func ("/repair/database-made-again", GINT_TO_POINTER (FALSE), test_rebuild);
  g_test_add_data_func ("/repair/database-made-again-with-its-copy", GINT_TO_POINTER (TRUE),
                        test_rebuild);
  g_test_add_func ("/repair/database-made-again-without-broken-files", test_rebuild_broken);
  g_test_add_func ("/repair/database-made-again-only-when-alone", test_rebuild_beside);
  g_test_add_func ("/repair/suspicion-is-looked-into", test_suspect);
  g_test_add_func ("/repair/copy-once-a-week", test_backup_due);
  g_test_add_data_func ("/repair/version-2-is-migrated", GINT_TO_POINTER (FALSE), test_migrate);
  g_test_add_data_func ("/repair/version-2-with-an-index-more-is-migrated", GINT_TO_POINTER (TRUE),
                        test_migrate);
  g_test_add_func ("/repair/no-migration-beside-an-older-version", test_migrate_beside);
  return g_test_run ();
}
