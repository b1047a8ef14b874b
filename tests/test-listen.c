/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The stream of a listening room, its clock turned by hand. */
#include "config.h"

#include <string.h>

#include "base/encore-ogg-page.h"
#include "base/encore-ogg.h"
#include "hosts/listen/listen.h"
#include "hosts/listen/stream.h"

#define SILENCE 0 /* what packets () says of it */

typedef struct {
  Stream *stream;
  GByteArray *out;
  gint64 now_us;
  GArray *packets;       /* guint: number of each packet that went out, SILENCE for silence */
  GArray *granules;      /* gint64, of each page with packets */
  guint n_first, n_last; /* pages so marked */
} Room;

static void
put (Room *room, guint number, gboolean last)
{
  guint8 packet[300] = {0xfc}; /* longer than a lacing value */

  memcpy (packet + 1, &number, sizeof number);
  stream_put (room->stream, packet, sizeof packet, last);
}

static void
take_page (Room *room, const guint8 *page, const EncoreOggPage *header)
{
  const guint8 *body = page + header->header_len;
  gsize len = 0;

  g_assert_cmphex (encore_ogg_page_crc (page, header->header_len + header->body_len), ==,
                   header->crc);
  room->n_first += (header->flags & ENCORE_OGG_FIRST) != 0;
  room->n_last += (header->flags & ENCORE_OGG_LAST) != 0;
  if (memcmp (body, "OpusHead", 8) == 0 || memcmp (body, "OpusTags", 8) == 0)
    return;
  g_array_append_val (room->granules, header->granule);
  for (guint i = 0; i < header->n_segments; i++) {
    len += page[ENCORE_OGG_HEADER_BYTES + i];
    if (page[ENCORE_OGG_HEADER_BYTES + i] == 255)
      continue;
    guint number = SILENCE;
    if (len > 3)
      memcpy (&number, body + 1, sizeof number);
    g_array_append_val (room->packets, number);
    body += len;
    len = 0;
  }
}

/* What OUT holds is read and forgotten. */
static void
read_out (Room *room)
{
  for (gsize at = 0; at < room->out->len;) {
    EncoreOggPage header;
    g_assert_cmpint (encore_ogg_page_parse (room->out->data + at, room->out->len - at, &header), ==,
                     1);
    take_page (room, room->out->data + at, &header);
    at += header.header_len + header.body_len;
  }
  g_byte_array_set_size (room->out, 0);
}

static void
pass (Room *room, gint64 ms)
{
  room->now_us += ms * 1000;
  stream_pages (room->stream, room->now_us, room->out);
  read_out (room);
}

static Room *
room_new (gboolean chain)
{
  Room *room = g_new0 (Room, 1);

  room->stream = stream_new (chain);
  room->out = g_byte_array_new ();
  room->packets = g_array_new (FALSE, FALSE, sizeof (guint));
  room->granules = g_array_new (FALSE, FALSE, sizeof (gint64));
  room->now_us = 1000;
  stream_begin (room->stream, room->now_us, room->out);
  read_out (room);
  return room;
}

static void
room_free (Room *room)
{
  stream_free (room->stream);
  g_byte_array_unref (room->out);
  g_array_unref (room->packets);
  g_array_unref (room->granules);
  g_free (room);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Room, room_free)

static guint
packet (Room *room, guint i)
{
  g_assert_cmpuint (i, <, room->packets->len);
  return g_array_index (room->packets, guint, i);
}

static gint64
last_granule (Room *room)
{
  return g_array_index (room->granules, gint64, room->granules->len - 1);
}

static void
test_idle (void)
{
  g_autoptr (Room) room = room_new (FALSE);

  for (guint i = 0; i < 10; i++)
    pass (room, 100);
  g_assert_cmpuint (room->packets->len, ==, 50);
  for (guint i = 0; i < 50; i++)
    g_assert_cmpuint (packet (room, i), ==, SILENCE);
  g_assert_cmpuint (room->granules->len, ==, 10);
  g_assert_cmpint (last_granule (room), ==, 48000);
  g_assert_cmpuint (room->n_first, ==, 1);
  g_assert_cmpuint (room->n_last, ==, 0);
}

/* Packets come one a tick of the plugin, late by up to 60 ms; two songs follow each other; all are
 * heard in order and nothing is between them. */
