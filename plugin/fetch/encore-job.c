/* SPDX-License-Identifier: LGPL-2.1-or-later
 * From the claim to the publish.  Nothing is believed: not the exit code, not the header's length.
 */
#include "config.h"
#include "fetch/encore-job.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetch/encore-download.h"
#include "fetch/encore-early.h"
#include "sound/encore-announced.h"
#include "sound/encore-normalise.h"
#include "sound/encore-whole.h"

#define LOOK_US (G_USEC_PER_SEC / 5)
#define ROOM_BYTES (16 * 1024 * 1024) /* a song and its download, roughly */
/* What a decoder may leave out at the ends: at most 35 ms in files of half a dozen encoders. */
#define CONTAINER_TOLERANCE_MS 100
#define OPUS_NAME "song.opus"

typedef struct {
  const EncoreJob *job;
  EncoreClaim *claim;
  EncoreDownload *answer;
  GCancellable *stop; /* ends the download: nobody wants it any more, somebody else has it, or there
                         is no room for it */
  gboolean is_named, is_elsewhere;
  gint64 looked_us;
  GError *full; /* (nullable) */
  EncoreEarly **early;
} Watch;

/* The site tells its own name for the song: one that somebody has or fetches is not fetched twice.
 */
static void
watch_name (Watch *watch)
{
  const EncoreDownload *answer = watch->answer;

  if (!answer->has_meta || watch->is_named)
    return;
  g_autofree char *stem = encore_media_id_to_stem (&answer->id);
  watch->is_named = TRUE;
  watch->is_elsewhere = !encore_claim_try_answered (watch->claim, stem);
  if (watch->is_elsewhere)
    g_cancellable_cancel (watch->stop);
}

/* Others fill the disk as well: the room that was there at the beginning may be gone. */
static void
watch_room (Watch *watch)
{
  const EncoreDownload *answer = watch->answer;
  const gint64 now_us = g_get_monotonic_time ();

  if (watch->full != NULL || now_us < watch->looked_us + LOOK_US)
    return;
  watch->looked_us = now_us;
  if (!encore_cache_room_for (watch->job->cache, MAX (answer->total_bytes - answer->done_bytes, 0),
                              &watch->full))
    g_cancellable_cancel (watch->stop);
}

/* Its first bytes are there: who waits may listen. */
static void
watch_early (Watch *watch)
{
  const EncoreDownload *answer = watch->answer;
  const EncoreJob *job = watch->job;
  g_autoptr (GError) error = NULL;

  if (job->early_pool == NULL || watch->is_elsewhere || !answer->has_meta ||
      answer->growing == NULL || answer->done_bytes == 0)
    return;
  if (*watch->early == NULL) {
    *watch->early =
        encore_early_new (job->early_pool, answer->growing, encore_claim_get_dir (watch->claim),
                          job->config->bitrate_bps, &error);
    if (*watch->early == NULL)
      g_debug ("fetch: %s", error->message);
    else
      job->early (encore_early_get_reader (*watch->early), answer->duration_ms, job->data);
  }
  if (*watch->early != NULL)
    encore_early_advance (*watch->early, answer->growing, answer->done_bytes);
}

static void
on_change (gpointer data)
{
  Watch *watch = data;
  const EncoreDownload *answer = watch->answer;

  watch->job->progress (answer->has_meta ? ENCORE_STAGE_DOWNLOAD : ENCORE_STAGE_RESOLVE,
                        answer->done_bytes, answer->total_bytes, answer->title, watch->job->data);
  watch_name (watch);
  watch_early (watch);
  watch_room (watch);
}

static void
pass_on (GCancellable *cancellable, gpointer stop)
{
  g_cancellable_cancel (stop);
}

