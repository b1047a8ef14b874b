/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Enumeration: one deterministic scenario, run again and again from the same template, and at each
 * of its file and sync calls in turn killed, or the call failed.  After each run the product opens
 * the cache without faults and the checker looks. */
#include "config.h"
#include "drive.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "event.h"
#include "spawn.h"

typedef struct {
  Drive *drive;
  Template *start;
  char *report;
  int injected, killed, noticed; /* runs */
} Fault;

/* Files two levels below PATH. */
static guint
count_songs (const char *path)
{
  g_autoptr (GDir) shards = g_dir_open (path, 0, NULL);
  const char *name;
  guint n = 0;

  while (shards != NULL && (name = g_dir_read_name (shards)) != NULL) {
    g_autofree char *shard = g_build_filename (path, name, NULL);
    g_autoptr (GDir) files = g_dir_open (shard, 0, NULL);
    while (files != NULL && g_dir_read_name (files) != NULL)
      n++;
  }
  return n;
}

/* ---- runs */

static gboolean
is_import (Drive *drive)
{
  return strcmp (drive->scenario, "import") == 0;
}

/* The tool itself takes in what another bot left. */
static int
run_import (Drive *drive, const char *const *env)
{
  const char *const argv[] = {drive->tool, "--dir",  drive->cache,  "--jobs",
                              "1",         "import", drive->import, NULL};

  return spawn_wait (spawn_quiet (argv, env), SPAWN_HANG_MS);
}

/* Whatever happened to the first, the next import has all of it. */
static void
import_again (Drive *drive)
{
  static const char *const env[] = {"G_DEBUG=", NULL};
  const int status = run_import (drive, env);
  g_autofree char *what = spawn_describe (status);
  g_autofree char *opus = g_build_filename (drive->cache, "opus", NULL);
  g_autoptr (GDir) sources = g_dir_open (drive->import, 0, NULL);
  guint expected = 6; /* of the template */

  while (sources != NULL && g_dir_read_name (sources) != NULL)
    expected++;
  if (status < 0 || !WIFEXITED (status) || WEXITSTATUS (status) > 1)
    drive_violation (drive, "import again: %s", what);
  const guint there = count_songs (opus);
  if (there != expected)
    drive_violation (drive, "%u songs after the import, %u expected", there, expected);
}

static int
run_with_shim (Fault *fault, int n)
{
  Drive *drive = fault->drive;
  const char *const extra[] = {"--scenario", drive->scenario, "--faulty", NULL};
  const int number = strcmp (drive->how, "EIO") == 0      ? EIO
                     : strcmp (drive->how, "ENOSPC") == 0 ? ENOSPC
                     : strcmp (drive->how, "EROFS") == 0  ? EROFS
                                                          : 0;
  g_autofree char *preload = g_strconcat ("LD_PRELOAD=", drive->shim, NULL);
  g_autofree char *dir = g_strconcat ("CRASH_SHIM_DIR=", drive->cache, NULL);
  g_autofree char *at = g_strdup_printf ("CRASH_SHIM_AT=%d", n);
  g_autofree char *how = g_strdup_printf ("CRASH_SHIM_HOW=%d", number);
  g_autofree char *report = g_strconcat ("CRASH_SHIM_REPORT=", fault->report, NULL);
  g_autofree char *then = g_strdup_printf ("CRASH_SHIM_THEN=%d", drive->then);
  /* failing calls are warned about, and may be */
  const char *env[] = {preload,
                       dir,
                       at,
                       number != 0 ? how : "CRASH_SHIM_HOW=kill",
                       report,
                       "G_DEBUG=",
                       drive->then > 0 ? then : "CRASH_SHIM_THEN=0",
                       NULL,
                       NULL,
                       NULL};
  const char **more = &env[7];

  if (drive->forever)
    *more++ = "CRASH_SHIM_FOREVER=1";
  if (drive->reads)
    *more++ = "CRASH_SHIM_READS=1";
  if (number == 0 && strcmp (drive->how, "kill") != 0)
    g_error ("crash-drive: --how %s", drive->how);
  if (is_import (drive))
    return run_import (drive, env);
  return spawn_wait (drive_start_with (drive, 1, extra, env), SPAWN_HANG_MS);
}

static int
count_boundaries (Fault *fault)
{
  g_autofree char *text = NULL;

  template_use (fault->start);
  g_unlink (fault->report);
  if (!spawn_is_clean (run_with_shim (fault, 0)) ||
      !g_file_get_contents (fault->report, &text, NULL, NULL))
    g_error ("crash-drive: %s does not run under the shim", fault->drive->scenario);
  return atoi (text);
}

static void
check_end (Fault *fault, int status, const char *where)
{
  Drive *drive = fault->drive;
  g_autofree char *what = spawn_describe (status);

  if (strcmp (drive->how, "kill") == 0) {
    if (status >= 0 && WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL)
      fault->killed++;
    else
      drive_violation (drive, "not killed but %s at %s", what, where);
  } else if (status < 0 ||
             !(WIFEXITED (status) || (drive->then > 0 && WTERMSIG (status) == SIGKILL))) {
    drive_violation (drive, "%s at %s", what, where);
  }
}

/* An audit that was interrupted leaves to the next one what it has not repaired. */
static void
run_boundary (Fault *fault, int n)
{
  Drive *drive = fault->drive;
  g_autofree char *where = NULL;
  const guint before = drive_violations ();

  template_use (fault->start);
  g_unlink (fault->report);
  const int status = run_with_shim (fault, n);
  if (g_file_get_contents (fault->report, &where, NULL, NULL))
    g_strchomp (where);
  fault->injected += where != NULL;
  check_end (fault, status, where != NULL ? where : "?");
  g_autoptr (EventSummary) events = event_summarise (drive->events);
  fault->noticed += !spawn_is_clean (status) || events->n[EVENT_ERROR] > 0;
  if (strcmp (drive->scenario, "audit") == 0)
    template_must_run (drive, "audit", FALSE);
  drive_recover_and_check_faulty (drive);
  if (is_import (drive)) {
    import_again (drive);
    drive_check (drive, FALSE);
  }
  if (drive_violations () > before)
    printf ("#   %s %s%s at boundary %d: %s\n", drive->scenario, drive->how,
            drive->forever ? " for ever" : "", n, where != NULL ? where : "?");
}

void
drive_run_fault (Drive *drive)
{
  Fault fault = {.drive = drive};
  int runs = 0;

  drive->threads = 1;
  drive->delay_us = 0;
  fault.report = g_build_filename (drive->base, "report", NULL);
  if (strcmp (drive->scenario, "evict") == 0)
    drive->budget_bytes = 120000;
  fault.start = template_new (drive, drive->scenario);
  const int boundaries = count_boundaries (&fault);
  for (int n = 1; n <= boundaries && drive_violations () < 3; n += drive->step, runs++)
    run_boundary (&fault, n);
  printf ("# %s, %s%s%s: %d of %d boundaries, %d injected, %d of them noticed\n", drive->scenario,
          drive->how, drive->reads ? " of reads" : "", drive->forever ? " for ever" : "", runs,
          boundaries, fault.injected, fault.noticed);
  if (fault.injected != runs || (2 * fault.noticed < runs && strcmp (drive->how, "kill") == 0))
    drive_violation (drive, "the enumeration does not inject");
  template_free (fault.start);
  g_free (fault.report);
}
