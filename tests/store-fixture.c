/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A cache in a directory of its own. */
#include "config.h"
#include "store-fixture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/encore-media-id.h"
#include "base/encore-ogg.h"

/* In memory where that can be had: a cache is 512 directories, and tests make hundreds of them. */
char *
fixture_make_dir (void)
{
  char *dir = g_strdup ("/dev/shm/encore-test-XXXXXX");
  g_autoptr (GError) error = NULL;

  if (g_mkdtemp (dir) != NULL)
    return dir;
  g_free (dir);
  dir = g_dir_make_tmp ("encore-test-XXXXXX", &error);
  g_assert_no_error (error);
  return dir;
}

void
fixture_remove (const char *dir)
{
  g_autoptr (GDir) entries = g_dir_open (dir, 0, NULL);
  const char *name;

  while (entries != NULL && (name = g_dir_read_name (entries)) != NULL) {
    g_autofree char *path = g_build_filename (dir, name, NULL);
    if (g_file_test (path, G_FILE_TEST_IS_DIR) && !g_file_test (path, G_FILE_TEST_IS_SYMLINK))
      fixture_remove (path);
    else
      g_unlink (path);
  }
  g_rmdir (dir);
}

EncoreCache *
fixture_open (const char *dir, gint64 max_size_bytes)
{
  const EncoreCacheOptions options = {.dir = dir, .max_size_bytes = max_size_bytes};
  g_autoptr (GError) error = NULL;
  EncoreCache *cache = encore_cache_open (&options, &error);

  g_assert_no_error (error);
  return cache;
}

static gboolean
append (const guint8 *page, gsize len, gpointer data, GError **error)
{
  g_byte_array_append (data, page, len);
  return TRUE;
}

void
fixture_write_opus (const char *path, const char *id, const char *title, guint packets)
{
  g_autoptr (GByteArray) file = g_byte_array_new ();
  g_autoptr (EncoreOggWriter) writer = encore_ogg_writer_new (append, file);
  g_autofree char *id_tag = g_strconcat ("ENCORE_ID=", id, NULL);
  g_autofree char *title_tag = g_strconcat ("TITLE=", title, NULL);
  const char *const comments[] = {id_tag, title_tag, NULL};
  guint8 packet[200] = {0xfc}; /* CELT 20 ms, stereo, one frame */

  encore_ogg_writer_begin (writer, 2, 312, comments, NULL);
  for (guint i = 0; i < packets; i++) {
    packet[1] = i;
    packet[2] = i >> 8;
    encore_ogg_writer_packet (writer, packet, sizeof packet, NULL);
  }
  encore_ogg_writer_end (writer, -1, NULL);
  g_assert_true (g_file_set_contents (path, (const char *) file->data, file->len, NULL));
}

void
fixture_publish (EncoreCache *cache, const char *id, const char *title, guint packets)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EncoreHandle) hit = NULL;
  g_autoptr (EncoreClaim) claim = encore_cache_claim (cache, id, 0, NULL, &hit, &error);

  g_assert_no_error (error);
  g_assert_null (hit);
  g_autofree char *path = g_build_filename (encore_claim_get_dir (claim), "song.opus", NULL);
  fixture_write_opus (path, id, title, packets);
  const EncorePublish what = {
      .opus_name = "song.opus", .title = title, .duration_ms = packets * 20};
  g_autoptr (EncoreHandle) handle = encore_claim_publish (claim, &what, &error);
  g_assert_no_error (error);
  g_assert_nonnull (handle);
}

gboolean
fixture_is_hit (EncoreCache *cache, const char *id, gboolean count)
{
  g_autoptr (EncoreHandle) handle = encore_cache_get (cache, id, count, NULL);

  return handle != NULL;
}

char *
fixture_file (const char *dir, const char *id)
{
  return g_strdup_printf ("%s/opus/%02x/%s.opus", dir, (guint) (encore_id_hash (id) & 0xff), id);
}

guint
fixture_count_entries (const char *path)
{
  g_autoptr (GDir) entries = g_dir_open (path, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (entries) != NULL)
    n++;
  return n;
}

guint
fixture_count_tmp (const char *dir)
{
  g_autofree char *tmp = g_build_filename (dir, "tmp", NULL);

  return fixture_count_entries (tmp);
}

/* As an administrator would, beside the store. */
static sqlite3 *
open_database (const char *dir)
{
  g_autofree char *path = g_build_filename (dir, "encore.db", NULL);
  sqlite3 *db = NULL;

  g_assert_cmpint (sqlite3_open (path, &db), ==, SQLITE_OK);
  sqlite3_busy_timeout (db, 5000);
  return db;
}

void
fixture_sql (const char *dir, const char *sql)
{
  sqlite3 *db = open_database (dir);
  char *message = NULL;

  sqlite3_exec (db, sql, NULL, NULL, &message);
  g_assert_cmpstr (message, ==, NULL);
  sqlite3_close (db);
}

gint64
fixture_number (const char *dir, const char *sql)
{
  sqlite3 *db = open_database (dir);
  sqlite3_stmt *stmt = NULL;

  g_assert_cmpint (sqlite3_prepare_v2 (db, sql, -1, &stmt, NULL), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_step (stmt), ==, SQLITE_ROW);
  const gint64 number = sqlite3_column_int64 (stmt, 0);
  sqlite3_finalize (stmt);
  sqlite3_close (db);
  return number;
}

pid_t
fixture_hold (const char *dir, const char *id)
{
  int ready[2];
  char byte;

  g_assert_cmpint (pipe (ready), ==, 0);
  const pid_t child = fork ();
  if (child == 0) {
    EncoreHandle *hit = NULL;
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    EncoreCache *cache = fixture_open (dir, 0);
    if (id != NULL && encore_cache_claim (cache, id, 0, NULL, &hit, NULL) == NULL)
      _exit (1);
    if (write (ready[1], "", 1) == 1)
      pause ();
    _exit (1);
  }
  close (ready[1]);
  g_assert_cmpint (read (ready[0], &byte, 1), ==, 1);
  close (ready[0]);
  return child;
}

void
fixture_let_warn (void)
{
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
}
