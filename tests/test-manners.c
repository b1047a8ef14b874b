/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Manners towards the site, and what is found without it, through the real yt-dlp against the
 * offline site. */
#include "config.h"
#include "fetch/encore-fetch.h"

#include <string.h>

#include "site-fixture.h"
#include "store-fixture.h"
#include "store/encore-notes.h"

#define TUNE "tuneAAAAAAA"
#define LOUD "loudAAAAAAA"
#define BOT_CHECK "botCheckAAA"

static Site *site;

/* Two processes that share a cache, as far as the store and the flights know. */
typedef struct {
  char *dir;
  EncoreCache *cache, *other_cache;
  EncoreConfig *config;
  EncoreFetch *fetch, *other;
  GMainContext *context;
  guint pending, busy, busy_max;
  GError *error;    /* of the last answer */
  GString *answers; /* ids, or titles of what was found, in the order in which they came */
  gint64 download_ms;
} Rig;

static void
set_up (Rig *rig, gconstpointer data)
{
  rig->dir = fixture_make_dir ();
  rig->cache = fixture_open (rig->dir, 0);
  rig->other_cache = fixture_open (rig->dir, 0);
  rig->config = encore_config_new ();
  g_free (rig->config->ytdlp);
  rig->config->ytdlp = g_strdup (site_get_ytdlp (site));
  rig->config->allow_private = TRUE; /* the site is on loopback */
  rig->context = g_main_context_new ();
  rig->answers = g_string_new (NULL);
  site_reset (site);
  fixture_let_warn (); /* a refusal is one */
}

/* After the options are set. */
static void
begin (Rig *rig)
{
  rig->fetch = encore_fetch_new (rig->cache, rig->config);
  rig->other = encore_fetch_new (rig->other_cache, rig->config);
}

static void
tear_down (Rig *rig, gconstpointer data)
{
  g_clear_pointer (&rig->fetch, encore_fetch_free);
  g_clear_pointer (&rig->other, encore_fetch_free);
  g_assert_cmpuint (fixture_count_tmp (rig->dir), ==, 0);
  encore_cache_close (rig->cache);
  encore_cache_close (rig->other_cache);
  encore_config_free (rig->config);
  g_main_context_unref (rig->context);
  g_string_free (rig->answers, TRUE);
  g_clear_error (&rig->error);
  fixture_remove (rig->dir);
  g_free (rig->dir);
}

static void
on_done (const EncoreFetched *result, const GError *error, gpointer data)
{
  Rig *rig = data;

  rig->pending--;
  g_clear_error (&rig->error);
  if (error != NULL) {
    g_test_message ("%s", error->message);
    rig->error = g_error_copy (error);
    return;
  }
  rig->download_ms = result->download_ms;
  g_string_append_printf (rig->answers, "%s ", result->id.id);
}

/* How many are past the queue at once. */
static void
on_progress (const EncoreProgress *progress, gpointer data)
{
  Rig *rig = data;
  g_autoptr (GPtrArray) jobs = encore_fetch_jobs (rig->fetch);
  guint busy = 0;

  for (guint i = 0; i < jobs->len; i++)
    busy += ((EncoreProgress *) jobs->pdata[i])->stage > ENCORE_STAGE_QUEUED;
  rig->busy = busy;
  rig->busy_max = MAX (rig->busy_max, busy);
}

static EncoreWaiter *
ask (Rig *rig, EncoreFetch *fetch, const char *stem)
{
  EncoreMediaId id;

  g_assert_true (encore_media_id_from_stem (stem, &id));
  rig->pending++;
  return encore_fetch_song (fetch, &id, rig->context, on_progress, on_done, rig);
}

static void
on_found (const EncoreFound *found, guint n, const GError *error, gpointer data)
{
  Rig *rig = data;

  rig->pending--;
  g_clear_error (&rig->error);
  g_string_truncate (rig->answers, 0);
  if (error != NULL) {
    g_test_message ("%s", error->message);
    rig->error = g_error_copy (error);
  }
  for (guint i = 0; i < n; i++)
    g_string_append_printf (rig->answers, "%s;", found[i].title);
}

