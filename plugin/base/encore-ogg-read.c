/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Packets of an Ogg Opus file that may still grow.
 *
 * The reader holds one page.  A page counts only when it is there whole and its CRC is right, so
 * that "not yet" and "damaged" are never mistaken for each other. */
#include "config.h"
#include "base/encore-ogg.h"

#include <string.h>

#include "base/encore-ogg-page.h"

#define LINEAR_BYTES 16384 /* below this distance pages are walked, not bisected */
#define BUFFER_BYTES 4096  /* most pages: 200 ms at 160 kbit/s */

struct EncoreOggReader {
  EncoreOggReadFunc read;
  gpointer data;
  gint64 available;
  gboolean complete;
  gint64 wants;        /* bytes that must be there to go on */
  gint64 offset;       /* of the next page */
  gint64 audio_offset; /* of the first page after the headers; 0: not reached */
  GBytes *headers[2];  /* OpusHead, OpusTags */
  guint n_headers;     /* of them read */
  gint64 index;        /* of the next packet */
  gboolean have_serial, ended;
  guint32 serial, sequence;
  guint8 *page;                /* BUFFER_BYTES at least */
  gsize page_bytes, page_have; /* its size, and how much of it is read */
  EncoreOggPage header;        /* of the page in use */
  EncoreOggPage loaded;        /* of the page that was read last, in use or not */
  guint segment;               /* next lacing value of the page; n_segments: page used up */
  gsize body_at;
  GByteArray *packet;  /* one that spans pages */
  gboolean handed_out; /* PACKET was given to the caller */
};

EncoreOggReader *
encore_ogg_reader_new (EncoreOggReadFunc read, gpointer data)
{
  EncoreOggReader *self = g_new0 (EncoreOggReader, 1);

  self->read = read;
  self->data = data;
  self->page = g_malloc (BUFFER_BYTES);
  self->page_bytes = BUFFER_BYTES;
  self->packet = g_byte_array_new ();
  return self;
}

void
encore_ogg_reader_free (EncoreOggReader *self)
{
  if (self == NULL)
    return;
  for (guint i = 0; i < self->n_headers; i++)
    g_bytes_unref (self->headers[i]);
  g_free (self->page);
  g_byte_array_unref (self->packet);
  g_free (self);
}

void
encore_ogg_reader_set_size (EncoreOggReader *self, gint64 available, gboolean complete)
{
  self->available = available;
  self->complete = complete;
}

gint64
encore_ogg_reader_wants (EncoreOggReader *self)
{
  return self->wants;
}

void
encore_ogg_reader_get_headers (EncoreOggReader *self, const guint8 **head, gsize *head_len,
                               const guint8 **tags, gsize *tags_len)
{
  g_return_if_fail (self->n_headers == 2);
  *head = g_bytes_get_data (self->headers[0], head_len);
  *tags = g_bytes_get_data (self->headers[1], tags_len);
}

static EncoreOggResult
damaged (GError **error, const char *what, gint64 offset)
{
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "%s at byte %" G_GINT64_FORMAT, what,
               offset);
  return ENCORE_OGG_DAMAGED;
}

/* LEN bytes at OFFSET must be there.  PACKET stands for "they are". */
static EncoreOggResult
need (EncoreOggReader *self, gint64 offset, gsize len, GError **error)
{
  if (offset + (gint64) len <= self->available)
    return ENCORE_OGG_PACKET;
  if (self->complete)
    return damaged (error, "the file is cut off", self->available);
  self->wants = offset + len;
  return ENCORE_OGG_WAIT;
}

/* The first LEN bytes of the page at OFFSET; what is there and fits is read with them, so that most
 * pages take one read. */
static EncoreOggResult
read_page (EncoreOggReader *self, gint64 offset, gsize len, GError **error)
{
  const EncoreOggResult there = need (self, offset, len, error);

  if (there != ENCORE_OGG_PACKET)
    return there;
  if (len > self->page_bytes) {
    self->page = g_realloc (self->page, len);
    self->page_bytes = len;
  }
  while (self->page_have < len) {
    const gint64 at = offset + (gint64) self->page_have;
    const gsize most = MIN ((gint64) (self->page_bytes - self->page_have), self->available - at);
    const gssize n = self->read (self->data, at, self->page + self->page_have, most, error);
    if (n < 0)
      return ENCORE_OGG_DAMAGED;
    if (n == 0)
      return damaged (error, "the file is cut off", at);
    self->page_have += n;
  }
  return ENCORE_OGG_PACKET;
}

