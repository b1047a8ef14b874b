/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A thousand rooms that play different songs from the cache in one process, and how many rooms are
 * carried at most; beside it @discordjs/voice with the same files, in turn. */
#include "config.h"
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <sys/resource.h>

#define PEER "@discordjs/voice, Ogg Opus passed through"
#define LATE_ALLOWED_PER_MILLION 10000 /* of the rooms that are carried */
#define DELIVERED_WANTED 0.98
#define TRIES 2

static const BenchFigure THOUSAND[] = {
    {.name = "rooms-1000-cpu",
     .unit = "cores",
     .decimals = 3,
     .goal = 0.15,
     .times = NAN,
     .peer = PEER,
     .means = "processor time of a process in which 1000 rooms play"},
    {.name = "rooms-1000-memory",
     .unit = "KiB",
     .decimals = 1,
     .goal = 64,
     .times = NAN,
     .peer = PEER,
     .means = "PSS that each of them adds"},
    {.name = "rooms-1000-threads",
     .unit = "",
     .decimals = 0,
     .goal = 16,
     .times = NAN,
     .peer = PEER,
     .means = "threads of that process"},
    {.name = "rooms-1000-p99",
     .unit = "ms",
     .decimals = 2,
     .goal = 3.5,
     .times = NAN,
     .peer = PEER,
     .means = "how far 99 of 100 packets are off their room's grid of 20 ms at most"},
    {.name = "rooms-1000-late",
     .unit = "%",
     .decimals = 4,
     .goal = 0,
     .times = NAN,
     .peer = PEER,
     .means = "packets that are more than 20 ms off"},
};
static const BenchFigure SUSTAINED = {
    .name = "rooms-sustained",
    .unit = "rooms",
    .decimals = 0,
    .more_is_better = TRUE,
    .goal = 10000,
    .times = 10,
    .peer = PEER,
    .means = "rooms, of 1000 songs, of which less than 1 % of the packets are more than 20 ms off",
};

enum { CPU, MEMORY, THREADS, P99, LATE, N_VALUES };

/* ---- either side: a process that plays in rooms */

static BenchHost *
new_side (Bench *self, gboolean ours, GError **error)
{
  return ours ? bench_host_new (self, TRUE, error) : bench_djs_new (self, error);
}

static gboolean
play_ours (Bench *self, BenchHost *host, guint from, guint to, GError **error)
{
  for (guint i = from; i < to; i++) {
    g_autofree char *id = bench_copy_id (i % self->n_copies);
    if (!bench_host_ask (host, NULL, error, "play %u https://youtu.be/%s", i + 1, id) ||
        !bench_host_ask (host, NULL, error, "say %u loop song", i + 1))
      return FALSE;
  }
  return TRUE;
}

/* Its songs do not end either: a window is shorter than they are. */
static gboolean
play_theirs (Bench *self, BenchHost *host, guint from, guint to, GError **error)
{
  g_autoptr (GString) files = g_string_new (NULL);

  for (guint i = 0; i < MIN (to - from, self->n_copies); i++) {
    g_autofree char *file = bench_copy_file (self, (from + i) % self->n_copies);
    g_string_append_printf (files, " %s", file);
  }
  return bench_host_ask (host, NULL, error, "rooms %u%s", to - from, files->str);
}

static gboolean
play (Bench *self, BenchHost *host, gboolean ours, guint from, guint to, GError **error)
{
  return (ours ? play_ours : play_theirs) (self, host, from, to, error);
}

typedef struct {
  guint64 packets, late_per_million;
  double p99_ms;
} Window;

static gboolean
measure (Bench *self, BenchHost *host, guint n, gboolean ours, Window *out, GError **error)
{
  const guint seconds = MAX (self->window_s, 2);
  g_autofree char *rooms = ours ? g_strdup_printf ("%u ", n) : g_strdup ("");
  long p50_us, p99_us, max_us;
  const char *answer;

  if (!bench_host_ask (host, &answer, error, "measure %s%u", rooms, seconds))
    return FALSE;
  if (sscanf (answer, "%lu %ld %ld %ld %lu", &out->packets, &p50_us, &p99_us, &max_us,
              &out->late_per_million) != 5) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "not understood: %s", answer);
    return FALSE;
  }
  out->p99_ms = p99_us / 1000.0;
  if (out->packets < n * seconds * 50 * DELIVERED_WANTED) /* then no packet is on time */
    out->late_per_million = 1000000;
  g_printerr ("bench: %s, %u rooms: %lu packets, p99 %.1f ms, max %.1f ms, %.4f %% late\n",
              ours ? "Encore" : "peer", n, out->packets, out->p99_ms, max_us / 1000.0,
              out->late_per_million / 1e4);
  return TRUE;
}

/* ---- a thousand */

