/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Any frame may come at any time and hold anything: what does not fit the state is ignored. */
#include "config.h"
#include "mumble-room-private.h"

#include <string.h>

#include "host.h"
#include "mumble-frame.h"
#include "mumble-text.h"

#define HTML_MAX_BYTES 16384
#define LINE_MAX_BYTES 2000
#define REASON_MAX_CHARS 200
#define BUSY_S 60
#define BANNED_S 600
#define KICKED_MAX_S 3600
#define KICK_MEMORY_S 600 /* after it may come back */
#define OTHER_DEVICE_S 600

/* Reject and PermissionDenied have their own numbers. */
enum {
  REJECT_WRONG_VERSION = 1,
  REJECT_INVALID_USERNAME,
  REJECT_WRONG_USER_PASSWORD,
  REJECT_WRONG_SERVER_PASSWORD,
  REJECT_USERNAME_IN_USE,
  REJECT_SERVER_FULL,
  REJECT_NO_CERTIFICATE,
};
enum { DENIED_PERMISSION = 1, DENIED_TEXT_TOO_LONG = 4 };
enum {
  PERMISSION_WRITE = 0x1,
  PERMISSION_ENTER = 0x4,
  PERMISSION_SPEAK = 0x8,
  PERMISSION_TEXT = 0x200
};

/* ---- the end */

static void
on_reject (MumbleRoom *self, gconstpointer message)
{
  const MumbleProto__Reject *reject = message;
  static const guint ghost_s[] = {5, 10, 20, 30};
  g_autofree char *reason = mumble_text_clean (reject->reason);

  switch (reject->type) {
  case REJECT_WRONG_VERSION:
    mumble_room_leave (self, 0, "the server speaks another version of the protocol (%s)", reason);
    break;
  case REJECT_INVALID_USERNAME:
    mumble_room_leave (self, 0, "the server does not allow the name '%s' (option user)",
                       self->name);
    break;
  case REJECT_WRONG_USER_PASSWORD:
    mumble_room_leave (self, 0,
                       "the name '%s' is registered with another certificate or password (options "
                       "user, certificate, password)",
                       self->name);
    break;
  case REJECT_WRONG_SERVER_PASSWORD:
    mumble_room_leave (self, 0, "wrong server password (option password)");
    break;
  case REJECT_NO_CERTIFICATE:
    mumble_room_leave (self, 0, "the server wants a certificate that it trusts (%s)", reason);
    break;
  case REJECT_USERNAME_IN_USE:
    mumble_room_leave (self, ghost_s[MIN (self->tries, G_N_ELEMENTS (ghost_s) - 1)],
                       "the name '%s' is taken, perhaps by the bot's own last connection",
                       self->name);
    self->tries++;
    break;
  case REJECT_SERVER_FULL:
    mumble_room_leave (self, BUSY_S, "the server is full");
    break;
  default:
    mumble_room_leave (self, BUSY_S, "the server refuses the bot: %s", reason);
  }
}

/* How long to stay away: return_after, and twice as long after each further kick that comes soon.
 */
static guint
count_kick (MumbleRoom *self)
{
  const gint64 now_us = g_get_monotonic_time ();
  const guint first_s = self->config->return_after_s;
  guint delay_s = first_s;

  self->kicks = now_us < self->kicks_forgotten_us ? self->kicks + 1 : 1;
  for (guint i = 1; i < self->kicks && delay_s < KICKED_MAX_S; i++)
    delay_s *= 2;
  delay_s = MAX (first_s, MIN (delay_s, KICKED_MAX_S));
  self->kicks_forgotten_us = now_us + (delay_s + KICK_MEMORY_S) * G_USEC_PER_SEC;
  return delay_s;
}

/* Somebody threw us out, or our name came from elsewhere. */
static void
on_own_removal (MumbleRoom *self, const MumbleProto__UserRemove *removal)
{
  const MumbleUser *actor = removal->has_actor && removal->actor != self->session
                                ? mumble_world_get_user (self->world, removal->actor)
                                : NULL;
  g_autofree char *who = mumble_text_clean (actor != NULL ? actor->name : "the server");
  g_autofree char *reason = mumble_text_clean (removal->reason);

  if (removal->ban)
    mumble_room_leave (self, BANNED_S, "banned by %s: %s", who, reason);
  else if (actor == NULL)
    mumble_room_leave (self, OTHER_DEVICE_S,
                       "thrown out by the server: %s; is there another bot with this certificate?",
                       reason);
  else {
    const guint delay_s = count_kick (self);
    mumble_room_leave (self, delay_s, "kicked%s by %s: %s", self->kicks > 1 ? " again" : "", who,
                       reason);
  }
}

static void
on_user_remove (MumbleRoom *self, gconstpointer message)
{
  const MumbleProto__UserRemove *removal = message;
  if (!removal->has_session)
    return;
  if (removal->session == self->session && self->session != MUMBLE_NO_SESSION) {
    on_own_removal (self, removal);
    return;
  }
  const MumbleUser *user = mumble_world_get_user (self->world, removal->session);
  if (user == NULL)
    return;
  self->funcs.user (self, user, TRUE, self->data);
  mumble_world_drop_user (self->world, removal->session);
  mumble_room_listen (self);
}

