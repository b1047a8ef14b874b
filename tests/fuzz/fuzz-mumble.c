/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What a Mumble server sends, to a room without a network.  The first byte chooses: 1: the server
 * let the bot in and it is in its channel; 2: the rest is the byte stream itself, else frames of
 * one byte of type, one of length, and the body. */
#include "config.h"
#include "fuzz.h"

#include <string.h>

#include "hosts/encore-bot/host.h"
#include "hosts/encore-bot/mumble-conn.h"
#include "hosts/encore-bot/mumble-frame.h"
#include "hosts/encore-bot/mumble-people.h"
#include "hosts/encore-bot/mumble-room.h"

#define OWN 7u
#define OTHER 8u
#define MUSIC 3u
#define LINE_MAX_BYTES 2000

/* ---- a connection that ends here */

struct MumbleConn {
  MumbleConnEvents events;
  gpointer data;
};

static MumbleConn *current;
static guint64 sequence;

MumbleConn *
mumble_conn_new (const MumbleConfig *config, GTlsCertificate *certificate,
                 const MumbleConnEvents *events, gpointer data)
{
  MUST (current == NULL);
  current = g_new0 (MumbleConn, 1);
  current->events = *events;
  current->data = data;
  return current;
}

void
mumble_conn_close (MumbleConn *self)
{
  MUST (self == current);
  current = NULL;
  g_free (self);
}

void
mumble_conn_send (MumbleConn *self, guint type, const ProtobufCMessage *message)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();

  MUST (self != NULL && self == current);
  mumble_frame_append (out, type, message);
  if (type != MUMBLE_TEXT_MESSAGE)
    return;
  const MumbleProto__TextMessage *text = (gconstpointer) message;
  MUST (g_utf8_validate (text->message, -1, NULL) && *text->message != '\0');
}

void
mumble_conn_send_voice (MumbleConn *self, guint64 number, gboolean last, const guint8 *packet,
                        gsize len)
{
  MUST (self == current && number > sequence);
  sequence = number;
}

void
host_log (int level, const char *domain, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *line = g_strdup_vprintf (format, args);
  va_end (args);
  MUST (g_utf8_validate (line, -1, NULL) && strchr (line, '\n') == NULL);
}

/* ---- a bot that looks at what it is told */

static gint64
may_connect (gpointer data)
{
  return current != NULL ? G_USEC_PER_SEC : 0;
}

static void
on_ended (MumbleDown why, gpointer data)
{
}

static void
on_said (MumbleRoom *room, const MumbleUser *user, gboolean privately, const char *text,
         gpointer data)
{
  g_autofree char *answer = mumble_people_describe (data, user);

  MUST (*text != '\0' && strlen (text) <= LINE_MAX_BYTES && g_utf8_validate (text, -1, NULL));
  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    MUST (!g_unichar_iscntrl (g_utf8_get_char (p)));
  MUST (user->session != OWN && user->id > 0);
  MUST (mumble_people_allowed (data, user->id, "encore.admin") != BOT_OK || user->user_id == 0);
  mumble_room_whisper (room, user, answer);
  MUST (mumble_room_reply (room, mumble_room_get_id (room), text));
}

static void
on_user (MumbleRoom *room, const MumbleUser *user, gboolean gone, gpointer data)
{
  MUST (g_utf8_validate (user->name, -1, NULL));
  if (gone)
    mumble_people_drop_user (data, user);
  else
    mumble_people_take_user (data, user);
}

static void
on_groups (MumbleRoom *room, const MumbleProto__Acl *acl, gpointer data)
{
  mumble_people_take_groups (data, acl);
}

static void
on_speaking (MumbleRoom *room, gboolean on, gpointer data)
{
}

static void
on_limits (MumbleRoom *room, gpointer data)
{
  MUST (mumble_room_get_max_bps (room) <= 400000);
}

static void
on_ready (MumbleRoom *room, gpointer data)
{
  mumble_room_query_groups (room);
}

static void
on_off (MumbleRoom *room, gpointer data)
{
  MUST (mumble_room_is_off (room) && current == NULL);
}

/* ---- what the server says */

