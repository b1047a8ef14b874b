/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Flights through the real yt-dlp against the offline site: once for all, never half, never stuck.
 */
#include "config.h"
#include "fetch/encore-fetch.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "site-fixture.h"
#include "store-fixture.h"
#include "store/encore-notes.h"

#define TUNE "tuneAAAAAAA"

static Site *site;

typedef struct {
  char *dir;
  EncoreCache *cache;
  EncoreConfig *config;
  EncoreFetch *fetch;
  GMainContext *context;
  guint pending, ok, failed, fetched, progressed;
  GError *error; /* the last one */
  EncoreMediaId id;
  char *title;
  char named[16]; /* id of the last progress with a title */
} Rig;

static void
rig_set_up (Rig *rig, gconstpointer data)
{
  rig->dir = fixture_make_dir ();
  rig->cache = fixture_open (rig->dir, 0);
  rig->config = encore_config_new ();
  g_free (rig->config->ytdlp);
  rig->config->ytdlp = g_strdup (site_get_ytdlp (site));
  rig->config->allow_private = TRUE; /* the site is on loopback */
  rig->config->stall_ms = 1500;
  rig->config->fetch_timeout_ms = 20000;
  rig->fetch = encore_fetch_new (rig->cache, rig->config);
  rig->context = g_main_context_new ();
  site_reset (site);
}

static void
rig_tear_down (Rig *rig, gconstpointer data)
{
  g_clear_pointer (&rig->fetch, encore_fetch_free);
  g_assert_cmpuint (fixture_count_tmp (rig->dir), ==, 0); /* nothing half-made stays */
  encore_cache_close (rig->cache);
  encore_config_free (rig->config);
  g_main_context_unref (rig->context);
  fixture_remove (rig->dir);
  g_clear_error (&rig->error);
  g_free (rig->title);
  g_free (rig->dir);
}

static void
on_done (const EncoreFetched *result, const GError *error, gpointer data)
{
  Rig *rig = data;

  rig->pending--;
  g_clear_error (&rig->error);
  if (error != NULL) {
    rig->failed++;
    rig->error = g_error_copy (error);
    return;
  }
  rig->ok++;
  rig->fetched += result->fetched;
  rig->id = result->id;
  g_free (rig->title);
  rig->title = g_strdup (result->title);
}

static void
on_progress (const EncoreProgress *progress, gpointer data)
{
  Rig *rig = data;

  rig->progressed++;
  if (progress->title != NULL)
    g_strlcpy (rig->named, progress->id.id, sizeof rig->named);
}

static EncoreWaiter *
ask (Rig *rig, const char *stem)
{
  EncoreMediaId id;

  g_assert_true (encore_media_id_from_stem (stem, &id));
  rig->pending++;
  return encore_fetch_song (rig->fetch, &id, rig->context, on_progress, on_done, rig);
}

static void
finish (Rig *rig)
{
  while (rig->pending > 0)
    g_main_context_iteration (rig->context, TRUE);
}

static gboolean
is_cached (Rig *rig, const char *stem)
{
  g_autoptr (EncoreHandle) handle = encore_cache_get (rig->cache, stem, FALSE, NULL);

  return handle != NULL;
}

/* ---- a disk that others fill meanwhile */

#define BALLAST_BYTES (256 << 20)

static void
on_filling (const EncoreProgress *progress, gpointer data)
{
  Rig *rig = data;
  g_autofree char *path = g_build_filename (rig->dir, "ballast", NULL);

  if (progress->stage != ENCORE_STAGE_DOWNLOAD || g_file_test (path, G_FILE_TEST_EXISTS))
    return;
  const int fd = open (path, O_WRONLY | O_CREAT, 0600);
  g_assert_cmpint (posix_fallocate (fd, 0, BALLAST_BYTES), ==, 0);
  close (fd);
}

static void
test_no_room (Rig *rig, gconstpointer data)
{
  EncoreCacheOptions options = {.dir = rig->dir};
  EncoreCacheStats stats;
  EncoreMediaId id;

  encore_cache_stats (rig->cache, &stats);
  options.min_free_bytes = stats.free_bytes - BALLAST_BYTES / 2;
  encore_fetch_free (rig->fetch);
  encore_cache_close (rig->cache);
  rig->cache = encore_cache_open (&options, NULL);
  rig->fetch = encore_fetch_new (rig->cache, rig->config);
  site_set_faults (site, "{\"media/tuneAAAAAAA/251\": {\"rate\": 60000}}");
  g_assert_true (encore_media_id_from_stem (TUNE, &id));
  rig->pending++;
  encore_fetch_song (rig->fetch, &id, rig->context, on_filling, on_done, rig);
  finish (rig);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_NO_SPACE);
  g_assert_false (is_cached (rig, TUNE));
}

