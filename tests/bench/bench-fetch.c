/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Downloads from the offline site, by HTTP beside yt-dlp's own: the site slows down who does not
 * ask for pieces; the first bytes of a slow one, there with a yt-dlp of its own each time; and one
 * that stays. */
#include "config.h"
#include "bench.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "fetch/encore-download.h"
#include "fetch/encore-ytdlp.h"
#include "site-fixture.h"
#include "store-fixture.h"

#define SONG "bigAAAAAAAA"
#define SONG_BYTES 9400000
#define QUICK_BYTES 300000
#define THROTTLED "{\"media/*\": {\"slow_unless_range\": 500000}}"
#define SLOW "{\"media/*\": {\"rate\": 100000}}"
#define EARLY_BYTES 65536

static const BenchFigure FIGURES[] = {
    {
        .name = "fetch-throttled",
        .unit = "s",
        .decimals = 2,
        .goal = 1.5,
        .times = 10,
        .peer = "yt-dlp -o, a plain format",
        .means = "request -> 9.4 MB in the file, from a site that sends 500 kB/s unless ranged",
    },
    {
        .name = "fetch-first-64k",
        .unit = "s",
        .decimals = 2,
        .goal = 1.2,
        .times = NAN,
        .peer = "yt-dlp -o",
        .means = "request -> 64 KiB can be read, from a site that sends 100 kB/s",
    },
    {
        .name = "resolve-warm",
        .unit = "ms",
        .decimals = 1,
        .goal = 50,
        .times = 10,
        .peer = "a yt-dlp each time",
        .means = "what a song is and where its bytes are, from a yt-dlp that stays",
    },
};

typedef struct {
  Site *site;
  EncoreConfig *config;
  EncoreHttp *http;
  char *dir;
  /* of the download that goes on */
  EncoreDownload *out;
  GCancellable *enough; /* (nullable) */
  gint64 early_us;
} Rig;

/* Bytes and a catalogue: nobody listens to it. */
static gboolean
make_media (const char *dir, gsize bytes, GError **error)
{
  g_autofree char *song = g_build_filename (dir, "big.251.webm", NULL);
  g_autofree char *catalogue = g_build_filename (dir, "catalogue.json", NULL);
  g_autofree char *content = g_malloc (bytes);

  memset (content, 'x', bytes);
  memcpy (content, "\x1a\x45\xdf\xa3", 4);
  g_mkdir (dir, 0700);
  return g_file_set_contents (song, content, bytes, error) &&
         g_file_set_contents (
             catalogue,
             "{\"aliases\": {}, \"playlists\": {}, \"names\": {}, \"videos\": {\"" SONG
             "\": {\"title\": \"Big\", \"uploader\": \"Bench\", \"duration\": 600, "
             "\"files\": {\"251\": \"big.251.webm\"}}}}",
             -1, error);
}

static void
on_change (gpointer data)
{
  Rig *rig = data;

  if (rig->early_us == 0 && rig->out->done_bytes >= EARLY_BYTES) {
    rig->early_us = g_get_monotonic_time ();
    g_cancellable_cancel (rig->enough);
  }
}

