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
/* What a disk that was full has to have before work goes on. */
#define UNJAM_BYTES (4 * 1024 * 1024)
/* However long nobody looked, or however far the clock was set: no more than this has been lived.
 */
#define LIVED_AT_ONCE_S (7 * 24 * 3600)
/* Songs that are gone are remembered, up to this many times the songs that are there. */
#define HISTORY_SHARE 4
#define HISTORY_MIN 10000

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
  g_mutex_lock (&self->db->read_mutex);
  const gint64 bytes =
      encore_db_total (self->db->reader, "SELECT v FROM total WHERE k = 'bytes'",
                       "SELECT sum (src_size + opus_size) FROM entry WHERE state = 1");
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
  const gboolean ok = still (self, id, error) && encore_cache_drop (self, id, bytes, error);
  close (unleased);
  return ok;
}

static gboolean
is_ready (EncoreCache *self, const char *id, GError **error)
{
  return encore_cache_row_says (self, "SELECT count (*) FROM entry WHERE id = ?1 AND state = 1", id,
                                error);
}

/* Of the row itself, as the list of victims is: an alias of the same name must not hide it, or the
 * list would have no end. */
static gboolean
is_ready_and_unpinned (EncoreCache *self, const char *id, GError **error)
{
  return encore_cache_row_says (
      self, "SELECT count (*) FROM entry WHERE id = ?1 AND state = 1 AND pinned = 0", id, error);
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

/* Would even an empty cache leave so much free? */
static gboolean
can_be_had (EncoreCache *self, gint64 wanted)
{
  return encore_layout_get_free (self->layout) + total_bytes (self) >= wanted;
}

static gboolean
never_enough (EncoreCache *self, gint64 target)
{
  return FALSE;
}

/* What is evicted, until when, and who is told. */
typedef struct {
  const char *sql; /* id, bytes, prio in the order of eviction; ?1 how many after the first ?2 */
  EnoughFunc enough;
  gint64 target;
  const char *reason;
  EncoreDecisionFunc decide;
  gpointer data;
  gint64 removed, busy, freed; /* (out) */
  double last_prio;
} Eviction;

static gboolean
evict_victim (EncoreCache *self, Eviction *work, const Victim *victim, GError **error)
{
  g_autoptr (GError) local = NULL;
  gint64 bytes = 0;
  const gboolean gone = encore_evict_one (self, victim->id, is_ready_and_unpinned, &bytes, &local);

  if (g_error_matches (local, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND))
    return TRUE; /* somebody else was faster */
  if (!gone && !g_error_matches (local, ENCORE_ERROR, ENCORE_ERROR_BUSY)) {
    g_propagate_error (error, g_steal_pointer (&local));
    return FALSE;
  }
  *(gone ? &work->removed : &work->busy) += 1;
  if (gone) {
    work->freed += bytes;
    work->last_prio = MAX (work->last_prio, victim->prio);
  }
  if (work->decide != NULL)
    work->decide (victim->id, gone, victim->bytes,
                  gone ? work->reason : "it is playing, queued or fetched", work->data);
  return TRUE;
}

/* Batch by batch; busy ones are passed over. */
static gboolean
evict_until (EncoreCache *self, Eviction *work, GError **error)
{
  gboolean ok = TRUE, more = TRUE;

  while (ok && more && !work->enough (self, work->target)) {
    g_autoptr (GPtrArray) victims = list_victims (self, work->sql, work->busy, error);
    const gint64 before = work->removed;
    ok = victims != NULL;
    more = ok && victims->len > 0;
    for (guint i = 0; ok && more && i < victims->len && !work->enough (self, work->target); i++)
      ok = !encore_cache_is_interrupted (self, error) &&
           evict_victim (self, work, victims->pdata[i], error);
    if (work->removed > before)
      raise_clock (self, work->last_prio);
  }
  return ok;
}

/* On a disk that is really full not even the transactions of an eviction fit: then the reserve is
 * given up, and made again afterwards. */
static gboolean
evict_somehow (EncoreCache *self, Eviction *work, GError **error)
{
  g_autoptr (GError) full = NULL;

  if (evict_until (self, work, &full))
    return TRUE;
  if (!g_error_matches (full, ENCORE_ERROR, ENCORE_ERROR_NO_SPACE)) {
    g_propagate_error (error, g_steal_pointer (&full));
    return FALSE;
  }
  encore_layout_give_reserve (self->layout);
  const gboolean ok = evict_until (self, work, error);
  encore_layout_keep_reserve (self->layout);
  return ok;
}

#define BY_PRIO \
  "SELECT id, src_size + opus_size, prio FROM entry WHERE state = 1 AND pinned = 0" \
  " ORDER BY prio LIMIT ?1 OFFSET ?2"

/* Seconds lived, not told: a clock that jumps ages nothing by more than a week, and one that goes
 * back nothing at all.  Within a transaction. */
gboolean
encore_evict_live (EncoreCache *self, GError **error)
{
  return encore_db_run (self->db, error,
                        "UPDATE total SET v = v + max (0, min (?1, unixepoch () -"
                        " (SELECT v FROM total WHERE k = 'seen')))"
                        " WHERE k = 'lived' AND (SELECT v FROM total WHERE k = 'seen') > 0",
                        "i", (gint64) LIVED_AT_ONCE_S) &&
         encore_db_run (self->db, error, "UPDATE total SET v = unixepoch () WHERE k = 'seen'", "");
}

static gboolean
evict_aged (EncoreCache *self, Eviction *work, GError **error)
{
  g_autofree char *sql = g_strdup_printf (
      "SELECT id, src_size + opus_size, prio FROM entry WHERE state = 1 AND pinned = 0"
      " AND lived_at < (SELECT v FROM total WHERE k = 'lived') - %" G_GINT64_FORMAT
      " ORDER BY lived_at LIMIT ?1 OFFSET ?2",
      self->options.max_age_ms / 1000);

  if (self->options.max_age_ms == 0)
    return TRUE;
  if (!encore_db_begin (self->db, error) ||
      !encore_db_end (self->db, encore_evict_live (self, error), error))
    return FALSE;
  *work = (Eviction){.sql = sql,
                     .enough = never_enough,
                     .reason = "nobody played it for max_age",
                     .decide = work->decide,
                     .data = work->data};
  return evict_somehow (self, work, error);
}

static gboolean
evict_to_size (EncoreCache *self, gint64 target, Eviction *work, GError **error)
{
  *work = (Eviction){.sql = BY_PRIO,
                     .enough = is_small_enough,
                     .target = target,
                     .reason = "it was worth least when room was needed",
                     .decide = work->decide,
                     .data = work->data};
  return evict_somehow (self, work, error);
}

/* min_free may be passed by others: then the low-water mark is theirs, too. */
static gboolean
evict_for_free (EncoreCache *self, gint64 wanted, Eviction *work, GError **error)
{
  *work = (Eviction){.sql = BY_PRIO,
                     .enough = is_free_enough,
                     .target = wanted,
                     .reason = "the disk has less than min_free left",
                     .decide = work->decide,
                     .data = work->data};
  return evict_somehow (self, work, error);
}

/* Counts that cannot be written must not keep an eviction from making the room they need. */
static gboolean
flush_first (EncoreCache *self, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (encore_cache_flush (self, &local) ||
      g_error_matches (local, ENCORE_ERROR, ENCORE_ERROR_NO_SPACE))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

gint64
encore_cache_evict (EncoreCache *self, gint64 to_bytes, EncoreDecisionFunc decide, gpointer data,
                    GError **error)
{
  const gint64 limit = self->options.max_size_bytes;
  gint64 target = to_bytes, removed = 0;
  Eviction work = {.decide = decide, .data = data};

  if (!flush_first (self, error) || !evict_aged (self, &work, error))
    return -1;
  removed += work.removed;
  if (to_bytes < 0)
    target = limit > 0 && total_bytes (self) > limit ? (gint64) (limit * LOW_WATER) : G_MAXINT64;
  if (!evict_to_size (self, target, &work, error))
    return -1;
  removed += work.removed;
  if (!can_be_had (self, self->options.min_free_bytes))
    return removed;
  if (!evict_for_free (self, self->options.min_free_bytes, &work, error))
    return -1;
  return removed + work.removed;
}

gint64
encore_cache_clear (EncoreCache *self, gint64 *out_bytes, EncoreDecisionFunc decide, gpointer data,
                    GError **error)
{
  Eviction work = {.sql = BY_PRIO,
                   .enough = never_enough,
                   .reason = "an admin emptied the cache",
                   .decide = decide,
                   .data = data};

  if (!flush_first (self, error) || !evict_somehow (self, &work, error))
    return -1;
  if (out_bytes != NULL)
    *out_bytes = work.freed;
  return work.removed;
}

static void
log_decision (const char *id, gboolean removed, gint64 bytes, const char *reason, gpointer data)
{
  if (removed)
    g_info ("cleanup: removed %s (%" G_GINT64_FORMAT " bytes) because %s", id, bytes, reason);
}

/* The songs stay where they are too few to help: it is others who fill the disk. */
gboolean
encore_evict_unjam (EncoreCache *self, GError **error)
{
  const gint64 min_free = self->options.min_free_bytes;
  const gint64 wanted = can_be_had (self, min_free) ? MAX (min_free, UNJAM_BYTES) : UNJAM_BYTES;
  Eviction work = {.decide = log_decision};

  if (!can_be_had (self, wanted)) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_NO_SPACE,
                         "the disk of the cache is full, and not of songs");
    return FALSE;
  }
  encore_layout_give_reserve (self->layout);
  /* it tells of room and refuses all the same: a quota, or there are no inodes left */
  const gboolean ok =
      is_free_enough (self, wanted + UNJAM_BYTES)
          ? evict_to_size (self, MAX (total_bytes (self) - UNJAM_BYTES, 0), &work, error)
          : evict_for_free (self, wanted, &work, error);
  encore_layout_keep_reserve (self->layout);
  return ok;
}

