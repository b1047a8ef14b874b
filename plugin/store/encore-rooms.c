/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What waits in rooms, so that it is still there after a restart. */
#include "config.h"
#include "store/encore-cache-private.h"
#include "store/encore-notes.h"

struct EncoreOwnership {
  EncoreIdLock *lock;
};

void
encore_waiting_song_free (gpointer data)
{
  EncoreWaitingSong *self = data;

  g_free (self->id);
  g_free (self->words);
  g_free (self->title);
  g_free (self->user_name);
  g_free (self);
}

EncoreKeptRoom *
encore_kept_room_new (const char *name)
{
  EncoreKeptRoom *self = g_new0 (EncoreKeptRoom, 1);

  self->name = g_strdup (name);
  return self;
}

void
encore_kept_room_add (EncoreKeptRoom *self, const char *id, const char *words, const char *title,
                      gint64 duration_ms, const char *user_name)
{
  EncoreWaitingSong *song = g_new (EncoreWaitingSong, 1);

  if (self->songs == NULL)
    self->songs = g_ptr_array_new_with_free_func (encore_waiting_song_free);
  *song = (EncoreWaitingSong){.id = g_strdup (id != NULL ? id : ""),
                              .words = g_strdup (words != NULL ? words : ""),
                              .title = g_strdup (title != NULL ? title : ""),
                              .user_name = g_strdup (user_name != NULL ? user_name : ""),
                              .duration_ms = duration_ms};
  g_ptr_array_add (self->songs, song);
}

void
encore_kept_room_free (EncoreKeptRoom *self)
{
  if (self == NULL)
    return;
  g_clear_pointer (&self->songs, g_ptr_array_unref);
  g_free (self->name);
  g_free (self);
}

/* ---- writing */

