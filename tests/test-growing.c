/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A player of a song that is still on its way: it begins with the first page, is silent where the
 * next one is late, goes on without a lost packet and without a click, and ends when it ends. */
#include "config.h"
#include "play/encore-player.h"

#include <fcntl.h>
#include <math.h>
#include <opus.h>
#include <string.h>
#include <unistd.h>

#include "base/encore-ogg.h"
#include "store-fixture.h"

#define CHANNELS 2
#define SILENCE "\xf8\xff\xfe"
#define QUIET_US (G_USEC_PER_SEC / 3)

typedef struct {
  char *dir;
  GMainContext *context;
  EncorePlayout *playout;
  EncoreVoice *voice;
  EncorePlayer *player;
  /* the song */
  EncoreReader *reader;
  EncoreOggWriter *writer;
  int fd;
  gint64 bytes;
  OpusEncoder *encoder;
  guint written;      /* packets, some of which still wait for their page */
  GPtrArray *packets; /* of the song, GBytes */
  GMutex mutex;
  GPtrArray *sent; /* under the mutex: what the host got, GBytes */
  guint song, ended, failed, dry, flows;
} Rig;

/* [pacer] */
static EncoreSendResult
keep (guint64 seq, gboolean last, const guint8 *packet, gsize len, gpointer data)
{
  Rig *rig = data;

  g_mutex_lock (&rig->mutex);
  g_ptr_array_add (rig->sent, g_bytes_new (packet, len));
  g_mutex_unlock (&rig->mutex);
  return ENCORE_SEND_OK;
}

static void
on_started (guint song, gint64 sent_us, gpointer data)
{
  g_assert_cmpuint (song, ==, ((Rig *) data)->song);
}

static void
on_ended (guint song, gint64 played_ms, gpointer data)
{
  ((Rig *) data)->ended++;
}

static void
on_failed (guint song, const GError *error, gpointer data)
{
  ((Rig *) data)->failed++;
}

static void
on_buffering (guint song, gboolean on, gpointer data)
{
  Rig *rig = data;

  *(on ? &rig->dry : &rig->flows) += 1;
}

static const EncorePlayerEvents EVENTS = {on_started, on_ended, on_failed, on_buffering};

/* ---- the song */

static gboolean
write_page (const guint8 *page, gsize len, gpointer data, GError **error)
{
  Rig *rig = data;

  g_assert_cmpint (pwrite (rig->fd, page, len, rig->bytes), ==, len);
  rig->bytes += len;
  return TRUE;
}

/* N more packets of a tone are there. */
static void
grow (Rig *rig, guint n)
{
  for (guint i = 0; i < n; i++) {
    float pcm[ENCORE_PACKET_SAMPLES * CHANNELS];
    guint8 packet[1500];
    for (guint k = 0; k < ENCORE_PACKET_SAMPLES; k++) {
      const guint64 at = (guint64) rig->packets->len * ENCORE_PACKET_SAMPLES + k;
      pcm[2 * k] = pcm[2 * k + 1] = 0.5 * sin (2 * G_PI * 330 * at / ENCORE_OPUS_RATE_HZ);
    }
    const int len =
        opus_encode_float (rig->encoder, pcm, ENCORE_PACKET_SAMPLES, packet, sizeof packet);
    g_assert_cmpint (len, >, 0);
    g_ptr_array_add (rig->packets, g_bytes_new (packet, len));
    g_assert_true (encore_ogg_writer_packet (rig->writer, packet, len, NULL));
    rig->written++;
  }
  encore_reader_advance (rig->reader, rig->bytes, (rig->written - 1) / 10 * 10 * ENCORE_PACKET_NS);
}

static void
complete (Rig *rig)
{
  g_assert_true (encore_ogg_writer_end (rig->writer, -1, NULL));
  encore_reader_advance (rig->reader, rig->bytes, rig->written * ENCORE_PACKET_NS);
  encore_reader_complete (rig->reader);
}

