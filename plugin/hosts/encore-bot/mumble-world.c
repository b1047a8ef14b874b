/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "mumble-world.h"

#include <string.h>

#include "mumble-text.h"

#define ENTRIES_MAX 65536 /* channels, and users; real servers have hundreds */
#define DEPTH_MAX 64
#define HASH_DIGITS 40
#define NAME_BYTES_MAX 512

struct MumbleWorld {
  guint64 serial;
  GHashTable *channels; /* id -> MumbleChannel */
  GHashTable *users;    /* session -> MumbleUser */
};

bot_id
mumble_id_of (const char *text)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 digest[32];
  gsize len = sizeof digest;
  bot_id id = 0;

  g_checksum_update (sum, (const guchar *) text, -1);
  g_checksum_get_digest (sum, digest, &len);
  for (int i = 0; i < 8; i++)
    id = id << 8 | digest[i];
  id &= G_MAXINT64; /* databases have signed numbers */
  return id != 0 ? id : 1;
}

static void
channel_free (gpointer data)
{
  MumbleChannel *self = data;

  g_free (self->name);
  g_free (self);
}

static void
user_free (gpointer data)
{
  MumbleUser *self = data;

  g_free (self->name);
  g_free (self->hash);
  g_free (self);
}

MumbleWorld *
mumble_world_new (guint64 serial)
{
  MumbleWorld *self = g_new0 (MumbleWorld, 1);

  self->serial = serial;
  self->channels = g_hash_table_new_full (NULL, NULL, NULL, channel_free);
  self->users = g_hash_table_new_full (NULL, NULL, NULL, user_free);
  return self;
}

void
mumble_world_free (MumbleWorld *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->channels);
  g_hash_table_unref (self->users);
  g_free (self);
}

static char *
valid_name (const char *name)
{
  return g_utf8_make_valid (name, MIN (strlen (name), NAME_BYTES_MAX));
}

MumbleChannel *
mumble_world_take_channel (MumbleWorld *self, const MumbleProto__ChannelState *state)
{
  if (!state->has_channel_id)
    return NULL;
  gpointer key = GUINT_TO_POINTER (state->channel_id);
  MumbleChannel *channel = g_hash_table_lookup (self->channels, key);
  if (channel == NULL) {
    if (g_hash_table_size (self->channels) >= ENTRIES_MAX)
      return NULL;
    channel = g_new0 (MumbleChannel, 1);
    channel->id = state->channel_id;
    channel->name = g_strdup ("");
    g_hash_table_insert (self->channels, key, channel);
  }
  if (state->has_parent)
    channel->parent = state->parent;
  if (state->name != NULL) {
    g_free (channel->name);
    channel->name = valid_name (state->name);
  }
  return channel;
}

static gboolean
is_hash (const char *text)
{
  return strlen (text) == HASH_DIGITS && strspn (text, "0123456789abcdef") == HASH_DIGITS;
}

static void
identify (MumbleWorld *self, MumbleUser *user)
{
  g_autofree char *text = NULL;

  if (user->hash != NULL)
    text = g_strconcat ("mumble:cert:", user->hash, NULL);
  else if (user->user_id != MUMBLE_NO_USER)
    text = g_strdup_printf ("mumble:user:%" G_GINT64_FORMAT, user->user_id);
  else
    text = g_strdup_printf ("mumble:anon:%" G_GUINT64_FORMAT ":%u", self->serial, user->session);
  user->id = mumble_id_of (text);
}

static MumbleUser *
get_or_add_user (MumbleWorld *self, guint32 session)
{
  MumbleUser *user = mumble_world_get_user (self, session);

  if (user != NULL || g_hash_table_size (self->users) >= ENTRIES_MAX)
    return user;
  user = g_new0 (MumbleUser, 1);
  user->session = session;
  user->user_id = MUMBLE_NO_USER;
  user->name = g_strdup ("");
  g_hash_table_insert (self->users, GUINT_TO_POINTER (session), user);
  return user;
}

#define TAKE(field) \
  if (state->has_##field) \
  user->field = state->field

MumbleUser *
mumble_world_take_user (MumbleWorld *self, const MumbleProto__UserState *state)
{
  MumbleUser *user = state->has_session ? get_or_add_user (self, state->session) : NULL;

  if (user == NULL)
    return NULL;
  TAKE (mute);
  TAKE (deaf);
  TAKE (suppress);
  TAKE (self_mute);
  TAKE (self_deaf);
  if (state->has_channel_id)
    user->channel = state->channel_id;
  if (state->has_user_id) /* the largest number: not registered any more */
    user->user_id = state->user_id != G_MAXUINT32 ? state->user_id : MUMBLE_NO_USER;
  if (state->name != NULL) {
    g_free (user->name);
    user->name = valid_name (state->name);
  }
  if (state->hash != NULL && is_hash (state->hash)) {
    g_free (user->hash);
    user->hash = g_strdup (state->hash);
  }
  identify (self, user);
  return user;
}

void
mumble_world_drop_channel (MumbleWorld *self, guint32 id)
{
  g_hash_table_remove (self->channels, GUINT_TO_POINTER (id));
}

void
mumble_world_drop_user (MumbleWorld *self, guint32 session)
{
  g_hash_table_remove (self->users, GUINT_TO_POINTER (session));
}

MumbleUser *
mumble_world_get_user (MumbleWorld *self, guint32 session)
{
  return g_hash_table_lookup (self->users, GUINT_TO_POINTER (session));
}

static gboolean
find_child (MumbleWorld *self, guint32 parent, const char *name, guint32 *id)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->channels);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    const MumbleChannel *channel = value;
    if (channel->id != MUMBLE_ROOT && channel->parent == parent &&
        strcmp (channel->name, name) == 0) {
      *id = channel->id;
      return TRUE;
    }
  }
  return FALSE;
}

gboolean
mumble_world_find (MumbleWorld *self, const char *path, guint32 *id)
{
  g_auto (GStrv) names = g_strsplit (path, "/", -1);

  *id = MUMBLE_ROOT;
  for (char **name = names; *name != NULL; name++)
    if (**name != '\0' && !find_child (self, *id, *name, id))
      return FALSE;
  return TRUE;
}

char *
mumble_world_path (MumbleWorld *self, guint32 id)
{
  g_autoptr (GString) path = g_string_new (NULL);

  /* a server may well tell of a circle */
  for (int depth = 0; id != MUMBLE_ROOT && depth < DEPTH_MAX; depth++) {
    const MumbleChannel *channel = g_hash_table_lookup (self->channels, GUINT_TO_POINTER (id));
    if (channel == NULL)
      break;
    g_autofree char *name = mumble_text_clean (channel->name);
    if (path->len > 0)
      g_string_prepend (path, "/");
    g_string_prepend (path, name);
    id = channel->parent;
  }
  return g_strdup (path->len > 0 ? path->str : "the root channel");
}

guint
mumble_world_count_listeners (MumbleWorld *self, guint32 channel, guint32 self_session)
{
  GHashTableIter iter;
  gpointer value;
  guint n = 0;

  g_hash_table_iter_init (&iter, self->users);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    const MumbleUser *user = value;
    n += user->channel == channel && user->session != self_session && !user->deaf &&
         !user->self_deaf;
  }
  return n;
}

void
mumble_world_foreach_user (MumbleWorld *self, MumbleUserFunc func, gpointer data)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->users);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    func (value, data);
}
