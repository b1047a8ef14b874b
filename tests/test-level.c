/* SPDX-License-Identifier: LGPL-2.1-or-later
 * How loud a room is, judged by what a listener's decoder hears: music that steps back while people
 * speak, and comes back; a crossfade at another volume, and within what a network takes. */
#include "config.h"
#include "play/encore-player.h"

#include <math.h>

#include "base/encore-ogg.h"
#include "play/encore-voice.h"
#include "store-fixture.h"
#include "tone-fixture.h"

#define SONG "aaaaaaaaaaA"
#define PACKETS 400
#define OTHER "bbbbbbbbbbA"
#define OTHER_PACKETS 100
#define AHEAD 12
#define DUCK_DB (-12.0)
#define FALL_PACKETS 8  /* 12 dB at 80 dB a second */
#define RISE_PACKETS 25 /* and at 24 */
#define CODERS 2        /* packets that the coders hold back */
#define CLICK 4         /* times as rough as the music */
#define PATIENCE_US (30 * G_USEC_PER_SEC)
#define N ENCORE_PACKET_SAMPLES

typedef struct {
  char *dir;
  EncoreCache *cache;
  GPtrArray *song; /* its packets, as they are stored */
  GMainContext *context;
  EncorePlayout *playout;
  EncoreVoice *voice;
  EncorePlayer *player;
  GMutex mutex;
  GCond changed;
  GPtrArray *sent;
  gboolean last; /* nothing follows for now */
} Rig;

static gboolean
append (const guint8 *page, gsize len, gpointer data, GError **error)
{
  g_byte_array_append (data, page, len);
  return TRUE;
}

static void
publish (Rig *rig, const char *id, const GPtrArray *song)
{
  static const char *const comments[] = {"TITLE=Tones", NULL};
  g_autoptr (GError) error = NULL;
  g_autoptr (GByteArray) file = g_byte_array_new ();
  g_autoptr (EncoreOggWriter) writer = encore_ogg_writer_new (append, file);
  g_autoptr (EncoreHandle) hit = NULL;
  g_autoptr (EncoreClaim) claim = encore_cache_claim (rig->cache, id, 0, NULL, &hit, &error);
  const EncorePublish what = {
      .opus_name = "song.opus", .title = "Tones", .duration_ms = song->len * 20};

  g_assert_no_error (error);
  g_assert_true (encore_ogg_writer_begin (writer, 2, 0, comments, &error));
  for (guint i = 0; i < song->len; i++) {
    gsize len;
    const guint8 *packet = g_bytes_get_data (song->pdata[i], &len);
    g_assert_true (encore_ogg_writer_packet (writer, packet, len, &error));
  }
  g_assert_true (encore_ogg_writer_end (writer, -1, &error));
  g_autofree char *path = g_build_filename (encore_claim_get_dir (claim), "song.opus", NULL);
  g_assert_true (g_file_set_contents (path, (const char *) file->data, file->len, &error));
  g_autoptr (EncoreHandle) handle = encore_claim_publish (claim, &what, &error);
  g_assert_no_error (error);
  g_assert_nonnull (handle);
}

/* [pacer] */
static EncoreSendResult
record (guint64 seq, gboolean last, const guint8 *packet, gsize len, gpointer data)
{
  Rig *rig = data;

  g_mutex_lock (&rig->mutex);
  rig->last = last;
  if (len > 3) /* else the workers were late, or it is over */
    g_ptr_array_add (rig->sent, g_bytes_new (packet, len));
  g_cond_broadcast (&rig->changed);
  g_mutex_unlock (&rig->mutex);
  return ENCORE_SEND_OK;
}

static void
on_started (guint song, gint64 sent_us, gpointer data)
{
}

static void
on_ended (guint song, gint64 played_ms, gpointer data)
{
}

static void
on_failed (guint song, const GError *error, gpointer data)
{
  g_error ("%s", error->message);
}

static const EncorePlayerEvents EVENTS = {
    .started = on_started, .ended = on_ended, .failed = on_failed};

static void
set_up (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  rig->dir = fixture_make_dir ();
  rig->cache = fixture_open (rig->dir, 0);
  rig->song = tone_make_packets (PACKETS, 200);
  publish (rig, SONG, rig->song);
  g_assert_true (encore_play_init (rig->dir, &error));
  g_mutex_init (&rig->mutex);
  g_cond_init (&rig->changed);
  rig->sent = tone_packets_new ();
  rig->context = g_main_context_new ();
  rig->playout = encore_playout_new ();
  rig->voice = encore_voice_new (rig->playout, "1", record, rig);
  rig->player = encore_player_new (rig->voice, rig->context, &EVENTS, rig);
}

