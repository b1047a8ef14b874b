/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What the files of a room share: mumble-room.c has its life, mumble-room-frame.c what the server
 * says. */
#pragma once

#include "mumble-outbox.h"
#include "mumble-room.h"
#include "mumble-speech.h"

#define MUMBLE_NO_SESSION 0u

typedef enum {
  MUMBLE_ROOM_WAIT,
  MUMBLE_ROOM_CONNECT,
  MUMBLE_ROOM_SYNC,
  MUMBLE_ROOM_JOIN,
  MUMBLE_ROOM_READY,
  MUMBLE_ROOM_OFF,
} MumbleRoomState;

struct MumbleRoom {
  const MumbleConfig *config;
  const char *name, *path;
  GTlsCertificate *certificate;
  MumbleRoomFuncs funcs;
  gpointer data;
  bot_id id;
  char *label;
  MumbleRoomState state;
  guint timer; /* of the state */
  guint tries; /* attempts since it was READY for a while */
  gint64 ready_us;
  guint kicks;               /* one after the other, each soon after the last */
  gint64 kicks_forgotten_us; /* from then on the next one is the first */
  MumbleConn *conn;          /* (nullable) */
  MumbleWorld *world;        /* (nullable) with CONN */
  guint32 session;           /* ours; MUMBLE_NO_SESSION before the server tells */
  MumbleOutbox *outbox;
  MumbleVoice *voice;
  MumbleSpeech *speech;
  char *title, *shown; /* what plays, and what our comment says of it */
  guint max_bandwidth, message_length;
  gboolean html;
  gboolean kept_out;       /* of its channel, which has been told */
  const char *deaf_reason; /* (nullable): why nothing is sent, for people */
};

/* mumble_room_enter: STATE begins; the timer of the last one is gone. */
void mumble_room_enter (MumbleRoom *self, MumbleRoomState state);
/* mumble_room_leave: the connection is given up; the next attempt in DELAY_S, never with 0. */
void
mumble_room_leave (MumbleRoom *self, guint delay_s, const char *format, ...) G_GNUC_PRINTF (3, 4);
/* mumble_room_leave_for_now: the same, after the usual back-off. */
void mumble_room_leave_for_now (MumbleRoom *self, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* mumble_room_join: into the channel, or stays if it is there. */
void mumble_room_join (MumbleRoom *self);
/* mumble_room_step_out: out of the channel and in again, by way of the root. */
void mumble_room_step_out (MumbleRoom *self);
/* mumble_room_query_rights: in the channel where it is. */
void mumble_room_query_rights (MumbleRoom *self);
/* mumble_room_settle: READY, wherever it is. */
void mumble_room_settle (MumbleRoom *self);
/* mumble_room_listen: somebody came or went, was muted or deafened: is there anybody to play for?
 */
void mumble_room_listen (MumbleRoom *self);
void mumble_room_set_bandwidth (MumbleRoom *self, guint bps);
/* (transfer none) (nullable): ourselves. */
MumbleUser *mumble_room_get_self (MumbleRoom *self);

/* mumble_room_take_frame: what the server says. */
void mumble_room_take_frame (MumbleRoom *self, guint type, const guint8 *body, gsize len);