static void
finish (Rig *rig)
{
  while (rig->pending > 0)
    g_main_context_iteration (rig->context, TRUE);
}

static void
get (Rig *rig, EncoreFetch *fetch, const char *stem)
{
  ask (rig, fetch, stem);
  finish (rig);
}

static void
search (Rig *rig, const char *words, guint limit)
{
  rig->pending++;
  encore_fetch_search (rig->fetch, words, limit, rig->context, on_found, rig);
  finish (rig);
}

static void
list (Rig *rig, const char *list_id, guint limit)
{
  rig->pending++;
  encore_fetch_list (rig->fetch, list_id, limit, rig->context, on_found, rig);
  finish (rig);
}

static gint64
resolves (const char *id)
{
  g_autofree char *key = g_strconcat ("resolve/video/", id, NULL);

  return site_get_stat (site, key, "requests");
}

static gint64
searches (const char *words)
{
  g_autofree char *key = g_strconcat ("resolve/search/", words, NULL);

  return site_get_stat (site, key, "requests");
}

/* ---- refusals */

/* FAULT (nullable) and the song ID make the site refuse us: from then on nobody asks for anything,
 * and what is here plays. */
static void
check_refusal (Rig *rig, const char *fault, const char *id)
{
  get (rig, rig->fetch, TUNE);
  g_assert_no_error (rig->error);
  if (fault != NULL)
    site_set_faults (site, fault);
  get (rig, rig->fetch, id);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_THROTTLED);
  g_assert_cmpint (resolves (id), ==, 1); /* it is not tried again */
  site_reset (site);                      /* the site would answer now */

  get (rig, rig->fetch, "-quietAAAAA");
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_THROTTLED);
  get (rig, rig->other, "keptAAAAAAA");
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_THROTTLED);
  search (rig, "no such words", 1);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_THROTTLED);
  list (rig, "PLthree", 3);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_THROTTLED);
  g_assert_cmpint (resolves ("-quietAAAAA") + resolves ("keptAAAAAAA") +
                       searches ("no such words") +
                       site_get_stat (site, "resolve/playlist/PLthree", "requests"),
                   ==, 0);
  get (rig, rig->other, TUNE);
  g_assert_no_error (rig->error);

  g_assert_true (encore_cache_backoff_end (rig->cache, NULL, NULL));
  get (rig, rig->other, "keptAAAAAAA");
  g_assert_no_error (rig->error);
  g_assert_cmpint (resolves ("keptAAAAAAA"), ==, 1);
}

static void
test_bot_check (Rig *rig, gconstpointer data)
{
  begin (rig);
  check_refusal (rig, NULL, BOT_CHECK);
}

static void
test_429 (Rig *rig, gconstpointer data)
{
  begin (rig);
  check_refusal (rig, "{\"resolve/video/" LOUD "\": {\"status\": 429}}", LOUD);
}

static void
test_429_media (Rig *rig, gconstpointer data)
{
  begin (rig);
  check_refusal (rig, "{\"media/" LOUD "/251\": {\"status\": 429}}", LOUD);
}

/* The songs that were refused may be asked for again when the site answers. */
static void
test_answer_ends_it (Rig *rig, gconstpointer data)
{
  begin (rig);
  site_set_faults (site, "{\"resolve/video/" LOUD "\": {\"status\": 429, \"times\": 1}}");
  get (rig, rig->fetch, LOUD);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_THROTTLED);
  fixture_sql (rig->dir, "UPDATE note SET v = unixepoch () - 1 WHERE k = 'backoff_until'");
  get (rig, rig->other, "privateAAAA"); /* an answer, if no song */
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_PRIVATE);
  g_assert_cmpint (fixture_number (rig->dir, "SELECT count (*) FROM note"), ==, 0);
  get (rig, rig->fetch, LOUD);
  g_assert_no_error (rig->error);
}