/* ---- channels and users */

static void
on_server_sync (MumbleRoom *self, gconstpointer message)
{
  const MumbleProto__ServerSync *sync = message;
  if (self->state != MUMBLE_ROOM_SYNC || !sync->has_session)
    return;
  self->session = sync->session;
  if (mumble_room_get_self (self) == NULL) {
    mumble_room_leave_for_now (self, "the server does not know the bot that it let in");
    return;
  }
  if (sync->has_max_bandwidth)
    mumble_room_set_bandwidth (self, sync->max_bandwidth);
  mumble_room_join (self);
}

static void
on_server_config (MumbleRoom *self, gconstpointer message)
{
  const MumbleProto__ServerConfig *config = message;
  if (config->has_allow_html)
    self->html = config->allow_html;
  if (config->has_message_length)
    self->message_length = config->message_length;
  mumble_outbox_set_limits (self->outbox, self->message_length, self->html);
  if (config->has_max_bandwidth)
    mumble_room_set_bandwidth (self, config->max_bandwidth);
}

static void
on_channel_state (MumbleRoom *self, gconstpointer message)
{
  const MumbleProto__ChannelState *state = message;
  guint32 before, after;
  const gboolean was = mumble_world_find (self->world, self->path, &before);
  const MumbleUser *me = mumble_room_get_self (self);

  mumble_world_take_channel (self->world, state);
  const gboolean is = mumble_world_find (self->world, self->path, &after);
  if (self->state == MUMBLE_ROOM_READY && !was && is && me != NULL && me->channel != after)
    mumble_room_join (self);
}

static void
on_channel_remove (MumbleRoom *self, gconstpointer message)
{
  const MumbleProto__ChannelRemove *removal = message;

  if (removal->has_channel_id)
    mumble_world_drop_channel (self->world, removal->channel_id);
}

/* Muted, moved and the like: people are told, else they would think that the bot is broken. */
static void
tell_change (MumbleRoom *self, const MumbleUser *me, const MumbleUser *old, guint32 actor)
{
  const MumbleUser *by = mumble_world_get_user (self->world, actor);
  g_autofree char *who = mumble_text_clean (by != NULL ? by->name : "the server");

  if (self->state != MUMBLE_ROOM_READY)
    return;
  if (me->channel != old->channel && actor != self->session) {
    g_autofree char *path = mumble_world_path (self->world, me->channel);
    host_log (BOT_LOG_INFO, "mumble", "%s: moved to %s by %s", self->label, path, who);
  }
  const gboolean muted = me->mute || me->suppress, was = old->mute || old->suppress;
  if (muted != was)
    host_log (BOT_LOG_INFO, "mumble", "%s: %s by %s", self->label, muted ? "muted" : "unmuted",
              who);
  if (muted && !was)
    mumble_outbox_say (self->outbox, MUMBLE_TO_CHANNEL,
                       "I may not speak here now; the music waits.");
}

static void
on_own_state (MumbleRoom *self, const MumbleUser *me, const MumbleUser *old, guint32 actor)
{
  guint32 wanted;

  tell_change (self, me, old, actor);
  if (self->state == MUMBLE_ROOM_JOIN && mumble_world_find (self->world, self->path, &wanted) &&
      me->channel == wanted)
    mumble_room_settle (self);
  else
    mumble_room_listen (self);
}

static void
on_user_state (MumbleRoom *self, gconstpointer message)
{
  const MumbleProto__UserState *state = message;
  const MumbleUser *known =
      state->has_session ? mumble_world_get_user (self->world, state->session) : NULL;
  const MumbleUser old =
      known != NULL ? *known : (MumbleUser){0}; /* only its flags are looked at */
  const MumbleUser *user = mumble_world_take_user (self->world, state);

  if (user == NULL)
    return;
  if (user->session == self->session && self->session != MUMBLE_NO_SESSION) {
    on_own_state (self, user, &old, state->has_actor ? state->actor : MUMBLE_NO_SESSION);
    return;
  }
  self->funcs.user (self, user, FALSE, self->data);
  mumble_room_listen (self);
}

/* ---- chat and rights */

static gboolean
contains (const guint32 *list, gsize n, guint32 value)
{
  for (gsize i = 0; i < n; i++)
    if (list[i] == value)
      return TRUE;
  return FALSE;
}

static void
on_text (MumbleRoom *self, gconstpointer message)
{
  const MumbleProto__TextMessage *sent = message;
  const MumbleUser *user = sent->has_actor && sent->actor != self->session
                               ? mumble_world_get_user (self->world, sent->actor)
                               : NULL;

  if (user == NULL || sent->message == NULL || self->state < MUMBLE_ROOM_JOIN ||
      strlen (sent->message) > HTML_MAX_BYTES)
    return;
  g_autofree char *text = mumble_text_from_html (sent->message);
  if (*text == '\0' || strlen (text) > LINE_MAX_BYTES)
    return;
  const gboolean privately = contains (sent->session, sent->n_session, self->session);
  self->funcs.said (self, user, privately, text, self->data);
}

