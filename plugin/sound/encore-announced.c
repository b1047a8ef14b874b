/* SPDX-License-Identifier: LGPL-2.1-or-later
 * How long a file ought to be, from its header.
 *
 * GStreamer cannot be asked: where nothing is announced it tells an estimate, and for Ogg, WAV and
 * a cut MP3 the length of what is there. */
#include "config.h"
#include "sound/encore-announced.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encore-ogg-page.h"

#define HEAD_BYTES 8192
#define WINDOW_BYTES (4 * ENCORE_OGG_PAGE_MAX)
#define CHUNKS_MAX \
  64 /* boxes and elements looked at, of those that may come before what is wanted */

static guint32
be32 (const guint8 *p)
{
  return (guint32) p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static guint32
le32 (const guint8 *p)
{
  return (guint32) p[3] << 24 | p[2] << 16 | p[1] << 8 | p[0];
}

static gssize
read_at (int fd, gint64 offset, guint8 *buf, gsize len)
{
  gssize n;

  do
    n = pread (fd, buf, len, offset);
  while (n < 0 && errno == EINTR);
  return n;
}

static gboolean
damaged (GError **error, const char *what, gint64 offset)
{
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "%s at byte %" G_GINT64_FORMAT, what,
               offset);
  return FALSE;
}

/* ---- Ogg: whatever codec, every page is whole and the last one says that it is */

/* One page at P.  Returns: its length, 0 with ERROR. */
static gsize
check_page (const guint8 *p, gsize len, gint64 offset, GHashTable *sequences, gboolean *last,
            GError **error)
{
  EncoreOggPage page;

  if (encore_ogg_page_parse (p, len, &page) < 1 || page.header_len + page.body_len > len) {
    damaged (error, "an Ogg page is cut off or damaged", offset);
    return 0;
  }
  const gsize whole = page.header_len + page.body_len;
  gpointer serial = GUINT_TO_POINTER (page.serial), expected;
  if (encore_ogg_page_crc (p, whole) != page.crc ||
      (g_hash_table_lookup_extended (sequences, serial, NULL, &expected) &&
       (page.flags & ENCORE_OGG_FIRST) == 0 && GPOINTER_TO_UINT (expected) != page.sequence)) {
    damaged (error, "an Ogg page is damaged or missing", offset);
    return 0;
  }
  g_hash_table_insert (sequences, serial, GUINT_TO_POINTER (page.sequence + 1));
  *last = (page.flags & ENCORE_OGG_LAST) != 0;
  return whole;
}

static gboolean
check_ogg (int fd, gint64 size, GError **error)
{
  g_autofree guint8 *window = g_malloc (WINDOW_BYTES);
  g_autoptr (GHashTable) sequences = g_hash_table_new (NULL, NULL);
  gint64 offset = 0;
  gboolean last = FALSE;

  while (offset < size) {
    const gssize n = read_at (fd, offset, window, WINDOW_BYTES);
    gssize at = 0;
    if (n <= 0)
      return damaged (error, "the file cannot be read", offset);
    while (at < n && (at == 0 || n - at >= ENCORE_OGG_PAGE_MAX || offset + n == size)) {
      const gsize len = check_page (window + at, n - at, offset + at, sequences, &last, error);
      if (len == 0)
        return FALSE;
      at += len;
    }
    offset += at;
  }
  return last || damaged (error, "the end of the Ogg stream is missing", size);
}

/* ---- WAV: the data is there to its end; a size of all ones was never filled in */

static gboolean
check_wav (int fd, gint64 size, GError **error)
{
  gint64 offset = 12;
  guint8 chunk[8];

  for (int i = 0; i < CHUNKS_MAX && read_at (fd, offset, chunk, 8) == 8; i++) {
    const guint32 len = le32 (chunk + 4);
    if (memcmp (chunk, "data", 4) == 0)
      return len == G_MAXUINT32 || offset + 8 + len <= size ||
             damaged (error, "the WAV file is cut off", size);
    offset += 8 + (gint64) len + (len & 1);
  }
  return damaged (error, "the WAV file has no data", size);
}

