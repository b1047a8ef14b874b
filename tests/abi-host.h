/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A host for the tests of the contract: it keeps what it hears, and it can be of another age.
 *
 * Threads: the plugin calls from any; what it said is kept under MUTEX. */
#pragma once

#include <glib.h>

#include "bot-plugin.h"

#define ROOM 7
#define USER 11
#define VOICE 13

typedef struct {
  const char *key, *value;
} Setting;

typedef struct {
  bot_host api;
  bot_host_voice voice_api;
  const void *voice; /* what get_extension answers; NULL: no voice rooms */
  Setting settings[4];
  GHashTable *commands; /* name -> bot_command; [main] */
  GMutex mutex;         /* all below */
  GCond cond;
  GPtrArray *replies, *logs;
  bot_voice_spec spec; /* of the voice that is open */
  guint n_opened;      /* the voice is VOICE, then VOICE + 1 ... */
  guint calls;         /* into the host */
  guint late_calls;    /* after stop() returned */
  gboolean stopped;
} Host;

Host *host_new (void);
/* No call may have come after host_stop(). */
void host_free (Host *self);
/* [main] The user gives a command. */
void host_run (Host *self, const char *name, const char *args);
/* Waits until LIST, replies or logs, has a text with PART in it. */
void host_await (Host *self, GPtrArray *list, const char *part);
/* [main] As a host does that cannot keep the voice. */
void host_end_voice (Host *self);
/* [main] As a host does on unload; from now on the plugin must be silent. */
void host_stop (Host *self, const bot_plugin *plugin, void *plugin_self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Host, host_free)

/* The module of ENCORE_MODULE, opened as hosts do.  Returns: what dlclose() takes. */
gpointer module_open (const bot_plugin **plugin);

/* A copy of the first SIZE bytes of WHAT that ends where readable memory ends. */
typedef struct {
  char *pages;
  gsize len; /* bytes mapped */
  void *copy;
} Fenced;

Fenced fenced_new (const void *what, gsize size);
void fenced_free (Fenced *self);
