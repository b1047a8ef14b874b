/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "text.h"

#include <string.h>

#define ELLIPSIS "\xe2\x80\xa6"

char *
text_clean (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autoptr (GString) out = g_string_sized_new (strlen (valid));

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p)) {
    const gunichar c = g_utf8_get_char (p);
    const GUnicodeType type = g_unichar_type (c);
    /* FORMAT holds the marks that turn the direction of writing */
    if (type == G_UNICODE_CONTROL || type == G_UNICODE_LINE_SEPARATOR ||
        type == G_UNICODE_PARAGRAPH_SEPARATOR)
      g_string_append_c (out, ' ');
    else if (type != G_UNICODE_FORMAT || c == 0x200d)
      g_string_append_unichar (out, c);
  }
  return g_strdup (g_strstrip (out->str));
}

/* How much of TEXT fits into MAX_BYTES, a whole word if possible. */
static gsize
fitting (const char *text, gsize max_bytes)
{
  gsize at = max_bytes;

  if (strlen (text) <= max_bytes)
    return strlen (text);
  while (at > 0 && ((guchar) text[at] & 0xc0) == 0x80)
    at--;
  for (gsize blank = at; blank > at / 2; blank--)
    if (text[blank] == ' ')
      return blank;
  return at;
}

GPtrArray *
text_lines (const char *text, gsize max_bytes, guint max_lines)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *clean = text_clean (text);
  const char *rest = clean;

  while (*rest != '\0' && lines->len < max_lines) {
    const gboolean is_sign = g_ascii_ispunct (*rest);
    const gboolean is_last = lines->len + 1 == max_lines;
    gsize room = max_bytes - is_sign;
    if (is_last && strlen (rest) > room)
      room -= strlen (ELLIPSIS);
    const gsize len = fitting (rest, room);
    const gboolean cut = is_last && rest[len] != '\0';
    g_ptr_array_add (lines, g_strdup_printf ("%s%.*s%s", is_sign ? " " : "", (int) len, rest,
                                             cut ? ELLIPSIS : ""));
    rest += len;
    while (*rest == ' ')
      rest++;
  }
  return lines;
}

gboolean
bucket_take (Bucket *self, gint64 now_us, gint64 interval_us, guint burst)
{
  const gint64 full_at = MAX (self->spent_until_us, now_us) + interval_us;

  if (interval_us > 0 && full_at - now_us > interval_us * burst)
    return FALSE;
  self->spent_until_us = full_at;
  return TRUE;
}

gboolean
bucket_is_full (const Bucket *self, gint64 now_us)
{
  return self->spent_until_us <= now_us;
}

GHashTable *
buckets_new (void)
{
  return g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
}

static gboolean
is_full (gpointer user, gpointer bucket, gpointer now_us)
{
  return bucket_is_full (bucket, *(const gint64 *) now_us);
}

gboolean
buckets_take (GHashTable *self, guint64 user, gint64 now_us, guint per_minute, guint burst)
{
  Bucket *bucket = g_hash_table_lookup (self, &user);

  if (per_minute == 0)
    return TRUE;
  if (bucket == NULL && g_hash_table_size (self) >= BUCKETS_MAX)
    g_hash_table_foreach_remove (self, is_full, &now_us);
  if (bucket == NULL && g_hash_table_size (self) >= BUCKETS_MAX)
    return FALSE;
  if (bucket == NULL) {
    bucket = g_new0 (Bucket, 1);
    g_hash_table_insert (self, g_memdup2 (&user, sizeof user), bucket);
  }
  return bucket_take (bucket, now_us, 60 * G_USEC_PER_SEC / per_minute, burst);
}
