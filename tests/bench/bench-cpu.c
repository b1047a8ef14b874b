/* SPDX-License-Identifier: LGPL-2.1-or-later
 * CPU time of playing, a room and minute, in one window each; beside it ffmpeg encoding in real
 * time.  Then: what the bot costs when nothing plays. */
#include "config.h"
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <time.h>

#define MANY_ROOMS 50
#define MANY_PEERS 10
#define SETTLE_S 1.0
#define PACKETS_PER_S 50
#define NS_PER_S G_GINT64_CONSTANT (1000000000)
#define PACKETS_WANTED 0.98       /* or the window is not one of playing */
#define PACKETS_WANTED_QUICK 0.01 /* no time is asserted there */

static const BenchFigure PLAYING[] = {
    {.name = "cpu-1-room",
     .unit = "s/min",
     .decimals = 4,
     .goal = 0.24,
     .times = 20,
     .peer = "ffmpeg -re -c:a libopus, 1",
     .means = "CPU seconds a minute of playing one room from the cache (0.24: 0.4 % of a core)"},
    {.name = "cpu-50-rooms",
     .unit = "s/min",
     .decimals = 4,
     .goal = NAN,
     .times = 20,
     .peer = "ffmpeg -re -c:a libopus, 10",
     .means = "the same of each of 50 rooms in one process; of each of 10 ffmpeg"},
    {.name = "cpu-1-room-timer",
     .unit = "s/min",
     .decimals = 4,
     .goal = NAN,
     .times = NAN,
     .peer = "a thread that only wakes every 20 ms",
     .means = "cpu-1-room once more, beside what the machine takes for its 50 wake-ups a second"},
    {.name = "cpu-1-room-volume",
     .unit = "s/min",
     .decimals = 4,
     .goal = 1.5,
     .times = NAN,
     .means = "cpu-1-room at volume 80: decoded and encoded (1.5: 2.5 % of a core)"},
};
static const BenchFigure IDLE[] = {
    {.name = "idle-wakeups",
     .unit = "/s",
     .decimals = 2,
     .goal = 0,
     .times = NAN,
     .means = "context switches of the process after a song, when nothing plays"},
    {.name = "idle-cpu",
     .unit = "ms/min",
     .decimals = 3,
     .goal = 0,
     .times = NAN,
     .means = "CPU time in the same window"},
};

/* ---- ours */

static gboolean
read_usage (BenchHost *host, gint64 *cpu_us, guint64 *packets, GError **error)
{
  const char *answer;

  if (!bench_host_ask (host, &answer, error, "usage"))
    return FALSE;
  char *rest;
  *cpu_us = g_ascii_strtoll (answer, &rest, 10);
  *packets = g_ascii_strtoull (rest, NULL, 10);
  return TRUE;
}

static gboolean
play_rooms (Bench *self, BenchHost *host, guint rooms, GError **error)
{
  for (guint i = 0; i < rooms; i++) {
    g_autofree char *id = bench_song_id (i % self->n_songs);
    if (!bench_host_ask (host, NULL, error, "play %u https://youtu.be/%s", i + 1, id))
      return FALSE;
  }
  return TRUE;
}

/* A window in the middle of the songs. */
static gboolean
run_ours (Bench *self, BenchHost *host, guint rooms, double *cost, GError **error)
{
  gint64 begin_us, end_us;
  guint64 begin, end;

  if (!play_rooms (self, host, rooms, error))
    return FALSE;
  bench_sleep (MIN (SETTLE_S, self->window_s));
  const gint64 time_us = g_get_monotonic_time ();
  if (!read_usage (host, &begin_us, &begin, error))
    return FALSE;
  bench_sleep (self->window_s);
  if (!read_usage (host, &end_us, &end, error))
    return FALSE;
  const double window_s = (g_get_monotonic_time () - time_us) / 1e6;
  const double wanted = self->quick ? PACKETS_WANTED_QUICK : PACKETS_WANTED;
  if (end - begin < rooms * (PACKETS_PER_S * window_s * wanted - 1)) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%u rooms got only %u packets in %.1f s",
                 rooms, (guint) (end - begin), window_s);
    return FALSE;
  }
  *cost = (end_us - begin_us) / 1e6 * 60 / window_s / rooms;
  return bench_host_ask (host, NULL, error, "stop 1 %u", rooms);
}

/* ---- the peer */

/* CPU seconds of N that encode LENGTH_S of their songs in real time, each. */
static gboolean
encode (Bench *self, guint n, double length_s, double *cpu_s, GError **error)
{
  g_autofree pid_t *pids = g_new0 (pid_t, n);
  g_autofree char *length = g_strdup_printf ("%.2f", length_s);
  gboolean ok = TRUE;

  *cpu_s = 0;
  for (guint i = 0; i < n; i++) {
    g_autofree char *file = bench_song_file (self, i % self->n_songs);
    const char *const argv[] = {self->ffmpeg, "-v",      "error", "-re",  "-t", length, "-i", file,
                                "-c:a",       "libopus", "-b:a",  "128k", "-f", "opus", "-",  NULL};
    pids[i] = bench_spawn (argv, -1, ok ? error : NULL);
    ok = ok && pids[i] != 0;
  }
  for (guint i = 0; i < n; i++) {
    double each_s = 0;
    if (pids[i] != 0 && !bench_reap (pids[i], &each_s, ok ? error : NULL))
      ok = FALSE;
    *cpu_s += each_s / n;
  }
  return ok;
}

