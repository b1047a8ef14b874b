/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Rows and files compared, every byte read.  Knows the layout from its documentation, not from the
 * store's code. */
#include "config.h"
#include "check.h"

#include <dirent.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encore-media-id.h"
#include "song.h"

#define SHOWN 6 /* violations of one look that are printed */

enum { PENDING, READY, DELETING, HISTORY };

typedef struct {
  int state;
  gint64 opus_size, src_size;
  char *src_ext, *sha256, *title;
  guint opus_files, audio_files; /* found on disk */
} Row;

typedef struct {
  const CheckOptions *options;
  sqlite3 *db;
  GHashTable *rows; /* id -> Row */
  gboolean folds;   /* the file system takes no notice of case */
  guint violations;
} Check;

static void G_GNUC_PRINTF (2, 3) violation (Check *check, const char *format, ...)
{
  va_list args;

  check->violations++;
  if (check->violations > SHOWN)
    return;
  va_start (args, format);
  printf ("#   violation: ");
  vprintf (format, args);
  printf ("\n");
  va_end (args);
}

static void
row_free (gpointer data)
{
  Row *row = data;

  g_free (row->src_ext);
  g_free (row->sha256);
  g_free (row->title);
  g_free (row);
}

/* ---- database */

static char *
text_of (sqlite3_stmt *stmt, int column)
{
  return g_strdup ((const char *) sqlite3_column_text (stmt, column));
}

static sqlite3_stmt *
prepare (Check *check, const char *sql)
{
  sqlite3_stmt *stmt = NULL;

  if (sqlite3_prepare_v2 (check->db, sql, -1, &stmt, NULL) != SQLITE_OK)
    violation (check, "%s: %s", sql, sqlite3_errmsg (check->db));
  return stmt;
}

static gint64
number (Check *check, const char *sql)
{
  sqlite3_stmt *stmt = prepare (check, sql);
  const gint64 value = stmt != NULL && sqlite3_step (stmt) == SQLITE_ROW
                           ? sqlite3_column_int64 (stmt, 0)
                           : G_MININT64;

  sqlite3_finalize (stmt);
  return value;
}

static void
read_rows (Check *check)
{
  sqlite3_stmt *stmt =
      prepare (check, "SELECT id, state, opus_size, src_size, src_ext, sha256, title FROM entry");

  while (stmt != NULL && sqlite3_step (stmt) == SQLITE_ROW) {
    Row *row = g_new0 (Row, 1);
    row->state = sqlite3_column_int (stmt, 1);
    row->opus_size = sqlite3_column_int64 (stmt, 2);
    row->src_size = sqlite3_column_int64 (stmt, 3);
    row->src_ext = text_of (stmt, 4);
    row->sha256 = text_of (stmt, 5);
    row->title = text_of (stmt, 6);
    g_hash_table_insert (check->rows, text_of (stmt, 0), row);
  }
  sqlite3_finalize (stmt);
}

static void
check_equal (Check *check, const char *what, const char *one, const char *other)
{
  const gint64 a = number (check, one), b = number (check, other);

  if (a != b)
    violation (check, "%s: %" G_GINT64_FORMAT ", but %" G_GINT64_FORMAT " counted", what, a, b);
}

/* Until recovery the words and aliases of a song may outlive its being ready. */
static void
check_words (Check *check)
{
  const char *states = check->options->recovered ? "1" : "0, 1, 2";
  g_autofree char *words = g_strdup_printf ("SELECT count (*) FROM words WHERE id NOT IN"
                                            " (SELECT id FROM entry WHERE state IN (%s))",
                                            states);
  g_autofree char *aliases = g_strdup_printf ("SELECT count (*) FROM alias WHERE target NOT IN"
                                              " (SELECT id FROM entry WHERE state IN (%s))",
                                              states);

  check_equal (check, "songs that can be found by words",
               "SELECT count (*) FROM words, entry USING (id)"
               " WHERE state = 1 AND words.title = entry.title",
               "SELECT count (*) FROM entry WHERE state = 1");
  check_equal (check, "words of songs that are not there", words, "SELECT 0");
  check_equal (check, "aliases of songs that are not there", aliases, "SELECT 0");
  if (sqlite3_exec (check->db, "INSERT INTO words (words) VALUES ('integrity-check')", NULL, NULL,
                    NULL) != SQLITE_OK)
    violation (check, "words: %s", sqlite3_errmsg (check->db));
}

