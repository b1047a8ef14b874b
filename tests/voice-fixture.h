/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A room without a bot and without GStreamer, and what its host got, packet by packet.  Everything
 * is awaited, for at most 30 s. */
#pragma once

#include "play/encore-voice.h"

#define MAX_SENT 4096
#define SILENCE G_MAXUINT /* in place of a song's tag */

typedef struct {
  guint64 seq;
  gboolean last;
  guint tag, index;
} Sent;

/* A room, and what its host got. */
typedef struct {
  EncoreVoice *voice;
  GMutex mutex;
  GCond changed;
  Sent sent[MAX_SENT];
  guint n_sent;
  guint music[MAX_SENT]; /* which of SENT are no silence */
  guint n_music;
  guint calls;  /* of send(), taken or not */
  guint refuse; /* that many calls more are answered FULL */
  gboolean hang_up;
  gint oldest; /* atomic: tags below must not come any more */
  gboolean stale;
} Room;

/* A song of LENGTH packets; each carries the song's tag and its own number. */
typedef struct {
  guint tag, length;
  gint limit;      /* atomic: packets that have arrived yet; then WAIT */
  gboolean breaks; /* FAILED in place of the end */
  guint next;
  gint *alive; /* (nullable) atomic: songs that are not released */
} Song;

Room *room_new (EncorePlayout *playout);
/* Fails the test if a packet came that must not. */
void room_free (Room *self);
Song *song_new (guint tag, guint length);
/* The song is the room's from then on.  Numbers are the voice's. */
guint room_play (Room *self, Song *song);
gboolean room_follow (Room *self, guint after, Song *song, guint *number);

guint room_count_music (Room *self);
/* Until N packets of music were taken.  On a busy machine the workers may be late: then there is
 * silence among them, and what is compared is the music. */
void room_await_music (Room *self, guint n);
/* Until the host was told that nothing follows for now, after at least N packets; returns how many
 * frames it got. */
guint room_await_last (Room *self, guint n);
guint room_await_event (Room *self, int kind);
/* Until N ticks have passed, told by a room of its own. */
void room_let_pass (EncorePlayout *playout, guint n);

/* The Ith packet of music. */
const Sent *room_music (Room *self, guint i);
void room_assert_song (Room *self, guint from, guint tag, guint first, guint n);
/* The tail: five frames behind the Nth, the last one marked. */
void room_assert_silence (Room *self, guint n);
EncoreVoiceStats room_get_stats (Room *self);
