/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "mumble-room-private.h"

#include <string.h>

#include "host.h"
#include "mumble-frame.h"
#include "mumble-text.h"

#define SYNC_S 15
#define JOIN_S 5
#define REJOIN_S 60
#define SPEECH_HOLD_MS 700 /* the music does not come back between two sentences */
#define STABLE_US (60 * G_USEC_PER_SEC)
#define VERSION_1_4_255 0x104ff
#define VERSION_1_4_287 (G_GUINT64_CONSTANT (0x00010004011f0000))
#define OVERHEAD_BPS \
  ((32 + 6) * 8 * 50) /* what servers count beside the Opus of 50 packets a second */
#define PACKET_BPS (MUMBLE_VOICE_BYTES * 8 * 50)
#define HEADROOM_PERCENT 94
#define USEFUL_BPS 6000 /* Opus has nothing to say below */

static void connect_or_wait (MumbleRoom *self);

/* ---- states */

void
mumble_room_enter (MumbleRoom *self, MumbleRoomState state)
{
  if (self->timer != 0)
    g_source_remove (self->timer);
  self->timer = 0;
  self->state = state;
}

static void
set_timer (MumbleRoom *self, guint ms, GSourceFunc func)
{
  g_assert (self->timer == 0);
  self->timer = g_timeout_add (ms, func, self);
}

/* The connection and all that was true with it. */
static void
drop_connection (MumbleRoom *self)
{
  mumble_voice_cut (self->voice);
  if (self->speech != NULL)
    mumble_speech_forget (self->speech);
  mumble_outbox_shut (self->outbox);
  g_clear_pointer (&self->conn, mumble_conn_close);
  g_clear_pointer (&self->world, mumble_world_free);
  self->session = MUMBLE_NO_SESSION;
  self->deaf_reason = NULL;
  self->kept_out = FALSE;
  g_clear_pointer (&self->shown, g_free);
}

static gboolean
on_wait_over (gpointer data)
{
  MumbleRoom *self = data;

  self->timer = 0;
  connect_or_wait (self);
  return G_SOURCE_REMOVE;
}

static void
leave (MumbleRoom *self, guint delay_ms, const char *why)
{
  if (self->state == MUMBLE_ROOM_READY && g_get_monotonic_time () - self->ready_us > STABLE_US)
    self->tries = 0;
  drop_connection (self);
  if (delay_ms == 0) {
    mumble_room_enter (self, MUMBLE_ROOM_OFF);
    host_log (BOT_LOG_ERROR, "mumble", "%s: %s; not tried again", self->label, why);
    self->funcs.off (self, self->data);
    return;
  }
  mumble_room_enter (self, MUMBLE_ROOM_WAIT);
  host_log (BOT_LOG_WARNING, "mumble", "%s: %s; tried again in %.1f s", self->label, why,
            delay_ms / 1000.0);
  set_timer (self, delay_ms, on_wait_over);
  self->funcs.waits (self, self->data);
}

void
mumble_room_leave (MumbleRoom *self, guint delay_s, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *why = g_strdup_vprintf (format, args);
  va_end (args);
  leave (self, delay_s * 1000, why);
}

void
mumble_room_leave_for_now (MumbleRoom *self, const char *format, ...)
{
  static const guint delays_s[] = {1, 2, 5, 10, 20, 30};
  const guint delay_s = delays_s[MIN (self->tries, G_N_ELEMENTS (delays_s) - 1)];
  va_list args;

  va_start (args, format);
  g_autofree char *why = g_strdup_vprintf (format, args);
  va_end (args);
  self->tries++;
  /* a fifth more or less, so that the bots of a server do not all come back at once */
  leave (self, g_random_int_range (delay_s * 800, delay_s * 1200), why);
}

MumbleUser *
mumble_room_get_self (MumbleRoom *self)
{
  return self->world != NULL ? mumble_world_get_user (self->world, self->session) : NULL;
}

/* ---- who hears us */

