/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What an Ogg Opus file says of itself: tags from its beginning, length and end mark from its end.
 */
#include "config.h"
#include "base/encore-ogg.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encore-ogg-page.h"

#define TAIL_BYTES (2 * ENCORE_OGG_PAGE_MAX)
#define TAGS_MAX (1024 * 1024)

typedef struct {
  int fd;
  gint64 size;
} File;

static gssize
read_file (gpointer data, gint64 offset, guint8 *buf, gsize len, GError **error)
{
  const File *file = data;
  gssize n;

  do
    n = pread (file->fd, buf, len, offset);
  while (n < 0 && errno == EINTR);
  if (n < 0)
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "cannot read: %s", g_strerror (errno));
  return n;
}

static gboolean
open_file (int fd, File *out, GError **error)
{
  struct stat st;

  if (fstat (fd, &st) < 0) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "cannot stat: %s", g_strerror (errno));
    return FALSE;
  }
  *out = (File){fd, st.st_size};
  return TRUE;
}

static gboolean
not_opus (GError **error)
{
  g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "no Ogg Opus file");
  return FALSE;
}

/* The packets of the header pages, at most TAGS_MAX bytes of them.  Returns: NULL without ERROR
 * when there are none such. */
static GPtrArray *
read_header_packets (File *file, GError **error)
{
  g_autoptr (GPtrArray) packets =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_byte_array_unref);
  g_autoptr (GByteArray) packet = g_byte_array_new ();
  g_autofree guint8 *page = g_malloc (ENCORE_OGG_PAGE_MAX);
  gint64 offset = 0;

  while (packets->len < 2 && offset < TAGS_MAX) {
    EncoreOggPage header;
    const gssize n = read_file (file, offset, page, ENCORE_OGG_PAGE_MAX, error);
    if (n <= 0 || encore_ogg_page_parse (page, n, &header) < 1 ||
        header.header_len + header.body_len > (gsize) n)
      return NULL;
    gsize at = header.header_len;
    for (guint i = 0; i < header.n_segments; i++) {
      const guint8 lacing = page[ENCORE_OGG_HEADER_BYTES + i];
      g_byte_array_append (packet, page + at, lacing);
      at += lacing;
      if (lacing < 255) {
        g_ptr_array_add (packets, g_steal_pointer (&packet));
        packet = g_byte_array_new ();
      }
    }
    offset += header.header_len + header.body_len;
  }
  return packets->len < 2 ? NULL : g_steal_pointer (&packets);
}

static guint32
le32_at (const GByteArray *bytes, gsize at)
{
  const guint8 *p = bytes->data + at;

  return p[0] | p[1] << 8 | p[2] << 16 | (guint32) p[3] << 24;
}

/* The comments of an OpusTags packet (RFC 7845 section 5.2); what is cut off is left out. */
static char **
parse_tags (const GByteArray *tags)
{
  g_autoptr (GPtrArray) comments = g_ptr_array_new_with_free_func (g_free);
  gsize at = 8;

  if (tags->len >= at + 4)
    at += 4 + (gsize) le32_at (tags, at);
  if (tags->len >= at + 4) {
    guint32 n = le32_at (tags, at);
    for (at += 4; n > 0 && tags->len >= at + 4; n--) {
      const gsize len = le32_at (tags, at);
      at += 4;
      if (len > tags->len - at)
        break;
      g_ptr_array_add (comments, g_strndup ((const char *) tags->data + at, len));
      at += len;
    }
  }
  g_ptr_array_add (comments, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&comments), FALSE);
}

/* Granule and end mark of the last whole page with the right checksum.  Returns: -1 with ERROR */
static gint64
read_last_granule (File *file, gboolean *is_end, GError **error)
{
  const gint64 from = MAX (file->size - TAIL_BYTES, 0);
  g_autofree guint8 *tail = g_malloc (TAIL_BYTES);
  const gssize n = read_file (file, from, tail, TAIL_BYTES, error);
  gint64 granule = 0;

  *is_end = FALSE;
  if (n < 0)
    return -1;
  for (gssize i = 0; i + ENCORE_OGG_HEADER_BYTES <= n; i++) {
    EncoreOggPage header;
    if (tail[i] != 'O' || encore_ogg_page_parse (tail + i, n - i, &header) < 1)
      continue;
    const gsize len = header.header_len + header.body_len;
    if (len > (gsize) (n - i) || encore_ogg_page_crc (tail + i, len) != header.crc)
      continue;
    if (header.granule >= 0)
      granule = header.granule;
    *is_end = (header.flags & ENCORE_OGG_LAST) != 0 && i + (gssize) len == n;
    i += len - 1;
  }
  return granule;
}

