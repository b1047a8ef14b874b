/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The room's state machine.  What sounds is owned by the player; the room decides what comes next.
 */
#include "config.h"
#include "bot/encore-room-private.h"

#include "bot/encore-heal.h"
#include "bot/encore-keeper.h"
#include "bot/encore-text.h"
#include "store/encore-notes.h"

#define HISTORY_MAX 50
#define DUCK_AHEAD_PACKETS 12 /* so that the music steps back within 0.4 s */

void
encore_room_count_tracks (EncoreRoom *self)
{
  const guint now = encore_queue_get_length (self->queue) + (self->current != NULL);

  g_atomic_int_add (&self->plugin->tracks, (int) now - (int) self->tracks);
  self->tracks = now;
  encore_keeper_touch (self->plugin->keeper, self);
}

/* ---- leaving when nothing sounds for a while */

static void
remove_room (gpointer data)
{
  EncoreRoom *self = data;
  const bot_id id = self->id;

  g_hash_table_remove (self->plugin->rooms, &id);
}

static gboolean
on_idle (gpointer data)
{
  EncoreRoom *self = data;
  EncorePlugin *plugin = self->plugin;

  if (!encore_host_voice_leave (plugin->host, self->id, remove_room, self))
    return G_SOURCE_CONTINUE; /* somebody wants it just now */
  g_info ("room: leaving after %" G_GINT64_FORMAT " s without music",
          plugin->config->idle_leave_ms / 1000);
  return G_SOURCE_REMOVE;
}

static void
set_idle (EncoreRoom *self, gboolean idle)
{
  if (self->idle != NULL) {
    g_source_destroy (self->idle);
    g_clear_pointer (&self->idle, g_source_unref);
  }
  if (!idle || self->plugin->config->idle_leave_ms == 0)
    return;
  self->idle = g_timeout_source_new (MIN (self->plugin->config->idle_leave_ms, G_MAXUINT));
  g_source_set_callback (self->idle, on_idle, self, NULL);
  g_source_attach (self->idle, self->plugin->context);
}

/* ---- one song */

static void
remember_played (EncoreRoom *self, const EncoreTrack *track)
{
  g_ptr_array_insert (self->history, 0,
                      encore_listed_new (&track->id, encore_track_get_name (track)));
  if (self->history->len > HISTORY_MAX)
    g_ptr_array_set_size (self->history, HISTORY_MAX);
}

/* Playing never removes a cached song; the log says so, since other bots do it differently. */
void
encore_room_finish_current (EncoreRoom *self, const char *why)
{
  EncoreTrack *track = g_steal_pointer (&self->current);

  if (track == NULL)
    return;
  if (self->song != 0) {
    g_autofree char *text = encore_media_id_to_text (&track->id);
    if (track->state == ENCORE_TRACK_READY)
      g_info ("cleanup: kept %s (%s) because it is cached", text, why);
    else
      g_info ("cleanup: nothing to keep of %s (%s): it is not cached%s", text, why,
              track->waiter != NULL ? " yet" : "");
  }
  self->song = 0;
  self->hold = self->buffering = FALSE;
  track->start_ms = 0;
  track->is_early = track->early_tried = track->is_live = FALSE;
  if (self->loop == ENCORE_LOOP_QUEUE &&
      (track->state == ENCORE_TRACK_READY || track->waiter != NULL)) {
    track->counted = FALSE;
    encore_queue_append (self->queue, track);
  } else {
    encore_track_free (track);
  }
}

static void
take_info (EncoreTrack *track, EncoreHandle *handle)
{
  const EncoreEntryInfo *info = encore_handle_get_info (handle);

  g_free (track->title);
  track->title = g_strdup (info->title);
  track->duration_ms = info->duration_ms;
}

EncoreHandle *
encore_room_look_up (EncoreRoom *self, EncoreTrack *track, gboolean play)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *stem = encore_media_id_to_stem (&track->id);
  EncoreHandle *handle =
      encore_cache_get (self->plugin->cache, stem, play && !track->counted, &error);

  if (handle == NULL) {
    if (!g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND))
      g_warning ("store: %s", error->message);
    return NULL;
  }
  take_info (track, handle);
  track->state = ENCORE_TRACK_READY;
  if (track->lease == NULL)
    track->lease = encore_cache_protect (self->plugin->cache, stem);
  return handle;
}

static void
tell_passed_over (EncoreRoom *self)
{
  if (self->passed_over > 1)
    say (self, "%u more songs that are not in the cache were passed over.", self->passed_over - 1);
  self->passed_over = 0;
}

