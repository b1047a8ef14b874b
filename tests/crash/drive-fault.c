/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Enumeration: one deterministic scenario, run again and again from the same template, and at each
 * of its file and sync calls in turn killed, or the call failed.  After each run the product opens
 * the cache without faults and the checker looks. */
#include "config.h"
#include "drive.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/encore-media-id.h"
#include "event.h"
#include "song.h"
#include "spawn.h"

typedef struct {
  Drive *drive;
  char *template_cache, *template_events, *report;
  int injected, killed, noticed; /* runs */
} Fault;

/* ---- trees */

static void
remove_tree (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *child = g_build_filename (path, name, NULL);
    if (g_unlink (child) < 0)
      remove_tree (child);
  }
  g_rmdir (path);
}

static void
copy_file (const char *from, const char *to)
{
  g_autofree char *bytes = NULL;
  gsize len;

  g_unlink (to);
  if (!g_file_get_contents (from, &bytes, &len, NULL) ||
      !g_file_set_contents_full (to, bytes, len, G_FILE_SET_CONTENTS_NONE, 0600, NULL))
    g_error ("cannot copy %s", from);
}

static void
remove_strangers (const char *from, const char *to)
{
  g_autoptr (GDir) dir = g_dir_open (to, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *original = g_build_filename (from, name, NULL);
    g_autofree char *copy = g_build_filename (to, name, NULL);
    if (!g_file_test (original, G_FILE_TEST_EXISTS) && g_unlink (copy) < 0)
      remove_tree (copy);
  }
}

/* TO becomes what FROM is.  Directories that are in both stay: there are 512 of them. */
static void
copy_tree (const char *from, const char *to)
{
  g_autoptr (GDir) dir = g_dir_open (from, 0, NULL);
  const char *name;

  if (mkdir (to, 0700) < 0 && errno == EEXIST)
    remove_strangers (from, to);
  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *source = g_build_filename (from, name, NULL);
    g_autofree char *target = g_build_filename (to, name, NULL);
    if (g_file_test (source, G_FILE_TEST_IS_DIR))
      copy_tree (source, target);
    else if (strcmp (name, "reserve") != 0) /* 2 MB of nothing; made again */
      copy_file (source, target);
  }
}

/* ---- templates */

static void
must_run (Drive *drive, const char *scenario, gboolean dies)
{
  const char *const extra[] = {"--scenario", scenario, NULL};
  const int status = spawn_wait (drive_start (drive, 1, extra), SPAWN_HANG_MS);
  g_autofree char *what = spawn_describe (status);

  if (dies ? !WIFSIGNALED (status) : !spawn_is_clean (status))
    drive_violation (drive, "%s: %s", scenario, what);
}

static void
change_rows (Drive *drive, const char *sql)
{
  g_autofree char *path = g_build_filename (drive->cache, "encore.db", NULL);
  sqlite3 *db = NULL;

  if (sqlite3_open (path, &db) != SQLITE_OK ||
      sqlite3_exec (db, sql, NULL, NULL, NULL) != SQLITE_OK)
    g_error ("template: %s", sqlite3_errmsg (db));
  sqlite3_close (db);
}

static char *
path_of (Drive *drive, guint index)
{
  g_autofree char *id = song_id (index);

  return g_strdup_printf ("%s/opus/%02x/%s.opus", drive->cache, (guint) encore_id_hash (id) & 0xff,
                          id);
}

static void
change_state (Drive *drive, guint index, int state)
{
  g_autofree char *id = song_id (index);
  g_autofree char *sql = g_strdup_printf ("UPDATE entry SET state = %d WHERE id = '%s'", state, id);

  change_rows (drive, sql);
}

/* What killed processes leave: a fetch in the middle, one after its renames, an eviction before and
 * one after its unlinks. */
static void
leave_unfinished (Drive *drive)
{
  g_autofree char *unlinked = path_of (drive, 2);

  change_state (drive, 0, 0);
  change_state (drive, 1, 2);
  change_state (drive, 2, 2);
  g_unlink (unlinked);
  must_run (drive, "die", TRUE);
}

/* A whole file without a row, a broken one, a row without its file, one of the wrong size. */
static void
leave_disagreeing (Drive *drive)
{
  g_autofree char *orphan = path_of (drive, 21), *broken = path_of (drive, 22);
  g_autofree char *vanished = path_of (drive, 0), *cut = path_of (drive, 1);
  g_autofree char *id = song_id (21);
  g_autoptr (GByteArray) opus = song_opus (id);

  g_file_set_contents (orphan, (const char *) opus->data, opus->len, NULL);
  g_file_set_contents (broken, "no music", -1, NULL);
  g_unlink (vanished);
  if (truncate (cut, 100) < 0)
    g_error ("cannot cut %s", cut);
}

