/* SPDX-License-Identifier: GPL-3.0-or-later
 * Between eggdrop and the host: who may speak, what is a command, how fast answers go out.  Knows
 * nothing of eggdrop's headers, whose macros would take common words away from us.
 *
 * Threads: all of [main], eggdrop's one thread. */
#pragma once

#include <glib.h>

typedef struct Shim Shim;

/* What eggdrop does for us. */
typedef struct {
  void (*say) (const char *channel, const char *line); /* LINE has no line end in it */
  void (*log) (const char *text);
} ShimBot;

typedef struct {
  const char *nick, *address; /* user@host */
  const char *handle;         /* in eggdrop's list of users; "*": he is not in it */
  const char *channel;
  gboolean is_admin, is_dj;
} ShimSpeaker;

/* shim_new: reads the file CONFIG and starts the plugin, with threads: not before eggdrop has gone
 * to the background.  Errors: a sentence. */
Shim *shim_new (const char *config, const ShimBot *bot, GError **error);
/* shim_free: stops the plugin, which may take 5 s. */
void shim_free (Shim *self);
/* shim_get_fd: readable: shim_run_posts() has work. */
int shim_get_fd (const Shim *self);
void shim_run_posts (Shim *self);
/* shim_tick: once a second: lines that wait go out. */
void shim_tick (Shim *self);
/* shim_hear: WHO said TEXT.  What is no command of ours is left alone. */
void shim_hear (Shim *self, const ShimSpeaker *who, const char *text);
/* shim_describe: a line for each voice and one for the plugin.  (transfer full) */
GPtrArray *shim_describe (Shim *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Shim, shim_free)