static void
set_up (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  static const char *const none[] = {NULL};

  rig->dir = fixture_make_dir ();
  g_assert_true (encore_play_init (rig->dir, &error));
  rig->context = g_main_context_new ();
  rig->playout = encore_playout_new ();
  rig->voice = encore_voice_new (rig->playout, "1", keep, rig);
  rig->player = encore_player_new (rig->voice, rig->context, &EVENTS, rig);
  g_autofree char *path = g_build_filename (rig->dir, "song", NULL);
  rig->fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  rig->reader = encore_reader_new_growing (rig->fd, NULL, NULL);
  rig->writer = encore_ogg_writer_new (write_page, rig);
  rig->encoder = opus_encoder_create (ENCORE_OPUS_RATE_HZ, CHANNELS, OPUS_APPLICATION_AUDIO, NULL);
  rig->packets = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  rig->sent = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_assert_true (encore_ogg_writer_begin (rig->writer, CHANNELS, 312, none, &error));
}

static void
tear_down (Rig *rig, gconstpointer data)
{
  encore_player_free (rig->player);
  encore_voice_free (rig->voice);
  encore_playout_free (rig->playout);
  encore_play_clear ();
  g_main_context_unref (rig->context);
  encore_reader_unref (rig->reader);
  encore_ogg_writer_free (rig->writer);
  opus_encoder_destroy (rig->encoder);
  g_ptr_array_unref (rig->packets);
  g_ptr_array_unref (rig->sent);
  close (rig->fd);
  fixture_remove (rig->dir);
  g_free (rig->dir);
}

static void
play (Rig *rig)
{
  g_autoptr (GError) error = NULL;
  EncoreMediaId id;

  g_assert_true (encore_media_id_from_stem ("aaaaaaaaaaA", &id));
  rig->song = encore_player_play_growing (rig->player, &id, rig->reader, "Tone", 60000, 0, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (rig->song, !=, 0);
}

static void
await (Rig *rig, const guint *counter, guint value)
{
  while (*counter < value)
    g_main_context_iteration (rig->context, TRUE);
}

static gboolean
is_silence (GBytes *packet)
{
  return g_bytes_get_size (packet) == 3 &&
         memcmp (g_bytes_get_data (packet, NULL), SILENCE, 3) == 0;
}

/* Music among what was sent; *SILENT (out) (optional): the rest. */
static guint
count_sent (Rig *rig, guint *silent)
{
  guint music = 0;

  g_mutex_lock (&rig->mutex);
  for (guint i = 0; i < rig->sent->len; i++)
    music += !is_silence (rig->sent->pdata[i]);
  if (silent != NULL)
    *silent = rig->sent->len - music;
  g_mutex_unlock (&rig->mutex);
  return music;
}

/* Every packet of the song, in order, once. */
static void
assert_all_sent (Rig *rig)
{
  guint at = 0;

  g_mutex_lock (&rig->mutex);
  for (guint i = 0; i < rig->sent->len; i++) {
    if (is_silence (rig->sent->pdata[i]))
      continue;
    g_assert_cmpuint (at, <, rig->packets->len);
    g_assert_true (g_bytes_equal (rig->sent->pdata[i], rig->packets->pdata[at]));
    at++;
  }
  g_mutex_unlock (&rig->mutex);
  g_assert_cmpuint (at, ==, rig->packets->len);
}

/* ---- tests */

static void
test_first_page (Rig *rig, gconstpointer data)
{
  play (rig);     /* before there is anything */
  grow (rig, 11); /* a page of ten */
  await (rig, &rig->dry, 1);
  g_assert_cmpuint (count_sent (rig, NULL), ==, 10);
  complete (rig);
  await (rig, &rig->ended, 1);
  assert_all_sent (rig);
}

static void
test_buffering (Rig *rig, gconstpointer data)
{
  guint silent;

  grow (rig, 31);
  play (rig);
  await (rig, &rig->dry, 1);
  g_assert_cmpuint (count_sent (rig, NULL), ==, 30);
  grow (rig, 60); /* 1.2 s: not enough to go on */
  g_usleep (QUIET_US);
  g_assert_cmpuint (count_sent (rig, &silent), ==, 30);
  g_assert_cmpuint (silent, ==, 5); /* then nothing */
  g_assert_cmpuint (rig->flows, ==, 0);
  grow (rig, 50);
  await (rig, &rig->flows, 1);
  complete (rig);
  await (rig, &rig->ended, 1);
  assert_all_sent (rig);
  g_assert_cmpuint (rig->failed, ==, 0);
}

/* Its end is nearer than what it waits for. */
static void
test_end_while_buffering (Rig *rig, gconstpointer data)
{
  grow (rig, 21);
  play (rig);
  await (rig, &rig->dry, 1);
  grow (rig, 9);
  complete (rig);
  await (rig, &rig->ended, 1);
  assert_all_sent (rig);
}

static void
test_failure (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) reason = g_error_new_literal (ENCORE_ERROR, ENCORE_ERROR_NETWORK, "gone");

  fixture_let_warn ();
  grow (rig, 31);
  play (rig);
  encore_reader_fail (rig->reader, reason);
  await (rig, &rig->failed, 1);
  g_assert_cmpuint (count_sent (rig, NULL), ==, 30); /* what came is heard before */
  g_assert_cmpuint (rig->ended, ==, 0);
}