static const char *
find_deaf_reason (MumbleRoom *self, const MumbleUser *me)
{
  if (me->mute || me->self_mute)
    return "the bot is muted";
  if (me->suppress)
    return "the bot may not speak in this channel";
  if (mumble_room_get_max_bps (self) < USEFUL_BPS)
    return "the server allows too little bandwidth for music";
  if (self->config->pause_alone &&
      mumble_world_count_listeners (self->world, me->channel, self->session) == 0)
    return "nobody listens";
  return NULL;
}

void
mumble_room_listen (MumbleRoom *self)
{
  const MumbleUser *me = mumble_room_get_self (self);

  if (self->state != MUMBLE_ROOM_READY || me == NULL)
    return;
  const char *reason = find_deaf_reason (self, me);
  if (reason != self->deaf_reason)
    host_log (BOT_LOG_DEBUG, "mumble", "%s: %s", self->label,
              reason != NULL ? reason : "there are listeners");
  self->deaf_reason = reason;
  mumble_voice_set_audible (self->voice, reason == NULL);
}

/* What is left of the server's figure for Opus, with some headroom: the server drops what is over
 * it without a word. */
guint
mumble_room_get_max_bps (MumbleRoom *self)
{
  const guint opus = self->max_bandwidth > OVERHEAD_BPS ? self->max_bandwidth - OVERHEAD_BPS : 0;
  const guint bps = MIN ((guint64) opus * HEADROOM_PERCENT / 100, PACKET_BPS);

  return self->config->bitrate_bps != 0 ? MIN (bps, self->config->bitrate_bps) : bps;
}

void
mumble_room_set_bandwidth (MumbleRoom *self, guint bps)
{
  if (bps == self->max_bandwidth)
    return;
  self->max_bandwidth = bps;
  host_log (BOT_LOG_INFO, "mumble", "%s: the server allows %u bit/s: %u bit/s of music",
            self->label, bps, mumble_room_get_max_bps (self));
  self->funcs.limits (self, self->data);
  mumble_room_listen (self);
}

/* ---- joining */

static gboolean
on_rejoin (gpointer data)
{
  MumbleRoom *self = data;

  self->timer = 0;
  mumble_room_join (self);
  return G_SOURCE_REMOVE;
}

void
mumble_room_settle (MumbleRoom *self)
{
  const MumbleUser *me = mumble_room_get_self (self);
  guint32 wanted;
  const gboolean kept_out =
      mumble_world_find (self->world, self->path, &wanted) && me->channel != wanted;
  const gboolean again = self->ready_us != 0;

  mumble_room_enter (self, MUMBLE_ROOM_READY);
  self->ready_us = g_get_monotonic_time ();
  g_autofree char *path = mumble_world_path (self->world, me->channel);
  host_log (kept_out && self->kept_out ? BOT_LOG_DEBUG : BOT_LOG_INFO, "mumble", "%s: %s in %s",
            self->label, again ? "back" : "here", path);
  self->kept_out = kept_out;
  if (kept_out)
    set_timer (self, REJOIN_S * 1000, on_rejoin);
  mumble_room_query_rights (self); /* who has asked is told when they change */
  mumble_outbox_open (self->outbox);
  mumble_outbox_touch (self->outbox);
  mumble_room_listen (self);
  self->funcs.ready (self, self->data);
}

static gboolean
on_join_timeout (gpointer data)
{
  MumbleRoom *self = data;

  self->timer = 0;
  host_log (BOT_LOG_WARNING, "mumble", "%s: the server does not say whether the bot may enter",
            self->label);
  mumble_room_settle (self);
  return G_SOURCE_REMOVE;
}

static void
move_to (MumbleRoom *self, guint32 channel)
{
  MumbleProto__UserState state = MUMBLE_PROTO__USER_STATE__INIT;

  state.has_session = state.has_channel_id = TRUE;
  state.session = self->session;
  state.channel_id = channel;
  mumble_outbox_count (self->outbox);
  mumble_conn_send (self->conn, MUMBLE_USER_STATE, &state.base);
}

