/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A program run to its end, with a watchdog.  Its exit status is not told: a host that ignores
 * SIGCHLD makes it a lie, and yt-dlp's own lies both ways.  Private to fetch. */
#pragma once

#include <gio/gio.h>

#include "base/encore-error.h"

G_BEGIN_DECLS

/* What a line of output says of the program. */
enum {
  ENCORE_LINE_NOTHING = FALSE,
  ENCORE_LINE_PROGRESS = TRUE,
  ENCORE_LINE_VAIN, /* it works and works and gets nowhere: end it */
};
/* One line of standard output, without its end, at most 64 KiB.  Returns: one of the above. */
typedef int (*EncoreLineFunc) (const char *line, gpointer data);
/* Some bytes of standard output, each a progress.  Returns: FALSE with ERROR: end it. */
typedef gboolean (*EncoreBytesFunc) (const guint8 *bytes, gsize len, gpointer data, GError **error);

typedef struct {
  char **argv; /* argv[0] is searched in the PATH of ENVP, not in ours */
  char **envp; /* all the child sees */
  const char *cwd;
  gint64 max_file_bytes; /* of one file, RLIMIT_FSIZE; twice that of all files in CWD; 0: none */
  gint64 first_ms;       /* the first progress must come within this time */
  gint64 stall_ms;       /* and every other one */
  gint64 deadline_us;    /* of g_get_monotonic_time() */
  EncoreBytesFunc bytes; /* (nullable): standard output is no text, and has no limit; the lines are
                            those of standard error.  Same DATA */
} EncoreChildSpec;

/* encore_child_set_up: a GSpawnChildSetupFunc: a group of its own that dies with the thread which
 * started it, and the usual signals.  Async-signal-safe.  @data: not used. */
void encore_child_set_up (gpointer data);

/* encore_child_find: Returns: (transfer full): the path of PROGRAM in the PATH of ENVP, NULL with
 * NO_PROGRAM if it is nothing that can be started. */
char *encore_child_find (const char *program, char **envp, GError **error);

/* encore_child_run: in a process group of its own, which is told to end and then killed before this
 * returns.  The child has none of our descriptors, signal settings or environment.  It dies with
 * the calling thread, and with all that it started when the host is gone.
 * @err_text: (out) (transfer full): up to 64 KiB of standard error.
 * Errors: NO_PROGRAM, DEADLINE, CANCELLED, NETWORK after a line that says VAIN, TOO_BIG, FAILED
 * after more output than a download can have.  Threads: a worker that lives as long as the call. */
gboolean encore_child_run (const EncoreChildSpec *spec, GCancellable *cancellable,
                           EncoreLineFunc line, gpointer data, char **err_text, GError **error);

G_END_DECLS