static void
tear_down (Rig *rig, gconstpointer data)
{
  encore_player_free (rig->player);
  encore_voice_free (rig->voice);
  encore_playout_free (rig->playout);
  encore_play_clear ();
  g_main_context_unref (rig->context);
  g_ptr_array_unref (rig->song);
  g_ptr_array_unref (rig->sent);
  g_mutex_clear (&rig->mutex);
  g_cond_clear (&rig->changed);
  encore_cache_close (rig->cache);
  fixture_remove (rig->dir);
  g_free (rig->dir);
}

static guint
count (Rig *rig)
{
  g_mutex_lock (&rig->mutex);
  const guint n = rig->sent->len;
  g_mutex_unlock (&rig->mutex);
  return n;
}

static void
await (Rig *rig, guint n)
{
  const gint64 until_us = g_get_monotonic_time () + PATIENCE_US;

  g_mutex_lock (&rig->mutex);
  while (rig->sent->len < n)
    if (!g_cond_wait_until (&rig->changed, &rig->mutex, until_us))
      g_error ("%u packets came", rig->sent->len);
  g_mutex_unlock (&rig->mutex);
}

static void
await_silence (Rig *rig)
{
  const gint64 until_us = g_get_monotonic_time () + PATIENCE_US;

  g_mutex_lock (&rig->mutex);
  while (!rig->last)
    g_assert_true (g_cond_wait_until (&rig->changed, &rig->mutex, until_us));
  g_mutex_unlock (&rig->mutex);
}

static void
give (Rig *rig, const char *stem, gint64 start_ms, gboolean next)
{
  g_autoptr (GError) error = NULL;
  EncoreMediaId id;

  g_assert_true (encore_media_id_from_stem (stem, &id));
  EncoreHandle *handle = encore_cache_get (rig->cache, stem, TRUE, &error);
  g_assert_nonnull (handle);
  if (next)
    encore_player_set_next (rig->player, &id, handle, &error);
  else
    encore_player_play (rig->player, &id, handle, start_ms, &error);
  g_assert_no_error (error);
}

static void
play (Rig *rig)
{
  give (rig, SONG, 0, FALSE);
}

/* The first packet from FROM on whose level differs from LEVEL_DB by more than 1 dB. */
static guint
find_change (const float *pcm, guint from, guint n, double level_db)
{
  while (from < n && fabs (tone_level_db (pcm, from * N, N) - level_db) <= 1)
    from++;
  return from;
}

/* All packets from FROM up to END are as loud as LEVEL_DB. */
static void
assert_level (const float *pcm, guint from, guint end, double level_db)
{
  for (; from < end; from++)
    g_assert_cmpfloat (fabs (tone_level_db (pcm, from * N, N) - level_db), <, 0.5);
}

static void
assert_stored (Rig *rig, guint from, guint end)
{
  for (; from < end; from++)
    g_assert_true (g_bytes_equal (rig->sent->pdata[from], rig->song->pdata[from]));
}

static void
test_duck (Rig *rig, gconstpointer data)
{
  encore_voice_set_ahead (rig->voice, AHEAD);
  play (rig);
  await (rig, 60);
  encore_player_set_duck (rig->player, DUCK_DB);
  const guint down = count (rig);
  await (rig, down + 70);
  const guint before_up = count (rig);
  encore_player_set_duck (rig->player, 0);
  const guint up = count (rig);
  await (rig, up + 80);
  encore_player_stop (rig->player);
  const guint n = MIN (rig->sent->len, PACKETS);

  g_autofree float *pcm = tone_decode (rig->sent);
  const double music = tone_level_db (pcm, 30 * N, 20 * N);
  const guint falls = find_change (pcm, 30, n, music);
  g_test_message ("down at %u: falls at %u; up at %u", down, falls, up);
  g_assert_cmpuint (falls, >=, 59);
  g_assert_cmpuint (falls, <=, down + AHEAD + CODERS);
  const guint low = falls + FALL_PACKETS + CODERS;
  assert_level (pcm, low, before_up, music + DUCK_DB);
  const guint rises = find_change (pcm, low, n, music + DUCK_DB);
  g_test_message ("rises at %u", rises);
  g_assert_cmpuint (rises, <=, up + AHEAD + CODERS + 1);
  assert_level (pcm, rises + RISE_PACKETS + CODERS, n, music);
  const double click = tone_roughness (pcm, 59 * N, n * N) / tone_roughness (pcm, 30 * N, 59 * N);
  g_test_message ("click: %.2f", click);
  g_assert_cmpfloat (click, <, CLICK);
  /* where it is not softer the packets are those of the cache */
  assert_stored (rig, 0, 59);
  assert_stored (rig, rises + RISE_PACKETS + 4 * CODERS, n);
}

