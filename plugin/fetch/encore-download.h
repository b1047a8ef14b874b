/* SPDX-License-Identifier: LGPL-2.1-or-later
 * From an id to a file in the claim's directory, in one of two ways.  Private to fetch. */
#pragma once

#include <gio/gio.h>

#include "base/encore-config.h"
#include "base/encore-error.h"
#include "base/encore-media-id.h"
#include "fetch/encore-http.h"
#include "fetch/encore-media.h"
#include "fetch/encore-worker.h"
#include "store/encore-cache.h"

G_BEGIN_DECLS

/* What is known of a download while it goes on.  Begins as zeros, but for CHANGED and DATA. */
typedef struct {
  EncoreMediaId id; /* as the site answered */
  gboolean has_meta;
  char *title, *artist, *url; /* (nullable) */
  gint64 duration_ms;         /* 0: unknown */
  char *live_status;
  EncoreMedia media;      /* when it was only resolved */
  gint64 announced_bytes; /* 0: unknown */
  gint64 done_bytes, total_bytes;
  gint64 last_bytes; /* for the watchdog */
  guint requests;    /* of yt-dlp to the site, so far; since the format is known */
  gboolean has_format, is_fragments;
  gboolean is_sound_only; /* no picture in it, whose length would be another */
  gboolean is_open_ended; /* nobody told how many bytes there are, as encore_http_download() */
  gint64 meta_us;         /* when it had resolved (g_get_monotonic_time) */
  char *growing; /* (nullable): path of the file whose first done_bytes can be read already */
  char *file;    /* (nullable): name of the finished file in the directory */
  void (*changed) (gpointer data);
  gpointer data;
} EncoreDownload;

typedef struct {
  const EncoreConfig *config;
  const EncoreMediaId *id;
  const char *url;         /* (nullable): of what is not on YouTube, encore_weblink_parse() */
  const char *dir;         /* empty and private */
  const char *ytdlp_cache; /* what yt-dlp keeps from one run to the next */
  const char *partial_dir; /* (nullable) for downloads that break off, on the same file system */
  EncoreHttp *http;
  EncoreWorker *worker; /* (nullable) asked first */
  gint64 deadline_us;   /* of g_get_monotonic_time() */
  GCancellable *cancellable;
} EncoreDownloadSpec;

/* encore_download_run: blocks, in a worker that lives as long as the call.  By HTTP where the song
 * is one file, which gives the earliest bytes; when the site refuses that, once more with a fresh
 * address, then by yt-dlp.  What broke off is kept (encore-partial.h) and gone on with.  With the
 * option download=ytdlp always by yt-dlp.  Success is a file of the announced size, never an exit
 * code alone; whether it is music is to be found out by its decoding. */
gboolean encore_download_run (const EncoreDownloadSpec *spec, EncoreDownload *out, GError **error);

/* encore_download_is_direct: is ID a file on the web, for which nobody need be asked? */
gboolean encore_download_is_direct (const EncoreMediaId *id);

/* encore_download_by_ytdlp: yt-dlp writes the file: knows every kind of site.  DIR must be empty.
 * Success is its own "done" line. */
gboolean
encore_download_by_ytdlp (const EncoreDownloadSpec *spec, EncoreDownload *out, GError **error);

/* encore_download_by_http: OUT was resolved and its media is plain.  Goes on with what broke off
 * before.  Errors: those of encore_http_download(); DIR is empty then. */
gboolean
encore_download_by_http (const EncoreDownloadSpec *spec, EncoreDownload *out, GError **error);

void encore_download_clear (EncoreDownload *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (EncoreDownload, encore_download_clear)

G_END_DECLS
