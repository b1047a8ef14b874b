/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Two versions of the program at one cache.  The other version is this one, with the version in the
 * database changed under it: whoever comes is refused in words and changes nothing, whoever is
 * there goes on, and a database is migrated when nobody is. */
#include "config.h"
#include "drive.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "event.h"
#include "spawn.h"

/* Beside live peers, who may have it locked. */
static void
change (Drive *drive, const char *sql)
{
  g_autofree char *path = g_build_filename (drive->cache, "encore.db", NULL);
  sqlite3 *db = NULL;

  if (sqlite3_open (path, &db) != SQLITE_OK || sqlite3_busy_timeout (db, 10000) != SQLITE_OK ||
      sqlite3_exec (db, sql, NULL, NULL, NULL) != SQLITE_OK)
    g_error ("%s: %s", sql, sqlite3_errmsg (db));
  sqlite3_close (db);
}

static void
start_all (Drive *drive, pid_t *pids, gint64 seed)
{
  for (int i = 0; i < drive->procs; i++) {
    int ends[2];
    char byte;
    if (pipe (ends) < 0)
      g_error ("no pipe");
    g_autofree char *fd = g_strdup_printf ("%d", ends[1]);
    const char *const extra[] = {"--ready", fd, NULL};
    pids[i] = drive_start (drive, seed + i, extra);
    close (ends[1]);
    if (read (ends[0], &byte, 1) != 0) /* it is open now, or dead */
      g_error ("a pipe that says something");
    close (ends[0]);
  }
}

static void
kill_all (Drive *drive, pid_t *pids)
{
  for (int i = 0; i < drive->procs; i++) {
    kill (pids[i], SIGKILL);
    const int status = spawn_wait (pids[i], SPAWN_HANG_MS);
    g_autofree char *what = spawn_describe (status);
    if (strcmp (what, "signal 9") != 0)
      drive_violation (drive, "beside another version a process ended by itself: %s", what);
  }
}

static void
expect_refusal (Drive *drive, const char *words)
{
  static const char *const extra[] = {"--recover", NULL};
  g_autofree char *before = g_strdup (drive->events);
  g_autofree char *told = g_strconcat (drive->base, "/refused", NULL);
  g_autofree char *text = NULL;

  g_free (drive->events);
  drive->events = g_strdup (told);
  unlink (told);
  const int status = spawn_wait (drive_start (drive, 0, extra), SPAWN_HANG_MS);
  g_free (drive->events);
  drive->events = g_steal_pointer (&before);
  g_autofree char *what = spawn_describe (status);
  if (strcmp (what, "exit status 1") != 0 || !g_file_get_contents (told, &text, NULL, NULL) ||
      strstr (text, words) == NULL)
    drive_violation (drive, "not refused with '%s' but %s: %s", words, what,
                     text != NULL ? text : "");
}

static gint64
count_acknowledged (Drive *drive)
{
  g_autoptr (EventSummary) events = event_summarise (drive->events);

  return events->n[EVENT_ACK];
}

/* They go on publishing beside whoever was refused. */
static void
expect_progress (Drive *drive)
{
  const gint64 before = count_acknowledged (drive);
  const gint64 end_us = g_get_monotonic_time () + SPAWN_HANG_MS * 1000;

  while (count_acknowledged (drive) == before && g_get_monotonic_time () < end_us)
    g_usleep (10000);
  if (count_acknowledged (drive) == before)
    drive_violation (drive, "nothing is published beside another version");
}

void
drive_run_version (Drive *drive)
{
  g_autofree pid_t *pids = g_new (pid_t, drive->procs);

  for (int round = 0; round < drive->rounds && drive_violations () == 0; round++) {
    start_all (drive, pids, (drive->seed + round) * 100);
    change (drive, "PRAGMA user_version = 5");
    expect_refusal (drive, "a newer Encore (version 5");
    expect_progress (drive);
    change (drive, "PRAGMA user_version = 2");
    expect_refusal (drive, "an older Encore is using the cache");
    expect_progress (drive);
    kill_all (drive, pids);
    change (drive, "PRAGMA user_version = 5");
    expect_refusal (drive, "a newer Encore (version 5");
    change (drive, "PRAGMA user_version = 4;" DRIVE_DOWNGRADE);
    drive_recover_and_check (drive); /* migrates what the killed ones left */
  }
  printf ("# versions: %d rounds, %d processes beside another version, %d acknowledged\n",
          drive->rounds, drive->rounds * drive->procs, (int) count_acknowledged (drive));
}
