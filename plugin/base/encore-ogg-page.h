/* SPDX-License-Identifier: LGPL-2.1-or-later
 * One Ogg page, as bytes (RFC 3533 section 6).  Private to encore-ogg-*.c. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define ENCORE_OGG_HEADER_BYTES 27
#define ENCORE_OGG_PAGE_MAX (ENCORE_OGG_HEADER_BYTES + 255 + 255 * 255)
#define ENCORE_OGG_CONTINUED 1
#define ENCORE_OGG_FIRST 2
#define ENCORE_OGG_LAST 4
#define ENCORE_OGG_NO_GRANULE (-1) /* no packet ends on the page */

/* Six years of sound: who announces more lies, and more would not count in every unit. */
#define ENCORE_OGG_GRANULE_MAX (G_MAXINT64 / 1000000)

typedef struct {
  guint8 flags;
  gint64 granule; /* at most ENCORE_OGG_GRANULE_MAX */
  guint32 serial, sequence, crc;
  guint n_segments;
  gsize header_len; /* with the segment table */
  gsize body_len;
} EncoreOggPage;

/* encore_ogg_page_parse: the header at DATA.
 * Returns: 1; 0: LEN is too short to say; -1: no page begins here. */
int encore_ogg_page_parse (const guint8 *data, gsize len, EncoreOggPage *out);
/* encore_ogg_page_crc: of a whole page, its own field taken as 0. */
guint32 encore_ogg_page_crc (const guint8 *page, gsize len);
/* encore_ogg_page_count_packets: packets that end on the page. */
guint encore_ogg_page_count_packets (const guint8 *page, const EncoreOggPage *header);

G_END_DECLS
