/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What people do in a room. */
#include "config.h"
#include "bot/encore-room-private.h"

#include "bot/encore-keeper.h"

EncoreQueue *
encore_room_get_queue (EncoreRoom *self)
{
  return self->queue;
}

const EncoreTrack *
encore_room_get_current (EncoreRoom *self, gint64 *position_ms, gboolean *paused)
{
  if (position_ms != NULL &&
      self->song != 0) /* paused before its first packet it is where it begins */
    *position_ms = MAX (encore_player_get_position_ms (self->player), self->current->start_ms);
  else if (position_ms != NULL)
    *position_ms = 0;
  if (paused != NULL)
    *paused = self->paused;
  return self->current;
}

gboolean
encore_room_is_buffering (EncoreRoom *self)
{
  return self->buffering;
}

char *
encore_room_get_pipeline (EncoreRoom *self)
{
  if (self->player == NULL || self->song == 0)
    return NULL;
  return encore_player_pipeline_line (self->player, encore_cache_get_dir (self->plugin->cache));
}

/* Why TRACK may not wait here too; NULL: it may.  (transfer full) */
static char *
find_limit (EncoreRoom *self, const EncoreTrack *track)
{
  const EncoreConfig *config = self->plugin->config;

  if (encore_queue_get_length (self->queue) >= (guint) config->queue_max)
    return g_strdup_printf ("The queue is full (%d songs).", config->queue_max);
  if (config->per_user > 0 &&
      encore_queue_count_user (self->queue, track->user) >= (guint) config->per_user)
    return g_strdup_printf ("You have %d songs waiting already; that is the limit.",
                            config->per_user);
  return NULL;
}

/* From 1; 0: TRACK, which was put at POSITION, is not there any more. */
static guint
find_place (const EncoreQueue *queue, const EncoreTrack *track, guint position)
{
  for (guint i = position + 1; i > 0; i--)
    if (encore_queue_peek (queue, i - 1) == track)
      return i;
  return 0;
}

void
encore_room_add (EncoreRoom *self, EncoreTrack *track, const EncoreRequest *request)
{
  g_autofree char *limit = find_limit (self, track);

  self->chat = request->room;
  if (limit != NULL) {
    encore_answer (request, "%s", limit);
    encore_track_free (track);
    return;
  }
  track->room = self;
  const guint position = encore_queue_append (self->queue, track);
  encore_room_count_tracks (self);
  if (self->current == NULL)
    encore_room_advance (self);
  if (self->current == track) {
    if (self->song == 0)
      encore_answer (request,
                     track->state == ENCORE_TRACK_SEARCHING ? "Searching: %s" : "Fetching: %s",
                     encore_track_get_name (track));
    return;
  }
  const guint number = find_place (self->queue, track, position);
  if (number == 0) /* it could not be played: that was told */
    return;
  track->asked_us = 0; /* it waits for its turn: no time to the first packet */
  encore_room_learn (self, track);
  encore_room_look_ahead (self);
  encore_answer (request, "Queued as #%u: %s", number, encore_track_get_name (track));
}

void
encore_room_add_all (EncoreRoom *self, GPtrArray *tracks, const EncoreRequest *request)
{
  const guint n = tracks->len;
  guint taken = 0;
  g_autofree char *limit = NULL;

  self->chat = request->room;
  for (; tracks->len > 0 && limit == NULL; taken += limit == NULL) {
    EncoreTrack *track = tracks->pdata[0];
    limit = find_limit (self, track);
    if (limit != NULL)
      break;
    g_ptr_array_steal_index (tracks, 0);
    track->room = self;
    encore_queue_append (self->queue, track);
    encore_room_learn (self, track);
  }
  encore_room_count_tracks (self);
  if (taken == n)
    encore_answer (request, "Queued %u song%s.", n, n == 1 ? "" : "s");
  else
    encore_answer (request, "Queued %u of %u songs. %s", taken, n, limit);
  if (self->current == NULL)
    encore_room_advance (self);
  else
    encore_room_look_ahead (self);
}

void
encore_room_queue_changed (EncoreRoom *self)
{
  if (self->next != NULL && self->next != self->current &&
      self->next != encore_queue_peek (self->queue, 0))
    self->next = NULL; /* freed or moved; the number still tells the player */
  encore_room_count_tracks (self);
  if (self->player != NULL)
    encore_room_look_ahead (self);
}

