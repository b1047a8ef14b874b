/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The plugin's section of the host's configuration. */
#pragma once

#include "bot/encore-plugin.h"

G_BEGIN_DECLS

/* encore_reconfigure_read: [main] the options that HOST gives are set in OUT.  Errors: CONFIG,
 * naming the first that is wrong. */
gboolean encore_reconfigure_read (const bot_host *host, EncoreConfig *out, GError **error);

/* encore_reconfigure: [main] reads them again.  What can change does, with the next thing that the
 * control thread does; the log names it, and what only a restart changes.  Errors: CONFIG, with
 * nothing changed. */
gboolean encore_reconfigure (EncorePlugin *self, GError **error);

G_END_DECLS
