/* SPDX-License-Identifier: GPL-3.0-or-later
 * The host's side of bot-plugin.h; knows neither IRC nor WeeChat's buffers.  eggdrop uses it, too.
 *
 * Threads: [main] is WeeChat's thread.  What other threads want of it waits in a queue; the owner
 * watches host_get_fd() and calls host_run_posts(). */
#pragma once

#include <glib.h>

#include "bot-plugin.h"
#include "options.h"

typedef struct Host Host;

/* Who gave a command. */
typedef struct {
  bot_id id;
  const char *name;
  gboolean is_admin, is_dj;
} HostUser;

/* What the host needs, all on [main]. */
typedef struct {
  /* TEXT for ROOM; USER 0: for everybody there. */
  void (*reply) (gpointer data, bot_id room, bot_id user, const char *text);
  void (*log) (gpointer data, int level, const char *text);
  /* The name of ROOM, "SERVER.#CHANNEL"; NULL: no such room.  (transfer none) */
  const char *(*get_room_name) (gpointer data, bot_id room);
  gpointer data;
  const char *name;  /* of this host */
  const char *retry; /* what an operator does when the plugin does not start */
} HostChat;

/* host_new: loads the module that OPTIONS name and starts it.  NULL with ERROR. */
Host *host_new (Options *options, const HostChat *chat, GError **error);
/* host_free: stops the plugin (which may take 5 s) and closes all voices. */
void host_free (Host *self);
int host_get_fd (const Host *self);
/* host_run_posts: what other threads left for [main], for 2 ms at most; the rest next time. */
void host_run_posts (Host *self);

/* host_find: whether there is a command NAME.  *PERMISSION (out) (nullable) (transfer none). */
gboolean host_find (Host *self, const char *name, const char **permission);
/* host_run: USER gives the command NAME in ROOM.  Returns: BOT_OK; BOT_EINVAL: there is none;
 * BOT_EDENIED: it is not for him. */
bot_result
host_run (Host *self, bot_id room, const HostUser *user, const char *name, const char *args);
/* host_describe: what is loaded and what each voice does, a line each.  (transfer full) */
GPtrArray *host_describe (Host *self);

/* host_id: a number for TEXT that is the same in every process.  Never 0. */
bot_id host_id (const char *text);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Host, host_free)
