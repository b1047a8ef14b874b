/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The driver of the crash harness: lets processes use one cache, kills them, has the product
 * recover and the checker look.  Prints what it did; exit status 1 after any violation.
 *
 *   crash-drive kill --worker PATH --base DIR [--rounds N] [--seed N] ...
 *   crash-drive roll ... --seconds N     processes come and go beside live peers
 *   crash-drive once ...                 everybody wants every song: as many fetches as songs
 *   crash-drive check ...                looks before and after the product has recovered
 *   crash-drive fault ... --scenario NAME --how kill|EIO|ENOSPC|EROFS [--forever] [--reads]
 *     [--then N]
 *   crash-drive damage ... --rounds N    the database is hit at random
 *   crash-drive full ... --seconds N     on a disk that others have filled
 *   crash-drive version ... --rounds N   beside a newer and an older version
 *   crash-drive power ... --device LOOP --fs ext4|xfs --mount DIR */
#include "config.h"
#include "drive.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "song.h"
#include "spawn.h"

static guint violations;

void
drive_violation (Drive *drive, const char *format, ...)
{
  va_list args;

  violations++;
  va_start (args, format);
  printf ("#   violation: ");
  vprintf (format, args);
  printf (" (seed %" G_GINT64_FORMAT ")\n", drive->seed);
  va_end (args);
  fflush (stdout);
}

guint
drive_violations (void)
{
  return violations;
}

pid_t
drive_start (Drive *drive, gint64 seed, const char *const *extra)
{
  return drive_start_with (drive, seed, extra, NULL);
}

pid_t
drive_start_with (Drive *drive, gint64 seed, const char *const *extra, const char *const *env)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);
  const struct {
    const char *name;
    gint64 value;
  } numbers[] = {
      {"--seed", seed},      {"--threads", drive->threads}, {"--ids", drive->ids},
      {"--ops", drive->ops}, {"--delay", drive->delay_us},  {"--budget", drive->budget_bytes}};
  const char *const paths[] = {drive->worker, "--dir",    drive->cache, "--marks",
                               drive->marks,  "--events", drive->events};

  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    g_ptr_array_add (argv, g_strdup (paths[i]));
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++) {
    g_ptr_array_add (argv, g_strdup (numbers[i].name));
    g_ptr_array_add (argv, g_strdup_printf ("%" G_GINT64_FORMAT, numbers[i].value));
  }
  if (drive->no_removal)
    g_ptr_array_add (argv, g_strdup ("--no-removal"));
  for (; extra != NULL && *extra != NULL; extra++)
    g_ptr_array_add (argv, g_strdup (*extra));
  g_ptr_array_add (argv, NULL);
  return spawn ((const char *const *) argv->pdata, env);
}

/* ---- looking */

static void
check_events (Drive *drive, const EventSummary *events, gboolean errors_are_fine)
{
  if (event_violations (events) > 0)
    drive_violation (drive, "%u overlaps, %u wrong reads, %u vanished files; first: %s",
                     events->n[EVENT_OVERLAP], events->n[EVENT_BAD_BYTES],
                     events->n[EVENT_VANISHED], events->first_violation);
  if (events->n[EVENT_ERROR] > 0 && !errors_are_fine)
    drive_violation (drive, "%u errors; first: %s", events->n[EVENT_ERROR], events->first_error);
}

typedef enum { LOOK_BEFORE, LOOK_AFTER, LOOK_AFTER_FAULTS, LOOK_AFTER_DAMAGE, LOOK_EXACT } Look;

static void
look (Drive *drive, Look how)
{
  g_autoptr (EventSummary) events = event_summarise (drive->events);
  /* what a budget evicts is not told: then nobody knows who must be there */
  const CheckOptions options = {.dir = drive->cache,
                                .recovered = how != LOOK_BEFORE,
                                .damaged = how == LOOK_AFTER_DAMAGE,
                                .events = drive->budget_bytes == 0 ? events : NULL,
                                .counts_are_exact = how == LOOK_EXACT};
  const guint found = crash_check (&options);

  if (found > 0)
    drive_violation (drive, "%u in the cache, %s recovery", found,
                     how == LOOK_BEFORE ? "before" : "after");
  if (how != LOOK_BEFORE)
    check_events (drive, events, how == LOOK_AFTER_FAULTS);
}

