/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Connections and transactions. */
#include "config.h"
#include "store/encore-db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/encore-mutant.h"
#include "store/encore-schema.h"

#define BUSY_TIMEOUT_MS 10000
/* Checked at every open, which takes 7 ms at this size; a larger one only when there is a reason.
 */
#define SMALL_BYTES (4 * 1024 * 1024)
#define SUSPECT "-suspect"

static const char LOOKUP[] =
    "SELECT id, src_size, opus_size, sha256, title, artist, url, duration_ms, lufs, gain_db,"
    " max_packet, access_count, created_at, last_access, pinned FROM entry"
    " WHERE id = coalesce ((SELECT target FROM alias WHERE alias.id = ?1), ?1) AND state = 1";

static gboolean
is_damage (int code)
{
  return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

/* The same of a statement of ours that needs nothing but a sound file: of the format of a schema
 * that it does not know SQLite says no more than that. */
static gboolean
proves_damage (int code)
{
  return is_damage (code) || (code & 0xff) == SQLITE_ERROR;
}

/* Not believed now, a dying disk says the same of a sound database; but looked into at the next
 * open.  Who only looks writes nothing. */
static void
note_suspicion (sqlite3 *db)
{
  const char *name = sqlite3_db_filename (db, "main");
  /* of what was set aside that much is known */
  const gboolean notes = name != NULL && g_str_has_suffix (name, "/encore.db") &&
                         sqlite3_db_readonly (db, "main") == 0;
  g_autofree char *path = notes ? g_strconcat (name, SUSPECT, NULL) : NULL;
  const int fd = notes ? open (path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;

  if (fd >= 0)
    close (fd);
}

void
encore_db_suspect (EncoreDb *self, sqlite3 *reading)
{
  if (self->writer != NULL && is_damage (sqlite3_extended_errcode (reading)))
    note_suspicion (self->writer);
}

/* ENOSPC or EDQUOT; 0: the disk is not full.  SQLite tells of neither a quota nor a disk on which
 * its shared memory does not fit. */
static int
why_full (sqlite3 *db, int code)
{
  const int system = sqlite3_system_errno (db);

  if ((code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE)
    return system == EDQUOT ? EDQUOT : ENOSPC;
  return (code & 0xff) == SQLITE_IOERR && (system == ENOSPC || system == EDQUOT) ? system : 0;
}

gboolean
encore_db_fail (sqlite3 *db, GError **error, const char *what)
{
  const int code = sqlite3_extended_errcode (db);
  const int reason = why_full (db, code);

  if (is_damage (code))
    note_suspicion (db);
  g_set_error (error, ENCORE_ERROR, reason != 0 ? ENCORE_ERROR_NO_SPACE : ENCORE_ERROR_STORE,
               "encore.db: %s: %s", what,
               reason != 0 && (code & 0xff) != SQLITE_FULL ? g_strerror (reason)
                                                           : sqlite3_errmsg (db));
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

/* ---- opening */

static gint64
size_of (const char *path, const char *suffix)
{
  g_autofree char *name = g_strconcat (path, suffix, NULL);
  struct stat st;

  return lstat (name, &st) == 0 ? st.st_size : -1;
}

/* A database in a place where nothing can be written, that nobody has open: who has it open keeps
 * its log beside it. */
static gboolean
cannot_change (const char *path)
{
  g_autofree char *dir = g_path_get_dirname (path);

  return access (dir, W_OK) < 0 && (errno == EROFS || errno == EACCES) &&
         size_of (path, "-wal") < 0 && size_of (path, "-journal") < 0;
}

/* SQLite wants to write beside a database even to read it, unless it is told that it need not. */
static int
open_immutable (const char *path, sqlite3 **db)
{
  g_autofree char *escaped = g_uri_escape_string (path, "/", FALSE);
  g_autofree char *uri = g_strdup_printf ("file:%s?immutable=1", escaped);

  return sqlite3_open_v2 (
      uri, db, SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_READONLY,
      NULL);
}

/* *CODE (out): of SQLite, when it fails. */
static sqlite3 *
open_connection (const char *path, gboolean read_only, gboolean small_blocks, int *code,
                 GError **error)
{
  sqlite3 *db = NULL;
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                    (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  g_autofree char *pragmas = g_strdup_printf (
      "PRAGMA journal_mode = %s; PRAGMA synchronous = %s; PRAGMA mmap_size = 0;"
      "PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864;"
      "PRAGMA cell_size_check = ON",
      small_blocks ? "TRUNCATE" : "WAL", encore_mutant ("sync-normal") ? "NORMAL" : "FULL");

  *code = read_only && cannot_change (path) ? open_immutable (path, &db)
                                            : sqlite3_open_v2 (path, &db, flags, NULL);
  if (*code == SQLITE_OK) {
    sqlite3_extended_result_codes (db, 1);
    sqlite3_busy_timeout (db, BUSY_TIMEOUT_MS);
    sqlite3_db_config (db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config (db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    *code = read_only ? SQLITE_OK : sqlite3_exec (db, pragmas, NULL, NULL, NULL);
  }
  if (*code == SQLITE_OK)
    return db;
  encore_db_fail (db, error, "open");
  sqlite3_close (db);
  return NULL;
}

sqlite3 *
encore_db_connect (const char *path, GError **error)
{
  int code;

  return open_connection (path, TRUE, FALSE, &code, error);
}

sqlite3 *
encore_db_connect_aside (const char *path, GError **error)
{
  sqlite3 *db = NULL;

  if (open_immutable (path, &db) == SQLITE_OK) {
    sqlite3_db_config (db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config (db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_exec (db, "PRAGMA cell_size_check = ON", NULL, NULL, NULL);
    return db;
  }
  encore_db_fail (db, error, "open");
  sqlite3_close (db);
  return NULL;
}

gint64
encore_db_total (sqlite3 *db, const char *sql, const char *recount)
{
  const gint64 total = encore_db_number (db, sql, -1);

  if (total >= 0)
    return total;
  static gint told; /* once: eviction asks for every song */
  if (g_atomic_int_compare_and_exchange (&told, FALSE, TRUE))
    g_warning (
        "store: a total cannot be read (%s) and is counted anew: encore.db is damaged, and made "
        "again when nobody else uses the cache",
        sqlite3_errmsg (db));
  return encore_db_number (db, recount, 0);
}

gint64
encore_db_number (sqlite3 *db, const char *sql, gint64 missing)
{
  g_autoptr (EncoreStmt) stmt = encore_db_prepare (db, NULL, sql, "");

  return stmt != NULL && sqlite3_step (stmt) == SQLITE_ROW ? sqlite3_column_int64 (stmt, 0)
                                                           : missing;
}

/* Damage that SQLite reports is the file's own when all of it can be read. */
static gboolean
can_be_read (const char *path)
{
  const int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  g_autofree char *buf = g_malloc (1 << 16);
  gssize n = -1;

  if (fd < 0)
    return FALSE;
  while ((n = read (fd, buf, 1 << 16)) > 0)
    ;
  close (fd);
  return n == 0;
}

gboolean
encore_db_is_sound (sqlite3 *db, gboolean thorough, gboolean *proven)
{
  const char *check = thorough ? "PRAGMA integrity_check (1)" : "PRAGMA quick_check (1)";
  sqlite3_stmt *stmt = NULL;
  int code = sqlite3_prepare_v2 (db, check, -1, &stmt, NULL);
  gboolean ok = FALSE, wrong = FALSE;

  if (code == SQLITE_OK && (code = sqlite3_step (stmt)) == SQLITE_ROW) {
    ok = strcmp (encore_db_text (stmt, 0), "ok") == 0;
    wrong = !ok;
  }
  sqlite3_finalize (stmt);
  *proven = (wrong || proves_damage (code)) && can_be_read (sqlite3_db_filename (db, "main"));
  return ok;
}

typedef enum { CHECK_NOTHING, CHECK_QUICKLY, CHECK_THOROUGHLY } Check;

static Check
choose_check (const char *path)
{
  if (size_of (path, SUSPECT) >= 0 || size_of (path, "") < SMALL_BYTES)
    return CHECK_THOROUGHLY;
  if (size_of (path, "-wal") > 0 || size_of (path, "-journal") > 0)
    return CHECK_QUICKLY; /* not closed by the last one who had it */
  return CHECK_NOTHING;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* All but the newest; their names end with their time. */
static void
remove_asides (const char *dir, guint keep)
{
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) entries = g_dir_open (dir, 0, NULL);
  const char *name;

  while (entries != NULL && (name = g_dir_read_name (entries)) != NULL)
    if (g_str_has_prefix (name, "encore.db.corrupt-"))
      g_ptr_array_add (paths, g_build_filename (dir, name, NULL));
  g_ptr_array_sort (paths, compare_names);
  for (guint i = 0; i + keep < paths->len; i++)
    unlink (paths->pdata[i]);
}

/* A name that nobody has: two within a second are two. */
static char *
name_aside (const char *path)
{
  for (gint64 s = g_get_real_time () / G_USEC_PER_SEC;; s++) {
    g_autofree char *suffix = g_strdup_printf (".corrupt-%" G_GINT64_FORMAT, s);
    if (size_of (path, suffix) < 0)
      return g_strconcat (path, suffix, NULL);
  }
}

/* The damaged database is kept for whoever wants to look into it, and the one before it, which may
 * be the better one.  *OUT (out) (transfer full): its new name. */
static gboolean
set_aside (const char *dir, const char *path, const char *why, char **out, GError **error)
{
  g_autofree char *aside = name_aside (path);
  static const char *const siblings[] = {"-wal", "-shm", "-journal", SUSPECT};

  remove_asides (dir, 1);
  if (rename (path, aside) < 0) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE,
                 "encore.db is damaged and cannot be set aside: %s", g_strerror (errno));
    return FALSE;
  }
  for (guint i = 0; i < G_N_ELEMENTS (siblings); i++) {
    g_autofree char *sibling = g_strconcat (path, siblings[i], NULL);
    unlink (sibling);
  }
  g_warning ("store: the database %s: kept as %s", why, aside);
  *out = g_steal_pointer (&aside);
  return TRUE;
}

typedef enum { FOUND_SOUND, FOUND_DAMAGED, FOUND_UNREADABLE } Finding;

/* DB (nullable), CODE: of opening PATH.  Unless it is sound the connection has to be closed:
 * reading the file by other means has dropped SQLite's locks on it. */
static Finding
look_into (sqlite3 *db, const char *path, Check check, int code)
{
  gboolean proven;

  if (db == NULL)
    return proves_damage (code) && can_be_read (path) ? FOUND_DAMAGED : FOUND_UNREADABLE;
  if (!encore_db_is_sound (db, check == CHECK_THOROUGHLY, &proven))
    return proven ? FOUND_DAMAGED : FOUND_UNREADABLE;
  const EncoreSchemaState state = encore_schema_judge (db, check == CHECK_THOROUGHLY);
  if (state == ENCORE_SCHEMA_DAMAGED)
    return can_be_read (path) ? FOUND_DAMAGED : FOUND_UNREADABLE;
  /* what could not be checked is looked into at the next open */
  g_autofree char *suspect = g_strconcat (path, SUSPECT, NULL);
  if (state == ENCORE_SCHEMA_SOUND)
    unlink (suspect);
  return FOUND_SOUND;
}

/* Only who is alone looks, and only damage that is beyond doubt moves the database. */
static gboolean
open_or_renew (EncoreDb *self, const EncoreDbOptions *o, const char *path, GError **error)
{
  const Check check = o->alone ? choose_check (path) : CHECK_NOTHING;
  g_autoptr (GError) local = NULL;
  Finding finding = FOUND_SOUND;
  int code;

  self->writer = open_connection (path, FALSE, o->small_blocks, &code, &local);
  if (check != CHECK_NOTHING || (o->alone && self->writer == NULL))
    finding = look_into (self->writer, path, check, code);
  if (o->renew && self->writer != NULL && finding != FOUND_DAMAGED) {
    if (encore_schema_is_refused (self->writer))
      return encore_schema_check (self->writer, error);
    finding = FOUND_DAMAGED;
  }
  if (self->writer != NULL && finding == FOUND_SOUND)
    return TRUE;
  g_autofree char *why = g_strdup (self->writer != NULL ? sqlite3_errmsg (self->writer) : "");
  sqlite3_close (self->writer);
  self->writer = NULL;
  if (finding == FOUND_DAMAGED) {
    if (!set_aside (o->dir, path, o->renew ? "is renewed as was asked" : "is damaged",
                    &self->aside, error))
      return FALSE;
    self->remade = !o->renew;
    self->writer = open_connection (path, FALSE, o->small_blocks, &code, error);
    return self->writer != NULL;
  }
  if (local == NULL)
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "encore.db cannot be checked: %s", why);
  else
    g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
open_writer (EncoreDb *self, const EncoreDbOptions *o, const char *path, GError **error)
{
  if (o->renew && !o->alone) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_BUSY,
                         "others use the cache: its database cannot be made again now");
    return FALSE;
  }
  return open_or_renew (self, o, path, error) && encore_schema_migrate (self, o, error);
}

/* SQLite would say of a link only that it cannot be opened. */
static gboolean
check_file (const char *path, gboolean read_only, GError **error)
{
  struct stat st;
  const char *why = NULL;

  if (lstat (path, &st) < 0)
    why = read_only ? "is not there: no cache" : NULL; /* it will be made */
  else if (!S_ISREG (st.st_mode))
    why = "is refused: it is a symbolic link or no file";
  else if (st.st_uid != geteuid ())
    why = "is refused: it belongs to another user";
  else if (st.st_mode & 022)
    why = "is refused: it can be written by others (chmod go-w)";
  if (why != NULL)
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "%s %s", path, why);
  return why == NULL;
}

EncoreDb *
encore_db_open (const EncoreDbOptions *o, GError **error)
{
  static const char *const siblings[] = {"-wal", "-shm", "-journal"};
  g_autofree char *path = g_build_filename (o->dir, "encore.db", NULL);
  g_autoptr (EncoreDb) self = g_new0 (EncoreDb, 1);
  int code;

  g_mutex_init (&self->write_mutex);
  g_mutex_init (&self->read_mutex);
  for (guint i = 0; i < G_N_ELEMENTS (siblings); i++) {
    g_autofree char *sibling = g_strconcat (path, siblings[i], NULL);
    if (!check_file (sibling, FALSE, error))
      return NULL;
  }
  if (!check_file (path, o->read_only, error) ||
      (!o->read_only && !open_writer (self, o, path, error)))
    return NULL;
  self->reader = open_connection (path, o->read_only, o->small_blocks, &code, error);
  if (self->reader == NULL || (o->read_only && !encore_schema_check (self->reader, error)))
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
  g_free (self->aside);
  g_free (self);
}