/* ---- Matroska: Segment, Info, Duration */

#define EBML_VOID 0xec
#define EBML_SEGMENT 0x18538067
#define EBML_INFO 0x1549a966
#define EBML_CLUSTER 0x1f43b675
#define EBML_SCALE 0x2ad7b1
#define EBML_DURATION 0x4489

typedef struct {
  guint32 id;
  gsize header; /* bytes */
  gint64 size;  /* of the content, -1: unknown */
} Element;

static gboolean
parse_element (const guint8 *p, gsize len, Element *out)
{
  const guint id_len = len > 0 && p[0] != 0 ? __builtin_clz (p[0]) - 23 : 9;

  if (id_len > 4 || len <= id_len || p[id_len] == 0)
    return FALSE;
  const guint size_len = __builtin_clz (p[id_len]) - 23;
  if (len < id_len + size_len)
    return FALSE;
  out->id = 0;
  for (guint i = 0; i < id_len; i++)
    out->id = out->id << 8 | p[i];
  guint64 size = p[id_len] & (0xff >> size_len);
  for (guint i = 1; i < size_len; i++)
    size = size << 8 | p[id_len + i];
  out->header = id_len + size_len;
  out->size = size == (G_GUINT64_CONSTANT (1) << 7 * size_len) - 1 ? -1 : (gint64) size;
  return TRUE;
}

static double
float_at (const guint8 *p, gsize len)
{
  guint64 bits = 0;
  double value;
  float small;

  for (gsize i = 0; i < len; i++)
    bits = bits << 8 | p[i];
  const guint32 low = bits;
  memcpy (&value, &bits, sizeof value);
  memcpy (&small, &low, sizeof small);
  return len == 8 ? value : len == 4 ? small : 0;
}

static gint64
info_ms (const guint8 *p, gsize len)
{
  double scale_ns = 1e6, duration = 0;
  Element e;

  for (gsize at = 0; parse_element (p + at, len - at, &e); at += e.header + e.size) {
    const guint8 *content = p + at + e.header;
    if (e.size < 0 || (guint64) e.size > len - at - e.header)
      break;
    if (e.id == EBML_DURATION)
      duration = float_at (content, e.size);
    for (gint64 i = 0; e.id == EBML_SCALE && i < e.size; i++)
      scale_ns = (i > 0 ? scale_ns * 256 : 0) + content[i];
  }
  const double ms = duration * scale_ns / 1e6;
  return ms > 0 && ms < G_MAXINT ? (gint64) ms : 0;
}

static gboolean
matroska_ms (int fd, gint64 size, gint64 *ms, GError **error)
{
  guint8 head[HEAD_BYTES];
  gboolean inside = FALSE;
  gint64 offset = 0;
  Element e;

  for (int i = 0; i < CHUNKS_MAX; i++) {
    const gssize n = read_at (fd, offset, head, sizeof head);
    if (n <= 0 || !parse_element (head, n, &e) || e.id == EBML_CLUSTER)
      break;
    const gint64 content = offset + (gint64) e.header;
    if (e.size > size - content)
      return damaged (error, "the Matroska file is cut off", size);
    if (e.id == EBML_INFO) {
      const gint64 there = n - (gint64) e.header;
      *ms = info_ms (head + e.header, e.size < 0 ? there : MIN (there, e.size));
      return TRUE;
    }
    inside = inside || e.id == EBML_SEGMENT;
    if (e.size < 0 && e.id != EBML_SEGMENT)
      break;
    offset = e.id == EBML_SEGMENT ? content : content + e.size;
  }
  return inside || damaged (error, "there is no Matroska segment", offset);
}

/* ---- MP4: moov, mvhd; in fragments mvex, mehd or the segment index */

typedef struct {
  guint8 head[32]; /* of the content, zeros beyond its end */
  gint64 content, end;
  char type[5];
} Box;