/* The whole page at OFFSET into self->page and self->header. */
static EncoreOggResult
load_page_at (EncoreOggReader *self, gint64 offset, GError **error)
{
  self->page_have = 0;
  EncoreOggResult result = read_page (self, offset, ENCORE_OGG_HEADER_BYTES, error);
  if (result != ENCORE_OGG_PACKET)
    return result;
  result = read_page (self, offset, ENCORE_OGG_HEADER_BYTES + self->page[26], error);
  if (result != ENCORE_OGG_PACKET)
    return result;
  if (encore_ogg_page_parse (self->page, ENCORE_OGG_HEADER_BYTES + self->page[26], &self->loaded) <
      1)
    return damaged (error, "no Ogg page", offset);

  const gsize len = self->loaded.header_len + self->loaded.body_len;
  result = read_page (self, offset, len, error);
  if (result != ENCORE_OGG_PACKET)
    return result;
  if (encore_ogg_page_crc (self->page, len) != self->loaded.crc)
    return damaged (error, "wrong checksum of the page", offset);
  return ENCORE_OGG_PACKET;
}

static void
use_page (EncoreOggReader *self, gint64 offset)
{
  self->header = self->loaded;
  self->offset = offset + self->header.header_len + self->header.body_len;
  self->segment = 0;
  self->body_at = self->header.header_len;
}

/* The next page in order. */
static EncoreOggResult
next_page (EncoreOggReader *self, GError **error)
{
  const gint64 offset = self->offset;

  if (self->ended)
    return ENCORE_OGG_END;
  const EncoreOggResult result = load_page_at (self, offset, error);
  if (result != ENCORE_OGG_PACKET)
    return result;
  if (self->have_serial && self->loaded.serial != self->serial)
    return damaged (error, "a page of another stream", offset);
  if (self->have_serial && self->loaded.sequence != self->sequence + 1)
    return damaged (error, "a page is missing", offset);
  self->have_serial = TRUE;
  self->serial = self->loaded.serial;
  self->sequence = self->loaded.sequence;
  self->ended = (self->loaded.flags & ENCORE_OGG_LAST) != 0;
  use_page (self, offset);
  return ENCORE_OGG_PACKET;
}

/* The rest of a packet that begins at the current segment; FALSE when it goes on in the next page.
 * A packet within one page is not copied. */
static gboolean
take_from_page (EncoreOggReader *self, const guint8 **packet, gsize *len)
{
  const guint8 *lacing = self->page + ENCORE_OGG_HEADER_BYTES;
  gsize n = 0;
  gboolean whole = FALSE;

  while (self->segment < self->header.n_segments && !whole) {
    n += lacing[self->segment];
    whole = lacing[self->segment++] < 255;
  }
  *packet = self->page + self->body_at;
  *len = n;
  self->body_at += n;
  if (whole && self->packet->len == 0)
    return TRUE;
  g_byte_array_append (self->packet, *packet, n);
  *packet = self->packet->data;
  *len = self->packet->len;
  return whole;
}

static EncoreOggResult
raw_packet (EncoreOggReader *self, const guint8 **packet, gsize *len, GError **error)
{
  gboolean whole = FALSE;

  while (!whole) {
    if (self->segment >= self->header.n_segments) {
      const EncoreOggResult result = next_page (self, error);
      if (result == ENCORE_OGG_END && self->packet->len > 0)
        return damaged (error, "the last packet is cut off", self->offset);
      if (result != ENCORE_OGG_PACKET)
        return result;
      continue;
    }
    whole = take_from_page (self, packet, len);
  }
  return ENCORE_OGG_PACKET;
}

