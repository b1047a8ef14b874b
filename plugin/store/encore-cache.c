/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Hit and miss: rows and files that agree.
 *
 * Lock order: id mutex -> id byte -> SQLite transaction.  Nobody takes a lock inside a transaction;
 * evictor and recovery only try.
 *
 * Order of operations.  A hit takes the play lease before it reads the row, so that nothing can be
 * evicted in between.  A claim: lock, look again, intent row, private directory.  A publish: sync,
 * rename, sync the directory, then one transaction that says ready, the only moment at which the
 * song becomes visible.  Whatever ends in between is named by the intent row and undone at the next
 * open (encore-audit.c). */
#include "config.h"
#include "store/encore-cache.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encore-media-id.h"
#include "store/encore-cache-private.h"

/* Others may be migrating, checking or rebuilding. */
#define OPEN_PATIENCE_US (60 * G_USEC_PER_SEC)

struct EncoreHandle {
  EncoreEntryInfo *info;
  EncoreOpenFile *file;
  EncoreLocks *leased; /* (nullable) in which INFO's id is leased */
};

struct EncoreLease {
  EncoreLocks *locks;
  char *id;
};

/* ---- life */

/* The database before the locks: who is alone finds it closed. */
static void
cache_free (EncoreCache *self)
{
  encore_db_close (self->db);
  encore_locks_free (self->locks);
  encore_open_unref (self->open);
  encore_layout_free (self->layout);
  g_hash_table_unref (self->counts);
  g_mutex_clear (&self->count_mutex);
  g_cond_clear (&self->count_wake);
  g_free (self);
}

/* On a full disk not even what SQLite needs to read fits: then the reserve is given up for it. */
static EncoreDb *
open_somehow (EncoreCache *self, const EncoreDbOptions *options, GError **error)
{
  g_autoptr (GError) full = NULL;
  EncoreDb *db = encore_db_open (options, &full);

  if (db == NULL && !options->renew &&
      g_error_matches (full, ENCORE_ERROR, ENCORE_ERROR_NO_SPACE)) {
    encore_layout_give_reserve (self->layout);
    db = encore_db_open (options, error);
    encore_layout_keep_reserve (self->layout);
  } else if (full != NULL) {
    g_propagate_error (error, g_steal_pointer (&full));
  }
  return db;
}

/* Whoever is alone may migrate and rebuild; others come in when that is done. */
static gboolean
open_database (EncoreCache *self, GError **error)
{
  const gint64 deadline_us = g_get_monotonic_time () + OPEN_PATIENCE_US;
  const gboolean writes = !self->options.read_only;
  const int gate = writes ? encore_locks_enter_gate (self->locks, deadline_us, error) : -1;

  if ((writes && gate < 0) || !encore_locks_join (self->locks, deadline_us, error)) {
    if (gate >= 0)
      close (gate);
    return FALSE;
  }
  const EncoreDbOptions options = {.dir = self->layout->dir,
                                   .read_only = !writes,
                                   .small_blocks = self->layout->block_bytes > 0 &&
                                                   self->layout->block_bytes < 4096,
                                   .renew = self->options.rebuild,
                                   .alone = writes && encore_locks_try_alone (self->locks),
                                   .fill = encore_rebuild_fill,
                                   .data = self};
  self->db = open_somehow (self, &options, error);
  if (options.alone)
    encore_locks_share (self->locks);
  if (gate >= 0)
    close (gate);
  return self->db != NULL;
}

/* What is in the database and not in the files goes into the copy first, if it still can be read.
 * One that is damaged is made again by being opened, and is not thrown away for another.
 * Returns: (transfer full) (nullable): the cache, when that was so. */
static EncoreCache *
copy_before_rebuild (const EncoreCacheOptions *options)
{
  EncoreCacheOptions as_it_is = *options;
  g_autoptr (GError) error = NULL;

  as_it_is.rebuild = FALSE;
  EncoreCache *self = encore_cache_open (&as_it_is, &error);
  if (self != NULL && self->db->remade)
    return self;
  if (self == NULL || !encore_backup_make (self, &error))
    g_warning ("store: pins and counts are those of the weekly copy: %s", error->message);
  encore_cache_close (self);
  return NULL;
}

