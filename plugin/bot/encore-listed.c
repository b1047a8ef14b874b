/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Numbered lists. */
#include "config.h"
#include "bot/encore-listed.h"

EncoreListed *
encore_listed_new (const EncoreMediaId *id, const char *title)
{
  EncoreListed *self = g_new0 (EncoreListed, 1);

  self->id = *id;
  self->title = g_strdup (title);
  return self;
}

void
encore_listed_free (EncoreListed *self)
{
  g_free (self->title);
  g_free (self);
}

GHashTable *
encore_lists_new (void)
{
  return g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free,
                                (GDestroyNotify) g_ptr_array_unref);
}

void
encore_lists_set (GHashTable *self, guint64 room, GPtrArray *listed)
{
  g_hash_table_replace (self, g_memdup2 (&room, sizeof room), g_ptr_array_ref (listed));
}

const EncoreListed *
encore_lists_get (GHashTable *self, guint64 room, guint number)
{
  const GPtrArray *listed = g_hash_table_lookup (self, &room);

  return listed != NULL && number > 0 && number <= listed->len ? listed->pdata[number - 1] : NULL;
}