/* The first room is not counted: it brings the threads of all. */
static gboolean
run_thousand_of (Bench *self, gboolean ours, BenchRow **rows, GError **error)
{
  g_autoptr (BenchHost) host = new_side (self, ours, error);
  BenchMemory before, after;
  Window window;

  if (host == NULL || !play (self, host, ours, 0, 1, error))
    return FALSE;
  const pid_t pid = bench_host_get_pid (host);
  if (!bench_process_memory (pid, &before, error) ||
      !play (self, host, ours, 1, self->n_rooms + 1, error))
    return FALSE;
  bench_sleep (MIN (1.5, self->window_s));
  if (!bench_process_memory (pid, &after, error))
    return FALSE;
  const gint64 cpu_ns = bench_process_cpu_ns (pid), time_ns = bench_now_ns ();
  bench_sleep (self->window_s);
  const double cores = (bench_process_cpu_ns (pid) - cpu_ns) / (double) (bench_now_ns () - time_ns);
  const guint threads = bench_process_threads (pid);
  if (!measure (self, host, self->n_rooms + 1, ours, &window, error))
    return FALSE;
  bench_row_add (rows[CPU], ours, cores);
  bench_row_add (rows[MEMORY], ours, (after.pss_kib - before.pss_kib) / (double) self->n_rooms);
  bench_row_add (rows[THREADS], ours, threads);
  bench_row_add (rows[P99], ours, window.p99_ms);
  bench_row_add (rows[LATE], ours, window.late_per_million / 1e4);
  return TRUE;
}

/* Ours are measured all the same. */
static void
tell_no_peers (Bench *self, BenchRow **rows, guint n)
{
  for (guint i = 0; self->no_peers != NULL && i < n; i++)
    bench_row_fail (rows[i], "%s", self->no_peers);
}

static gboolean
run_thousand (Bench *self, BenchRow **rows, GError **error)
{
  tell_no_peers (self, rows, N_VALUES);
  for (guint i = 0; i < self->rounds; i++) {
    const gboolean first = g_rand_boolean (self->rand);
    if (!run_thousand_of (self, first || self->no_peers != NULL, rows, error) ||
        (self->no_peers == NULL && !run_thousand_of (self, !first, rows, error)))
      return FALSE;
  }
  return TRUE;
}

/* ---- as many as go */

/* *CARRIED: whether N rooms are.  Rooms that do not even begin are not. */
static gboolean
try_rooms (Bench *self, gboolean ours, guint n, gboolean *carried, GError **error)
{
  *carried = FALSE;
  for (guint i = 0; i < TRIES && !*carried; i++) {
    g_autoptr (BenchHost) host = new_side (self, ours, error);
    Window window;
    g_autoptr (GError) stuck = NULL;
    if (host == NULL)
      return FALSE;
    if (!play (self, host, ours, 0, n, &stuck)) {
      g_printerr ("bench: %s, %u rooms: %s\n", ours ? "Encore" : "peer", n, stuck->message);
      return TRUE;
    }
    bench_sleep (MIN (1.5, self->window_s));
    if (!measure (self, host, n, ours, &window, error))
      return FALSE;
    *carried = window.late_per_million < LATE_ALLOWED_PER_MILLION;
  }
  return TRUE;
}

/* The last of STEPS that is carried before the first that is not. */
static gboolean
search (Bench *self, gboolean ours, const guint *steps, guint *most, GError **error)
{
  gboolean carried = TRUE;

  *most = 0;
  for (; *steps != 0 && carried; steps++) {
    const guint n = MIN (*steps, self->max_rooms);
    if (n == *most)
      break;
    if (!try_rooms (self, ours, n, &carried, error))
      return FALSE;
    if (carried)
      *most = n;
  }
  return TRUE;
}

/* A song is open once, in however many rooms it plays. */
static guint
count_rooms_that_files_allow (Bench *self)
{
  const rlim_t rest = 1000;
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max < rest)
    return 0;
  return limit.rlim_max - rest >= self->n_copies ? G_MAXUINT : limit.rlim_max - rest;
}

static gboolean
run_sustained (Bench *self, BenchRow **rows, GError **error)
{
  static const guint OURS[] = {2000, 5000, 10000, 15000, 20000, 0};
  static const guint THEIRS[] = {500, 750, 1000, 1250, 1500, 2000, 0};
  guint most;

  tell_no_peers (self, rows, 1);
  if (count_rooms_that_files_allow (self) < self->max_rooms) {
    self->max_rooms = count_rooms_that_files_allow (self);
    g_printerr ("bench: the limit of open files allows %u rooms\n", self->max_rooms);
  }
  if (!search (self, TRUE, OURS, &most, error))
    return FALSE;
  bench_row_add (rows[0], TRUE, most);
  if (self->no_peers != NULL)
    return TRUE;
  if (!search (self, FALSE, THEIRS, &most, error))
    return FALSE;
  bench_row_add (rows[0], FALSE, most);
  return TRUE;
}

void
bench_rooms (Bench *self)
{
  bench_measure (self, THOUSAND, G_N_ELEMENTS (THOUSAND), TRUE, run_thousand);
  bench_measure (self, &SUSTAINED, 1, TRUE, run_sustained);
}
