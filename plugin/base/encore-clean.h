/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Text of others, made fit to be shown and stored. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* encore_clean: TEXT (nullable, any bytes) as one line of valid UTF-8 without controls and bidi
 * marks, at most MAX_CHARS characters.  Returns: (transfer full).  Threads: any. */
char *encore_clean (const char *text, glong max_chars);

G_END_DECLS