static void
test_songs (void)
{
  g_autoptr (Room) room = room_new (FALSE);
  guint next = 1, first = 0;

  for (guint tick = 0; tick < 60; tick++) {
    const guint due = tick * 5 + 5 - (tick % 3); /* 0, 1 or 2 packets late */
    while (next <= due && next <= 200)
      put (room, next, next == 200), next++;
    pass (room, 100);
    if (next == 101)
      stream_put_title (room->stream, "the second song");
  }
  while (packet (room, first) == SILENCE)
    first++;
  g_assert_cmpuint (first, <=, 20);
  for (guint i = 0; i < 200; i++)
    g_assert_cmpuint (packet (room, first + i), ==, i + 1);
  for (guint i = first + 200; i < room->packets->len; i++)
    g_assert_cmpuint (packet (room, i), ==, SILENCE);
  g_assert_cmpint (last_granule (room), ==, 60 * 5 * 960);
  g_assert_cmpuint (room->n_first, ==, 1);
}

/* Less than the cushion waits; with its last packet it does not. */
static void
test_cushion (void)
{
  g_autoptr (Room) room = room_new (FALSE);

  for (guint i = 1; i <= 5; i++)
    put (room, i, FALSE);
  pass (room, 100);
  g_assert_cmpuint (packet (room, 4), ==, SILENCE);
  put (room, 6, TRUE);
  pass (room, 200);
  for (guint i = 0; i < 6; i++)
    g_assert_cmpuint (packet (room, 5 + i), ==, i + 1);
  g_assert_cmpuint (packet (room, 11), ==, SILENCE);
}

/* Whoever stands still makes up for it, up to 2 s; later the clock begins anew. */
static void
test_standstill (void)
{
  g_autoptr (Room) room = room_new (FALSE);

  pass (room, 1900);
  g_assert_cmpuint (room->packets->len, ==, 95);
  pass (room, 60000);
  g_assert_cmpuint (room->packets->len, ==, 95);
  pass (room, 100);
  g_assert_cmpuint (room->packets->len, ==, 100);
  g_assert_cmpint (last_granule (room), ==, 100 * 960);
}

/* Nobody takes pages: what waits is a second at most, the newest. */
static void
test_overflow (void)
{
  g_autoptr (Room) room = room_new (FALSE);

  for (guint i = 1; i <= 200; i++)
    put (room, i, FALSE);
  pass (room, 1000);
  for (guint i = 0; i < 50; i++)
    g_assert_cmpuint (packet (room, i), ==, 151 + i);
}

static void
test_skip (void)
{
  g_autoptr (Room) room = room_new (FALSE);

  for (guint i = 1; i <= 40; i++)
    put (room, i, FALSE);
  stream_skip (room->stream, room->now_us += 400000);
  stream_begin (room->stream, room->now_us, room->out);
  read_out (room);
  pass (room, 100);
  g_assert_cmpuint (packet (room, 0), ==, 21);
  g_assert_cmpint (last_granule (room), ==, 5 * 960);
}

static void
test_chain (void)
{
  g_autoptr (Room) room = room_new (TRUE);

  stream_put_title (room->stream, "");
  stream_put_title (room->stream, "One");
  for (guint i = 1; i <= 10; i++)
    put (room, i, FALSE);
  stream_put_title (room->stream, "Two");
  for (guint i = 11; i <= 20; i++)
    put (room, i, i == 20);
  stream_put_title (room->stream, "");
  pass (room, 600);
  stream_end (room->stream, room->out);
  read_out (room);
  g_assert_cmpuint (room->n_first, ==, 3);
  g_assert_cmpuint (room->n_last, ==, 3);
  g_assert_cmpuint (packet (room, 0), ==, SILENCE); /* the end of the stream before */
  for (guint i = 0; i < 10; i++) {
    g_assert_cmpuint (packet (room, 1 + i), ==, 1 + i);
    g_assert_cmpuint (packet (room, 12 + i), ==, 11 + i);
  }
}

static void
test_url (void)
{
  static const char *const good[] = {"http://127.0.0.1:8000/x.opus", "https://radio.example/a/b",
                                     "http://[::1]:8000/c.opus"};
  static const char *const bad[] = {"",
                                    "null",
                                    "127.0.0.1:8000/x",
                                    "file:///etc/passwd",
                                    "ftp://h/x",
                                    "http://h:8000",
                                    "http://h:8000/",
                                    "http:///x",
                                    "http://source:secret@h/x"};

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    g_assert_true (listen_check_url (good[i], NULL));
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autoptr (GError) error = NULL;
    g_assert_false (listen_check_url (bad[i], &error));
    g_assert_nonnull (strstr (error->message, "http://HOST:PORT/MOUNT.opus"));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/listen/idle", test_idle);
  g_test_add_func ("/listen/songs", test_songs);
  g_test_add_func ("/listen/cushion", test_cushion);
  g_test_add_func ("/listen/standstill", test_standstill);
  g_test_add_func ("/listen/overflow", test_overflow);
  g_test_add_func ("/listen/skip", test_skip);
  g_test_add_func ("/listen/chain", test_chain);
  g_test_add_func ("/listen/url", test_url);
  return g_test_run ();
}
