/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Options that may change while the bot runs. */
#include "config.h"

#include <string.h>

#include "base/encore-config.h"

/* Whole numbers, all of them, which nobody but the owner of the configuration reads. */
static const char *const LIVE[] = {"idle_leave",   "per_user",    "per_user_jobs",
                                   "playlist_max", "prefetch",    "queue_max",
                                   "volume",       "warm_budget", NULL};

gboolean
encore_config_is_live (const EncoreOption *option)
{
  return g_strv_contains (LIVE, option->key);
}

void
encore_config_take_live (EncoreConfig *self, const EncoreConfig *from)
{
  for (const EncoreOption *o = encore_config_options (); o->key != NULL; o++)
    if (encore_config_is_live (o))
      memcpy (G_STRUCT_MEMBER_P (self, o->offset), G_STRUCT_MEMBER_P (from, o->offset),
              o->type == ENCORE_OPTION_INT ? sizeof (int) : sizeof (gint64));
}
