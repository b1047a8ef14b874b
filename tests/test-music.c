/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Real music, short and long, Opus and AAC: fetched through the real yt-dlp, and what is in the
 * cache afterwards measured by a meter that is not ours. */
#include "config.h"
#include "fetch/encore-fetch.h"

#include <math.h>

#include "base/encore-ogg.h"
#include "site-fixture.h"
#include "sound-fixture.h"
#include "store-fixture.h"

#define LOUDNESS_LUFS -16
#define CEILING_DBTP -1.5
#define LUFS_TOLERANCE 0.5
#define AT_CEILING_DB 0.5 /* what the coder does to a peak is not known before */

static const struct {
  const char *id, *title, *artist;
} SONGS[] = {
    {"strikeAAAAA", "Time to Strike", "Michael Kievernagel"}, /* the long ones first */
    {"machineWarA", "Machine Wars", "Michael Kievernagel"},
    {"returnHomeA", "Return to Home", "Kenta Cho"},
    {"gigantToyAA", "Here Comes a Gigantic Toy", "Kenta Cho"},
    {"junkCityAAA", "Battle over the Junk City", "Kenta Cho"},
    {"meadowAAAAA", "Panic on Meadow", "Kenta Cho"},
    {"parsecOneAA", "PARSEC47, the first pattern", "Kenta Cho"},
};

static Site *site;
static guint pending;

static void
on_done (const EncoreFetched *result, const GError *error, gpointer data)
{
  g_assert_no_error (error);
  pending--;
}

static void
fetch_all (const char *dir, EncoreCache *cache)
{
  g_autoptr (EncoreConfig) config = encore_config_new ();
  g_autoptr (GMainContext) context = g_main_context_new ();

  g_free (config->ytdlp);
  config->ytdlp = g_strdup (site_get_ytdlp (site));
  config->allow_private = TRUE; /* the site is on loopback */
  EncoreFetch *fetch = encore_fetch_new (cache, config);
  for (gsize i = 0; i < G_N_ELEMENTS (SONGS); i++) {
    EncoreMediaId id;
    g_assert_true (encore_media_id_from_stem (SONGS[i].id, &id));
    pending++;
    encore_fetch_song (fetch, &id, context, NULL, on_done, NULL);
  }
  while (pending > 0)
    g_main_context_iteration (context, TRUE);
  encore_fetch_free (fetch);
}

static void
check_song (const char *dir, EncoreCache *cache, gsize i)
{
  g_autoptr (EncoreEntryInfo) info = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = fixture_file (dir, SONGS[i].id);

  encore_cache_info (cache, SONGS[i].id, &info, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (info->title, ==, SONGS[i].title);
  g_assert_cmpstr (info->artist, ==, SONGS[i].artist);

  const SoundLevel level = sound_measure (path);
  const gboolean is_limited = info->gain_db < LOUDNESS_LUFS - info->loudness_lufs - 0.01;
  g_test_message ("%s: %.1f LUFS, gain %+.2f dB -> %.1f LUFS, %.1f dBTP%s", info->title,
                  info->loudness_lufs, info->gain_db, level.lufs, level.peak_dbtp,
                  is_limited ? ", limited by its peak" : "");
  g_assert_cmpfloat (level.peak_dbtp, <=, CEILING_DBTP + 1e-9);
  if (is_limited)
    g_assert_cmpfloat (level.peak_dbtp, >=, CEILING_DBTP - AT_CEILING_DB - 1e-9);
  else
    g_assert_cmpfloat (fabs (level.lufs - LOUDNESS_LUFS), <=, LUFS_TOLERANCE);
  g_assert_cmpfloat (fabs (level.lufs - info->loudness_lufs - info->gain_db), <=, LUFS_TOLERANCE);
}

static void
test_loudness (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *cache = fixture_open (dir, 0);

  fetch_all (dir, cache);
  for (gsize i = 0; i < G_N_ELEMENTS (SONGS); i++)
    check_song (dir, cache, i);
  g_assert_cmpuint (fixture_count_tmp (dir), ==, 0);
  encore_cache_close (cache);
  fixture_remove (dir);
}

int
main (int argc, char **argv)
{
  const char *why = NULL;

  g_test_init (&argc, &argv, NULL);
  site = site_start (&why);
  if (site == NULL) {
    g_print ("1..0 # SKIP %s is not installed\n", why);
    return 0;
  }
  g_autofree char *no_music = site_get_no_music ();
  int status = 0;
  if (no_music != NULL) {
    g_print ("1..0 # SKIP %s\n", no_music);
  } else {
    g_test_add_func ("/music/real-songs-reach-one-loudness", test_loudness);
    status = g_test_run ();
  }
  site_stop (site);
  return status;
}
