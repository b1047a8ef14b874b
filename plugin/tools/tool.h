/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What the verbs of encore-cache share. */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

#include "base/encore-config.h"
#include "store/encore-cache.h"

G_BEGIN_DECLS

#define EXIT_CLEAN 0
#define EXIT_FOUND 1
#define EXIT_FAILED 2

/* What the command line says; the verb's own arguments are ARGS, ended by NULL. */
typedef struct {
  EncoreCache *cache; /* (nullable) for verbs that need none, and for a dry import into nothing */
  const EncoreConfig *config; /* its limits are 0 when no file gives them */
  char **args;
  gboolean json, dry, example, remove, full, all, force;
  gint64 to_bytes; /* -1: not given */
  EncoreSort sort;
  int limit; /* 0: all */
  int jobs;
  GCancellable *cancellable; /* (nullable): of a signal */
} ToolCall;

/* Every verb returns its exit status. */
int tool_id (const ToolCall *call);
int tool_config (const ToolCall *call);
int tool_stats (const ToolCall *call);
int tool_list (const ToolCall *call);
int tool_find (const ToolCall *call);
int tool_info (const ToolCall *call);
int tool_pin (const ToolCall *call);
int tool_unpin (const ToolCall *call);
int tool_repair (const ToolCall *call);
int tool_rebuild (const ToolCall *call);
int tool_verify (const ToolCall *call);
int tool_evict (const ToolCall *call);
int tool_export (const ToolCall *call);
int tool_import (const ToolCall *call);
int tool_fetch (const ToolCall *call);

/* ---- walk.c */

/* One song on a walk.  Returns: FALSE to end it. */
typedef gboolean (*ToolSongFunc) (const EncoreEntryInfo *info, gpointer data);
/* tool_walk: all songs, or those that IDS (nullable, ended by NULL) name; tells progress.  Returns:
 * EXIT_CLEAN; EXIT_FOUND when one of IDS is not there and EXIT_FAILED, both with a message. */
int tool_walk (const ToolCall *call, char **ids, ToolSongFunc func, gpointer data);

/* ---- output.c */

/* Says ERROR on standard error.  Returns: the exit status for it. */
int tool_fail (const GError *error);
/* BYTES as a terminal may see them: what is no UTF-8, no letter or sign becomes \xNN or \u{NNNN}.
 * (transfer full) */
char *tool_printable (const char *bytes);
/* The stem that the first argument means; NULL with a message. (transfer full) */
char *tool_take_stem (const ToolCall *call);
/* The same of any TEXT, without a message. */
char *tool_parse_stem (const char *text);
/* A decision of evict and repair as a line. (EncoreDecisionFunc) */
void tool_print_decision (const char *id, gboolean removed, gint64 bytes, const char *reason,
                          gpointer data);
/* "3:25" or "1:02:03". (transfer full) */
char *tool_length (gint64 ms);

/* tool_progress: a bar on standard error when that is a terminal, else a line every 5 s.  One at a
 * time, from one thread at a time.  @what: e.g. "files". */
void tool_progress (const char *what, gint64 done, gint64 total);
/* Takes the bar off the line, before something else is written and at the end. */
void tool_progress_clear (void);

/* ---- json.c: JSON goes to standard output, a list with one element a line */

/* Whole, one node. (transfer full) */
void tool_json_print (JsonNode *node);
typedef struct {
  gboolean begun;
} ToolJsonList;
void tool_json_add (ToolJsonList *self, JsonNode *node); /* (transfer full) */
void tool_json_end (ToolJsonList *self);
/* All that is known of an entry; of its file only where PATH is given. (transfer full) */
JsonNode *tool_json_info (const EncoreEntryInfo *info, const char *path, gboolean kept);
/* "2026-11-24T12:00:00Z"; NULL for 0. (transfer full) */
char *tool_json_time (gint64 unix_s);

/* tool_catch_signals: from now on SIGINT and SIGTERM cancel what is returned, a second one ends the
 * process.  Before any other thread is started. (transfer none) */
GCancellable *tool_catch_signals (void);

G_END_DECLS
