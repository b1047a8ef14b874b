/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Character by character. */
#include "config.h"
#include "base/encore-clean.h"

char *
encore_clean (const char *text, glong max_chars)
{
  g_autofree char *valid = g_utf8_make_valid (text != NULL ? text : "", -1);
  g_autoptr (GString) clean = g_string_new (NULL);
  glong n = 0;

  for (const char *p = valid; *p != '\0' && n < max_chars; p = g_utf8_next_char (p)) {
    const gunichar c = g_utf8_get_char (p);
    const GUnicodeType type = g_unichar_type (c);
    if (type == G_UNICODE_FORMAT || type == G_UNICODE_SURROGATE)
      continue; /* bidi marks and other invisible things */
    if (type == G_UNICODE_CONTROL || g_unichar_isspace (c))
      g_string_append_c (clean, ' ');
    else
      g_string_append_unichar (clean, c);
    n++;
  }
  return g_strstrip (g_string_free (g_steal_pointer (&clean), FALSE));
}
