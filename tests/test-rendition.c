/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A cached song once more at a constant rate: the same music, packets of one size, an entry of its
 * own that is no song.  Lengths and levels are measured by ffmpeg. */
#include "config.h"
#include "fetch/encore-rendition.h"

#include <math.h>
#include <string.h>

#include "fetch/encore-fetch.h"
#include "sound/encore-normalise.h"
#include "sound-fixture.h"
#include "store-fixture.h"

#define SONG "dQw4w9WgXcQ"
#define RENDITION "cbr52-" SONG
/* stereo, changing, 7.0137 s: no whole number of packets */
#define MUSIC \
  "-f lavfi -i \"aevalsrc='0.2*sin(880*PI*t)*(1.2+sin(7*t))|0.2*sin(1320*PI*t)*(1.2+cos(5*t))'" \
  ":s=48000:d=7.0137\""

#define BURSTS \
  "-f lavfi -i \"aevalsrc='0.02*sin(880*PI*t)+0.5*(random(0)-0.5)*exp(-60*mod(t\\,0.5))|" \
  "0.02*sin(1100*PI*t)+0.5*(random(1)-0.5)*exp(-60*mod(t\\,0.7))':s=48000:d=6,lowpass=f=15000\""

static const EncoreRenditionSpec AS_52 = {52, -1.5}, AS_96 = {96, -1.5};

typedef struct {
  char *dir;
  EncoreCache *cache;
  EncoreMediaId id;
} Fixture;

