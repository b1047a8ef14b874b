/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Rooms written behind and taken up again. */
#include "config.h"
#include "bot/encore-keeper.h"

#include "bot/encore-command.h"
#include "bot/encore-room-private.h"
#include "store/encore-notes.h"

#define BEHIND_MS 1000
#define POSITION_EVERY 4 /* of these */

struct EncoreKeeper {
  EncorePlugin *plugin;
  EncoreOwnership *ownership;
  char *prefix;        /* of the names of our rooms */
  GHashTable *left;    /* room (gint64) -> EncoreKeptRoom, until it is taken up */
  GThreadPool *writer; /* one thread */
  gint writing;        /* atomic */
  GSource *timer;      /* (nullable) */
  guint ticks;
  GPtrArray *gone; /* EncoreKeptRoom: of rooms that went away, to be written */
};

/* ---- writing */

static GPtrArray *
kept_new (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) encore_kept_room_free);
}

static void
write_down (gpointer data, gpointer user_data)
{
  g_autoptr (GPtrArray) rooms = data;
  EncoreKeeper *self = user_data;
  g_autoptr (GError) error = NULL;

  if (!encore_cache_keep_rooms (self->plugin->cache, rooms, &error))
    g_warning ("room: what waits is not written down: %s", error->message);
  g_atomic_int_set (&self->writing, FALSE);
}

static char *
name_of (EncoreKeeper *self, bot_id room)
{
  return g_strdup_printf ("%s%" G_GUINT64_FORMAT, self->prefix, room);
}

static void
add_track (EncoreKeptRoom *kept, const EncoreTrack *track)
{
  g_autofree char *stem =
      track->id.id[0] != '\0' ? encore_media_id_to_stem (&track->id) : g_strdup ("");

  encore_kept_room_add (kept, stem, track->words, track->title, track->duration_ms,
                        track->user_name);
}

static EncoreKeptRoom *
take_down (EncoreKeeper *self, EncoreRoom *room, gboolean with_songs)
{
  g_autofree char *name = name_of (self, room->id);
  EncoreKeptRoom *kept = encore_kept_room_new (name);
  const EncoreTrack *first =
      room->current != NULL ? room->current : encore_queue_peek (room->queue, 0);
  gint64 position_ms = 0;

  encore_room_get_current (room, &position_ms, NULL);
  kept->chat = room->chat;
  kept->position_ms = position_ms > 0 || first == NULL ? position_ms : first->start_ms;
  kept->sounding = room->current != NULL || kept->position_ms > 0;
  kept->paused = room->paused || room->hold;
  kept->loop = room->loop;
  if (!with_songs)
    return kept;
  kept->songs = g_ptr_array_new_with_free_func (encore_waiting_song_free);
  if (room->current != NULL)
    add_track (kept, room->current);
  for (guint i = 0; i < encore_queue_get_length (room->queue); i++)
    add_track (kept, encore_queue_peek (room->queue, i));
  room->unsaved = FALSE;
  return kept;
}

/* @all: whatever they hold; else what has changed, and the positions now and then. */
static GPtrArray *
take_all_down (EncoreKeeper *self, gboolean all)
{
  GPtrArray *kept = kept_new ();
  GHashTableIter iter;
  gpointer value;

  while (self->gone->len > 0)
    g_ptr_array_add (kept, g_ptr_array_steal_index (self->gone, 0));
  g_hash_table_iter_init (&iter, self->plugin->rooms);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    EncoreRoom *room = value;
    if (room->unsaved || all)
      g_ptr_array_add (kept, take_down (self, room, TRUE));
    else if (room->song != 0 && self->ticks % POSITION_EVERY == 0)
      g_ptr_array_add (kept, take_down (self, room, FALSE));
  }
  return kept;
}

static gboolean
is_anything_on (EncoreKeeper *self)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->plugin->rooms);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((EncoreRoom *) value)->song != 0 || ((EncoreRoom *) value)->unsaved)
      return TRUE;
  return self->gone->len > 0;
}

static gboolean
on_time (gpointer data)
{
  EncoreKeeper *self = data;

  self->ticks++;
  if (!g_atomic_int_get (&self->writing)) { /* a slow disk: later */
    g_autoptr (GPtrArray) kept = take_all_down (self, FALSE);
    if (kept->len > 0) {
      g_atomic_int_set (&self->writing, TRUE);
      g_thread_pool_push (self->writer, g_steal_pointer (&kept), NULL);
    }
  }
  if (is_anything_on (self))
    return G_SOURCE_CONTINUE;
  g_clear_pointer (&self->timer, g_source_unref);
  return G_SOURCE_REMOVE;
}

static void
wake (EncoreKeeper *self)
{
  if (self->timer != NULL)
    return;
  self->timer = g_timeout_source_new (BEHIND_MS);
  g_source_set_callback (self->timer, on_time, self, NULL);
  g_source_attach (self->timer, self->plugin->context);
}

void
encore_keeper_touch (EncoreKeeper *self, EncoreRoom *room)
{
  room->unsaved = TRUE;
  if (self != NULL)
    wake (self);
}