void
mumble_room_join (MumbleRoom *self)
{
  const MumbleUser *me = mumble_room_get_self (self);
  guint32 wanted;

  if (!mumble_world_find (self->world, self->path, &wanted)) {
    host_log (BOT_LOG_WARNING, "mumble", "%s: there is no such channel; waiting for it in the root",
              self->label);
    mumble_room_settle (self);
    return;
  }
  /* a change to where one is already is discarded without an answer */
  if (me->channel == wanted) {
    mumble_room_settle (self);
    return;
  }
  mumble_room_enter (self, MUMBLE_ROOM_JOIN);
  set_timer (self, JOIN_S * 1000, on_join_timeout);
  move_to (self, wanted);
}

void
mumble_room_step_out (MumbleRoom *self)
{
  const MumbleUser *me = mumble_room_get_self (self);
  guint32 wanted;

  if (!mumble_world_find (self->world, self->path, &wanted) || me->channel != wanted ||
      wanted == MUMBLE_ROOT)
    return;
  host_log (BOT_LOG_INFO, "mumble", "%s: the bot may speak again: out and in once", self->label);
  mumble_room_enter (self, MUMBLE_ROOM_JOIN);
  set_timer (self, JOIN_S * 1000, on_join_timeout);
  move_to (self, MUMBLE_ROOT);
  move_to (self, wanted);
}

void
mumble_room_query_rights (MumbleRoom *self)
{
  MumbleProto__PermissionQuery query = MUMBLE_PROTO__PERMISSION_QUERY__INIT;

  query.has_channel_id = TRUE;
  query.channel_id = mumble_room_get_self (self)->channel;
  mumble_conn_send (self->conn, MUMBLE_PERMISSION_QUERY, &query.base);
}

/* ---- the connection */

static void
on_up (gpointer data)
{
  MumbleRoom *self = data;
  MumbleProto__Version version = MUMBLE_PROTO__VERSION__INIT;
  MumbleProto__Authenticate hello = MUMBLE_PROTO__AUTHENTICATE__INIT;

  mumble_room_enter (self, MUMBLE_ROOM_SYNC);
  /* new enough for servers not to warn people of us, old enough for the voice that 1.3 knows, too
   */
  version.has_version_v1 = TRUE;
  version.version_v1 = VERSION_1_4_255;
  version.has_version_v2 = TRUE;
  version.version_v2 = VERSION_1_4_287;
  version.release = (char *) "encore-bot " PACKAGE_VERSION;
  version.os = (char *) "Linux";
  mumble_conn_send (self->conn, MUMBLE_VERSION, &version.base);
  hello.username = (char *) self->name;
  hello.password = *self->config->password != '\0' ? self->config->password : NULL;
  hello.tokens = self->config->tokens;
  hello.n_tokens = g_strv_length (self->config->tokens);
  hello.has_opus = hello.opus = TRUE;
  hello.has_client_type = TRUE;
  hello.client_type = 1;
  if (self->conn != NULL)
    mumble_conn_send (self->conn, MUMBLE_AUTHENTICATE, &hello.base);
}

static void
on_frame (guint type, const guint8 *body, gsize len, gpointer data)
{
  mumble_room_take_frame (data, type, body, len);
}

static void
on_down (MumbleDown why, const char *text, gpointer data)
{
  MumbleRoom *self = data;

  self->funcs.ended (why, self->data);
  if (why == MUMBLE_DOWN_CERTIFICATE)
    mumble_room_leave (self, 0, "%s", text);
  else
    mumble_room_leave_for_now (self, "%s", text);
}

static const MumbleConnEvents CONN_EVENTS = {on_up, on_frame, on_down};

static gboolean
on_sync_timeout (gpointer data)
{
  MumbleRoom *self = data;

  self->timer = 0;
  mumble_room_leave_for_now (self, "the server does not answer the bot's greeting");
  return G_SOURCE_REMOVE;
}

