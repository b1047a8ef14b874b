/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Tables and their versions.
 *
 * A row goes  pending -> ready -> deleting -> history;  every half-done thing on disk is named by a
 * pending or a deleting row.  History rows keep counts and remembered failures of songs that are
 * not there.
 *
 * Version 1 was never released.  2: first.  3: a clock that is lived, not told, and what aging and
 * the trimming of history look for.  4: what is remembered beside the songs (encore-notes.h).
 *
 * A version is never changed once it was released: a new one gets a list of its own, and new
 * databases go through all of them. */
#include "config.h"
#include "store/encore-schema.h"

#include <string.h>

static const char *const CREATE_2[] = {
    "CREATE TABLE entry ("
    "  id TEXT NOT NULL PRIMARY KEY,"
    "  state INTEGER NOT NULL CHECK (state IN (0, 1, 2, 3)),"
    "  src_size INTEGER NOT NULL DEFAULT 0,"  /* bytes */
    "  opus_size INTEGER NOT NULL DEFAULT 0," /* bytes */
    "  src_ext TEXT NOT NULL DEFAULT '',"
    "  sha256 TEXT NOT NULL DEFAULT ''," /* of the opus file, hex */
    "  title TEXT NOT NULL DEFAULT '',"
    "  artist TEXT NOT NULL DEFAULT '',"
    "  url TEXT NOT NULL DEFAULT '',"
    "  duration_ms INTEGER NOT NULL DEFAULT 0,"
    "  lufs REAL," /* of the source */
    "  gain_db REAL NOT NULL DEFAULT 0,"
    "  max_packet INTEGER NOT NULL DEFAULT 0," /* bytes */
    "  created_at INTEGER NOT NULL DEFAULT 0," /* Unix time, display only */
    "  last_access INTEGER NOT NULL DEFAULT 0,"
    "  prio REAL NOT NULL DEFAULT 0," /* eviction order, lowest first; no clock in it */
    "  access_count INTEGER NOT NULL DEFAULT 0,"
    "  pinned INTEGER NOT NULL DEFAULT 0,"
    "  owner TEXT NOT NULL DEFAULT '',"     /* pid of the attempt, display only */
    "  fail_code TEXT NOT NULL DEFAULT ''," /* encore_error_name() */
    "  fail_msg TEXT NOT NULL DEFAULT '',"
    "  fail_until INTEGER NOT NULL DEFAULT 0" /* Unix time */
    ") STRICT, WITHOUT ROWID",
    "CREATE INDEX entry_prio ON entry (prio) WHERE state = 1 AND pinned = 0",
    "CREATE INDEX entry_unfinished ON entry (state) WHERE state IN (0, 2)",
    "CREATE INDEX entry_top ON entry (access_count) WHERE state = 1",
    "CREATE INDEX entry_recent ON entry (last_access) WHERE state = 1",
    "CREATE TABLE alias (id TEXT NOT NULL PRIMARY KEY, target TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE total (k TEXT NOT NULL PRIMARY KEY, v ANY NOT NULL) STRICT, WITHOUT ROWID",
    "INSERT INTO total VALUES ('entries', 0), ('bytes', 0), ('plays', 0), ('L', 0.0), ('turn', 0)",
    /* rowid: encore_id_hash() without its sign bit, since entry has none to join on */
    "CREATE VIRTUAL TABLE words USING fts5 (id UNINDEXED, title, artist,"
    "  tokenize = 'unicode61 remove_diacritics 2')",
    "CREATE TRIGGER entry_ready AFTER UPDATE OF state ON entry"
    " WHEN OLD.state <> 1 AND NEW.state = 1 BEGIN"
    "  UPDATE total SET v = v + 1 WHERE k = 'entries';"
    "  UPDATE total SET v = v + NEW.src_size + NEW.opus_size WHERE k = 'bytes'; END",
    "CREATE TRIGGER entry_unready AFTER UPDATE OF state ON entry"
    " WHEN OLD.state = 1 AND NEW.state <> 1 BEGIN"
    "  UPDATE total SET v = v - 1 WHERE k = 'entries';"
    "  UPDATE total SET v = v - OLD.src_size - OLD.opus_size WHERE k = 'bytes'; END",
    "CREATE TRIGGER entry_gone AFTER DELETE ON entry WHEN OLD.state = 1 BEGIN"
    "  UPDATE total SET v = v - 1 WHERE k = 'entries';"
    "  UPDATE total SET v = v - OLD.src_size - OLD.opus_size WHERE k = 'bytes'; END",
    NULL,
};

/* `lived` counts the seconds in which the cache was used (encore-evict.c); `seen` is the Unix time
 * at which it was last advanced. */
static const char *const MIGRATE_3[] = {
    "ALTER TABLE entry ADD COLUMN lived_at INTEGER NOT NULL DEFAULT 0", /* at the last play */
    "INSERT INTO total VALUES ('lived', 0), ('seen', 0)",
    "CREATE INDEX entry_lived ON entry (lived_at) WHERE state = 1 AND pinned = 0",
    "CREATE INDEX entry_history ON entry (last_access) WHERE state = 3",
    NULL,
};

