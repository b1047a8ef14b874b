/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Which songs go when there is no room: GDSF with remembered counts (Cherkasova 1998: priority =
 * clock L + plays * cost / size), least recently played, or oldest.  No clock of the machine is in
 * the order.
 *
 * Playing, queued, fetched and pinned songs stay: the first three hold locks that are only tried.
 */
#include "config.h"
#include "store/encore-cache.h"

#include <string.h>
#include <unistd.h>

#include "store/encore-cache-private.h"

#define BATCH 32
#define LOW_WATER 0.95
#define RESERVE "reserve"

const char *
encore_evict_prio_sql (const EncoreCache *self)
{
  switch (self->options.policy) {
  case ENCORE_EVICT_LRU:
    return "(SELECT v FROM total WHERE k = 'turn')";
  case ENCORE_EVICT_AGE:
    /* set when it became ready, kept afterwards */
    return "CASE WHEN state = 1 THEN prio ELSE (SELECT v FROM total WHERE k = 'turn') END";
  default:
    return "(SELECT v FROM total WHERE k = 'L')"
           " + (access_count + ?2) * 4e6 / max (src_size + opus_size, 65536)";
  }
}

/* Bytes of all entries, from the totals that triggers keep. */
static gint64
total_bytes (EncoreCache *self)
{
  gint64 bytes = 0;

  g_mutex_lock (&self->db->read_mutex);
  sqlite3_stmt *stmt =
      encore_db_prepare (self->db->reader, NULL, "SELECT v FROM total WHERE k = 'bytes'", "");
  if (stmt != NULL && sqlite3_step (stmt) == SQLITE_ROW)
    bytes = sqlite3_column_int64 (stmt, 0);
  sqlite3_finalize (stmt);
  g_mutex_unlock (&self->db->read_mutex);
  return bytes;
}

gboolean
encore_evict_one (EncoreCache *self, const char *id, EncoreStillFunc still, gint64 *bytes,
                  GError **error)
{
  g_autoptr (EncoreIdLock) lock = encore_locks_try (self->locks, id);
  const int unleased = lock != NULL ? encore_locks_try_unleased (self->locks, id) : -1;

  if (unleased < 0) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_BUSY, "%s is being played, queued or fetched",
                 id);
    return FALSE;
  }
  gboolean ok = still (self, id);
  if (!ok)
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND, "%s is not what it was any more", id);
  ok = ok && encore_cache_drop (self, id, bytes, error);
  close (unleased);
  return ok;
}

static gboolean
is_ready (EncoreCache *self, const char *id)
{
  g_autoptr (EncoreEntryInfo) info = NULL;

  return encore_cache_info (self, id, &info, NULL) && strcmp (info->id, id) == 0;
}

static gboolean
is_ready_and_unpinned (EncoreCache *self, const char *id)
{
  g_autoptr (EncoreEntryInfo) info = NULL;

  return encore_cache_info (self, id, &info, NULL) && strcmp (info->id, id) == 0 && !info->pinned;
}

gboolean
encore_cache_remove (EncoreCache *self, const char *id, GError **error)
{
  g_autoptr (EncoreEntryInfo) info = NULL;
  gint64 bytes;

  return encore_cache_info (self, id, &info, error) &&
         encore_evict_one (self, info->id, is_ready, &bytes, error);
}

/* A row of a list of victims. */
typedef struct {
  char *id;
  gint64 bytes;
  double prio;
} Victim;

static void
victim_free (gpointer data)
{
  Victim *victim = data;

  g_free (victim->id);
  g_free (victim);
}

/* At most BATCH rows of SQL (id, bytes, prio) after the first SKIP. */
static GPtrArray *
list_victims (EncoreCache *self, const char *sql, gint64 skip, GError **error)
{
  g_autoptr (GPtrArray) victims = g_ptr_array_new_with_free_func (victim_free);
  gboolean ok = TRUE;

  g_mutex_lock (&self->db->read_mutex);
  sqlite3_stmt *stmt = encore_db_prepare (self->db->reader, error, sql, "ii", (gint64) BATCH, skip);
  if (stmt != NULL) {
    int result;
    while ((result = sqlite3_step (stmt)) == SQLITE_ROW) {
      Victim *victim = g_new (Victim, 1);
      *victim = (Victim){g_strdup (encore_db_text (stmt, 0)), sqlite3_column_int64 (stmt, 1),
                         sqlite3_column_double (stmt, 2)};
      g_ptr_array_add (victims, victim);
    }
    ok = result == SQLITE_DONE || encore_db_fail (self->db->reader, error, "victims");
  }
  sqlite3_finalize (stmt);
  g_mutex_unlock (&self->db->read_mutex);
  return stmt != NULL && ok ? g_steal_pointer (&victims) : NULL;
}

/* The clock of GDSF: what enters from now on is worth more than what went. */
static void
raise_clock (EncoreCache *self, double prio)
{
  if (encore_db_begin (self->db, NULL))
    encore_db_end (
        self->db,
        encore_db_run (self->db, NULL, "UPDATE total SET v = max (v, ?1) WHERE k = 'L'", "d", prio),
        NULL);
}

typedef gboolean (*EnoughFunc) (EncoreCache *self, gint64 target);

static gboolean
is_small_enough (EncoreCache *self, gint64 target)
{
  return total_bytes (self) <= target;
}

static gboolean
is_free_enough (EncoreCache *self, gint64 target)
{
  return encore_layout_get_free (self->layout) >= target;
}

static gboolean
never_enough (EncoreCache *self, gint64 target)
{
  return FALSE;
}

