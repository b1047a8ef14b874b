/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Mumble's chat is HTML: what people type comes escaped and marked up, what we say goes the same
 * way.  Pure functions. */
#pragma once

#include <glib.h>

/* mumble_text_from_html: the first line of what was typed, without marks: links are their
 * addresses, entities their characters, control characters gone, blanks at the ends cut off.
 * @html: any bytes.  Returns: (transfer full): valid UTF-8, perhaps "". */
char *mumble_text_from_html (const char *html);

/* mumble_text_units: the length of TEXT as servers count it, in units of UTF-16. */
gsize mumble_text_units (const char *text);
/* mumble_text_to_html: TEXT escaped, cut into pieces of at most MAX units (0: no limit), between
 * words where there are any.
 * @text: UTF-8.  Returns: (transfer full) (element-type utf8). */
GPtrArray *mumble_text_to_html (const char *text, gsize max);
/* mumble_text_clean: (transfer full): a name of people or channels for logs: valid, without control
 * characters, at most 64 characters. */
char *mumble_text_clean (const char *name);
