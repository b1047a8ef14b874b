/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A player whose control thread is late: what follows goes on by itself meanwhile.  And how many
 * pipelines there are, counted by GStreamer's own tracer. */
#include "config.h"
#include "play/encore-player.h"

#define GST_USE_UNSTABLE_API /* tracers */
#include <gst/gst.h>
#include <string.h>

#include "store-fixture.h"

#define FIRST "aaaaaaaaaaA"
#define SECOND "bbbbbbbbbbA"
#define THIRD "ccccccccccA"
#define FIRST_PACKETS 25

typedef struct {
  char *dir;
  EncoreCache *cache;
  GMainContext *context;
  EncorePlayout *playout;
  EncoreVoice *voice;
  EncorePlayer *player;
  gint music;                /* atomic: packets */
  guint started;             /* songs */
  guint ended, air_at_ended; /* songs */
} Rig;

/* [pacer] */
static EncoreSendResult
count (guint64 seq, gboolean last, const guint8 *packet, gsize len, gpointer data)
{
  Rig *rig = data;

  if (len != 3 || memcmp (packet, "\xf8\xff\xfe", 3) != 0)
    g_atomic_int_inc (&rig->music);
  return ENCORE_SEND_OK;
}

static void
on_started (guint song, gint64 sent_us, gpointer data)
{
  Rig *rig = data;

  rig->started = song;
}

static void
on_ended (guint song, gint64 played_ms, gpointer data)
{
  Rig *rig = data;

  rig->ended = song;
  rig->air_at_ended = encore_player_get_song (rig->player);
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
  fixture_publish (rig->cache, FIRST, "First", FIRST_PACKETS);
  fixture_publish (rig->cache, SECOND, "Second", 3000);
  g_assert_true (encore_play_init (rig->dir, &error));
  rig->context = g_main_context_new ();
  rig->playout = encore_playout_new ();
  rig->voice = encore_voice_new (rig->playout, "1", count, rig);
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
  encore_cache_close (rig->cache);
  fixture_remove (rig->dir);
  g_free (rig->dir);
}

static guint
give (Rig *rig, const char *stem, gboolean next)
{
  g_autoptr (GError) error = NULL;
  EncoreMediaId id;

  g_assert_true (encore_media_id_from_stem (stem, &id));
  EncoreHandle *handle = encore_cache_get (rig->cache, stem, TRUE, &error);
  g_assert_nonnull (handle);
  const guint song = next ? encore_player_set_next (rig->player, &id, handle, &error)
                          : encore_player_play (rig->player, &id, handle, 0, &error);
  g_assert_no_error (error);
  return song;
}

static void
await_end (Rig *rig)
{
  while (rig->ended == 0)
    g_main_context_iteration (rig->context, TRUE);
}

static void
test_taken_back (Rig *rig, gconstpointer data)
{
  const guint first = give (rig, FIRST, FALSE);

  give (rig, SECOND, TRUE);
  g_assert_cmpuint (encore_player_set_next (rig->player, NULL, NULL, NULL), ==, 0);
  await_end (rig);
  g_assert_cmpuint (rig->ended, ==, first);
  g_assert_cmpuint (rig->air_at_ended, ==, first); /* nothing goes on */
  g_assert_cmpint (rig->music, ==, FIRST_PACKETS);
}

/* It sounds when it is taken back: whoever hears that the first one has ended can tell. */
static void
test_taken_back_late (Rig *rig, gconstpointer data)
{
  const guint first = give (rig, FIRST, FALSE);
  const guint second = give (rig, SECOND, TRUE);

  while (g_atomic_int_get (&rig->music) < FIRST_PACKETS + 5)
    g_usleep (1000);
  g_assert_cmpuint (encore_player_set_next (rig->player, NULL, NULL, NULL), ==, 0);
  await_end (rig);
  g_assert_cmpuint (rig->ended, ==, first);
  g_assert_cmpuint (rig->air_at_ended, ==, second);
  encore_player_stop (rig->player);
  g_assert_cmpuint (encore_player_get_song (rig->player), ==, 0);
}

/* A second of both together, or half of the shorter one: not a packet more or less, and the first
 * one ends where the fade begins. */