static gboolean
take_frame (guint type, const guint8 *body, gsize len, gpointer data)
{
  if (current != NULL)
    current->events.frame (type, body, len, current->data);
  return current != NULL;
}

static void
tell (guint type, const ProtobufCMessage *message)
{
  const gsize len = protobuf_c_message_get_packed_size (message);
  g_autofree guint8 *body = g_malloc (len);

  protobuf_c_message_pack (message, body);
  take_frame (type, body, len, NULL);
}

static void
tell_user (guint32 session, const char *name, guint32 channel)
{
  MumbleProto__UserState user = MUMBLE_PROTO__USER_STATE__INIT;

  user.has_session = user.has_channel_id = TRUE;
  user.session = session;
  user.channel_id = channel;
  user.name = (char *) name;
  tell (MUMBLE_USER_STATE, &user.base);
}

static void
let_in (void)
{
  MumbleProto__ChannelState channel = MUMBLE_PROTO__CHANNEL_STATE__INIT;
  MumbleProto__ServerSync sync = MUMBLE_PROTO__SERVER_SYNC__INIT;

  channel.has_channel_id = TRUE;
  tell (MUMBLE_CHANNEL_STATE, &channel.base);
  channel.channel_id = MUSIC;
  channel.has_parent = TRUE;
  channel.name = (char *) "Music";
  tell (MUMBLE_CHANNEL_STATE, &channel.base);
  tell_user (OWN, "encore", MUMBLE_ROOT);
  tell_user (OTHER, "amy", MUSIC);
  sync.has_session = sync.has_max_bandwidth = TRUE;
  sync.session = OWN;
  sync.max_bandwidth = 72000;
  tell (MUMBLE_SERVER_SYNC, &sync.base);
  tell_user (OWN, "encore", MUSIC);
}

static void
feed (const guint8 *data, gsize size, gboolean raw)
{
  if (raw) {
    g_autoptr (GByteArray) in = g_byte_array_new ();
    for (gsize at = 0, n; at < size && current != NULL; at += n) {
      n = MIN (size - at, 1 + data[at]);
      g_byte_array_append (in, data + at, n);
      if (!mumble_frame_split (in, take_frame, NULL))
        return;
    }
    return;
  }
  for (gsize at = 0; at + 2 <= size && current != NULL;) {
    const gsize len = MIN (data[at + 1], size - at - 2);
    /* a copy, so that reading behind it is seen */
    g_autofree guint8 *body = g_memdup2 (data + at + 2, len);
    take_frame (data[at], body, len, NULL);
    at += 2 + len;
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const MumbleRoomFuncs funcs = {may_connect, on_ended,  on_said,  on_user,  on_groups,
                                        on_speaking, on_limits, on_ready, on_ready, on_off};
  static char *none[] = {NULL}, *admins[] = {(char *) "group:staff", NULL};
  static const MumbleConfig config = {.host = (char *) "server",
                                      .port = 64738,
                                      .password = (char *) "",
                                      .tokens = none,
                                      .admins = none,
                                      .djs = admins,
                                      .pause_alone = TRUE,
                                      .comment = TRUE,
                                      .return_after_s = 60};
  static const guint8 packet[] = {0xf8, 0xff, 0xfe};

  if (size == 0)
    return 0;
  MumblePeople *people = mumble_people_new (&config);
  MumbleRoom *room = mumble_room_new (&config, "encore", "Music", NULL, &funcs, people);
  sequence = 0;
  mumble_room_start (room);
  current->events.up (current->data);
  if (data[0] & 1)
    let_in ();
  mumble_room_send (room, 1, FALSE, packet, sizeof packet);
  feed (data + 1, size - 1, (data[0] & 2) != 0);
  mumble_room_send (room, 2, FALSE, packet, sizeof packet);
  mumble_room_show (room, "a <title>");
  for (int i = 0; i < 4; i++)
    g_main_context_iteration (NULL, FALSE);
  if (current != NULL)
    current->events.down (MUMBLE_DOWN_LOST, "the end", current->data);
  mumble_room_free (room);
  mumble_people_free (people);
  MUST (current == NULL);
  return 0;
}