static gboolean
read_box (int fd, gint64 offset, gint64 limit, Box *out)
{
  guint8 p[16] = {0};
  const gssize n = limit - offset >= 8 ? read_at (fd, offset, p, 16) : 0;
  guint64 len = be32 (p);

  if (n < 8)
    return FALSE;
  memcpy (out->type, p + 4, 4);
  out->type[4] = '\0';
  out->content = offset + (len == 1 ? 16 : 8);
  if (len == 1)
    len = (guint64) be32 (p + 8) << 32 | be32 (p + 12);
  else if (len == 0)
    len = limit - offset;
  out->end = len < G_MAXINT64 / 2 ? offset + (gint64) len : G_MAXINT64;
  memset (out->head, 0, sizeof out->head);
  if (out->end > out->content)
    read_at (fd, out->content, out->head, MIN ((gint64) sizeof out->head, out->end - out->content));
  return out->end >= out->content;
}

/* The first box TYPE from OFFSET to LIMIT. */
static gboolean
find_box (int fd, gint64 offset, gint64 limit, const char *type, Box *out)
{
  for (int i = 0; i < CHUNKS_MAX && read_box (fd, offset, limit, out); i++) {
    if (strcmp (out->type, type) == 0)
      return TRUE;
    offset = out->end;
  }
  return FALSE;
}

static gint64
moov_ms (int fd, const Box *moov)
{
  Box mvhd, mvex, mehd;

  if (!find_box (fd, moov->content, moov->end, "mvhd", &mvhd))
    return 0;
  const gboolean wide = mvhd.head[0] == 1;
  const guint8 *p = mvhd.head + (wide ? 20 : 12);
  const guint32 scale = be32 (p);
  guint64 duration = wide ? (guint64) be32 (p + 4) << 32 | be32 (p + 8) : be32 (p + 4);
  if (duration == 0 && find_box (fd, moov->content, moov->end, "mvex", &mvex) &&
      find_box (fd, mvex.content, mvex.end, "mehd", &mehd))
    duration = mehd.head[0] == 1 ? (guint64) be32 (mehd.head + 4) << 32 | be32 (mehd.head + 8)
                                 : be32 (mehd.head + 4);
  return scale > 0 && duration < G_MAXUINT32 ? (gint64) (duration * 1000 / scale) : 0;
}

/* Of the media that a sidx box refers to (ISO/IEC 14496-12, 8.16.3). */
static gint64
sidx_ms (int fd, const Box *sidx)
{
  const guint32 scale = be32 (sidx->head + 8);
  const gsize at = sidx->head[0] == 0 ? 22 : 30; /* of the count */
  const guint count = sidx->head[at] << 8 | sidx->head[at + 1];
  g_autofree guint8 *entries = g_malloc (count * 12 + 1);
  guint64 duration = 0;

  const gssize n = read_at (fd, sidx->content + at + 2, entries, count * 12);
  for (gssize i = 0; i + 12 <= n; i += 12)
    if ((entries[i] & 0x80) == 0) /* not another index */
      duration += be32 (entries + i + 4);
  return scale > 0 ? MIN (duration * 1000 / scale, G_MAXINT32) : 0;
}

/* Four printable letters; what is not begins in the middle of something. */
static gboolean
is_type (const char *type)
{
  for (int i = 0; i < 4; i++)
    if (type[i] < ' ' || type[i] > '~')
      return FALSE;
  return TRUE;
}

static gboolean
mp4_ms (int fd, gint64 size, gint64 *ms, GError **error)
{
  gint64 offset = 0, indexed_ms = 0;
  gboolean found = FALSE, fragments = FALSE;
  Box box;

  while (read_box (fd, offset, size, &box)) {
    if (box.end > size)
      return damaged (error, "the MP4 file is cut off", size);
    if (strcmp (box.type, "moov") == 0 && !found) {
      *ms = moov_ms (fd, &box);
      found = TRUE;
    } else if (strcmp (box.type, "sidx") == 0) {
      indexed_ms += sidx_ms (fd, &box);
    }
    if (fragments && !is_type (box.type))
      return damaged (error, "a fragment of the MP4 file is damaged", offset);
    fragments = fragments || strcmp (box.type, "moof") == 0;
    offset = box.end;
  }
  if (fragments && offset < size) /* too little for a box: what came of the last fragment */
    return damaged (error, "a fragment of the MP4 file is cut off", offset);
  *ms = *ms > 0 ? *ms : indexed_ms;
  return found || damaged (error, "the index of the MP4 file is missing", size);
}