void
encore_room_drop_failed (EncoreRoom *self, EncoreTrack *track, const GError *error)
{
  g_autofree char *sentence = encore_plugin_sentence (self->plugin, error);
  g_autofree char *name = g_strdup (encore_track_get_name (track));
  const gboolean throttled = g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_THROTTLED);

  g_warning ("fetch: %s: %s", name, error->message);
  /* a queue of songs that cannot be had now is not worth a line each */
  if (!throttled || self->passed_over == 0)
    say (self, track->announce ? "Cannot play %s: %s" : "%s broke off: %s", name, sentence);
  self->passed_over += throttled;
  if (track == self->current) {
    g_clear_pointer (&self->current, encore_track_free);
    self->hold = FALSE;
    encore_room_advance (self);
  } else {
    encore_queue_drop (self->queue, track);
    encore_room_look_ahead (self);
  }
  encore_room_count_tracks (self);
}

/* TRACK could not be had. */
static void
fail (EncoreRoom *self, EncoreTrack *track, const GError *error)
{
  if (encore_room_put_off (self, track, error))
    encore_room_look_ahead (self);
  else
    encore_room_drop_failed (self, track, error);
}

static void on_progress (const EncoreProgress *progress, gpointer data);

static void
on_fetched (const EncoreFetched *result, const GError *error, gpointer data)
{
  EncoreTrack *track = data;
  EncoreRoom *self = track->room;

  track->waiter = NULL;
  if (error != NULL) {
    if (encore_room_take_live (self, track, error, on_progress, on_fetched))
      return;
    if (!encore_room_early_lost (self, track, error))
      fail (self, track, error);
    encore_room_look_ahead_elsewhere (self);
    return;
  }
  track->id = result->id;
  track->counted = result->fetched;
  track->state = ENCORE_TRACK_READY;
  encore_keeper_touch (self->plugin->keeper, self);
  if (track == self->current && !encore_room_early_fetched (self, track))
    encore_room_start_current (self);
  else
    encore_room_look_ahead (self);
  encore_room_look_ahead_elsewhere (self);
}

static void
on_progress (const EncoreProgress *progress, gpointer data)
{
  EncoreTrack *track = data;

  encore_room_take_progress (track->room, track, progress);
}

void
encore_room_fetch (EncoreRoom *self, EncoreTrack *track)
{
  track->state = ENCORE_TRACK_FETCHING;
  track->waiter = encore_fetch_song (self->plugin->fetch, &track->id, self->plugin->context,
                                     on_progress, on_fetched, track);
  if (track == self->current)
    encore_waiter_urge (track->waiter);
}

static void
log_lookup (const EncoreTrack *track, gboolean hit)
{
  g_autofree char *text = encore_media_id_to_text (&track->id);

  g_info ("store: %s %s", hit ? "hit" : "miss", text);
}

/* A queued song is looked up once: people see its title, and it stays in the cache until its turn.
 */
void
encore_room_learn (EncoreRoom *self, EncoreTrack *track)
{
  if (track->state != ENCORE_TRACK_WAITING)
    return;
  g_autoptr (EncoreHandle) handle = encore_room_look_up (self, track, FALSE);
  log_lookup (track, handle != NULL);
}

static void
on_found (const EncoreFound *found, guint n, const GError *error, gpointer data)
{
  EncoreTrack *track = data;
  EncoreRoom *self = track->room;

  track->waiter = NULL;
  if (error != NULL) {
    fail (self, track, error);
    return;
  }
  track->id = found[0].id;
  track->title = g_strdup (found[0].title);
  track->duration_ms = found[0].duration_ms;
  track->state = ENCORE_TRACK_WAITING;
  encore_keeper_touch (self->plugin->keeper, self);
  if (track == self->current) {
    encore_room_start_current (self);
    return;
  }
  encore_room_learn (self, track);
  encore_room_look_ahead (self);
}

void
encore_room_search (EncoreRoom *self, EncoreTrack *track)
{
  track->waiter = encore_fetch_search (self->plugin->fetch, track->words, 1, self->plugin->context,
                                       on_found, track);
}

void
encore_room_play_current (EncoreRoom *self, EncoreHandle *handle)
{
  g_autoptr (GError) error = NULL;

  const gboolean paused = self->hold;
  if (self->paused != paused)
    encore_player_set_paused (self->player, paused);
  self->paused = paused;
  self->hold = self->buffering = FALSE;
  if (handle != NULL)
    handle = encore_room_fit (self, self->current, handle, &self->entry);
  self->song = handle != NULL ? encore_player_play (self->player, &self->entry, handle,
                                                    self->current->start_ms, &error)
                              : encore_room_start_early (self, &error);
  if (self->song == 0) {
    encore_room_drop_failed (self, self->current, error);
    return;
  }
  tell_passed_over (self);
  encore_room_look_ahead (self);
}

