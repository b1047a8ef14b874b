/* SPDX-License-Identifier: LGPL-2.1-or-later
 * One channel of a Mumble server that the bot sits in: a connection of its own, since a user of
 * Mumble is in one channel at a time.  It comes back by itself when the connection is lost; the
 * music waits meanwhile.
 *
 *   WAIT --> CONNECT --> SYNC --> JOIN --> READY      any of them --> WAIT, or OFF where it makes
 * no sense to try again (wrong password, ...)
 *
 * Threads: [main], but for mumble_room_send(). */
#pragma once

#include "mumble-config.h"
#include "mumble-conn.h"
#include "mumble-voice.h"
#include "mumble-world.h"

typedef struct MumbleRoom MumbleRoom;

/* What a room asks of the bot; [main]. */
typedef struct {
  /* Returns: 0: connect now, which is counted; else how many microseconds to wait. */
  gint64 (*may_connect) (gpointer data);
  /* How the attempt ended, before READY or after. */
  void (*ended) (MumbleDown why, gpointer data);
  /* TEXT is plain; PRIVATELY: to the bot alone. */
  void (*said) (MumbleRoom *room, const MumbleUser *user, gboolean privately, const char *text,
                gpointer data);
  void (*user) (MumbleRoom *room, const MumbleUser *user, gboolean gone, gpointer data);
  /* The members of the root's groups, as far as the bot may know them. */
  void (*groups) (MumbleRoom *room, const MumbleProto__Acl *acl, gpointer data);
  /* People begin or cease to speak. */
  void (*speaking) (MumbleRoom *room, gboolean on, gpointer data);
  /* What the network takes has changed. */
  void (*limits) (MumbleRoom *room, gpointer data);
  /* It is READY, WAITs for the next attempt, or is OFF for good. */
  void (*ready) (MumbleRoom *room, gpointer data);
  void (*waits) (MumbleRoom *room, gpointer data);
  void (*off) (MumbleRoom *room, gpointer data);
} MumbleRoomFuncs;

/* mumble_room_new: NAME is the bot's in this room, PATH the channel's, CERTIFICATE its own.  All
 * are the caller's and outlive it, as CONFIG does. */
MumbleRoom *
mumble_room_new (const MumbleConfig *config, const char *name, const char *path,
                 GTlsCertificate *certificate, const MumbleRoomFuncs *funcs, gpointer data);
void mumble_room_free (MumbleRoom *self);
/* mumble_room_start: begins to connect. */
void mumble_room_start (MumbleRoom *self);

/* mumble_room_refresh: CONFIG is another now: limits() may follow. */
void mumble_room_refresh (MumbleRoom *self);

/* mumble_room_get_id: the room's number for the plugin, the same after a restart; [any]. */
bot_id mumble_room_get_id (MumbleRoom *self);
/* mumble_room_get_private_id: the number of the conversation with USER alone. */
bot_id mumble_room_get_private_id (MumbleRoom *self, const MumbleUser *user);
/* mumble_room_get_label: for logs. */
const char *mumble_room_get_label (MumbleRoom *self);
/* mumble_room_get_world: (nullable): what the connection knows. */
MumbleWorld *mumble_room_get_world (MumbleRoom *self);
gboolean mumble_room_is_ready (MumbleRoom *self);
gboolean mumble_room_is_off (MumbleRoom *self);
/* mumble_room_has: does USER sit in the bot's channel? */
gboolean mumble_room_has (MumbleRoom *self, const MumbleUser *user);
/* mumble_room_get_max_bps: of Opus in packets of 20 ms. */
guint mumble_room_get_max_bps (MumbleRoom *self);

/* mumble_room_reply: TEXT to TO, which is the room's own number or that of a conversation. Returns:
 * FALSE if it is neither. */
gboolean mumble_room_reply (MumbleRoom *self, bot_id to, const char *text);
/* mumble_room_whisper: to one user. */
void mumble_room_whisper (MumbleRoom *self, const MumbleUser *user, const char *text);
/* mumble_room_show: TITLE plays; "": nothing. */
void mumble_room_show (MumbleRoom *self, const char *title);
/* mumble_room_query_groups: groups() follows, if the server lets us know. */
void mumble_room_query_groups (MumbleRoom *self);

/* mumble_room_restart_voice: the plugin counts from 0 again, and thinks that nobody speaks. */
void mumble_room_restart_voice (MumbleRoom *self);
/* mumble_room_send: [send] as in bot-plugin.h. */
bot_result
mumble_room_send (MumbleRoom *self, guint64 seq, gboolean last, const guint8 *packet, gsize len);
