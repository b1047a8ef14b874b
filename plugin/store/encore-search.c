/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What words found at the site. */
#include "config.h"
#include "store/encore-cache-private.h"
#include "store/encore-notes.h"

/* Old answers are kept for the time when the site cannot be asked, as long as there is room. */
#define ROWS_MAX 50000

char *
encore_words_fold (const char *words)
{
  g_autofree char *valid = g_utf8_make_valid (words, -1);
  g_autofree char *normal = g_utf8_normalize (valid, -1, G_NORMALIZE_ALL_COMPOSE);
  g_autofree char *folded = g_utf8_casefold (normal, -1);
  g_autoptr (GString) out = g_string_new (NULL);

  for (const char *p = folded; *p != '\0'; p = g_utf8_next_char (p)) {
    const gunichar c = g_utf8_get_char (p);
    if (!g_unichar_isspace (c) && !g_unichar_iscntrl (c))
      g_string_append_unichar (out, c);
    else if (out->len > 0 && out->str[out->len - 1] != ' ')
      g_string_append_c (out, ' ');
  }
  if (out->len > 0 && out->str[out->len - 1] == ' ')
    g_string_truncate (out, out->len - 1);
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static gboolean
write_search (EncoreCache *self, const char *words, const EncoreKnownSong *found, guint n,
              GError **error)
{
  gboolean ok = encore_db_run (self->db, error, "DELETE FROM search WHERE words = ?1", "s", words);

  for (guint i = 0; ok && i < n; i++)
    ok = encore_db_run (self->db, error,
                        "INSERT INTO search (words, place, asked_at, id, title, duration_ms)"
                        " VALUES (?1, ?2, unixepoch (), ?3, ?4, ?5)",
                        "sissi", words, (gint64) i, found[i].id, found[i].title,
                        found[i].duration_ms);
  return ok && encore_db_run (self->db, error,
                              "DELETE FROM search WHERE words IN (SELECT words FROM search"
                              " ORDER BY asked_at LIMIT max (0,"
                              " (SELECT count (*) FROM search) - ?1))",
                              "i", (gint64) ROWS_MAX);
}

gboolean
encore_cache_know_search (EncoreCache *self, const char *words, const EncoreKnownSong *found,
                          guint n, GError **error)
{
  g_autofree char *folded = encore_words_fold (words);

  return encore_db_begin (self->db, error) &&
         encore_db_end (self->db, write_search (self, folded, found, n, error), error);
}

guint
encore_cache_recall_search (EncoreCache *self, const char *words, gint64 max_age_s,
                            EncoreKnownFunc take, gpointer data)
{
  g_autofree char *folded = encore_words_fold (words);
  guint n = 0;

  g_mutex_lock (&self->db->read_mutex);
  /* an answer from the future is of a clock that was set back: it is as good as an old one */
  sqlite3_stmt *stmt =
      encore_db_prepare (self->db->reader, NULL,
                         "SELECT id, title, duration_ms FROM search WHERE words = ?1"
                         " AND abs (unixepoch () - asked_at) <= ?2 ORDER BY place",
                         "si", folded, max_age_s);
  while (stmt != NULL && sqlite3_step (stmt) == SQLITE_ROW) {
    const EncoreKnownSong song = {encore_db_text (stmt, 0), encore_db_text (stmt, 1),
                                  sqlite3_column_int64 (stmt, 2)};
    take (&song, data);
    n++;
  }
  sqlite3_finalize (stmt);
  g_mutex_unlock (&self->db->read_mutex);
  return n;
}
