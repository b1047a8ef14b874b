/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Tables and their versions.
 *
 * A row goes  pending -> ready -> deleting -> history;  every half-done thing on disk is named by a
 * pending or a deleting row.  History rows keep counts and remembered failures of songs that are
 * not there.
 *
 * Version 1 was never released.  2: first. */
#include "config.h"
#include "store/encore-schema.h"

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
    /* to count the pinned ones without a look at every row */
    "CREATE INDEX entry_pinned ON entry (pinned, state) WHERE pinned = 1",
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

static gint64
read_number (EncoreDb *db, const char *sql)
{
  g_autoptr (EncoreStmt) stmt = encore_db_prepare (db->writer, NULL, sql, "");

  return stmt != NULL && sqlite3_step (stmt) == SQLITE_ROW ? sqlite3_column_int64 (stmt, 0) : -1;
}

static gboolean
create_2 (EncoreDb *db, GError **error)
{
  for (const char *const *sql = CREATE_2; *sql != NULL; sql++)
    if (!encore_db_run (db, error, *sql, ""))
      return FALSE;
  return TRUE;
}

/* Under the writer's transaction. */
static gboolean
migrate (EncoreDb *db, GError **error)
{
  const gint64 version = read_number (db, "PRAGMA user_version");
  const gint64 application = read_number (db, "PRAGMA application_id");

  if (version == ENCORE_SCHEMA_VERSION && application == ENCORE_APPLICATION_ID)
    return TRUE;
  if (version > ENCORE_SCHEMA_VERSION) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE,
                 "encore.db was written by a newer Encore (version %d, this one knows %d)",
                 (int) version, ENCORE_SCHEMA_VERSION);
    return FALSE;
  }
  if (version != 0 || application != 0) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "encore.db is not Encore's");
    return FALSE;
  }
  return create_2 (db, error) &&
         encore_db_run (db, error, "PRAGMA application_id = 1164862322", "") &&
         encore_db_run (db, error, "PRAGMA user_version = 2", "");
}

gboolean
encore_schema_migrate (EncoreDb *db, GError **error)
{
  G_STATIC_ASSERT (ENCORE_APPLICATION_ID == 1164862322 && ENCORE_SCHEMA_VERSION == 2);

  return encore_db_begin (db, error) && encore_db_end (db, migrate (db, error), error);
}
