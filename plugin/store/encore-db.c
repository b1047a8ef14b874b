/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Connections and transactions. */
#include "config.h"
#include "store/encore-db.h"

#include <stdarg.h>

#include "store/encore-mutant.h"
#include "store/encore-schema.h"

#define BUSY_TIMEOUT_MS 10000

static const char LOOKUP[] =
    "SELECT id, src_size, opus_size, sha256, title, artist, url, duration_ms, lufs, gain_db,"
    " max_packet, access_count, created_at, last_access, pinned FROM entry"
    " WHERE id = coalesce ((SELECT target FROM alias WHERE alias.id = ?1), ?1) AND state = 1";

gboolean
encore_db_fail (sqlite3 *db, GError **error, const char *what)
{
  const int code = sqlite3_errcode (db);

  g_set_error (error, ENCORE_ERROR,
               (code & 0xff) == SQLITE_FULL ? ENCORE_ERROR_NO_SPACE : ENCORE_ERROR_STORE,
               "encore.db: %s: %s", what, sqlite3_errmsg (db));
  return FALSE;
}

const char *
encore_db_text (sqlite3_stmt *stmt, int column)
{
  const char *text = (const char *) sqlite3_column_text (stmt, column);

  return text != NULL ? text : "";
}

static sqlite3_stmt *
prepare_va (sqlite3 *db, GError **error, const char *sql, const char *types, va_list args)
{
  sqlite3_stmt *stmt = NULL;

  if (sqlite3_prepare_v2 (db, sql, -1, &stmt, NULL) != SQLITE_OK) {
    encore_db_fail (db, error, "prepare");
    return NULL;
  }
  for (int i = 1; types[i - 1] != '\0'; i++)
    switch (types[i - 1]) {
    case 's':
      sqlite3_bind_text (stmt, i, va_arg (args, const char *), -1, SQLITE_TRANSIENT);
      break;
    case 'i':
      sqlite3_bind_int64 (stmt, i, va_arg (args, gint64));
      break;
    default:
      sqlite3_bind_double (stmt, i, va_arg (args, double));
    }
  return stmt;
}

sqlite3_stmt *
encore_db_prepare (sqlite3 *db, GError **error, const char *sql, const char *types, ...)
{
  va_list args;

  va_start (args, types);
  sqlite3_stmt *stmt = prepare_va (db, error, sql, types, args);
  va_end (args);
  return stmt;
}

gboolean
encore_db_run (EncoreDb *self, GError **error, const char *sql, const char *types, ...)
{
  va_list args;
  int result;

  va_start (args, types);
  g_autoptr (EncoreStmt) stmt = prepare_va (self->writer, error, sql, types, args);
  va_end (args);
  if (stmt == NULL)
    return FALSE;
  do
    result = sqlite3_step (stmt);
  while (result == SQLITE_ROW);
  return result == SQLITE_DONE || encore_db_fail (self->writer, error, "write");
}

gboolean
encore_db_begin (EncoreDb *self, GError **error)
{
  g_mutex_lock (&self->write_mutex);
  if (encore_db_run (self, error, "BEGIN IMMEDIATE", ""))
    return TRUE;
  g_mutex_unlock (&self->write_mutex);
  return FALSE;
}

gboolean
encore_db_end (EncoreDb *self, gboolean ok, GError **error)
{
  ok = ok && encore_db_run (self, error, "COMMIT", "");
  if (!ok)
    encore_db_run (self, NULL, "ROLLBACK", "");
  g_mutex_unlock (&self->write_mutex);
  return ok;
}

static sqlite3 *
open_connection (const char *path, gboolean read_only, gboolean small_blocks, GError **error)
{
  sqlite3 *db = NULL;
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                    (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  g_autofree char *pragmas =
      g_strdup_printf ("PRAGMA journal_mode = %s; PRAGMA synchronous = %s; PRAGMA mmap_size = 0;"
                       "PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864;"
                       "PRAGMA cell_size_check = ON",
                       small_blocks ? "TRUNCATE" : "WAL",
                       encore_mutant ("sync-normal") ? "NORMAL" : "FULL");

  if (sqlite3_open_v2 (path, &db, flags, NULL) != SQLITE_OK) {
    encore_db_fail (db, error, "open");
    sqlite3_close (db);
    return NULL;
  }
  sqlite3_extended_result_codes (db, 1);
  sqlite3_busy_timeout (db, BUSY_TIMEOUT_MS);
  sqlite3_db_config (db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config (db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  if (!read_only && sqlite3_exec (db, pragmas, NULL, NULL, NULL) != SQLITE_OK) {
    encore_db_fail (db, error, "configure");
    sqlite3_close (db);
    return NULL;
  }
  return db;
}

EncoreDb *
encore_db_open (const char *dir, gboolean read_only, gboolean small_blocks, GError **error)
{
  g_autofree char *path = g_build_filename (dir, "encore.db", NULL);
  g_autoptr (EncoreDb) self = g_new0 (EncoreDb, 1);

  g_mutex_init (&self->write_mutex);
  g_mutex_init (&self->read_mutex);
  if (!read_only) {
    self->writer = open_connection (path, FALSE, small_blocks, error);
    if (self->writer == NULL || !encore_schema_migrate (self, error))
      return NULL;
  }
  self->reader = open_connection (path, read_only, small_blocks, error);
  if (self->reader == NULL)
    return NULL;
  if (sqlite3_prepare_v3 (self->reader, LOOKUP, -1, SQLITE_PREPARE_PERSISTENT, &self->lookup,
                          NULL) != SQLITE_OK) {
    encore_db_fail (self->reader, error, "prepare");
    return NULL;
  }
  return g_steal_pointer (&self);
}

void
encore_db_close (EncoreDb *self)
{
  if (self == NULL)
    return;
  sqlite3_finalize (self->lookup);
  sqlite3_close (self->reader);
  sqlite3_close (self->writer);
  g_mutex_clear (&self->write_mutex);
  g_mutex_clear (&self->read_mutex);
  g_free (self);
}