gboolean
encore_room_skip (EncoreRoom *self)
{
  if (self->current == NULL)
    return FALSE;
  if (self->player != NULL && self->song != 0)
    encore_room_forget_next (self);
  const gboolean sounding = self->song != 0;
  encore_room_finish_current (self, "skipped");
  if (sounding && encore_queue_get_length (self->queue) == 0)
    encore_player_stop (self->player);
  encore_room_advance (self);
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
  self->hold = FALSE;
  encore_queue_clear (self->queue);
  if (self->player != NULL) {
    encore_room_forget_next (self);
    encore_player_fade_out (self->player);
  }
  encore_room_finish_current (self, "stopped");
  encore_room_advance (self);
  return TRUE;
}

gboolean
encore_room_set_paused (EncoreRoom *self, gboolean paused)
{
  if (self->song == 0 || self->paused == paused)
    return FALSE;
  self->paused = paused;
  encore_player_set_paused (self->player, paused);
  encore_keeper_touch (self->plugin->keeper, self);
  return TRUE;
}

void
encore_room_set_volume (EncoreRoom *self, int percent)
{
  self->volume_percent = percent;
  if (self->player != NULL)
    encore_player_set_volume (self->player, percent / 100.0);
}

int
encore_room_get_volume (EncoreRoom *self)
{
  return self->volume_percent;
}

gboolean
encore_room_seek (EncoreRoom *self, gint64 position_ms)
{
  EncoreTrack *track = self->current;

  if (track == NULL || self->song == 0 || track->is_live)
    return FALSE;
  EncoreHandle *handle = encore_room_look_up (self, track, FALSE);
  if (handle == NULL && track->early == NULL)
    return FALSE;
  encore_room_forget_next (self);
  track->start_ms = MAX (position_ms, 1); /* 0 is a song that begins: that would be told again */
  self->hold = self->paused;
  const gboolean waits =
      handle == NULL && !encore_reader_has_music (track->early, track->start_ms * 1000000);
  encore_room_play_current (self, handle);
  self->buffering = waits && self->song != 0; /* until it starts */
  encore_keeper_touch (self->plugin->keeper, self);
  return TRUE;
}

/* As if REQUEST had asked for it. */
static void
put_in_front (EncoreRoom *self, const EncoreMediaId *id, const char *title, guint64 user,
              const char *user_name)
{
  EncoreTrack *track = encore_track_new (id, NULL, user, user_name, 0);

  track->title = g_strdup (title);
  track->room = self;
  encore_queue_prepend (self->queue, track);
  encore_room_learn (self, track);
}

const char *
encore_room_previous (EncoreRoom *self, const EncoreRequest *request)
{
  const EncoreTrack *current = self->current;
  guint i = 0;

  if (current != NULL && self->history->len > 0 && self->song != 0)
    i = 1; /* the newest one is what plays */
  if (i >= self->history->len)
    return NULL;
  g_autoptr (GPtrArray) listed = g_ptr_array_ref (self->history);
  const EncoreListed *song = listed->pdata[i];
  encore_room_forget_next (self);
  if (current != NULL && current->id.id[0] != '\0')
    put_in_front (self, &current->id, current->title, current->user, current->user_name);
  put_in_front (self, &song->id, song->title, request->user, request->user_name);
  encore_room_count_tracks (self);
  if (current != NULL)
    encore_room_skip (self);
  else
    encore_room_advance (self);
  return self->current != NULL ? encore_track_get_name (self->current) : NULL;
}

gboolean
encore_room_get_stats (EncoreRoom *self, EncoreVoiceStats *out)
{
  if (self->ring == NULL)
    return FALSE;
  encore_voice_get_stats (self->ring, out);
  return TRUE;
}

void
encore_room_set_loop (EncoreRoom *self, EncoreLoop loop)
{
  self->loop = loop;
  encore_keeper_touch (self->plugin->keeper, self);
  encore_room_forget_next (self);
  encore_room_look_ahead (self);
}

GPtrArray *
encore_room_get_history (EncoreRoom *self)
{
  return self->history;
}
