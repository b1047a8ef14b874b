/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What can be heard of a song while it comes: Opus packets as they are, everything else encoded;
 * told as soon as the bytes are there, and its end with its reason. */
#include "config.h"
#include "fetch/encore-early.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/encore-ogg.h"
#include "sound-fixture.h"
#include "store-fixture.h"

#define SONG_S 6
#define MUSIC "-f lavfi -i \"sine=frequency=500:sample_rate=48000:duration=6\" -ac 2"
#define WEBM "-c:a libopus -b:a 128k -cues_to_front 1"
#define PATIENCE_US (20 * G_USEC_PER_SEC)

typedef struct {
  char *dir;
  char *whole, *path; /* the song, and as much of it as has come */
  gint64 bytes;
  GCancellable *closing;
  GThreadPool *pool;
  EncoreEarly *early;
  EncoreReader *reader;
  EncoreOggReader *ogg;
  guint packets;
  GString *sums; /* of the packets, a line each */
} Rig;

static gssize
read_reader (gpointer data, gint64 offset, guint8 *buf, gsize len, GError **error)
{
  return encore_reader_read (data, offset, buf, len, error);
}

/* Appends the song's bytes up to BYTES (-1: all) to what has come. */
static void
come (Rig *rig, gint64 bytes)
{
  g_autofree char *content = NULL;
  gsize len;
  const int fd = open (rig->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

  g_assert_cmpint (fd, >=, 0);
  g_assert_true (g_file_get_contents (rig->whole, &content, &len, NULL));
  if (bytes < 0 || bytes > (gint64) len)
    bytes = len;
  const gssize n = pwrite (fd, content + rig->bytes, bytes - rig->bytes, rig->bytes);
  g_assert_cmpint (n, ==, bytes - rig->bytes);
  close (fd);
  rig->bytes = bytes;
  if (rig->early != NULL)
    encore_early_advance (rig->early, rig->path, bytes);
}

/* OPTIONS: of ffmpeg, how it is encoded.  FIRST bytes have come. */
static void
begin (Rig *rig, const char *name, const char *options, gint64 first)
{
  g_autoptr (GError) error = NULL;

  rig->whole = g_build_filename (rig->dir, name, NULL);
  rig->path = g_build_filename (rig->dir, "coming", NULL);
  g_free (sound_run ("ffmpeg -v error -y " MUSIC " %s %s", options, rig->whole));
  come (rig, first);
  rig->early = encore_early_new (rig->pool, rig->path, rig->dir, 128000, &error);
  g_assert_no_error (error);
  rig->reader = encore_reader_ref (encore_early_get_reader (rig->early));
  rig->ogg = encore_ogg_reader_new (read_reader, rig->reader);
  encore_early_advance (rig->early, rig->path, rig->bytes);
}

static void
take_packet (Rig *rig, const guint8 *packet, gsize len)
{
  g_autofree char *sum = g_compute_checksum_for_data (G_CHECKSUM_MD5, packet, len);

  g_string_append_printf (rig->sums, "%s\n", sum);
  rig->packets++;
}

/* Until PACKETS were read or no more come.  Returns: what the reader said last. */
static EncoreOggResult
hear (Rig *rig, guint packets, GError **error)
{
  const gint64 until_us = g_get_monotonic_time () + PATIENCE_US;
  EncoreOggResult result = ENCORE_OGG_PACKET;

  while (rig->packets < packets && g_get_monotonic_time () < until_us) {
    const guint8 *packet;
    gsize len;
    gint64 pts_ns;
    gboolean complete;
    const gint64 size = encore_reader_get_size (rig->reader, &complete);
    encore_ogg_reader_set_size (rig->ogg, size, complete);
    result = encore_ogg_reader_next (rig->ogg, &packet, &len, &pts_ns, error);
    if (result == ENCORE_OGG_PACKET)
      take_packet (rig, packet, len);
    else if (result != ENCORE_OGG_WAIT || !encore_reader_check (rig->reader, size, error))
      return result;
    else
      g_usleep (1000);
  }
  return result;
}

static void
set_up (Rig *rig, gconstpointer data)
{
  rig->dir = fixture_make_dir ();
  rig->closing = g_cancellable_new ();
  rig->pool = g_thread_pool_new (encore_early_run, rig->closing, -1, FALSE, NULL);
  rig->sums = g_string_new (NULL);
}

static void
tear_down (Rig *rig, gconstpointer data)
{
  encore_early_free (rig->early);
  g_thread_pool_free (rig->pool, FALSE, TRUE);
  g_clear_pointer (&rig->ogg, encore_ogg_reader_free);
  g_clear_pointer (&rig->reader, encore_reader_unref);
  g_object_unref (rig->closing);
  g_string_free (rig->sums, TRUE);
  fixture_remove (rig->dir);
  g_free (rig->whole);
  g_free (rig->path);
  g_free (rig->dir);
}

/* The packets of the song as ffmpeg takes them out of it. (transfer full) */
static char *
source_sums (Rig *rig)
{
  g_autofree char *text =
      sound_output ("ffmpeg -v error -i %s -map 0:a -c copy -f framemd5 -", rig->whole);
  g_auto (GStrv) lines = g_strsplit (g_strstrip (text), "\n", -1);
  GString *sums = g_string_new (NULL);

  for (char **line = lines; *line != NULL; line++) {
    g_auto (GStrv) fields = g_strsplit (*line, ",", -1); /* the sixth; side data may follow */
    if (**line != '#' && g_strv_length (fields) > 5)
      g_string_append_printf (sums, "%s\n", g_strstrip (fields[5]));
  }
  return g_string_free (sums, FALSE);
}

typedef struct {
  const char *name, *options;
  gint64 first; /* bytes that are enough to hear it */
} Codec;

static const Codec OPUS[] = {
    {"song.webm", WEBM, 8192},
    {"song.opus", "-c:a libopus -b:a 128k -page_duration 200000", 20000},
    {"all.webm", WEBM, -1},
};

static void
test_opus (Rig *rig, gconstpointer data)
{
  const Codec *codec = data;
  g_autoptr (GError) error = NULL;

  begin (rig, codec->name, codec->options, codec->first);
  hear (rig, 10, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (rig->packets, ==, 10); /* while nothing more comes */
  come (rig, MAX (rig->bytes, 50000));
  come (rig, -1);
  encore_early_complete (rig->early, rig->path);
  g_assert_cmpint (hear (rig, G_MAXUINT, &error), ==, ENCORE_OGG_END);
  g_assert_no_error (error);
  g_autofree char *expected = source_sums (rig);
  g_assert_true (g_str_equal (rig->sums->str, expected)); /* too long to be printed */
  g_assert_cmpuint (rig->packets, ==, SONG_S * 50 + 1);
}

static const Codec CODECS[] = {
    {"song.mp3", "-c:a libmp3lame -b:a 128k", 40960},
    {"song.m4a", "-c:a aac -movflags +dash+global_sidx -frag_duration 1000000", 60000},
    {"song.ogg", "-c:a libvorbis", 40960},
};

static void
test_transcode (Rig *rig, gconstpointer data)
{
  const Codec *codec = data;
  g_autoptr (GError) error = NULL;

  begin (rig, codec->name, codec->options, codec->first);
  hear (rig, 10, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (rig->packets, ==, 10);
  come (rig, -1);
  encore_early_complete (rig->early, rig->path);
  g_assert_cmpint (hear (rig, G_MAXUINT, &error), ==, ENCORE_OGG_END);
  g_assert_cmpint (ABS ((int) rig->packets - SONG_S * 50), <=, 5);
}

static void
test_lost (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) reason =
      g_error_new_literal (ENCORE_ERROR, ENCORE_ERROR_NETWORK, "gone for ever");
  g_autoptr (GError) error = NULL;

  begin (rig, "song.webm", WEBM, 50000);
  hear (rig, 10, &error);
  encore_early_fail (rig->early, reason);
  hear (rig, G_MAXUINT, &error);
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_NETWORK);
  g_assert_cmpuint (rig->packets, >, 100); /* what came is heard before */
}

static void
test_another_file (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  begin (rig, "song.webm", WEBM, 50000);
  hear (rig, 10, &error);
  g_unlink (rig->path);
  rig->bytes = 0;
  come (rig, 20000);
  hear (rig, G_MAXUINT, &error);
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT);
}