static void
publish_song (Fixture *self, const char *music, const char *options)
{
  const EncoreNormaliseOptions how = {-16, -1.5, 128000, 0, 0};
  const char *const comments[] = {"ENCORE_ID=" SONG, "TITLE=Test", NULL};
  g_autofree char *source = g_build_filename (self->dir, "music.wav", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (EncoreHandle) hit = NULL;
  g_autoptr (EncoreClaim) claim = encore_cache_claim (self->cache, SONG, 0, NULL, &hit, &error);
  EncoreNormalised n;

  g_assert_no_error (error);
  g_free (sound_run ("ffmpeg -v error -y %s %s %s", music, options, source));
  g_autofree char *opus = g_build_filename (encore_claim_get_dir (claim), "song.opus", NULL);
  encore_normalise (source, opus, comments, &how, NULL, &n, &error);
  g_assert_no_error (error);
  const EncorePublish what = {.opus_name = "song.opus",
                              .title = "Test",
                              .duration_ms = n.duration_ms,
                              .loudness_lufs = n.loudness_lufs,
                              .gain_db = n.gain_db,
                              .max_packet_bytes = n.max_packet_bytes};
  g_autoptr (EncoreHandle) handle = encore_claim_publish (claim, &what, &error);
  g_assert_no_error (error);
  g_assert_nonnull (handle);
}

static void
set_up (Fixture *self, gconstpointer data)
{
  self->dir = fixture_make_dir ();
  self->cache = fixture_open (self->dir, 0);
  g_assert_true (encore_media_id_from_stem (SONG, &self->id));
  publish_song (self, MUSIC, "-ac 2");
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_assert_cmpuint (fixture_count_tmp (self->dir), ==, 0);
  encore_cache_close (self->cache);
  fixture_remove (self->dir);
  g_free (self->dir);
}

static char *
count_samples (const char *path)
{
  return sound_output ("ffprobe -v error -count_frames -show_entries stream=duration_ts -of "
                       "default=nk=1:nw=1 %s",
                       path);
}

static void
test_made (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *song = fixture_file (self->dir, SONG);
  g_autofree char *path = fixture_file (self->dir, RENDITION);

  g_assert_true (encore_rendition_make (self->cache, &self->id, &AS_52, NULL, &error));
  g_assert_no_error (error);
  g_autofree char *sizes =
      sound_output ("ffprobe -v error -show_entries packet=size -of default=nk=1:nw=1 %s", path);
  g_auto (GStrv) lines = g_strsplit (g_strstrip (sizes), "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), >=, 351);
  for (char **line = lines; *line != NULL; line++)
    g_assert_cmpstr (*line, ==, "130");

  g_autofree char *samples = count_samples (song);
  g_autofree char *made = count_samples (path);
  g_assert_cmpstr (made, ==, samples);
  g_assert_cmpfloat (fabs (sound_measure (path).lufs - sound_measure (song).lufs), <, 0.5);
}

/* At so low a rate the coder raises peaks by decibels. */
static void
test_peaks (Fixture *self, gconstpointer data)
{
  g_autofree char *song = fixture_file (self->dir, SONG);
  g_autofree char *path = fixture_file (self->dir, RENDITION);

  g_assert_true (encore_cache_remove (self->cache, SONG, NULL));
  publish_song (self, BURSTS, "-c:a pcm_f32le");
  g_assert_true (encore_rendition_make (self->cache, &self->id, &AS_52, NULL, NULL));
  const SoundLevel before = sound_measure (song), level = sound_measure (path);
  g_test_message ("%.1f dBTP of %.1f", level.peak_dbtp, before.peak_dbtp);
  g_assert_cmpfloat (before.peak_dbtp, >, -2.5);
  g_assert_cmpfloat (level.peak_dbtp, <=, -1.4 + 1e-9);
  g_assert_cmpfloat (level.peak_dbtp, >, -3.5);
  g_assert_cmpfloat (fabs (level.lufs - before.lufs), <, 2.5);
}

/* It is found by its id, and where all entries are; among songs it is none. */
static void
test_no_song (Fixture *self, gconstpointer data)
{
  g_autoptr (EncoreEntryInfo) song = NULL, info = NULL;
  EncoreCacheStats stats;

  g_assert_true (encore_rendition_make (self->cache, &self->id, &AS_52, NULL, NULL));
  g_assert_true (encore_cache_info (self->cache, SONG, &song, NULL));
  g_assert_true (encore_cache_info (self->cache, RENDITION, &info, NULL));
  g_autofree char *url = g_strconcat ("sha256:", song->sha256, NULL);
  g_assert_cmpstr (info->url, ==, url);
  g_assert_cmpint (info->duration_ms, ==, song->duration_ms);
  g_assert_cmpuint (info->max_packet_bytes, ==, 130);
  encore_cache_stats (self->cache, &stats);
  g_assert_cmpint (stats.entries, ==, 2);
  g_assert_cmpint (stats.bytes, ==, song->opus_bytes + info->opus_bytes);

  for (EncoreSort sort = ENCORE_SORT_RECENT; sort <= ENCORE_SORT_TITLE; sort++) {
    g_autoptr (GPtrArray) list = encore_cache_list (self->cache, sort, 0, 10, NULL);
    g_assert_cmpuint (list->len, ==, 1);
    g_assert_cmpstr (((EncoreEntryInfo *) list->pdata[0])->id, ==, SONG);
  }
  g_autoptr (GPtrArray) found = encore_cache_find (self->cache, "Test", 10, NULL);
  g_assert_cmpuint (found->len, ==, 1);
  g_autoptr (GPtrArray) all = encore_cache_list_after (self->cache, NULL, 10, NULL);
  g_assert_cmpuint (all->len, ==, 2);
}

/* A song of YouTube may have an id that looks like the beginning of one. */
static void
test_is_one (void)
{
  g_assert_true (encore_id_is_rendition (RENDITION));
  g_assert_true (encore_id_is_rendition ("cbr128-http-0123456789abcdef"));
  g_assert_false (encore_id_is_rendition (SONG));
  g_assert_false (encore_id_is_rendition ("cbr52-abcde"));
  g_assert_false (encore_id_is_rendition ("cbr-dQw4w9WgXcQ"));
  g_assert_false (encore_id_is_rendition ("http-cbr52-0123456789abcdef"));
}

static void
test_list_keeps_alike (Fixture *self, gconstpointer data)
{
  fixture_publish (self->cache, "cbr52-abcdE", "Alike", 50);
  g_autoptr (GPtrArray) list = encore_cache_list (self->cache, ENCORE_SORT_TITLE, 0, 10, NULL);
  g_assert_cmpuint (list->len, ==, 2);
}

static void
test_once (Fixture *self, gconstpointer data)
{
  g_autoptr (EncoreEntryInfo) first = NULL, second = NULL;

  g_assert_true (encore_rendition_make (self->cache, &self->id, &AS_52, NULL, NULL));
  g_assert_true (encore_cache_info (self->cache, RENDITION, &first, NULL));
  fixture_sql (self->dir, "UPDATE entry SET created_at = 7 WHERE id = '" RENDITION "'");
  g_assert_true (encore_rendition_make (self->cache, &self->id, &AS_52, NULL, NULL));
  g_assert_true (encore_cache_info (self->cache, RENDITION, &second, NULL));
  g_assert_cmpint (second->created_at_s, ==, 7);
  g_assert_true (encore_rendition_make (self->cache, &self->id, &AS_96, NULL, NULL));
  g_assert_true (fixture_is_hit (self->cache, "cbr96-" SONG, FALSE));
}

static void
test_refused (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) missing = NULL, busy = NULL, cancelled = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (EncoreHandle) hit = NULL;
  EncoreMediaId other;

  g_assert_true (encore_media_id_from_stem ("otherAAAAAA", &other));
  g_assert_false (encore_rendition_make (self->cache, &other, &AS_52, NULL, &missing));
  g_assert_error (missing, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND);

  EncoreClaim *claim = encore_cache_claim (self->cache, RENDITION, 0, NULL, &hit, NULL);
  g_assert_false (encore_rendition_make (self->cache, &self->id, &AS_52, NULL, &busy));
  g_assert_error (busy, ENCORE_ERROR, ENCORE_ERROR_DEADLINE);
  encore_claim_free (claim);

  g_cancellable_cancel (cancellable);
  g_assert_false (encore_rendition_make (self->cache, &self->id, &AS_52, cancellable, &cancelled));
  g_assert_error (cancelled, ENCORE_ERROR, ENCORE_ERROR_CANCELLED);

  g_assert_true (encore_rendition_make (self->cache, &self->id, &AS_52, NULL, NULL));
}

/* A hole would stay for good. */
static void
test_damaged (Fixture *self, gconstpointer data)
{
  g_autofree char *file = fixture_file (self->dir, SONG);
  g_autofree char *bytes = NULL;
  g_autoptr (GError) error = NULL, again = NULL;
  gsize len;

  g_assert_true (g_file_get_contents (file, &bytes, &len, NULL));
  memset (bytes + len / 2, 0x55, 64);
  g_assert_true (g_file_set_contents (file, bytes, len, NULL));
  g_assert_false (encore_rendition_make (self->cache, &self->id, &AS_52, NULL, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT);
  g_assert_false (fixture_is_hit (self->cache, RENDITION, FALSE));
  /* nor without a checksum */
  fixture_sql (self->dir, "UPDATE entry SET sha256 = ''");
  g_assert_false (encore_rendition_make (self->cache, &self->id, &AS_52, NULL, &again));
  g_assert_error (again, ENCORE_ERROR, ENCORE_ERROR_CORRUPT);
  g_assert_false (fixture_is_hit (self->cache, RENDITION, FALSE));
}

/* The decoder brings less than the song has: that is remembered, and nothing is left. */
static void
test_too_short (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL, known = NULL;

  fixture_sql (self->dir, "UPDATE entry SET duration_ms = duration_ms + 20");
  g_assert_false (encore_rendition_make (self->cache, &self->id, &AS_52, NULL, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT);
  g_assert_false (encore_rendition_make (self->cache, &self->id, &AS_52, NULL, &known));
  g_assert_error (known, ENCORE_ERROR, ENCORE_ERROR_CORRUPT);
  g_assert_false (fixture_is_hit (self->cache, RENDITION, FALSE));
}

/* The song was fetched anew. */
static void
test_stale (Fixture *self, gconstpointer data)
{
  g_autoptr (EncoreEntryInfo) song = NULL, info = NULL;
  g_autoptr (GError) busy = NULL;

  g_assert_true (encore_rendition_make (self->cache, &self->id, &AS_52, NULL, NULL));
  g_assert_true (encore_cache_remove (self->cache, SONG, NULL));
  publish_song (self, MUSIC, "-ac 1");
  EncoreHandle *played = encore_cache_get (self->cache, RENDITION, FALSE, NULL);
  g_assert_false (encore_rendition_make (self->cache, &self->id, &AS_52, NULL, &busy));
  g_assert_error (busy, ENCORE_ERROR, ENCORE_ERROR_BUSY);
  encore_handle_free (played);
  g_assert_true (encore_rendition_make (self->cache, &self->id, &AS_52, NULL, NULL));
  g_assert_true (encore_cache_info (self->cache, SONG, &song, NULL));
  g_assert_true (encore_cache_info (self->cache, RENDITION, &info, NULL));
  g_assert_true (g_str_has_suffix (info->url, song->sha256));
}

/* It is among the first to go, counts for nothing, and nothing goes for it. */
static void
test_costs_no_song (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  EncoreCacheStats before, after;

  encore_cache_stats (self->cache, &before);
  g_assert_true (encore_rendition_make (self->cache, &self->id, &AS_52, NULL, NULL));
  encore_cache_stats (self->cache, &after);
  g_assert_cmpint (after.total_plays, ==, before.total_plays);
  g_assert_cmpint (encore_cache_evict (self->cache, after.bytes - 1, NULL, NULL, NULL), ==, 1);
  g_assert_true (fixture_is_hit (self->cache, SONG, FALSE));
  g_assert_false (fixture_is_hit (self->cache, RENDITION, FALSE));

  encore_cache_close (self->cache);
  self->cache = fixture_open (self->dir, before.bytes + 1000);
  g_assert_false (encore_rendition_make (self->cache, &self->id, &AS_52, NULL, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_NO_SPACE);
  g_assert_true (fixture_is_hit (self->cache, SONG, FALSE));
}

/* As the bot asks for them: any number of times, waited for at the end. */
static void
test_asked (Fixture *self, gconstpointer data)
{
  EncoreConfig *config = encore_config_new ();
  EncoreFetch *fetch = encore_fetch_new (self->cache, config);

  for (guint i = 0; i < 20; i++)
    encore_fetch_rendition (fetch, &self->id, 52);
  g_assert_cmpuint (encore_fetch_count (fetch), <=, 1);
  while (encore_fetch_count (fetch) > 0)
    g_usleep (10000);
  g_assert_true (fixture_is_hit (self->cache, RENDITION, FALSE));
  /* one that is under way is given up */
  encore_fetch_rendition (fetch, &self->id, 64);
  encore_fetch_free (fetch);
  encore_config_free (config);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(path, func) g_test_add (path, Fixture, NULL, set_up, func, tear_down)
  g_test_add_func ("/rendition/is-one", test_is_one);
  TEST ("/rendition/made", test_made);
  TEST ("/rendition/peaks", test_peaks);
  TEST ("/rendition/no-song", test_no_song);
  TEST ("/rendition/list-keeps-alike", test_list_keeps_alike);
  TEST ("/rendition/once", test_once);
  TEST ("/rendition/refused", test_refused);
  TEST ("/rendition/damaged", test_damaged);
  TEST ("/rendition/too-short", test_too_short);
  TEST ("/rendition/stale", test_stale);
  TEST ("/rendition/costs-no-song", test_costs_no_song);
  TEST ("/rendition/asked", test_asked);
  return g_test_run ();
}
