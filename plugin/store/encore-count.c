/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Plays, counted in memory and written behind: 5 s after the first or with the 256th id, at flush
 * and at close.  A hit writes nothing. */
#include "config.h"
#include "store/encore-cache-private.h"

#define BEHIND_US (5 * G_USEC_PER_SEC)
#define BEHIND_IDS 256

/* Prepared once for all: with many ids most of the time would go into the parser.  A song that was
 * evicted meanwhile is remembered with its plays, too. */
static gboolean
write_counts (EncoreCache *self, GHashTable *counts, GError **error)
{
  g_autofree char *sql = g_strdup_printf (
      "UPDATE entry SET access_count = access_count + ?2, last_access = unixepoch (),"
      " lived_at = (SELECT v FROM total WHERE k = 'lived'), prio = %s WHERE id = ?1",
      encore_evict_prio_sql (self));
  g_autoptr (EncoreStmt) update = NULL;
  GHashTableIter iter;
  gpointer id, plays;
  gint64 total = 0;

  if (!encore_evict_live (self, error) ||
      !encore_db_run (self->db, error, "UPDATE total SET v = v + 1 WHERE k = 'turn'", ""))
    return FALSE;
  update = encore_db_prepare (self->db->writer, error, sql, "");
  if (update == NULL)
    return FALSE;
  g_hash_table_iter_init (&iter, counts);
  while (g_hash_table_iter_next (&iter, &id, &plays)) {
    sqlite3_bind_text (update, 1, id, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (update, 2, GPOINTER_TO_INT (plays));
    if (sqlite3_step (update) != SQLITE_DONE)
      return encore_db_fail (self->db->writer, error, "write");
    sqlite3_reset (update);
    total += GPOINTER_TO_INT (plays);
  }
  return encore_db_run (self->db, error, "UPDATE total SET v = v + ?1 WHERE k = 'plays'", "i",
                        total);
}

static void
add_count (GHashTable *counts, const char *id, int plays)
{
  const int known = GPOINTER_TO_INT (g_hash_table_lookup (counts, id));

  g_hash_table_replace (counts, g_strdup (id), GINT_TO_POINTER (known + plays));
}

/* On failure the counts go back and are written with the next ones. */
static void
restore_counts (EncoreCache *self, GHashTable *counts)
{
  GHashTableIter iter;
  gpointer id, plays;

  g_mutex_lock (&self->count_mutex);
  g_hash_table_iter_init (&iter, counts);
  while (g_hash_table_iter_next (&iter, &id, &plays))
    add_count (self->counts, id, GPOINTER_TO_INT (plays));
  g_mutex_unlock (&self->count_mutex);
}

/* Nothing to write, and nobody is writing: then it does not matter who has the database locked. */
static gboolean
is_idle (EncoreCache *self)
{
  g_mutex_lock (&self->db->write_mutex);
  g_mutex_lock (&self->count_mutex);
  const gboolean idle = g_hash_table_size (self->counts) == 0;
  g_mutex_unlock (&self->count_mutex);
  g_mutex_unlock (&self->db->write_mutex);
  return idle;
}

gboolean
encore_cache_flush (EncoreCache *self, GError **error)
{
  g_autoptr (GHashTable) counts = NULL;

  if (self->options.read_only || is_idle (self))
    return TRUE;
  /* the writer first: two flushes cannot overtake each other */
  if (!encore_db_begin (self->db, error))
    return FALSE;
  g_mutex_lock (&self->count_mutex);
  counts = g_steal_pointer (&self->counts);
  self->counts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_mutex_unlock (&self->count_mutex);
  if (g_hash_table_size (counts) == 0) {
    encore_db_end (self->db, FALSE, NULL);
    return TRUE;
  }
  if (encore_db_end (self->db, write_counts (self, counts, error), error))
    return TRUE;
  restore_counts (self, counts);
  return FALSE;
}

/* Sleeps until there is something to write, and then until it is time. */
static gpointer
count_thread (gpointer data)
{
  EncoreCache *self = data;

  g_mutex_lock (&self->count_mutex);
  while (!self->closing) {
    if (g_hash_table_size (self->counts) == 0) {
      g_cond_wait (&self->count_wake, &self->count_mutex);
      continue;
    }
    const gint64 due_us = g_get_monotonic_time () + BEHIND_US;
    while (!self->closing && g_hash_table_size (self->counts) < BEHIND_IDS &&
           g_cond_wait_until (&self->count_wake, &self->count_mutex, due_us))
      ;
    if (self->closing)
      break;
    g_mutex_unlock (&self->count_mutex);
    g_autoptr (GError) error = NULL;
    if (!encore_cache_flush (self, &error))
      g_warning ("store: counts are kept in memory: %s", error->message);
    else if (!g_atomic_int_get (&self->interrupted))
      encore_backup_if_due (self);
    g_mutex_lock (&self->count_mutex);
  }
  g_mutex_unlock (&self->count_mutex);
  return NULL;
}

void
encore_count_play (EncoreCache *self, const char *id, gint64 bytes)
{
  g_mutex_lock (&self->count_mutex);
  self->hits++;
  self->bytes_saved += bytes;
  if (!self->options.read_only) {
    add_count (self->counts, id, 1);
    const guint n = g_hash_table_size (self->counts);
    if (self->count_thread == NULL)
      self->count_thread = g_thread_new ("encore-count", count_thread, self);
    if (n == 1 || n >= BEHIND_IDS)
      g_cond_signal (&self->count_wake);
  }
  g_mutex_unlock (&self->count_mutex);
}

void
encore_count_miss (EncoreCache *self)
{
  g_mutex_lock (&self->count_mutex);
  self->misses++;
  g_mutex_unlock (&self->count_mutex);
}

void
encore_count_stop (EncoreCache *self)
{
  g_autoptr (GError) error = NULL;

  g_mutex_lock (&self->count_mutex);
  self->closing = TRUE;
  g_cond_signal (&self->count_wake);
  g_mutex_unlock (&self->count_mutex);
  if (self->count_thread != NULL)
    g_thread_join (self->count_thread);
  if (!encore_cache_flush (self, &error))
    g_warning ("store: counts are lost: %s", error->message);
}
