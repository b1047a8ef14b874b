/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What is remembered beside the songs: how long the site is left alone, what searches found, what
 * waits in rooms, and why a song is not here.  In the same database, so all processes share it; a
 * database that is made again begins without it.
 *
 * All functions: any thread, several at once.  Those that write sync the disk.  Errors: STORE,
 * NO_SPACE. */
#pragma once

#include "store/encore-cache.h"

G_BEGIN_DECLS

/* ---- manners (encore-manners.c) */

/* encore_cache_backoff: the site has refused us (bot check, 429): nobody asks it for 10 minutes,
 * and twice as long, up to 6 hours, with each time in a row.  While it holds, another call changes
 * nothing.  Returns: for how long from now, in seconds; 0 with ERROR. */
gint64 encore_cache_backoff (EncoreCache *self, GError **error);
/* encore_cache_backoff_left: Returns: seconds; 0: the site may be asked. */
gint64 encore_cache_backoff_left (EncoreCache *self);
/* encore_cache_backoff_end: the site has answered, or an admin says so.  *WAS (out) (optional):
 * seconds that were left. */
gboolean encore_cache_backoff_end (EncoreCache *self, gint64 *was, GError **error);

/* encore_cache_take_turn: each call gets a turn INTERVAL_MS after the one before, whichever process
 * asks.  Returns: how long to wait for it, in ms; -1 with ERROR. */
gint64 encore_cache_take_turn (EncoreCache *self, gint64 interval_ms, GError **error);

/* encore_cache_spend: BYTES of a budget are used up; encore_cache_get_spent: of today's (UTC). */
gboolean encore_cache_spend (EncoreCache *self, gint64 bytes, GError **error);
gint64 encore_cache_get_spent (EncoreCache *self);

/* ---- searches (encore-search.c) */

typedef struct {
  const char *id; /* stem */
  const char *title;
  gint64 duration_ms;
} EncoreKnownSong;

/* encore_words_fold: WORDS (untrusted) without what makes no difference: "  The  TEST tune" and
 * "the test Tune" are one.  (transfer full) */
char *encore_words_fold (const char *words);
/* WORDS are folded. */
gboolean encore_cache_know_search (EncoreCache *self, const char *words,
                                   const EncoreKnownSong *found, guint n, GError **error);
typedef void (*EncoreKnownFunc) (const EncoreKnownSong *song, gpointer data);
/* encore_cache_recall_search: tells TAKE each song that WORDS found within the last MAX_AGE_S.
 * Returns: how many. */
guint encore_cache_recall_search (EncoreCache *self, const char *words, gint64 max_age_s,
                                  EncoreKnownFunc take, gpointer data);

/* ---- why (encore-explain.c) */

typedef enum {
  ENCORE_IS_UNKNOWN, /* never heard of */
  ENCORE_IS_HERE,
  ENCORE_IS_BEING_MADE, /* fetched or removed just now, by some process */
  ENCORE_IS_REMEMBERED, /* was here, or failed */
} EncoreWhereabouts;

typedef struct {
  char *id;    /* of the song */
  char *alias; /* (nullable) the name it was asked by, if another */
  EncoreWhereabouts where;
  gint64 plays;
  gboolean pinned;
  gint64 place, of; /* in the order of eviction, from 1, among OF songs; 0: not in it */
  int failure;      /* of ENCORE_ERROR; meaningful if RETRY_AFTER_S > 0 */
  gint64 retry_after_s;
} EncoreExplanation;

/* encore_cache_explain: all that is known of ID.  Clear OUT in any case. */
gboolean
encore_cache_explain (EncoreCache *self, const char *id, EncoreExplanation *out, GError **error);
void encore_explanation_clear (EncoreExplanation *self);

/* Stems of the LIMIT songs that were played most and are not here any more, the most played first.
 * Returns: (transfer full) (element-type utf8) */
GPtrArray *encore_cache_list_missed (EncoreCache *self, guint limit, GError **error);

/* ---- rooms (encore-rooms.c) */

/* Strings are owned, never NULL. */
typedef struct {
  char *id; /* stem; "": only words so far */
  char *words, *title, *user_name;
  gint64 duration_ms;
} EncoreWaitingSong;
void encore_waiting_song_free (gpointer song);

typedef struct {
  char *name; /* of the room, the same after a restart */
  guint64 chat;
  gint64 position_ms; /* in the first song */
  gboolean sounding;  /* the first song had its turn */
  gboolean paused;
  int loop;
  GPtrArray *songs; /* EncoreWaitingSong, the current one first; NULL when saving: as before */
} EncoreKeptRoom;

EncoreKeptRoom *encore_kept_room_new (const char *name);
void encore_kept_room_add (EncoreKeptRoom *self, const char *id, const char *words,
                           const char *title, gint64 duration_ms, const char *user_name);
void encore_kept_room_free (EncoreKeptRoom *self);

/* encore_cache_keep_rooms: ROOMS (element-type EncoreKeptRoom) in one transaction; those without a
 * song are forgotten. */
gboolean encore_cache_keep_rooms (EncoreCache *self, GPtrArray *rooms, GError **error);
/* encore_cache_kept_rooms: those whose name begins with PREFIX.  Returns: (transfer full). */
GPtrArray *encore_cache_kept_rooms (EncoreCache *self, const char *prefix, GError **error);

/* encore_cache_own_rooms: the right to keep the rooms whose names begin with PREFIX, of one process
 * at a time; ends with the process.  Returns: (nullable): NULL: another one that lives has it. */
typedef struct EncoreOwnership EncoreOwnership;
EncoreOwnership *encore_cache_own_rooms (EncoreCache *self, const char *prefix);
void encore_ownership_free (EncoreOwnership *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreKeptRoom, encore_kept_room_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreOwnership, encore_ownership_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (EncoreExplanation, encore_explanation_clear)

G_END_DECLS