void
encore_room_play_early (EncoreRoom *self)
{
  encore_room_play_current (self, NULL);
}

void
encore_room_start_current (EncoreRoom *self)
{
  EncoreTrack *track = self->current;
  const gboolean after_fetch = track->state == ENCORE_TRACK_READY;

  if (track->waiter != NULL) {
    encore_waiter_urge (track->waiter);
    if (track->early != NULL && !track->early_tried)
      encore_room_play_current (self, NULL);
    return;
  }
  if (track->state == ENCORE_TRACK_SEARCHING) {
    encore_room_search (self, track);
    return;
  }
  EncoreHandle *handle = encore_room_look_up (self, track, TRUE);
  if (!after_fetch)
    log_lookup (track, handle != NULL);
  if (handle != NULL)
    encore_room_play_current (self, handle);
  else
    encore_room_fetch (self, track);
}

/* Takes the next song of the queue, or falls silent. */
void
encore_room_advance (EncoreRoom *self)
{
  if (self->current != NULL)
    return;
  self->next = NULL;
  self->next_song = 0;
  self->current = encore_queue_take (self->queue, 0);
  encore_room_count_tracks (self);
  set_idle (self, self->current == NULL);
  if (self->current != NULL)
    encore_room_start_current (self);
  else
    tell_passed_over (self);
  if (self->current == NULL && self->voice != 0)
    encore_host_now_playing (self->plugin->host, self->voice, "");
}

/* ---- what the player tells */