static const char *const MIGRATE_4[] = {
    /* to count the pinned ones without a look at every row; some databases have had it before */
    "CREATE INDEX IF NOT EXISTS entry_pinned ON entry (pinned, state) WHERE pinned = 1",
    /* figures that all processes share; a missing row is 0 */
    "CREATE TABLE note (k TEXT NOT NULL PRIMARY KEY, v INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE search ("
    "  words TEXT NOT NULL,"       /* folded, one blank between them */
    "  place INTEGER NOT NULL,"    /* from 0 */
    "  asked_at INTEGER NOT NULL," /* Unix time */
    "  id TEXT NOT NULL,"
    "  title TEXT NOT NULL,"
    "  duration_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (words, place)) STRICT, WITHOUT ROWID",
    "CREATE INDEX search_asked ON search (asked_at)",
    "CREATE TABLE room ("
    "  name TEXT NOT NULL PRIMARY KEY,"
    "  chat INTEGER NOT NULL," /* the host's number */
    "  position_ms INTEGER NOT NULL,"
    "  sounding INTEGER NOT NULL," /* the first song had its turn */
    "  paused INTEGER NOT NULL,"
    "  loop INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE waiting ("
    "  room TEXT NOT NULL,"
    "  place INTEGER NOT NULL,"
    "  id TEXT NOT NULL," /* empty: only words so far */
    "  words TEXT NOT NULL,"
    "  title TEXT NOT NULL,"
    "  duration_ms INTEGER NOT NULL,"
    "  user_name TEXT NOT NULL,"
    "  PRIMARY KEY (room, place)) STRICT, WITHOUT ROWID",
    NULL,
};

static const char *const *const VERSIONS[ENCORE_SCHEMA_VERSION + 1] = {
    [2] = CREATE_2,
    [3] = MIGRATE_3,
    [4] = MIGRATE_4,
};

static gboolean
run_all (EncoreDb *db, const char *const *sql, GError **error)
{
  for (; *sql != NULL; sql++)
    if (!encore_db_run (db, error, *sql, ""))
      return FALSE;
  return TRUE;
}

static gboolean
set_version (EncoreDb *db, int version, GError **error)
{
  g_autofree char *sql = g_strdup_printf ("PRAGMA user_version = %d", version);

  return encore_db_run (db, error, sql, "");
}

/* The files are taken in within the same transaction: a database that is there knows them. */
static gboolean
make (EncoreDb *db, const EncoreDbOptions *options, GError **error)
{
  gboolean ok = TRUE;

  if (!encore_db_begin (db, error))
    return FALSE;
  for (int version = 2; ok && version <= ENCORE_SCHEMA_VERSION; version++)
    ok = run_all (db, VERSIONS[version], error);
  ok = ok && encore_db_run (db, error, "PRAGMA application_id = 1164862322", "") &&
       options->fill (db, options->data, error) && set_version (db, ENCORE_SCHEMA_VERSION, error);
  return encore_db_end (db, ok, error);
}

static gboolean
migrate (EncoreDb *db, int from, GError **error)
{
  for (int version = from + 1; version <= ENCORE_SCHEMA_VERSION; version++) {
    if (!encore_db_begin (db, error))
      return FALSE;
    const gboolean ok = run_all (db, VERSIONS[version], error) && set_version (db, version, error);
    if (!encore_db_end (db, ok, error))
      return FALSE;
    g_info ("store: encore.db is of version %d now", version);
  }
  return TRUE;
}

/* ---- is it what we made? */

static const char SCHEMA_TEXT[] =
    "SELECT group_concat (type || name || tbl_name || coalesce (sql, ''), char (10))"
    " FROM (SELECT * FROM sqlite_schema ORDER BY type, name)";

static char *
read_text (sqlite3 *db, const char *sql)
{
  g_autoptr (EncoreStmt) stmt = encore_db_prepare (db, NULL, sql, "");

  return stmt != NULL && sqlite3_step (stmt) == SQLITE_ROW ? g_strdup (encore_db_text (stmt, 0))
                                                           : NULL;
}

/* The schema as this program makes it. */
static char *
make_schema_text (void)
{
  EncoreDb model = {0};
  char *text = NULL;
  gboolean ok = sqlite3_open (":memory:", &model.writer) == SQLITE_OK;

  for (int version = 2; ok && version <= ENCORE_SCHEMA_VERSION; version++)
    ok = run_all (&model, VERSIONS[version], NULL);
  if (ok)
    text = read_text (model.writer, SCHEMA_TEXT);
  sqlite3_close (model.writer);
  return text;
}

/* What could not be read proves something only when it is damage that SQLite tells; that somebody
 * else has it locked, or that there is no memory, does not. */
static EncoreSchemaState
judge_failure (sqlite3 *db)
{
  switch (sqlite3_errcode (db) & 0xff) {
  case SQLITE_ERROR: /* such as a virtual table that cannot be made */
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
  case SQLITE_FORMAT:
    return ENCORE_SCHEMA_DAMAGED;
  default:
    return ENCORE_SCHEMA_UNKNOWN;
  }
}

