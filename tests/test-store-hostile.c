/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What others do to a cache: they hold its database locked, lead to it by links, mount it
 * read-only, leave rows and aliases that do not fit. */
#include "config.h"
#include "store/encore-cache.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/encore-media-id.h"
#include "store-fixture.h"
#include "store/encore-cache-private.h"

#define A "dQw4w9WgXcQ"
#define B "-bcdefghijA"
#define C "_bcdefghijE"

static gboolean
is_hit (EncoreCache *cache, const char *id)
{
  g_autoptr (EncoreHandle) handle = encore_cache_get (cache, id, FALSE, NULL);

  return handle != NULL;
}

/* ---- the database is somebody's */

/* A process that has run SQL on the database of DIR and keeps it open; to be killed. */
static pid_t
hold_database (const char *dir, const char *sql)
{
  g_autofree char *path = g_build_filename (dir, "encore.db", NULL);
  int ready[2];
  char byte;

  g_assert_cmpint (pipe (ready), ==, 0);
  const pid_t child = fork ();
  if (child == 0) {
    sqlite3 *db;
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    if (sqlite3_open (path, &db) == SQLITE_OK &&
        sqlite3_exec (db, sql, NULL, NULL, NULL) == SQLITE_OK && write (ready[1], "", 1) == 1)
      pause ();
    _exit (1);
  }
  close (ready[1]);
  g_assert_cmpint (read (ready[0], &byte, 1), ==, 1);
  close (ready[0]);
  return child;
}

static void
end_process (pid_t pid)
{
  g_assert_cmpint (kill (pid, SIGKILL), ==, 0);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
}

/* Whoever opens the cache meanwhile cannot check all of it; that proves nothing against it. */
static void
test_locked_database (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autofree char *suspect = g_build_filename (dir, "encore.db-suspect", NULL);
  g_autoptr (EncoreEntryInfo) info = NULL;
  EncoreCache *cache = fixture_open (dir, 0);

  fixture_publish (cache, A, "Pinned", 5);
  g_assert_true (encore_cache_pin (cache, A, TRUE, NULL));
  encore_cache_close (cache);
  g_assert_true (g_file_set_contents (suspect, "", 0, NULL));
  const pid_t shell = hold_database (dir, "BEGIN EXCLUSIVE");
  cache = fixture_open (dir, 0); /* it would warn of a database that is set aside */
  g_assert_true (encore_cache_info (cache, A, &info, NULL));
  g_assert_true (info->pinned);
  /* the doubt stays until it can be looked into */
  g_assert_true (g_file_test (suspect, G_FILE_TEST_EXISTS));
  encore_cache_close (cache);
  end_process (shell);
  encore_cache_close (fixture_open (dir, 0));
  g_assert_false (g_file_test (suspect, G_FILE_TEST_EXISTS));
  fixture_remove (dir);
}

/* Somebody tidied up and took the empty file for rubbish; a new process has made another one.  Two
 * files of locks exclude nobody: who has the old one claims and evicts nothing any more. */