void
drive_check (Drive *drive, gboolean damaged)
{
  look (drive, damaged ? LOOK_AFTER_DAMAGE : LOOK_AFTER);
}

/* FAULTY: the store may complain of what it finds. */
static void
recover (Drive *drive, gboolean faulty)
{
  const char *const arguments[] = {"--recover", faulty ? "--faulty" : NULL, NULL};
  const char *const env[] = {faulty ? "G_DEBUG=" : NULL, NULL};
  const int status = spawn_wait (drive_start_with (drive, 0, arguments, env), SPAWN_HANG_MS);

  if (!spawn_is_clean (status)) {
    g_autofree char *what = spawn_describe (status);
    drive_violation (drive, "the cache cannot be opened after a crash: %s", what);
  }
}

void
drive_recover_and_check (Drive *drive)
{
  look (drive, LOOK_BEFORE);
  recover (drive, FALSE);
  look (drive, LOOK_AFTER);
}

void
drive_recover_and_check_faulty (Drive *drive)
{
  recover (drive, TRUE);
  look (drive, LOOK_AFTER_FAULTS);
}

static void
expect_killed (Drive *drive, int status)
{
  g_autofree char *what = spawn_describe (status);

  if (!spawn_is_clean (status) && strcmp (what, "signal 9") != 0)
    drive_violation (drive, "a process ended by itself: %s", what);
}

/* ---- random instants */

/* A process, and when it will be killed: at a random instant after it has opened the cache; each
 * fourth at one after its start, so that opening is hit as well. */
typedef struct {
  pid_t pid;
  int ready;     /* read end of a pipe that the process closes when it is open; -1: is */
  gint64 due_us; /* 0: not known yet */
} Victim;

static Victim
start_victim (Drive *drive, gint64 seed, Dice *dice)
{
  int ends[2];

  if (pipe2 (ends, O_NONBLOCK) < 0)
    g_error ("no pipe");
  g_autofree char *fd = g_strdup_printf ("%d", ends[1]);
  const char *const extra[] = {"--ready", fd, NULL};
  fcntl (ends[0], F_SETFD, FD_CLOEXEC);
  Victim victim = {drive_start (drive, seed, extra), ends[0], 0};
  close (ends[1]);
  if (dice_roll (dice, 4) == 0)
    victim.due_us = g_get_monotonic_time () + dice_roll (dice, drive->max_ms * 1000);
  return victim;
}

/* TRUE: now. */
static gboolean
is_due (Drive *drive, Victim *victim, Dice *dice)
{
  struct pollfd ready = {.fd = victim->ready, .events = POLLIN};

  if (victim->due_us == 0 && poll (&ready, 1, 0) > 0)
    victim->due_us = g_get_monotonic_time () + dice_roll (dice, drive->max_ms * 1000);
  return victim->due_us != 0 && g_get_monotonic_time () >= victim->due_us;
}

static void
kill_victim (Drive *drive, Victim *victim)
{
  if (victim->pid == 0)
    return;
  kill (victim->pid, SIGKILL);
  close (victim->ready);
  expect_killed (drive, spawn_wait (victim->pid, SPAWN_HANG_MS));
  victim->pid = 0;
}

/* Every process is killed at an instant of its own; who was done before is fine. */
static void
kill_round (Drive *drive, int round, Dice *dice)
{
  const gint64 hangs_us = g_get_monotonic_time () + SPAWN_HANG_MS * 1000;
  g_autofree Victim *victims = g_new0 (Victim, drive->procs);
  int left = drive->procs;

  for (int i = 0; i < drive->procs; i++)
    victims[i] = start_victim (drive, (drive->seed + round) * 100 + i, dice);
  while (left > 0 && g_get_monotonic_time () < hangs_us) {
    for (int i = 0; i < drive->procs; i++)
      if (victims[i].pid != 0 && is_due (drive, &victims[i], dice)) {
        kill_victim (drive, &victims[i]);
        left--;
      }
    g_usleep (500);
  }
  if (left > 0)
    drive_violation (drive, "%d processes could not open the cache", left);
  for (int i = 0; i < drive->procs; i++)
    kill_victim (drive, &victims[i]);
}

static gboolean
has_leftovers (Drive *drive)
{
  g_autofree char *path = g_build_filename (drive->cache, "tmp", NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);

  return dir != NULL && g_dir_read_name (dir) != NULL;
}

