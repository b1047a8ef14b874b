/* SPDX-License-Identifier: LGPL-2.1-or-later
 * yt-dlp writes the stream to its standard output: it knows where the stream goes on. */
#include "config.h"
#include "fetch/encore-live.h"

#include "fetch/encore-early.h"
#include "fetch/encore-ytdlp.h"

typedef struct {
  const EncoreJob *job;
  const char *dir;
  EncoreDownload *answer;
  EncoreEarly *early; /* (nullable) until the first byte */
} Live;

static gboolean
begin (Live *self, GError **error)
{
  const EncoreJob *job = self->job;

  self->early =
      encore_early_new_stream (job->early_pool, self->dir, job->config->bitrate_bps, error);
  if (self->early == NULL)
    return FALSE;
  job->early (encore_early_get_reader (self->early), 0, job->data);
  return TRUE;
}

static gboolean
on_bytes (const guint8 *bytes, gsize len, gpointer data, GError **error)
{
  EncoreDownload *answer = data;
  Live *self = answer->data;
  const EncoreJob *job = self->job;

  if ((self->early == NULL && !begin (self, error)) ||
      !encore_early_append (self->early, bytes, len, error))
    return FALSE;
  answer->done_bytes += len;
  job->progress (ENCORE_STAGE_DOWNLOAD, answer->done_bytes, 0, answer->title, job->data);
  return TRUE;
}

static gboolean
run (Live *self, GError **error)
{
  const EncoreJob *job = self->job;
  g_autofree char *ytdlp_cache =
      g_build_filename (encore_cache_get_dir (job->cache), "ytdlp", NULL);
  const EncoreDownloadSpec spec = {.config = job->config,
                                   .id = &job->id,
                                   .url = job->url,
                                   .dir = self->dir,
                                   .ytdlp_cache = ytdlp_cache,
                                   .deadline_us = G_MAXINT64,
                                   .cancellable = job->cancellable};

  job->progress (ENCORE_STAGE_RESOLVE, 0, 0, NULL, job->data);
  return encore_ytdlp_stream (&spec, on_bytes, self->answer, error);
}

void
encore_live_run (const EncoreJob *job, GError **error)
{
  g_auto (EncoreDownload) answer = {0};
  g_autoptr (EncoreScratch) scratch = encore_cache_scratch (job->cache, "live", error);
  g_autoptr (GError) local = NULL;

  if (scratch == NULL)
    return;
  Live self = {.job = job, .dir = encore_scratch_get_dir (scratch), .answer = &answer};
  answer.data = &self;
  const gboolean ok = run (&self, &local);
  if (ok && self.early != NULL)
    encore_early_complete (self.early, NULL);
  else if (self.early != NULL)
    encore_early_fail (self.early, local);
  if (!ok)
    g_propagate_error (error, g_steal_pointer (&local));
  else if (self.early == NULL)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_GONE, "there was nothing to hear");
  else
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_LIVE, "the stream is over");
  encore_early_free (self.early);
}
