/* SPDX-License-Identifier: LGPL-2.1-or-later
 * encore.db.bak: a copy of the database, a week old at most, for the day the database is damaged.
 * Songs can be told from their files; pins, counts and remembered failures only from here.
 *
 * Made by the thread that writes counts behind, on a connection of its own. */
#include "config.h"
#include "store/encore-cache-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define WEEK_S (7 * 24 * 3600)
#define NEW_NAME ENCORE_BACKUP_NAME "-new"
#define NEW_JOURNAL NEW_NAME "-journal" /* of SQLite, while it writes the copy */

static gboolean
fail (GError **error, const char *what)
{
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "%s: %s: %s", ENCORE_BACKUP_NAME, what,
               g_strerror (errno));
  return FALSE;
}

static gboolean
copy_into (EncoreCache *self, const char *path, GError **error)
{
  g_autofree char *source = g_build_filename (self->layout->dir, "encore.db", NULL);
  sqlite3 *db = encore_db_connect (source, error);

  if (db == NULL)
    return FALSE;
  g_autoptr (EncoreStmt) stmt = encore_db_prepare (db, error, "VACUUM INTO ?1", "s", path);
  const gboolean ok = stmt != NULL && (sqlite3_step (stmt) == SQLITE_DONE ||
                                       encore_db_fail (db, error, "VACUUM INTO"));
  g_clear_pointer (&stmt, encore_stmt_free);
  sqlite3_close (db);
  return ok;
}

/* SQLite leaves the copy to the kernel: it is synced before it takes the old one's place. */
static gboolean
put_in_place (int dirfd, GError **error)
{
  const int fd = openat (dirfd, NEW_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  const gboolean synced = fd >= 0 && fsync (fd) == 0;

  if (!synced)
    fail (error, "cannot sync");
  if (fd >= 0)
    close (fd);
  return synced &&
         (renameat (dirfd, NEW_NAME, dirfd, ENCORE_BACKUP_NAME) == 0 || fail (error, "rename")) &&
         (fsync (dirfd) == 0 || fail (error, "cannot sync the directory"));
}

static void
remove_new (int dirfd)
{
  unlinkat (dirfd, NEW_NAME, 0);
  unlinkat (dirfd, NEW_JOURNAL, 0);
}

void
encore_backup_recover (EncoreCache *self)
{
  const int dirfd = self->layout->dirfd;

  if (faccessat (dirfd, NEW_NAME, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
      faccessat (dirfd, NEW_JOURNAL, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
    return;
  const int lock = encore_locks_try_backup (self->locks);
  if (lock < 0)
    return; /* somebody is at work */
  remove_new (dirfd);
  close (lock);
}

gboolean
encore_backup_make (EncoreCache *self, GError **error)
{
  const int dirfd = self->layout->dirfd;
  const int lock = encore_locks_try_backup (self->locks);
  g_autofree char *path = g_build_filename (self->layout->dir, NEW_NAME, NULL);

  if (lock < 0) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_BUSY, "somebody else makes the copy");
    return FALSE;
  }
  remove_new (dirfd); /* of somebody who died over it */
  const gboolean ok = copy_into (self, path, error) && put_in_place (dirfd, error);
  if (!ok)
    remove_new (dirfd);
  close (lock);
  return ok;
}

/* By the file's own time; one from the future tells nothing. */
static gboolean
is_due (EncoreCache *self)
{
  const gint64 now_s = g_get_real_time () / G_USEC_PER_SEC;
  struct stat st;

  return fstatat (self->layout->dirfd, ENCORE_BACKUP_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
         now_s - st.st_mtime >= WEEK_S || st.st_mtime - now_s >= WEEK_S;
}

void
encore_backup_if_due (EncoreCache *self)
{
  g_autoptr (GError) error = NULL;

  if (!is_due (self))
    return;
  if (encore_db_begin (self->db, NULL))
    encore_db_end (self->db, encore_evict_trim_history (self, NULL), NULL);
  if (encore_backup_make (self, &error))
    g_info ("store: %s is up to date", ENCORE_BACKUP_NAME);
  else if (!g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_BUSY))
    g_warning ("store: %s", error->message);
}
