/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Songs whose bytes follow from their ids. */
#include "config.h"
#include "song.h"

#include <string.h>

#include "base/encore-media-id.h"
#include "base/encore-ogg-page.h"
#include "base/encore-ogg.h"

#define MAX_PACKETS 150
#define MAX_PACKET_BYTES 300
#define MAX_SOURCE_BYTES 8000

void
dice_seed (Dice *dice, guint64 seed)
{
  dice->state = seed * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15) + 1;
  for (int i = 0; i < 4; i++)
    dice_roll (dice, 2);
}

guint
dice_roll (Dice *dice, guint n)
{
  guint64 x = dice->state;

  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  dice->state = x;
  return ((x * G_GUINT64_CONSTANT (0x2545f4914f6cdd1d)) >> 33) % n;
}

char *
song_id (guint index)
{
  if (index % 5 == 4)
    return g_strdup_printf ("SONG%05uA", index - 1);
  return g_strdup_printf (index % 7 == 0 ? "-song%05uA" : "song%05uA", index);
}

char *
song_title (const char *id)
{
  return g_strconcat ("Title of ", id, NULL);
}

/* The writer draws a serial of its own: ours follows from the id. */
static gboolean
append_page (const guint8 *page, gsize len, gpointer data, GError **error)
{
  GByteArray *file = data;
  const gsize at = file->len;

  g_byte_array_append (file, page, len);
  memcpy (file->data + at + 14, "SONG", 4);
  memset (file->data + at + 22, 0, 4);
  const guint32 crc = GUINT32_TO_LE (encore_ogg_page_crc (file->data + at, len));
  memcpy (file->data + at + 22, &crc, 4);
  return TRUE;
}

GByteArray *
song_opus (const char *id)
{
  GByteArray *file = g_byte_array_new ();
  g_autoptr (EncoreOggWriter) writer = encore_ogg_writer_new (append_page, file);
  g_autofree char *title = song_title (id);
  g_autofree char *id_tag = g_strconcat ("ENCORE_ID=", id, NULL);
  g_autofree char *title_tag = g_strconcat ("TITLE=", title, NULL);
  const char *const comments[] = {id_tag, title_tag, NULL};
  guint8 packet[MAX_PACKET_BYTES];
  Dice dice;

  dice_seed (&dice, encore_id_hash (id));
  encore_ogg_writer_begin (writer, 2, 312, comments, NULL);
  for (guint left = 2 + dice_roll (&dice, MAX_PACKETS); left > 0; left--) {
    const guint len = 20 + dice_roll (&dice, MAX_PACKET_BYTES - 20);
    for (guint i = 1; i < len; i++)
      packet[i] = dice_roll (&dice, 256);
    packet[0] = 0xfc; /* CELT 20 ms, stereo, one frame */
    encore_ogg_writer_packet (writer, packet, len, NULL);
  }
  encore_ogg_writer_end (writer, -1, NULL);
  return file;
}

GByteArray *
song_source (const char *id)
{
  Dice dice;

  dice_seed (&dice, ~encore_id_hash (id));
  if (dice_roll (&dice, 2) == 0)
    return NULL;
  GByteArray *file = g_byte_array_new ();
  g_byte_array_set_size (file, 500 + dice_roll (&dice, MAX_SOURCE_BYTES));
  for (guint i = 0; i < file->len; i++)
    file->data[i] = dice_roll (&dice, 256);
  return file;
}
