/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Why a song is here, or is not. */
#include "config.h"
#include "store/encore-cache-private.h"
#include "store/encore-notes.h"

#include <string.h>

static EncoreWhereabouts
whereabouts (int state)
{
  switch (state) {
  case ENCORE_ROW_READY:
    return ENCORE_IS_HERE;
  case ENCORE_ROW_HISTORY:
    return ENCORE_IS_REMEMBERED;
  default:
    return ENCORE_IS_BEING_MADE;
  }
}

/* Only what is not pinned has a place in the order of eviction. */
static void
read_place (EncoreCache *self, EncoreExplanation *out)
{
  g_autoptr (EncoreStmt) stmt = encore_db_prepare (
      self->db->reader, NULL,
      "SELECT count (*) FILTER (WHERE prio <= (SELECT prio FROM entry WHERE id = ?1)), count (*)"
      " FROM entry WHERE state = 1 AND pinned = 0",
      "s", out->id);

  if (stmt == NULL || sqlite3_step (stmt) != SQLITE_ROW)
    return;
  out->place = sqlite3_column_int64 (stmt, 0);
  out->of = sqlite3_column_int64 (stmt, 1);
}

static gboolean
read_row (EncoreCache *self, EncoreExplanation *out, GError **error)
{
  g_autoptr (EncoreStmt) stmt = encore_db_prepare (self->db->reader, error,
                                                   "SELECT state, access_count, pinned, fail_code,"
                                                   " iif (state <> 1 AND " ENCORE_FAILURE_HOLDS
                                                   ", fail_until - unixepoch (), 0)"
                                                   " FROM entry WHERE id = ?1",
                                                   "s", out->id);
  const int result = stmt != NULL ? sqlite3_step (stmt) : SQLITE_ERROR;

  if (result == SQLITE_DONE)
    return TRUE;
  if (result != SQLITE_ROW)
    return stmt != NULL ? encore_db_fail (self->db->reader, error, "explain") : FALSE;
  out->where = whereabouts (sqlite3_column_int (stmt, 0));
  out->plays = sqlite3_column_int64 (stmt, 1);
  out->pinned = sqlite3_column_int (stmt, 2) != 0;
  out->failure = encore_error_from_name (encore_db_text (stmt, 3));
  out->retry_after_s = sqlite3_column_int64 (stmt, 4);
  if (out->where == ENCORE_IS_HERE && !out->pinned)
    read_place (self, out);
  return TRUE;
}

/* The song that ID is another name of, or ID itself.  (transfer full) */
static char *
follow_alias (EncoreCache *self, const char *id)
{
  g_autoptr (EncoreStmt) stmt =
      encore_db_prepare (self->db->reader, NULL, "SELECT target FROM alias WHERE id = ?1", "s", id);

  return g_strdup (stmt != NULL && sqlite3_step (stmt) == SQLITE_ROW ? encore_db_text (stmt, 0)
                                                                     : id);
}

gboolean
encore_cache_explain (EncoreCache *self, const char *id, EncoreExplanation *out, GError **error)
{
  memset (out, 0, sizeof *out);
  g_mutex_lock (&self->db->read_mutex);
  out->id = follow_alias (self, id);
  out->alias = strcmp (out->id, id) != 0 ? g_strdup (id) : NULL;
  const gboolean ok = read_row (self, out, error);
  g_mutex_unlock (&self->db->read_mutex);
  return ok;
}

void
encore_explanation_clear (EncoreExplanation *self)
{
  g_clear_pointer (&self->id, g_free);
  g_clear_pointer (&self->alias, g_free);
}

GPtrArray *
encore_cache_list_missed (EncoreCache *self, guint limit, GError **error)
{
  g_autoptr (GPtrArray) ids = g_ptr_array_new_with_free_func (g_free);
  int result = SQLITE_ERROR;

  g_mutex_lock (&self->db->read_mutex);
  g_autoptr (EncoreStmt) stmt =
      encore_db_prepare (self->db->reader, error,
                         "SELECT id FROM entry WHERE state = 3 AND access_count > 0"
                         " ORDER BY access_count DESC, id LIMIT ?1",
                         "i", (gint64) limit);
  while (stmt != NULL && (result = sqlite3_step (stmt)) == SQLITE_ROW)
    g_ptr_array_add (ids, g_strdup (encore_db_text (stmt, 0)));
  if (stmt != NULL && result != SQLITE_DONE)
    encore_db_fail (self->db->reader, error, "list");
  g_clear_pointer (&stmt, encore_stmt_free);
  g_mutex_unlock (&self->db->read_mutex);
  return result == SQLITE_DONE ? g_steal_pointer (&ids) : NULL;
}
