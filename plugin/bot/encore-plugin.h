/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The running plugin: one control thread on which every room, queue and confirmation lives, and
 * what it works with.
 *
 * Threads: [main] hands requests over and returns at once; all else happens on the control thread,
 * which starts when the host's main loop runs (or, in a host without post(), with the first
 * request), since hosts fork after loading us. */
#pragma once

#include <gio/gio.h>

#include "base/encore-config.h"
#include "bot/encore-host.h"
#include "fetch/encore-fetch.h"
#include "play/encore-player.h"
#include "store/encore-cache.h"

G_BEGIN_DECLS

typedef struct EncorePlugin EncorePlugin;
typedef struct EncoreRequest EncoreRequest;
typedef struct EncoreKeeper EncoreKeeper;

typedef void (*EncoreCommandFunc) (EncorePlugin *plugin, const EncoreRequest *request);

/* A command as it was typed, copied from the host's thread. */
struct EncoreRequest {
  EncorePlugin *plugin;
  EncoreCommandFunc run; /* on the control thread */
  bot_id room;           /* where it was typed: answers go there */
  bot_id user;
  bot_id voice_room; /* where the music sounds */
  bot_id voice;      /* 0 with VOICE_RESULT telling why */
  bot_result voice_result;
  gboolean speaking; /* people do, or do not any more */
  char *user_name;
  char *name;
  char *args;
  gint64 received_us;
};

struct EncorePlugin {
  const bot_host *bot_host;
  EncoreHost *host;
  EncoreConfig *config; /* control thread; what is not live never changes and is anybody's */
  EncoreConfig *latest; /* [main] as the host gave it last */
  /* [main] NULL until the first request */
  GMainContext *context;
  GMainLoop *loop;
  GThread *control;
  guint log_handler;
  gint requests; /* atomic: handed over, not done */
  gint tracks;   /* atomic: queued, fetched or playing, in all rooms */
  gint stopping; /* atomic */
  /* control thread only; NULL until it has begun */
  EncoreCache *cache;
  EncoreFetch *fetch;
  EncorePlayout *playout;
  EncoreKeeper *keeper;   /* (nullable) */
  GThreadPool *chores;    /* one thread for long work on the cache */
  GHashTable *rooms;      /* voice room (gint64) -> EncoreRoom */
  GHashTable *lists;      /* encore_lists_new() by voice room: what #n means */
  GHashTable *tokens;     /* "room/user" -> EncoreToken: confirmations asked for */
  GPtrArray *warms;       /* EncoreWarm: encore-command-warm.c */
  guint last_warm;        /* number of the last one */
  gpointer registrations; /* [main] what the host calls us with, a block */
};

/* encore_plugin_new: [main].  Errors: CONFIG. */
EncorePlugin *encore_plugin_new (const bot_host *host, GError **error);
/* [main] Ends all work and joins every thread. */
void encore_plugin_free (EncorePlugin *self);
/* [main] Opens the cache and GStreamer before the first command: by then the host has daemonised.
 */
void encore_plugin_warm_up (EncorePlugin *self);
/* [main] Takes CALL to the control thread.  @with_voice: the command needs a voice room. */
void encore_plugin_submit (EncorePlugin *self, const bot_call *call, EncoreCommandFunc run,
                           gboolean with_voice);
/* encore_plugin_hand_over: [main] FUNC on the control thread, in order; RELEASE (DATA) follows. */
void encore_plugin_hand_over (EncorePlugin *self, GSourceFunc func, gpointer data,
                              GDestroyNotify release);
/* [control] What to tell people of ERROR, with the time for which the site is left alone.
 * (transfer full) */
char *encore_plugin_sentence (EncorePlugin *self, const GError *error);
/* [control] RUN, later, with the voice room ROOM opened as for a command typed in CHAT. */
void encore_plugin_summon (EncorePlugin *self, bot_id room, bot_id chat, EncoreCommandFunc run);
/* [any] Songs queued, fetched or playing and requests under way; 0: idle. */
guint encore_plugin_get_busy (EncorePlugin *self);

/* [control] */
typedef void (*EncoreChoreFunc) (EncorePlugin *plugin, const EncoreRequest *request);
/* encore_plugin_chore: runs WORK on the chores thread with a copy of REQUEST; it answers by itself.
 */
void encore_plugin_chore (EncorePlugin *self, const EncoreRequest *request, EncoreChoreFunc work);

/* Answers REQUEST where it was typed. [any] */
#define encore_answer(request, ...) \
  encore_host_reply ((request)->plugin->host, (request)->room, (request)->user, __VA_ARGS__)

G_END_DECLS