/* *IS_ELSEWHERE: it was not needed. */
static gboolean
download_once (const EncoreJob *job, EncoreClaim *claim, gint64 deadline_us, EncoreDownload *answer,
               EncoreEarly **early, gboolean *is_elsewhere, GError **error)
{
  g_autoptr (GCancellable) stop = g_cancellable_new ();
  Watch watch = {.job = job, .claim = claim, .answer = answer, .stop = stop, .early = early};
  const char *dir = encore_claim_get_dir (claim);
  g_autofree char *ytdlp_cache =
      g_build_filename (encore_cache_get_dir (job->cache), "ytdlp", NULL);
  g_autofree char *partial_dir =
      g_build_filename (encore_cache_get_dir (job->cache), "partial", NULL);
  const gulong handler =
      job->cancellable != NULL
          ? g_cancellable_connect (job->cancellable, G_CALLBACK (pass_on), stop, NULL)
          : 0;

  answer->changed = on_change;
  answer->data = &watch;
  const EncoreDownloadSpec spec = {.config = job->config,
                                   .id = &job->id,
                                   .url = job->url,
                                   .dir = dir,
                                   .ytdlp_cache = ytdlp_cache,
                                   .partial_dir = partial_dir,
                                   .http = job->http,
                                   .worker = job->worker,
                                   .deadline_us = deadline_us,
                                   .cancellable = stop};
  const gboolean ok = encore_download_run (&spec, answer, error);
  answer->changed = NULL;
  if (handler != 0)
    g_cancellable_disconnect (job->cancellable, handler);
  *is_elsewhere = watch.is_elsewhere;
  if (watch.full == NULL)
    return ok;
  g_clear_error (error);
  g_propagate_error (error, watch.full);
  return FALSE;
}

/* TRUE: ANSWER's file is there, or *HIT: what somebody else fetched under another of its names. */
static gboolean
download (const EncoreJob *job, EncoreClaim *claim, gint64 deadline_us, EncoreDownload *answer,
          EncoreEarly **early, EncoreHandle **hit, GError **error)
{
  gboolean is_elsewhere;
  g_autoptr (GError) local = NULL;
  const gboolean ok = download_once (job, claim, deadline_us, answer, early, &is_elsewhere, &local);

  if (is_elsewhere) {
    g_autofree char *stem = encore_media_id_to_stem (&answer->id);
    g_clear_error (&local);
    *hit = encore_claim_wait_answered (claim, stem, deadline_us, job->cancellable, &local);
    if (*hit != NULL)
      return TRUE;
    if (local == NULL) { /* he gave up: it is ours now */
      encore_download_clear (answer);
      *answer = (EncoreDownload){0};
      return download_once (job, claim, deadline_us, answer, early, &is_elsewhere, error);
    }
  }
  if (local != NULL)
    g_propagate_error (error, g_steal_pointer (&local));
  return ok && !is_elsewhere;
}

/* Where the connection ended the file may have, too, or not: somebody must have told its length.
 * Ogg and WAV files were found to be whole. */
static gboolean
tells_its_end (const guint8 *head, gint64 container_ms, const EncoreDownload *answer,
               GError **error)
{
  if (!answer->is_open_ended || answer->duration_ms > 0 || container_ms > 0 ||
      memcmp (head, "OggS", 4) == 0 || memcmp (head, "RIFF", 4) == 0)
    return TRUE;
  g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT,
                       "neither the site nor the file tells where it ends");
  return FALSE;
}

/* Size as announced, the beginning of a media file, and no part of its container missing. */
static gboolean
check_open (int fd, const EncoreDownload *answer, gint64 *bytes, gint64 *container_ms,
            GError **error)
{
  struct stat st = {0};
  guint8 head[16] = {0};
  gssize n = -1;

  if (fstat (fd, &st) == 0 && S_ISREG (st.st_mode))
    n = pread (fd, head, sizeof head, 0);
  *bytes = st.st_size;
  if (n <= 0)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT,
                         "the download is empty or missing");
  else if (answer->announced_bytes > 0 && st.st_size != answer->announced_bytes)
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT,
                 "%" G_GINT64_FORMAT " bytes came of %" G_GINT64_FORMAT " announced",
                 (gint64) st.st_size, answer->announced_bytes);
  else if (!encore_whole_has_magic (head, n))
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "the site sent no media file");
  else
    return encore_announced_ms (fd, container_ms, error) &&
           tells_its_end (head, *container_ms, answer, error);
  return FALSE;
}

