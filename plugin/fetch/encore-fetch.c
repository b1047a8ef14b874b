/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Flights and those who wait for them.
 *
 * Threads: one mutex guards the table, the flights and their lists of waiters.  Workers run jobs
 * without it.  A waiter is told by a source in its own context, and may leave only there, so that
 * "left" and "being told" cannot cross. */
#include "config.h"
#include "fetch/encore-fetch.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/encore-weblink.h"
#include "fetch/encore-early.h"
#include "fetch/encore-job.h"
#include "fetch/encore-live.h"
#include "fetch/encore-lookup.h"
#include "fetch/encore-manners.h"
#include "fetch/encore-rendition.h"

#define LINKS_MAX 10000 /* songs that wait in all rooms, and more */
#define TELL_US (G_USEC_PER_SEC / 4)

typedef struct {
  EncoreFetch *fetch;
  char *text; /* "youtube:ID", key of the table */
  EncoreMediaId id;
  GCancellable *cancellable;
  GPtrArray *waiters; /* EncoreWaiter, a reference each */
  EncoreStage stage;
  gint64 done_bytes, total_bytes;
  char *title;
  gint64 told_us;
  gint64 duration_ms;
  EncoreReader *early; /* (nullable) */
} Flight;

typedef struct {
  char *words, *list_id; /* one of both is NULL */
  guint limit;
  EncoreWaiter *waiter;
} Search;

struct EncoreFetch {
  EncoreCache *cache;
  const EncoreConfig *config;
  EncoreHttp *http;
  EncoreWorker *worker; /* (nullable) */
  GMutex mutex;
  GHashTable *links;   /* text -> address, of what is not on YouTube */
  GQueue link_order;   /* its keys, the oldest first */
  GHashTable *flights; /* text -> Flight */
  gint n_flying;       /* atomic */
  GThreadPool *flight_pool, *search_pool;
  GThreadPool *live_pool;  /* a thread for each stream: it may last for days */
  GThreadPool *early_pool; /* (nullable) */
  EncoreRenditions *renditions;
  GCancellable *closing;
};

struct EncoreWaiter { /* g_atomic_rc_box */
  EncoreFetch *fetch;
  Flight *flight; /* (nullable) under the mutex */
  GMainContext *context;
  EncoreProgressFunc progress;
  EncoreFetchedFunc fetched;
  EncoreFoundFunc found;
  gpointer data;
  gboolean left; /* context's thread only */
};

/* Something to tell a waiter. */
typedef struct {
  EncoreWaiter *waiter;
  EncoreProgress progress;
  EncoreFetched result;
  GPtrArray *hits; /* EncoreHit (nullable) */
  char *title;
  GError *error;
  enum { TELL_PROGRESS, TELL_FETCHED, TELL_FOUND } what;
} News;

static void
waiter_clear (gpointer data)
{
  g_main_context_unref (((EncoreWaiter *) data)->context);
}

static void
waiter_unref (gpointer waiter)
{
  g_atomic_rc_box_release_full (waiter, waiter_clear);
}

static EncoreWaiter *
waiter_new (EncoreFetch *fetch, GMainContext *context, gpointer data)
{
  EncoreWaiter *self = g_atomic_rc_box_new0 (EncoreWaiter);

  self->fetch = fetch;
  self->context = g_main_context_ref (context);
  self->data = data;
  return self;
}

/* ---- telling */

static void
news_free (gpointer data)
{
  News *news = data;

  waiter_unref (news->waiter);
  g_clear_pointer (&news->hits, g_ptr_array_unref);
  g_clear_pointer (&news->progress.early, encore_reader_unref);
  g_clear_error (&news->error);
  g_free (news->title);
  g_free (news);
}

static void
tell_found (News *news)
{
  const guint n = news->hits != NULL ? news->hits->len : 0;
  g_autofree EncoreFound *found = g_new0 (EncoreFound, n + 1);

  for (guint i = 0; i < n; i++) {
    const EncoreHit *hit = news->hits->pdata[i];
    found[i] = (EncoreFound){hit->id, hit->title, hit->duration_ms};
  }
  news->waiter->found (found, n, news->error, news->waiter->data);
}

static gboolean
tell (gpointer data)
{
  News *news = data;
  EncoreWaiter *waiter = news->waiter;

  if (waiter->left)
    return G_SOURCE_REMOVE;
  waiter->left = news->what != TELL_PROGRESS;
  if (news->what == TELL_PROGRESS && waiter->progress != NULL)
    waiter->progress (&news->progress, waiter->data);
  else if (news->what == TELL_FETCHED)
    waiter->fetched (news->error == NULL ? &news->result : NULL, news->error, waiter->data);
  else if (news->what == TELL_FOUND)
    tell_found (news);
  return G_SOURCE_REMOVE;
}