EncoreCache *
encore_cache_open (const EncoreCacheOptions *options, GError **error)
{
  EncoreCache *remade = options->rebuild ? copy_before_rebuild (options) : NULL;
  if (remade != NULL)
    return remade;
  EncoreLayout *layout = encore_layout_open (options->dir, options->read_only, error);
  if (layout == NULL)
    return NULL;
  EncoreCache *self = g_new0 (EncoreCache, 1);
  self->options = *options;
  self->layout = layout;
  self->options.dir = layout->dir;
  self->locks = encore_locks_new (layout->dirfd);
  self->open = encore_open_new ();
  self->counts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_mutex_init (&self->count_mutex);
  g_cond_init (&self->count_wake);
  if (!open_database (self, error)) {
    cache_free (self);
    return NULL;
  }
  if (!options->read_only && !options->audits)
    encore_recover (self);
  return self;
}

void
encore_cache_close (EncoreCache *self)
{
  if (self == NULL)
    return;
  encore_count_stop (self);
  cache_free (self);
}

const char *
encore_cache_get_dir (EncoreCache *self)
{
  return self->layout->dir;
}

void
encore_cache_rebuilt (EncoreCache *self, gint64 *broken, gint64 *unread)
{
  *broken = self->rebuilt_broken;
  *unread = self->rebuilt_unread;
}

void
encore_cache_interrupt (EncoreCache *self)
{
  g_atomic_int_set (&self->interrupted, TRUE);
}

gboolean
encore_cache_is_interrupted (EncoreCache *self, GError **error)
{
  if (!g_atomic_int_get (&self->interrupted))
    return FALSE;
  g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED, "the cache is being closed");
  return TRUE;
}

/* ---- rows as values */

EncoreEntryInfo *
encore_cache_read_info (sqlite3_stmt *row)
{
  EncoreEntryInfo *info = g_new0 (EncoreEntryInfo, 1);

  info->id = g_strdup (encore_db_text (row, 0));
  info->src_bytes = sqlite3_column_int64 (row, 1);
  info->opus_bytes = sqlite3_column_int64 (row, 2);
  info->sha256 = g_strdup (encore_db_text (row, 3));
  info->title = g_strdup (encore_db_text (row, 4));
  info->artist = g_strdup (encore_db_text (row, 5));
  info->url = g_strdup (encore_db_text (row, 6));
  info->duration_ms = sqlite3_column_int64 (row, 7);
  info->loudness_lufs =
      sqlite3_column_type (row, 8) == SQLITE_NULL ? NAN : sqlite3_column_double (row, 8);
  info->gain_db = sqlite3_column_double (row, 9);
  info->max_packet_bytes = sqlite3_column_int64 (row, 10);
  info->access_count = sqlite3_column_int64 (row, 11);
  info->created_at_s = sqlite3_column_int64 (row, 12);
  info->last_access_s = sqlite3_column_int64 (row, 13);
  info->pinned = sqlite3_column_int64 (row, 14) != 0;
  return info;
}

void
encore_entry_info_free (EncoreEntryInfo *self)
{
  if (self == NULL)
    return;
  g_free (self->id);
  g_free (self->sha256);
  g_free (self->title);
  g_free (self->artist);
  g_free (self->url);
  g_free (self);
}

/* The ready row of ID or of what it is an alias of; NULL without one. */
static EncoreEntryInfo *
look_up (EncoreCache *self, const char *id, GError **error)
{
  sqlite3_stmt *stmt = self->db->lookup;
  EncoreEntryInfo *info = NULL;

  g_mutex_lock (&self->db->read_mutex);
  sqlite3_bind_text (stmt, 1, id, -1, SQLITE_STATIC);
  const int result = sqlite3_step (stmt);
  if (result == SQLITE_ROW)
    info = encore_cache_read_info (stmt);
  else if (result != SQLITE_DONE)
    encore_db_fail (self->db->reader, error, "lookup");
  else
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND, "%s is not in the cache", id);
  sqlite3_reset (stmt);
  g_mutex_unlock (&self->db->read_mutex);
  return info;
}