/* A click has a large fourth difference; that of a tone is tiny. */
static double
get_roughness (const float *pcm, gsize frames)
{
  double most = 0;

  for (gsize i = 4; i < frames; i++) {
    const float *x = pcm + i * CHANNELS;
    const double d = x[0] - 4 * x[-2] + 6 * x[-4] - 4 * x[-6] + x[-8];
    most = MAX (most, fabs (d));
  }
  return most;
}

/* What listeners hear of what was sent. (transfer full) */
static float *
decode (Rig *rig, gsize *frames)
{
  OpusDecoder *decoder = opus_decoder_create (ENCORE_OPUS_RATE_HZ, CHANNELS, NULL);

  g_mutex_lock (&rig->mutex); /* the silence behind the song is still on its way */
  float *pcm = g_new0 (float, rig->sent->len *ENCORE_PACKET_SAMPLES *CHANNELS);

  for (guint i = 0; i < rig->sent->len; i++) {
    gsize len;
    const guint8 *packet = g_bytes_get_data (rig->sent->pdata[i], &len);
    g_assert_cmpint (opus_decode_float (decoder, packet, len,
                                        pcm + i * ENCORE_PACKET_SAMPLES * CHANNELS,
                                        ENCORE_PACKET_SAMPLES, 0),
                     ==, ENCORE_PACKET_SAMPLES);
  }
  opus_decoder_destroy (decoder);
  *frames = rig->sent->len * ENCORE_PACKET_SAMPLES;
  g_mutex_unlock (&rig->mutex);
  return pcm;
}

static void
test_no_click (Rig *rig, gconstpointer data)
{
  gsize frames;

  grow (rig, 31);
  play (rig);
  await (rig, &rig->dry, 1);
  grow (rig, 110);
  complete (rig);
  await (rig, &rig->ended, 1);
  g_autofree float *pcm = decode (rig, &frames);
  /* the hard edge that it must not be: half the amplitude from one sample to the next */
  g_autofree float *cut = g_memdup2 (pcm, frames * CHANNELS * sizeof (float));
  for (gsize i = 10 * ENCORE_PACKET_SAMPLES * CHANNELS; i < frames * CHANNELS; i++)
    cut[i] = 0;
  const double edge = get_roughness (cut, frames);
  g_test_message ("roughness %.5f, of a hard edge %.5f", get_roughness (pcm, frames), edge);
  g_assert_cmpfloat (get_roughness (pcm, frames), <, edge / 20);
}

#define ADD(path, func) g_test_add (path, Rig, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* the elements are those of this program: a registry without the module's */
  g_autofree char *registry = g_test_build_filename (G_TEST_BUILT, "registry-growing.bin", NULL);
  g_unsetenv ("GST_PLUGIN_PATH_1_0");
  g_setenv ("GST_REGISTRY_1_0", registry, TRUE);
  ADD ("/growing/begins-with-the-first-page", test_first_page);
  ADD ("/growing/waits-for-two-seconds-and-goes-on", test_buffering);
  ADD ("/growing/its-end-while-it-waits", test_end_while_buffering);
  ADD ("/growing/what-came-is-heard-before-it-fails", test_failure);
  ADD ("/growing/silence-without-a-click", test_no_click);
  return g_test_run ();
}