gboolean
encore_ogg_summarise (int fd, EncoreOggSummary *out, GError **error)
{
  File file;

  memset (out, 0, sizeof *out);
  if (!open_file (fd, &file, error))
    return FALSE;
  g_autoptr (GError) unread = NULL; /* a disk that fails tells nothing of the file */
  g_autoptr (GPtrArray) packets = read_header_packets (&file, &unread);
  if (unread != NULL) {
    g_propagate_error (error, g_steal_pointer (&unread));
    return FALSE;
  }
  if (packets == NULL)
    return not_opus (error);
  const GByteArray *head = packets->pdata[0];
  const GByteArray *tags = packets->pdata[1];
  if (head->len < 19 || memcmp (head->data, "OpusHead", 8) != 0 || tags->len < 8 ||
      memcmp (tags->data, "OpusTags", 8) != 0)
    return not_opus (error);

  const gint64 granule = read_last_granule (&file, &out->complete, error);
  if (granule < 0)
    return FALSE;
  out->channels = head->data[9];
  out->pre_skip = head->data[10] | head->data[11] << 8;
  out->comments = parse_tags (tags);
  out->duration_ms = MAX (granule - (gint64) out->pre_skip, 0) * 1000 / ENCORE_OPUS_RATE_HZ;
  return TRUE;
}

void
encore_ogg_summary_clear (EncoreOggSummary *self)
{
  g_clear_pointer (&self->comments, g_strfreev);
}

const char *
encore_ogg_summary_get (const EncoreOggSummary *self, const char *key)
{
  const gsize len = strlen (key);

  for (char **comment = self->comments; comment != NULL && *comment != NULL; comment++)
    if (g_ascii_strncasecmp (*comment, key, len) == 0 && (*comment)[len] == '=')
      return *comment + len + 1;
  return NULL;
}

gboolean
encore_ogg_verify (int fd, gint64 *packets, GError **error)
{
  File file;

  if (!open_file (fd, &file, error))
    return FALSE;
  g_autoptr (EncoreOggReader) reader = encore_ogg_reader_new (read_file, &file);
  EncoreOggResult result;
  gint64 n = 0, pts_ns;
  const guint8 *packet;
  gsize len;

  encore_ogg_reader_set_size (reader, file.size, TRUE);
  while ((result = encore_ogg_reader_next (reader, &packet, &len, &pts_ns, error)) ==
         ENCORE_OGG_PACKET)
    n++;
  if (packets != NULL)
    *packets = n;
  return result == ENCORE_OGG_END;
}

/* ---- any codec */

static gboolean
bad_page (const char *what, gint64 offset, GError **error)
{
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "%s at byte %" G_GINT64_FORMAT, what,
               offset);
  return FALSE;
}

/* The N bytes at PAGE must begin with a whole page, the next one of its stream.  *LEN (out). */
static gboolean
check_page (const guint8 *page, gssize n, gint64 offset, GHashTable *next, gsize *len,
            GError **error)
{
  EncoreOggPage header;
  const int result = encore_ogg_page_parse (page, n, &header);

  if (result < 0)
    return bad_page ("no Ogg page", offset, error);
  *len = result > 0 ? header.header_len + header.body_len : 0;
  if (result == 0 || *len > (gsize) n)
    return bad_page ("the file is cut off in the page", offset, error);
  if (encore_ogg_page_crc (page, *len) != header.crc)
    return bad_page ("wrong checksum of the page", offset, error);
  const gpointer serial = GUINT_TO_POINTER (header.serial);
  gpointer expected;
  if ((header.flags & ENCORE_OGG_FIRST) == 0 &&
      (!g_hash_table_lookup_extended (next, serial, NULL, &expected) ||
       GPOINTER_TO_UINT (expected) != header.sequence))
    return bad_page ("a page is missing before the one", offset, error);
  g_hash_table_insert (next, serial, GUINT_TO_POINTER (header.sequence + 1));
  return TRUE;
}

gboolean
encore_ogg_check_pages (int fd, GError **error)
{
  g_autoptr (GHashTable) next = g_hash_table_new (NULL, NULL); /* serial -> sequence */
  g_autofree guint8 *page = g_malloc (ENCORE_OGG_PAGE_MAX);
  gsize len = 0;
  File file;

  if (!open_file (fd, &file, error))
    return FALSE;
  for (gint64 offset = 0; offset < file.size; offset += len) {
    const gssize n = read_file (&file, offset, page, ENCORE_OGG_PAGE_MAX, error);
    if (n < 0 || !check_page (page, n, offset, next, &len, error))
      return FALSE;
  }
  return TRUE;
}