static void
on_denied (MumbleRoom *self, gconstpointer message)
{
  const MumbleProto__PermissionDenied *denied = message;
  if (denied->type == DENIED_TEXT_TOO_LONG) {
    host_log (BOT_LOG_WARNING, "mumble", "%s: a message was too long for the server", self->label);
  } else if (self->state == MUMBLE_ROOM_JOIN) {
    host_log (self->kept_out ? BOT_LOG_DEBUG : BOT_LOG_WARNING, "mumble",
              "%s: the bot may not enter this channel; tried again every minute", self->label);
    mumble_room_settle (self);
  } else if (denied->permission & PERMISSION_TEXT) {
    host_log (BOT_LOG_WARNING, "mumble", "%s: the bot may not write in this channel", self->label);
  } else if (denied->permission & PERMISSION_WRITE) {
    host_log (BOT_LOG_WARNING, "mumble",
              "%s: without the right to write ACLs in the root channel the bot does not know its "
              "groups: group:NAME is nobody",
              self->label);
  } else {
    g_autofree char *reason = mumble_text_clean (denied->reason);
    host_log (BOT_LOG_WARNING, "mumble", "%s: the server denies something (permission %#x) %s",
              self->label, denied->permission, reason);
  }
}

/* Inside a channel a right to speak that is given changes nothing until one leaves and comes back.
 */
static void
on_permissions (MumbleRoom *self, gconstpointer message)
{
  const MumbleProto__PermissionQuery *query = message;
  const MumbleUser *me = mumble_room_get_self (self);

  if (self->state != MUMBLE_ROOM_READY || me == NULL)
    return;
  if (query->flush) /* rights were changed: perhaps groups, too */
    self->funcs.ready (self, self->data);
  if (!me->suppress)
    return;
  /* a question about what the server has just told would not be answered */
  if (!query->has_channel_id || query->channel_id != me->channel)
    mumble_room_query_rights (self);
  else if (query->permissions & PERMISSION_SPEAK)
    mumble_room_step_out (self);
}

static void
on_acl (MumbleRoom *self, gconstpointer message)
{
  const MumbleProto__Acl *acl = message;

  if (acl->channel_id != MUMBLE_ROOT)
    return;
  host_log (BOT_LOG_DEBUG, "mumble", "%s: the server tells the groups of the root channel",
            self->label);
  self->funcs.groups (self, acl, self->data);
}

/* ---- voice */

/* Everybody's comes, since who cannot hear may not speak either. */
static void
take_voice (MumbleRoom *self, const guint8 *body, gsize len)
{
  guint32 session;

  if (self->state == MUMBLE_ROOM_READY && mumble_voice_speaker (body, len, &session) &&
      session != self->session && mumble_world_get_user (self->world, session) != NULL)
    mumble_speech_take (self->speech);
}

/* ---- all */

typedef void (*Handler) (MumbleRoom *self, gconstpointer message);

static const struct {
  guint type;
  const ProtobufCMessageDescriptor *descriptor;
  Handler take;
} HANDLERS[] = {
    {MUMBLE_REJECT, &mumble_proto__reject__descriptor, on_reject},
    {MUMBLE_SERVER_SYNC, &mumble_proto__server_sync__descriptor, on_server_sync},
    {MUMBLE_SERVER_CONFIG, &mumble_proto__server_config__descriptor, on_server_config},
    {MUMBLE_CHANNEL_STATE, &mumble_proto__channel_state__descriptor, on_channel_state},
    {MUMBLE_CHANNEL_REMOVE, &mumble_proto__channel_remove__descriptor, on_channel_remove},
    {MUMBLE_USER_STATE, &mumble_proto__user_state__descriptor, on_user_state},
    {MUMBLE_USER_REMOVE, &mumble_proto__user_remove__descriptor, on_user_remove},
    {MUMBLE_TEXT_MESSAGE, &mumble_proto__text_message__descriptor, on_text},
    {MUMBLE_PERMISSION_DENIED, &mumble_proto__permission_denied__descriptor, on_denied},
    {MUMBLE_PERMISSION_QUERY, &mumble_proto__permission_query__descriptor, on_permissions},
    {MUMBLE_ACL, &mumble_proto__acl__descriptor, on_acl},
};

void
mumble_room_take_frame (MumbleRoom *self, guint type, const guint8 *body, gsize len)
{
  if (type == MUMBLE_UDP_TUNNEL) {
    take_voice (self, body, len);
    return;
  }
  for (gsize i = 0; i < G_N_ELEMENTS (HANDLERS); i++) {
    if (HANDLERS[i].type != type)
      continue;
    gpointer message = protobuf_c_message_unpack (HANDLERS[i].descriptor, NULL, len, body);
    if (message == NULL)
      return; /* broken: its neighbours are not */
    HANDLERS[i].take (self, message);
    protobuf_c_message_free_unpacked (message, NULL);
    return;
  }
}
