/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Rows and files put right: recovery, audit, verification.
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
  g_assert_true (fixture_is_hit (cache, A, FALSE));
  g_assert_false (fixture_is_hit (cache, C, FALSE));
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
  g_assert_true (fixture_is_hit (cache, A, FALSE));
  g_assert_true (fixture_is_hit (cache, B, FALSE));
  g_assert_true (fixture_is_hit (cache, C, FALSE));
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

  const gboolean plays = fixture_is_hit (beside->cache, A, TRUE);
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

/* A song by another file system's name, in another directory, a second time, and what is none. */
static void
test_audit_strays (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  g_autofree char *a = fixture_file (dir, A);
  g_autofree char *folded = g_strconcat (a, "~004.opus", NULL);
  g_autofree char *elsewhere = g_build_filename (dir, "opus", "00", B ".opus", NULL);
  g_autofree char *late = g_build_filename (dir, "opus", "ff", C ".opus", NULL);
  g_autofree char *twice = g_build_filename (dir, "opus", "7f", A ".opus", NULL);
  g_autofree char *junk = g_build_filename (dir, "opus", "01", "cover of an album.opus", NULL);
  g_autofree char *source = g_build_filename (dir, "audio", "01", "cover of an album.webm", NULL);
  EncoreAudit audit;

  fixture_publish (cache, A, "Copied from another file system", 5);
  g_assert_true (encore_cache_pin (cache, A, TRUE, NULL));
  g_assert_cmpint (g_rename (a, folded), ==, 0);
  fixture_write_opus (elsewhere, B, "In another directory", 6);
  fixture_write_opus (late, C, "In the last one", 7);
  fixture_write_opus (twice, A, "A second time", 5);
  g_assert_true (g_file_set_contents (junk, "no music", -1, NULL));
  g_assert_true (g_file_set_contents (source, "no music", -1, NULL));
  g_assert_true (encore_cache_audit (cache, TRUE, &audit, NULL, NULL, NULL));
  g_assert_true (g_file_test (folded, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (elsewhere, G_FILE_TEST_EXISTS));
  g_assert_true (encore_cache_audit (cache, FALSE, &audit, NULL, NULL, NULL));
  g_assert_cmpint (audit.failed, ==, 0);
  g_assert_cmpint (audit.orphans, ==, 3);
  g_assert_true (fixture_is_hit (cache, A, FALSE));
  g_assert_true (fixture_is_hit (cache, B, FALSE));
  g_assert_true (fixture_is_hit (cache, C, FALSE));
  g_assert_cmpint (fixture_number (dir, "SELECT pinned FROM entry WHERE id = '" A "'"), ==, 1);
  g_assert_false (g_file_test (folded, G_FILE_TEST_EXISTS));
  g_assert_false (g_file_test (twice, G_FILE_TEST_EXISTS));
  g_assert_false (g_file_test (junk, G_FILE_TEST_EXISTS));
  g_assert_false (g_file_test (source, G_FILE_TEST_EXISTS));
  g_assert_true (encore_cache_audit (cache, FALSE, &audit, NULL, NULL, NULL));
  g_assert_cmpint (audit.adopted + audit.orphans + audit.dangling + audit.mismatched, ==, 0);
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
  g_assert_true (fixture_is_hit (cache, A, FALSE)); /* nobody reads all of it before he plays */
  g_assert_false (encore_cache_verify (cache, A, TRUE, &dry));
  g_assert_error (dry, ENCORE_ERROR, ENCORE_ERROR_CORRUPT);
  g_assert_true (fixture_is_hit (cache, A, FALSE));
  g_test_expect_message ("Encore", G_LOG_LEVEL_WARNING, "*is damaged: kept as quarantine/*");
  g_assert_false (encore_cache_verify (cache, A, FALSE, &damaged));
  g_test_assert_expected_messages ();
  g_assert_error (damaged, ENCORE_ERROR, ENCORE_ERROR_CORRUPT);
  g_assert_false (fixture_is_hit (cache, A, FALSE));
  g_assert_cmpuint (count_below (dir, "quarantine"), ==, 1);
  g_assert_true (encore_cache_verify (cache, B, FALSE, NULL));
  fixture_publish (cache, A, "Fetched again", 100);
  g_assert_true (encore_cache_verify (cache, A, FALSE, NULL));
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* Whoever plays a song that is found damaged keeps his file; nobody else gets it. */
/* Somebody wanted to keep it: also when it is fetched again, and was never played. */
static void
test_verify_pinned (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  g_autofree char *file = fixture_file (dir, A);

  fixture_let_warn ();
  fixture_publish (cache, A, "Kept", 10);
  g_assert_true (encore_cache_pin (cache, A, TRUE, NULL));
  fixture_sql (dir, "UPDATE entry SET access_count = 0");
  flip_byte (file, 300);
  g_assert_false (encore_cache_verify (cache, A, FALSE, NULL));
  g_assert_false (fixture_is_hit (cache, A, FALSE));
  EncoreAudit audit;
  g_assert_true (encore_cache_audit (cache, FALSE, &audit, NULL, NULL, NULL)); /* forgets others */
  fixture_publish (cache, A, "Kept", 10);
  g_assert_cmpint (fixture_number (dir, "SELECT pinned FROM entry WHERE id = '" A "'"), ==, 1);
  encore_cache_close (cache);
  fixture_remove (dir);
}

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
  g_assert_false (fixture_is_hit (cache, A, FALSE));
  encore_handle_free (playing);
  fixture_publish (cache, A, "Fetched again", 100);
  g_assert_true (encore_cache_verify (cache, A, FALSE, NULL));
  encore_cache_close (cache);
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
  g_test_add_func ("/repair/songs-by-other-names-are-put-in-place", test_audit_strays);
  g_test_add_func ("/repair/what-is-in-use-is-skipped", test_audit_beside);
  g_test_add_func ("/repair/audit-holds-nobody-up", test_audit_holds_nobody_up);
  g_test_add_func ("/repair/damaged-file-is-quarantined-and-fetched-again", test_verify);
  g_test_add_func ("/repair/damaged-file-stays-pinned", test_verify_pinned);
  g_test_add_func ("/repair/damaged-file-while-it-plays", test_verify_playing);
  return g_test_run ();
}
