/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What a worker does for one id: from the claim to the publish.  Private to fetch. */
#pragma once

#include "fetch/encore-fetch.h"
#include "fetch/encore-http.h"
#include "fetch/encore-worker.h"

G_BEGIN_DECLS

typedef struct {
  EncoreCache *cache;
  const EncoreConfig *config;
  EncoreHttp *http;
  EncoreWorker *worker; /* (nullable) */
  EncoreMediaId id;
  const char *url;    /* (nullable): of what is not on YouTube */
  gint64 deadline_us; /* of g_get_monotonic_time() */
  GCancellable *cancellable;
  GThreadPool *early_pool; /* (nullable): of encore_early_run(); NULL: not heard early */
  /* told on the worker's thread; TITLE (nullable) */
  void (*progress) (EncoreStage stage, gint64 done, gint64 total, const char *title, gpointer data);
  /* told once, if at all: what can be heard of it already, on the worker's thread */
  void (*early) (EncoreReader *reader, gint64 duration_ms, gpointer data);
  gpointer data;
} EncoreJob;

/* encore_job_run: blocks.  *OUT: its title is to be freed.  Errors: all of fetching. */
gboolean encore_job_run (const EncoreJob *job, EncoreFetched *out, GError **error);

G_END_DECLS
