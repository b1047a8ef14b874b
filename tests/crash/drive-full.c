/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A disk that others have filled: the cache goes on being used, nobody dies of it, and when there
 * is room again it works as before. */
#include "config.h"
#include "drive.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "event.h"
#include "spawn.h"

#define LEFT_BYTES (3 * 1024 * 1024) /* by the filler, for the songs */

static gint64
free_bytes (Drive *drive)
{
  struct statvfs vfs;

  if (statvfs (drive->mount, &vfs) < 0)
    g_error ("%s: %s", drive->mount, g_strerror (errno));
  return (gint64) vfs.f_bavail * vfs.f_frsize;
}

static void
fill_disk (Drive *drive, const char *filler)
{
  const int fd = open (filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

  if (fd < 0 || posix_fallocate (fd, 0, free_bytes (drive) - LEFT_BYTES) != 0)
    g_error ("cannot fill the disk");
  close (fd);
}

/* The last blocks as well: what songs that were given up have left. */
static void
fill_to_the_brim (const char *filler)
{
  const int fd = open (filler, O_WRONLY | O_APPEND | O_CLOEXEC);
  static const char block[1024];

  while (write (fd, block, sizeof block) > 0)
    ;
  close (fd);
}

/* Whoever still lives is stopped; nobody may have ended by a signal before. */
static void
stop (Drive *drive, pid_t *pids)
{
  for (int i = 0; i < drive->procs; i++) {
    const gboolean ended = waitpid (pids[i], &(int){0}, WNOHANG | WNOWAIT) == pids[i];
    if (!ended)
      kill (pids[i], SIGKILL);
    const int status = spawn_wait (pids[i], SPAWN_HANG_MS);
    g_autofree char *what = spawn_describe (status);
    if (status < 0 || (ended && WIFSIGNALED (status)))
      drive_violation (drive, "on a full disk a process %s", what);
  }
}

/* Processes come and go: the cache is opened on a full disk, and the disk gets full under those
 * that have just opened it. */
static void
use (Drive *drive, const char *filler, gint64 *least_free)
{
  static const char *const extra[] = {"--faulty", NULL};
  static const char *const env[] = {"G_DEBUG=", NULL};
  g_autofree pid_t *pids = g_new (pid_t, drive->procs);

  for (int turn = 0; turn < 2 * drive->seconds; turn++) {
    const gint64 end_us = g_get_monotonic_time () + G_USEC_PER_SEC / 2;
    for (int i = 0; i < drive->procs; i++)
      pids[i] = drive_start_with (drive, drive->seed + 100 * turn + i, extra, env);
    while (g_get_monotonic_time () < end_us) {
      g_usleep (10000);
      /* at first there is room to open, and to grow what is written again later */
      if (filler != NULL && turn > 0 && g_get_monotonic_time () > end_us - G_USEC_PER_SEC / 3)
        fill_to_the_brim (filler);
      *least_free = MIN (*least_free, free_bytes (drive));
    }
    stop (drive, pids);
  }
}

void
drive_run_full (Drive *drive)
{
  g_autofree char *filler = g_build_filename (drive->mount, "filler", NULL);
  gint64 least_free = G_MAXINT64;

  drive_recover_and_check_faulty (drive); /* the directories and the reserve */
  fill_disk (drive, filler);
  use (drive, filler, &least_free);
  g_autoptr (EventSummary) full = event_summarise (drive->events);
  unlink (filler);
  drive_recover_and_check_faulty (drive);
  use (drive, NULL, &(gint64){0});
  drive_recover_and_check_faulty (drive);
  g_autoptr (EventSummary) events = event_summarise (drive->events);
  printf ("# full: %d s with at least %d KB free: %u songs fetched, %u published, %u errors;"
          " %u published when there was room again\n",
          drive->seconds, (int) (least_free / 1024), full->n[EVENT_FETCH], full->n[EVENT_ACK],
          full->n[EVENT_ERROR], events->n[EVENT_ACK] - full->n[EVENT_ACK]);
  if (least_free > 256 * 1024)
    drive_violation (drive, "the disk was never full");
  if (events->n[EVENT_ACK] == full->n[EVENT_ACK])
    drive_violation (drive, "nothing is published although there is room again");
}
