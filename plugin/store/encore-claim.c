/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The right to fetch one id: from the intent row to the ready row.  The order of operations is told
 * at the top of encore-cache.c. */
#include "config.h"
#include "store/encore-cache.h"

#include <string.h>
#include <unistd.h>

#include "base/encore-media-id.h"
#include "store/encore-cache-private.h"
#include "store/encore-mutant.h"
#include "store/encore-sum.h"

#define ANSWERED_WAIT_US (10 * G_USEC_PER_SEC)

struct EncoreClaim {
  EncoreCache *cache;
  EncoreIdLock *lock;
  EncoreIdLock *answered_lock; /* (nullable): of the id that the site answered with */
  char *id, *answered_id;
  char *private_name; /* below tmp/ */
  char *dir;
  gboolean published;
  gboolean moved; /* files may be in place, and a commit that failed may still turn up in the log */
};

static EncoreHandle *
look_again (EncoreCache *self, const char *id, GError **error)
{
  g_autoptr (GError) local = NULL;
  EncoreHandle *handle = encore_cache_get (self, id, FALSE, &local);

  if (handle == NULL && !g_error_matches (local, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND))
    g_propagate_error (error, g_steal_pointer (&local));
  return handle;
}

/* On a full disk the intent itself may not fit.  Songs go for it only when it is refused twice. */
static gboolean
intend_somehow (EncoreCache *self, const char *id, GError **error)
{
  g_autoptr (GError) full = NULL;

  if (encore_cache_intend (self, id, &full))
    return TRUE;
  if (g_error_matches (full, ENCORE_ERROR, ENCORE_ERROR_NO_SPACE)) {
    g_clear_error (&full);
    if (encore_cache_intend (self, id, &full))
      return TRUE;
  }
  if (g_error_matches (full, ENCORE_ERROR, ENCORE_ERROR_NO_SPACE))
    return encore_evict_unjam (self, error) && encore_cache_intend (self, id, error);
  g_propagate_error (error, g_steal_pointer (&full));
  return FALSE;
}

/* Under the lock: is it there now, or known to fail?  TRUE: there is nothing to claim. */
static gboolean
is_settled (EncoreCache *self, const char *id, gboolean waited, EncoreHandle **out_hit,
            GError **error)
{
  g_autoptr (GError) local = NULL;

  if (!encore_mutant ("no-recheck"))
    *out_hit = look_again (self, id, &local);
  /* what a lost database has left is not fetched a second time */
  if (*out_hit == NULL && local == NULL && encore_audit_adopt (self, id))
    *out_hit = look_again (self, id, &local);
  /* whoever waited while somebody failed gets the same answer, not a failure of his own */
  if (waited && *out_hit == NULL && local == NULL)
    encore_cache_get_failure (self, id, NULL, &local);
  if (local != NULL)
    g_propagate_error (error, g_steal_pointer (&local));
  else if (*out_hit == NULL)
    return FALSE;
  return TRUE;
}

EncoreClaim *
encore_cache_claim (EncoreCache *self, const char *id, gint64 deadline_us,
                    GCancellable *cancellable, EncoreHandle **out_hit, GError **error)
{
  gint64 bytes;

  *out_hit = NULL;
  g_return_val_if_fail (encore_id_is_stem (id), NULL);
  g_autoptr (EncoreIdLock) lock = encore_locks_try (self->locks, id);
  const gboolean waited = lock == NULL;
  if (waited)
    lock = encore_locks_acquire (self->locks, id, deadline_us, cancellable, error);
  if (lock == NULL || is_settled (self, id, waited, out_hit, error))
    return NULL;
  /* an earlier attempt may have been killed after its rename: we hold the lock, it is nobody's */
  if ((!encore_mutant ("no-intent") && !intend_somehow (self, id, error)) ||
      !encore_cache_remove_files (self, id, &bytes, error))
    return NULL;

  EncoreClaim *claim = g_new0 (EncoreClaim, 1);
  claim->cache = self;
  claim->id = g_strdup (id);
  claim->private_name = encore_layout_make_private (self->layout, id, error);
  claim->lock = g_steal_pointer (&lock);
  if (claim->private_name == NULL) {
    encore_claim_free (claim);
    return NULL;
  }
  claim->dir = g_build_filename (self->layout->dir, "tmp", claim->private_name, NULL);
  return claim;
}