/* *WHOLE_S, *EARLY_S: since the request.  With EARLY_S it ends there. */
static gboolean
download (Rig *rig, gboolean ours, double *whole_s, double *early_s, GError **error)
{
  g_autoptr (GCancellable) enough = g_cancellable_new ();
  g_auto (EncoreDownload) out = {.changed = on_change, .data = rig};
  g_autofree char *work = g_build_filename (rig->dir, "work", NULL);
  g_autofree char *ytdlp_cache = g_build_filename (rig->dir, "ytdlp", NULL);
  g_autoptr (GError) local = NULL;
  EncoreMediaId id;
  const gint64 began_us = g_get_monotonic_time ();
  const EncoreDownloadSpec spec = {.config = rig->config,
                                   .id = &id,
                                   .dir = work,
                                   .ytdlp_cache = ytdlp_cache,
                                   .http = rig->http,
                                   .deadline_us = began_us + 120 * G_USEC_PER_SEC,
                                   .cancellable = enough};

  encore_media_id_from_stem (SONG, &id);
  fixture_remove (work);
  g_mkdir (work, 0700);
  rig->out = &out;
  rig->enough = early_s != NULL ? enough : NULL;
  rig->early_us = 0;
  rig->config->download = ours ? ENCORE_DOWNLOAD_AUTO : ENCORE_DOWNLOAD_YTDLP;
  const gboolean ok = encore_download_run (&spec, &out, &local);
  if (whole_s != NULL)
    *whole_s = (g_get_monotonic_time () - began_us) / 1e6;
  if (early_s != NULL)
    *early_s = (rig->early_us - began_us) / 1e6;
  if (ok || (early_s != NULL && rig->early_us > 0))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
resolve (Rig *rig, EncoreWorker *worker, double *ms, GError **error)
{
  g_auto (EncoreDownload) out = {0};
  g_autofree char *work = g_build_filename (rig->dir, "work", NULL);
  g_autofree char *ytdlp_cache = g_build_filename (rig->dir, "ytdlp", NULL);
  EncoreMediaId id;
  const gint64 began_us = g_get_monotonic_time ();
  const EncoreDownloadSpec spec = {.config = rig->config,
                                   .id = &id,
                                   .dir = work,
                                   .ytdlp_cache = ytdlp_cache,
                                   .worker = worker,
                                   .deadline_us = began_us + 60 * G_USEC_PER_SEC};

  encore_media_id_from_stem (SONG, &id);
  fixture_remove (work);
  g_mkdir (work, 0700);
  const gboolean ok = encore_ytdlp_resolve (&spec, &out, error);
  *ms = (g_get_monotonic_time () - began_us) / 1e3;
  return ok;
}

static gboolean
run_resolves (Bench *self, Rig *rig, BenchRow *row, GError **error)
{
  g_autofree char *dir = g_build_filename (rig->dir, "resolver", NULL);
  g_autoptr (EncoreWorker) worker = encore_worker_new (rig->config, dir, dir);
  double ms;

  if (!resolve (rig, worker, &ms, error)) /* the first one starts it */
    return FALSE;
  for (guint i = 0; i < self->plays + self->peer_plays; i++) {
    const gboolean ours = i >= self->peer_plays;
    if (!resolve (rig, ours ? worker : NULL, &ms, error))
      return FALSE;
    bench_row_add (row, ours, ms);
  }
  return TRUE;
}

/* The peer takes its 19 s once only. */
static gboolean
run_rounds (Bench *self, Rig *rig, BenchRow **rows, GError **error)
{
  double s = 0;

  for (guint i = 0; i < self->rounds; i++) {
    site_set_faults (rig->site, THROTTLED);
    for (int ours = i == 0 ? 0 : 1; ours <= 1; ours++) {
      if (!download (rig, ours, &s, NULL, error))
        return FALSE;
      bench_row_add (rows[0], ours, s);
    }
    site_set_faults (rig->site, SLOW);
    for (int ours = 0; ours <= 1; ours++) {
      if (!download (rig, ours, NULL, &s, error))
        return FALSE;
      bench_row_add (rows[1], ours, s);
    }
  }
  return TRUE;
}

static gboolean
run (Bench *self, BenchRow **rows, GError **error)
{
  g_autofree char *media = g_build_filename (self->dir, "media", NULL);
  g_autofree char *dir = g_build_filename (self->dir, "fetch", NULL);
  g_autoptr (EncoreConfig) config = encore_config_new ();
  g_autoptr (EncoreHttp) http = encore_http_new (config);
  Rig rig = {.config = config, .http = http, .dir = dir};
  const char *why = NULL;

  if (!make_media (media, self->quick ? QUICK_BYTES : SONG_BYTES, error))
    return FALSE;
  rig.site = site_start_at (media, g_getenv ("abs_top_srcdir"), &why);
  if (rig.site == NULL) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s is not installed", why);
    return FALSE;
  }
  g_mkdir (dir, 0700);
  g_free (config->ytdlp);
  config->ytdlp = g_strdup (site_get_ytdlp (rig.site));
  config->allow_private = TRUE;
  const gboolean ok =
      run_rounds (self, &rig, rows, error) && run_resolves (self, &rig, rows[2], error);
  site_stop (rig.site);
  return ok;
}

void
bench_fetch (Bench *self)
{
  bench_measure (self, FIGURES, G_N_ELEMENTS (FIGURES), FALSE, run);
}