void
encore_keeper_leave (EncoreKeeper *self, EncoreRoom *room)
{
  if (self == NULL || !room->unsaved)
    return;
  g_ptr_array_add (self->gone, take_down (self, room, TRUE));
  wake (self);
}

/* ---- taking up */

static void
queue_again (EncoreRoom *room, const EncoreWaitingSong *song)
{
  EncoreMediaId id;
  const gboolean known = encore_media_id_from_stem (song->id, &id);

  if (!known && *song->words == '\0')
    return;
  EncoreTrack *track = encore_track_new (
      known ? &id : NULL, *song->words != '\0' ? song->words : NULL, 0, song->user_name, 0);
  track->room = room;
  track->duration_ms = song->duration_ms;
  if (*song->title != '\0')
    track->title = g_strdup (song->title);
  encore_queue_append (room->queue, track);
  encore_room_learn (room, track);
}

void
encore_keeper_take_up (EncoreKeeper *self, EncoreRoom *room)
{
  EncoreKeptRoom *kept = self != NULL ? g_hash_table_lookup (self->left, &room->id) : NULL;

  if (kept == NULL)
    return;
  room->loop = CLAMP (kept->loop, ENCORE_LOOP_OFF, ENCORE_LOOP_QUEUE);
  room->hold = kept->paused;
  for (guint i = 0; i < kept->songs->len; i++)
    queue_again (room, kept->songs->pdata[i]);
  EncoreTrack *first = encore_queue_peek (room->queue, 0);
  if (first != NULL && kept->sounding)
    first->start_ms = MAX (kept->position_ms, 0);
  const guint n = encore_queue_get_length (room->queue);
  g_hash_table_remove (self->left, &room->id);
  g_info ("room: %u songs are taken up again", n);
  say (room, "Going on after a restart: %u song%s%s.", n, n == 1 ? "" : "s",
       room->hold ? ", paused as before" : "");
  encore_room_count_tracks (room);
  encore_room_advance (room);
}

/* The host was asked for a room; without it the songs stay until somebody is there. */
static void
run_take_up (EncorePlugin *plugin, const EncoreRequest *request)
{
  if (request->voice == 0)
    g_info ("room: %" G_GUINT64_FORMAT " cannot be joined now; its songs are kept",
            request->voice_room);
  else
    encore_room_for (plugin, request);
}

static void
read_left (EncoreKeeper *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) kept = encore_cache_kept_rooms (self->plugin->cache, self->prefix, &error);

  if (kept == NULL) {
    g_warning ("room: what waited is not taken up: %s", error->message);
    return;
  }
  while (kept->len > 0) {
    EncoreKeptRoom *room = g_ptr_array_steal_index (kept, 0);
    gint64 *id = g_new (gint64, 1);
    guint64 number;
    if (room->songs != NULL && g_ascii_string_to_unsigned (room->name + strlen (self->prefix), 10,
                                                           0, G_MAXUINT64, &number, NULL)) {
      *id = number;
      g_hash_table_replace (self->left, id, room);
      encore_plugin_summon (self->plugin, number, room->chat, run_take_up);
    } else {
      g_free (id);
      encore_kept_room_free (room);
    }
  }
}

/* ---- life */

/* "encore-bot/", "encore-bot:stage/": no name is the beginning of another. */
static char *
make_prefix (EncorePlugin *plugin)
{
  const bot_host *host = plugin->bot_host;
  const char *name = BOT_HAS (host, name) ? host->name : "host";
  const char *instance = plugin->config->instance;
  g_autofree char *text = g_strconcat (name, *instance != '\0' ? ":" : "", instance, NULL);
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_auto (GStrv) parts = g_strsplit (valid, "/", -1);
  g_autofree char *joined = g_strjoinv ("_", parts);

  return g_strconcat (joined, "/", NULL);
}

EncoreKeeper *
encore_keeper_new (EncorePlugin *plugin)
{
  if (!plugin->config->restore)
    return NULL;
  g_autofree char *prefix = make_prefix (plugin);
  EncoreOwnership *ownership = encore_cache_own_rooms (plugin->cache, prefix);
  if (ownership == NULL) {
    g_message ("room: another process of this name keeps its rooms in this cache: ours are not "
               "kept (see the option instance)");
    return NULL;
  }
  EncoreKeeper *self = g_new0 (EncoreKeeper, 1);
  self->plugin = plugin;
  self->ownership = ownership;
  self->prefix = g_steal_pointer (&prefix);
  self->left = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free,
                                      (GDestroyNotify) encore_kept_room_free);
  self->gone = kept_new ();
  self->writer = g_thread_pool_new (write_down, self, 1, TRUE, NULL);
  read_left (self);
  return self;
}

void
encore_keeper_close (EncoreKeeper *self)
{
  if (self == NULL)
    return;
  if (self->timer != NULL)
    g_source_destroy (self->timer);
  g_clear_pointer (&self->timer, g_source_unref);
  g_thread_pool_push (self->writer, take_all_down (self, TRUE), NULL);
  g_thread_pool_free (self->writer, FALSE, TRUE);
  encore_ownership_free (self->ownership);
  g_hash_table_unref (self->left);
  g_ptr_array_unref (self->gone);
  g_free (self->prefix);
  g_free (self);
}
