/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What waits in a room: data only, no threads, no cache, no host. */
#pragma once

#include <glib.h>

#include "base/encore-media-id.h"
#include "fetch/encore-fetch.h"
#include "store/encore-cache.h"

G_BEGIN_DECLS

typedef enum {
  ENCORE_TRACK_SEARCHING, /* only words so far */
  ENCORE_TRACK_WAITING,   /* known, not looked for yet */
  ENCORE_TRACK_FETCHING,
  ENCORE_TRACK_READY, /* was in the cache when last looked */
} EncoreTrackState;

/* One request.  Owned by the queue or by the room as the current song. */
typedef struct {
  EncoreTrackState state;
  EncoreMediaId id;   /* empty while searching */
  char *words;        /* (nullable) what was searched for */
  char *title;        /* (nullable) until known */
  gint64 duration_ms; /* 0: unknown */
  gint64 start_ms;    /* where it goes on, after it was broken off */
  guint64 user;       /* who asked */
  char *user_name;
  gint64 asked_us;      /* when the command came (g_get_monotonic_time) */
  gboolean unfit;       /* its rendition broke: it plays itself */
  gboolean announce;    /* say so in the room when it starts */
  gboolean counted;     /* its play is in the count already: the publish counted it */
  gboolean tried;       /* it could not be had before its turn: then once more */
  EncoreWaiter *waiter; /* (nullable) its place in a flight or search */
  EncoreReader *early;  /* (nullable) what came of it so far, while it is fetched */
  gboolean early_tried; /* that was played, or is */
  gboolean is_early;    /* what sounds, or did last, is no cached file */
  gboolean is_live;     /* a stream, which is heard as it comes */
  GError *failure;      /* (nullable) of its fetch, while what came still sounds */
  gpointer room;        /* the EncoreRoom whose queue it is in: for the waiter's callbacks */
  EncoreLease *lease;   /* (nullable) keeps it in the cache while it is queued */
} EncoreTrack;

EncoreTrack *encore_track_new (const EncoreMediaId *id, const char *words, guint64 user,
                               const char *user_name, gint64 asked_us);
/* Leaves its flight and lets go of its lease. */
void encore_track_free (EncoreTrack *self);
/* Returns: (transfer none): the title, else the words, else the id. */
const char *encore_track_get_name (const EncoreTrack *self);

/* encore_track_get_length: (transfer full): "3:32", "live", "?". */
char *encore_track_get_length (const EncoreTrack *self);

typedef struct EncoreQueue EncoreQueue;

EncoreQueue *encore_queue_new (void);
void encore_queue_free (EncoreQueue *self);
guint encore_queue_get_length (const EncoreQueue *self);
guint encore_queue_count_user (const EncoreQueue *self, guint64 user);
/* Positions count from 0; NULL past the end. */
EncoreTrack *encore_queue_peek (const EncoreQueue *self, guint position);
/* Returns: the position. @track: (transfer full). */
guint encore_queue_append (EncoreQueue *self, EncoreTrack *track);
void encore_queue_prepend (EncoreQueue *self, EncoreTrack *track);
EncoreTrack *encore_queue_take (EncoreQueue *self, guint position); /* (transfer full) (nullable) */
gboolean encore_queue_drop (EncoreQueue *self, EncoreTrack *track); /* frees it, if it is there */
guint encore_queue_clear (EncoreQueue *self);                       /* Returns: how many */
guint encore_queue_remove_user (EncoreQueue *self, guint64 user);   /* Returns: how many */
void encore_queue_shuffle (EncoreQueue *self, GRand *rand);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreTrack, encore_track_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreQueue, encore_queue_free)

G_END_DECLS
