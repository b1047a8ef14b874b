/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The cache: rows and files that agree.  Whoever wants a song asks get(); who must fetch it takes a
 * claim, fills its private directory and publishes.
 *
 * Ids are stems (base/encore-media-id.h).  All functions: any thread, several at once; none waits
 * for a download but encore_cache_claim().  Errors: STORE, NO_SPACE, NOT_FOUND, BUSY, CANCELLED,
 * DEADLINE, CORRUPT of ENCORE_ERROR.  Lock order and order of operations: encore-cache.c. */
#pragma once

#include <gio/gio.h>

#include "base/encore-error.h"

G_BEGIN_DECLS

typedef struct EncoreCache EncoreCache; /* one open cache directory; shared with other processes */
typedef struct EncoreHandle
    EncoreHandle;                       /* a hit: open file and lease; the entry stays meanwhile */
typedef struct EncoreClaim EncoreClaim; /* the right to fetch one id, the only one anywhere */

typedef enum { ENCORE_EVICT_GDSF, ENCORE_EVICT_LRU, ENCORE_EVICT_AGE } EncoreEvictPolicy;

/* Long work goes on: DONE of TOTAL directories.  On the thread that does it. */
typedef void (*EncoreCacheProgressFunc) (guint done, guint total, gpointer data);

typedef struct {
  const char *dir; /* made (0700) if missing; refused: symlink, foreign owner, writable by others */
  gint64 max_size_bytes; /* 0: no limit */
  gint64 min_free_bytes; /* keep at least this much free on the file system */
  gint64 max_age_ms;     /* 0: entries do not age */
  EncoreEvictPolicy policy;
  gboolean read_only; /* get(), list(), stats() only; nothing is made, counted or repaired */
  gboolean rebuild;   /* the database is made again from the files; BUSY if others use the cache */
  gboolean audits;    /* an audit follows: what dead processes left is told and removed by it */
  EncoreCacheProgressFunc progress; /* (nullable): of rebuilding and of audits */
  gpointer progress_data;
} EncoreCacheOptions;

/* What is known of an entry.  Strings are owned by it, never NULL. */
typedef struct {
  char *id;
  char *title;
  char *artist;
  char *url; /* where it came from, display only */
  gint64 duration_ms;
  gint64 src_bytes; /* 0: the source file was not kept */
  gint64 opus_bytes;
  char *sha256;           /* of the opus file, hex */
  double loudness_lufs;   /* measured, before the gain; NAN unknown */
  double gain_db;         /* applied to the opus file */
  guint max_packet_bytes; /* longest Opus packet in the file */
  gint64 access_count;
  gint64 created_at_s, last_access_s; /* Unix time, display only */
  gboolean pinned;
} EncoreEntryInfo;

typedef struct {
  gint64 entries, bytes, pinned;
  gint64 max_size_bytes, min_free_bytes; /* the limits */
  gint64 free_bytes;                     /* on the file system */
  gint64 hits, misses;                   /* since open, this process */
  gint64 bytes_saved; /* not downloaded thanks to hits, since open, this process */
  gint64 total_plays; /* all time, all processes */
} EncoreCacheStats;

/* ---- life */

/* encore_cache_open: opens or makes the directory, recovers what dead processes left unfinished.
 * Never before the host has daemonised.  Errors: STORE in words an operator understands. */
EncoreCache *encore_cache_open (const EncoreCacheOptions *options, GError **error);
/* Flushes counts.  Every handle, claim and scratch must have been freed, but handles of a read-only
 * cache, which are open files and nothing else. */
void encore_cache_close (EncoreCache *self);
const char *encore_cache_get_dir (EncoreCache *self);
/* encore_cache_rebuilt: of the files that were found when this open made the database again:
 * *BROKEN (out) were not whole and are removed, *UNREAD (out) could not be read and are where they
 * were. */
void encore_cache_rebuilt (EncoreCache *self, gint64 *broken, gint64 *unread);
/* encore_cache_interrupt: audits, verifications and evictions that run in other threads end soon,
 * with CANCELLED, and no new ones begin. */
void encore_cache_interrupt (EncoreCache *self);

/* ---- hit */

/* encore_cache_get: the entry of ID, also under an alias.
 * Returns: (transfer full): a handle, or NULL with NOT_FOUND.  @count: TRUE for a play: counts an
 * access (written behind) and a hit or a miss in the statistics. */
