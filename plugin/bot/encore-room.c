/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The room's state machine.  What sounds is owned by the player; the room decides what comes next.
 */
#include "config.h"
#include "bot/encore-room.h"

#include "bot/encore-heal.h"
#include "bot/encore-text.h"

#define HISTORY_MAX 50

struct EncoreRoom {
  EncorePlugin *plugin;
  bot_id id;    /* the voice room; key of the table */
  bot_id voice; /* 0: the host ended it */
  bot_id chat;  /* where news of this room are told */
  EncoreVoice *ring;
  EncorePlayer *player;
  EncoreQueue *queue;
  EncoreTrack *current; /* (nullable) being prepared or sounding */
  guint song;           /* the player's number for CURRENT; 0: still preparing */
  EncoreTrack *next;    /* (not owned) head of the queue, given to the player */
  guint next_song;      /* its number; 0: none given */
  gboolean paused;
  EncoreLoop loop;
  GPtrArray *history; /* EncoreListed, newest first */
  GSource *idle;      /* leaves the voice room when it fires */
  guint tracks;       /* our share of plugin->tracks */
};

static void advance (EncoreRoom *self);
static void look_ahead (EncoreRoom *self);

#define say(self, ...) encore_host_reply ((self)->plugin->host, (self)->chat, 0, __VA_ARGS__)

