/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A song that is heard while it is downloaded.
 *
 * It sounds from what has come so far, at the loudness of its source.  When it has been measured
 * the gain moves to that of the cached file, slowly; the next play takes that file.  If what came
 * breaks off, but not the fetch (which tries again, or yt-dlp goes on with it), the room waits and
 * goes on where it was. */
#include "config.h"
#include "bot/encore-room-private.h"

void
encore_room_take_progress (EncoreRoom *self, EncoreTrack *track, const EncoreProgress *progress)
{
  if (track->title == NULL && progress->title != NULL)
    track->title = g_strdup (progress->title);
  if (track->duration_ms == 0)
    track->duration_ms = progress->duration_ms;
  if (progress->early == NULL || progress->early == track->early)
    return;
  g_clear_pointer (&track->early, encore_reader_unref);
  track->early = encore_reader_ref (progress->early);
  track->early_tried = FALSE;
  if (track == self->current && self->song == 0)
    encore_room_play_early (self);
}

guint
encore_room_start_early (EncoreRoom *self, GError **error)
{
  EncoreTrack *track = self->current;

  track->is_early = track->early_tried = TRUE;
  return encore_player_play_growing (self->player, &track->id, track->early, track->title,
                                     track->duration_ms, track->start_ms, error);
}

gboolean
encore_room_early_fetched (EncoreRoom *self, EncoreTrack *track)
{
  if (track != self->current || !track->is_early)
    return FALSE;
  g_autoptr (EncoreHandle) handle = encore_room_look_up (self, track, FALSE);
  const double gain_db = handle != NULL ? encore_handle_get_info (handle)->gain_db : 0;
  if (gain_db != 0)
    encore_player_move_gain (self->player, gain_db);
  if (handle != NULL)
    encore_room_fit_next_time (self, track, handle);
  return TRUE;
}

gboolean
encore_room_take_live (EncoreRoom *self, EncoreTrack *track, const GError *error,
                       EncoreProgressFunc progress, EncoreFetchedFunc done)
{
  if (!self->plugin->config->live || track != self->current || track->is_live ||
      !g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_LIVE))
    return FALSE;
  track->is_live = TRUE;
  track->waiter = encore_fetch_live (self->plugin->fetch, &track->id, self->plugin->context,
                                     progress, done, track);
  return TRUE;
}

gboolean
encore_room_early_lost (EncoreRoom *self, EncoreTrack *track, const GError *error)
{
  if (track != self->current || !track->is_early)
    return FALSE;
  g_clear_error (&track->failure);
  track->failure = g_error_copy (error); /* told when it is heard */
  return TRUE;
}

/* The same song again, although it is not in the cache yet. */
static void
play_again (EncoreRoom *self)
{
  self->song = 0;
  self->current->is_early = self->current->early_tried = FALSE;
  encore_room_start_current (self);
}

gboolean
encore_room_early_ended (EncoreRoom *self)
{
  const EncoreTrack *track = self->current;

  if (track->is_live && g_error_matches (track->failure, ENCORE_ERROR, ENCORE_ERROR_LIVE))
    return FALSE; /* it is over, as was to be expected */
  if (track->failure != NULL) {
    g_autofree char *sentence = encore_plugin_sentence (self->plugin, track->failure);
    g_warning ("fetch: %s", track->failure->message);
    say (self, "%s was not kept: %s", encore_track_get_name (track), sentence);
  } else if (self->loop == ENCORE_LOOP_SONG && track->waiter != NULL) {
    play_again (self);
    return TRUE;
  }
  return FALSE;
}

/* Its fetch has failed, and this is how far it came. */
static void
tell_broke_off (EncoreRoom *self)
{
  EncoreTrack *track = self->current;

  if (track->announce) { /* nothing of it was heard */
    g_autoptr (GError) failure = g_steal_pointer (&track->failure);
    self->song = 0;
    encore_room_drop_failed (self, track, failure);
    return;
  }
  g_autofree char *sentence = encore_plugin_sentence (self->plugin, track->failure);

  g_warning ("fetch: %s: %s", encore_track_get_name (track), track->failure->message);
  say (self, "%s broke off: %s", encore_track_get_name (track), sentence);
  encore_room_finish_current (self, "broke off");
  encore_room_advance (self);
}

gboolean
encore_room_early_broke (EncoreRoom *self)
{
  EncoreTrack *track = self->current;

  if (!track->is_early)
    return FALSE;
  if (track->failure != NULL) {
    tell_broke_off (self);
    return TRUE;
  }
  encore_room_get_current (self, &track->start_ms, NULL);
  g_info ("play: %s: at %" G_GINT64_FORMAT " ms it waits for what is fetched", track->id.id,
          track->start_ms);
  self->hold = self->paused;
  self->song = 0;
  track->is_early = FALSE;
  encore_room_forget_next (self);
  encore_room_start_current (self);
  return TRUE;
}
