/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Songs of the crash harness: the bytes of both files of a song are a function of its id, so
 * whoever reads one can check every byte.  Threads: any. */
#pragma once

#include <glib.h>

/* xorshift64*, seeded: the same choices for the same seed. */
typedef struct {
  guint64 state;
} Dice;

void dice_seed (Dice *dice, guint64 seed);
/* 0 <= result < N */
guint dice_roll (Dice *dice, guint n);

/* The INDEX-th id of a load: some begin with '-', each fifth differs from its neighbour only in
 * case.  (transfer full) */
char *song_id (guint index);
/* A whole small Ogg Opus file that says it is ID. (transfer full) */
GByteArray *song_opus (const char *id);
/* The source that is kept beside it; half of the songs have none: NULL. (transfer full) (nullable)
 */
GByteArray *song_source (const char *id);
/* (transfer full) */
char *song_title (const char *id);

#define SONG_SOURCE_EXT "m4a"