static void
check_tables (Check *check)
{
  sqlite3_stmt *stmt = prepare (check, "PRAGMA integrity_check");

  while (stmt != NULL && sqlite3_step (stmt) == SQLITE_ROW)
    if (strcmp ((const char *) sqlite3_column_text (stmt, 0), "ok") != 0)
      violation (check, "integrity_check: %s", sqlite3_column_text (stmt, 0));
  sqlite3_finalize (stmt);
  check_equal (check, "total entries", "SELECT v FROM total WHERE k = 'entries'",
               "SELECT count (*) FROM entry WHERE state = 1");
  check_equal (check, "total bytes", "SELECT v FROM total WHERE k = 'bytes'",
               "SELECT coalesce (sum (src_size + opus_size), 0) FROM entry WHERE state = 1");
  if (!check->options->damaged)
    check_words (check);
}

/* ---- files */

/* What ID's files are called before their dot.  Where case is folded its upper-case letters are
 * told behind a '~', four to a hex digit, the first in the lowest bit. */
static char *
stem_of (Check *check, const char *id)
{
  g_autoptr (GString) stem = g_string_new (id);
  const gsize len = strlen (id);

  if (!check->folds)
    return g_strdup (id);
  g_string_append_c (stem, '~');
  for (gsize i = 0; 4 * i < len; i++) {
    guint digit = 0;
    for (gsize k = 4 * i; k < MIN (4 * i + 4, len); k++)
      digit += g_ascii_isupper (id[k]) ? 1u << (k % 4) : 0;
    g_string_append_printf (stem, "%x", digit);
  }
  return g_strdup (stem->str);
}

/* A song whose bytes follow from its id, not one that came from elsewhere. */
static gboolean
is_of_harness (const char *id)
{
  return g_ascii_strncasecmp (*id == '-' ? id + 1 : id, "song", 4) == 0;
}

static void
compare_bytes (Check *check, const char *path, gint64 size, const char *sha256,
               const GByteArray *expected)
{
  g_autofree char *bytes = NULL;
  g_autoptr (GError) error = NULL;
  gsize len;

  if (!g_file_get_contents (path, &bytes, &len, &error)) {
    violation (check, "ready, but %s", error->message);
    return;
  }
  g_autofree char *sum = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (guchar *) bytes, len);
  if ((gint64) len != size)
    violation (check, "%s has %d bytes, its row says %d", path, (int) len, (int) size);
  if (sha256 != NULL && strcmp (sum, sha256) != 0)
    violation (check, "%s has another sha256 than its row", path);
  if (expected != NULL && (len != expected->len || memcmp (bytes, expected->data, len) != 0))
    violation (check, "%s has other bytes than its song", path);
}

static void
check_ready (Check *check, const char *id, const Row *row)
{
  const guint shard = encore_id_hash (id) & 0xff;
  const gboolean ours = is_of_harness (id);
  g_autofree char *stem = stem_of (check, id);
  g_autofree char *opus =
      g_strdup_printf ("%s/opus/%02x/%s.opus", check->options->dir, shard, stem);
  g_autofree char *source =
      g_strdup_printf ("%s/audio/%02x/%s.%s", check->options->dir, shard, stem, row->src_ext);
  g_autoptr (GByteArray) opus_bytes = song_opus (id), source_bytes = song_source (id);
  g_autofree char *title = song_title (id);

  compare_bytes (check, opus, row->opus_size,
                 *row->sha256 != '\0' && !check->options->damaged ? row->sha256 : NULL,
                 ours ? opus_bytes : NULL);
  if (row->src_size > 0 && ours && source_bytes == NULL)
    violation (check, "%s has a source, its song has none", id);
  else if (row->src_size > 0)
    compare_bytes (check, source, row->src_size, NULL, ours ? source_bytes : NULL);
  if (ours && strcmp (row->title, title) != 0 && !check->options->damaged)
    violation (check, "%s has the title '%s'", id, row->title);
}

