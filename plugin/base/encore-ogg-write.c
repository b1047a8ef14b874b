/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Ogg Opus pages of at most 200 ms, each handed on whole: a file that is cut by a crash is valid up
 * to its last page. */
#include "config.h"
#include "base/encore-ogg.h"

#include <string.h>

#include "base/encore-ogg-page.h"

struct EncoreOggWriter {
  EncoreOggWriteFunc write;
  gpointer data;
  guint32 serial, sequence;
  guint pre_skip;
  gint64 granule;       /* at the end of what is in the page */
  guint n_packets;      /* in the page */
  GByteArray *segments; /* lacing values of the page */
  GByteArray *body;
};

EncoreOggWriter *
encore_ogg_writer_new (EncoreOggWriteFunc write, gpointer data)
{
  EncoreOggWriter *self = g_new0 (EncoreOggWriter, 1);

  self->write = write;
  self->data = data;
  self->serial = g_random_int ();
  self->segments = g_byte_array_new ();
  self->body = g_byte_array_new ();
  return self;
}

void
encore_ogg_writer_free (EncoreOggWriter *self)
{
  if (self == NULL)
    return;
  g_byte_array_unref (self->segments);
  g_byte_array_unref (self->body);
  g_free (self);
}

static void
put_le (guint8 *at, guint64 value, guint bytes)
{
  for (guint i = 0; i < bytes; i++)
    at[i] = value >> (8 * i);
}

static gboolean
flush_page (EncoreOggWriter *self, guint8 flags, gint64 granule, GError **error)
{
  g_autoptr (GByteArray) page = g_byte_array_sized_new (4096);
  guint8 header[ENCORE_OGG_HEADER_BYTES] = "OggS";

  header[5] = flags;
  put_le (header + 6, granule, 8);
  put_le (header + 14, self->serial, 4);
  put_le (header + 18, self->sequence++, 4);
  header[26] = self->segments->len;
  g_byte_array_append (page, header, sizeof header);
  g_byte_array_append (page, self->segments->data, self->segments->len);
  g_byte_array_append (page, self->body->data, self->body->len);
  put_le (page->data + 22, encore_ogg_page_crc (page->data, page->len), 4);
  g_byte_array_set_size (self->segments, 0);
  g_byte_array_set_size (self->body, 0);
  self->n_packets = 0;
  return self->write (page->data, page->len, self->data, error);
}

static void
add_packet (EncoreOggWriter *self, const guint8 *packet, gsize len)
{
  static const guint8 full = 255;
  const guint8 rest = len % 255;

  for (gsize i = 0; i < len / 255; i++)
    g_byte_array_append (self->segments, &full, 1);
  g_byte_array_append (self->segments, &rest, 1);
  g_byte_array_append (self->body, packet, len);
  self->n_packets++;
}

/* A header packet may be longer than a page: it is continued on the next ones. */
static gboolean
write_header_packet (EncoreOggWriter *self, const guint8 *packet, gsize len, guint8 flags,
                     GError **error)
{
  static const gsize page_body = 254 * 255;

  while (len > page_body) {
    static const guint8 full = 255;
    for (guint i = 0; i < 254; i++)
      g_byte_array_append (self->segments, &full, 1);
    g_byte_array_append (self->body, packet, page_body);
    if (!flush_page (self, flags, ENCORE_OGG_NO_GRANULE, error))
      return FALSE;
    flags = ENCORE_OGG_CONTINUED;
    packet += page_body;
    len -= page_body;
  }
  add_packet (self, packet, len);
  return flush_page (self, flags, 0, error);
}

static void
append_le32 (GByteArray *to, guint32 value)
{
  guint8 bytes[4];

  put_le (bytes, value, 4);
  g_byte_array_append (to, bytes, 4);
}

gboolean
encore_ogg_writer_begin (EncoreOggWriter *self, guint channels, guint pre_skip,
                         const char *const *comments, GError **error)
{
  static const char vendor[] = "encore";
  guint8 head[19] = "OpusHead"; /* RFC 7845 section 5.1; mapping family 0 */
  g_autoptr (GByteArray) tags = g_byte_array_new ();
  const guint n_comments = g_strv_length ((char **) comments);

  self->pre_skip = pre_skip;
  head[8] = 1;
  head[9] = channels;
  put_le (head + 10, pre_skip, 2);
  put_le (head + 12, ENCORE_OPUS_RATE_HZ, 4);
  if (!write_header_packet (self, head, sizeof head, ENCORE_OGG_FIRST, error))
    return FALSE;

  g_byte_array_append (tags, (const guint8 *) "OpusTags", 8);
  append_le32 (tags, strlen (vendor));
  g_byte_array_append (tags, (const guint8 *) vendor, strlen (vendor));
  append_le32 (tags, n_comments);
  for (guint i = 0; i < n_comments; i++) {
    append_le32 (tags, strlen (comments[i]));
    g_byte_array_append (tags, (const guint8 *) comments[i], strlen (comments[i]));
  }
  return write_header_packet (self, tags->data, tags->len, 0, error);
}

gboolean
encore_ogg_writer_packet (EncoreOggWriter *self, const guint8 *packet, gsize len, GError **error)
{
  const gsize segments = len / 255 + 1;

  g_return_val_if_fail (len > 0 && segments <= 255, FALSE);
  /* the page is flushed before a packet, not after one, so that the last one can be marked */
  if (self->n_packets > 0 &&
      (self->n_packets >= ENCORE_PAGE_PACKETS || self->segments->len + segments > 255) &&
      !flush_page (self, 0, self->granule, error))
    return FALSE;
  add_packet (self, packet, len);
  self->granule += ENCORE_PACKET_SAMPLES;
  return TRUE;
}

gboolean
encore_ogg_writer_flush (EncoreOggWriter *self, GError **error)
{
  return self->n_packets == 0 || flush_page (self, 0, self->granule, error);
}

gboolean
encore_ogg_writer_end (EncoreOggWriter *self, gint64 samples, GError **error)
{
  gint64 granule = self->granule;

  if (samples >= 0)
    granule = MIN (granule, samples + self->pre_skip);
  return flush_page (self, ENCORE_OGG_LAST, granule, error);
}
