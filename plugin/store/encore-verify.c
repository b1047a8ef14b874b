/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Every byte of one song compared with the checksum in its row.  What fails is kept in quarantine/
 * for whoever wants to know why, and fetched again by the next play. */
#include "config.h"
#include "store/encore-cache-private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A row that was made from the file's tags has no checksum yet. */
static gboolean
learn_sum (EncoreCache *self, const char *id, const char *sum, GError **error)
{
  return encore_db_begin (self->db, error) &&
         encore_db_end (self->db,
                        encore_db_run (self->db, error,
                                       "UPDATE entry SET sha256 = ?2 WHERE id = ?1 AND state = 1",
                                       "ss", id, sum),
                        error);
}

/* TRUE: as it should be.  CORRUPT: proven not to be. */
static gboolean
compare (EncoreCache *self, const EncoreEntryInfo *info, gboolean dry, GError **error)
{
  g_auto (EncoreFound) found = {0};
  const EncoreJudgement judgement = encore_judge (self->layout, info->id, TRUE, &found);

  if (judgement == ENCORE_JUDGED_UNKNOWN) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "%s cannot be read: %s", info->id,
                 g_strerror (errno));
    return FALSE;
  }
  if (judgement == ENCORE_JUDGED_BROKEN || found.bytes != info->opus_bytes ||
      (*info->sha256 != '\0' && strcmp (found.sha256, info->sha256) != 0)) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT,
                 "the file of %s is missing or has other bytes than were published", info->id);
    return FALSE;
  }
  return *info->sha256 != '\0' || dry || self->options.read_only ||
         learn_sum (self, info->id, found.sha256, error);
}

/* Who is playing it keeps what he has: then the row alone goes, and the next fetch or open removes
 * the file. */
static gboolean
quarantine (EncoreCache *self, const char *id, GError **error)
{
  const int unleased = encore_locks_try_unleased (self->locks, id);
  gint64 bytes;

  encore_layout_quarantine (self->layout, id);
  const gboolean ok = unleased >= 0 ? encore_cache_drop (self, id, &bytes, error)
                                    : encore_cache_mark_deleting (self, id, error);
  if (unleased >= 0)
    close (unleased);
  return ok;
}

gboolean
encore_cache_verify (EncoreCache *self, const char *id, gboolean dry, GError **error)
{
  g_autoptr (EncoreEntryInfo) info = NULL;
  g_autoptr (GError) local = NULL;

  if (encore_cache_is_interrupted (self, error) || !encore_cache_info (self, id, &info, error))
    return FALSE;
  g_autoptr (EncoreIdLock) lock =
      self->options.read_only ? NULL : encore_locks_try (self->locks, info->id);
  if (lock == NULL && !self->options.read_only) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_BUSY, "%s is being fetched or removed",
                 info->id);
    return FALSE;
  }
  /* it may have been fetched again before we had the lock */
  g_autoptr (EncoreEntryInfo) now = NULL;
  if (!encore_cache_info (self, info->id, &now, error))
    return FALSE;
  if (compare (self, now, dry, &local))
    return TRUE;
  if (g_error_matches (local, ENCORE_ERROR, ENCORE_ERROR_CORRUPT) && !dry &&
      !self->options.read_only && !quarantine (self, now->id, error))
    return FALSE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}