static void
check_rows (Check *check)
{
  GHashTableIter iter;
  gpointer id, value;

  g_hash_table_iter_init (&iter, check->rows);
  while (g_hash_table_iter_next (&iter, &id, &value)) {
    const Row *row = value;
    if (row->state == READY)
      check_ready (check, id, row);
    else if (row->state != HISTORY && check->options->recovered)
      violation (check, "%s is still %s", (char *) id,
                 row->state == PENDING ? "pending" : "deleting");
  }
}

/* A file below opus/ or audio/: named by its id, in its shard, its row ready (or, before recovery,
 * unfinished). */
static void
check_file (Check *check, const char *kind, guint shard, const char *name)
{
  const char *dot = strrchr (name, '.');
  g_autofree char *stem = g_strndup (name, dot != NULL ? (gsize) (dot - name) : strlen (name));
  g_autofree char *id = g_strndup (stem, check->folds ? strcspn (stem, "~") : strlen (stem));
  g_autofree char *expected = stem_of (check, id);
  Row *row = g_hash_table_lookup (check->rows, id);
  const gboolean is_opus = strcmp (kind, "opus") == 0;

  if (dot == NULL || !encore_id_is_stem (id) || strcmp (stem, expected) != 0 ||
      (encore_id_hash (id) & 0xff) != shard) {
    violation (check, "%s/%02x/%s is no file of ours", kind, shard, name);
    return;
  }
  if (row == NULL || row->state == HISTORY || (check->options->recovered && row->state != READY)) {
    violation (check, "%s/%02x/%s has no row", kind, shard, name);
    return;
  }
  if (row->state != READY)
    return;
  if (strcmp (dot + 1, is_opus ? "opus" : row->src_ext) != 0 || (!is_opus && row->src_size == 0))
    violation (check, "%s/%02x/%s is not the file that its row names", kind, shard, name);
  if ((is_opus ? ++row->opus_files : ++row->audio_files) > 1)
    violation (check, "%s has two files below %s", id, kind);
}

static void
for_each_name (const char *path, void (*func) (Check *, const char *, guint, const char *),
               Check *check, const char *kind, guint shard)
{
  DIR *dir = opendir (path);
  const struct dirent *entry;

  if (dir == NULL) {
    violation (check, "%s cannot be read", path);
    return;
  }
  while ((entry = readdir (dir)) != NULL)
    if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
      func (check, kind, shard, entry->d_name);
  closedir (dir);
}

static void
check_leftover (Check *check, const char *kind, guint shard, const char *name)
{
  violation (check, "%s/%s is left over", kind, name);
}

static void
check_top (Check *check, const char *kind, guint shard, const char *name)
{
  static const char *const known[] = {"CACHEDIR.TAG",
                                      "encore.db",
                                      "encore.db-wal",
                                      "encore.db-shm",
                                      "encore.db-journal",
                                      "encore.db.bak",
                                      "quarantine",
                                      "locks",
                                      "reserve",
                                      "tmp",
                                      "audio",
                                      "opus",
                                      NULL};

  if (!g_strv_contains (known, name) && !g_str_has_prefix (name, "encore.db.corrupt-"))
    violation (check, "%s is no file of a cache", name);
}