static void
test_once (Rig *rig, gconstpointer data)
{
  for (int i = 0; i < 12; i++)
    ask (rig, TUNE);
  finish (rig);
  g_assert_no_error (rig->error);
  g_assert_cmpuint (rig->ok, ==, 12);
  g_assert_cmpuint (rig->progressed, >=, 12);
  g_assert_cmpstr (rig->title, ==, "The Test Tune");
  g_assert_cmpint (site_get_stat (site, "media/" TUNE "/251", "requests"), ==, 1);
  g_assert_cmpint (site_get_stat (site, "resolve/video/" TUNE, "requests"), ==, 1);
  g_assert_true (is_cached (rig, TUNE));
  site_reset (site);
  ask (rig, TUNE); /* again: found under the lock, the site is not asked */
  finish (rig);
  g_assert_cmpuint (rig->ok, ==, 13);
  g_assert_cmpint (site_get_stat (site, "resolve/video/" TUNE, "requests"), ==, 0);
}

static void
test_kinds (Rig *rig, gconstpointer data)
{
  static const char *const ids[] = {"-quietAAAAA", "aacOnlyAAAA", "evilTitleAA"};

  for (gsize i = 0; i < G_N_ELEMENTS (ids); i++) {
    ask (rig, ids[i]);
    finish (rig);
    g_assert_no_error (rig->error);
    g_assert_true (is_cached (rig, ids[i]));
  }
  g_assert_cmpstr (rig->title, ==, "../\"$(id)`x` %s%n <b>evil");
}

static void
test_alias (Rig *rig, gconstpointer data)
{
  ask (rig, "aliasTuneAA");
  finish (rig);
  g_assert_no_error (rig->error);
  g_assert_cmpstr (rig->id.id, ==, TUNE);
  g_assert_true (is_cached (rig, "aliasTuneAA"));
  g_assert_true (is_cached (rig, TUNE));
}

static void
on_words (const EncoreFound *found, guint n, const GError *error, gpointer data)
{
  Rig *rig = data;
  g_autofree char *stem = n > 0 ? encore_media_id_to_stem (&found[0].id) : NULL;

  rig->pending--;
  g_assert_no_error (error);
  ask (rig, stem);
}

static gint64
count_file_bytes (const char *name)
{
  g_autofree char *path = g_test_build_filename (G_TEST_BUILT, "media", name, NULL);
  GStatBuf st;

  g_assert_cmpint (g_stat (path, &st), ==, 0);
  return st.st_size;
}

/* One new song, asked for twenty times in all its spellings, is downloaded once. */
static void
test_spellings (Rig *rig, gconstpointer data)
{
  static const char *const links[] = {("https://www.youtube.com/watch?v=" TUNE "&list=RD" TUNE),
                                      ("https://youtu.be/" TUNE "?t=3"),
                                      ("music.youtube.com/watch?v=" TUNE), "aliasTuneAA"};

  for (int i = 0; i < 4; i++) {
    for (gsize j = 0; j < G_N_ELEMENTS (links); j++) {
      EncoreMediaId id;
      g_assert_true (encore_media_id_from_user (links[j], &id));
      g_autofree char *stem = encore_media_id_to_stem (&id);
      ask (rig, stem);
    }
    rig->pending++;
    encore_fetch_search (rig->fetch, "the test tune", 1, rig->context, on_words, rig);
  }
  finish (rig);
  g_assert_no_error (rig->error);
  g_assert_cmpuint (rig->ok, ==, 20);
  g_assert_cmpuint (rig->failed, ==, 0);
  g_assert_cmpint (site_get_stat (site, "media/" TUNE "/251", "requests"), ==, 1);
  g_assert_cmpint (site_get_stat (site, "media/" TUNE "/251", "peak"), ==, 1);
  g_assert_cmpint (site_get_stat (site, "all", "bytes"), ==, count_file_bytes ("tune.251.webm"));
  g_assert_cmpint (site_get_stat (site, "resolve/video/" TUNE, "requests"), ==, 1);
  g_assert_cmpint (site_get_stat (site, "resolve/video/aliasTuneAA", "requests"), ==, 1);
  g_assert_true (is_cached (rig, TUNE));
  g_assert_true (is_cached (rig, "aliasTuneAA"));
}

/* A bot without flights and a cache sends the file fifty times through the line. */
static void
test_fifty (Rig *rig, gconstpointer data)
{
  for (int i = 0; i < 50; i++)
    ask (rig, i % 5 == 0 ? "aliasTuneAA" : TUNE);
  finish (rig);
  g_assert_cmpuint (rig->ok, ==, 50);
  g_assert_cmpint (site_get_stat (site, "all", "bytes"), ==, count_file_bytes ("tune.251.webm"));
  g_assert_cmpint (site_get_stat (site, "all", "peak"), ==, 1);
}

