/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The commands people type: one table that registers them with the host and makes the help. */
#pragma once

#include "bot/encore-plugin.h"

G_BEGIN_DECLS

typedef struct {
  const char *name, *usage, *help;
  const char *permission; /* the host checks it; NULL: everybody */
  EncoreCommandFunc run;  /* [control] */
  gboolean with_voice;    /* opens the voice room first */
} EncoreCommand;

/* encore_command_list: (transfer none): ended by a NULL name. */
const EncoreCommand *encore_command_list (void);

/* encore_command_register: [main] adds all to the host, under their new names where the option
 * `rename` gives one.  Returns: FALSE with ERROR. */
gboolean encore_command_register (EncorePlugin *plugin, GError **error);

/* encore_command_check_renames: FALSE with ERROR where the option `rename` makes no sense. */
gboolean encore_command_check_renames (const EncoreConfig *config, GError **error);

/* encore_command_wrong: one helpful line for a wrong use of REQUEST's command. */
void encore_command_wrong (const EncoreRequest *request);

/* encore_command_allowed: all < dj < admin.  @permission: "encore.dj" or "encore.admin".  Says so
 * where it is refused. */
gboolean encore_command_allowed (const EncoreRequest *request, const char *permission);

/* encore_command_parse_number: "3" or "#3", from 1.  Returns: FALSE if it is none. */
gboolean encore_command_parse_number (const char *text, guint *out);

/* encore_command_resolve: the id that TEXT means: a link, an id, #n of the last list, np. */
gboolean encore_command_resolve (EncorePlugin *plugin, const EncoreRequest *request,
                                 const char *text, EncoreMediaId *out);

/* encore-command-play.c */
void encore_command_play (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_search (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_queue (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_np (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_skip (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_pause (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_resume (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_stop (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_clear (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_remove (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_shuffle (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_loop (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_history (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_pipeline (EncorePlugin *plugin, const EncoreRequest *request);

/* encore-command-sound.c */
void encore_command_volume (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_seek (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_replay (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_previous (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_health (EncorePlugin *plugin, const EncoreRequest *request);

/* encore-command-list.c */
void encore_command_playlist (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_cached (EncorePlugin *plugin, const EncoreRequest *request);

/* encore-command-cache.c */
/* encore_command_list_songs: shows INFOS (EncoreEntryInfo) as a numbered list that play #n and
 * cache info #n understand. */
void
encore_command_list_songs (EncorePlugin *plugin, const EncoreRequest *request, GPtrArray *infos);
/* encore_command_tell_error: logs ERROR and tells people. */
void encore_command_tell_error (const EncoreRequest *request, const GError *error);
void encore_command_cache (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_cleanup (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_cache_clear (EncorePlugin *plugin, const EncoreRequest *request);

/* encore-command-explain.c: cache explain WHAT, cache backoff [lift] */
void encore_command_explain (EncorePlugin *plugin, const EncoreRequest *request, const char *what);
void encore_command_backoff (EncorePlugin *plugin, const EncoreRequest *request, const char *what);

/* encore-command-warm.c: songs fetched before anybody asks for them */
typedef struct EncoreWarm EncoreWarm;
/* Leaves its flight. */
void encore_warm_free (EncoreWarm *self);
void encore_command_warm (EncorePlugin *plugin, const EncoreRequest *request, const char *what);
void encore_command_jobs (EncorePlugin *plugin, const EncoreRequest *request);
void encore_command_cancel (EncorePlugin *plugin, const EncoreRequest *request, const char *what);

G_END_DECLS
