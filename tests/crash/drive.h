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
  /* enumeration */
  char *shim;           /* path of the preloaded library */
  char *scenario, *how; /* of crash-load; "kill", "EIO", "ENOSPC", "EROFS" */
  gboolean forever;     /* all later calls fail, too */
  int step;             /* each STEP-th boundary */
  /* loss of power */
  char *device, *fs, *mount; /* block device; "ext4" or "xfs"; directory, the cache is below it */
} Drive;

/* One violation on a line. */
void drive_violation (Drive *drive, const char *format, ...) G_GNUC_PRINTF (2, 3);
guint drive_violations (void);

/* crash-load with the options of DRIVE and EXTRA; SEED tells the processes apart. */
pid_t drive_start (Drive *drive, gint64 seed, const char *const *extra);
pid_t
drive_start_with (Drive *drive, gint64 seed, const char *const *extra, const char *const *env);
/* The checker; opens and closes the cache by the product; the checker again. */
void drive_recover_and_check (Drive *drive);
/* The same without the first look; workers may have told errors. */
void drive_recover_and_check_faulty (Drive *drive);

/* drive-fault.c */
void drive_run_fault (Drive *drive);

/* drive-power.c */
void drive_run_power (Drive *drive);
