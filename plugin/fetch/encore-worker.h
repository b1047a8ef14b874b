/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A yt-dlp that stays, so that a resolve need not start Python and read a thousand extractors each
 * time: one process, started at the first question, ended when idle, started again after a failure,
 * an upgrade or when the file of cookies has changed.  Private to fetch.
 *
 * It is a help, not a need: whoever gets no answer here starts a yt-dlp of his own.
 *
 * Threads: a supervisor that lives as long as the process, since that dies with the thread that
 * started it.  Callers wait for it. */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>

#include "base/encore-config.h"
#include "base/encore-error.h"
#include "fetch/encore-child.h"

G_BEGIN_DECLS

typedef struct EncoreWorker EncoreWorker;

/* encore_worker_new: starts nothing yet.  CONFIG outlives it.  DIR: its own, made if need be; other
 * processes with the same yt-dlp may use it, too. */
EncoreWorker *
encore_worker_new (const EncoreConfig *config, const char *dir, const char *ytdlp_cache);
/* encore_worker_free: no caller may be left.  Ends the process group and joins the supervisor. */
void encore_worker_free (EncoreWorker *self);

/* encore_worker_ask: what yt-dlp prints for URL (encore_ytdlp_make_resolve_argv()), line by line.
 * @err_text: (out) (transfer full): its error, "" if there was none.
 * Errors: NO_PROGRAM: no answer, whatever the reason: it is busy with another question, hangs, has
 * died, rests after failures, cannot be started; CANCELLED, DEADLINE.
 * Threads: any, several at once. */
gboolean encore_worker_ask (EncoreWorker *self, const char *url, gint64 deadline_us,
                            GCancellable *cancellable, EncoreLineFunc line, gpointer data,
                            char **err_text, GError **error);

/* encore_worker_get_pid: 0: it does not run. */
pid_t encore_worker_get_pid (EncoreWorker *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreWorker, encore_worker_free)

G_END_DECLS
