/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Files: the tags of an Ogg Opus file, its packets, and what any container says of its length. Read
 * as they are, and with every page's checksum put right, which no fuzzer guesses. */
#include "config.h"
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/encore-ogg-page.h"
#include "base/encore-ogg.h"
#include "import/encore-probe.h"
#include "sound/encore-announced.h"

static void
put_right (uint8_t *data, size_t size)
{
  EncoreOggPage page;

  for (size_t at = 0; at < size;) {
    if (encore_ogg_page_parse (data + at, size - at, &page) < 1 ||
        page.header_len + page.body_len > size - at) {
      at++;
      continue;
    }
    const gsize len = page.header_len + page.body_len;
    const guint32 crc = encore_ogg_page_crc (data + at, len);
    for (int i = 0; i < 4; i++)
      data[at + 22 + i] = crc >> 8 * i;
    at += len;
  }
}

static gssize
read_fd (gpointer data, gint64 offset, guint8 *buf, gsize len, GError **error)
{
  return pread (GPOINTER_TO_INT (data), buf, len, offset);
}

static void
read_packets (int fd, size_t size)
{
  g_autoptr (EncoreOggReader) reader = encore_ogg_reader_new (read_fd, GINT_TO_POINTER (fd));
  const guint8 *packet;
  gint64 pts_ns, last_ns = -1;
  EncoreOggResult result;
  gsize len, n = 0;

  encore_ogg_reader_set_size (reader, size, TRUE);
  do {
    g_autoptr (GError) error = NULL;
    result = encore_ogg_reader_next (reader, &packet, &len, &pts_ns, &error);
    MUST ((result == ENCORE_OGG_DAMAGED) == (error != NULL));
    MUST (result != ENCORE_OGG_WAIT);
    MUST (result != ENCORE_OGG_PACKET || (len <= size && pts_ns >= last_ns));
    last_ns = pts_ns;
  } while (result == ENCORE_OGG_PACKET && n++ < 100000);
  MUST (n < 100000);
  g_autoptr (GError) error = NULL;
  result = encore_ogg_reader_seek (reader, ENCORE_PACKET_NS, &error);
  MUST ((result == ENCORE_OGG_DAMAGED) == (error != NULL));
}

static void
read_all (int fd, size_t size)
{
  g_auto (EncoreOggSummary) summary = {0};
  g_autoptr (GError) error = NULL, damage = NULL, page = NULL, structure = NULL;
  gint64 packets = 0, announced_ms = -1;

  if (encore_ogg_summarise (fd, &summary, &error)) {
    MUST (summary.duration_ms >= 0 && summary.comments != NULL);
    encore_ogg_summary_get (&summary, "TITLE");
  } else {
    MUST (error != NULL);
  }
  MUST (encore_ogg_verify (fd, &packets, &damage) == (damage == NULL));
  MUST (encore_ogg_check_pages (fd, &page) == (page == NULL));
  MUST (encore_announced_ms (fd, &announced_ms, &structure) == (structure == NULL));
  MUST (announced_ms >= 0);
  read_packets (fd, size);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static int fd = -1;
  g_autofree uint8_t *right = g_memdup2 (data, size);

  if (fd < 0)
    fd = memfd_create ("fuzz", MFD_CLOEXEC);
  for (int i = 0; i < 2; i++) {
    if (i > 0)
      put_right (right, size);
    MUST (ftruncate (fd, 0) == 0 && pwrite (fd, right, size, 0) == (gssize) size);
    read_all (fd, size);
  }
  return 0;
}