static void
await_named (Rig *rig, const char *id)
{
  while (strcmp (rig->named, id) != 0)
    g_main_context_iteration (rig->context, TRUE);
}

/* Who waits for the other name's flight takes over when that one is given up. */
static void
test_alias_takes_over (Rig *rig, gconstpointer data)
{
  site_set_faults (site, "{\"media/tuneAAAAAAA/251\": {\"rate\": 10000, \"times\": 1}}");
  rig->config->stall_ms = 60000;
  EncoreWaiter *waiter = ask (rig, TUNE);
  await_named (rig, TUNE);
  ask (rig, "aliasTuneAA");
  await_named (rig, "aliasTuneAA");
  encore_waiter_leave (waiter);
  rig->pending--;
  finish (rig);
  g_assert_no_error (rig->error);
  g_assert_cmpuint (rig->ok, ==, 1);
  g_assert_true (is_cached (rig, TUNE));
  g_assert_true (is_cached (rig, "aliasTuneAA"));
}

static void
test_refused (Rig *rig, gconstpointer data)
{
  static const struct {
    const char *id;
    int code;
  } rows[] = {{"privateAAAA", ENCORE_ERROR_PRIVATE},   {"removedAAAA", ENCORE_ERROR_GONE},
              {"botCheckAAA", ENCORE_ERROR_THROTTLED}, {"ageAAAAAAAA", ENCORE_ERROR_AGE},
              {"upcomingAAA", ENCORE_ERROR_UPCOMING},  {"liveAAAAAAA", ENCORE_ERROR_LIVE},
              {"tenHoursAAA", ENCORE_ERROR_TOO_LONG},  {"noFormatsAA", ENCORE_ERROR_NO_AUDIO},
              {"wrongLenAAA", ENCORE_ERROR_CORRUPT}};

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    ask (rig, rows[i].id);
    finish (rig);
    g_test_message ("%s: %s", rows[i].id, rig->error != NULL ? rig->error->message : "played");
    g_assert_error (rig->error, ENCORE_ERROR, rows[i].code);
    g_assert_false (is_cached (rig, rows[i].id));
    g_assert_true (encore_cache_backoff_end (rig->cache, NULL, NULL)); /* test-manners has that */
  }
  site_reset (site);
  ask (rig, "privateAAAA"); /* remembered: the site is not asked again */
  finish (rig);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_PRIVATE);
  g_assert_cmpint (site_get_stat (site, "resolve/video/privateAAAA", "requests"), ==, 0);
}

static void
test_broken (Rig *rig, gconstpointer data)
{
  static const struct {
    const char *fault;
    int code;
  } rows[] = {
      {"{\"media/tuneAAAAAAA/251\": {\"truncate_at\": 40000}}", ENCORE_ERROR_CORRUPT},
      {"{\"media/tuneAAAAAAA/251\": {\"body\": \"<html>Sign in</html>\"}}", ENCORE_ERROR_CORRUPT},
      {"{\"media/tuneAAAAAAA/251\": {\"status\": 403}}", ENCORE_ERROR_FORBIDDEN},
      {"{\"media/tuneAAAAAAA/251\": {\"stall_at\": 50000}}", ENCORE_ERROR_DEADLINE}};

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    site_reset (site);
    site_set_faults (site, rows[i].fault);
    ask (rig, TUNE);
    finish (rig);
    g_test_message ("%s -> %s", rows[i].fault, rig->error != NULL ? rig->error->message : "played");
    g_assert_error (rig->error, ENCORE_ERROR, rows[i].code);
    g_assert_false (is_cached (rig, TUNE));
    g_assert_cmpint (site_get_stat (site, "media/" TUNE "/251", "requests"), <, 100);
    g_assert_true (encore_cache_forget_failure (rig->cache, TUNE, NULL));
  }
  site_reset (site);
  site_set_faults (site, "{\"media/tuneAAAAAAA/251\": {\"drop_at\": 50000, \"times\": 1}}");
  ask (rig, TUNE); /* dropped once: resumed, and whole */
  finish (rig);
  g_assert_no_error (rig->error);
  g_assert_true (is_cached (rig, TUNE));
}

/* The only one who waits leaves: the children die, nothing stays. */
static void
test_leave (Rig *rig, gconstpointer data)
{
  site_set_faults (site, "{\"media/tuneAAAAAAA/251\": {\"rate\": 60000}}");
  EncoreWaiter *waiter = ask (rig, TUNE);
  while (rig->progressed < 3)
    g_main_context_iteration (rig->context, TRUE);
  encore_waiter_leave (waiter);
  const gint64 began_us = g_get_monotonic_time ();
  g_clear_pointer (&rig->fetch, encore_fetch_free);
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 4 * G_USEC_PER_SEC);
  g_assert_cmpuint (rig->ok + rig->failed, ==, 0);
  g_assert_false (is_cached (rig, TUNE));
}

