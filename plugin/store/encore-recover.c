/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What dead processes left unfinished is undone: at each open, in time proportional to what there
 * is, beside live peers.  A locked id is somebody's who lives. */
#include "config.h"
#include "store/encore-cache-private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/encore-media-id.h"

static GPtrArray *
list_unfinished (EncoreCache *self)
{
  GPtrArray *ids = g_ptr_array_new_with_free_func (g_free);

  g_mutex_lock (&self->db->read_mutex);
  sqlite3_stmt *stmt =
      encore_db_prepare (self->db->reader, NULL, "SELECT id FROM entry WHERE state IN (0, 2)", "");
  while (stmt != NULL && sqlite3_step (stmt) == SQLITE_ROW)
    g_ptr_array_add (ids, g_strdup (encore_db_text (stmt, 0)));
  sqlite3_finalize (stmt);
  g_mutex_unlock (&self->db->read_mutex);
  return ids;
}

/* Rows that a dead process left pending or deleting. */
static void
finish_rows (const EncoreWork *work)
{
  EncoreCache *self = work->cache;
  g_autoptr (GPtrArray) ids = list_unfinished (self);

  for (guint i = 0; i < ids->len; i++) {
    const char *id = ids->pdata[i];
    g_autoptr (EncoreIdLock) lock = encore_locks_try (self->locks, id);
    g_autoptr (GError) error = NULL;
    gint64 bytes = 0;
    const int state = lock != NULL ? encore_cache_row_state (self, id) : ENCORE_ROW_UNKNOWN;
    if (state != ENCORE_ROW_PENDING && state != ENCORE_ROW_DELETING) {
      work->audit->skipped += lock == NULL;
      continue;
    }
    if (state == ENCORE_ROW_PENDING && encore_audit_is_settled (work, id))
      continue;
    if (!work->dry && (!encore_cache_remove_files (self, id, &bytes, &error) ||
                       !encore_cache_forget_row (self, id, &error))) {
      g_warning ("store: %s: %s", id, error->message);
      encore_work_fail (work, id, 0, error->message);
      continue;
    }
    work->audit->stale_tmp++;
    work->audit->tmp_bytes += bytes;
    encore_work_decide (work, id, TRUE, bytes, "its fetch or eviction was never finished");
  }
}

static GPtrArray *
list_tmp (EncoreCache *self)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  const int fd = openat (self->layout->dirfd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;
  const struct dirent *entry;

  while (dir != NULL && (entry = readdir (dir)) != NULL)
    if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
      g_ptr_array_add (names, g_strdup (entry->d_name));
  if (dir != NULL)
    closedir (dir);
  return names;
}

/* tmp/<id>.<pid>-<n> belongs to nobody when the id's lock is free; other names are foreign. */
static void
finish_tmp (const EncoreWork *work)
{
  EncoreCache *self = work->cache;
  g_autoptr (GPtrArray) names = list_tmp (self);

  for (guint i = 0; i < names->len; i++) {
    const char *name = names->pdata[i];
    g_autofree char *id = g_strndup (name, strcspn (name, "."));
    g_autoptr (EncoreIdLock) lock =
        encore_id_is_stem (id) ? encore_locks_try (self->locks, id) : NULL;
    gint64 bytes = 0;
    if (encore_id_is_stem (id) && lock == NULL) {
      work->audit->skipped++;
      continue;
    }
    if (!work->dry && !encore_layout_remove_private (self->layout, name, &bytes)) {
      encore_work_fail (work, name, 0, g_strerror (errno));
      continue;
    }
    work->audit->stale_tmp++;
    work->audit->tmp_bytes += bytes;
    encore_work_decide (work, name, TRUE, bytes, "it was temporary and its owner is gone");
  }
}

void
encore_work_finish (const EncoreWork *work)
{
  finish_rows (work);
  finish_tmp (work);
  if (!work->dry)
    encore_backup_recover (work->cache);
}

void
encore_recover (EncoreCache *self)
{
  EncoreAudit audit = {0};
  const EncoreWork work = {.cache = self, .audit = &audit};

  encore_work_finish (&work);
  if (audit.stale_tmp > 0)
    g_info ("cleanup: %d unfinished things of dead processes removed", (int) audit.stale_tmp);
}

/* ---- what cleaning work shares */

void
encore_work_progress (EncoreCache *self, guint done, guint total)
{
  if (self->options.progress != NULL)
    self->options.progress (done, total, self->options.progress_data);
}

void
encore_work_decide (const EncoreWork *work, const char *id, gboolean removed, gint64 bytes,
                    const char *reason)
{
  if (work->decide != NULL)
    work->decide (id, removed, bytes, reason, work->data);
}

void
encore_work_fail (const EncoreWork *work, const char *id, gint64 bytes, const char *reason)
{
  work->audit->failed++;
  encore_work_decide (work, id, FALSE, bytes, reason);
}