static void
run_kill (Drive *drive)
{
  int dirty = 0, round = 0;
  Dice dice;

  dice_seed (&dice, drive->seed);
  for (; round < drive->rounds && violations == 0; round++) {
    kill_round (drive, round, &dice);
    dirty += has_leftovers (drive);
    drive_recover_and_check (drive);
  }
  g_autoptr (EventSummary) events = event_summarise (drive->events);
  printf ("# kill: %d rounds, %d processes killed, %d rounds dirty, %u fetches, %u acknowledged\n",
          round, round * drive->procs, dirty, events->n[EVENT_FETCH], events->n[EVENT_ACK]);
  if (dirty == 0)
    drive_violation (drive, "no round left anything unfinished: the kills came too late");
}

/* ---- beside live peers */

static void
run_roll (Drive *drive)
{
  const gint64 end_us = g_get_monotonic_time () + drive->seconds * G_USEC_PER_SEC;
  g_autofree Victim *victims = g_new0 (Victim, drive->procs);
  guint kills = 0;
  Dice dice;

  dice_seed (&dice, drive->seed);
  while (g_get_monotonic_time () < end_us) {
    for (int i = 0; i < drive->procs; i++) {
      if (victims[i].pid != 0 && !is_due (drive, &victims[i], &dice))
        continue;
      kill_victim (drive, &victims[i]);
      victims[i] = start_victim (drive, drive->seed * 100000 + kills++, &dice);
    }
    g_usleep (500);
  }
  for (int i = 0; i < drive->procs; i++)
    kill_victim (drive, &victims[i]);
  drive_recover_and_check (drive);
  g_autoptr (EventSummary) events = event_summarise (drive->events);
  printf ("# roll: %d s, %u processes killed beside live ones, %u fetches, %u acknowledged\n",
          drive->seconds, kills, events->n[EVENT_FETCH], events->n[EVENT_ACK]);
  if (events->n[EVENT_FETCH] == 0)
    drive_violation (drive, "nothing was ever fetched");
}

/* ---- once only */

static void
run_once (Drive *drive)
{
  static const char *const once[] = {"--once", NULL};
  g_autofree pid_t *pids = g_new (pid_t, drive->procs);

  for (int i = 0; i < drive->procs; i++)
    pids[i] = drive_start (drive, drive->seed + i, once);
  for (int i = 0; i < drive->procs; i++) {
    const int status = spawn_wait (pids[i], 3 * SPAWN_HANG_MS);
    g_autofree char *what = spawn_describe (status);
    if (!spawn_is_clean (status))
      drive_violation (drive, "a process did not end cleanly: %s", what);
  }
  look (drive, LOOK_EXACT);
  g_autoptr (EventSummary) events = event_summarise (drive->events);
  printf ("# once: %d processes x %d threads x %d songs: %u fetches, %" G_GINT64_FORMAT
          " plays counted\n",
          drive->procs, drive->threads, drive->ids, events->n[EVENT_FETCH], events->plays);
  if (events->n[EVENT_FETCH] != (guint) drive->ids || events->n[EVENT_ACK] != (guint) drive->ids)
    drive_violation (drive, "%u fetches and %u publishes of %d songs", events->n[EVENT_FETCH],
                     events->n[EVENT_ACK], drive->ids);
  if (events->clean_processes != (guint) drive->procs)
    drive_violation (drive, "%u of %d processes closed", events->clean_processes, drive->procs);
}

/* ---- */

static const struct {
  const char *name;
  void (*run) (Drive *drive);
} COMMANDS[] = {{"kill", run_kill},
                {"roll", run_roll},
                {"once", run_once},
                {"check", drive_recover_and_check},
                {"fault", drive_run_fault},
                {"power", drive_run_power},
                {"damage", drive_run_damage},
                {"full", drive_run_full},
                {"version", drive_run_version}};

static void
drive_clear (Drive *drive)
{
  char *const strings[] = {drive->worker, drive->base, drive->cache,    drive->marks,
                           drive->events, drive->shim, drive->scenario, drive->how,
                           drive->device, drive->fs,   drive->mount,    drive->tool,
                           drive->import};

  for (guint i = 0; i < G_N_ELEMENTS (strings); i++)
    g_free (strings[i]);
}

