/* SPDX-License-Identifier: LGPL-2.1-or-later
 * bubblewrap around a program: it sees the system's programs and libraries, the network, its own
 * directory, and nothing else; whatever it starts ends with it.  Private to fetch. */
#pragma once

#include <glib.h>

#include "base/encore-config.h"

G_BEGIN_DECLS

/* encore_sandbox_wrap: ARGV as the option sandbox has it run.  @program: absolute path of ARGV[0].
 * @writable: directories, ended by NULL; the first one is where it starts.  Those that are missing
 * are made.  Returns: (transfer full). */
char **encore_sandbox_wrap (const EncoreConfig *config, char *const *argv, const char *program,
                            const char *const *writable);

G_END_DECLS
