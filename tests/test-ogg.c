/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Ogg Opus written and read back: whole, growing, cut, damaged. */
#include "config.h"
#include "base/encore-ogg.h"
#include "base/encore-ogg-page.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define PACKETS 500

typedef struct {
  GByteArray *file;
  gint64 limit;
  guint reads;
} Bytes;

static gboolean
append (const guint8 *page, gsize len, gpointer data, GError **error)
{
  g_byte_array_append (data, page, len);
  return TRUE;
}

static gssize
read_bytes (gpointer data, gint64 offset, guint8 *buf, gsize len, GError **error)
{
  Bytes *bytes = data;
  const gint64 n = CLAMP (bytes->limit - offset, 0, (gint64) len);

  bytes->reads++;
  memcpy (buf, bytes->file->data + offset, n);
  return n;
}

/* Packet I: length and bytes follow from I; some are longer than one or more lacing values. */
static GByteArray *
make_packet (guint i)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (i);
  const gsize len = i % 50 == 7   ? 255
                    : i % 50 == 9 ? 1530
                                  : (gsize) g_rand_int_range (rand, 1, 400);
  GByteArray *packet = g_byte_array_new ();

  for (gsize k = 0; k < len; k++) {
    const guint8 byte = g_rand_int (rand);
    g_byte_array_append (packet, &byte, 1);
  }
  return packet;
}

static GByteArray *
make_file (const char *const *comments, gint64 samples)
{
  GByteArray *file = g_byte_array_new ();
  g_autoptr (EncoreOggWriter) writer = encore_ogg_writer_new (append, file);

  g_assert_true (encore_ogg_writer_begin (writer, 2, 312, comments, NULL));
  for (guint i = 0; i < PACKETS; i++) {
    g_autoptr (GByteArray) packet = make_packet (i);
    g_assert_true (encore_ogg_writer_packet (writer, packet->data, packet->len, NULL));
  }
  g_assert_true (encore_ogg_writer_end (writer, samples, NULL));
  return file;
}

static const char *const COMMENTS[] = {"ENCORE_ID=dQw4w9WgXcQ",
                                       "TITLE=a=b\n\"'$(x)%s \xf0\x9f\x8e\xb5", NULL};

static void
assert_packet (guint i, const guint8 *packet, gsize len, gint64 pts_ns)
{
  g_autoptr (GByteArray) expected = make_packet (i);

  g_assert_cmpmem (packet, len, expected->data, expected->len);
  g_assert_cmpint (pts_ns, ==, i * ENCORE_PACKET_NS);
}

static void
test_round_trip (void)
{
  g_autoptr (GByteArray) file = make_file (COMMENTS, -1);
  Bytes bytes = {.file = file, .limit = file->len};
  g_autoptr (EncoreOggReader) reader = encore_ogg_reader_new (read_bytes, &bytes);
  const guint8 *packet;
  gsize len;
  gint64 pts_ns;
  guint pages = 0;

  encore_ogg_reader_set_size (reader, file->len, TRUE);
  for (guint i = 0; i < PACKETS; i++) {
    g_assert_cmpint (encore_ogg_reader_next (reader, &packet, &len, &pts_ns, NULL), ==,
                     ENCORE_OGG_PACKET);
    assert_packet (i, packet, len, pts_ns);
  }
  g_assert_cmpint (encore_ogg_reader_next (reader, &packet, &len, &pts_ns, NULL), ==,
                   ENCORE_OGG_END);
  for (gsize i = 0; i + 4 <= file->len; i++)
    pages += memcmp (file->data + i, "OggS", 4) == 0;
  g_assert_cmpuint (bytes.reads, <=, 2 * pages); /* a room pays for each */
}

static void
test_growing (void)
{
  g_autoptr (GByteArray) file = make_file (COMMENTS, -1);
  Bytes bytes = {.file = file};
  g_autoptr (EncoreOggReader) reader = encore_ogg_reader_new (read_bytes, &bytes);
  const guint8 *packet;
  gsize len;
  gint64 pts_ns;
  guint got = 0;

  for (gint64 size = 0; size <= file->len; size++) {
    EncoreOggResult result;
    bytes.limit = size;
    encore_ogg_reader_set_size (reader, size, FALSE);
    while ((result = encore_ogg_reader_next (reader, &packet, &len, &pts_ns, NULL)) ==
           ENCORE_OGG_PACKET)
      assert_packet (got++, packet, len, pts_ns);
    if (size < file->len) {
      g_assert_cmpint (result, ==, ENCORE_OGG_WAIT);
      g_assert_cmpint (encore_ogg_reader_wants (reader), >, size);
    }
  }
  g_assert_cmpuint (got, ==, PACKETS);
}