/* Evicts in the order of SQL until ENOUGH; busy ones are passed over.  Returns: how many, -1. */
static gint64
evict_until (EncoreCache *self, const char *sql, EnoughFunc enough, gint64 target,
             const char *reason, gint64 *freed, EncoreDecisionFunc decide, gpointer data,
             GError **error)
{
  gint64 removed = 0, busy = 0;

  while (!enough (self, target)) {
    g_autoptr (GPtrArray) victims = list_victims (self, sql, busy, error);
    if (victims == NULL)
      return -1;
    if (victims->len == 0)
      break;
    for (guint i = 0; i < victims->len && !enough (self, target); i++) {
      const Victim *victim = victims->pdata[i];
      g_autoptr (GError) local = NULL;
      gint64 bytes = 0;
      const gboolean gone =
          encore_evict_one (self, victim->id, is_ready_and_unpinned, &bytes, &local);
      if (g_error_matches (local, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND))
        continue; /* somebody else was faster */
      if (!gone && !g_error_matches (local, ENCORE_ERROR, ENCORE_ERROR_BUSY)) {
        g_propagate_error (error, g_steal_pointer (&local));
        return -1;
      }
      if (gone)
        raise_clock (self, victim->prio);
      *(gone ? &removed : &busy) += 1;
      if (gone && freed != NULL)
        *freed += bytes;
      if (decide != NULL)
        decide (victim->id, gone, victim->bytes, gone ? reason : "it is playing, queued or fetched",
                data);
    }
  }
  return removed;
}

#define BY_PRIO \
  "SELECT id, src_size + opus_size, prio FROM entry WHERE state = 1 AND pinned = 0" \
  " ORDER BY prio LIMIT ?1 OFFSET ?2"

static gint64
evict_aged (EncoreCache *self, EncoreDecisionFunc decide, gpointer data, GError **error)
{
  g_autofree char *sql = g_strdup_printf (
      "SELECT id, src_size + opus_size, prio FROM entry WHERE state = 1 AND pinned = 0"
      " AND last_access < unixepoch () - %" G_GINT64_FORMAT
      " ORDER BY last_access LIMIT ?1 OFFSET ?2",
      self->options.max_age_ms / 1000);

  if (self->options.max_age_ms == 0)
    return 0;
  return evict_until (self, sql, never_enough, 0, "nobody played it for max_age", NULL, decide,
                      data, error);
}

/* min_free may be passed by others: then the low-water mark is theirs, too. */
static gint64
evict_for_free (EncoreCache *self, gint64 wanted, EncoreDecisionFunc decide, gpointer data,
                GError **error)
{
  return evict_until (self, BY_PRIO, is_free_enough, wanted, "the disk has less than min_free left",
                      NULL, decide, data, error);
}

gint64
encore_cache_evict (EncoreCache *self, gint64 to_bytes, EncoreDecisionFunc decide, gpointer data,
                    GError **error)
{
  const gint64 limit = self->options.max_size_bytes;
  gint64 target = to_bytes;

  if (!encore_cache_flush (self, error))
    return -1;
  const gint64 aged = evict_aged (self, decide, data, error);
  if (aged < 0)
    return -1;
  if (to_bytes < 0)
    target = limit > 0 && total_bytes (self) > limit ? (gint64) (limit * LOW_WATER) : G_MAXINT64;
  const gint64 by_size =
      evict_until (self, BY_PRIO, is_small_enough, target,
                   "it was worth least when the limit was passed", NULL, decide, data, error);
  if (by_size < 0)
    return -1;
  const gint64 by_free = evict_for_free (self, self->options.min_free_bytes, decide, data, error);
  return by_free < 0 ? -1 : aged + by_size + by_free;
}

gint64
encore_cache_clear (EncoreCache *self, gint64 *out_bytes, EncoreDecisionFunc decide, gpointer data,
                    GError **error)
{
  gint64 freed = 0;

  if (!encore_cache_flush (self, error))
    return -1;
  const gint64 removed = evict_until (self, BY_PRIO, never_enough, 0, "an admin emptied the cache",
                                      &freed, decide, data, error);
  if (out_bytes != NULL)
    *out_bytes = freed;
  return removed;
}

static void
log_decision (const char *id, gboolean removed, gint64 bytes, const char *reason, gpointer data)
{
  if (removed)
    g_info ("cleanup: removed %s (%" G_GINT64_FORMAT " bytes) because %s", id, bytes, reason);
}

gboolean
encore_cache_room_for (EncoreCache *self, gint64 bytes, GError **error)
{
  const gint64 limit = self->options.max_size_bytes;
  const gint64 wanted = self->options.min_free_bytes + bytes;

  if (limit > 0 && total_bytes (self) + bytes > limit &&
      encore_cache_evict (self, MAX ((gint64) (limit * LOW_WATER) - bytes, 0), log_decision, NULL,
                          error) < 0)
    return FALSE;
  if (is_free_enough (self, wanted))
    return TRUE;
  /* on a disk that is really full not even the transactions of an eviction fit */
  if (encore_layout_get_free (self->layout) == 0)
    unlinkat (self->layout->dirfd, RESERVE, 0);
  /* where not even an empty cache would make room the songs stay: it is others who fill the disk */
  if (encore_layout_get_free (self->layout) + total_bytes (self) >= wanted) {
    if (evict_for_free (self, wanted, log_decision, NULL, error) < 0)
      return FALSE;
    if (is_free_enough (self, wanted))
      return TRUE;
  }
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_NO_SPACE,
               "the disk of the cache has less than min_free left");
  return FALSE;
}