/* Keeps the plugin's idea of what is still to do. */
static void
count_tracks (EncoreRoom *self)
{
  const guint now = encore_queue_get_length (self->queue) + (self->current != NULL);

  g_atomic_int_add (&self->plugin->tracks, (int) now - (int) self->tracks);
  self->tracks = now;
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
static void
finish_current (EncoreRoom *self, const char *why)
{
  EncoreTrack *track = g_steal_pointer (&self->current);

  if (track == NULL)
    return;
  if (self->song != 0) {
    g_autofree char *text = encore_media_id_to_text (&track->id);
    g_info ("cleanup: kept %s (%s) because it is cached", text, why);
  }
  self->song = 0;
  if (self->loop == ENCORE_LOOP_QUEUE && track->state == ENCORE_TRACK_READY) {
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

/* The cache's answer for TRACK; NULL on a miss.  @play: it is its turn, so it counts. */
static EncoreHandle *
look_up (EncoreRoom *self, EncoreTrack *track, gboolean play)
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
drop_failed (EncoreRoom *self, EncoreTrack *track, const GError *error)
{
  g_autofree char *sentence = encore_text_error (error);
  g_autofree char *name = g_strdup (encore_track_get_name (track));

  g_warning ("fetch: %s: %s", name, error->message);
  say (self, "Cannot play %s: %s", name, sentence);
  if (track == self->current) {
    g_clear_pointer (&self->current, encore_track_free);
    advance (self);
  } else {
    encore_queue_drop (self->queue, track);
    look_ahead (self);
  }
  count_tracks (self);
}

static void start_current (EncoreRoom *self);

static void
on_fetched (const EncoreFetched *result, const GError *error, gpointer data)
{
  EncoreTrack *track = data;
  EncoreRoom *self = track->room;

  track->waiter = NULL;
  if (error != NULL) {
    drop_failed (self, track, error);
    return;
  }
  track->id = result->id;
  track->counted = result->fetched;
  track->state = ENCORE_TRACK_READY;
  if (track == self->current)
    start_current (self);
  else
    look_ahead (self);
}

static void
on_progress (const EncoreProgress *progress, gpointer data)
{
  EncoreTrack *track = data;

  if (track->title == NULL && progress->title != NULL)
    track->title = g_strdup (progress->title);
}

static void
fetch_track (EncoreRoom *self, EncoreTrack *track)
{
  track->state = ENCORE_TRACK_FETCHING;
  track->waiter = encore_fetch_song (self->plugin->fetch, &track->id, self->plugin->context,
                                     on_progress, on_fetched, track);
}

static void
log_lookup (const EncoreTrack *track, gboolean hit)
{
  g_autofree char *text = encore_media_id_to_text (&track->id);

  g_info ("store: %s %s", hit ? "hit" : "miss", text);
}

/* A queued song is looked up once: people see its title, and it stays in the cache until its turn.
 */
static void
learn (EncoreRoom *self, EncoreTrack *track)
{
  if (track->state != ENCORE_TRACK_WAITING)
    return;
  g_autoptr (EncoreHandle) handle = look_up (self, track, FALSE);
  log_lookup (track, handle != NULL);
}

static void
on_found (const EncoreFound *found, guint n, const GError *error, gpointer data)
{
  EncoreTrack *track = data;
  EncoreRoom *self = track->room;

  track->waiter = NULL;
  if (error != NULL) {
    drop_failed (self, track, error);
    return;
  }
  track->id = found[0].id;
  track->title = g_strdup (found[0].title);
  track->duration_ms = found[0].duration_ms;
  track->state = ENCORE_TRACK_WAITING;
  if (track == self->current) {
    start_current (self);
    return;
  }
  learn (self, track);
  look_ahead (self);
}

static void
search_track (EncoreRoom *self, EncoreTrack *track)
{
  track->waiter = encore_fetch_search (self->plugin->fetch, track->words, 1, self->plugin->context,
                                       on_found, track);
}

/* Somebody else may have fetched it since it was looked up. */
static void
fetch_if_missing (EncoreRoom *self, EncoreTrack *track)
{
  g_autoptr (EncoreHandle) handle = look_up (self, track, FALSE);

  if (handle == NULL)
    fetch_track (self, track);
}

static void
play_current (EncoreRoom *self, EncoreHandle *handle)
{
  g_autoptr (GError) error = NULL;

  self->song = encore_player_play (self->player, &self->current->id, handle, 0, &error);
  if (self->song == 0) {
    drop_failed (self, self->current, error);
    return;
  }
  if (self->paused) {
    self->paused = FALSE;
    encore_player_set_paused (self->player, FALSE);
  }
  look_ahead (self);
}

/* The current song's turn has come: the cache is asked before anything else. */
static void
start_current (EncoreRoom *self)
{
  EncoreTrack *track = self->current;
  const gboolean after_fetch = track->state == ENCORE_TRACK_READY;

  if (track->waiter != NULL)
    return;
  if (track->state == ENCORE_TRACK_SEARCHING) {
    search_track (self, track);
    return;
  }
  EncoreHandle *handle = look_up (self, track, TRUE);
  if (!after_fetch)
    log_lookup (track, handle != NULL);
  if (handle != NULL)
    play_current (self, handle);
  else
    fetch_track (self, track);
}

/* Takes the next song of the queue, or falls silent. */
static void
advance (EncoreRoom *self)
{
  if (self->current != NULL)
    return;
  self->next = NULL;
  self->next_song = 0;
  self->current = encore_queue_take (self->queue, 0);
  count_tracks (self);
  set_idle (self, self->current == NULL);
  if (self->current != NULL)
    start_current (self);
  else if (self->voice != 0)
    encore_host_now_playing (self->plugin->host, self->voice, "");
}

/* ---- what follows */

static void
forget_next (EncoreRoom *self)
{
  if (self->next_song != 0)
    encore_player_set_next (self->player, NULL, NULL, NULL);
  self->next = NULL;
  self->next_song = 0;
}

static void
offer_next (EncoreRoom *self, EncoreTrack *track)
{
  g_autoptr (GError) error = NULL;

  if (self->song == 0 || (track == self->next && self->next_song != 0))
    return;
  forget_next (self);
  EncoreHandle *handle = look_up (self, track, TRUE);
  if (handle == NULL)
    return;
  track->counted = TRUE;
  self->next_song = encore_player_set_next (self->player, &track->id, handle, &error);
  self->next = self->next_song != 0 ? track : NULL;
  if (error != NULL)
    g_warning ("play: %s", error->message);
}

/* Gives the player what follows without a gap, and fetches the songs whose turn is near. */
static void
look_ahead (EncoreRoom *self)
{
  const guint ahead = MAX (self->plugin->config->prefetch, 0);

  if (self->loop == ENCORE_LOOP_SONG && self->song != 0) {
    if (self->next != self->current || self->next_song == 0)
      offer_next (self, self->current);
    return;
  }
  for (guint i = 0; i < MAX (ahead, 1); i++) {
    EncoreTrack *track = encore_queue_peek (self->queue, i);
    if (track == NULL)
      break;
    if (track->waiter != NULL)
      continue;
    if (track->state == ENCORE_TRACK_SEARCHING && ahead > 0)
      search_track (self, track);
    else if (track->state == ENCORE_TRACK_WAITING && ahead > 0)
      fetch_if_missing (self, track);
  }
  EncoreTrack *head = encore_queue_peek (self->queue, 0);
  if (head == NULL || head->state != ENCORE_TRACK_READY)
    forget_next (self);
  else
    offer_next (self, head);
}

/* ---- what the player tells */

static void
on_started (guint song, gint64 sent_us, gpointer data)
{
  EncoreRoom *self = data;
  EncoreTrack *track = self->current;

  if (song != self->song || track == NULL)
    return;
  g_autofree char *text = encore_media_id_to_text (&track->id);
  g_autofree char *length = encore_text_duration (track->duration_ms);
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
  remember_played (self, track);
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
    self->current->counted = FALSE;
    look_ahead (self);
    return;
  }
  finish_current (self, "played to its end");
  if (follows == 0) {
    advance (self);
    return;
  }
  self->current = encore_queue_take (self->queue, 0);
  self->current->asked_us = 0;
  self->song = follows;
  count_tracks (self);
  look_ahead (self);
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
  if (song != self->song || self->current == NULL)
    return;
  g_warning ("play: %s: %s", self->current->id.id, error->message);
  say (self, "%s broke off.", encore_track_get_name (self->current));
  encore_heal (self->plugin, self->chat, &self->current->id, encore_track_get_name (self->current));
  finish_current (self, "broke off");
  advance (self);
}

static const EncorePlayerEvents PLAYER_EVENTS = {on_started, on_ended, on_failed};

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

static void
open_voice (EncoreRoom *self, bot_id voice)
{
  g_autofree char *name = g_strdup_printf ("%" G_GUINT64_FORMAT, self->id);

  self->voice = voice;
  self->ring = encore_voice_new (self->plugin->playout, name, send_packet, self);
  self->player = encore_player_new (self->ring, self->plugin->context, &PLAYER_EVENTS, self);
}

static void
close_voice (EncoreRoom *self)
{
  g_clear_pointer (&self->player, encore_player_free);
  g_clear_pointer (&self->ring, encore_voice_free);
  self->voice = 0;
  self->song = 0;
  self->next = NULL;
  self->next_song = 0;
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
    close_voice (self);
    open_voice (self, request->voice);
    return self;
  }
  self = g_new0 (EncoreRoom, 1);
  self->plugin = plugin;
  self->id = request->voice_room;
  self->chat = request->room;
  self->queue = encore_queue_new ();
  self->history = g_ptr_array_new_with_free_func ((GDestroyNotify) encore_listed_free);
  open_voice (self, request->voice);
  g_hash_table_replace (plugin->rooms, &self->id, self);
  set_idle (self, TRUE); /* perhaps what was asked for is no song */
  return self;
}

void
encore_room_free (EncoreRoom *self)
{
  set_idle (self, FALSE);
  close_voice (self);
  g_clear_pointer (&self->current, encore_track_free);
  encore_queue_clear (self->queue);
  count_tracks (self);
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
  if (self->current != NULL) {
    encore_queue_prepend (self->queue, g_steal_pointer (&self->current));
    count_tracks (self);
  }
  close_voice (self);
}

/* ---- what people do */

EncoreQueue *
encore_room_get_queue (EncoreRoom *self)
{
  return self->queue;
}

const EncoreTrack *
encore_room_get_current (EncoreRoom *self, gint64 *position_ms, gboolean *paused)
{
  if (position_ms != NULL)
    *position_ms = self->song != 0 ? encore_player_get_position_ms (self->player) : 0;
  if (paused != NULL)
    *paused = self->paused;
  return self->current;
}

char *
encore_room_get_pipeline (EncoreRoom *self)
{
  if (self->player == NULL || self->song == 0)
    return NULL;
  return encore_player_pipeline_line (self->player, encore_cache_get_dir (self->plugin->cache));
}

static gboolean
check_limits (EncoreRoom *self, const EncoreTrack *track, const EncoreRequest *request)
{
  const EncoreConfig *config = self->plugin->config;

  if (encore_queue_get_length (self->queue) >= (guint) config->queue_max) {
    encore_answer (request, "The queue is full (%d songs).", config->queue_max);
    return FALSE;
  }
  if (config->per_user > 0 &&
      encore_queue_count_user (self->queue, track->user) >= (guint) config->per_user) {
    encore_answer (request, "You have %d songs waiting already; that is the limit.",
                   config->per_user);
    return FALSE;
  }
  return TRUE;
}

void
encore_room_add (EncoreRoom *self, EncoreTrack *track, const EncoreRequest *request)
{
  self->chat = request->room;
  if (!check_limits (self, track, request)) {
    encore_track_free (track);
    return;
  }
  const gboolean was_idle = self->current == NULL;
  track->room = self;
  const guint position = encore_queue_append (self->queue, track);
  count_tracks (self);
  if (was_idle) {
    advance (self);
    if (self->current == track && self->song == 0)
      encore_answer (request,
                     track->state == ENCORE_TRACK_SEARCHING ? "Searching: %s" : "Fetching: %s",
                     encore_track_get_name (track));
    return;
  }
  track->asked_us = 0; /* it waits for its turn: no time to the first packet */
  learn (self, track);
  look_ahead (self);
  encore_answer (request, "Queued as #%u: %s", position + 1, encore_track_get_name (track));
}

void
encore_room_queue_changed (EncoreRoom *self)
{
  if (self->next != NULL && self->next != self->current &&
      self->next != encore_queue_peek (self->queue, 0))
    self->next = NULL; /* freed or moved; the number still tells the player */
  count_tracks (self);
  if (self->player != NULL)
    look_ahead (self);
}

gboolean
encore_room_skip (EncoreRoom *self)
{
  if (self->current == NULL)
    return FALSE;
  if (self->player != NULL && self->song != 0)
    forget_next (self);
  const gboolean sounding = self->song != 0;
  finish_current (self, "skipped");
  if (sounding && encore_queue_get_length (self->queue) == 0)
    encore_player_stop (self->player);
  advance (self);
  /* a song that must be fetched first leaves the old one no right to go on */
  if (sounding && self->current != NULL && self->song == 0)
    encore_player_stop (self->player);
  return TRUE;
}

gboolean
encore_room_stop (EncoreRoom *self)
{
  if (self->current == NULL && encore_queue_get_length (self->queue) == 0)
    return FALSE;
  self->loop = ENCORE_LOOP_OFF;
  encore_queue_clear (self->queue);
  if (self->player != NULL) {
    forget_next (self);
    encore_player_stop (self->player);
  }
  finish_current (self, "stopped");
  advance (self);
  return TRUE;
}

gboolean
encore_room_set_paused (EncoreRoom *self, gboolean paused)
{
  if (self->song == 0 || self->paused == paused)
    return FALSE;
  self->paused = paused;
  encore_player_set_paused (self->player, paused);
  return TRUE;
}

void
encore_room_set_loop (EncoreRoom *self, EncoreLoop loop)
{
  self->loop = loop;
  forget_next (self);
  look_ahead (self);
}

GPtrArray *
encore_room_get_history (EncoreRoom *self)
{
  return self->history;
}