static gboolean
check_download (const char *path, const EncoreDownload *answer, gint64 *bytes, gint64 *container_ms,
                GError **error)
{
  const int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

  if (fd < 0) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "the download is not there: %s",
                 g_strerror (errno));
    return FALSE;
  }
  const gboolean ok = check_open (fd, answer, bytes, container_ms, error);
  close (fd);
  return ok;
}

/* The site tells whole seconds, more or less, and sometimes none; the container tells exactly. */
static gboolean
check_decoded (gint64 decoded_ms, gint64 container_ms, const EncoreDownload *answer, GError **error)
{
  if (!answer->is_sound_only || decoded_ms >= container_ms - CONTAINER_TOLERANCE_MS)
    return encore_whole_check_duration (decoded_ms, answer->duration_ms, error);
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT,
               "only %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " ms in it are sound", decoded_ms,
               container_ms);
  return FALSE;
}

static gboolean
normalise (const EncoreJob *job, const EncoreDownload *answer, const char *dir, const char *stem,
           gint64 container_ms, EncoreNormalised *out, GError **error)
{
  const EncoreNormaliseOptions options = {job->config->loudness_lufs, job->config->true_peak_dbtp,
                                          job->config->bitrate_bps, job->deadline_us,
                                          job->config->min_free_bytes};
  g_autofree char *source = g_build_filename (dir, answer->file, NULL);
  g_autofree char *opus = g_build_filename (dir, OPUS_NAME, NULL);
  g_autofree char *id_tag = g_strconcat ("ENCORE_ID=", stem, NULL);
  g_autofree char *url_tag = g_strconcat ("ENCORE_SOURCE=", answer->url, NULL);
  g_autofree char *title_tag = g_strconcat ("TITLE=", answer->title, NULL);
  g_autofree char *artist_tag = g_strconcat ("ARTIST=", answer->artist, NULL);
  const char *const comments[] = {id_tag, url_tag, title_tag, artist_tag, NULL};

  return encore_normalise (source, opus, comments, &options, job->cancellable, out, error) &&
         check_decoded (out->duration_ms, container_ms, answer, error);
}

static gint64
since_ms (gint64 *then_us)
{
  const gint64 now_us = g_get_monotonic_time ();
  const gint64 ms = (now_us - *then_us) / 1000;

  *then_us = now_us;
  return ms;
}

static gboolean
publish (const EncoreJob *job, EncoreClaim *claim, const EncoreDownload *answer, const char *stem,
         const EncoreNormalised *n, GError **error)
{
  const EncorePublish what = {.opus_name = OPUS_NAME,
                              .source_name = job->config->keep_source ? answer->file : NULL,
                              .answered_id = stem,
                              .title = answer->title,
                              .artist = answer->artist,
                              .url = answer->url,
                              .duration_ms = n->duration_ms,
                              .loudness_lufs = n->loudness_lufs,
                              .gain_db = n->gain_db,
                              .max_packet_bytes = n->max_packet_bytes};
  g_autoptr (EncoreHandle) handle = encore_claim_publish (claim, &what, error);

  return handle != NULL;
}

static void
log_publish (const EncoreJob *job, const EncoreNormalised *n, const EncoreFetched *out)
{
  g_autofree char *text = encore_media_id_to_text (&job->id);
  char lufs[G_ASCII_DTOSTR_BUF_SIZE], gain[G_ASCII_DTOSTR_BUF_SIZE];

  g_ascii_formatd (lufs, sizeof lufs, "%.1f", n->loudness_lufs);
  g_ascii_formatd (gain, sizeof gain, "%+.1f", n->gain_db);
  g_info ("fetch: publish %s bytes=%" G_GINT64_FORMAT " loudness=%sLUFS gain=%sdB packets=%s "
          "resolve=%dms download=%dms normalise=%dms publish=%dms",
          text, out->bytes, lufs, gain, n->remuxed ? "kept" : "encoded", (int) out->resolve_ms,
          (int) out->download_ms, (int) out->normalise_ms, (int) out->publish_ms);
}

