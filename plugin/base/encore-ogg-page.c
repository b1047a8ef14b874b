/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Page header and checksum of Ogg (RFC 3533 section 6). */
#include "config.h"
#include "base/encore-ogg-page.h"

#include <string.h>

#define CRC_OFFSET 22
#define CRC_POLYNOMIAL 0x04c11db7u

/* crc_tables[k][b]: what byte B leaves behind after K more bytes; eight bytes are taken at once. */
static guint32 crc_tables[8][256];

static void
make_tables (void)
{
  static gsize made;

  if (!g_once_init_enter (&made))
    return;
  for (guint32 i = 0; i < 256; i++) {
    guint32 r = i << 24;
    for (int bit = 0; bit < 8; bit++)
      r = (r << 1) ^ (r & 0x80000000u ? CRC_POLYNOMIAL : 0);
    crc_tables[0][i] = r;
  }
  for (int k = 1; k < 8; k++)
    for (guint32 i = 0; i < 256; i++) {
      const guint32 r = crc_tables[k - 1][i];
      crc_tables[k][i] = (r << 8) ^ crc_tables[0][r >> 24];
    }
  g_once_init_leave (&made, 1);
}

static guint32
crc_update (guint32 crc, const guint8 *data, gsize len)
{
  const guint32 (*const t)[256] = (const guint32 (*)[256]) crc_tables;

  for (; len >= 8; data += 8, len -= 8)
    crc = t[7][(crc >> 24) ^ data[0]] ^ t[6][(crc >> 16 & 0xff) ^ data[1]] ^
          t[5][(crc >> 8 & 0xff) ^ data[2]] ^ t[4][(crc & 0xff) ^ data[3]] ^ t[3][data[4]] ^
          t[2][data[5]] ^ t[1][data[6]] ^ t[0][data[7]];
  for (; len > 0; data++, len--)
    crc = (crc << 8) ^ t[0][(crc >> 24) ^ *data];
  return crc;
}

guint32
encore_ogg_page_crc (const guint8 *page, gsize len)
{
  static const guint8 zero[4];

  make_tables ();
  guint32 crc = crc_update (0, page, CRC_OFFSET);
  crc = crc_update (crc, zero, sizeof zero);
  return crc_update (crc, page + CRC_OFFSET + 4, len - CRC_OFFSET - 4);
}

static guint32
read_le32 (const guint8 *p)
{
  return p[0] | p[1] << 8 | p[2] << 16 | (guint32) p[3] << 24;
}

int
encore_ogg_page_parse (const guint8 *data, gsize len, EncoreOggPage *out)
{
  if (memcmp (data, "OggS", MIN (len, 4)) != 0 || (len > 4 && data[4] != 0))
    return -1;
  if (len < ENCORE_OGG_HEADER_BYTES || len < ENCORE_OGG_HEADER_BYTES + (gsize) data[26])
    return 0;
  out->flags = data[5];
  out->granule = MIN ((gint64) (read_le32 (data + 6) | (guint64) read_le32 (data + 10) << 32),
                      ENCORE_OGG_GRANULE_MAX);
  out->serial = read_le32 (data + 14);
  out->sequence = read_le32 (data + 18);
  out->crc = read_le32 (data + CRC_OFFSET);
  out->n_segments = data[26];
  out->header_len = ENCORE_OGG_HEADER_BYTES + out->n_segments;
  out->body_len = 0;
  for (guint i = 0; i < out->n_segments; i++)
    out->body_len += data[ENCORE_OGG_HEADER_BYTES + i];
  return 1;
}

guint
encore_ogg_page_count_packets (const guint8 *page, const EncoreOggPage *header)
{
  guint n = 0;

  for (guint i = 0; i < header->n_segments; i++)
    n += page[ENCORE_OGG_HEADER_BYTES + i] < 255;
  return n;
}