static void
check_tree (Check *check)
{
  static const char *const kinds[] = {"opus", "audio"};

  for (guint k = 0; k < G_N_ELEMENTS (kinds); k++)
    for (guint shard = 0; shard < 256; shard++) {
      g_autofree char *path = g_strdup_printf ("%s/%s/%02x", check->options->dir, kinds[k], shard);
      for_each_name (path, check_file, check, kinds[k], shard);
    }
  if (!check->options->recovered)
    return;
  g_autofree char *tmp = g_build_filename (check->options->dir, "tmp", NULL);
  for_each_name (tmp, check_leftover, check, "tmp", 0);
  for_each_name (check->options->dir, check_top, check, "", 0);
}

/* ---- what was acknowledged */

static void
check_events (Check *check)
{
  GHashTableIter iter;
  gpointer id, value;

  g_hash_table_iter_init (&iter, check->options->events->expected);
  while (g_hash_table_iter_next (&iter, &id, &value)) {
    const Row *row = g_hash_table_lookup (check->rows, id);
    const gboolean there = row != NULL && row->state == READY;
    const EventExpected expected = *(EventExpected *) value;
    if (expected == EVENT_MUST_BE_THERE && !there)
      violation (check, "%s was acknowledged and is not there", (char *) id);
    if (expected == EVENT_MUST_BE_GONE && there)
      violation (check, "%s was removed and is there", (char *) id);
  }
  if (!check->options->counts_are_exact)
    return;
  const gint64 counted = number (check, "SELECT sum (access_count) FROM entry");
  const gint64 total = number (check, "SELECT v FROM total WHERE k = 'plays'");
  if (counted != check->options->events->plays || total != counted)
    violation (check, "%d plays were told, %d counted, %d in total",
               (int) check->options->events->plays, (int) counted, (int) total);
}

/* ---- */

static void
copy_file (const char *from_dir, const char *to_dir, const char *name)
{
  g_autofree char *from = g_build_filename (from_dir, name, NULL);
  g_autofree char *to = g_build_filename (to_dir, name, NULL);
  g_autofree char *bytes = NULL;
  gsize len;

  if (g_file_get_contents (from, &bytes, &len, NULL))
    g_file_set_contents_full (to, bytes, len, G_FILE_SET_CONTENTS_NONE, 0600, NULL);
}

/* Opening the database would recover it and so hide from the product what it has to recover. */
static char *
copy_database (const char *dir)
{
  static const char *const names[] = {"encore.db", "encore.db-wal", "encore.db-journal"};
  char *to = g_strconcat (dir, "-copy", NULL);

  g_mkdir_with_parents (to, 0700);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    copy_file (dir, to, names[i]);
  return to;
}

static void
remove_copy (const char *dir)
{
  g_autoptr (GDir) entries = g_dir_open (dir, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (entries)) != NULL) {
    g_autofree char *path = g_build_filename (dir, name, NULL);
    g_unlink (path);
  }
  g_rmdir (dir);
}

guint
crash_check (const CheckOptions *options)
{
  Check check = {.options = options};
  g_autofree char *copy = options->recovered ? NULL : copy_database (options->dir);
  g_autofree char *path = g_build_filename (copy != NULL ? copy : options->dir, "encore.db", NULL);

  g_autofree char *tag = g_build_filename (options->dir, "cachedir.tag", NULL);
  check.folds = g_file_test (tag, G_FILE_TEST_EXISTS);
  check.rows = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, row_free);
  if (!options->recovered && (!g_file_test (path, G_FILE_TEST_EXISTS))) {
    /* killed before the first database: nothing to compare yet */
  } else if (sqlite3_open_v2 (path, &check.db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
    violation (&check, "%s cannot be opened: %s", path, sqlite3_errmsg (check.db));
  } else if (options->recovered || number (&check, "PRAGMA user_version") > 0) {
    check_tables (&check);
    read_rows (&check);
    check_rows (&check);
    check_tree (&check);
    if (options->events != NULL)
      check_events (&check);
  }
  sqlite3_close (check.db);
  if (copy != NULL)
    remove_copy (copy);
  g_hash_table_unref (check.rows);
  if (check.violations > SHOWN)
    printf ("#   and %u more violations\n", check.violations - SHOWN);
  return check.violations;
}