int
encore_cache_row_state (EncoreCache *self, const char *id)
{
  int state = ENCORE_ROW_UNKNOWN;

  g_mutex_lock (&self->db->read_mutex);
  sqlite3_stmt *stmt =
      encore_db_prepare (self->db->reader, NULL, "SELECT state FROM entry WHERE id = ?1", "s", id);
  const int result = stmt != NULL ? sqlite3_step (stmt) : SQLITE_ERROR;
  if (result == SQLITE_ROW)
    state = sqlite3_column_int (stmt, 0);
  else if (result == SQLITE_DONE)
    state = ENCORE_ROW_NONE;
  sqlite3_finalize (stmt);
  g_mutex_unlock (&self->db->read_mutex);
  return state;
}

gboolean
encore_cache_row_says (EncoreCache *self, const char *sql, const char *id, GError **error)
{
  gint64 n = -1;

  g_mutex_lock (&self->db->read_mutex);
  sqlite3_stmt *stmt = encore_db_prepare (self->db->reader, error, sql, "s", id);
  if (stmt != NULL && sqlite3_step (stmt) == SQLITE_ROW)
    n = sqlite3_column_int64 (stmt, 0);
  else if (stmt != NULL)
    encore_db_fail (self->db->reader, error, "read");
  sqlite3_finalize (stmt);
  g_mutex_unlock (&self->db->read_mutex);
  if (n == 0)
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND, "%s is not what it was any more", id);
  return n > 0;
}

char *
encore_cache_source_ext (EncoreCache *self, const char *id)
{
  char *ext = NULL;

  g_mutex_lock (&self->db->read_mutex);
  sqlite3_stmt *stmt = encore_db_prepare (self->db->reader, NULL,
                                          "SELECT src_ext FROM entry WHERE id = ?1", "s", id);
  if (stmt != NULL && sqlite3_step (stmt) == SQLITE_ROW)
    ext = g_strdup (encore_db_text (stmt, 0));
  sqlite3_finalize (stmt);
  g_mutex_unlock (&self->db->read_mutex);
  return ext;
}

static gboolean
check_id (const char *id, GError **error)
{
  if (encore_id_is_stem (id))
    return TRUE;
  g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_BAD_ID, "not an id");
  return FALSE;
}

gboolean
encore_cache_info (EncoreCache *self, const char *id, EncoreEntryInfo **out, GError **error)
{
  *out = check_id (id, error) ? look_up (self, id, error) : NULL;
  return *out != NULL;
}

/* ---- hit */

void
encore_handle_free (EncoreHandle *self)
{
  if (self == NULL)
    return;
  encore_open_unshare (self->file);
  if (self->leased != NULL)
    encore_locks_unlease (self->leased, self->info->id);
  encore_entry_info_free (self->info);
  g_free (self);
}

int
encore_handle_get_fd (EncoreHandle *self)
{
  return encore_open_file_get_fd (self->file);
}

const EncoreEntryInfo *
encore_handle_get_info (EncoreHandle *self)
{
  return self->info;
}

/* The row's file, of the row's size; a row without it is no hit and heals by being fetched again.
 * A file that only cannot be opened now is not lost: who took it for a miss would remove it. */
static EncoreHandle *
open_entry (EncoreCache *self, EncoreEntryInfo *info, EncoreLocks *leased, GError **error)
{
  struct stat st;
  const int fd = encore_layout_open_file (self->layout, ENCORE_KIND_OPUS, info->id, "opus");
  const int saved = errno;

  if (fd >= 0 && fstat (fd, &st) == 0 && S_ISREG (st.st_mode) && st.st_size == info->opus_bytes) {
    EncoreHandle *handle = g_new (EncoreHandle, 1);
    *handle = (EncoreHandle){info, encore_open_share (self->open, fd, &st), leased};
    return handle;
  }
  if (fd < 0 && saved != ENOENT && saved != ELOOP) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "%s cannot be opened: %s", info->id,
                 g_strerror (saved));
    return NULL;
  }
  g_warning ("store: %s: the row is there but its file is not", info->id);
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND, "%s has lost its file", info->id);
  if (fd >= 0)
    close (fd);
  return NULL;
}

