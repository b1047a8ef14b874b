/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "irc.h"

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "outlet.h"
#include "text.h"
#include "who.h"

#define LINE_BYTES_MAX 380
#define LOCAL_LINE_BYTES_MAX 4000
#define NAME_BYTES_MAX 64

typedef struct {
  char *name;             /* "SERVER.#CHANNEL", in lower case */
  char *server, *channel; /* NULL: the local room */
} Room;

struct Irc {
  Options *options;
  Host *host;
  Outlet *outlet;
  GHashTable *rooms;   /* id (bot_id *) -> Room */
  GHashTable *buckets; /* user id (bot_id *) -> Bucket */
  struct t_hook *hook;
};

/* ---- rooms */

static void
room_free (gpointer data)
{
  Room *self = data;

  g_free (self->name);
  g_free (self->server);
  g_free (self->channel);
  g_free (self);
}

static bot_id
know_room (Irc *self, const char *server, const char *channel)
{
  g_autofree char *text =
      server != NULL ? g_strdup_printf ("%s.%s", server, channel) : g_strdup ("local");
  g_autofree char *name = g_ascii_strdown (text, -1);
  const bot_id id = host_id (name);

  if (g_hash_table_contains (self->rooms, &id))
    return id;
  Room *room = g_new0 (Room, 1);
  room->name = g_steal_pointer (&name);
  room->server = g_strdup (server);
  room->channel = g_strdup (channel);
  g_hash_table_insert (self->rooms, g_memdup2 (&id, sizeof id), room);
  return id;
}

const char *
irc_get_room_name (Irc *self, bot_id id)
{
  const Room *room = g_hash_table_lookup (self->rooms, &id);

  return room != NULL ? room->name : NULL;
}

bot_id
irc_room_of_buffer (Irc *self, void *buffer)
{
  const char *plugin = weechat_buffer_get_string (buffer, "plugin");
  const char *type = weechat_buffer_get_string (buffer, "localvar_type");

  if (g_strcmp0 (plugin, "irc") != 0 || g_strcmp0 (type, "channel") != 0)
    return know_room (self, NULL, NULL);
  return know_room (self, weechat_buffer_get_string (buffer, "localvar_server"),
                    weechat_buffer_get_string (buffer, "localvar_channel"));
}

/* ---- out */

void
irc_print (void *buffer, const char *text)
{
  g_autoptr (GPtrArray) lines = text_lines (text, LOCAL_LINE_BYTES_MAX, 2);

  /* a tab would end the prefix: ours has one, and the text has no control character left */
  for (guint i = 0; i < lines->len; i++)
    weechat_printf (buffer, "encore\t%s", (const char *) lines->pdata[i]);
}

static void *
find_buffer (const Room *room)
{
  g_autofree char *name =
      room->server != NULL ? g_strdup_printf ("%s.%s", room->server, room->channel) : NULL;

  return name != NULL ? weechat_buffer_search ("irc", name) : NULL;
}

void
irc_reply (Irc *self, bot_id room_id, bot_id user, const char *text)
{
  const Room *room = g_hash_table_lookup (self->rooms, &room_id);

  if (room == NULL)
    return;
  if (user == IRC_LOCAL_USER || room->server == NULL) {
    irc_print (find_buffer (room), text);
    return;
  }
  g_autoptr (GPtrArray) lines =
      text_lines (text, LINE_BYTES_MAX, options_get_max_lines (self->options));
  for (guint i = 0; i < lines->len; i++)
    outlet_say (self->outlet, room->server, room->channel, lines->pdata[i]);
}

/* ---- in */

static gboolean
may_speak (Irc *self, bot_id user)
{
  return buckets_take (self->buckets, user, g_get_monotonic_time (),
                       options_get_rate_per_minute (self->options),
                       options_get_burst (self->options));
}