static EncoreOggResult
read_headers (EncoreOggReader *self, GError **error)
{
  const guint8 *packet;
  gsize len;

  while (self->n_headers < 2) {
    const EncoreOggResult result = raw_packet (self, &packet, &len, error);
    if (result == ENCORE_OGG_END)
      return damaged (error, "no music", 0);
    if (result != ENCORE_OGG_PACKET)
      return result;
    if (len < 8 || memcmp (packet, self->n_headers == 0 ? "OpusHead" : "OpusTags", 8) != 0)
      return damaged (error, "no Ogg Opus", 0);
    self->headers[self->n_headers++] = g_bytes_new (packet, len);
    g_byte_array_set_size (self->packet, 0);
  }
  self->audio_offset = self->offset;
  return ENCORE_OGG_PACKET;
}

EncoreOggResult
encore_ogg_reader_next (EncoreOggReader *self, const guint8 **packet, gsize *len, gint64 *pts_ns,
                        GError **error)
{
  if (self->n_headers < 2) {
    const EncoreOggResult result = read_headers (self, error);
    if (result != ENCORE_OGG_PACKET)
      return result;
  }
  if (self->handed_out)
    g_byte_array_set_size (self->packet, 0);
  self->handed_out = FALSE;
  const EncoreOggResult result = raw_packet (self, packet, len, error);
  if (result == ENCORE_OGG_PACKET) {
    *pts_ns = self->index++ * ENCORE_PACKET_NS;
    self->handed_out = TRUE;
  }
  return result;
}

/* ---- seeking */

/* First packet that begins on the loaded page; -1 if none ends there. */
static gint64
first_index (const EncoreOggReader *self)
{
  if (self->loaded.granule < 0)
    return -1;
  /* rounded up: the last page's granule may be trimmed by less than a packet */
  const gint64 end = (self->loaded.granule + ENCORE_PACKET_SAMPLES - 1) / ENCORE_PACKET_SAMPLES;
  return end - encore_ogg_page_count_packets (self->page, &self->loaded);
}

/* The first valid page at or after FROM and before TO; -1 if there is none. */
static gint64
find_page (EncoreOggReader *self, gint64 from, gint64 to)
{
  guint8 window[4096];

  while (from < to) {
    const gssize n =
        self->read (self->data, from, window, MIN ((gint64) sizeof window, to - from), NULL);
    if (n < 4)
      return -1;
    for (gssize i = 0; i + 4 <= n; i++)
      if (memcmp (window + i, "OggS", 4) == 0 &&
          load_page_at (self, from + i, NULL) == ENCORE_OGG_PACKET && first_index (self) >= 0)
        return from + i;
    from += n - 3;
  }
  return -1;
}

/* A page not after the one that holds packet TARGET, close to it. */
static gint64
bisect (EncoreOggReader *self, gint64 target)
{
  gint64 low = self->audio_offset, high = self->available;

  while (high - low > LINEAR_BYTES) {
    const gint64 middle = low + (high - low) / 2;
    const gint64 page = find_page (self, middle, high);
    if (page < 0 || first_index (self) > target)
      high = middle;
    else
      low = page;
  }
  return low;
}

EncoreOggResult
encore_ogg_reader_seek (EncoreOggReader *self, gint64 pts_ns, GError **error)
{
  const gint64 target = MAX (pts_ns, 0) / ENCORE_PACKET_NS;
  const guint8 *packet;
  gsize len;

  if (self->n_headers < 2) {
    const EncoreOggResult result = read_headers (self, error);
    if (result != ENCORE_OGG_PACKET)
      return result;
  }
  const gint64 offset = bisect (self, target);
  EncoreOggResult result = load_page_at (self, offset, error);
  if (result != ENCORE_OGG_PACKET)
    return result;
  self->serial = self->loaded.serial;
  self->sequence = self->loaded.sequence;
  self->have_serial = TRUE;
  self->ended = (self->loaded.flags & ENCORE_OGG_LAST) != 0;
  g_byte_array_set_size (self->packet, 0);
  self->handed_out = FALSE;
  self->index = MAX (first_index (self), 0);
  use_page (self, offset);
  while (self->index < target) {
    result = raw_packet (self, &packet, &len, error);
    if (result != ENCORE_OGG_PACKET)
      return result;
    g_byte_array_set_size (self->packet, 0);
    self->index++;
  }
  return ENCORE_OGG_PACKET;
}