const char *
encore_claim_get_id (EncoreClaim *self)
{
  return self->id;
}

const char *
encore_claim_get_dir (EncoreClaim *self)
{
  return self->dir;
}

static void
remove_private (EncoreClaim *self)
{
  gint64 bytes = 0;

  if (encore_layout_remove_private (self->cache->layout, self->private_name, &bytes))
    g_info ("cleanup: removed tmp/%s (%" G_GINT64_FORMAT " bytes) because it was temporary",
            self->private_name, bytes);
  else
    g_warning ("store: tmp/%s stays until the next open", self->private_name);
}

static void
undo (EncoreClaim *self)
{
  g_autoptr (GError) error = NULL;
  gint64 bytes;

  if (!(self->moved ? encore_cache_drop (self->cache, self->id, &bytes, &error)
                    : encore_cache_forget_row (self->cache, self->id, &error)))
    g_warning ("store: %s stays unfinished until the next open: %s", self->id, error->message);
}

void
encore_claim_free (EncoreClaim *self)
{
  if (self == NULL)
    return;
  if (self->private_name != NULL)
    remove_private (self);
  if (!self->published)
    undo (self);
  if (self->answered_lock != NULL)
    encore_id_lock_free (self->answered_lock);
  encore_id_lock_free (self->lock);
  g_free (self->answered_id);
  g_free (self->private_name);
  g_free (self->dir);
  g_free (self->id);
  g_free (self);
}

/* ---- publish */

static gboolean
is_whole_name (const char *name)
{
  return name != NULL && *name != '\0' && strchr (name, '/') == NULL && *name != '.';
}

/* The files in place and durable. */
static gboolean
move_files (EncoreClaim *self, const char *id, const EncorePublish *what, const char *src_ext,
            EncoreEntryInfo *sizes, GError **error)
{
  EncoreLayout *layout = self->cache->layout;

  self->moved = TRUE;
  return (what->source_name == NULL ||
          encore_layout_publish (layout, self->private_name, what->source_name, ENCORE_KIND_AUDIO,
                                 id, src_ext, &sizes->src_bytes, error)) &&
         encore_layout_publish (layout, self->private_name, what->opus_name, ENCORE_KIND_OPUS, id,
                                "opus", &sizes->opus_bytes, error);
}

static const char *
choose_source_ext (const char *source_name)
{
  const char *dot = source_name != NULL ? strrchr (source_name, '.') : NULL;

  return source_name == NULL ? "" : dot != NULL ? dot + 1 : "bin";
}

typedef struct {
  int fd;
  char *hex; /* (nullable) */
  GError *error;
} Sum;

static gpointer
sum_up (gpointer data)
{
  Sum *self = data;

  self->hex = encore_sum_file (self->fd, &self->error);
  return NULL;
}

/* The checksum is worked out by a thread while the disk takes the file in: a third of what a
 * publish takes otherwise.  The bytes are those of the moved file, whatever its name is by then. */
static gboolean
move_and_sum (EncoreClaim *self, const char *id, const EncorePublish *what, const char *src_ext,
              EncoreEntryInfo *sizes, char **out_sum, GError **error)
{
  Sum sum = {.fd = encore_layout_open_private (self->cache->layout, self->private_name,
                                               what->opus_name, error)};

  if (sum.fd < 0)
    return FALSE;
  GThread *thread = g_thread_try_new ("encore-sum", sum_up, &sum, NULL);
  if (thread == NULL)
    sum_up (&sum);
  const gboolean moved = move_files (self, id, what, src_ext, sizes, error);
  if (thread != NULL)
    g_thread_join (thread);
  close (sum.fd);
  *out_sum = sum.hex;
  if (sum.error != NULL)
    g_propagate_error (moved ? error : NULL, sum.error);
  return moved && sum.hex != NULL;
}

