/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "mumble-text.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_CHARS 64
#define BLANKS " \t\r\n"

/* ---- in */

/* The character that the entity at P (behind '&') stands for, 0 if it is none; *LEN (out): with its
 * ';'. */
static gunichar
entity_at (const char *p, gsize *len)
{
  static const struct {
    const char *name;
    gunichar c;
  } named[] = {{"amp;", '&'},  {"lt;", '<'},    {"gt;", '>'},
               {"quot;", '"'}, {"apos;", '\''}, {"nbsp;", ' '}};

  for (gsize i = 0; i < G_N_ELEMENTS (named); i++)
    if (g_str_has_prefix (p, named[i].name)) {
      *len = strlen (named[i].name);
      return named[i].c;
    }
  if (p[0] != '#')
    return 0;
  const gboolean hex = p[1] == 'x' || p[1] == 'X';
  const char *digits = p + 1 + hex;
  char *end;
  if (!(hex ? g_ascii_isxdigit (*digits) : g_ascii_isdigit (*digits)))
    return 0;
  const guint64 value = g_ascii_strtoull (digits, &end, hex ? 16 : 10);
  if (*end != ';' || value == 0 || value > 0x10ffff || !g_unichar_validate (value))
    return 0;
  *len = end + 1 - p;
  return value == 0xa0 ? ' ' : value;
}

/* N bytes of TEXT with their entities decoded. */
static void
append_decoded (GString *out, const char *text, gsize n)
{
  g_autofree char *part = g_strndup (text, n);

  for (const char *p = part; *p != '\0'; p++) {
    gsize len = 0;
    const gunichar c = *p == '&' ? entity_at (p + 1, &len) : 0;
    if (c == 0) {
      g_string_append_c (out, *p);
      continue;
    }
    g_string_append_unichar (out, c);
    p += len;
  }
}

static gboolean
is_tag (const char *tag, const char *name)
{
  const gsize len = strlen (name);

  return g_ascii_strncasecmp (tag, name, len) == 0 && !g_ascii_isalnum (tag[len]);
}

/* Where the value of href begins in TAG, which ends before END; *LEN (out). */
static const char *
find_href (const char *tag, const char *end, gsize *len)
{
  g_autofree char *copy = g_strndup (tag, end - tag);
  g_autofree char *lower = g_ascii_strdown (copy, -1);
  const char *href = strstr (lower, "href=");

  if (href == NULL)
    return NULL;
  const char *value = tag + (href - lower) + strlen ("href=");
  const char quote = *value == '"' || *value == '\'' ? *value : '\0';
  value += quote != '\0';
  const char *stop = value;
  while (stop < end && (quote != '\0' ? *stop != quote : !g_ascii_isspace (*stop)))
    stop++;
  *len = stop - value;
  return value;
}

/* The text of a link is dropped, its address stays: P is behind '<' of <a>.  Returns: behind </a>.
 */
static const char *
take_link (GString *out, const char *p, const char *tag_end)
{
  gsize len;
  const char *href = find_href (p, tag_end, &len);

  if (href == NULL)
    return tag_end + 1;
  append_decoded (out, href, len);
  for (const char *q = tag_end + 1; (q = strchr (q, '<')) != NULL; q++)
    if (is_tag (q + 1, "/a")) {
      const char *end = strchr (q, '>');
      return end != NULL ? end + 1 : q + strlen (q);
    }
  return tag_end + 1;
}

/* Everything up to the first line's end, without tags. */
static void
strip (GString *out, const char *html)
{
  const char *p = html;

  while (*p != '\0' && strchr (out->str, '\n') == NULL) {
    const gsize plain = strcspn (p, "<");
    append_decoded (out, p, plain);
    p += plain;
    if (strspn (out->str, BLANKS) == out->len)
      g_string_truncate (out, 0); /* the first line is the first with something in it */
    const char *end = *p == '<' ? strchr (p, '>') : NULL;
    if (end == NULL)
      break; /* a '<' that is never closed swallows the rest, as in a browser */
    if (is_tag (p + 1, "a")) {
      p = take_link (out, p + 1, end);
      continue;
    }
    if (out->len > 0 && (is_tag (p + 1, "br") || is_tag (p + 1, "/p") || is_tag (p + 1, "p")))
      g_string_append_c (out, '\n');
    p = end + 1;
  }
}

char *
mumble_text_from_html (const char *html)
{
  g_autofree char *valid = g_utf8_make_valid (html, -1);
  g_autoptr (GString) out = g_string_new (NULL);
  g_autoptr (GString) line = g_string_new (NULL);

  strip (out, g_strchug (valid));
  const char *start = out->str + strspn (out->str, BLANKS);
  for (const char *p = start; *p != '\0' && *p != '\n'; p = g_utf8_next_char (p)) {
    const gunichar c = g_utf8_get_char (p);
    if (c == '\t' || c == 0xa0)
      g_string_append_c (line, ' ');
    else if (!g_unichar_iscntrl (c))
      g_string_append_unichar (line, c);
  }
  return g_strdup (g_strstrip (line->str));
}

/* ---- out */

static gsize
units_of (gunichar c)
{
  return c > 0xffff ? 2 : 1;
}

gsize
mumble_text_units (const char *text)
{
  gsize n = 0;

  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    n += units_of (g_utf8_get_char (p));
  return n;
}

static void
append_escaped (GString *out, gunichar c)
{
  switch (c) {
  case '&':
    g_string_append (out, "&amp;");
    break;
  case '<':
    g_string_append (out, "&lt;");
    break;
  case '>':
    g_string_append (out, "&gt;");
    break;
  case '"':
    g_string_append (out, "&quot;");
    break;
  case '\'':
    g_string_append (out, "&#39;");
    break;
  default:
    if (g_unichar_iscntrl (c))
      c = ' ';
    g_string_append_unichar (out, c);
  }
}

/* As much of TEXT as fits, escaped, into OUT.  Returns: where the rest begins. */
static const char *
take_piece (GString *out, const char *text, gsize max)
{
  const char *p = text, *blank = NULL;
  gsize units = 0, len_at_blank = 0;

  while (*p != '\0') {
    const gsize before = out->len;
    const gunichar c = g_utf8_get_char (p);
    append_escaped (out, c);
    units += c < 0x80 ? out->len - before : units_of (c);
    if (max > 0 && units > max && p > text) {
      g_string_truncate (out, blank != NULL ? len_at_blank : before);
      return blank != NULL ? blank : p;
    }
    p = g_utf8_next_char (p);
    if (c == ' ') {
      blank = p;
      len_at_blank = out->len;
    }
  }
  return p;
}

GPtrArray *
mumble_text_to_html (const char *text, gsize max)
{
  GPtrArray *pieces = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *valid = g_utf8_make_valid (text, -1);

  for (const char *p = valid; *p != '\0';) {
    g_autoptr (GString) piece = g_string_new (NULL);
    p = take_piece (piece, p, max);
    g_ptr_array_add (pieces, g_strdup (g_strstrip (piece->str)));
  }
  return pieces;
}

char *
mumble_text_clean (const char *name)
{
  g_autofree char *valid = g_utf8_make_valid (name != NULL ? name : "", -1);
  GString *out = g_string_new (NULL);
  guint n = 0;

  for (const char *p = valid; *p != '\0' && n < NAME_MAX_CHARS; p = g_utf8_next_char (p), n++) {
    const gunichar c = g_utf8_get_char (p);
    g_string_append_unichar (out, g_unichar_iscntrl (c) ? ' ' : c);
  }
  return g_string_free (out, FALSE);
}
