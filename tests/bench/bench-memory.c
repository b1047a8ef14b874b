/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Memory of the process, as the kernel counts it, and what a room adds. */
#include "config.h"
#include "bench.h"

#include <math.h>

#define MANY_ROOMS 50

static const BenchFigure PROCESS[] = {
    {.name = "memory-loaded",
     .unit = "MiB",
     .decimals = 1,
     .goal = NAN,
     .times = NAN,
     .peer = "the host without the plugin",
     .means = "resident (RSS), plugin loaded and started"},
    {.name = "memory-idle",
     .unit = "MiB",
     .decimals = 1,
     .goal = 25,
     .times = NAN,
     .peer = "the host without the plugin",
     .means = "resident (RSS), idle after the first command was answered"},
    {.name = "memory-idle-pss",
     .unit = "MiB",
     .decimals = 1,
     .goal = NAN,
     .times = NAN,
     .peer = "the host without the plugin",
     .means = "its share of that (PSS): pages of libraries divided among their users"},
};
static const BenchFigure ROOMS[] = {
    {.name = "memory-room-playing",
     .unit = "KiB",
     .decimals = 1,
     .goal = NAN,
     .times = NAN,
     .means = "PSS that each of 50 rooms adds while it plays"},
    {.name = "memory-room-idle",
     .unit = "KiB",
     .decimals = 1,
     .goal = NAN,
     .times = NAN,
     .means = "the same after it was stopped"},
};

static gboolean
run_without (Bench *self, BenchRow **rows, GError **error)
{
  g_autoptr (BenchHost) host = bench_host_new (self, FALSE, error);
  BenchMemory memory;

  if (host == NULL || !bench_process_memory (bench_host_get_pid (host), &memory, error))
    return FALSE;
  bench_row_add (rows[0], FALSE, memory.rss_kib / 1024.0);
  bench_row_add (rows[1], FALSE, memory.rss_kib / 1024.0);
  bench_row_add (rows[2], FALSE, memory.pss_kib / 1024.0);
  return TRUE;
}

static gboolean
run_with (Bench *self, BenchRow **rows, GError **error)
{
  g_autoptr (BenchHost) host = bench_host_new (self, TRUE, error);
  BenchMemory loaded, idle;

  if (host == NULL || !bench_process_memory (bench_host_get_pid (host), &loaded, error) ||
      !bench_host_ask (host, NULL, error, "say 1 cache") ||
      !bench_process_memory (bench_host_get_pid (host), &idle, error))
    return FALSE;
  bench_row_add (rows[0], TRUE, loaded.rss_kib / 1024.0);
  bench_row_add (rows[1], TRUE, idle.rss_kib / 1024.0);
  bench_row_add (rows[2], TRUE, idle.pss_kib / 1024.0);
  return TRUE;
}

static gboolean
run_process (Bench *self, BenchRow **rows, GError **error)
{
  for (guint i = 0; i < self->rounds; i++) {
    const gboolean first = g_rand_boolean (self->rand);
    if (!(first ? run_with : run_without) (self, rows, error) ||
        !(first ? run_without : run_with) (self, rows, error))
      return FALSE;
  }
  return TRUE;
}

/* The first room is not counted: it brings the threads of all. */
static gboolean
run_host_with_rooms (Bench *self, BenchHost *host, BenchRow **rows, GError **error)
{
  const pid_t pid = bench_host_get_pid (host);
  BenchMemory before = {0}, playing, idle;

  for (guint room = 1; room <= MANY_ROOMS + 1; room++) {
    g_autofree char *id = bench_song_id (room % self->n_songs);
    if (!bench_host_ask (host, NULL, error, "play %u https://youtu.be/%s", room, id) ||
        (room == 1 && !bench_process_memory (pid, &before, error)))
      return FALSE;
  }
  bench_sleep (MIN (1, self->window_s)); /* meanwhile every ring was filled again */
  if (!bench_process_memory (pid, &playing, error))
    return FALSE;
  if (!bench_host_ask (host, NULL, error, "stop 2 %u", MANY_ROOMS + 1) ||
      !bench_process_memory (pid, &idle, error))
    return FALSE;
  bench_row_add (rows[0], TRUE, (playing.pss_kib - before.pss_kib) / (double) MANY_ROOMS);
  bench_row_add (rows[1], TRUE, (idle.pss_kib - before.pss_kib) / (double) MANY_ROOMS);
  return TRUE;
}

static gboolean
run_rooms (Bench *self, BenchRow **rows, GError **error)
{
  for (guint i = 0; i < self->rounds; i++) {
    g_autoptr (BenchHost) host = bench_host_new (self, TRUE, error);
    if (host == NULL || !run_host_with_rooms (self, host, rows, error))
      return FALSE;
  }
  return TRUE;
}

void
bench_memory (Bench *self)
{
  bench_measure (self, PROCESS, G_N_ELEMENTS (PROCESS), FALSE, run_process);
  bench_measure (self, ROOMS, G_N_ELEMENTS (ROOMS), TRUE, run_rooms);
}
