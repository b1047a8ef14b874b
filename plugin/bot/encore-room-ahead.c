/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What follows in a room: the next song is given to the player while this one sounds, and the songs
 * after it are fetched before their turn.
 *
 * Songs are fetched ahead one after the other, and never with all `jobs`: what somebody asks for
 * now finds one free. */
#include "config.h"
#include "bot/encore-room-private.h"

#include "store/encore-notes.h"

void
encore_room_forget_next (EncoreRoom *self)
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
  encore_room_forget_next (self);
  EncoreHandle *handle = encore_room_look_up (self, track, TRUE);
  if (handle == NULL)
    return;
  track->counted = TRUE;
  handle = encore_room_fit (self, track, handle, &self->next_entry);
  self->next_song = encore_player_set_next (self->player, &self->next_entry, handle, &error);
  self->next = self->next_song != 0 ? track : NULL;
  if (error != NULL)
    g_warning ("play: %s", error->message);
}

/* ---- before their turn */

/* Songs that are fetched before their turn in all rooms.  @user: of one user; 0: of all. */
static guint
count_ahead (EncorePlugin *plugin, guint64 user)
{
  GHashTableIter iter;
  gpointer value;
  guint n = 0;

  g_hash_table_iter_init (&iter, plugin->rooms);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    const EncoreRoom *room = value;
    for (guint i = 0; i < encore_queue_get_length (room->queue); i++) {
      const EncoreTrack *track = encore_queue_peek (room->queue, i);
      n += track->state == ENCORE_TRACK_FETCHING && (user == 0 || track->user == user);
    }
  }
  return n;
}

/* What the site refuses now may be had when its turn comes.  A song that is heard while it comes
 * has the line for itself. */
static gboolean
may_fetch_ahead (EncoreRoom *self, const EncoreTrack *track)
{
  const EncoreConfig *config = self->plugin->config;
  const guint per_user = config->per_user_jobs;
  const EncoreTrack *current = self->current;

  return !track->tried &&
         !(current != NULL && current->is_early && !current->is_live && current->waiter != NULL) &&
         encore_cache_backoff_left (self->plugin->cache) == 0 &&
         count_ahead (self->plugin, 0) < (guint) MAX (config->jobs - 1, 1) &&
         (per_user == 0 || track->user == 0 || count_ahead (self->plugin, track->user) < per_user);
}

/* Somebody else may have fetched it since it was looked up. */
static void
fetch_if_missing (EncoreRoom *self, EncoreTrack *track)
{
  g_autoptr (EncoreHandle) handle = encore_room_look_up (self, track, FALSE);

  if (handle == NULL && may_fetch_ahead (self, track))
    encore_room_fetch (self, track);
}

void
encore_room_look_ahead (EncoreRoom *self)
{
  const guint ahead = MAX (self->plugin->config->prefetch, 0);

  if (self->loop == ENCORE_LOOP_SONG && self->song != 0) {
    if (self->current->state == ENCORE_TRACK_READY &&
        (self->next != self->current || self->next_song == 0))
      offer_next (self, self->current);
    return;
  }
  for (guint i = 0; i < MAX (ahead, 1); i++) {
    EncoreTrack *track = encore_queue_peek (self->queue, i);
    if (track == NULL)
      break;
    if (track->waiter != NULL)
      continue;
    if (track->state == ENCORE_TRACK_SEARCHING && ahead > 0 && !track->tried)
      encore_room_search (self, track);
    else if (track->state == ENCORE_TRACK_WAITING && ahead > 0)
      fetch_if_missing (self, track);
  }
  EncoreTrack *head = encore_queue_peek (self->queue, 0);
  if (head == NULL || head->state != ENCORE_TRACK_READY)
    encore_room_forget_next (self);
  else
    offer_next (self, head);
}

void
encore_room_look_ahead_elsewhere (EncoreRoom *self)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->plugin->rooms);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (value != self && ((EncoreRoom *) value)->current != NULL)
      encore_room_look_ahead (value);
}

gboolean
encore_room_put_off (EncoreRoom *self, EncoreTrack *track, const GError *error)
{
  static const int passing[] = {ENCORE_ERROR_THROTTLED, ENCORE_ERROR_NETWORK, ENCORE_ERROR_DEADLINE,
                                ENCORE_ERROR_BUSY, ENCORE_ERROR_NO_SPACE};
  gboolean passes = FALSE;

  for (gsize i = 0; i < G_N_ELEMENTS (passing); i++)
    passes |= g_error_matches (error, ENCORE_ERROR, passing[i]);
  passes |= self->plugin->config->live && g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_LIVE);
  if (track == self->current || !passes)
    return FALSE;
  g_info ("fetch: %s is tried again when its turn comes: %s", encore_track_get_name (track),
          error->message);
  track->tried = TRUE;
  if (track->state == ENCORE_TRACK_FETCHING)
    track->state = ENCORE_TRACK_WAITING;
  return TRUE;
}