static void
test_crossfade (Rig *rig, gconstpointer data)
{
  fixture_publish (rig->cache, THIRD, "Third", 100);
  fixture_publish (rig->cache, "ddddddddddA", "Fourth", 60);
  encore_player_set_crossfade (rig->player, 1000);
  const guint third = give (rig, THIRD, FALSE);
  const guint fourth = give (rig, "ddddddddddA", TRUE);

  await_end (rig);
  g_assert_cmpuint (rig->ended, ==, third);
  while (rig->ended != fourth)
    g_main_context_iteration (rig->context, TRUE);
  g_assert_cmpint (rig->music, ==, 100 + 60 - 30);
}

/* ---- pipelines */

static void
count_alive (GstDebugCategory *category, GstDebugLevel level, const char *file,
             const char *function, gint line, GObject *object, GstDebugMessage *message, gpointer n)
{
  *(guint *) n += strstr (gst_debug_message_get (message),
                          "object-alive, type-name=(string)GstEncoreTrack") != NULL;
}

/* There is one encoretrack in each: the tracer tells of those that are alive before it returns. */
static guint
count_pipelines (void)
{
  GList *tracers = gst_tracing_get_active_tracers ();
  guint n = 0;

  g_assert_nonnull (tracers);
  gst_debug_set_threshold_for_name ("GST_TRACER", GST_LEVEL_TRACE);
  gst_debug_add_log_function (count_alive, &n, NULL);
  g_signal_emit_by_name (tracers->data, "log-live-objects");
  gst_debug_remove_log_function (count_alive);
  gst_debug_set_threshold_for_name ("GST_TRACER", GST_LEVEL_NONE);
  g_list_free_full (tracers, gst_object_unref);
  return n;
}

/* A worker or the pacer may still hold one that has gone. */
static void
await_pipelines (guint n)
{
  const gint64 end_us = g_get_monotonic_time () + 30 * G_USEC_PER_SEC;

  while (count_pipelines () != n && g_get_monotonic_time () < end_us)
    g_usleep (1000);
  g_assert_cmpuint (count_pipelines (), ==, n);
}

/* One more than songs, whatever took the last one: nobody who plays or skips waits for one to be
 * made. */
static void
test_pipelines (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  EncoreMediaId id;

  fixture_publish (rig->cache, THIRD, "Third", 10);
  g_assert_cmpuint (count_pipelines (), ==, 1);
  give (rig, SECOND, FALSE);
  while (rig->started == 0)
    g_main_context_iteration (rig->context, TRUE);
  g_assert_cmpuint (count_pipelines (), ==, 2);
  give (rig, FIRST, TRUE);
  g_assert_cmpuint (count_pipelines (), ==, 3);

  g_assert_true (encore_media_id_from_stem (FIRST, &id));
  g_autofree char *line = encore_play_describe (
      &id, encore_cache_get (rig->cache, FIRST, TRUE, &error), rig->dir, &error);
  g_assert_nonnull (line);
  await_pipelines (3);

  encore_player_set_next (rig->player, NULL, NULL, NULL);
  await_pipelines (2);
  encore_player_stop (rig->player);
  await_pipelines (1);

  const guint first = give (rig, FIRST, FALSE);
  const guint short_one = give (rig, THIRD, TRUE);
  while (rig->ended != first)
    g_main_context_iteration (rig->context, TRUE);
  await_pipelines (2);
  while (rig->ended != short_one)
    g_main_context_iteration (rig->context, TRUE);
  await_pipelines (1);
  encore_play_clear ();
  await_pipelines (0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* the elements are those of this program: a registry without the module's */
  g_autofree char *registry = g_test_build_filename (G_TEST_BUILT, "registry-player.bin", NULL);
  g_unsetenv ("GST_PLUGIN_PATH_1_0");
  g_setenv ("GST_REGISTRY_1_0", registry, TRUE);
  g_setenv ("GST_TRACERS", "leaks(filters=GstEncoreTrack)", TRUE);
  gst_debug_remove_log_function (gst_debug_log_default);
  g_test_add ("/player/what-follows-is-taken-back", Rig, NULL, set_up, test_taken_back, tear_down);
  g_test_add ("/player/taken-back-when-it-sounds", Rig, NULL, set_up, test_taken_back_late,
              tear_down);
  g_test_add ("/player/one-pipeline-is-ready", Rig, NULL, set_up, test_pipelines, tear_down);
  g_test_add ("/player/crossfade", Rig, NULL, set_up, test_crossfade, tear_down);
  return g_test_run ();
}
