/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The independent checker: opens every file and every row of a cache with nothing but SQLite and
 * plain calls, and reads every byte.  Nobody may use the cache meanwhile. */
#pragma once

#include "event.h"

typedef struct {
  const char *dir;
  /* the product has opened the cache since the last crash: nothing unfinished may be left.  Else
   * only what holds at every instant is asked for, of a copy of the database. */
  gboolean recovered;
  gboolean damaged; /* texts may have been hit where nothing can tell: only songs are asked for */
  const EventSummary *events; /* (nullable): who must be there and who must not */
  gboolean counts_are_exact;  /* nobody was killed: EVENTS tells the sum of the counts */
} CheckOptions;

/* Prints each violation on a line.  Returns: how many. */
guint crash_check (const CheckOptions *options);