static void
send_news (News *news)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, tell, news, news_free);
  g_source_attach (source, news->waiter->context);
}

static News *
news_new (EncoreWaiter *waiter, int what)
{
  News *news = g_new0 (News, 1);

  news->waiter = g_atomic_rc_box_acquire (waiter);
  news->what = what;
  return news;
}

static void
send_fetched (EncoreWaiter *waiter, const EncoreFetched *result, const GError *error)
{
  News *news = news_new (waiter, TELL_FETCHED);

  if (error != NULL) {
    news->error = g_error_copy (error);
  } else {
    news->result = *result;
    news->result.title = news->title = g_strdup (result->title);
  }
  send_news (news);
}

static EncoreProgress
progress_of (const Flight *flight)
{
  return (EncoreProgress){.id = flight->id,
                          .stage = flight->stage,
                          .done_bytes = flight->done_bytes,
                          .total_bytes = flight->total_bytes,
                          .waiters = flight->waiters->len,
                          .title = flight->title,
                          .duration_ms = flight->duration_ms};
}

/* With the mutex. */
static void
send_progress (const Flight *flight, EncoreWaiter *waiter)
{
  News *news = news_new (waiter, TELL_PROGRESS);

  news->progress = progress_of (flight);
  news->progress.title = news->title = g_strdup (flight->title);
  if (flight->early != NULL)
    news->progress.early = encore_reader_ref (flight->early);
  send_news (news);
}

static void
on_progress (EncoreStage stage, gint64 done, gint64 total, const char *title, gpointer data)
{
  Flight *flight = data;
  const gint64 now_us = g_get_monotonic_time ();

  g_mutex_lock (&flight->fetch->mutex);
  const gboolean news_worthy = stage != flight->stage || now_us >= flight->told_us + TELL_US;
  flight->stage = stage;
  flight->done_bytes = done;
  flight->total_bytes = total;
  if (title != NULL && flight->title == NULL)
    flight->title = g_strdup (title);
  for (guint i = 0; news_worthy && i < flight->waiters->len; i++)
    send_progress (flight, flight->waiters->pdata[i]);
  if (news_worthy)
    flight->told_us = now_us;
  g_mutex_unlock (&flight->fetch->mutex);
}

static void
on_early (EncoreReader *reader, gint64 duration_ms, gpointer data)
{
  Flight *flight = data;

  g_mutex_lock (&flight->fetch->mutex);
  g_clear_pointer (&flight->early, encore_reader_unref);
  flight->early = encore_reader_ref (reader);
  flight->duration_ms = duration_ms;
  for (guint i = 0; i < flight->waiters->len; i++)
    send_progress (flight, flight->waiters->pdata[i]);
  g_mutex_unlock (&flight->fetch->mutex);
}

/* ---- flights */

static void
flight_free (gpointer data)
{
  Flight *self = data;

  g_ptr_array_unref (self->waiters);
  g_object_unref (self->cancellable);
  g_clear_pointer (&self->early, encore_reader_unref);
  g_free (self->title);
  g_free (self->text);
  g_free (self);
}

static void
block_sigpipe (void)
{
  sigset_t pipe_only;

  sigemptyset (&pipe_only);
  sigaddset (&pipe_only, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &pipe_only, NULL);
}

/* ---- links */

/* Returns: (transfer full) (nullable): what was given as a link. */
static char *
find_address (EncoreFetch *self, const EncoreMediaId *id)
{
  g_autofree char *text = encore_media_id_to_text (id);

  g_mutex_lock (&self->mutex);
  char *address = g_strdup (g_hash_table_lookup (self->links, text));
  g_mutex_unlock (&self->mutex);
  return address;
}

static void
remember_address (EncoreFetch *self, const EncoreMediaId *id, const char *address)
{
  char *text = encore_media_id_to_text (id);

  g_mutex_lock (&self->mutex);
  if (g_hash_table_contains (self->links, text)) {
    g_free (text);
  } else {
    g_hash_table_insert (self->links, text, g_strdup (address));
    g_queue_push_tail (&self->link_order, text);
  }
  if (self->link_order.length > LINKS_MAX)
    g_hash_table_remove (self->links, g_queue_pop_head (&self->link_order));
  g_mutex_unlock (&self->mutex);
}