static void
connect_or_wait (MumbleRoom *self)
{
  static guint64 serial;
  const gint64 wait_us = self->funcs.may_connect (self->data);

  if (wait_us > 0) {
    mumble_room_enter (self, MUMBLE_ROOM_WAIT);
    host_log (BOT_LOG_INFO, "mumble",
              "%s: connecting in %.1f s: servers ban addresses that come more often", self->label,
              wait_us / 1e6);
    set_timer (self, wait_us / 1000 + 1, on_wait_over);
    return;
  }
  mumble_room_enter (self, MUMBLE_ROOM_CONNECT);
  if (serial == 0)
    serial = (guint64) g_random_int () << 32;
  self->world = mumble_world_new (++serial);
  self->conn = mumble_conn_new (self->config, self->certificate, &CONN_EVENTS, self);
  set_timer (self, 2 * SYNC_S * 1000, on_sync_timeout);
}

/* ---- what the outbox sends */

static void
send_text (guint32 session, const char *html, gpointer data)
{
  MumbleRoom *self = data;
  MumbleProto__TextMessage message = MUMBLE_PROTO__TEXT_MESSAGE__INIT;
  const MumbleUser *me = mumble_room_get_self (self);
  guint32 channel = me != NULL ? me->channel : MUMBLE_ROOT;

  if (session == MUMBLE_TO_CHANNEL) {
    message.n_channel_id = 1;
    message.channel_id = &channel;
  } else {
    message.n_session = 1;
    message.session = &session;
  }
  message.message = (char *) html;
  mumble_conn_send (self->conn, MUMBLE_TEXT_MESSAGE, &message.base);
}

/* Our comment says what plays. */
static void
send_state (gpointer data)
{
  MumbleRoom *self = data;
  MumbleProto__UserState state = MUMBLE_PROTO__USER_STATE__INIT;
  g_autofree char *text = *self->title != '\0' ? g_strdup_printf ("Playing: %s", self->title)
                                               : g_strdup ("Nothing plays.");
  g_autoptr (GPtrArray) html = mumble_text_to_html (text, 0);

  if (!self->config->comment || g_strcmp0 (self->shown, self->title) == 0)
    return;
  g_free (self->shown);
  self->shown = g_strdup (self->title);
  state.has_session = TRUE;
  state.session = self->session;
  state.comment = html->pdata[0];
  mumble_conn_send (self->conn, MUMBLE_USER_STATE, &state.base);
}

static const MumbleOutboxFuncs OUTBOX_FUNCS = {send_text, send_state};

static void
send_voice (guint64 sequence, gboolean last, const guint8 *packet, gsize len, gpointer data)
{
  MumbleRoom *self = data;

  if (self->conn != NULL)
    mumble_conn_send_voice (self->conn, sequence, last, packet, len);
}

static void
on_speech (gboolean on, gpointer data)
{
  MumbleRoom *self = data;

  host_log (BOT_LOG_DEBUG, "mumble", "%s: people %s", self->label, on ? "speak" : "are silent");
  self->funcs.speaking (self, on, self->data);
}

/* ---- life */

MumbleRoom *
mumble_room_new (const MumbleConfig *config, const char *name, const char *path,
                 GTlsCertificate *certificate, const MumbleRoomFuncs *funcs, gpointer data)
{
  MumbleRoom *self = g_new0 (MumbleRoom, 1);
  g_autofree char *identity =
      g_strdup_printf ("mumble:%s:%u/%s", config->host, (guint) config->port, path);

  self->config = config;
  self->name = name;
  self->path = path;
  self->certificate = certificate;
  self->funcs = *funcs;
  self->data = data;
  self->id = mumble_id_of (identity);
  self->label = g_strdup (identity + strlen ("mumble:"));
  self->title = g_strdup ("");
  self->html = TRUE;
  self->outbox = mumble_outbox_new (&OUTBOX_FUNCS, self);
  self->voice = mumble_voice_new (send_voice, self);
  self->speech = mumble_speech_new (SPEECH_HOLD_MS, on_speech, self);
  return self;
}