/* Who waits for his turn when another one is refused does not ask any more. */
static void
test_refused_while_waiting (Rig *rig, gconstpointer data)
{
  rig->config->min_interval_ms = 10000; /* longer than a busy machine takes for the refusal */
  begin (rig);
  ask (rig, rig->fetch, BOT_CHECK);
  while (resolves (BOT_CHECK) == 0)
    g_main_context_iteration (rig->context, FALSE);
  ask (rig, rig->other, TUNE);
  finish (rig);
  g_assert_cmpint (resolves (TUNE), ==, 0);
  g_assert_cmpstr (rig->answers->str, ==, "");
}

/* ---- how often, how many, how fast */

static void
test_min_interval (Rig *rig, gconstpointer data)
{
  const gint64 began_us = g_get_monotonic_time ();

  rig->config->min_interval_ms = 2000;
  begin (rig);
  ask (rig, rig->fetch, "keptAAAAAAA");
  ask (rig, rig->other, "shortAAAAAA");
  ask (rig, rig->fetch, LOUD);
  finish (rig);
  g_assert_no_error (rig->error);
  g_assert_cmpint (g_get_monotonic_time () - began_us, >=, 4 * G_USEC_PER_SEC);
}

static void
test_jobs (Rig *rig, gconstpointer data)
{
  rig->config->jobs = 1;
  begin (rig);
  ask (rig, rig->fetch, TUNE);
  ask (rig, rig->fetch, LOUD);
  ask (rig, rig->fetch, "keptAAAAAAA");
  finish (rig);
  g_assert_no_error (rig->error);
  g_assert_cmpuint (rig->busy_max, ==, 1);
  g_assert_cmpstr (rig->answers->str, ==, TUNE " " LOUD " keptAAAAAAA ");
}

/* What somebody listens for goes before what has not begun. */
static void
test_urge (Rig *rig, gconstpointer data)
{
  rig->config->jobs = 1;
  begin (rig);
  ask (rig, rig->fetch, TUNE);
  while (rig->busy == 0)
    g_main_context_iteration (rig->context, TRUE);
  ask (rig, rig->fetch, LOUD);
  encore_waiter_urge (ask (rig, rig->fetch, "keptAAAAAAA"));
  finish (rig);
  g_assert_no_error (rig->error);
  g_assert_cmpstr (rig->answers->str, ==, TUNE " keptAAAAAAA " LOUD " ");
}

static void
test_rate_limit (Rig *rig, gconstpointer data)
{
  rig->config->rate_limit_bytes_per_s = 50000;
  begin (rig);
  get (rig, rig->fetch, TUNE);
  g_assert_no_error (rig->error);
  const gint64 bytes = site_get_stat (site, "media/" TUNE "/251", "bytes");
  g_assert_cmpint (rig->download_ms, >, bytes * 1000 / 50000 * 6 / 10);
}

/* ---- once more */

static void
test_again (Rig *rig, gconstpointer data)
{
  const gint64 began_us = g_get_monotonic_time ();

  begin (rig);
  site_set_faults (site, "{\"resolve/video/" TUNE "\": {\"status\": 503, \"times\": 1}}");
  get (rig, rig->fetch, TUNE);
  g_assert_no_error (rig->error);
  g_assert_cmpint (resolves (TUNE), ==, 2);
  g_assert_cmpint (g_get_monotonic_time () - began_us, >=, G_USEC_PER_SEC);

  site_set_faults (site, "{\"resolve/video/" LOUD "\": {\"status\": 503}}");
  get (rig, rig->fetch, LOUD);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_NETWORK);
  g_assert_cmpint (resolves (LOUD), ==, 2);
  get (rig, rig->fetch, LOUD); /* remembered for a while */
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_NETWORK);
  g_assert_cmpint (resolves (LOUD), ==, 2);

  get (rig, rig->fetch, "privateAAAA"); /* what the site has answered stays true */
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_PRIVATE);
  g_assert_cmpint (resolves ("privateAAAA"), ==, 1);

  site_set_faults (site, "{\"resolve/search/tones\": {\"status\": 503, \"times\": 1}}");
  search (rig, "tones", 1);
  g_assert_cmpstr (rig->answers->str, ==, "Loud Tones;");
  g_assert_cmpint (searches ("tones"), ==, 2);
}

