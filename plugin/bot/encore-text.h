/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Every sentence that depends on what went wrong, and how figures are written for people. */
#pragma once

#include <glib.h>

#include "base/encore-error.h"
#include "base/encore-link.h"

G_BEGIN_DECLS

/* encore_text_error: what to tell people.  Returns: (transfer full): one sentence with a full stop;
 * never a path, a program's raw output or anything an operator alone should see. */
char *encore_text_error (const GError *error);

/* encore_text_link: what to tell people who gave a link of that KIND.  (transfer none) */
const char *encore_text_link (EncoreLinkKind kind);

/* encore_text_duration: "3:05", "1:02:03"; "?" for 0.  (transfer full) */
char *encore_text_duration (gint64 duration_ms);
/* encore_text_span: "45 s", "9 min", "5 h 20 min", "6 d 23 h".  (transfer full) */
char *encore_text_span (gint64 seconds);
/* encore_text_size: "3.4 MiB".  (transfer full) */
char *encore_text_size (gint64 bytes);

G_END_DECLS