EncoreHandle *encore_cache_get (EncoreCache *self, const char *id, gboolean count, GError **error);
void encore_handle_free (EncoreHandle *self);
/* The opus file, for pread() only: owned by the handle, and shared by all of the same file. */
int encore_handle_get_fd (EncoreHandle *self);
const EncoreEntryInfo *encore_handle_get_info (EncoreHandle *self);

/* ---- miss */

/* encore_cache_claim: waits until nobody else in any process works on ID, then looks again.
 * @deadline_us: of g_get_monotonic_time(), 0: none.  @out_hit: (out) (transfer full): set when
 * somebody published it meanwhile; the result is then NULL and ERROR is not set.
 * Whoever had to wait while the fetch of another failed gets that failure, with its code.
 * Returns: a claim with its intent row written and an empty private directory.  The thread that
 * claims need not be the one that publishes. */
EncoreClaim *encore_cache_claim (EncoreCache *self, const char *id, gint64 deadline_us,
                                 GCancellable *cancellable, EncoreHandle **out_hit, GError **error);
const char *encore_claim_get_id (EncoreClaim *self);
/* A fresh 0700 directory on the cache's file system, absolute path; goes away with the claim. */
const char *encore_claim_get_dir (EncoreClaim *self);

typedef struct {
  const char *opus_name;   /* of a file in the claim's directory, whole and checked */
  const char *source_name; /* (nullable): the source to keep beside it */
  const char *answered_id; /* (nullable): stem the site answered with, if another: the entry is
                              stored under it and the claimed id becomes an alias */
  const char *title, *artist, *url;
  gint64 duration_ms;
  double loudness_lufs, gain_db;
  guint max_packet_bytes;
  gboolean unplayed; /* nobody asked for it: not counted as a play, and among the first to go */
} EncorePublish;

/* encore_claim_publish: makes the files durable, moves them into place, commits the ready row.
 * Returns: (transfer full): a handle to the new entry.  On failure nothing is left but the claim,
 * which must still be freed.  Evicts others if limits are passed. */
EncoreHandle *encore_claim_publish (EncoreClaim *self, const EncorePublish *what, GError **error);

/* encore_claim_try_answered: the site calls the claimed song ANSWERED_ID.  Returns: TRUE if nobody
 * has it or fetches it: the claim holds both ids from now on.  FALSE: it need not be fetched again;
 * see encore_claim_wait_answered().  Does not wait. */
gboolean encore_claim_try_answered (EncoreClaim *self, const char *answered_id);
/* encore_claim_wait_answered: waits for whoever fetches ANSWERED_ID.  Returns: (transfer full): its
 * entry, of which the claimed id is now an alias.  NULL with ERROR: as for encore_cache_claim().
 * NULL without: he gave up; the claim holds both ids and the song is to be fetched. */
EncoreHandle *
encore_claim_wait_answered (EncoreClaim *self, const char *answered_id, gint64 deadline_us,
                            GCancellable *cancellable, GError **error);

/* encore_claim_fail: remembers why the fetch of this id failed, for
 * encore_error_retry_after_s (CODE); call before encore_claim_free(). */
void encore_claim_fail (EncoreClaim *self, EncoreError code, const char *message);
/* Unpublished work is removed, row and files. */
void encore_claim_free (EncoreClaim *self);

/* encore_cache_scratch: an empty 0700 directory for work that belongs to no song: a search, a live
 * stream.  Its name begins with WHAT (a letter or more).  It goes away with the scratch, or, when
 * the process is killed, at the next open or audit; not while the process lives.  Errors: STORE,
 * NO_SPACE. */
typedef struct EncoreScratch EncoreScratch;
EncoreScratch *encore_cache_scratch (EncoreCache *self, const char *what, GError **error);
const char *encore_scratch_get_dir (EncoreScratch *self);
void encore_scratch_free (EncoreScratch *self);

/* encore_cache_room_for: is there room for BYTES more?  Evicts if need be.  Errors: NO_SPACE. */
gboolean encore_cache_room_for (EncoreCache *self, gint64 bytes, GError **error);

/* encore_cache_get_failure: a remembered failure that has not expired.
 * Returns: TRUE and ERROR set to it (code and message); *RETRY_AFTER_S (out) (optional) seconds. */
gboolean
encore_cache_get_failure (EncoreCache *self, const char *id, gint64 *retry_after_s, GError **error);
/* encore_cache_forget_failure: the next request asks the site again. */
gboolean encore_cache_forget_failure (EncoreCache *self, const char *id, GError **error);

/* ---- protection */