/* ---- FLAC: samples in STREAMINFO, the first block */

static gint64
flac_ms (const guint8 *head, gsize len)
{
  if (len < 26)
    return 0;
  const guint32 rate = be32 (head + 18) >> 12;
  const guint64 samples = (guint64) (head[21] & 0xf) << 32 | be32 (head + 22);
  return rate > 0 ? (gint64) (samples * 1000 / rate) : 0;
}

/* ---- MPEG audio, layer III: frames in the Xing header of the first one */

static gint64
xing_ms (const guint8 *p, gsize len)
{
  static const guint32 rates[3] = {44100, 48000, 32000};
  const guint version = p[1] >> 3 & 3, rate_index = p[2] >> 2 & 3;
  const gboolean mono = p[3] >> 6 == 3, first = version == 3;
  const gsize at = 4 + (first ? (mono ? 17 : 32) : (mono ? 9 : 17));

  if (version == 1 || (p[1] >> 1 & 3) != 1 || rate_index == 3 || len < at + 12)
    return -1;
  if (memcmp (p + at, "Xing", 4) != 0 && memcmp (p + at, "Info", 4) != 0)
    return 0;
  const guint32 rate = rates[rate_index] >> (first ? 0 : version == 2 ? 1 : 2);
  const gint64 frames = (be32 (p + at + 4) & 1) != 0 ? be32 (p + at + 8) : 0;
  return frames * (first ? 1152 : 576) * 1000 / rate;
}

static gint64
mp3_ms (int fd)
{
  g_autofree guint8 *head = g_malloc (HEAD_BYTES);
  gint64 offset = 0;
  gssize n = read_at (fd, 0, head, HEAD_BYTES);

  if (n >= 10 && memcmp (head, "ID3", 3) == 0) {
    offset = 10 + ((head[6] & 0x7f) << 21 | (head[7] & 0x7f) << 14 | (head[8] & 0x7f) << 7 |
                   (head[9] & 0x7f));
    n = read_at (fd, offset, head, HEAD_BYTES);
  }
  for (gssize i = 0; i + 4 <= n; i++) {
    if (head[i] != 0xff || (head[i + 1] & 0xe0) != 0xe0)
      continue;
    const gint64 ms = xing_ms (head + i, n - i);
    if (ms >= 0)
      return ms;
  }
  return 0;
}

gboolean
encore_announced_ms (int fd, gint64 *announced_ms, GError **error)
{
  guint8 head[32] = {0};
  const gssize n = read_at (fd, 0, head, sizeof head);
  struct stat st;

  *announced_ms = 0;
  if (n <= 0 || fstat (fd, &st) < 0)
    return damaged (error, "there is nothing in it", 0);
  if (memcmp (head, "OggS", 4) == 0)
    return check_ogg (fd, st.st_size, error);
  if (memcmp (head, "RIFF", 4) == 0 && memcmp (head + 8, "WAVE", 4) == 0)
    return check_wav (fd, st.st_size, error);
  if (memcmp (head, "\x1a\x45\xdf\xa3", 4) == 0)
    return matroska_ms (fd, st.st_size, announced_ms, error);
  if (memcmp (head + 4, "ftyp", 4) == 0)
    return mp4_ms (fd, st.st_size, announced_ms, error);
  if (memcmp (head, "fLaC", 4) == 0)
    *announced_ms = flac_ms (head, n);
  else if (memcmp (head, "ID3", 3) == 0 || (head[0] == 0xff && (head[1] & 0xe0) == 0xe0))
    *announced_ms = mp3_ms (fd);
  return TRUE;
}
