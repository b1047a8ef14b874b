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