static void
run_command (Irc *self, const WhoSpeaker *who, const char *text)
{
  const gsize name_len = strcspn (text, " ");
  g_autofree char *name = g_ascii_strdown (text, MIN (name_len, NAME_BYTES_MAX));
  g_autofree char *args = text_clean (text + name_len);

  /* there may be another bot with this prefix */
  if (!host_find (self->host, name, NULL))
    return;
  g_autofree char *identity = who_identity (who);
  const HostUser user = {.id = host_id (identity),
                         .name = who->nick,
                         .is_admin = who_is_admin (who, self->options),
                         .is_dj = who_is_dj (who, self->options)};
  if (!may_speak (self, user.id))
    return; /* in silence: a refusal would be one more line */
  const bot_id room = know_room (self, who->server, who->channel);
  if (host_run (self->host, room, &user, name, args) == BOT_EDENIED) {
    const char *permission = NULL;
    host_find (self->host, name, &permission);
    g_autofree char *answer = g_strdup_printf (
        "For %s only: %s%s", g_str_has_suffix (permission, ".dj") ? "DJs" : "admins",
        options_get_prefix (self->options), name);
    irc_reply (self, room, user.id, answer);
  }
}

/* Commands are taken in channels that were chosen, never from ourselves: an answer must not be one
 * (with echo-message a server sends us our own lines). */
static gboolean
is_for_us (Irc *self, const WhoSpeaker *who)
{
  g_autofree char *room = g_strdup_printf ("%s.%s", who->server, who->channel);
  char *own = weechat_info_get ("irc_nick", who->server);
  const gboolean is_own = own != NULL && g_ascii_strcasecmp (own, who->nick) == 0;

  free (own);
  /* a name with ';' would end the field of the signal that carries the answer */
  return !is_own && strchr (who->channel, ';') == NULL &&
         who_in_list (room, options_get_channels (self->options));
}

/* Nearly all that is said is no command, and to take a line apart costs (and in WeeChat 3.8 leaks).
 */
static gboolean
may_be_command (Irc *self, const char *line)
{
  const char *prefix = options_get_prefix (self->options);
  g_autofree char *first = g_strconcat (" ", prefix, NULL),
                  *trailing = g_strconcat (" :", prefix, NULL);

  return strstr (line, trailing) != NULL || strstr (line, first) != NULL;
}

static int
on_privmsg (const void *pointer, void *data, const char *signal, const char *type, void *line)
{
  Irc *self = (Irc *) pointer;
  const char *comma = strchr (signal, ',');

  if (self->host == NULL || comma == NULL || !may_be_command (self, line))
    return WEECHAT_RC_OK;
  g_autofree char *server = g_strndup (signal, comma - signal);
  struct t_hashtable *in =
      weechat_hashtable_new (8, WEECHAT_HASHTABLE_STRING, WEECHAT_HASHTABLE_STRING, NULL, NULL);
  weechat_hashtable_set (in, "message", line);
  weechat_hashtable_set (in, "server", server);
  struct t_hashtable *out = weechat_info_get_hashtable ("irc_message_parse", in);
  weechat_hashtable_free (in);
  if (out == NULL)
    return WEECHAT_RC_OK;
  const WhoSpeaker who = {.server = server,
                          .channel = weechat_hashtable_get (out, "channel"),
                          .nick = weechat_hashtable_get (out, "nick"),
                          .mask = weechat_hashtable_get (out, "host"),
                          .account = weechat_hashtable_get (out, "tag_account")};
  const char *text = weechat_hashtable_get (out, "text");
  const char *prefix = options_get_prefix (self->options);
  if (who.channel != NULL && who.nick != NULL && who.mask != NULL && text != NULL &&
      g_str_has_prefix (text, prefix) && is_for_us (self, &who))
    run_command (self, &who, text + strlen (prefix));
  weechat_hashtable_free (out);
  return WEECHAT_RC_OK;
}

/* ---- life */

Irc *
irc_new (Options *options)
{
  Irc *self = g_new0 (Irc, 1);

  self->options = options;
  self->outlet = outlet_new (options);
  self->rooms = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, room_free);
  self->buckets = buckets_new ();
  /* in2: after the ignores of the operator */
  self->hook = weechat_hook_signal ("*,irc_in2_privmsg", on_privmsg, self, NULL);
  return self;
}

void
irc_free (Irc *self)
{
  if (self == NULL)
    return;
  weechat_unhook (self->hook);
  outlet_free (self->outlet);
  g_hash_table_unref (self->rooms);
  g_hash_table_unref (self->buckets);
  g_free (self);
}

void
irc_set_host (Irc *self, Host *host)
{
  self->host = host;
}