void
mumble_room_free (MumbleRoom *self)
{
  g_clear_pointer (&self->speech, mumble_speech_free); /* nobody is to be told any more */
  drop_connection (self);
  mumble_room_enter (self, MUMBLE_ROOM_OFF);
  mumble_outbox_free (self->outbox);
  mumble_voice_free (self->voice);
  g_free (self->label);
  g_free (self->title);
  g_free (self);
}

void
mumble_room_start (MumbleRoom *self)
{
  connect_or_wait (self);
}

/* ---- what the bot does with it */

bot_id
mumble_room_get_id (MumbleRoom *self)
{
  return self->id;
}

bot_id
mumble_room_get_private_id (MumbleRoom *self, const MumbleUser *user)
{
  return self->id ^ user->id;
}

const char *
mumble_room_get_label (MumbleRoom *self)
{
  return self->label;
}

MumbleWorld *
mumble_room_get_world (MumbleRoom *self)
{
  return self->world;
}

gboolean
mumble_room_is_ready (MumbleRoom *self)
{
  return self->state == MUMBLE_ROOM_READY;
}

gboolean
mumble_room_is_off (MumbleRoom *self)
{
  return self->state == MUMBLE_ROOM_OFF;
}

gboolean
mumble_room_has (MumbleRoom *self, const MumbleUser *user)
{
  const MumbleUser *me = mumble_room_get_self (self);

  return me != NULL && me->channel == user->channel;
}

typedef struct {
  MumbleRoom *room;
  bot_id id;
  guint32 session;
} Search;

static void
compare_user (const MumbleUser *user, gpointer data)
{
  Search *search = data;

  if (mumble_room_get_private_id (search->room, user) == search->id)
    search->session = user->session;
}

gboolean
mumble_room_reply (MumbleRoom *self, bot_id to, const char *text)
{
  Search search = {self, to, MUMBLE_NO_SESSION};

  if (to == self->id) {
    mumble_outbox_say (self->outbox, MUMBLE_TO_CHANNEL, text);
    return TRUE;
  }
  if (self->world != NULL)
    mumble_world_foreach_user (self->world, compare_user, &search);
  if (search.session == MUMBLE_NO_SESSION)
    return FALSE;
  mumble_outbox_say (self->outbox, search.session, text);
  return TRUE;
}

void
mumble_room_whisper (MumbleRoom *self, const MumbleUser *user, const char *text)
{
  mumble_outbox_say (self->outbox, user->session, text);
}

void
mumble_room_show (MumbleRoom *self, const char *title)
{
  g_free (self->title);
  self->title = g_strdup (title);
  if (self->config->comment)
    mumble_outbox_touch (self->outbox);
}

void
mumble_room_refresh (MumbleRoom *self)
{
  self->funcs.limits (self, self->data);
  mumble_room_listen (self);
  if (self->config->comment && self->conn != NULL)
    mumble_outbox_touch (self->outbox);
}

void
mumble_room_query_groups (MumbleRoom *self)
{
  MumbleProto__Acl query = MUMBLE_PROTO__ACL__INIT;

  if (self->conn == NULL)
    return;
  query.has_channel_id = TRUE;
  query.channel_id = MUMBLE_ROOT;
  query.has_query = query.query = TRUE;
  mumble_outbox_count (self->outbox);
  mumble_conn_send (self->conn, MUMBLE_ACL, &query.base);
}

void
mumble_room_restart_voice (MumbleRoom *self)
{
  mumble_voice_restart (self->voice);
  mumble_speech_forget (self->speech);
}

bot_result
mumble_room_send (MumbleRoom *self, guint64 seq, gboolean last, const guint8 *packet, gsize len)
{
  return mumble_voice_send (self->voice, seq, last, packet, len);
}
