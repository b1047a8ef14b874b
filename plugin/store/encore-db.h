/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The database: schema, connections, transactions.  The only header of the store that shows
 * sqlite3. Private to the store.
 *
 * Two connections, each under a mutex of its own: a writer whose transactions are always IMMEDIATE
 * (a deferred one that upgrades is refused at once, without the busy handler), and a reader. */
#pragma once

#include <glib.h>
#include <sqlite3.h>

#include "base/encore-error.h"

G_BEGIN_DECLS

typedef enum {
  ENCORE_ROW_PENDING,
  ENCORE_ROW_READY,
  ENCORE_ROW_DELETING,
  ENCORE_ROW_HISTORY
} EncoreRowState;

typedef struct {
  sqlite3 *writer, *reader;
  GMutex write_mutex, read_mutex;
  sqlite3_stmt *lookup; /* reader's, prepared once: the hit path */
  gboolean remade;      /* it was damaged when it was opened, and is another now */
  char *aside;          /* (nullable): where the damaged one is, for the fill to read */
} EncoreDb;

/* Puts what is known of the files into a database that is made new, within the transaction that
 * makes it. */
typedef gboolean (*EncoreDbFillFunc) (EncoreDb *db, gpointer data, GError **error);

typedef struct {
  const char *dir;
  gboolean read_only;
  gboolean
      small_blocks; /* below 4 KiB: a full disk would kill us by SIGBUS in WAL's shared memory */
  gboolean alone;   /* nobody else uses the cache: what is old or damaged may be replaced */
  gboolean renew;   /* as if it were damaged */
  EncoreDbFillFunc fill;
  gpointer data;
} EncoreDbOptions;

/* encore_db_open: DIR/encore.db, made, migrated or, when it is damaged beyond doubt, set aside as
 * encore.db.corrupt-TIME and made anew.  It is checked when it is small, after an end that was not
 * clean, and when something looked wrong while it was used.
 * Errors: STORE in words (newer or older version in use, damaged, locked, a link). */
EncoreDb *encore_db_open (const EncoreDbOptions *options, GError **error);
void encore_db_close (EncoreDb *self);

/* encore_db_connect: one more connection for long reading, which keeps nobody from a lookup; to be
 * closed with sqlite3_close(). */
sqlite3 *encore_db_connect (const char *path, GError **error);
/* encore_db_connect_aside: to a database that nobody has open and nobody writes to; nothing is
 * written beside it, either. */
sqlite3 *encore_db_connect_aside (const char *path, GError **error);
/* encore_db_suspect: if READING, a connection of encore_db_connect(), has met damage, the database is
 * looked into at the next open. */
void encore_db_suspect (EncoreDb *self, sqlite3 *reading);
/* encore_db_number: first column of the first row; MISSING without one. */
gint64 encore_db_number (sqlite3 *db, const char *sql, gint64 missing);
/* encore_db_total: what SQL reads of the table of totals; where that is damaged, which others who
 * use the cache keep from being mended, what RECOUNT finds, with a warning. */
gint64 encore_db_total (sqlite3 *db, const char *sql, const char *recount);
/* encore_db_is_sound: PRAGMA quick_check, or with THOROUGH integrity_check, says ok.  *PROVEN
 * (out): if not, the bytes are wrong, not the disk. */
gboolean encore_db_is_sound (sqlite3 *db, gboolean thorough, gboolean *proven);

/* encore_db_begin: takes the writer.  On FALSE nothing is held. */
gboolean encore_db_begin (EncoreDb *self, GError **error);
/* encore_db_end: commits if OK, else rolls back; lets go of the writer in any case.
 * Returns: TRUE only if it was committed. */
gboolean encore_db_end (EncoreDb *self, gboolean ok, GError **error);

/* encore_db_prepare: a statement with its parameters bound: 's' const char*, 'i' gint64, 'd'
 * double. Returns: to be finalised; NULL with ERROR. */
sqlite3_stmt *
encore_db_prepare (sqlite3 *db, GError **error, const char *sql, const char *types, ...);
/* encore_db_run: the same, run to its end. */
gboolean encore_db_run (EncoreDb *self, GError **error, const char *sql, const char *types, ...);
gboolean encore_db_fail (sqlite3 *db, GError **error, const char *what);
/* Text of a column, "" for NULL. (transfer none) */
const char *encore_db_text (sqlite3_stmt *stmt, int column);

typedef sqlite3_stmt EncoreStmt;
static inline void
encore_stmt_free (EncoreStmt *stmt)
{
  sqlite3_finalize (stmt);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreDb, encore_db_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreStmt, encore_stmt_free)

G_END_DECLS