/* Both tries together take no longer than one may. */
static void
test_again_in_time (Rig *rig, gconstpointer data)
{
  rig->config->fetch_timeout_ms = 20000;
  rig->config->stall_ms = 60000;
  begin (rig);
  site_set_faults (site,
                   "{\"resolve/video/" LOUD "\": {\"status\": 500, \"delay\": 1, \"times\": 1},"
                   " \"media/" LOUD "/251\": {\"stall_at\": 20000}}");
  const gint64 began_us = g_get_monotonic_time ();
  get (rig, rig->fetch, LOUD);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_DEADLINE);
  g_assert_cmpint (resolves (LOUD), ==, 2);
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 22 * G_USEC_PER_SEC);
}

/* ---- words */

static void
test_search_cache (Rig *rig, gconstpointer data)
{
  begin (rig);
  search (rig, "loud", 5);
  g_assert_cmpstr (rig->answers->str, ==, "Loud Tones;Loud Enough;");
  search (rig, "  LOUD ", 5);
  g_assert_cmpstr (rig->answers->str, ==, "Loud Tones;Loud Enough;");
  search (rig, "Loud", 1); /* the first of those */
  g_assert_cmpstr (rig->answers->str, ==, "Loud Tones;");
  g_assert_cmpint (searches ("loud") + searches ("  LOUD ") + searches ("LOUD") + searches ("Loud"),
                   ==, 1);

  fixture_sql (rig->dir, "UPDATE search SET asked_at = asked_at - 25 * 3600");
  search (rig, "loud", 5);
  g_assert_cmpint (searches ("loud"), ==, 2);

  /* an old answer is better than none */
  fixture_sql (rig->dir, "UPDATE search SET asked_at = asked_at - 25 * 3600");
  encore_cache_backoff (rig->other_cache, NULL);
  search (rig, "loud", 5);
  g_assert_cmpstr (rig->answers->str, ==, "Loud Tones;Loud Enough;");
  g_assert_cmpint (searches ("loud"), ==, 2);
}

/* The title of a cached song needs no question; other words only when the site does not answer. */
static void
test_titles (Rig *rig, gconstpointer data)
{
  static const char *const names[] = {"the test TUNE", "Encore  The Test Tune",
                                      "encore - the test tune", "The Test Tune Encore"};

  begin (rig);
  get (rig, rig->fetch, TUNE);
  site_reset (site);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    search (rig, names[i], 1);
    g_assert_cmpstr (rig->answers->str, ==, "The Test Tune;");
    g_assert_cmpint (searches (names[i]), ==, 0);
  }
  search (rig, "tune", 1); /* may be any song */
  g_assert_cmpint (searches ("tune"), ==, 1);
  search (rig, "the test tune", 5); /* five to pick from are the site's */
  g_assert_cmpint (searches ("the test tune"), ==, 1);

  encore_cache_backoff (rig->cache, NULL);
  search (rig, "tune test", 1);
  g_assert_cmpstr (rig->answers->str, ==, "The Test Tune;");
  g_assert_cmpint (searches ("tune test"), ==, 0);
  search (rig, "tune of somebody", 1);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_THROTTLED);
  encore_cache_backoff_end (rig->cache, NULL, NULL);
  search (rig, "tune nothing else", 1); /* the site has answered: there is none */
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND);
}

static void
test_list (Rig *rig, gconstpointer data)
{
  begin (rig);
  list (rig, "PLthree", 50);
  g_assert_cmpstr (rig->answers->str, ==, "The Test Tune;Loud Tones;Quiet Noise;");
  list (rig, "PLthree", 2);
  g_assert_cmpstr (rig->answers->str, ==, "The Test Tune;Loud Tones;");
  list (rig, "PLholes", 50); /* what nobody may see is no song */
  g_assert_cmpstr (rig->answers->str, ==, "Loud Tones;The Test Tune;");
  g_assert_cmpint (site_get_stat (site, "resolve/playlist/PLholes", "requests"), ==, 1);
  g_assert_cmpint (resolves (TUNE), ==, 0); /* flat */
  list (rig, "PLempty", 50);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND);
  list (rig, "PLnone", 50);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND);
}