gboolean
encore_cache_room_for (EncoreCache *self, gint64 bytes, GError **error)
{
  const gint64 limit = self->options.max_size_bytes;
  const gint64 wanted = self->options.min_free_bytes + bytes;
  /* what is announced may be anything, the song that comes of it is not larger than that */
  const gint64 share = MIN (bytes, limit / ENCORE_ENTRY_SHARE);
  Eviction work = {.decide = log_decision};

  if (limit > 0 && total_bytes (self) + share > limit &&
      encore_cache_evict (self, (gint64) (limit * LOW_WATER) - share, log_decision, NULL, error) <
          0)
    return FALSE;
  if (is_free_enough (self, wanted))
    return TRUE;
  /* where not even an empty cache would make room the songs stay: it is others who fill the disk */
  if (can_be_had (self, wanted) && !evict_for_free (self, wanted, &work, error))
    return FALSE;
  if (is_free_enough (self, wanted))
    return TRUE;
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_NO_SPACE,
               "the disk of the cache has less than min_free left");
  return FALSE;
}

/* ---- what is remembered */

gboolean
encore_evict_trim_history (EncoreCache *self, GError **error)
{
  return encore_db_run (self->db, error,
                        "DELETE FROM entry WHERE state = 3 AND access_count = 0"
                        " AND pinned = 0 AND NOT (" ENCORE_FAILURE_HOLDS ")",
                        "") &&
         encore_db_run (self->db, error,
                        "DELETE FROM entry WHERE id IN (SELECT id FROM entry WHERE state = 3"
                        " AND pinned = 0 ORDER BY last_access LIMIT max (0,"
                        " (SELECT count (*) FROM entry WHERE state = 3) -"
                        " max (?1, ?2 * (SELECT v FROM total WHERE k = 'entries'))))",
                        "ii", (gint64) HISTORY_MIN, (gint64) HISTORY_SHARE);
}
