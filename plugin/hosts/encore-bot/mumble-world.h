/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What one connection knows of its server: channels and users.  Everything in it comes from the
 * server and may be anything.  [main] */
#pragma once

#include <glib.h>

#include "bot-plugin.h"
#include "mumble.pb-c.h"

#define MUMBLE_ROOT 0u
#define MUMBLE_NO_USER G_GINT64_CONSTANT (-1)

typedef struct {
  guint32 id, parent; /* the root is its own parent */
  char *name;         /* as the server has it, valid UTF-8 */
} MumbleChannel;

typedef struct {
  guint32 session, channel;
  gint64 user_id; /* of a registered user; else MUMBLE_NO_USER */
  char *name;     /* for people only: anybody may take any name */
  char *hash;     /* (nullable) of the certificate, which TLS has proved */
  gboolean mute, deaf, suppress, self_mute, self_deaf;
  bot_id id; /* the same for the same certificate or registration, on every connection */
} MumbleUser;

typedef struct MumbleWorld MumbleWorld;

/* @serial: distinguishes connections: a user who can show nothing is another one on each. */
MumbleWorld *mumble_world_new (guint64 serial);
void mumble_world_free (MumbleWorld *self);

/* Returns: (transfer none) (nullable): NULL if the server tells too much or nothing useful. */
MumbleChannel *
mumble_world_take_channel (MumbleWorld *self, const MumbleProto__ChannelState *state);
MumbleUser *mumble_world_take_user (MumbleWorld *self, const MumbleProto__UserState *state);
void mumble_world_drop_channel (MumbleWorld *self, guint32 id);
void mumble_world_drop_user (MumbleWorld *self, guint32 session);

/* Returns: (transfer none) (nullable). */
MumbleUser *mumble_world_get_user (MumbleWorld *self, guint32 session);
/* mumble_world_find: the channel at PATH ("Music/Jazz"; "" is the root).  FALSE: there is none. */
gboolean mumble_world_find (MumbleWorld *self, const char *path, guint32 *id);
/* mumble_world_path: (transfer full): of the channel ID, for people. */
char *mumble_world_path (MumbleWorld *self, guint32 id);
/* mumble_world_count_listeners: who can hear what is sent into CHANNEL, but for SELF_SESSION. */
guint mumble_world_count_listeners (MumbleWorld *self, guint32 channel, guint32 self_session);

typedef void (*MumbleUserFunc) (const MumbleUser *user, gpointer data);
void mumble_world_foreach_user (MumbleWorld *self, MumbleUserFunc func, gpointer data);

/* mumble_id_of: a number from TEXT, the same in every process; never 0. */
bot_id mumble_id_of (const char *text);