gboolean
encore_fetch_link (EncoreFetch *self, const char *text, EncoreMediaId *out)
{
  const int sources = self->config->sources;

  if (encore_media_id_from_user (text, out))
    return TRUE;
  g_autofree char *address = sources != ENCORE_SOURCES_YOUTUBE ? encore_weblink_parse (text) : NULL;
  if (address == NULL)
    return FALSE;
  const gboolean is_file = sources == ENCORE_SOURCES_HTTP || encore_weblink_is_audio (address);
  encore_weblink_to_id (is_file ? ENCORE_SOURCE_HTTP : ENCORE_SOURCE_WEB, address, out);
  remember_address (self, out, address);
  return TRUE;
}

/* ---- flying */

/* Worker: the flight leaves the table before its waiters are told, so that none can join too late.
 * @error: (nullable) */
static void
land (Flight *flight, const EncoreFetched *result, const GError *error)
{
  EncoreFetch *self = flight->fetch;

  g_mutex_lock (&self->mutex);
  if (error != NULL) /* nobody begins to hear it now */
    g_clear_pointer (&flight->early, encore_reader_unref);
  for (guint i = 0; i < flight->waiters->len; i++) {
    EncoreWaiter *waiter = flight->waiters->pdata[i];
    waiter->flight = NULL;
    if (error != NULL &&
        flight->done_bytes > 0) /* what was downloaded for nothing since the last news */
      send_progress (flight, waiter);
    send_fetched (waiter, result, error);
  }
  if (g_hash_table_lookup (self->flights, flight->text) == flight)
    g_hash_table_remove (self->flights, flight->text);
  g_mutex_unlock (&self->mutex);
  flight_free (flight);
  g_atomic_int_add (&self->n_flying, -1);
}

/* @address: (nullable): outlives it */
static EncoreJob
make_job (EncoreFetch *self, Flight *flight, const char *address)
{
  return (EncoreJob){.cache = self->cache,
                     .url = address,
                     .config = self->config,
                     .http = self->http,
                     .worker = self->worker,
                     .id = flight->id,
                     .cancellable = flight->cancellable,
                     .early_pool = self->early_pool,
                     .progress = on_progress,
                     .early = on_early,
                     .data = flight};
}

static void
fly (gpointer data, gpointer user_data)
{
  Flight *flight = data;
  g_autofree char *address = find_address (flight->fetch, &flight->id);
  EncoreJob job = make_job (flight->fetch, flight, address);
  EncoreFetched result;
  g_autoptr (GError) error = NULL;

  block_sigpipe ();
  if (!flight->fetch->config->early)
    job.early_pool = NULL;
  /* people who ask and skip, again and again, leave many of these in the queue */
  if (g_cancellable_is_cancelled (flight->cancellable))
    g_set_error_literal (&error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED, "nobody waits any more");
  else
    encore_manners_run (&job, &result, &error);
  land (flight, &result, error);
  if (error == NULL)
    g_free ((char *) result.title);
}

static void
fly_live (gpointer data, gpointer user_data)
{
  Flight *flight = data;
  g_autofree char *address = find_address (flight->fetch, &flight->id);
  const EncoreJob job = make_job (flight->fetch, flight, address);
  g_autoptr (GError) error = NULL;

  block_sigpipe ();
  encore_live_run (&job, &error);
  g_info ("fetch: live %s: %s", flight->text, error->message);
  land (flight, NULL, error);
}

static Flight *
start_flight (EncoreFetch *self, const EncoreMediaId *id, const char *text, GThreadPool *pool)
{
  Flight *flight = g_new0 (Flight, 1);

  flight->fetch = self;
  flight->id = *id;
  flight->text = g_strdup (text);
  flight->cancellable = g_cancellable_new ();
  flight->waiters = g_ptr_array_new_with_free_func (waiter_unref);
  g_hash_table_replace (self->flights, flight->text, flight);
  g_atomic_int_inc (&self->n_flying);
  g_thread_pool_push (pool, flight, NULL);
  return flight;
}

/* The flight TEXT gets a waiter more; it begins in POOL if there is none. */
static void
join_flight (EncoreFetch *self, const EncoreMediaId *id, const char *text, GThreadPool *pool,
             EncoreWaiter *waiter)
{
  g_mutex_lock (&self->mutex);
  Flight *flight = g_hash_table_lookup (self->flights, text);
  if (flight == NULL)
    flight = start_flight (self, id, text, pool);
  waiter->flight = flight;
  g_ptr_array_add (flight->waiters, waiter);
  if (flight->early != NULL)
    send_progress (flight, waiter);
  if (flight->waiters->len > 1)
    g_info ("fetch: join %s waiters=%u", text, flight->waiters->len);
  g_mutex_unlock (&self->mutex);
}