/* encore_cache_protect: ID is queued: a lease without a file, so that it is not evicted.  Free with
 * encore_cache_unprotect(); NULL if locks cannot be had (then it is simply not protected). */
typedef struct EncoreLease EncoreLease;
EncoreLease *encore_cache_protect (EncoreCache *self, const char *id);
void encore_cache_unprotect (EncoreLease *lease);

/* ---- looking and tending */

gboolean
encore_cache_info (EncoreCache *self, const char *id, EncoreEntryInfo **out, GError **error);
void encore_entry_info_free (EncoreEntryInfo *self);
typedef enum {
  ENCORE_SORT_RECENT,
  ENCORE_SORT_TOP,
  ENCORE_SORT_SIZE,
  ENCORE_SORT_TITLE
} EncoreSort;
/* encore_cache_list: songs, without their renditions (encore_media_id_rendition()).
 * Returns: (transfer container) (element-type EncoreEntryInfo): frees its elements. */
GPtrArray *
encore_cache_list (EncoreCache *self, EncoreSort sort, guint offset, guint limit, GError **error);
/* encore_cache_list_after: at most LIMIT entries in the order of ids, from the first one after
 * AFTER (NULL: from the beginning): a walk through all that keeps nothing open in between. */
GPtrArray *
encore_cache_list_after (EncoreCache *self, const char *after, guint limit, GError **error);
/* Titles and artists that contain all WORDS (untrusted; FTS5, prefix match on the last). */
GPtrArray *encore_cache_find (EncoreCache *self, const char *words, guint limit, GError **error);
gboolean encore_cache_pin (EncoreCache *self, const char *id, gboolean pinned, GError **error);
/* Errors: BUSY while played or fetched, NOT_FOUND. */
gboolean encore_cache_remove (EncoreCache *self, const char *id, GError **error);
void encore_cache_stats (EncoreCache *self, EncoreCacheStats *out);
gboolean encore_cache_flush (EncoreCache *self, GError **error); /* write counts now */

/* One decision of a cleaning, told as it is taken; REASON is a sentence for the log. */
typedef void (*EncoreDecisionFunc) (const char *id, gboolean removed, gint64 bytes,
                                    const char *reason, gpointer data);

/* encore_cache_evict: down to TO_BYTES (-1: the low-water mark of the limits).  Returns: entries
 * removed, -1 on error.  Pinned, playing, queued and claimed ones stay. */
gint64 encore_cache_evict (EncoreCache *self, gint64 to_bytes, EncoreDecisionFunc decide,
                           gpointer data, GError **error);
/* encore_cache_clear: removes every entry that is neither playing, queued nor pinned. */
gint64 encore_cache_clear (EncoreCache *self, gint64 *out_bytes, EncoreDecisionFunc decide,
                           gpointer data, GError **error);

typedef struct {
  gint64 checked;
  gint64 adopted, adopted_bytes;     /* whole files without a row: given one */
  gint64 orphans, orphan_bytes;      /* broken files without a row: removed */
  gint64 dangling;                   /* rows without their file: removed */
  gint64 mismatched, mismatch_bytes; /* wrong size: removed, row and file */
  gint64 stale_tmp, tmp_bytes;       /* leftovers of dead processes */
  gint64 skipped;                    /* locked by somebody: alive */
  gint64 failed;                     /* could not be read, removed or written: told and left */
  gboolean totals_wrong;             /* the sums of the database were not those of its rows */
  gboolean remade;                   /* the database was damaged when it was opened */
} EncoreAudit;
/* encore_cache_audit: rows and files made to agree.  @dry: only tell. */
gboolean encore_cache_audit (EncoreCache *self, gboolean dry, EncoreAudit *out,
                             EncoreDecisionFunc decide, gpointer data, GError **error);

/* encore_cache_verify: reads all of ID's opus file.  Returns: TRUE if each byte is as published (a
 * row without a checksum gets one).  Damaged: CORRUPT, and unless @dry the file is in quarantine/
 * (the last 8 are kept) and the song is fetched again when it is next played.  Errors: NOT_FOUND,
 * BUSY while it is fetched, STORE: cannot be read now, nothing is changed; CANCELLED. */
gboolean encore_cache_verify (EncoreCache *self, const char *id, gboolean dry, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreCache, encore_cache_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreHandle, encore_handle_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreClaim, encore_claim_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreScratch, encore_scratch_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreLease, encore_cache_unprotect)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreEntryInfo, encore_entry_info_free)

G_END_DECLS
