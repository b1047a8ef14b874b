/* SPDX-License-Identifier: LGPL-2.1-or-later
 * An honest host: loads a plugin through bot-plugin.h and nothing else, gives it one room. */
#pragma once

#include <glib.h>

typedef struct Host Host;

/* host_new: CONFIG has the groups [bot], [console] and the plugin's own; it stays the caller's.
 * Loads and starts the plugin.  NULL with ERROR. */
Host *host_new (GKeyFile *config, GError **error);
/* Stops and unloads it. */
void host_free (Host *self);
/* host_say: USER typed TEXT in the room.  TEXT without the prefix is chat and ignored. */
void host_say (Host *self, const char *user, const char *text);
/* TRUE while songs are queued, fetched or played, or commands and posts are under way. */
gboolean host_is_busy (Host *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Host, host_free)
