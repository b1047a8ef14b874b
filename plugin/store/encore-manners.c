/* SPDX-License-Identifier: LGPL-2.1-or-later
 * How the site is treated, by all processes together: rows of the table note.
 *
 * Clocks are set back now and then.  A time that lies further ahead than any is ever written counts
 * for nothing. */
#include "config.h"
#include "store/encore-cache-private.h"
#include "store/encore-notes.h"

#define FIRST_S ((gint64) 10 * 60)
#define LONGEST_S ((gint64) 6 * 3600)
/* Whoever asks again within this time after the end of a back-off has learnt nothing new. */
#define FORGIVEN_AFTER_S ((gint64) 24 * 3600)
#define TURN_AHEAD_MS ((gint64) 24 * 3600 * 1000)
#define DAY_S ((gint64) 24 * 3600)

static gint64
read_note (sqlite3 *db, const char *key)
{
  g_autoptr (EncoreStmt) stmt =
      encore_db_prepare (db, NULL, "SELECT v FROM note WHERE k = ?1", "s", key);

  return stmt != NULL && sqlite3_step (stmt) == SQLITE_ROW ? sqlite3_column_int64 (stmt, 0) : 0;
}

/* Within a transaction. */
static gboolean
write_note (EncoreCache *self, const char *key, gint64 value, GError **error)
{
  return encore_db_run (self->db, error, "INSERT OR REPLACE INTO note VALUES (?1, ?2)", "si", key,
                        value);
}

static gint64
now_s (void)
{
  return g_get_real_time () / G_USEC_PER_SEC;
}

static gint64
left_of (gint64 until_s)
{
  const gint64 left_s = until_s - now_s ();

  return left_s > 0 && left_s <= LONGEST_S ? left_s : 0;
}

gint64
encore_cache_backoff_left (EncoreCache *self)
{
  g_mutex_lock (&self->db->read_mutex);
  const gint64 until_s = read_note (self->db->reader, "backoff_until");
  g_mutex_unlock (&self->db->read_mutex);
  return left_of (until_s);
}

gint64
encore_cache_backoff (EncoreCache *self, GError **error)
{
  if (!encore_db_begin (self->db, error))
    return 0;
  const gint64 until_s = read_note (self->db->writer, "backoff_until");
  const gint64 last_s = read_note (self->db->writer, "backoff_s");
  const gint64 left_s = left_of (until_s);
  if (left_s > 0) { /* several flights hear of one refusal */
    encore_db_end (self->db, FALSE, NULL);
    return left_s;
  }
  const gboolean in_a_row = last_s > 0 && now_s () < until_s + FORGIVEN_AFTER_S;
  const gint64 for_s = in_a_row ? MIN (2 * last_s, LONGEST_S) : FIRST_S;
  const gboolean ok = write_note (self, "backoff_until", now_s () + for_s, error) &&
                      write_note (self, "backoff_s", for_s, error);
  return encore_db_end (self->db, ok, error) ? for_s : 0;
}

gboolean
encore_cache_backoff_end (EncoreCache *self, gint64 *was, GError **error)
{
  g_mutex_lock (&self->db->read_mutex);
  const gint64 left_s = left_of (read_note (self->db->reader, "backoff_until"));
  const gboolean any = read_note (self->db->reader, "backoff_s") != 0;
  g_mutex_unlock (&self->db->read_mutex);

  if (was != NULL)
    *was = left_s;
  if (!any)
    return TRUE;
  return encore_db_begin (self->db, error) &&
         encore_db_end (self->db,
                        encore_db_run (self->db, error,
                                       "DELETE FROM note WHERE k IN ('backoff_until', 'backoff_s')",
                                       "") &&
                            encore_db_run (self->db, error,
                                           "UPDATE entry SET fail_until = 0"
                                           " WHERE state = 3 AND fail_code = 'throttled'",
                                           ""),
                        error);
}

gint64
encore_cache_take_turn (EncoreCache *self, gint64 interval_ms, GError **error)
{
  const gint64 now_ms = g_get_real_time () / 1000;

  if (interval_ms <= 0)
    return 0;
  if (!encore_db_begin (self->db, error))
    return -1;
  gint64 turn_ms = read_note (self->db->writer, "next_turn_ms");
  if (turn_ms < now_ms || turn_ms > now_ms + TURN_AHEAD_MS + interval_ms)
    turn_ms = now_ms;
  const gboolean ok = write_note (self, "next_turn_ms", turn_ms + interval_ms, error);
  return encore_db_end (self->db, ok, error) ? turn_ms - now_ms : -1;
}

static gint64
read_spent (sqlite3 *db)
{
  return read_note (db, "spent_day") == now_s () / DAY_S ? read_note (db, "spent_bytes") : 0;
}

gint64
encore_cache_get_spent (EncoreCache *self)
{
  g_mutex_lock (&self->db->read_mutex);
  const gint64 spent = read_spent (self->db->reader);
  g_mutex_unlock (&self->db->read_mutex);
  return spent;
}

gboolean
encore_cache_spend (EncoreCache *self, gint64 bytes, GError **error)
{
  if (!encore_db_begin (self->db, error))
    return FALSE;
  const gint64 spent = read_spent (self->db->writer) + bytes;
  const gboolean ok = write_note (self, "spent_day", now_s () / DAY_S, error) &&
                      write_note (self, "spent_bytes", spent, error);
  return encore_db_end (self->db, ok, error);
}
