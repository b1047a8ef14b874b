/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Looking at the cache: lists, search in titles, figures, pins. */
#include "config.h"
#include "store/encore-cache.h"

#include <string.h>

#include "store/encore-cache-private.h"

/* as encore_id_is_rendition() sees it */
#define SONGS_ONLY " AND NOT (id GLOB 'cbr[0-9]*-*' AND length (id) <> 11)"

static GPtrArray *
read_infos (EncoreCache *self, sqlite3_stmt *stmt, GError **error)
{
  g_autoptr (GPtrArray) infos =
      g_ptr_array_new_with_free_func ((GDestroyNotify) encore_entry_info_free);
  int result;

  while ((result = sqlite3_step (stmt)) == SQLITE_ROW)
    g_ptr_array_add (infos, encore_cache_read_info (stmt));
  if (result != SQLITE_DONE) {
    encore_db_fail (self->db->reader, error, "list");
    return NULL;
  }
  return g_steal_pointer (&infos);
}

GPtrArray *
encore_cache_list (EncoreCache *self, EncoreSort sort, guint offset, guint limit, GError **error)
{
  /* "+" keeps the planner off the indexes of ready rows, which cost a look-up for each of them */
  static const char *const sql[] = {
      [ENCORE_SORT_RECENT] = "SELECT " ENCORE_INFO_COLUMNS " FROM entry WHERE state = 1" SONGS_ONLY
                             " ORDER BY last_access DESC, id LIMIT ?1 OFFSET ?2",
      [ENCORE_SORT_TOP] = "SELECT " ENCORE_INFO_COLUMNS " FROM entry WHERE state = 1" SONGS_ONLY
                          " ORDER BY access_count DESC, id LIMIT ?1 OFFSET ?2",
      [ENCORE_SORT_SIZE] = "SELECT " ENCORE_INFO_COLUMNS " FROM entry WHERE +state = 1" SONGS_ONLY
                           " ORDER BY src_size + opus_size DESC, id LIMIT ?1 OFFSET ?2",
      [ENCORE_SORT_TITLE] = "SELECT " ENCORE_INFO_COLUMNS " FROM entry WHERE +state = 1" SONGS_ONLY
                            " ORDER BY title COLLATE NOCASE, id LIMIT ?1 OFFSET ?2",
  };
  GPtrArray *infos = NULL;

  g_mutex_lock (&self->db->read_mutex);
  g_autoptr (EncoreStmt) stmt =
      encore_db_prepare (self->db->reader, error, sql[sort], "ii", (gint64) limit, (gint64) offset);
  if (stmt != NULL)
    infos = read_infos (self, stmt, error);
  g_clear_pointer (&stmt, encore_stmt_free);
  g_mutex_unlock (&self->db->read_mutex);
  return infos;
}

GPtrArray *
encore_cache_list_after (EncoreCache *self, const char *after, guint limit, GError **error)
{
  GPtrArray *infos = NULL;

  g_mutex_lock (&self->db->read_mutex);
  g_autoptr (EncoreStmt) stmt =
      encore_db_prepare (self->db->reader, error,
                         "SELECT " ENCORE_INFO_COLUMNS " FROM entry WHERE +state = 1 AND id > ?1"
                         " ORDER BY id LIMIT ?2",
                         "si", after != NULL ? after : "", (gint64) limit);
  if (stmt != NULL)
    infos = read_infos (self, stmt, error);
  g_clear_pointer (&stmt, encore_stmt_free);
  g_mutex_unlock (&self->db->read_mutex);
  return infos;
}

/* Each word becomes a quoted string of FTS5, the last one a prefix: nothing people type is syntax.
 */
static char *
quote_words (const char *words)
{
  g_auto (GStrv) parts = g_strsplit_set (words, " \t\r\n", -1);
  g_autoptr (GString) query = g_string_new (NULL);

  for (char **part = parts; *part != NULL; part++) {
    g_auto (GStrv) pieces = g_strsplit (*part, "\"", -1);
    g_autofree char *escaped = g_strjoinv ("\"\"", pieces);
    if (**part != '\0')
      g_string_append_printf (query, "%s\"%s\"", query->len > 0 ? " " : "", escaped);
  }
  if (query->len > 0)
    g_string_append_c (query, '*');
  return g_string_free (g_steal_pointer (&query), FALSE);
}

GPtrArray *
encore_cache_find (EncoreCache *self, const char *words, guint limit, GError **error)
{
  g_autofree char *valid = g_utf8_make_valid (words, -1);
  g_autofree char *query = quote_words (valid);
  GPtrArray *infos = NULL;

  if (*query == '\0')
    return g_ptr_array_new_with_free_func ((GDestroyNotify) encore_entry_info_free);
  g_mutex_lock (&self->db->read_mutex);
  g_autoptr (EncoreStmt) stmt = encore_db_prepare (
      self->db->reader, error,
      "SELECT " ENCORE_INFO_COLUMNS " FROM entry WHERE state = 1 AND id IN"
      " (SELECT id FROM words WHERE words MATCH ?1) ORDER BY access_count DESC, id LIMIT ?2",
      "si", query, (gint64) limit);
  if (stmt != NULL)
    infos = read_infos (self, stmt, error);
  g_clear_pointer (&stmt, encore_stmt_free);
  g_mutex_unlock (&self->db->read_mutex);
  return infos;
}

gboolean
encore_cache_pin (EncoreCache *self, const char *id, gboolean pinned, GError **error)
{
  g_autoptr (EncoreEntryInfo) info = NULL;

  if (!encore_cache_info (self, id, &info, error) || !encore_db_begin (self->db, error))
    return FALSE;
  return encore_db_end (self->db,
                        encore_db_run (self->db, error,
                                       "UPDATE entry SET pinned = ?2 WHERE id = ?1", "si", info->id,
                                       (gint64) (pinned != FALSE)),
                        error);
}

void
encore_cache_stats (EncoreCache *self, EncoreCacheStats *out)
{
  sqlite3 *db = self->db->reader;
  GHashTableIter iter;
  gpointer plays;

  memset (out, 0, sizeof *out);
  g_mutex_lock (&self->db->read_mutex);
  out->entries = encore_db_total (db, "SELECT v FROM total WHERE k = 'entries'",
                                  "SELECT count (*) FROM entry WHERE state = 1");
  out->bytes = encore_db_total (db, "SELECT v FROM total WHERE k = 'bytes'",
                                "SELECT sum (src_size + opus_size) FROM entry WHERE state = 1");
  out->total_plays = encore_db_total (db, "SELECT v FROM total WHERE k = 'plays'",
                                      "SELECT sum (access_count) FROM entry");
  out->pinned =
      encore_db_number (db, "SELECT count (*) FROM entry WHERE state = 1 AND pinned = 1", 0);
  g_mutex_unlock (&self->db->read_mutex);
  out->max_size_bytes = self->options.max_size_bytes;
  out->min_free_bytes = self->options.min_free_bytes;
  out->free_bytes = encore_layout_get_free (self->layout);

  g_mutex_lock (&self->count_mutex);
  out->hits = self->hits;
  out->misses = self->misses;
  out->bytes_saved = self->bytes_saved;
  g_hash_table_iter_init (&iter, self->counts);
  while (g_hash_table_iter_next (&iter, NULL, &plays))
    out->total_plays += GPOINTER_TO_INT (plays);
  g_mutex_unlock (&self->count_mutex);
}