static void
set_paths (Drive *drive)
{
  g_autofree char *base = g_canonicalize_filename (drive->base, NULL);

  drive->cache = g_build_filename (drive->mount != NULL ? drive->mount : base, "cache", NULL);
  drive->marks = g_build_filename (base, "marks", NULL);
  drive->events = g_build_filename (base, "events", NULL);
  g_mkdir_with_parents (drive->marks, 0700);
}

static void
parse (Drive *drive, int *argc, char ***argv)
{
  const GOptionEntry entries[] = {
      {"worker", 0, 0, G_OPTION_ARG_FILENAME, &drive->worker, NULL, NULL},
      {"base", 0, 0, G_OPTION_ARG_FILENAME, &drive->base, NULL, NULL},
      {"seed", 0, 0, G_OPTION_ARG_INT64, &drive->seed, NULL, NULL},
      {"rounds", 0, 0, G_OPTION_ARG_INT, &drive->rounds, NULL, NULL},
      {"seconds", 0, 0, G_OPTION_ARG_INT, &drive->seconds, NULL, NULL},
      {"procs", 0, 0, G_OPTION_ARG_INT, &drive->procs, NULL, NULL},
      {"threads", 0, 0, G_OPTION_ARG_INT, &drive->threads, NULL, NULL},
      {"ids", 0, 0, G_OPTION_ARG_INT, &drive->ids, NULL, NULL},
      {"ops", 0, 0, G_OPTION_ARG_INT, &drive->ops, NULL, NULL},
      {"max-ms", 0, 0, G_OPTION_ARG_INT, &drive->max_ms, NULL, NULL},
      {"delay", 0, 0, G_OPTION_ARG_INT, &drive->delay_us, NULL, NULL},
      {"budget", 0, 0, G_OPTION_ARG_INT64, &drive->budget_bytes, NULL, NULL},
      {"shim", 0, 0, G_OPTION_ARG_FILENAME, &drive->shim, NULL, NULL},
      {"scenario", 0, 0, G_OPTION_ARG_STRING, &drive->scenario, NULL, NULL},
      {"how", 0, 0, G_OPTION_ARG_STRING, &drive->how, NULL, NULL},
      {"forever", 0, 0, G_OPTION_ARG_NONE, &drive->forever, NULL, NULL},
      {"reads", 0, 0, G_OPTION_ARG_NONE, &drive->reads, NULL, NULL},
      {"then", 0, 0, G_OPTION_ARG_INT, &drive->then, NULL, NULL},
      {"step", 0, 0, G_OPTION_ARG_INT, &drive->step, NULL, NULL},
      {"tool", 0, 0, G_OPTION_ARG_FILENAME, &drive->tool, NULL, NULL},
      {"import", 0, 0, G_OPTION_ARG_FILENAME, &drive->import, NULL, NULL},
      {"device", 0, 0, G_OPTION_ARG_FILENAME, &drive->device, NULL, NULL},
      {"fs", 0, 0, G_OPTION_ARG_STRING, &drive->fs, NULL, NULL},
      {"mount", 0, 0, G_OPTION_ARG_FILENAME, &drive->mount, NULL, NULL},
      {"no-removal", 0, 0, G_OPTION_ARG_NONE, &drive->no_removal, NULL, NULL},
      {NULL, 0, 0, 0, NULL, NULL, NULL}};
  g_autoptr (GOptionContext) context = g_option_context_new ("COMMAND");
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, &error))
    g_error ("crash-drive: %s", error->message);
  if (drive->worker == NULL || drive->base == NULL || *argc < 2)
    g_error ("crash-drive: COMMAND, --worker and --base are needed");
}

int
main (int argc, char **argv)
{
  /* for the whole life of the process, like the strings in it */
  static Drive drive = {.rounds = 60,
                        .seconds = 10,
                        .procs = 3,
                        .threads = 4,
                        .ids = 40,
                        .ops = 100000,
                        .max_ms = 100,
                        .delay_us = 300,
                        .seed = 1,
                        .step = 1};

  parse (&drive, &argc, &argv);
  set_paths (&drive);
  setvbuf (stdout, NULL, _IOLBF, 0);
  for (guint i = 0; i < G_N_ELEMENTS (COMMANDS); i++)
    if (strcmp (COMMANDS[i].name, argv[1]) == 0) {
      COMMANDS[i].run (&drive);
      drive_clear (&drive);
      return violations > 0;
    }
  g_error ("crash-drive: no command '%s'", argv[1]);
}