/* *REAL_ID is set when ID turns out to be an alias: the lease was on the wrong id. */
static EncoreHandle *
try_get (EncoreCache *self, const char *id, char **real_id, GError **error)
{
  EncoreLocks *locks = self->options.read_only ? NULL : self->locks;
  EncoreHandle *handle = NULL;

  if (locks != NULL && !encore_locks_lease (locks, id)) {
    if (errno == EAGAIN || errno == EACCES)
      g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND, "%s is being evicted", id);
    else
      g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "%s cannot be leased: %s", id,
                   g_strerror (errno));
    return NULL;
  }
  g_autoptr (EncoreEntryInfo) info = look_up (self, id, error);
  if (info != NULL && strcmp (info->id, id) != 0)
    *real_id = g_strdup (info->id);
  else if (info != NULL)
    handle = open_entry (self, info, locks, error);
  if (handle != NULL)
    info = NULL;
  else if (locks != NULL)
    encore_locks_unlease (locks, id);
  return handle;
}

EncoreHandle *
encore_cache_get (EncoreCache *self, const char *id, gboolean count, GError **error)
{
  g_autofree char *real_id = NULL;

  if (!check_id (id, error))
    return NULL;
  EncoreHandle *handle = try_get (self, id, &real_id, error);
  if (real_id != NULL) {
    g_autofree char *another = NULL;
    handle = try_get (self, real_id, &another, error);
    if (another != NULL)
      g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND, "%s is an alias of an alias", id);
  }
  if (count && handle != NULL)
    encore_count_play (self, handle->info->id, handle->info->opus_bytes);
  else if (count)
    encore_count_miss (self);
  return handle;
}

EncoreLease *
encore_cache_protect (EncoreCache *self, const char *id)
{
  if (!encore_id_is_stem (id) || !encore_locks_lease (self->locks, id))
    return NULL;
  EncoreLease *lease = g_new (EncoreLease, 1);
  *lease = (EncoreLease){self->locks, g_strdup (id)};
  return lease;
}

void
encore_cache_unprotect (EncoreLease *lease)
{
  if (lease == NULL)
    return;
  encore_locks_unlease (lease->locks, lease->id);
  g_free (lease->id);
  g_free (lease);
}

/* ---- rows that change */

gboolean
encore_cache_intend (EncoreCache *self, const char *id, GError **error)
{
  g_autofree char *owner = g_strdup_printf ("%d", (int) getpid ());

  return encore_db_begin (self->db, error) &&
         encore_db_end (self->db,
                        encore_db_run (self->db, error,
                                       "INSERT INTO entry (id, state, owner, created_at)"
                                       " VALUES (?1, 0, ?2, unixepoch ())"
                                       " ON CONFLICT (id) DO UPDATE SET state = 0,"
                                       " owner = excluded.owner",
                                       "ss", id, owner),
                        error);
}

static gint64
words_rowid (const char *id)
{
  return encore_id_hash (id) & G_MAXINT64;
}

gboolean
encore_cache_forget_row (EncoreCache *self, const char *id, GError **error)
{
  if (!encore_db_begin (self->db, error))
    return FALSE;
  const gboolean ok =
      encore_db_run (self->db, error,
                     "UPDATE entry SET state = 3, src_size = 0, opus_size = 0, owner = ''"
                     " WHERE id = ?1 AND (access_count > 0 OR pinned = 1"
                     " OR (" ENCORE_FAILURE_HOLDS "))",
                     "s", id) &&
      encore_db_run (self->db, error, "DELETE FROM entry WHERE id = ?1 AND state <> 3", "s", id) &&
      encore_db_run (self->db, error, "DELETE FROM words WHERE rowid = ?1", "i",
                     words_rowid (id)) &&
      encore_db_run (self->db, error, "DELETE FROM alias WHERE target = ?1", "s", id);
  return encore_db_end (self->db, ok, error);
}

gboolean
encore_cache_remove_files (EncoreCache *self, const char *id, gint64 *bytes, GError **error)
{
  *bytes = 0;
  return encore_layout_remove (self->layout, ENCORE_KIND_OPUS, id, bytes, error) &&
         encore_layout_remove (self->layout, ENCORE_KIND_AUDIO, id, bytes, error);
}

