/* SPDX-License-Identifier: LGPL-2.1-or-later
 * An honest host: loads a plugin through bot-plugin.h and nothing else, and brings it together with
 * one network of rooms and people.
 *
 * Threads: [main] is the thread of host_new(), which runs the default GMainContext. */
#pragma once

#include <glib.h>

#include "bot-plugin.h"

typedef struct Host Host;

/* A network: where people type and where the music sounds.  Each function as in bot-plugin.h, on
 * the threads that it says there; DATA is the network's own. */
typedef struct {
  bot_result (*reply) (gpointer data, bot_id room, bot_id user, const char *text);
  bot_result (*allowed) (gpointer data, bot_id room, bot_id user, const char *permission);
  bot_result (*voice_open) (gpointer data, bot_id room, bot_voice_spec *spec, bot_id *voice);
  bot_result (*voice_send) (gpointer data, bot_id voice, uint64_t seq, uint32_t flags,
                            const void *packet, size_t len);
  bot_result (*voice_close) (gpointer data, bot_id voice);
  bot_result (*now_playing) (gpointer data, bot_id voice, const char *title);
} Network;

/* host_check_keys: FALSE with ERROR naming a key of the section GROUP that is none of KNOWN. */
gboolean
host_check_keys (GKeyFile *config, const char *group, const char *const *known, GError **error);
/* host_get_or: (transfer full): the value of KEY, or OTHERWISE. */
char *host_get_or (GKeyFile *config, const char *group, const char *key, const char *otherwise);
/* host_get_list: (transfer full) (nullable): words between commas, semicolons and blanks; NULL:
 * none.
 */
char **host_get_list (GKeyFile *config, const char *group, const char *key, const char *otherwise);

/* host_new: CONFIG has the groups [bot], those of the networks, and the plugin's own.  NETWORK
 * stays the caller's.  Starts nothing yet.  NULL with ERROR. */
Host *host_new (GKeyFile *config, const Network *network, gpointer data, GError **error);
/* host_load: loads and starts the plugin. */
gboolean host_load (Host *self, GError **error);
/* host_reconfigure: CONFIG is in force from now on instead, for the plugin as for us.  Errors: it,
 * or the plugin, does not like it, and nothing has changed. */
gboolean host_reconfigure (Host *self, GKeyFile *config, GError **error);
/* host_stop: stops the plugin: when it returns the network is not called any more. */
void host_stop (Host *self);
/* Stops and unloads it. */
void host_free (Host *self);
/* host_say: somebody typed TEXT.  CALL says who and where; its name and args are filled in here.
 * TEXT without the prefix is chat and ignored. */
void host_say (Host *self, const bot_call *call, const char *text);
/* host_call: as host_say, for TEXT that is known to be meant for us; the prefix may be missing. */
void host_call (Host *self, const bot_call *call, const char *text);
/* TRUE while songs are queued, fetched or played, or commands and posts are under way. */
gboolean host_is_busy (Host *self);
const char *host_get_prefix (Host *self);
/* [any] One line for the log. */
void host_log (int level, const char *domain, const char *format, ...) G_GNUC_PRINTF (3, 4);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Host, host_free)