/* Songs FROM to TO have to be there whatever happens. */
static void
acknowledge (Drive *drive, guint from, guint to)
{
  event_open (drive->events);
  for (guint i = from; i < to; i++) {
    g_autofree char *id = song_id (i);
    event_tell (EVENT_ACK, id, "");
  }
}

static void
make_template (Fault *fault)
{
  Drive *drive = fault->drive;
  const char *scenario = drive->scenario;

  if (strcmp (scenario, "create") == 0) {
    g_file_set_contents (fault->template_events, "", 0, NULL);
    return;
  }
  must_run (drive, "setup", FALSE);
  if (strcmp (scenario, "recover") == 0) {
    leave_unfinished (drive);
    g_unlink (drive->events);
    acknowledge (drive, 3, 6);
  } else if (strcmp (scenario, "audit") == 0) {
    g_unlink (drive->events);
    leave_disagreeing (drive);
    acknowledge (drive, 2, 6);
    acknowledge (drive, 21, 22); /* whole, so it has to be adopted */
  }
  if (g_rename (drive->cache, fault->template_cache) < 0 ||
      g_rename (drive->events, fault->template_events) < 0)
    g_error ("cannot keep the template");
}

static void
use_template (Fault *fault)
{
  Drive *drive = fault->drive;
  g_autofree char *events = NULL;
  gsize len;

  g_unlink (drive->events);
  if (g_file_test (fault->template_cache, G_FILE_TEST_IS_DIR))
    copy_tree (fault->template_cache, drive->cache);
  else
    remove_tree (drive->cache);
  if (!g_file_get_contents (fault->template_events, &events, &len, NULL) ||
      !g_file_set_contents_full (drive->events, events, len, G_FILE_SET_CONTENTS_NONE, 0600, NULL))
    g_error ("cannot copy the template's events");
  g_unlink (fault->report);
}

/* ---- runs */

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
  /* failing calls are warned about, and may be */
  const char *env[] = {preload,
                       dir,
                       at,
                       number != 0 ? how : "CRASH_SHIM_HOW=kill",
                       report,
                       "G_DEBUG=",
                       drive->forever ? "CRASH_SHIM_FOREVER=1" : NULL,
                       NULL};

  if (number == 0 && strcmp (drive->how, "kill") != 0)
    g_error ("crash-drive: --how %s", drive->how);
  return spawn_wait (drive_start_with (drive, 1, extra, env), SPAWN_HANG_MS);
}

static int
count_boundaries (Fault *fault)
{
  g_autofree char *text = NULL;

  use_template (fault);
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
  } else if (status < 0 || !WIFEXITED (status)) {
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

  use_template (fault);
  const int status = run_with_shim (fault, n);
  if (g_file_get_contents (fault->report, &where, NULL, NULL))
    g_strchomp (where);
  fault->injected += where != NULL;
  check_end (fault, status, where != NULL ? where : "?");
  g_autoptr (EventSummary) events = event_summarise (drive->events);
  fault->noticed += !spawn_is_clean (status) || events->n[EVENT_ERROR] > 0;
  if (strcmp (drive->scenario, "audit") == 0)
    must_run (drive, "audit", FALSE);
  drive_recover_and_check_faulty (drive);
  if (drive_violations () > before)
    printf ("#   %s %s%s at boundary %d: %s\n", drive->scenario, drive->how,
            drive->forever ? " for ever" : "", n, where);
}

void
drive_run_fault (Drive *drive)
{
  Fault fault = {.drive = drive};
  int runs = 0;

  drive->threads = 1;
  drive->delay_us = 0;
  fault.template_cache = g_build_filename (drive->base, "template", NULL);
  fault.template_events = g_build_filename (drive->base, "template-events", NULL);
  fault.report = g_build_filename (drive->base, "report", NULL);
  if (strcmp (drive->scenario, "evict") == 0)
    drive->budget_bytes = 120000;
  make_template (&fault);
  const int boundaries = count_boundaries (&fault);
  for (int n = 1; n <= boundaries && drive_violations () < 3; n += drive->step, runs++)
    run_boundary (&fault, n);
  printf ("# %s, %s%s: %d of %d boundaries, %d injected, %d of them noticed\n", drive->scenario,
          drive->how, drive->forever ? " for ever" : "", runs, boundaries, fault.injected,
          fault.noticed);
  if (fault.injected != runs || (2 * fault.noticed < runs && strcmp (drive->how, "kill") == 0))
    drive_violation (drive, "the enumeration does not inject");
  g_free (fault.template_cache);
  g_free (fault.template_events);
  g_free (fault.report);
}