/* The files in place and durable, the row ready. */
static gboolean
publish_as (EncoreClaim *self, const char *id, const EncorePublish *what, GError **error)
{
  EncoreEntryInfo sizes = {0};
  g_autofree char *sum = NULL;
  const char *src_ext = choose_source_ext (what->source_name);

  if (!move_and_sum (self, id, what, src_ext, &sizes, &sum, error))
    return FALSE;
  sizes.sha256 = sum;
  const gint64 limit = self->cache->options.max_size_bytes;
  if (limit > 0 && sizes.opus_bytes + sizes.src_bytes > limit / ENCORE_ENTRY_SHARE) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_TOO_BIG,
                 "%s is larger than a quarter of the cache", id);
    return FALSE;
  }
  return encore_cache_make_ready (self->cache, id, what, &sizes, src_ext, !what->unplayed, error);
}

static gboolean
add_alias (EncoreCache *self, const char *id, const char *target, GError **error)
{
  if (!encore_db_begin (self->db, error))
    return FALSE;
  return encore_db_end (
      self->db,
      encore_db_run (self->db, error, "INSERT OR REPLACE INTO alias VALUES (?1, ?2)", "ss", id,
                     target) &&
          encore_db_run (self->db, error, "DELETE FROM entry WHERE id = ?1 AND state = 0", "s", id),
      error);
}

static gboolean
holds_answered (EncoreClaim *self, const char *id)
{
  return self->answered_lock != NULL && strcmp (self->answered_id, id) == 0;
}

static void
keep_answered (EncoreClaim *self, const char *id, EncoreIdLock *lock)
{
  if (self->answered_lock != NULL)
    encore_id_lock_free (self->answered_lock);
  self->answered_lock = lock;
  g_free (self->answered_id);
  self->answered_id = g_strdup (id);
}

gboolean
encore_claim_try_answered (EncoreClaim *self, const char *answered_id)
{
  g_return_val_if_fail (encore_id_is_stem (answered_id), FALSE);
  if (strcmp (answered_id, self->id) == 0 || holds_answered (self, answered_id))
    return TRUE;
  g_autoptr (EncoreIdLock) lock = encore_locks_try (self->cache->locks, answered_id);
  g_autoptr (EncoreHandle) known =
      lock != NULL ? look_again (self->cache, answered_id, NULL) : NULL;
  if (lock == NULL || known != NULL)
    return FALSE;
  keep_answered (self, answered_id, g_steal_pointer (&lock));
  return TRUE;
}

EncoreHandle *
encore_claim_wait_answered (EncoreClaim *self, const char *answered_id, gint64 deadline_us,
                            GCancellable *cancellable, GError **error)
{
  EncoreHandle *hit = NULL;
  EncoreIdLock *lock =
      encore_locks_acquire (self->cache->locks, answered_id, deadline_us, cancellable, error);

  if (lock == NULL)
    return NULL;
  keep_answered (self, answered_id, lock);
  if (!is_settled (self->cache, answered_id, TRUE, &hit, error) || hit == NULL)
    return NULL;
  if (add_alias (self->cache, self->id, answered_id, error)) {
    self->published = TRUE;
    return hit;
  }
  encore_handle_free (hit);
  return NULL;
}