/* A song that begins while people speak is soft from its first packet; so is what follows. */
static void
test_begins_soft (Rig *rig, gconstpointer data)
{
  encore_player_set_volume (rig->player, 0.5);
  encore_player_set_duck (rig->player, DUCK_DB);
  play (rig);
  await (rig, 60);
  encore_player_stop (rig->player);

  g_autoptr (GPtrArray) plain = tone_packets_new ();
  for (guint i = 0; i < rig->sent->len; i++)
    g_ptr_array_add (plain, g_bytes_ref (rig->song->pdata[i]));
  g_autofree float *pcm = tone_decode (rig->sent), *source = tone_decode (plain);
  const double wanted = tone_level_db (source, 5 * N, 50 * N) + DUCK_DB + 20 * log10 (0.5);
  assert_level (pcm, 5, 60, wanted);
}

#define CROSS_PACKETS 50
#define FROM_PACKET 300
#define LIMIT_BPS 53200 /* of whole bytes a packet */

/* The end of one song into the other: not a packet more or less, as loud as the volume says all
 * along (the two are of one level), and no packet is longer than the network takes. */
static void
test_crossfade (Rig *rig, gconstpointer data)
{
  const guint max_bps = GPOINTER_TO_UINT (data);
  const guint total = PACKETS - FROM_PACKET + OTHER_PACKETS - CROSS_PACKETS;
  g_autoptr (GPtrArray) other = tone_make_packets (OTHER_PACKETS, 600);

  publish (rig, OTHER, other);
  encore_player_set_crossfade (rig->player, CROSS_PACKETS * 20);
  encore_player_set_volume (rig->player, max_bps == 0 ? 0.5 : 1);
  encore_player_set_max_bps (rig->player, max_bps);
  give (rig, SONG, FROM_PACKET * 20, FALSE);
  give (rig, OTHER, 0, TRUE);
  await (rig, total);
  await_silence (rig);
  g_assert_cmpuint (rig->sent->len, ==, total);

  g_autofree float *pcm = tone_decode (rig->sent), *source = tone_decode (rig->song);
  const double wanted =
      tone_level_db (source, 5 * N, 50 * N) + (max_bps == 0 ? 20 * log10 (0.5) : 0);
  double least = 0, most = -100;
  for (guint at = 10; at + 10 <= total; at += 5) {
    const double level = tone_level_db (pcm, at * N, 10 * N) - wanted;
    least = MIN (least, level);
    most = MAX (most, level);
  }
  g_test_message ("%.2f to %.2f dB of what the volume says", least, most);
  g_assert_cmpfloat (least, >, -1.5);
  g_assert_cmpfloat (most, <, 1.5);
  for (guint i = 0; max_bps != 0 && i < total; i++)
    g_assert_cmpuint (g_bytes_get_size (rig->sent->pdata[i]) * 8 * 50, <=, LIMIT_BPS);
}

/* What a voice is told is what it fills. */
static void
test_ahead (Rig *rig, gconstpointer data)
{
  static const guint told[] = {0, 12, 32, 1000}, wanted[] = {8, 12, 32, 32};

  for (guint i = 0; i < G_N_ELEMENTS (told); i++) {
    encore_voice_set_ahead (rig->voice, told[i]);
    encore_player_set_paused (rig->player, TRUE);
    play (rig);
    encore_voice_quiesce (rig->voice);
    g_assert_cmpuint (encore_voice_get_filled (rig->voice), ==, wanted[i]);
  }
  encore_player_set_paused (rig->player, FALSE);
  encore_voice_set_ahead (rig->voice, 8);
  await (rig, 100);
  encore_player_stop (rig->player);
  assert_stored (rig, 0, 100);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* the elements are those of this program: a registry without the module's */
  g_autofree char *registry = g_test_build_filename (G_TEST_BUILT, "registry-player.bin", NULL);
  g_unsetenv ("GST_PLUGIN_PATH_1_0");
  g_setenv ("GST_REGISTRY_1_0", registry, TRUE);
  g_test_add ("/duck/steps-back", Rig, NULL, set_up, test_duck, tear_down);
  g_test_add ("/duck/begins-soft", Rig, NULL, set_up, test_begins_soft, tear_down);
  g_test_add ("/duck/filled-ahead", Rig, NULL, set_up, test_ahead, tear_down);
  g_test_add ("/crossfade/volume", Rig, NULL, set_up, test_crossfade, tear_down);
  g_test_add ("/crossfade/limit", Rig, GUINT_TO_POINTER (LIMIT_BPS), set_up, test_crossfade,
              tear_down);
  return g_test_run ();
}
