/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Manners towards the site. */
#include "config.h"
#include "fetch/encore-manners.h"

#include <string.h>

#include "store/encore-notes.h"

#define YOUTUBE "youtube"
#define TRIES_MAX 2
#define AGAIN_MIN_MS 1000
#define AGAIN_MAX_MS 3000
/* An attempt that took longer than this share of fetch_timeout was all that people wait for. */
#define AGAIN_SHARE 4

/* Returns: FALSE with CANCELLED. */
static gboolean
wait_ms (gint64 ms, GCancellable *cancellable, GError **error)
{
  const gint64 until_us = g_get_monotonic_time () + ms * 1000;
  GPollFD fd;
  const gboolean polled = cancellable != NULL && g_cancellable_make_pollfd (cancellable, &fd);

  for (;;) {
    const gint64 left_ms = (until_us - g_get_monotonic_time ()) / 1000;
    if (left_ms <= 0 || g_cancellable_is_cancelled (cancellable))
      break;
    g_poll (&fd, polled ? 1 : 0, MIN (left_ms, 60000));
  }
  if (polled)
    g_cancellable_release_fd (cancellable);
  if (!g_cancellable_is_cancelled (cancellable))
    return TRUE;
  g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED, "nobody wants it any more");
  return FALSE;
}

static gboolean
check_backoff (EncoreCache *cache, GError **error)
{
  const gint64 left_s = encore_cache_backoff_left (cache);

  if (left_s == 0)
    return TRUE;
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_THROTTLED,
               "the site has refused us and is left alone for another %" G_GINT64_FORMAT " s",
               left_s);
  return FALSE;
}

gboolean
encore_manners_may_ask (EncoreCache *cache, const EncoreConfig *config, GCancellable *cancellable,
                        GError **error)
{
  g_autoptr (GError) local = NULL;

  if (!check_backoff (cache, error))
    return FALSE;
  const gint64 ms = encore_cache_take_turn (cache, config->min_interval_ms, &local);
  if (ms < 0)
    g_warning ("fetch: min_interval: %s", local->message);
  /* somebody may have been refused while we waited */
  return ms <= 0 || (wait_ms (ms, cancellable, error) && check_backoff (cache, error));
}

/* The site has answered what became of the song, if only that there is none. */
static gboolean
is_answer (const GError *error)
{
  static const int answers[] = {
      ENCORE_ERROR_PRIVATE,  ENCORE_ERROR_GONE,     ENCORE_ERROR_AGE,
      ENCORE_ERROR_GEO,      ENCORE_ERROR_UPCOMING, ENCORE_ERROR_LIVE,
      ENCORE_ERROR_TOO_LONG, ENCORE_ERROR_TOO_BIG,  ENCORE_ERROR_NOT_FOUND};

  for (gsize i = 0; error != NULL && i < G_N_ELEMENTS (answers); i++)
    if (g_error_matches (error, ENCORE_ERROR, answers[i]))
      return TRUE;
  return error == NULL;
}

void
encore_manners_note (EncoreCache *cache, const GError *error)
{
  g_autoptr (GError) local = NULL;

  if (g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_THROTTLED)) {
    const gint64 for_s = encore_cache_backoff (cache, &local);
    if (local == NULL)
      g_message ("fetch: the site refuses us: nobody asks it for %" G_GINT64_FORMAT " s", for_s);
  } else if (is_answer (error) && encore_cache_backoff_left (cache) == 0) {
    /* while it holds, this was asked before it began and tells nothing */
    encore_cache_backoff_end (cache, NULL, &local);
  }
  if (local != NULL)
    g_warning ("fetch: %s", local->message);
}

gboolean
encore_manners_again (const EncoreConfig *config, guint tries, gint64 began_us,
                      GCancellable *cancellable, const GError *error)
{
  const gint64 took_ms = (g_get_monotonic_time () - began_us) / 1000;

  if (!g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_NETWORK) || tries >= TRIES_MAX ||
      took_ms > config->fetch_timeout_ms / AGAIN_SHARE)
    return FALSE;
  const gint32 ms = g_random_int_range (AGAIN_MIN_MS, AGAIN_MAX_MS);
  g_info ("fetch: once more in %d ms: %s", ms, error->message);
  return wait_ms (ms, cancellable, NULL);
}

static gboolean
is_cached (const EncoreJob *job)
{
  g_autofree char *stem = encore_media_id_to_stem (&job->id);
  g_autoptr (EncoreEntryInfo) info = NULL;

  return encore_cache_info (job->cache, stem, &info, NULL);
}

/* The back-off and min_interval are for YouTube: the owner of another server has not refused us,
 * and his answer does not tell that YouTube takes us back. */
static gboolean
may_ask (const EncoreJob *job, GError **error)
{
  return strcmp (job->id.source, YOUTUBE) != 0 || is_cached (job) ||
         encore_manners_may_ask (job->cache, job->config, job->cancellable, error);
}

static void
note (const EncoreJob *job, const GError *error)
{
  if (strcmp (job->id.source, YOUTUBE) == 0)
    encore_manners_note (job->cache, error);
}

gboolean
encore_manners_run (const EncoreJob *job, EncoreFetched *out, GError **error)
{
  EncoreJob timed = *job;
  gint64 began_us = 0;

  for (guint tries = 1;; tries++) {
    g_autoptr (GError) local = NULL;
    if (!may_ask (job, &local)) {
      g_autofree char *text = encore_media_id_to_text (&job->id);
      g_propagate_prefixed_error (error, g_steal_pointer (&local), "%s: ", text);
      return FALSE;
    }
    if (tries == 1) { /* what we waited for our turn is not the fetch's */
      began_us = g_get_monotonic_time ();
      timed.deadline_us = began_us + job->config->fetch_timeout_ms * 1000;
    }
    const gboolean ok = encore_job_run (&timed, out, &local);
    if (!ok || out->fetched)
      note (job, local);
    if (ok)
      return TRUE;
    if (!encore_manners_again (job->config, tries, began_us, job->cancellable, local)) {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  }
}