/* Starting the program is taken off: a long song has it once. */
static gboolean
run_peer (Bench *self, guint n, double *cost, GError **error)
{
  const double short_s = MIN (0.1, self->window_s / 2);
  double start_s, whole_s;

  if (!encode (self, n, short_s, &start_s, error) ||
      !encode (self, n, self->window_s + short_s, &whole_s, error))
    return FALSE;
  *cost = (whole_s - start_s) * 60 / self->window_s;
  return TRUE;
}

/* ---- the least that any tick costs */

static void
sleep_until_ns (gint64 time_ns)
{
  const struct timespec until = {time_ns / NS_PER_S, time_ns % NS_PER_S};

  while (clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
    ;
}

static gint64
thread_cpu_ns (void)
{
  struct timespec used;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &used);
  return used.tv_sec * NS_PER_S + used.tv_nsec;
}

static gboolean
run_timer (Bench *self, double *cost)
{
  const gint64 cpu_ns = thread_cpu_ns (), begin_ns = bench_now_ns ();
  const guint ticks = self->window_s * PACKETS_PER_S;

  for (guint i = 1; i <= ticks; i++)
    sleep_until_ns (begin_ns + i * (NS_PER_S / PACKETS_PER_S));
  *cost = (thread_cpu_ns () - cpu_ns) / 1e9 * 60 / self->window_s;
  return TRUE;
}

/* ---- rounds */

typedef enum { ROOMS, PEERS, TIMER, VOLUME } Kind;

typedef struct {
  BenchRow *row;
  Kind kind;
  guint n; /* rooms, peers */
} Part;

static gboolean
run_volume (Bench *self, BenchHost *host, double *cost, GError **error)
{
  return bench_host_ask (host, NULL, error, "say 1 volume 80") &&
         run_ours (self, host, 1, cost, error) &&
         bench_host_ask (host, NULL, error, "say 1 volume 100");
}

static gboolean
run_part (Bench *self, BenchHost *host, const Part *part, GError **error)
{
  double cost;

  if (!(part->kind == ROOMS    ? run_ours (self, host, part->n, &cost, error)
        : part->kind == PEERS  ? run_peer (self, part->n, &cost, error)
        : part->kind == VOLUME ? run_volume (self, host, &cost, error)
                               : run_timer (self, &cost)))
    return FALSE;
  bench_row_add (part->row, part->kind == ROOMS || part->kind == VOLUME, cost);
  return TRUE;
}

static gboolean
run_playing (Bench *self, BenchRow **rows, GError **error)
{
  g_autoptr (BenchHost) host = bench_host_new (self, TRUE, error);
  Part parts[] = {{rows[0], ROOMS, 1},          {rows[0], PEERS, 1}, {rows[1], ROOMS, MANY_ROOMS},
                  {rows[1], PEERS, MANY_PEERS}, {rows[2], ROOMS, 1}, {rows[2], TIMER, 1},
                  {rows[3], VOLUME, 1}};

  for (guint i = 0; host != NULL && i < self->rounds; i++) {
    bench_shuffle (self, parts, G_N_ELEMENTS (parts), sizeof *parts);
    for (guint k = 0; k < G_N_ELEMENTS (parts); k++)
      if (!run_part (self, host, &parts[k], error))
        return FALSE;
  }
  return host != NULL;
}

/* ---- nothing plays */

static gboolean
run_idle (Bench *self, BenchRow **rows, GError **error)
{
  g_autoptr (BenchHost) host = bench_host_new (self, TRUE, error);

  if (host == NULL || !play_rooms (self, host, 1, error) ||
      !bench_host_ask (host, NULL, error, "stop 1 1"))
    return FALSE;
  bench_sleep (self->settle_s);
  const pid_t pid = bench_host_get_pid (host);
  for (guint i = 0; i < self->rounds; i++) {
    const gint64 switches = bench_process_switches (pid), cpu_ns = bench_process_cpu_ns (pid);
    bench_sleep (self->window_s);
    const gint64 more = bench_process_switches (pid) - switches;
    const gint64 more_ns = bench_process_cpu_ns (pid) - cpu_ns;
    bench_row_add (rows[0], TRUE, more / self->window_s);
    bench_row_add (rows[1], TRUE, more_ns / 1e6 * 60 / self->window_s);
  }
  return TRUE;
}

void
bench_cpu (Bench *self)
{
  bench_measure (self, PLAYING, G_N_ELEMENTS (PLAYING), TRUE, run_playing);
  bench_measure (self, IDLE, G_N_ELEMENTS (IDLE), TRUE, run_idle);
}