static void
test_seek (void)
{
  g_autoptr (GByteArray) file = make_file (COMMENTS, PACKETS * 960 - 312 - 500);
  Bytes bytes = {.file = file, .limit = file->len};
  g_autoptr (EncoreOggReader) reader = encore_ogg_reader_new (read_bytes, &bytes);
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  const guint8 *packet;
  gsize len;
  gint64 pts_ns;

  encore_ogg_reader_set_size (reader, file->len, TRUE);
  for (int i = 0; i < 200; i++) {
    const guint target = g_rand_int_range (rand, 0, PACKETS);
    g_assert_cmpint (
        encore_ogg_reader_seek (
            reader, target * ENCORE_PACKET_NS + g_rand_int_range (rand, 0, 20000000), NULL),
        ==, ENCORE_OGG_PACKET);
    for (guint k = target; k < MIN (target + 3, PACKETS); k++) {
      g_assert_cmpint (encore_ogg_reader_next (reader, &packet, &len, &pts_ns, NULL), ==,
                       ENCORE_OGG_PACKET);
      assert_packet (k, packet, len, pts_ns);
    }
  }
  bytes.limit = file->len / 2;
  encore_ogg_reader_set_size (reader, bytes.limit, FALSE);
  g_assert_cmpint (encore_ogg_reader_seek (reader, (PACKETS - 1) * ENCORE_PACKET_NS, NULL), ==,
                   ENCORE_OGG_WAIT);
}

static int
write_temp (const guint8 *data, gsize len)
{
  g_autofree char *name = NULL;
  const int fd = g_file_open_tmp ("encore-ogg-XXXXXX", &name, NULL);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (g_unlink (name), ==, 0);
  g_assert_cmpint (write (fd, data, len), ==, len);
  return fd;
}

static void
test_summary (void)
{
  g_autoptr (GByteArray) file = make_file (COMMENTS, PACKETS * 960 - 312 - 500);
  const int fd = write_temp (file->data, file->len);
  g_auto (EncoreOggSummary) summary = {0};
  gint64 packets = 0;

  g_assert_true (encore_ogg_summarise (fd, &summary, NULL));
  g_assert_true (summary.complete);
  g_assert_cmpint (summary.duration_ms, ==, (PACKETS * 960 - 312 - 500) / 48);
  g_assert_cmpstr (encore_ogg_summary_get (&summary, "encore_id"), ==, "dQw4w9WgXcQ");
  g_assert_cmpstr (encore_ogg_summary_get (&summary, "TITLE"), ==, COMMENTS[1] + 6);
  g_assert_null (encore_ogg_summary_get (&summary, "NOTHING"));
  /* what cannot be read is not called broken */
  g_autofree char *unreadable = g_strdup_printf ("/proc/self/fd/%d", fd);
  const int write_only = open (unreadable, O_WRONLY | O_CLOEXEC);
  g_auto (EncoreOggSummary) nothing = {0};
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (write_only, >=, 0);
  g_assert_false (encore_ogg_summarise (write_only, &nothing, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE);
  close (write_only);
  g_assert_true (encore_ogg_verify (fd, &packets, NULL));
  g_assert_cmpint (packets, ==, PACKETS);
  close (fd);
}

/* A file cut anywhere is never called whole. */
static void
test_cut (void)
{
  g_autoptr (GByteArray) file = make_file (COMMENTS, -1);

  for (gsize len = 0; len < file->len; len += 1 + len % 97) {
    g_autoptr (GError) error = NULL;
    g_auto (EncoreOggSummary) summary = {0};
    const int fd = write_temp (file->data, len);
    g_assert_false (encore_ogg_verify (fd, NULL, &error));
    g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT);
    if (encore_ogg_summarise (fd, &summary, NULL))
      g_assert_false (summary.complete);
    close (fd);
  }
}

/* One flipped byte anywhere is found; many never crash the reader. */
static void
test_flipped (void)
{
  g_autoptr (GByteArray) file = make_file (COMMENTS, -1);
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);

  for (int round = 0; round < 1000; round++) {
    g_autoptr (GByteArray) bad = g_byte_array_new ();
    g_autoptr (GError) error = NULL;
    g_auto (EncoreOggSummary) summary = {0};
    g_byte_array_append (bad, file->data, file->len);
    for (int i = round % 3 == 0 ? 1 : 40; i > 0; i--)
      bad->data[g_rand_int_range (rand, 0, bad->len)] ^= g_rand_int_range (rand, 1, 256);
    const int fd = write_temp (bad->data, bad->len);
    g_assert_false (encore_ogg_verify (fd, NULL, &error));
    g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT);
    encore_ogg_summarise (fd, &summary, NULL);
    close (fd);
  }
}

/* The eight bytes at once of the table against the definition, bit by bit (RFC 3533 section 6). */
static void
test_checksum (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (3);
  guint8 page[600];

  for (gsize i = 0; i < sizeof page; i++)
    page[i] = g_rand_int (rand);
  for (gsize len = ENCORE_OGG_HEADER_BYTES; len <= sizeof page; len++) {
    guint32 crc = 0;
    for (gsize i = 0; i < len; i++) {
      crc ^= (guint32) (i >= 22 && i < 26 ? 0 : page[i]) << 24;
      for (int bit = 0; bit < 8; bit++)
        crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7u : 0);
    }
    g_assert_cmphex (encore_ogg_page_crc (page, len), ==, crc);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ogg/round-trip-is-bit-identical", test_round_trip);
  g_test_add_func ("/ogg/checksum-as-defined", test_checksum);
  g_test_add_func ("/ogg/growing-byte-by-byte-waits-and-is-never-damaged", test_growing);
  g_test_add_func ("/ogg/seek-is-exact", test_seek);
  g_test_add_func ("/ogg/summary-tags-and-duration", test_summary);
  g_test_add_func ("/ogg/cut-anywhere-is-not-whole", test_cut);
  g_test_add_func ("/ogg/one-flipped-byte-is-found", test_flipped);
  return g_test_run ();
}
