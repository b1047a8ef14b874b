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
  gboolean reads;       /* those that read are the boundaries */
  int step;             /* each STEP-th boundary */
  int then;             /* after a call that failed this many more, then killed; 0: never */
  char *tool, *import;  /* encore-cache and a directory, for the scenario "import" */
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

/* The last look alone; DAMAGED: the database was hit before. */
void drive_check (Drive *drive, gboolean damaged);

/* drive-template.c: a cache to begin from, again and again. */
typedef struct {
  Drive *drive;
  char *cache, *events;
} Template;

/* Makes the one from which SCENARIO starts. */
Template *template_new (Drive *drive, const char *scenario);
/* The cache and the events become what they were. */
void template_use (Template *self);
void template_free (Template *self);
/* Runs SCENARIO without faults; the store may complain of what it finds. */
void template_must_run (Drive *drive, const char *scenario, gboolean dies);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Template, template_free)

/* SQL: schema version 2, which had less. */
#define DRIVE_DOWNGRADE \
  "DROP TABLE note; DROP TABLE search; DROP TABLE room; DROP TABLE waiting;" \
  "DROP INDEX entry_pinned; DROP INDEX entry_lived; DROP INDEX entry_history; ALTER TABLE entry " \
  "DROP COLUMN lived_at;" \
  "DELETE FROM total WHERE k IN ('lived', 'seen'); PRAGMA user_version = 2"

/* drive-version.c */
void drive_run_version (Drive *drive);

/* drive-damage.c */
void drive_run_damage (Drive *drive);

/* drive-full.c */
void drive_run_full (Drive *drive);

/* drive-fault.c */
void drive_run_fault (Drive *drive);

/* drive-power.c */
void drive_run_power (Drive *drive);