static void
on_started (guint song, gint64 sent_us, gpointer data)
{
  EncoreRoom *self = data;
  EncoreTrack *track = self->current;

  if (song != self->song || track == NULL)
    return;
  self->buffering = FALSE;
  g_autofree char *text = encore_media_id_to_text (&track->id);
  g_autofree char *length = encore_track_get_length (track);
  if (track->asked_us != 0) {
    char ms[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_formatd (ms, sizeof ms, "%.1f", (sent_us - track->asked_us) / 1000.0);
    g_info ("play: started %s first_packet=%sms after the command", text, ms);
  } else {
    g_info ("play: started %s", text);
  }
  if (track->announce)
    say (self, "Playing: %s (%s)", encore_track_get_name (track), length);
  track->announce = FALSE;
  track->asked_us = 0;
  if (self->voice != 0)
    encore_host_now_playing (self->plugin->host, self->voice, encore_track_get_name (track));
  if (track->start_ms == 0) /* else it was, when it began */
    remember_played (self, track);
  track->start_ms = 0;
}

static void
on_ended (guint song, gint64 played_ms, gpointer data)
{
  EncoreRoom *self = data;

  if (song != self->song || self->current == NULL)
    return;
  const guint follows = self->next_song;
  EncoreTrack *next = self->next;
  self->next = NULL;
  self->next_song = 0;
  if (follows != 0 && next == self->current) { /* loop song */
    self->song = follows;
    self->entry = self->next_entry;
    self->current->counted = self->current->is_early = FALSE;
    encore_room_look_ahead (self);
    return;
  }
  if (encore_room_early_ended (self))
    return;
  encore_room_finish_current (self, "played to its end");
  if (follows == 0) {
    /* what was taken out of the queue when it was in the air already */
    const gboolean goes_on = encore_player_get_song (self->player) != song;
    encore_room_advance (self);
    if (goes_on && self->song == 0)
      encore_player_stop (self->player);
    return;
  }
  self->current = encore_queue_take (self->queue, 0);
  self->current->asked_us = 0;
  self->song = follows;
  self->entry = self->next_entry;
  encore_room_count_tracks (self);
  encore_room_look_ahead (self);
}

static void
on_failed (guint song, const GError *error, gpointer data)
{
  EncoreRoom *self = data;

  if (song == self->next_song) {
    self->next = NULL;
    self->next_song = 0;
    return;
  }
  if (song != self->song || self->current == NULL || encore_room_early_broke (self) ||
      encore_room_fit_broke (self, error))
    return;
  g_warning ("play: %s: %s", self->current->id.id, error->message);
  const EncoreMediaId id = self->current->id;
  g_autofree char *name = g_strdup (encore_track_get_name (self->current));
  say (self, "%s broke off.", name);
  encore_room_finish_current (self, "broke off"); /* whose lease would keep a damaged file */
  encore_heal (self->plugin, self->chat, &id, name);
  encore_room_advance (self);
}

static void
on_buffering (guint song, gboolean on, gpointer data)
{
  EncoreRoom *self = data;

  if (song == self->song && self->current != NULL)
    self->buffering = on && self->current->is_early;
}

static const EncorePlayerEvents PLAYER_EVENTS = {on_started, on_ended, on_failed, on_buffering};

/* [pacer] */
static EncoreSendResult
send_packet (guint64 seq, gboolean last, const guint8 *packet, gsize len, gpointer data)
{
  EncoreRoom *self = data;
  const bot_result result =
      encore_host_voice_send (self->plugin->host, self->voice, seq, last, packet, len);

  if (result == BOT_EAGAIN)
    return ENCORE_SEND_FULL;
  return result == BOT_ECLOSED ? ENCORE_SEND_CLOSED : ENCORE_SEND_OK;
}

/* ---- life */

void
encore_room_limits_changed (EncoreRoom *self)
{
  const guint max_bps = encore_host_voice_get_max_bps (self->plugin->host, self->id);

  if (self->player == NULL)
    return;
  encore_player_set_max_bps (self->player, max_bps);
  if (max_bps != 0)
    g_info ("room: the host takes up to %u bit/s", max_bps);
}

void
encore_room_set_speaking (EncoreRoom *self, bot_id voice, gboolean on)
{
  const double duck_db = self->plugin->config->duck_db;

  if (self->player == NULL || voice != self->voice || duck_db == 0)
    return;
  encore_player_set_duck (self->player, on ? duck_db : 0);
  g_debug ("room: people %s", on ? "speak: the music steps back" : "are silent again");
}

static void
open_voice (EncoreRoom *self, bot_id voice)
{
  g_autofree char *name = g_strdup_printf ("%" G_GUINT64_FORMAT, self->id);

  self->voice = voice;
  self->ring = encore_voice_new (self->plugin->playout, name, send_packet, self);
  self->player = encore_player_new (self->ring, self->plugin->context, &PLAYER_EVENTS, self);
  encore_player_set_volume (self->player, self->volume_percent / 100.0);
  encore_player_set_crossfade (self->player, self->plugin->config->crossfade_ms);
  if (self->plugin->config->duck_db != 0)
    encore_voice_set_ahead (self->ring, DUCK_AHEAD_PACKETS);
  encore_room_limits_changed (self);
}

static void
close_voice (EncoreRoom *self)
{
  g_clear_pointer (&self->player, encore_player_free);
  g_clear_pointer (&self->ring, encore_voice_free);
  self->voice = 0;
  self->song = 0;
  self->paused = FALSE;
  self->next = NULL;
  self->next_song = 0;
}

/* Without a voice it cannot sound: it goes on when there is one again. */
static void
put_back_current (EncoreRoom *self)
{
  if (self->current == NULL)
    return;
  if (self->song != 0) {
    encore_room_get_current (self, &self->current->start_ms, NULL);
    self->current->counted = TRUE;
    self->hold = self->paused;
  }
  encore_queue_prepend (self->queue, g_steal_pointer (&self->current));
  encore_room_count_tracks (self);
}

EncoreRoom *
encore_room_peek (EncorePlugin *plugin, const EncoreRequest *request)
{
  return g_hash_table_lookup (plugin->rooms, &request->voice_room);
}

EncoreRoom *
encore_room_for (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *self = encore_room_peek (plugin, request);

  if (request->voice == 0) {
    encore_answer (request, request->voice_result == BOT_ENOTSUP
                                ? "This host has no voice rooms: there is nowhere to play."
                                : "The voice room cannot be joined.");
    return NULL;
  }
  if (self != NULL && self->voice == request->voice)
    return self;
  if (self != NULL) {
    put_back_current (self);
    close_voice (self);
    open_voice (self, request->voice);
    encore_room_advance (self);
    return self;
  }
  self = g_new0 (EncoreRoom, 1);
  self->plugin = plugin;
  self->id = request->voice_room;
  self->chat = request->room;
  self->volume_percent = plugin->config->volume_percent;
  self->queue = encore_queue_new ();
  self->history = g_ptr_array_new_with_free_func ((GDestroyNotify) encore_listed_free);
  open_voice (self, request->voice);
  g_hash_table_replace (plugin->rooms, &self->id, self);
  set_idle (self, TRUE); /* perhaps what was asked for is no song */
  encore_keeper_take_up (plugin->keeper, self);
  return self;
}

void
encore_room_free (EncoreRoom *self)
{
  encore_keeper_leave (self->plugin->keeper, self);
  set_idle (self, FALSE);
  close_voice (self);
  g_clear_pointer (&self->current, encore_track_free);
  encore_queue_clear (self->queue);
  encore_room_count_tracks (self);
  encore_queue_free (self->queue);
  g_ptr_array_unref (self->history);
  g_free (self);
}

void
encore_room_voice_gone (EncoreRoom *self, bot_id voice, bot_result why)
{
  if (voice != self->voice)
    return;
  g_warning ("room: the host ended the voice (%d); the queue is kept", why);
  put_back_current (self);
  close_voice (self);
}
