/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Flights: one id being fetched, once, whoever asks.  The first asker creates the flight, later
 * ones join, all hear its progress; who leaves is forgotten; when nobody is left the flight is
 * cancelled, unless more than half is done.
 *
 * Threads: call from any; callbacks come in the GMainContext given, never from within the call that
 * registers them. */
#pragma once

#include <gio/gio.h>

#include "base/encore-config.h"
#include "base/encore-media-id.h"
#include "store/encore-cache.h"
#include "store/encore-reader.h"

G_BEGIN_DECLS

typedef struct EncoreFetch EncoreFetch;   /* the pool and the table of flights */
typedef struct EncoreWaiter EncoreWaiter; /* one asker's place in a flight or a search */

typedef enum {
  ENCORE_STAGE_QUEUED, /* all `jobs` are busy, or another process works on it */
  ENCORE_STAGE_RESOLVE,
  ENCORE_STAGE_DOWNLOAD,
  ENCORE_STAGE_NORMALISE, /* also the proof that it is whole */
  ENCORE_STAGE_PUBLISH,
} EncoreStage;

typedef struct {
  EncoreMediaId id;
  EncoreStage stage;
  gint64 done_bytes, total_bytes; /* total 0: unknown */
  guint waiters;
  const char *title;   /* (nullable) until the site has told */
  gint64 duration_ms;  /* 0: unknown */
  EncoreReader *early; /* (nullable) the song as Ogg Opus, which grows while it is downloaded: for
                          all who cannot wait; fails when it breaks off */
} EncoreProgress;

typedef struct {
  EncoreMediaId id; /* as the site answered; get() it from the cache */
  const char *title;
  gint64 duration_ms;
  gboolean fetched; /* FALSE: it was in the cache after all, or another process fetched it */
  gint64 bytes;     /* downloaded */
  gint64 resolve_ms, download_ms, normalise_ms, publish_ms, total_ms;
} EncoreFetched;

typedef void (*EncoreProgressFunc) (const EncoreProgress *progress, gpointer data);
/* RESULT is NULL when ERROR is set.  Called once; the waiter is gone afterwards. */
typedef void (*EncoreFetchedFunc) (const EncoreFetched *result, const GError *error, gpointer data);

/* encore_fetch_new: starts no thread and no process yet.  CACHE and CONFIG outlive it. */
EncoreFetch *encore_fetch_new (EncoreCache *cache, const EncoreConfig *config);
/* encore_fetch_free: refuses new work, kills the children's process groups, joins every thread (at
 * most 4 s).  Remaining waiters are told CANCELLED while their context still runs, and never
 * otherwise; news that are never told keep the context alive. */
void encore_fetch_free (EncoreFetch *self);

/* encore_fetch_song: asks for ID.  Asks the cache for a remembered failure first.  While the site
 * is left alone because it refused us, every flight that would ask it ends with THROTTLED; a
 * network that failed is tried once more after 1 to 3 s.
 * @progress: (nullable): at most 4 a second, but at once what can be heard early (option early).
 * Returns: (transfer none): valid until DONE was called or encore_waiter_leave(). */
EncoreWaiter *
encore_fetch_song (EncoreFetch *self, const EncoreMediaId *id, GMainContext *context,
                   EncoreProgressFunc progress, EncoreFetchedFunc done, gpointer data);

/* encore_fetch_link: the song that TEXT (untrusted) is a link of: of YouTube always, and of what
 * the option sources allows; such an address is remembered for encore_fetch_song(), but not by the
 * next process.  Returns: FALSE: it is none; words, for example. */
gboolean encore_fetch_link (EncoreFetch *self, const char *text, EncoreMediaId *out);

/* One hit of a search. */
typedef struct {
  EncoreMediaId id;
  const char *title;
  gint64 duration_ms;
} EncoreFound;
typedef void (*EncoreFoundFunc) (const EncoreFound *found, guint n, const GError *error,
                                 gpointer data);

/* encore_fetch_search: WORDS (untrusted: controls stripped, cut at 200 characters) at the site, one
 * flat request, whose answer is good for 24 hours; LIMIT at most 5.  With LIMIT 1 a cached song of
 * just that title comes first.  While the site cannot be asked older answers do, and cached songs.
 * Errors: NOT_FOUND without a hit. */
EncoreWaiter *encore_fetch_search (EncoreFetch *self, const char *words, guint limit,
                                   GMainContext *context, EncoreFoundFunc done, gpointer data);

/* encore_fetch_list: the first LIMIT songs of a playlist, one flat request.  @list_id: as of
 * encore_link_get_playlist().  Errors: NOT_FOUND without a song. */
EncoreWaiter *encore_fetch_list (EncoreFetch *self, const char *list_id, guint limit,
                                 GMainContext *context, EncoreFoundFunc done, gpointer data);

/* encore_waiter_urge: somebody listens for it now: it goes before all flights that have not begun.
 */
void encore_waiter_urge (EncoreWaiter *self);

/* encore_waiter_leave: no callback any more.  On the context's thread only. */
void encore_waiter_leave (EncoreWaiter *self);

/* encore_fetch_cancel: all who wait for ID are told CANCELLED.  Returns: FALSE if it is not in
 * flight. */
gboolean encore_fetch_cancel (EncoreFetch *self, const EncoreMediaId *id);

/* encore_fetch_live: ID, which was answered with LIVE, as it comes, shared by all who ask for it;
 * PROGRESS tells what can be heard, nothing is kept.  DONE gets an error always: LIVE when the
 * stream is over.  Not of `jobs`: a stream holds nobody up.  Only with the option live.
 * Returns: as encore_fetch_song(). */
EncoreWaiter *
encore_fetch_live (EncoreFetch *self, const EncoreMediaId *id, GMainContext *context,
                   EncoreProgressFunc progress, EncoreFetchedFunc done, gpointer data);

/* What the url of a rendition begins with; the checksum of the song's Opus file follows. */
#define ENCORE_RENDITION_OF "sha256:"

/* encore_fetch_rendition: ID, which is cached, is made once more at a constant KBPS, when there is
 * nothing else to make; the log tells what came of it. */
void encore_fetch_rendition (EncoreFetch *self, const EncoreMediaId *id, guint kbps);

/* encore_fetch_jobs: what is in flight now.  Returns: (transfer container): EncoreProgress, titles
 * owned by the elements, without `early`. */
GPtrArray *encore_fetch_jobs (EncoreFetch *self);
/* encore_fetch_count: how many they are, and renditions; nobody may be waiting for some. */
guint encore_fetch_count (EncoreFetch *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreFetch, encore_fetch_free)

G_END_DECLS