/* The site answered with another id: that is the song's name, ours becomes an alias. */
static gboolean
publish_answered (EncoreClaim *self, const EncorePublish *what, GError **error)
{
  EncoreCache *cache = self->cache;
  const char *id = what->answered_id;

  if (!holds_answered (self, id)) {
    EncoreIdLock *lock = encore_locks_acquire (
        cache->locks, id, g_get_monotonic_time () + ANSWERED_WAIT_US, NULL, error);
    if (lock == NULL)
      return FALSE;
    keep_answered (self, id, lock);
  }
  g_autoptr (EncoreHandle) known = look_again (cache, id, NULL);
  if (known == NULL) {
    gint64 bytes;
    /* as in a claim: what is there is nobody's */
    if (!encore_cache_intend (cache, id, error) ||
        !encore_cache_remove_files (cache, id, &bytes, error))
      return FALSE;
    if (!publish_as (self, id, what, error)) {
      encore_cache_drop (cache, id, &bytes, NULL);
      return FALSE;
    }
  }
  return add_alias (cache, self->id, id, error);
}

EncoreHandle *
encore_claim_publish (EncoreClaim *self, const EncorePublish *what, GError **error)
{
  const gboolean other = what->answered_id != NULL && strcmp (what->answered_id, self->id) != 0;

  g_return_val_if_fail (is_whole_name (what->opus_name), NULL);
  g_return_val_if_fail (what->source_name == NULL || is_whole_name (what->source_name), NULL);
  g_return_val_if_fail (what->answered_id == NULL || encore_id_is_stem (what->answered_id), NULL);
  self->published =
      other ? publish_answered (self, what, error) : publish_as (self, self->id, what, error);
  if (!self->published)
    return NULL;
  EncoreHandle *handle = encore_cache_get (self->cache, self->id, FALSE, error);
  g_autoptr (GError) full = NULL;
  if (!encore_cache_room_for (self->cache, 0, &full))
    g_warning ("store: %s", full->message);
  return handle;
}

/* ---- failures */

void
encore_claim_fail (EncoreClaim *self, EncoreError code, const char *message)
{
  const gint64 for_s = encore_error_retry_after_s (code);
  g_autoptr (GError) error = NULL;

  if (for_s == 0)
    return;
  if (!encore_db_begin (self->cache->db, &error) ||
      !encore_db_end (self->cache->db,
                      encore_db_run (self->cache->db, &error,
                                     "UPDATE entry SET fail_code = ?2, fail_msg = ?3,"
                                     " fail_until = unixepoch () + ?4 WHERE id = ?1",
                                     "sssi", self->id, encore_error_name (code), message, for_s),
                      &error))
    g_warning ("store: %s: the failure is not remembered: %s", self->id, error->message);
}

gboolean
encore_cache_get_failure (EncoreCache *self, const char *id, gint64 *retry_after_s, GError **error)
{
  g_autofree char *message = NULL;
  EncoreError code = ENCORE_ERROR_FAILED;
  gint64 left_s = 0;

  g_mutex_lock (&self->db->read_mutex);
  sqlite3_stmt *stmt =
      encore_db_prepare (self->db->reader, NULL,
                         "SELECT fail_code, fail_msg, fail_until - unixepoch () FROM entry"
                         " WHERE id = ?1 AND state <> 1 AND " ENCORE_FAILURE_HOLDS,
                         "s", id);
  if (stmt != NULL && sqlite3_step (stmt) == SQLITE_ROW) {
    code = encore_error_from_name (encore_db_text (stmt, 0));
    message = g_strdup (encore_db_text (stmt, 1));
    left_s = sqlite3_column_int64 (stmt, 2);
  }
  sqlite3_finalize (stmt);
  g_mutex_unlock (&self->db->read_mutex);
  if (retry_after_s != NULL)
    *retry_after_s = left_s;
  /* one that would hold for longer than its kind does was told before the clock was set back */
  if (message == NULL || left_s > encore_error_retry_after_s (code))
    return FALSE;
  g_set_error_literal (error, ENCORE_ERROR, code, message);
  return TRUE;
}

gboolean
encore_cache_forget_failure (EncoreCache *self, const char *id, GError **error)
{
  if (!encore_db_begin (self->db, error))
    return FALSE;
  return encore_db_end (
      self->db,
      encore_db_run (self->db, error, "UPDATE entry SET fail_until = 0 WHERE id = ?1", "s", id),
      error);
}