EncoreWaiter *
encore_fetch_song (EncoreFetch *self, const EncoreMediaId *id, GMainContext *context,
                   EncoreProgressFunc progress, EncoreFetchedFunc done, gpointer data)
{
  EncoreWaiter *waiter = waiter_new (self, context, data);
  g_autofree char *text = encore_media_id_to_text (id);
  g_autofree char *stem = encore_media_id_to_stem (id);
  g_autoptr (GError) known = NULL;

  waiter->progress = progress;
  waiter->fetched = done;
  if (encore_cache_get_failure (self->cache, stem, NULL, &known)) {
    send_fetched (waiter, NULL, known);
    waiter_unref (waiter); /* the news hold it until it was told */
    return waiter;
  }
  join_flight (self, id, text, self->flight_pool, waiter);
  return waiter;
}

EncoreWaiter *
encore_fetch_live (EncoreFetch *self, const EncoreMediaId *id, GMainContext *context,
                   EncoreProgressFunc progress, EncoreFetchedFunc done, gpointer data)
{
  EncoreWaiter *waiter = waiter_new (self, context, data);
  g_autofree char *text = encore_media_id_to_text (id);
  g_autofree char *key = g_strconcat ("live:", text, NULL);

  waiter->progress = progress;
  waiter->fetched = done;
  join_flight (self, id, key, self->live_pool, waiter);
  return waiter;
}

void
encore_waiter_urge (EncoreWaiter *waiter)
{
  EncoreFetch *self = waiter->fetch;

  g_mutex_lock (&self->mutex);
  if (waiter->flight != NULL) /* else it has come, but was not told yet */
    g_thread_pool_move_to_front (self->flight_pool, waiter->flight);
  g_mutex_unlock (&self->mutex);
}

void
encore_waiter_leave (EncoreWaiter *waiter)
{
  EncoreFetch *self = waiter->fetch;

  waiter->left = TRUE;
  g_mutex_lock (&self->mutex);
  Flight *flight = waiter->flight;
  waiter->flight = NULL;
  if (flight != NULL)
    g_ptr_array_remove_fast (flight->waiters, waiter);
  if (flight != NULL && flight->waiters->len == 0 &&
      (flight->stage < ENCORE_STAGE_DOWNLOAD || flight->total_bytes == 0 ||
       2 * flight->done_bytes <= flight->total_bytes)) {
    /* who asks now gets a flight of his own; it waits for this one's lock */
    g_info ("fetch: cancel %s, nobody waits for it any more", flight->text);
    g_hash_table_remove (self->flights, flight->text);
    g_cancellable_cancel (flight->cancellable);
  }
  g_mutex_unlock (&self->mutex);
}

gboolean
encore_fetch_cancel (EncoreFetch *self, const EncoreMediaId *id)
{
  g_autofree char *text = encore_media_id_to_text (id);

  g_mutex_lock (&self->mutex);
  Flight *flight = g_hash_table_lookup (self->flights, text);
  if (flight != NULL)
    g_cancellable_cancel (flight->cancellable);
  g_mutex_unlock (&self->mutex);
  return flight != NULL;
}

void
encore_fetch_rendition (EncoreFetch *self, const EncoreMediaId *id, guint kbps)
{
  encore_renditions_ask (self->renditions, id, kbps);
}

GPtrArray *
encore_fetch_jobs (EncoreFetch *self)
{
  GPtrArray *jobs = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer flight;

  g_mutex_lock (&self->mutex);
  g_hash_table_iter_init (&iter, self->flights);
  while (g_hash_table_iter_next (&iter, NULL, &flight)) {
    const EncoreProgress progress = progress_of (flight);
    const gsize title_len = progress.title != NULL ? strlen (progress.title) + 1 : 0;
    EncoreProgress *copy = g_malloc (sizeof *copy + title_len);
    *copy = progress;
    if (title_len > 0)
      copy->title = memcpy (copy + 1, progress.title, title_len);
    g_ptr_array_add (jobs, copy);
  }
  g_mutex_unlock (&self->mutex);
  return jobs;
}

guint
encore_fetch_count (EncoreFetch *self)
{
  return g_atomic_int_get (&self->n_flying) + encore_renditions_count (self->renditions);
}

/* ---- searches */