/* The rig's yt-dlp tells of each start in a file; one download at a time.  Returns: the file */
static char *
count_starts (Rig *rig)
{
  char *counter = g_build_filename (rig->dir, "starts", NULL);
  g_autofree char *program = g_build_filename (rig->dir, "counted", NULL);
  g_autofree char *text = g_strdup_printf ("#!/bin/sh\necho >>'%s'\nexec '%s' \"$@\"\n", counter,
                                           site_get_ytdlp (site));

  g_assert_true (g_file_set_contents_full (program, text, -1, G_FILE_SET_CONTENTS_NONE, 0700, NULL));
  g_free (rig->config->ytdlp);
  rig->config->ytdlp = g_steal_pointer (&program);
  rig->config->jobs = 1;
  encore_fetch_free (rig->fetch);
  rig->fetch = encore_fetch_new (rig->cache, rig->config);
  return counter;
}

static guint
n_starts (const char *counter)
{
  GStatBuf st;

  return g_stat (counter, &st) == 0 ? st.st_size : 0;
}

/* Songs that are asked for and left before their turn take no process and no time of those that
 * come after them. */
static void
test_leave_the_queue (Rig *rig, gconstpointer data)
{
  g_autofree char *counter = count_starts (rig);

  site_set_faults (site, "{\"media/tuneAAAAAAA/251\": {\"rate\": 60000}}");
  EncoreWaiter *first = ask (rig, TUNE);
  while (rig->progressed < 3)
    g_main_context_iteration (rig->context, TRUE);
  const guint before = n_starts (counter);
  for (guint i = 0; i < 20; i++) {
    encore_waiter_leave (ask (rig, "loudAAAAAAA"));
    rig->pending--;
  }
  encore_waiter_leave (first);
  rig->pending--;
  ask (rig, "shortAAAAAA");
  finish (rig);
  g_assert_no_error (rig->error);
  /* it is resolved, and downloaded by yt-dlp if libcurl cannot */
  g_assert_cmpuint (n_starts (counter) - before, <=, 2);
}

static void
test_no_program (Rig *rig, gconstpointer data)
{
  g_free (rig->config->ytdlp);
  rig->config->ytdlp = g_strdup ("no-such-yt-dlp");
  ask (rig, TUNE);
  finish (rig);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_NO_PROGRAM);
}

/* A host that ignores SIGCHLD makes every exit status 0. */
static void
test_sigchld (Rig *rig, gconstpointer data)
{
  void (*before) (int) = signal (SIGCHLD, SIG_IGN);

  ask (rig, "privateAAAA");
  finish (rig);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_PRIVATE);
  ask (rig, TUNE);
  finish (rig);
  g_assert_no_error (rig->error);
  signal (SIGCHLD, before);
}

static void
on_found (const EncoreFound *found, guint n, const GError *error, gpointer data)
{
  Rig *rig = data;

  rig->pending--;
  g_clear_error (&rig->error);
  if (error != NULL)
    rig->error = g_error_copy (error);
  else
    rig->id = found[0].id;
}

static void
test_search (Rig *rig, gconstpointer data)
{
  rig->pending++;
  encore_fetch_search (rig->fetch, "test TUNE", 1, rig->context, on_found, rig);
  finish (rig);
  g_assert_no_error (rig->error);
  g_assert_cmpstr (rig->id.id, ==, TUNE);
  rig->pending++;
  encore_fetch_search (rig->fetch, "--exec=touch nothing here", 1, rig->context, on_found, rig);
  finish (rig);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND);
}

#define ADD(name, func) g_test_add (name, Rig, NULL, rig_set_up, func, rig_tear_down)

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
  ADD ("/fetch/no-room-in-the-middle", test_no_room);
  ADD ("/fetch/concurrent-requests-give-one-download", test_once);
  ADD ("/fetch/aac-leading-dash-and-hostile-title", test_kinds);
  ADD ("/fetch/answered-id-becomes-the-name", test_alias);
  ADD ("/fetch/the-other-name-takes-over", test_alias_takes_over);
  ADD ("/fetch/twenty-requests-in-five-spellings-give-one-download", test_spellings);
  ADD ("/fetch/fifty-requests-at-once-serve-the-file-once", test_fifty);
  ADD ("/fetch/refused-songs-are-told-and-remembered", test_refused);
  ADD ("/fetch/broken-downloads-publish-nothing", test_broken);
  ADD ("/fetch/leaving-ends-the-children", test_leave);
  ADD ("/fetch/leaving-the-queue-starts-nothing", test_leave_the_queue);
  ADD ("/fetch/missing-program", test_no_program);
  ADD ("/fetch/ignored-sigchld", test_sigchld);
  ADD ("/fetch/search", test_search);
  const int status = g_test_run ();
  site_stop (site);
  return status;
}
