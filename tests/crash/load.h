/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What the files of crash-load share. */
#pragma once

#include "song.h"
#include "store/encore-cache.h"

/* A failure that the load makes itself. */
#define LOAD_FAILURE ENCORE_ERROR_NETWORK

typedef struct {
  EncoreCache *cache;
  char *dir;
  char *marks; /* directory outside the cache: who fetches what */
  gint64 seed;
  guint threads, ids, ops, sessions;
  gint64 budget_bytes; /* max_size; 0: no limit */
  guint delay_us;      /* longest pause between two pieces of a download */
  gboolean no_removal; /* gets and publishes only */
  gboolean faulty;     /* calls fail: complaints and errors are right */
  gboolean once;       /* every thread gets every id, in the same order */
  int ready_fd;        /* closed when the cache is open; 0: none */
  gint plays;          /* atomic: what access counts must sum up to */
} Load;

gboolean load_open (Load *load);
/* Tells ERROR unless it belongs to the game. */
void load_tell_error (const char *id, const GError *error);
void load_check_handle (EncoreHandle *handle, const char *id);
gboolean
load_fill (Load *load, Dice *dice, EncoreClaim *claim, const char *id, EncorePublish *what);
/* Plays ID; fetches it if it is missing. */
void load_get (Load *load, Dice *dice, const char *id);

/* load-scenario.c: opens, runs NAME, closes.  FALSE if the cache cannot be opened. */
gboolean load_run_scenario (Load *load, const char *name);