gboolean
encore_cache_mark_deleting (EncoreCache *self, const char *id, GError **error)
{
  return encore_db_begin (self->db, error) &&
         encore_db_end (
             self->db,
             encore_db_run (self->db, error, "UPDATE entry SET state = 2 WHERE id = ?1", "s", id),
             error);
}

/* Through another state and back: the totals are kept by triggers on the state. */
gboolean
encore_cache_forget_source (EncoreCache *self, const char *id, GError **error)
{
  if (!encore_db_begin (self->db, error))
    return FALSE;
  const gboolean ok =
      encore_db_run (self->db, error, "UPDATE entry SET state = 2 WHERE id = ?1", "s", id) &&
      encore_db_run (self->db, error, "UPDATE entry SET src_size = 0, src_ext = '' WHERE id = ?1",
                     "s", id) &&
      encore_db_run (self->db, error, "UPDATE entry SET state = 1 WHERE id = ?1", "s", id);
  return encore_db_end (self->db, ok, error);
}

gboolean
encore_cache_drop (EncoreCache *self, const char *id, gint64 *bytes, GError **error)
{
  return encore_cache_mark_deleting (self, id, error) &&
         encore_cache_remove_files (self, id, bytes, error) &&
         encore_cache_forget_row (self, id, error);
}

gboolean
encore_cache_write_ready (EncoreCache *self, EncoreDb *db, const char *id,
                          const EncorePublish *what, const EncoreEntryInfo *sizes,
                          const char *src_ext, gint64 plays, GError **error)
{
  const char *title = what->title != NULL ? what->title : "";
  const char *artist = what->artist != NULL ? what->artist : "";
  g_autofree char *prio = g_strdup_printf (
      "UPDATE entry SET state = 1, owner = '', fail_code = '', fail_msg = '', fail_until = 0,"
      " access_count = access_count + ?2, prio = %s WHERE id = ?1",
      encore_evict_prio_sql (self));

  /* a file that is taken in has no intent row, and the sizes of a ready row never change: the
   * totals are kept by triggers on the state */
  return encore_db_run (db, error,
                        "INSERT INTO entry (id, state) VALUES (?1, 0)"
                        " ON CONFLICT (id) DO UPDATE SET state = 0",
                        "s", id) &&
         encore_db_run (db, error,
                        "UPDATE entry SET src_size = ?2, opus_size = ?3, src_ext = ?4, sha256 = ?5,"
                        " title = ?6, artist = ?7, url = ?8, duration_ms = ?9, lufs = ?10,"
                        " gain_db = ?11, max_packet = ?12, created_at = unixepoch (),"
                        " last_access = unixepoch (),"
                        " lived_at = (SELECT v FROM total WHERE k = 'lived') WHERE id = ?1",
                        "siisssssiddi", id, sizes->src_bytes, sizes->opus_bytes, src_ext,
                        sizes->sha256, title, artist, what->url != NULL ? what->url : "",
                        what->duration_ms, what->loudness_lufs, what->gain_db,
                        (gint64) what->max_packet_bytes) &&
         encore_db_run (db, error, "UPDATE total SET v = v + 1 WHERE k = 'turn'", "") &&
         encore_db_run (db, error, "UPDATE total SET v = v + ?1 WHERE k = 'plays'", "i", plays) &&
         encore_db_run (db, error, prio, "si", id, plays) &&
         encore_db_run (db, error,
                        "INSERT OR REPLACE INTO words (rowid, id, title, artist)"
                        " VALUES (?1, ?2, ?3, ?4)",
                        "isss", words_rowid (id), id, title, artist) &&
         /* a song is found under its own name, whatever was answered for it once */
         encore_db_run (db, error, "DELETE FROM alias WHERE id = ?1", "s", id);
}

gboolean
encore_cache_make_ready (EncoreCache *self, const char *id, const EncorePublish *what,
                         const EncoreEntryInfo *sizes, const char *src_ext, gint64 plays,
                         GError **error)
{
  return encore_db_begin (self->db, error) &&
         encore_db_end (
             self->db,
             encore_cache_write_ready (self, self->db, id, what, sizes, src_ext, plays, error),
             error);
}
