/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What the files of crash-drive share. */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct {
  char *worker; /* path of crash-load */
  char *base;   /* directory of the run: cache/, marks/, events */
  char *cache, *marks, *events;
  gint64 seed;
  int rounds, seconds, procs, threads, ids, ops, max_ms, delay_us;
  gint64 budget_bytes;
  gboolean no_removal;
} Drive;

/* One violation on a line. */
void drive_violation (Drive *drive, const char *format, ...) G_GNUC_PRINTF (2, 3);
guint drive_violations (void);

/* crash-load with the options of DRIVE and EXTRA; SEED tells the processes apart. */
pid_t drive_start (Drive *drive, gint64 seed, const char *const *extra);
/* Opens and closes the cache by the product; then the checker. */
void drive_recover_and_check (Drive *drive, gboolean counts_are_exact);