static void
search (gpointer data, gpointer user_data)
{
  g_autofree Search *job = data;
  EncoreFetch *self = user_data;
  g_autofree char *words = job->words;
  g_autofree char *list_id = job->list_id;
  News *news = news_new (job->waiter, TELL_FOUND);

  block_sigpipe ();
  news->hits = words != NULL ? encore_lookup_words (self->cache, self->config, words, job->limit,
                                                    self->closing, &news->error)
                             : encore_lookup_list (self->cache, self->config, list_id, job->limit,
                                                   self->closing, &news->error);
  send_news (news);
  waiter_unref (job->waiter);
}

static void
start_search (EncoreFetch *self, const char *words, const char *list_id, guint limit,
              EncoreWaiter *waiter)
{
  Search *job = g_new (Search, 1);

  *job = (Search){g_strdup (words), g_strdup (list_id), limit, waiter};
  g_thread_pool_push (self->search_pool, job, NULL);
}

EncoreWaiter *
encore_fetch_search (EncoreFetch *self, const char *words, guint limit, GMainContext *context,
                     EncoreFoundFunc done, gpointer data)
{
  EncoreWaiter *waiter = waiter_new (self, context, data);
  GPtrArray *known = encore_lookup_recall (self->cache, words, limit);

  waiter->found = done;
  if (known == NULL) {
    start_search (self, words, NULL, limit, waiter);
    return waiter;
  }
  News *news = news_new (waiter, TELL_FOUND);
  news->hits = known;
  send_news (news);
  waiter_unref (waiter); /* the news hold it until it was told */
  return waiter;
}

EncoreWaiter *
encore_fetch_list (EncoreFetch *self, const char *list_id, guint limit, GMainContext *context,
                   EncoreFoundFunc done, gpointer data)
{
  EncoreWaiter *waiter = waiter_new (self, context, data);

  waiter->found = done;
  start_search (self, NULL, list_id, limit, waiter);
  return waiter;
}

/* ---- life */

EncoreFetch *
encore_fetch_new (EncoreCache *cache, const EncoreConfig *config)
{
  EncoreFetch *self = g_new0 (EncoreFetch, 1);

  self->cache = cache;
  self->config = config;
  self->http = encore_http_new (config);
  /* the one that stays has no walls */
  if (config->resolver == ENCORE_RESOLVER_WORKER && config->sandbox == ENCORE_SANDBOX_NONE) {
    g_autofree char *dir = g_build_filename (encore_cache_get_dir (cache), "resolver", NULL);
    g_autofree char *ytdlp_cache = g_build_filename (encore_cache_get_dir (cache), "ytdlp", NULL);
    self->worker = encore_worker_new (config, dir, ytdlp_cache);
  }
  g_mutex_init (&self->mutex);
  self->flights = g_hash_table_new (g_str_hash, g_str_equal);
  self->links = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->closing = g_cancellable_new ();
  self->flight_pool = g_thread_pool_new (fly, self, config->jobs, FALSE, NULL);
  self->search_pool = g_thread_pool_new (search, self, 1, FALSE, NULL);
  self->renditions = encore_renditions_new (cache, config->true_peak_dbtp, self->closing);
  self->live_pool = g_thread_pool_new (fly_live, self, -1, FALSE, NULL);
  if (config->early || config->live)
    self->early_pool = g_thread_pool_new (encore_early_run, self->closing, -1, FALSE, NULL);
  return self;
}

void
encore_fetch_free (EncoreFetch *self)
{
  GHashTableIter iter;
  gpointer flight;

  if (self == NULL)
    return;
  g_mutex_lock (&self->mutex);
  g_hash_table_iter_init (&iter, self->flights);
  while (g_hash_table_iter_next (&iter, NULL, &flight))
    g_cancellable_cancel (((Flight *) flight)->cancellable);
  g_mutex_unlock (&self->mutex);
  g_cancellable_cancel (self->closing);
  g_thread_pool_free (self->flight_pool, FALSE, TRUE);
  g_thread_pool_free (self->search_pool, FALSE, TRUE);
  g_thread_pool_free (self->live_pool, FALSE, TRUE);
  encore_renditions_free (self->renditions);
  if (self->early_pool != NULL)
    g_thread_pool_free (self->early_pool, FALSE, TRUE);
  g_hash_table_unref (self->flights);
  g_hash_table_unref (self->links);
  g_queue_clear (&self->link_order);
  g_object_unref (self->closing);
  encore_worker_free (self->worker);
  encore_http_free (self->http);
  g_mutex_clear (&self->mutex);
  g_free (self);
}
