/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Loss of power: the file system of the cache is shut down in the middle of the work, without
 * flushing its log; what was not synced is gone.  It is mounted again (its journal is replayed),
 * the product recovers, the checker looks; whatever was acknowledged has to be there.  For root. */
#include "config.h"
#include "drive.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "event.h"
#include "song.h"
#include "spawn.h"

/* The same number on ext4 and on xfs; NOLOGFLUSH. */
#define SHUTDOWN _IOR ('X', 125, uint32_t)
#define WITHOUT_FLUSH 2

static void
mount_or_die (Drive *drive)
{
  if (mount (drive->device, drive->mount, drive->fs, 0, NULL) < 0)
    g_error ("cannot mount %s: %s", drive->device, g_strerror (errno));
}

static void
unmount_or_die (Drive *drive)
{
  for (int tries = 0; umount (drive->mount) < 0; tries++) {
    if (errno != EBUSY || tries > 200)
      g_error ("cannot unmount %s: %s", drive->mount, g_strerror (errno));
    g_usleep (10000);
  }
}

static void
cut_power (Drive *drive)
{
  uint32_t flags = WITHOUT_FLUSH;
  const int fd = open (drive->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd < 0 || ioctl (fd, SHUTDOWN, &flags) < 0)
    g_error ("cannot shut %s down: %s", drive->fs, g_strerror (errno));
  close (fd);
}

/* On a busy machine nothing may have been published by the last round: then it is awaited. */
static void
wait_for_ack (Drive *drive)
{
  for (guint i = 0; i < SPAWN_HANG_MS / 10; i++) {
    g_autoptr (EventSummary) events = event_summarise (drive->events);
    if (events->n[EVENT_ACK] > 0)
      return;
    g_usleep (10000);
  }
}

static guint buses;

static void
power_round (Drive *drive, int round, Dice *dice)
{
  static const char *const extra[] = {"--faulty", NULL};
  static const char *const env[] = {"G_DEBUG=", NULL};
  g_autofree pid_t *pids = g_new (pid_t, drive->procs);

  for (int i = 0; i < drive->procs; i++)
    pids[i] = drive_start_with (drive, (drive->seed + round) * 100 + i, extra, env);
  g_usleep (60000 + dice_roll (dice, drive->max_ms * 1000));
  if (round == drive->rounds - 1)
    wait_for_ack (drive);
  cut_power (drive);
  for (int i = 0; i < drive->procs; i++)
    kill (pids[i], SIGKILL);
  for (int i = 0; i < drive->procs; i++) {
    const int status = spawn_wait (pids[i], SPAWN_HANG_MS);
    g_autofree char *what = spawn_describe (status);
    /* WAL's index is shared memory in a file, and a dead xfs answers a page fault with SIGBUS; the
     * store cannot help that short of doing without WAL */
    const gboolean index_is_gone = strcmp (drive->fs, "xfs") == 0 && status >= 0 &&
                                   WIFSIGNALED (status) && WTERMSIG (status) == SIGBUS;
    buses += index_is_gone;
    if (status < 0 || (WIFSIGNALED (status) && WTERMSIG (status) != SIGKILL && !index_is_gone))
      drive_violation (drive, "without its file system a process %s", what);
  }
}

void
drive_run_power (Drive *drive)
{
  Dice dice;
  int round = 0;

  dice_seed (&dice, drive->seed);
  mount_or_die (drive);
  for (; round < drive->rounds && drive_violations () == 0; round++) {
    power_round (drive, round, &dice);
    unmount_or_die (drive);
    mount_or_die (drive);
    drive_recover_and_check_faulty (drive);
  }
  unmount_or_die (drive);
  g_autoptr (EventSummary) events = event_summarise (drive->events);
  printf ("# power, %s: %d rounds, %u fetches, %u acknowledged, %u ended by SIGBUS\n", drive->fs,
          round, events->n[EVENT_FETCH], events->n[EVENT_ACK], buses);
  if (events->n[EVENT_ACK] == 0)
    drive_violation (drive, "nothing was ever published");
}