/* @missing is what SQL never answers. */
static EncoreSchemaState
judge_number (sqlite3 *db, const char *sql, gint64 expected, gint64 missing)
{
  const gint64 found = encore_db_number (db, sql, missing);

  return found == expected  ? ENCORE_SCHEMA_SOUND
         : found == missing ? judge_failure (db)
                            : ENCORE_SCHEMA_DAMAGED;
}

/* The words' own check is a command of FTS5 that looks like a write. */
static EncoreSchemaState
judge_words (sqlite3 *db)
{
  const int code = sqlite3_exec (db, "BEGIN; INSERT INTO words (words) VALUES ('integrity-check')",
                                 NULL, NULL, NULL);
  const EncoreSchemaState state = code == SQLITE_OK ? ENCORE_SCHEMA_SOUND : judge_failure (db);

  sqlite3_exec (db, "ROLLBACK", NULL, NULL, NULL);
  return state;
}

/* DB can be read wholly, and says nowhere that it is ours. */
static gboolean
is_foreign (sqlite3 *db)
{
  const gint64 application = encore_db_number (db, "PRAGMA application_id", -1);

  return (application > 0 && application != ENCORE_APPLICATION_ID) ||
         (application == 0 &&
          encore_db_number (db, "SELECT count (*) FROM sqlite_schema WHERE name = 'entry'", -1) ==
              0);
}

gboolean
encore_schema_is_refused (sqlite3 *db)
{
  const gint64 tables = encore_db_number (db, "SELECT count (*) FROM sqlite_schema", -1);

  return tables > 0 &&
         (is_foreign (db) ||
          (encore_db_number (db, "PRAGMA application_id", -1) == ENCORE_APPLICATION_ID &&
           encore_db_number (db, "PRAGMA user_version", -1) > ENCORE_SCHEMA_VERSION));
}

EncoreSchemaState
encore_schema_judge (sqlite3 *db, gboolean thorough)
{
  const gint64 version = encore_db_number (db, "PRAGMA user_version", -1);

  if (version == 0) { /* new; or not, and its first page is damaged */
    const EncoreSchemaState state = judge_number (db, "SELECT count (*) FROM sqlite_schema", 0, -1);
    return state == ENCORE_SCHEMA_DAMAGED && is_foreign (db) ? ENCORE_SCHEMA_SOUND /* refused */
                                                             : state;
  }
  if (version != ENCORE_SCHEMA_VERSION)
    return ENCORE_SCHEMA_SOUND; /* refused or migrated */
  g_autofree char *expected = make_schema_text ();
  g_autofree char *found = read_text (db, SCHEMA_TEXT);
  if (expected == NULL)
    return ENCORE_SCHEMA_UNKNOWN; /* no memory */
  if (found == NULL)
    return judge_failure (db);
  if (strcmp (expected, found) != 0)
    return ENCORE_SCHEMA_DAMAGED;
  const EncoreSchemaState totals =
      judge_number (db,
                    "SELECT count (*) = 7 AND coalesce (sum (k IN ('entries', 'bytes', 'plays',"
                    " 'L', 'turn', 'lived', 'seen') AND typeof (v) IN ('integer', 'real')), 0) = 7"
                    " FROM total",
                    1, -1);
  return totals == ENCORE_SCHEMA_SOUND && thorough ? judge_words (db) : totals;
}

gboolean
encore_schema_check (sqlite3 *db, GError **error)
{
  const gint64 version = encore_db_number (db, "PRAGMA user_version", -1);
  const gint64 application = encore_db_number (db, "PRAGMA application_id", -1);

  if (version < 0)
    return encore_db_fail (db, error, "read");
  if (application == ENCORE_APPLICATION_ID && version >= 2 && version <= ENCORE_SCHEMA_VERSION)
    return TRUE;
  if (application == ENCORE_APPLICATION_ID && version > ENCORE_SCHEMA_VERSION)
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE,
                 "encore.db was written by a newer Encore (version %d, this one knows %d)",
                 (int) version, ENCORE_SCHEMA_VERSION);
  else
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "encore.db is not Encore's");
  return FALSE;
}

gboolean
encore_schema_migrate (EncoreDb *db, const EncoreDbOptions *options, GError **error)
{
  const gint64 version = encore_db_number (db->writer, "PRAGMA user_version", -1);
  const gboolean is_new =
      version == 0 && encore_db_number (db->writer, "SELECT count (*) FROM sqlite_schema", -1) == 0;

  G_STATIC_ASSERT (ENCORE_APPLICATION_ID == 1164862322);
  if (!is_new && !encore_schema_check (db->writer, error))
    return FALSE;
  if (version == ENCORE_SCHEMA_VERSION)
    return TRUE;
  if (!options->alone) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_STORE,
                         is_new ? "encore.db was removed while another process uses the cache: end "
                                  "that process first"
                                : "an older Encore is using the cache: end it first");
    return FALSE;
  }
  return is_new ? make (db, options, error) : migrate (db, version, error);
}
