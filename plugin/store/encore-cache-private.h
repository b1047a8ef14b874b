/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What the files of the store share. */
#pragma once

#include "base/encore-ogg.h"
#include "store/encore-cache.h"
#include "store/encore-db.h"
#include "store/encore-layout.h"
#include "store/encore-lock.h"
#include "store/encore-open.h"

G_BEGIN_DECLS

struct EncoreCache {
  EncoreLayout *layout;
  EncoreDb *db;
  EncoreLocks *locks;
  EncoreOpen *open;
  EncoreCacheOptions options; /* dir is layout->dir */
  /* counts written behind, under COUNT_MUTEX: encore-count.c */
  GMutex count_mutex;
  GCond count_wake;
  GThread *count_thread;
  GHashTable *counts; /* id -> plays not written yet */
  gboolean closing;
  gint interrupted;                      /* atomic */
  gint64 rebuilt_broken, rebuilt_unread; /* files, when the database was made again */
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
gboolean encore_cache_mark_deleting (EncoreCache *self, const char *id, GError **error);
/* The three steps of a removal: the row says so, the files go, the row goes.  Under the id's lock.
 */
gboolean encore_cache_drop (EncoreCache *self, const char *id, gint64 *bytes, GError **error);
/* The row says ready; @sizes: src_bytes, opus_bytes, sha256.  write_ready: within a transaction of
 * DB.
 */
gboolean encore_cache_make_ready (EncoreCache *self, const char *id, const EncorePublish *what,
                                  const EncoreEntryInfo *sizes, const char *src_ext, gint64 plays,
                                  GError **error);
gboolean encore_cache_write_ready (EncoreCache *self, EncoreDb *db, const char *id,
                                   const EncorePublish *what, const EncoreEntryInfo *sizes,
                                   const char *src_ext, gint64 plays, GError **error);
/* The extension of ID's source, "" without one.  (transfer full) (nullable) */
char *encore_cache_source_ext (EncoreCache *self, const char *id);
/* The row of ID says that there is no source.  Under the id's lock. */
gboolean encore_cache_forget_source (EncoreCache *self, const char *id, GError **error);
/* TRUE, with ERROR (CANCELLED), after encore_cache_interrupt(). */
gboolean encore_cache_is_interrupted (EncoreCache *self, GError **error);
/* EncoreRowState of ID itself (no alias), ENCORE_ROW_NONE, or ENCORE_ROW_UNKNOWN: cannot be read.
 */
int encore_cache_row_state (EncoreCache *self, const char *id);
#define ENCORE_ROW_NONE (-1)
#define ENCORE_ROW_UNKNOWN (-2)
/* Is what SQL counts of the row of ID itself, ?1, there?  Errors: NOT_FOUND: no; STORE. */
gboolean encore_cache_row_says (EncoreCache *self, const char *sql, const char *id, GError **error);
EncoreEntryInfo *encore_cache_read_info (sqlite3_stmt *row);
/* The columns that encore_cache_read_info() expects, in order. */
#define ENCORE_INFO_COLUMNS \
  "id, src_size, opus_size, sha256, title, artist, url, duration_ms, lufs, gain_db, max_packet," \
  " access_count, created_at, last_access, pinned"

/* A remembered failure is believed until it expires; not when its end lies further ahead than any
 * is remembered: then the clock was set back. */
#define ENCORE_FAILURE_HOLDS \
  "fail_until > unixepoch () AND fail_until <= unixepoch () + 8 * 24 * 3600"

/* encore-count.c */
void encore_count_play (EncoreCache *self, const char *id, gint64 bytes);
void encore_count_miss (EncoreCache *self);
void encore_count_stop (EncoreCache *self);

/* encore-evict.c */
/* One song may take a quarter of the cache, or a single mix would flush everything else. */
#define ENCORE_ENTRY_SHARE 4
/* SQL of the eviction order for the policy after N more plays. */
const char *encore_evict_prio_sql (const EncoreCache *self);
/* The clock of aging goes on.  Within a transaction. */
gboolean encore_evict_live (EncoreCache *self, GError **error);
/* A transaction did not fit on the disk: the reserve is given up, others are evicted. */
gboolean encore_evict_unjam (EncoreCache *self, GError **error);
/* The oldest rows of songs that are gone, when there are many more of them than songs; and failures
 * that have expired.  Within a transaction. */
gboolean encore_evict_trim_history (EncoreCache *self, GError **error);
/* Looks again under the locks of ID: is it still what the caller saw?  Errors: NOT_FOUND: no. */
typedef gboolean (*EncoreStillFunc) (EncoreCache *self, const char *id, GError **error);
/* Removes ID and its row.  Errors: BUSY when it is played or fetched, and what STILL says. */
gboolean encore_evict_one (EncoreCache *self, const char *id, EncoreStillFunc still, gint64 *bytes,
                           GError **error);

/* encore-recover.c: cleaning work, and what its parts share. */
typedef struct {
  EncoreCache *cache;
  gboolean dry;
  EncoreAudit *audit;
  EncoreDecisionFunc decide;
  gpointer data;
} EncoreWork;

void encore_work_decide (const EncoreWork *work, const char *id, gboolean removed, gint64 bytes,
                         const char *reason);
/* ID could not be put right and stays as it is. */
void encore_work_fail (const EncoreWork *work, const char *id, gint64 bytes, const char *reason);
/* What dead processes left unfinished. */
void encore_work_finish (const EncoreWork *work);
void encore_recover (EncoreCache *self);
void encore_work_progress (EncoreCache *self, guint done, guint total);

/* encore-judge.c: what a file says of itself. */
typedef enum {
  ENCORE_JUDGED_WHOLE,
  ENCORE_JUDGED_BROKEN,
  ENCORE_JUDGED_UNKNOWN /* it cannot be read now */
} EncoreJudgement;
typedef struct {
  EncoreOggSummary tags;
  EncorePublish what; /* strings are the tags' */
  gint64 bytes;
  char *sha256; /* (nullable) if every byte was read */
} EncoreFound;

/* Under the id's lock.  @every_byte: else only its head and its tail.  OUT is cleared by the caller
 * in any case. */
EncoreJudgement
encore_judge (EncoreLayout *layout, const char *id, gboolean every_byte, EncoreFound *out);
/* The file NAME of the directory DIR, by whatever name: WHOLE if it ends well and says which song
 * it is, *ID (out) (transfer full). */
EncoreJudgement encore_judge_stray (int dir, const char *name, char **id);
void encore_found_clear (EncoreFound *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (EncoreFound, encore_found_clear)

/* Owner of a pending row whose file could not be read when the database was made again. */
#define ENCORE_OWNER_UNREAD "unread"
/* encore-audit.c: is ID such a row, and is nothing to be undone?  Its file was read now, and the
 * row is ready, or cannot be read still.  Under the id's lock. */
gboolean encore_audit_is_settled (const EncoreWork *work, const char *id);
/* encore-audit.c: a whole file of ID that no row names gets its row.  Under the id's lock. Returns:
 * whether it did. */
gboolean encore_audit_adopt (EncoreCache *self, const char *id);

/* encore-rebuild.c: EncoreDbFillFunc, DATA is the cache. */
gboolean encore_rebuild_fill (EncoreDb *db, gpointer data, GError **error);

/* encore-backup.c */
#define ENCORE_BACKUP_NAME "encore.db.bak"
/* encore_backup_recover: what was begun by somebody who died is removed. */
void encore_backup_recover (EncoreCache *self);
/* A copy of the database, if the last one is a week old and nobody else makes one. */
void encore_backup_if_due (EncoreCache *self);
gboolean encore_backup_make (EncoreCache *self, GError **error);

G_END_DECLS