static void
test_no_sound (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  begin (rig, "song.webm", WEBM, 100);
  encore_early_complete (rig->early, rig->path); /* no more than its header */
  hear (rig, G_MAXUINT, &error);
  g_assert_nonnull (error);
  g_assert_cmpuint (rig->packets, ==, 0);
}

/* The job has gone, the bot stops: nobody waits for bytes that never come. */
static void
test_closing (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  begin (rig, "song.mp3", "-c:a libmp3lame -b:a 128k", 40960);
  hear (rig, 10, &error);
  const gint64 began_us = g_get_monotonic_time ();
  g_cancellable_cancel (rig->closing);
  hear (rig, G_MAXUINT, &error);
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED);
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, G_USEC_PER_SEC);
}

static void
test_nameless (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  begin (rig, "song.webm", WEBM, 50000);
  hear (rig, 10, &error);
  g_autoptr (GDir) names = g_dir_open (rig->dir, 0, NULL);
  const char *name;
  while ((name = g_dir_read_name (names)) != NULL)
    g_assert_true (strcmp (name, "song.webm") == 0 || strcmp (name, "coming") == 0);
}

#define ADD(path, data, func) g_test_add (path, Rig, data, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_autofree char *ffmpeg = g_find_program_in_path ("ffmpeg");
  if (ffmpeg == NULL) {
    g_print ("1..0 # SKIP ffmpeg is not installed\n");
    return 0;
  }
  ADD ("/early/opus-packets-pass-as-they-come", &OPUS[0], test_opus);
  ADD ("/early/opus-in-ogg", &OPUS[1], test_opus);
  ADD ("/early/all-at-once", &OPUS[2], test_opus);
  ADD ("/early/mp3", &CODECS[0], test_transcode);
  ADD ("/early/m4a-in-fragments", &CODECS[1], test_transcode);
  ADD ("/early/vorbis", &CODECS[2], test_transcode);
  ADD ("/early/what-came-is-heard-then-the-reason", NULL, test_lost);
  ADD ("/early/another-file-ends-it", NULL, test_another_file);
  ADD ("/early/no-sound-in-it", NULL, test_no_sound);
  ADD ("/early/closing-ends-it-at-once", NULL, test_closing);
  ADD ("/early/its-file-has-no-name", NULL, test_nameless);
  return g_test_run ();
}
