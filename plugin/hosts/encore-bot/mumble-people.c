/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "mumble-people.h"

#include <string.h>

#define SUPER_USER 0 /* the number of the server's owner */
#define GROUP "group:"

enum { DJ = 1, ADMIN = 2 };

struct MumblePeople {
  const MumbleConfig *config;
  gboolean wants_groups;
  GHashTable *members; /* "group:NAME USER_ID"; [main] */
  GMutex mutex;
  GHashTable *levels; /* id (gint64*) -> DJ, ADMIN; under MUTEX */
};

static gboolean
names_group (char **people)
{
  for (; people != NULL && *people != NULL; people++)
    if (g_str_has_prefix (*people, GROUP))
      return TRUE;
  return FALSE;
}

MumblePeople *
mumble_people_new (const MumbleConfig *config)
{
  MumblePeople *self = g_new0 (MumblePeople, 1);

  self->config = config;
  mumble_people_refresh (self);
  self->members = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->levels = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  g_mutex_init (&self->mutex);
  return self;
}

void
mumble_people_free (MumblePeople *self)
{
  g_hash_table_unref (self->members);
  g_hash_table_unref (self->levels);
  g_mutex_clear (&self->mutex);
  g_free (self);
}

void
mumble_people_refresh (MumblePeople *self)
{
  self->wants_groups = names_group (self->config->admins) || names_group (self->config->djs);
}

gboolean
mumble_people_wants_groups (MumblePeople *self)
{
  return self->wants_groups;
}

static char *
membership (const char *group, gint64 user_id)
{
  return g_strdup_printf ("%s %" G_GINT64_FORMAT, group, user_id);
}

void
mumble_people_take_groups (MumblePeople *self, const MumbleProto__Acl *acl)
{
  g_hash_table_remove_all (self->members);
  for (gsize i = 0; i < acl->n_groups; i++) {
    const MumbleProto__Acl__Group *group = acl->groups[i];
    if (group->name == NULL)
      continue;
    g_autofree char *name = g_strconcat (GROUP, group->name, NULL);
    for (gsize j = 0; j < group->n_inherited_members; j++)
      g_hash_table_add (self->members, membership (name, group->inherited_members[j]));
    for (gsize j = 0; j < group->n_add; j++)
      g_hash_table_add (self->members, membership (name, group->add[j]));
    for (gsize j = 0; j < group->n_remove; j++) {
      g_autofree char *member = membership (name, group->remove[j]);
      g_hash_table_remove (self->members, member);
    }
  }
}

/* Does USER have what WHO asks for? */
static gboolean
matches (MumblePeople *self, const char *who, const MumbleUser *user)
{
  if (g_str_has_prefix (who, "cert:"))
    return user->hash != NULL && strcmp (who + strlen ("cert:"), user->hash) == 0;
  if (user->user_id == MUMBLE_NO_USER)
    return FALSE;
  if (g_str_has_prefix (who, "user:"))
    return g_ascii_strtoll (who + strlen ("user:"), NULL, 10) == user->user_id;
  g_autofree char *member = membership (who, user->user_id);
  return g_hash_table_contains (self->members, member);
}

static gboolean
is_among (MumblePeople *self, char **people, const MumbleUser *user)
{
  for (; *people != NULL; people++)
    if (matches (self, *people, user))
      return TRUE;
  return FALSE;
}

static guint
level_of (MumblePeople *self, const MumbleUser *user)
{
  if (user->user_id == SUPER_USER || is_among (self, self->config->admins, user))
    return ADMIN | DJ;
  return self->config->djs == NULL || is_among (self, self->config->djs, user) ? DJ : 0;
}

void
mumble_people_take_user (MumblePeople *self, const MumbleUser *user)
{
  gint64 *key = g_new (gint64, 1);

  *key = user->id;
  g_mutex_lock (&self->mutex);
  g_hash_table_replace (self->levels, key, GUINT_TO_POINTER (level_of (self, user)));
  g_mutex_unlock (&self->mutex);
}

void
mumble_people_drop_user (MumblePeople *self, const MumbleUser *user)
{
  const gint64 key = user->id;

  g_mutex_lock (&self->mutex);
  g_hash_table_remove (self->levels, &key);
  g_mutex_unlock (&self->mutex);
}

bot_result
mumble_people_allowed (MumblePeople *self, bot_id user, const char *permission)
{
  const gint64 key = user;

  g_mutex_lock (&self->mutex);
  const guint level = GPOINTER_TO_UINT (g_hash_table_lookup (self->levels, &key));
  g_mutex_unlock (&self->mutex);
  if (level & ADMIN)
    return BOT_OK;
  return (level & DJ) && g_str_has_suffix (permission, ".dj") ? BOT_OK : BOT_EDENIED;
}

char *
mumble_people_describe (MumblePeople *self, const MumbleUser *user)
{
  const guint level = level_of (self, user);
  GString *text = g_string_new ("You are");

  if (user->hash != NULL)
    g_string_append_printf (text, " cert:%s", user->hash);
  if (user->user_id != MUMBLE_NO_USER)
    g_string_append_printf (text, " user:%" G_GINT64_FORMAT, user->user_id);
  if (user->hash == NULL && user->user_id == MUMBLE_NO_USER)
    g_string_append (text, " nobody: without a certificate or a registration a name says nothing");
  g_string_append (text, level & ADMIN ? "; you are an admin."
                         : level & DJ  ? "; you are a dj."
                                       : "; you are neither admin nor dj.");
  return g_string_free (text, FALSE);
}