/* A file on somebody's own server is asked for while YouTube refuses us, and what comes of that
 * does not tell that YouTube takes us back. */
static void
test_other_source (Rig *rig, gconstpointer data)
{
  g_autofree char *url = g_strconcat (site_get_url (site), "/media/tuneAAAAAAA/251", NULL);
  EncoreMediaId id;

  rig->config->sources = ENCORE_SOURCES_HTTP;
  begin (rig);
  g_assert_true (encore_fetch_link (rig->fetch, url, &id));
  g_autofree char *stem = encore_media_id_to_stem (&id);
  get (rig, rig->fetch, BOT_CHECK);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_THROTTLED);
  fixture_sql (rig->dir, "UPDATE note SET v = unixepoch () - 1 WHERE k = 'backoff_until'");
  get (rig, rig->fetch, stem);
  g_assert_no_error (rig->error);
  g_assert_cmpint (fixture_number (rig->dir, "SELECT v FROM note WHERE k = 'backoff_s'"), ==, 600);
  fixture_sql (rig->dir, "UPDATE entry SET fail_until = 0");
  get (rig, rig->fetch, BOT_CHECK);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_THROTTLED);
  g_assert_cmpint (encore_cache_backoff_left (rig->cache), >, 600); /* twice in a row */
  fixture_sql (rig->dir, "DELETE FROM entry WHERE id LIKE 'http-%'");
  get (rig, rig->fetch, stem);
  g_assert_no_error (rig->error);
}

/* Who asks chooses the id and the words: they may have the site's words in them. */
static void
test_words_of_ours (Rig *rig, gconstpointer data)
{
  begin (rig);
  ask (rig, rig->fetch, "xxcaptchaxA");
  finish (rig);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_GONE);
  site_set_faults (site, "{\"resolve/video/xDRMAAAAAAA\": {\"status\": 500},"
                         " \"resolve/search/captcha: removed\": {\"status\": 500},"
                         " \"resolve/playlist/PLcaptchaAAAAAA\": {\"status\": 500}}");
  ask (rig, rig->fetch, "xDRMAAAAAAA");
  finish (rig);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_NETWORK);
  search (rig, "captcha: removed", 1);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_NETWORK);
  list (rig, "PLcaptchaAAAAAA", 5);
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_NETWORK);
  g_assert_cmpint (encore_cache_backoff_left (rig->cache), ==, 0);
}

#define ADD(name, func) g_test_add (name, Rig, NULL, set_up, func, tear_down)

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
  ADD ("/manners/bot-check-is-obeyed-by-all", test_bot_check);
  ADD ("/manners/429-is-obeyed-by-all", test_429);
  ADD ("/manners/429-of-the-media-too", test_429_media);
  ADD ("/manners/an-answer-ends-the-back-off", test_answer_ends_it);
  ADD ("/manners/refused-while-others-wait-for-their-turn", test_refused_while_waiting);
  ADD ("/manners/other-servers-are-not-youtube", test_other_source);
  ADD ("/manners/what-is-asked-for-is-no-answer", test_words_of_ours);
  ADD ("/manners/min-interval", test_min_interval);
  ADD ("/manners/jobs", test_jobs);
  ADD ("/manners/what-is-urgent-goes-first", test_urge);
  ADD ("/manners/rate-limit", test_rate_limit);
  ADD ("/manners/a-network-that-failed-once-more", test_again);
  ADD ("/manners/once-more-within-the-same-time", test_again_in_time);
  ADD ("/lookup/a-search-is-asked-once-a-day", test_search_cache);
  ADD ("/lookup/titles-that-are-here", test_titles);
  ADD ("/lookup/playlists", test_list);
  const int status = g_test_run ();
  site_stop (site);
  return status;
}