static gboolean
write_songs (EncoreCache *self, const EncoreKeptRoom *room, GError **error)
{
  gboolean ok =
      encore_db_run (self->db, error, "DELETE FROM waiting WHERE room = ?1", "s", room->name);
  g_autoptr (EncoreStmt) insert = encore_db_prepare (
      self->db->writer, error,
      "INSERT INTO waiting (room, place, id, words, title, duration_ms, user_name)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
      "s", room->name);

  for (guint i = 0; ok && insert != NULL && i < room->songs->len; i++) {
    const EncoreWaitingSong *song = room->songs->pdata[i];
    sqlite3_bind_int64 (insert, 2, i);
    sqlite3_bind_text (insert, 3, song->id, -1, SQLITE_STATIC);
    sqlite3_bind_text (insert, 4, song->words, -1, SQLITE_STATIC);
    sqlite3_bind_text (insert, 5, song->title, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (insert, 6, song->duration_ms);
    sqlite3_bind_text (insert, 7, song->user_name, -1, SQLITE_STATIC);
    if (sqlite3_step (insert) != SQLITE_DONE)
      ok = encore_db_fail (self->db->writer, error, "write");
    sqlite3_reset (insert);
  }
  return ok && insert != NULL;
}

static gboolean
write_room (EncoreCache *self, const EncoreKeptRoom *room, GError **error)
{
  if (room->songs == NULL)
    return encore_db_run (self->db, error,
                          "UPDATE room SET position_ms = ?2, paused = ?3 WHERE name = ?1", "sii",
                          room->name, room->position_ms, (gint64) room->paused);
  if (room->songs->len == 0)
    return encore_db_run (self->db, error, "DELETE FROM room WHERE name = ?1", "s", room->name) &&
           encore_db_run (self->db, error, "DELETE FROM waiting WHERE room = ?1", "s", room->name);
  return encore_db_run (self->db, error,
                        "INSERT OR REPLACE INTO room (name, chat, position_ms, sounding, paused,"
                        " loop) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                        "siiiii", room->name, (gint64) room->chat, room->position_ms,
                        (gint64) room->sounding, (gint64) room->paused, (gint64) room->loop) &&
         write_songs (self, room, error);
}

gboolean
encore_cache_keep_rooms (EncoreCache *self, GPtrArray *rooms, GError **error)
{
  gboolean ok = TRUE;

  if (!encore_db_begin (self->db, error))
    return FALSE;
  for (guint i = 0; ok && i < rooms->len; i++)
    ok = write_room (self, rooms->pdata[i], error);
  return encore_db_end (self->db, ok, error);
}

/* ---- reading */

static gboolean
read_songs (EncoreCache *self, EncoreKeptRoom *room, GError **error)
{
  g_autoptr (EncoreStmt) stmt = encore_db_prepare (
      self->db->reader, error,
      "SELECT id, words, title, duration_ms, user_name FROM waiting WHERE room = ?1 ORDER BY place",
      "s", room->name);
  int result = SQLITE_ERROR;

  while (stmt != NULL && (result = sqlite3_step (stmt)) == SQLITE_ROW)
    encore_kept_room_add (room, encore_db_text (stmt, 0), encore_db_text (stmt, 1),
                          encore_db_text (stmt, 2), sqlite3_column_int64 (stmt, 3),
                          encore_db_text (stmt, 4));
  return result == SQLITE_DONE ||
         (stmt != NULL && encore_db_fail (self->db->reader, error, "read"));
}

static EncoreKeptRoom *
read_room (sqlite3_stmt *row)
{
  EncoreKeptRoom *room = encore_kept_room_new (encore_db_text (row, 0));

  room->chat = sqlite3_column_int64 (row, 1);
  room->position_ms = sqlite3_column_int64 (row, 2);
  room->sounding = sqlite3_column_int (row, 3) != 0;
  room->paused = sqlite3_column_int (row, 4) != 0;
  room->loop = sqlite3_column_int (row, 5);
  return room;
}

static gboolean
read_rooms (EncoreCache *self, const char *prefix, GPtrArray *rooms, GError **error)
{
  g_autoptr (EncoreStmt) stmt =
      encore_db_prepare (self->db->reader, error,
                         "SELECT name, chat, position_ms, sounding, paused, loop FROM room"
                         " WHERE substr (name, 1, length (?1)) = ?1 ORDER BY name",
                         "s", prefix);
  int result = SQLITE_ERROR;

  while (stmt != NULL && (result = sqlite3_step (stmt)) == SQLITE_ROW)
    g_ptr_array_add (rooms, read_room (stmt));
  if (result != SQLITE_DONE)
    return stmt != NULL && encore_db_fail (self->db->reader, error, "read");
  for (guint i = 0; i < rooms->len; i++)
    if (!read_songs (self, rooms->pdata[i], error))
      return FALSE;
  return TRUE;
}

GPtrArray *
encore_cache_kept_rooms (EncoreCache *self, const char *prefix, GError **error)
{
  g_autoptr (GPtrArray) rooms =
      g_ptr_array_new_with_free_func ((GDestroyNotify) encore_kept_room_free);

  g_mutex_lock (&self->db->read_mutex);
  const gboolean ok = read_rooms (self, prefix, rooms, error);
  g_mutex_unlock (&self->db->read_mutex);
  return ok ? g_steal_pointer (&rooms) : NULL;
}

/* ---- whose they are */

EncoreOwnership *
encore_cache_own_rooms (EncoreCache *self, const char *prefix)
{
  g_autofree char *sum = g_compute_checksum_for_string (G_CHECKSUM_SHA256, prefix, -1);
  g_autofree char *name = g_strdup_printf ("rooms-%.32s", sum);
  EncoreIdLock *lock = encore_locks_try (self->locks, name);

  if (lock == NULL)
    return NULL;
  EncoreOwnership *ownership = g_new (EncoreOwnership, 1);
  ownership->lock = lock;
  return ownership;
}

void
encore_ownership_free (EncoreOwnership *self)
{
  if (self == NULL)
    return;
  encore_id_lock_free (self->lock);
  g_free (self);
}
