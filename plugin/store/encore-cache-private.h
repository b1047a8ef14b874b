/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What the files of the store share. */
#pragma once

#include "store/encore-cache.h"
#include "store/encore-db.h"
#include "store/encore-layout.h"
#include "store/encore-lock.h"

G_BEGIN_DECLS

struct EncoreCache {
  EncoreLayout *layout;
  EncoreDb *db;
  EncoreLocks *locks;
  EncoreCacheOptions options; /* dir is layout->dir */
  /* counts written behind, under COUNT_MUTEX: encore-count.c */
  GMutex count_mutex;
  GCond count_wake;
  GThread *count_thread;
  GHashTable *counts; /* id -> plays not written yet */
  gboolean closing;
  gint64 hits, misses, bytes_saved;
};

/* encore-cache.c */
gboolean encore_cache_intend (EncoreCache *self, const char *id, GError **error);
/* A row's files are gone or never were: it goes away, or to history when it has counts to remember.
 * Under the id's lock. */
gboolean encore_cache_forget_row (EncoreCache *self, const char *id, GError **error);
/* On FALSE the row must stay as it is: it names what is left. */
gboolean
encore_cache_remove_files (EncoreCache *self, const char *id, gint64 *bytes, GError **error);
/* The three steps of a removal: the row says so, the files go, the row goes.  Under the id's lock.
 */
gboolean encore_cache_drop (EncoreCache *self, const char *id, gint64 *bytes, GError **error);
gboolean encore_cache_make_ready (EncoreCache *self, const char *id, const EncorePublish *what,
                                  const EncoreEntryInfo *sizes, const char *src_ext, gint64 plays,
                                  GError **error);
EncoreEntryInfo *encore_cache_read_info (sqlite3_stmt *row);
/* The columns that encore_cache_read_info() expects, in order. */
#define ENCORE_INFO_COLUMNS \
  "id, src_size, opus_size, sha256, title, artist, url, duration_ms, lufs, gain_db, max_packet," \
  " access_count, created_at, last_access, pinned"

/* encore-count.c */
void encore_count_play (EncoreCache *self, const char *id, gint64 bytes);
void encore_count_miss (EncoreCache *self);
void encore_count_stop (EncoreCache *self);

/* encore-evict.c */
/* SQL of the eviction order for the policy after N more plays. */
const char *encore_evict_prio_sql (const EncoreCache *self);
/* Looks again under the locks of ID: is it still what the caller saw? */
typedef gboolean (*EncoreStillFunc) (EncoreCache *self, const char *id);
/* Removes ID and its row.  Errors: BUSY when it is played or fetched, NOT_FOUND when STILL says no.
 */
gboolean encore_evict_one (EncoreCache *self, const char *id, EncoreStillFunc still, gint64 *bytes,
                           GError **error);

/* encore-audit.c */
void encore_audit_recover (EncoreCache *self);
/* A whole file of ID that no row names gets its row.  Under the id's lock.  Returns: whether it
 * did.
 */
gboolean encore_audit_adopt (EncoreCache *self, const char *id);

G_END_DECLS
