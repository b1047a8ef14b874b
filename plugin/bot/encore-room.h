/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A voice room: its queue, what sounds, and how one follows the other.
 *
 *   IDLE -> PREPARING (the first song is looked for or fetched) -> PLAYING <-> PAUSED -> IDLE
 *
 * A new song plays as soon as its first bytes are there; PLAYING is BUFFERING while there are not
 * enough of them, and PREPARING again when they break off.
 *
 * Control thread only. */
#pragma once

#include "bot/encore-listed.h"
#include "bot/encore-plugin.h"
#include "bot/encore-queue.h"

G_BEGIN_DECLS

typedef struct EncoreRoom EncoreRoom;

typedef enum { ENCORE_LOOP_OFF, ENCORE_LOOP_SONG, ENCORE_LOOP_QUEUE } EncoreLoop;

/* encore_room_for: the room that REQUEST is about, made if need be.
 * Returns: (transfer none) (nullable): NULL when the host gives no voice room; people were told. */
EncoreRoom *encore_room_for (EncorePlugin *plugin, const EncoreRequest *request);
/* encore_room_peek: (nullable): the same without making one. */
EncoreRoom *encore_room_peek (EncorePlugin *plugin, const EncoreRequest *request);
void encore_room_free (EncoreRoom *self);
/* The host ended the voice: the queue stays, nothing sounds. */
void encore_room_voice_gone (EncoreRoom *self, bot_id voice, bot_result why);

/* The host takes more or less than before. */
void encore_room_limits_changed (EncoreRoom *self);
/* encore_room_set_speaking: people begin or cease to speak where VOICE is. */
void encore_room_set_speaking (EncoreRoom *self, bot_id voice, gboolean on);

EncoreQueue *encore_room_get_queue (EncoreRoom *self);
/* (nullable) what is prepared or sounds; *POSITION_MS (out) (optional). */
const EncoreTrack *
encore_room_get_current (EncoreRoom *self, gint64 *position_ms, gboolean *paused);

/* Silent within a song, since its download is slow. */
gboolean encore_room_is_buffering (EncoreRoom *self);

/* (transfer full) (nullable) the GStreamer pipeline in force, for gst-launch-1.0. */
char *encore_room_get_pipeline (EncoreRoom *self);

/* encore_room_add: @track: (transfer full).  Answers REQUEST. */
void encore_room_add (EncoreRoom *self, EncoreTrack *track, const EncoreRequest *request);
/* encore_room_add_all: TRACKS, of one playlist, in order, as many as may wait; those are taken out
 * of the array, which owns the rest.  Answers REQUEST once. */
void encore_room_add_all (EncoreRoom *self, GPtrArray *tracks, const EncoreRequest *request);
/* After the queue was changed from outside. */
void encore_room_queue_changed (EncoreRoom *self);
/* Returns: FALSE when nothing plays. */
gboolean encore_room_skip (EncoreRoom *self);
gboolean encore_room_stop (EncoreRoom *self);
gboolean encore_room_set_paused (EncoreRoom *self, gboolean paused);
/* encore_room_set_volume: percent, from 0 to 150. */
void encore_room_set_volume (EncoreRoom *self, int percent);
int encore_room_get_volume (EncoreRoom *self);
/* encore_room_seek: to POSITION_MS, within the current song.  Returns: FALSE when none sounds. */
gboolean encore_room_seek (EncoreRoom *self, gint64 position_ms);
/* encore_room_previous: the song that was played before this one, which comes after it then.
 * Returns: (transfer none) (nullable): its name; NULL: there was none. */
const char *encore_room_previous (EncoreRoom *self, const EncoreRequest *request);
/* encore_room_get_stats: of its voice.  Returns: FALSE: there is none. */
gboolean encore_room_get_stats (EncoreRoom *self, EncoreVoiceStats *out);
void encore_room_set_loop (EncoreRoom *self, EncoreLoop loop);

/* Played songs, newest first. (element-type EncoreListed) */
GPtrArray *encore_room_get_history (EncoreRoom *self);

G_END_DECLS
