/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A room from within, for the files that make it up: encore-room.c (the state machine),
 * encore-room-act.c (what people do), encore-room-ahead.c (what follows), encore-keeper.c (what
 * outlives a restart).  Control thread only. */
#pragma once

#include "bot/encore-room.h"

G_BEGIN_DECLS

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
  EncoreMediaId entry;  /* of CURRENT, or of a rendition: what the player has; unless it is early */
  EncoreTrack *next;    /* (not owned) head of the queue, given to the player */
  guint next_song;      /* its number; 0: none given */
  EncoreMediaId next_entry; /* as ENTRY */
  gboolean paused;
  gboolean buffering; /* silent within a song whose download is slow */
  EncoreLoop loop;
  GPtrArray *history; /* EncoreListed, newest first */
  GSource *idle;      /* leaves the voice room when it fires */
  gboolean hold;      /* the next song begins paused: the one that was broken off was */
  guint passed_over;  /* songs in a row that were dropped since the site refuses us */
  gboolean unsaved;   /* changed since the keeper last took it down */
  guint tracks;       /* our share of plugin->tracks */
  int volume_percent;
};

#define say(self, ...) encore_host_reply ((self)->plugin->host, (self)->chat, 0, __VA_ARGS__)

/* Takes the next song of the queue, or falls silent. */
void encore_room_advance (EncoreRoom *self);
/* The current song's turn has come: the cache is asked before anything else. */
void encore_room_start_current (EncoreRoom *self);
/* The current song, now. @handle: (transfer full) (nullable): NULL: from what has come of it. */
void encore_room_play_current (EncoreRoom *self, EncoreHandle *handle);
/* Keeps the plugin's idea of what is still to do; after every change of the queue. */
void encore_room_count_tracks (EncoreRoom *self);
/* Playing never removes a cached song; the log says so, since other bots do it differently. */
void encore_room_finish_current (EncoreRoom *self, const char *why);
/* The cache's answer for TRACK.  @play: it is its turn, so it counts.  (transfer full) (nullable):
 * NULL on a miss. */
EncoreHandle *encore_room_look_up (EncoreRoom *self, EncoreTrack *track, gboolean play);
/* TRACK could not be had: people are told, and the queue goes on. */
void encore_room_drop_failed (EncoreRoom *self, EncoreTrack *track, const GError *error);
void encore_room_fetch (EncoreRoom *self, EncoreTrack *track);
void encore_room_search (EncoreRoom *self, EncoreTrack *track);
/* A queued song is looked up once: people see its title, and it stays in the cache until its turn.
 */
void encore_room_learn (EncoreRoom *self, EncoreTrack *track);

/* encore-room-early.c */
/* News of TRACK's flight: perhaps it can be heard now. */
void encore_room_take_progress (EncoreRoom *self, EncoreTrack *track, const EncoreProgress *news);
/* The current song, from what has come of it. */
void encore_room_play_early (EncoreRoom *self);
guint encore_room_start_early (EncoreRoom *self, GError **error); /* Returns: its number */
/* TRACK was fetched, its fetch has failed.  Returns: FALSE if it does not sound yet. */
gboolean encore_room_early_fetched (EncoreRoom *self, EncoreTrack *track);
gboolean encore_room_early_lost (EncoreRoom *self, EncoreTrack *track, const GError *error);
/* TRACK's fetch has failed.  Returns: FALSE if that is not because it is a stream whose turn is now
 * and which may be played: it begins then. */
gboolean encore_room_take_live (EncoreRoom *self, EncoreTrack *track, const GError *error,
                                EncoreProgressFunc progress, EncoreFetchedFunc done);
/* The player is at the end of the current song.  Returns: TRUE if it plays again from what came. */
gboolean encore_room_early_ended (EncoreRoom *self);
/* The player cannot go on with the current song.  Returns: FALSE if that is a cached one. */
gboolean encore_room_early_broke (EncoreRoom *self);

/* encore-room-ahead.c */
/* Gives the player what follows without a gap, and fetches the songs whose turn is near. */
void encore_room_look_ahead (EncoreRoom *self);
/* The same in all other rooms, where a song may have waited for one of this room. */
void encore_room_look_ahead_elsewhere (EncoreRoom *self);
void encore_room_forget_next (EncoreRoom *self);
/* encore_room_put_off: TRACK, fetched before its turn, failed with ERROR.  Returns: TRUE: it waits
 * for its turn all the same, since this may have passed by then. */
gboolean encore_room_put_off (EncoreRoom *self, EncoreTrack *track, const GError *error);

/* encore-room-fit.c */
/* encore_room_fit: what is played of TRACK, whose cached song is SONG (transfer full): SONG itself,
 * or a rendition that the room's voice has room for.  *ENTRY (out): its id.  Returns: (transfer
 * full). */
EncoreHandle *encore_room_fit (EncoreRoom *self, const EncoreTrack *track, EncoreHandle *song,
                               EncoreMediaId *entry);
/* encore_room_fit_broke: the player cannot go on.  Returns: FALSE if that is the song itself; of a
 * rendition the song goes on where it was. */
gboolean encore_room_fit_broke (EncoreRoom *self, const GError *error);
/* encore_room_fit_next_time: SONG, its TRACK's, has just come into the cache while it was heard. */
void encore_room_fit_next_time (EncoreRoom *self, const EncoreTrack *track, EncoreHandle *song);

G_END_DECLS