static void
take_hit (const EncoreJob *job, EncoreHandle *hit, EncoreFetched *out)
{
  const EncoreEntryInfo *info = encore_handle_get_info (hit);
  g_autofree char *text = encore_media_id_to_text (&job->id);

  if (!encore_media_id_from_stem (info->id, &out->id))
    out->id = job->id;
  out->title = g_strdup (info->title);
  out->duration_ms = info->duration_ms;
  g_info ("fetch: %s was fetched by somebody else meanwhile", text);
}

/* With the claim held: download, verify, normalise, publish. */
static gboolean
fetch (const EncoreJob *job, EncoreClaim *claim, gint64 deadline_us, EncoreEarly **early,
       EncoreFetched *out, GError **error)
{
  g_auto (EncoreDownload) answer = {0};
  const char *dir = encore_claim_get_dir (claim);
  EncoreNormalised normalised = {0};
  gint64 container_ms = 0;
  g_autoptr (EncoreHandle) hit = NULL;
  gint64 then_us = g_get_monotonic_time ();
  const gint64 began_us = then_us;

  if (!encore_cache_room_for (job->cache, MIN (job->config->max_bytes, ROOM_BYTES), error))
    return FALSE;
  job->progress (ENCORE_STAGE_RESOLVE, 0, 0, NULL, job->data);
  if (!download (job, claim, deadline_us, &answer, early, &hit, error))
    return FALSE;
  if (hit != NULL) {
    take_hit (job, hit, out);
    return TRUE;
  }
  out->resolve_ms = answer.meta_us > 0 ? (answer.meta_us - began_us) / 1000 : 0;
  out->download_ms = since_ms (&then_us) - out->resolve_ms;

  g_autofree char *path = g_build_filename (dir, answer.file, NULL);
  g_autofree char *stem = encore_media_id_to_stem (&answer.id);
  if (!check_download (path, &answer, &out->bytes, &container_ms, error))
    return FALSE;
  if (*early != NULL)
    encore_early_complete (*early, path);
  job->progress (ENCORE_STAGE_NORMALISE, out->bytes, out->bytes, answer.title, job->data);
  if (!normalise (job, &answer, dir, stem, container_ms, &normalised, error))
    return FALSE;
  out->normalise_ms = since_ms (&then_us);
  job->progress (ENCORE_STAGE_PUBLISH, out->bytes, out->bytes, answer.title, job->data);
  if (!publish (job, claim, &answer, stem, &normalised, error))
    return FALSE;
  out->publish_ms = since_ms (&then_us);
  out->total_ms = (then_us - began_us) / 1000;
  out->id = answer.id;
  out->title = g_strdup (answer.title);
  out->duration_ms = normalised.duration_ms;
  out->fetched = TRUE;
  log_publish (job, &normalised, out);
  return TRUE;
}

gboolean
encore_job_run (const EncoreJob *job, EncoreFetched *out, GError **error)
{
  g_autofree char *stem = encore_media_id_to_stem (&job->id);
  g_autofree char *text = encore_media_id_to_text (&job->id);
  g_autoptr (EncoreHandle) hit = NULL;
  g_autoptr (GError) local = NULL;

  memset (out, 0, sizeof *out);
  g_autoptr (EncoreClaim) claim =
      encore_cache_claim (job->cache, stem, job->deadline_us, job->cancellable, &hit, &local);
  if (hit != NULL) {
    take_hit (job, hit, out);
    g_info ("fetch: %s is in the cache by now", text);
    return TRUE;
  }
  g_autoptr (EncoreEarly) early = NULL;
  if (claim != NULL && fetch (job, claim, job->deadline_us, &early, out, &local))
    return TRUE;
  if (early != NULL)
    encore_early_fail (early, local);
  if (claim != NULL && local->domain == ENCORE_ERROR)
    encore_claim_fail (claim, local->code, local->message);
  g_propagate_prefixed_error (error, g_steal_pointer (&local), "%s: ", text);
  return FALSE;
}