static void
test_replaced_locks (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autofree char *locks = g_build_filename (dir, "locks", NULL);
  g_autoptr (EncoreHandle) none = NULL;
  g_autoptr (GError) error = NULL;
  EncoreCache *cache = fixture_open (dir, 0);

  fixture_publish (cache, A, "Playing elsewhere", 5);
  g_assert_cmpint (g_unlink (locks), ==, 0);
  const pid_t peer = fixture_hold (dir, B);
  g_assert_null (
      encore_cache_claim (cache, B, g_get_monotonic_time () + G_USEC_PER_SEC, NULL, &none, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE);
  g_assert_nonnull (strstr (error->message, "locks was removed or replaced"));
  g_assert_cmpint (encore_cache_clear (cache, NULL, NULL, NULL, NULL), ==, 0);
  g_assert_true (is_hit (cache, A));
  end_process (peer);
  encore_cache_close (cache);
  fixture_publish (cache = fixture_open (dir, 0), B, "After a new start", 5);
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* ---- rows that do not fit */

/* An alias that is called like a song hides it; evictions come to an end all the same, and it goes.
 */
static void
test_hiding_alias (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  g_autofree char *file = fixture_file (dir, A);

  fixture_publish (cache, A, "Hidden", 5);
  fixture_publish (cache, B, "Pinned", 5);
  g_assert_true (encore_cache_pin (cache, B, TRUE, NULL));
  fixture_sql (dir, "INSERT INTO alias VALUES ('" A "', '" B "')");
  alarm (20);
  g_assert_cmpint (encore_cache_clear (cache, NULL, NULL, NULL, NULL), ==, 1);
  alarm (0);
  g_assert_false (g_file_test (file, G_FILE_TEST_EXISTS));
  g_assert_true (is_hit (cache, B));
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* Neither by publishing nor by a copy that is older than the song does an alias hide one. */
static void
test_alias_gives_way (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCacheOptions options = {.dir = dir, .rebuild = TRUE};
  EncoreCache *cache = fixture_open (dir, 0);
  g_autoptr (GError) error = NULL;

  fixture_sql (dir, "INSERT INTO alias VALUES ('" A "', '" B "')");
  fixture_publish (cache, A, "Itself", 5);
  g_assert_cmpint (fixture_number (dir, "SELECT count (*) FROM alias"), ==, 0);
  fixture_publish (cache, B, "Another", 5);
  fixture_sql (dir, "INSERT INTO alias VALUES ('" A "', '" B "'), ('aliasaliasA', '" B "')");
  encore_cache_close (cache);
  fixture_let_warn ();
  cache = encore_cache_open (&options, &error); /* its copy has both */
  g_assert_no_error (error);
  g_assert_cmpint (fixture_number (dir, "SELECT count (*) FROM alias WHERE id = '" A "'"), ==, 0);
  g_assert_true (is_hit (cache, "aliasaliasA"));
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* A row whose name is no id, as only a damaged or doctored database has it, goes like any other. */
static void
test_impossible_row (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);

  fixture_publish (cache, A, "One", 5);
  fixture_sql (dir, "INSERT INTO entry (id, state, prio) VALUES ('../../no id', 1, -1)");
  alarm (20);
  g_assert_cmpint (encore_cache_clear (cache, NULL, NULL, NULL, NULL), ==, 2);
  alarm (0);
  g_assert_cmpint (fixture_number (dir, "SELECT count (*) FROM entry WHERE state = 1"), ==, 0);
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* ---- a site that answers with another id */

/* What a killed attempt at the other id left is nobody's, and does not stay beside the song. */
static void
test_answered_leftover (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  g_autofree char *left =
      g_strdup_printf ("%s/audio/%02x/" B ".webm", dir, (guint) (encore_id_hash (B) & 0xff));
  g_autoptr (EncoreHandle) none = NULL;
  g_autoptr (GError) error = NULL;

  fixture_sql (dir, "INSERT INTO entry (id, state) VALUES ('" B "', 0)");
  g_assert_true (g_file_set_contents (left, "half", -1, NULL));
  EncoreClaim *claim = encore_cache_claim (cache, A, 0, NULL, &none, &error);
  g_assert_no_error (error);
  g_autofree char *path = g_build_filename (encore_claim_get_dir (claim), "x.opus", NULL);
  const EncorePublish what = {.opus_name = "x.opus", .answered_id = B, .title = "Answered"};
  fixture_write_opus (path, B, "Answered", 5);
  EncoreHandle *handle = encore_claim_publish (claim, &what, &error);
  g_assert_no_error (error);
  encore_handle_free (handle);
  encore_claim_free (claim);
  g_assert_true (is_hit (cache, A));
  g_assert_false (g_file_test (left, G_FILE_TEST_EXISTS));
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* ---- what changes between a list and its use */

typedef struct {
  EncoreCache *cache;
  const char *dir, *other;
  gboolean done;
} Meanwhile;

static void
pin_other (const char *id, gboolean removed, gint64 bytes, const char *reason, gpointer data)
{
  Meanwhile *self = data;

  if (!self->done)
    g_assert_true (encore_cache_pin (self->cache, g_strcmp0 (id, A) == 0 ? B : A, TRUE, NULL));
  self->done = TRUE;
}

/* A song that is pinned after the list of victims was made stays. */
static void
test_pinned_meanwhile (void)
{
  g_autofree char *dir = fixture_make_dir ();
  Meanwhile work = {.cache = fixture_open (dir, 0)};

  fixture_publish (work.cache, A, "One", 5);
  fixture_publish (work.cache, B, "Two", 5);
  g_assert_cmpint (encore_cache_clear (work.cache, NULL, pin_other, &work, NULL), ==, 1);
  g_assert_cmpint (fixture_number (dir, "SELECT pinned FROM entry WHERE state = 1"), ==, 1);
  encore_cache_close (work.cache);
  fixture_remove (dir);
}

/* What the next lock waits for: the store asks this one, not the C library's. */
static void (*before_lock) (void);
static const char *before_lock_dir;

int
fcntl (int fd, int cmd, ...)
{
  va_list args;

  va_start (args, cmd);
  void *argument = va_arg (args, void *);
  va_end (args);
  if (cmd == F_OFD_SETLK && before_lock != NULL) {
    void (*const run) (void) = before_lock;
    before_lock = NULL;
    run ();
  }
  return syscall (SYS_fcntl, fd, cmd, argument);
}

/* Another process gives A other bytes. */
static void
fetch_again (void)
{
  const pid_t child = fork ();

  if (child == 0) {
    EncoreCache *cache = fixture_open (before_lock_dir, 0);
    if (encore_cache_remove (cache, A, NULL))
      fixture_publish (cache, A, "Other bytes", 9);
    encore_cache_close (cache);
    _exit (0);
  }
  g_assert_cmpint (waitpid (child, NULL, 0), ==, child);
}

/* A song that is fetched again while it is verified is as it should be. */
static void
test_fetched_meanwhile (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autoptr (GError) error = NULL;
  g_autoptr (EncoreEntryInfo) info = NULL;
  EncoreCache *cache = fixture_open (dir, 0);

  fixture_publish (cache, A, "One", 5);
  before_lock_dir = dir;
  before_lock = fetch_again;
  g_assert_true (encore_cache_verify (cache, A, FALSE, &error));
  g_assert_no_error (error);
  g_assert_null (before_lock);
  g_assert_true (encore_cache_info (cache, A, &info, NULL));
  g_assert_cmpstr (info->title, ==, "Other bytes");
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* Another id of the same shard. (transfer full) */
static char *
find_neighbour (const char *id)
{
  for (int i = 0;; i++) {
    char *other = g_strdup_printf ("near%06dA", i);
    if (encore_id_hash (other) % 256 == encore_id_hash (id) % 256)
      return other;
    g_free (other);
  }
}

static void
publish_other (const char *id, gboolean removed, gint64 bytes, const char *reason, gpointer data)
{
  Meanwhile *self = data;
  g_autoptr (EncoreHandle) hit = NULL;

  if (self->done)
    return;
  self->done = TRUE;
  g_autoptr (EncoreClaim) claim =
      encore_cache_claim (self->cache, self->other, 0, NULL, &hit, NULL);
  g_autofree char *song = g_build_filename (encore_claim_get_dir (claim), "x.opus", NULL);
  g_autofree char *source = g_build_filename (encore_claim_get_dir (claim), "x.webm", NULL);
  const EncorePublish what = {.opus_name = "x.opus", .source_name = "x.webm"};
  fixture_write_opus (song, self->other, "Came", 5);
  g_assert_true (g_file_set_contents (source, "the source", -1, NULL));
  g_autoptr (EncoreHandle) handle = encore_claim_publish (claim, &what, NULL);
  g_assert_nonnull (handle);
}

/* A file that had no row when the audit listed it may have one when it is looked at. */
static void
test_published_meanwhile (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autofree char *other = find_neighbour (A);
  g_autofree char *broken = fixture_file (dir, A);
  g_autofree char *source =
      g_strdup_printf ("%s/audio/%02x/%s.webm", dir, (guint) (encore_id_hash (A) & 0xff), other);
  Meanwhile work = {.cache = fixture_open (dir, 0), .other = other};
  EncoreAudit audit;

  g_assert_true (g_file_set_contents (broken, "no music", -1, NULL));
  g_assert_true (g_file_set_contents (source, "left by somebody", -1, NULL));
  g_assert_true (encore_cache_audit (work.cache, FALSE, &audit, publish_other, &work, NULL));
  g_assert_true (work.done);
  g_assert_cmpint (audit.orphans, ==, 1);
  g_assert_true (is_hit (work.cache, other));
  g_assert_true (g_file_test (source, G_FILE_TEST_EXISTS));
  encore_cache_close (work.cache);
  fixture_remove (dir);
}

/* ---- where it lies */

/* A home directory is often behind a link; only the cache itself must be none. */
static void
test_link_above (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autofree char *real = g_build_filename (dir, "real", NULL);
  g_autofree char *link = g_build_filename (dir, "link", NULL);
  g_autofree char *inside = g_build_filename (link, "cache", NULL);
  const EncoreCacheOptions look = {.dir = inside, .read_only = TRUE};
  EncoreAudit audit;

  g_assert_cmpint (g_mkdir (real, 0700), ==, 0);
  g_assert_cmpint (symlink ("real", link), ==, 0);
  EncoreCache *cache = fixture_open (inside, 0);
  fixture_publish (cache, A, "Behind a link", 5);
  g_assert_true (encore_cache_audit (cache, FALSE, &audit, NULL, NULL, NULL));
  g_assert_true (encore_backup_make (cache, NULL));
  encore_cache_close (cache);
  cache = encore_cache_open (&look, NULL);
  g_assert_nonnull (cache);
  g_assert_true (is_hit (cache, A));
  encore_cache_close (cache);
  g_unlink (link);
  fixture_remove (dir);
}

/* A dry audit may look where nothing may be written, and where a process was killed. */
static void
test_dry_audit (void)
{
  g_autofree char *dir = fixture_make_dir ();
  const EncoreCacheOptions look = {.dir = dir, .read_only = TRUE};
  g_autoptr (GError) error = NULL;
  EncoreAudit audit;

  end_process (fixture_hold (dir, A));
  EncoreCache *cache = encore_cache_open (&look, &error);
  g_assert_no_error (error);
  g_assert_false (encore_cache_audit (cache, FALSE, &audit, NULL, NULL, NULL));
  g_assert_true (encore_cache_audit (cache, TRUE, &audit, NULL, NULL, &error));
  g_assert_cmpint (audit.stale_tmp, ==, 2); /* the row and the directory */
  encore_cache_close (cache);
  g_assert_cmpuint (fixture_count_tmp (dir), ==, 1);
  g_assert_cmpint (fixture_number (dir, "SELECT state FROM entry"), ==, 0);
  fixture_remove (dir);
}

static void
look_read_only (const char *dir)
{
  const EncoreCacheOptions look = {.dir = dir, .read_only = TRUE}, work = {.dir = dir};
  g_autoptr (GError) error = NULL, refused = NULL;
  EncoreAudit audit;

  EncoreCache *cache = encore_cache_open (&look, &error);
  g_assert_no_error (error);
  g_assert_true (is_hit (cache, A));
  g_assert_true (encore_cache_verify (cache, A, TRUE, &error));
  g_assert_true (encore_cache_audit (cache, TRUE, &audit, NULL, NULL, &error));
  g_assert_cmpint (audit.checked, ==, 1);
  encore_cache_close (cache);
  g_assert_null (encore_cache_open (&work, &refused));
  g_assert_nonnull (strstr (refused->message, "Read-only file system"));
}

/* What was kept, a snapshot or the disk of another machine, can be looked at as it is. */
static void
test_read_only_disk (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);
  int status;

  fixture_publish (cache, A, "Kept", 5);
  encore_cache_close (cache);
  const pid_t child = fork ();
  if (child == 0) {
    if (unshare (CLONE_NEWNS) < 0 || mount ("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount (dir, dir, NULL, MS_BIND, NULL) < 0 ||
        mount (NULL, dir, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
      _exit (77);
    look_read_only (dir);
    _exit (0);
  }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  if (WIFEXITED (status) && WEXITSTATUS (status) == 77)
    g_test_skip ("nothing can be mounted (needs root)");
  else
    g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);
  fixture_remove (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/hostile/locked-database-is-no-damage", test_locked_database);
  g_test_add_func ("/hostile/replaced-file-of-locks", test_replaced_locks);
  g_test_add_func ("/hostile/alias-that-hides-a-song", test_hiding_alias);
  g_test_add_func ("/hostile/alias-gives-way-to-a-song", test_alias_gives_way);
  g_test_add_func ("/hostile/row-whose-name-is-no-id", test_impossible_row);
  g_test_add_func ("/hostile/leftover-of-the-answered-id", test_answered_leftover);
  g_test_add_func ("/hostile/pinned-while-others-are-evicted", test_pinned_meanwhile);
  g_test_add_func ("/hostile/fetched-again-while-it-is-verified", test_fetched_meanwhile);
  g_test_add_func ("/hostile/published-while-others-are-audited", test_published_meanwhile);
  g_test_add_func ("/hostile/link-above-the-cache", test_link_above);
  g_test_add_func ("/hostile/dry-audit-writes-nothing", test_dry_audit);
  g_test_add_func ("/hostile/read-only-disk", test_read_only_disk);
  return g_test_run ();
}
