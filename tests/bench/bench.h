/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The bench: figures of the real module beside a peer, both sides in one run, in rounds of shuffled
 * order.  It judges medians and tells how busy the machine was with other things meanwhile.
 *
 * Threads: one, but for the hits. */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* ---- samples and rows: bench-report.c */

typedef struct {
  const char *name;
  const char *unit;
  int decimals;
  gboolean more_is_better;
  double goal;       /* for our median; NAN: none */
  double times;      /* so many times better than the peer; NAN: none */
  const char *peer;  /* (nullable) what it is */
  const char *means; /* what is measured, one line */
} BenchFigure;

typedef struct {
  const BenchFigure *figure;
  GArray *ours, *theirs; /* double */
  double foreign_cores;  /* processors busy with other things meanwhile */
  char *reason;          /* (nullable) why it or its peer was not run */
} BenchRow;

typedef enum { BENCH_NO_GOAL, BENCH_MET, BENCH_MISSED, BENCH_NOT_RUN } BenchVerdict;

BenchRow *bench_row_new (const BenchFigure *figure);
void bench_row_free (BenchRow *self);
void bench_row_add (BenchRow *self, gboolean ours, double value);
/* The first reason stays.  PRINTF-like. */
void bench_row_fail (BenchRow *self, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* Never MET when a side that the goal speaks of has no samples. */
BenchVerdict bench_row_judge (const BenchRow *self);
/* Of sorted values, 0 <= SHARE <= 1; NAN of none. */
double bench_quantile (const GArray *values, double share);

/* ---- settings: bench-main.c */

typedef struct {
  gboolean quick;
  guint rounds;
  guint n_rows; /* of the cache */
  guint n_songs;
  guint n_catalogue; /* songs of the trace for eviction */
  guint n_million;   /* entries of the large cache */
  guint n_rooms;     /* that play different songs */
  guint max_rooms;   /* how many are tried at most */
  guint song_s;      /* length of a song */
  guint plays;       /* a round, and of the peer: */
  guint peer_plays;
  double window_s; /* of CPU and idle */
  double hits_s;   /* of lookups */
  double settle_s; /* counts are written 5 s after a play */
  char *dir;       /* all files of this run */
  char *cache_dir;
  char *module, *host;
  char *ffmpeg;   /* (nullable) */
  char *node;     /* (nullable) that runs the peer of npm: bench-peers.c */
  char *djs;      /* (nullable) its script */
  char *no_peers; /* (nullable) why there is none */
  guint n_copies;
  char *no_songs; /* (nullable) why there are none */
  GRand *rand;
  GPtrArray *rows; /* BenchRow */
  pid_t live;      /* host that runs now; 0: none */
} Bench;

/* Adds samples to ROWS, one for each figure, in the same order. */
typedef gboolean (*BenchRunFunc) (Bench *self, BenchRow **rows, GError **error);
/* Makes the rows of N FIGURES and runs RUN once.  @with_songs: it needs them. */
void bench_measure (Bench *self, const BenchFigure *figures, guint n, gboolean with_songs,
                    BenchRunFunc run);
/* Shuffles N elements of SIZE bytes. */
void bench_shuffle (Bench *self, void *array, guint n, gsize size);
void bench_sleep (double seconds);
gint64 bench_now_ns (void); /* a clock that only goes on */

/* ---- the machine: bench-machine.c */

typedef struct {
  gint64 busy_us, own_us, time_us;
} BenchLoad;

BenchLoad bench_load_begin (Bench *self);
/* Returns: processors that were busy with what is not ours. */
double bench_load_end (Bench *self, const BenchLoad *begin);
gint64 bench_process_cpu_ns (pid_t pid); /* also of threads that have ended */
/* Sums over the threads of PID. */
gint64 bench_process_switches (pid_t pid);
guint bench_process_threads (pid_t pid);

typedef struct {
  gint64 rss_kib, pss_kib;
} BenchMemory;
gboolean bench_process_memory (pid_t pid, BenchMemory *out, GError **error);
/* "KEY: VALUE" lines about the machine and versions.  (transfer full) */
char **bench_machine_describe (Bench *self);

/* ---- processes: bench-process.c */

typedef struct BenchHost BenchHost;

/* @with_plugin: FALSE: the same host without it. */
BenchHost *bench_host_new (Bench *bench, gboolean with_plugin, GError **error);
/* @settings: NULL-terminated "KEY=VALUE" besides. */
BenchHost *bench_host_new_with (Bench *bench, const char *const *settings, GError **error);
/* A program that is spoken to in the same way.  @name: (static): for people. */
BenchHost *bench_peer_new (Bench *bench, const char *name, const char *const *argv, GError **error);
void bench_host_free (BenchHost *self);
pid_t bench_host_get_pid (BenchHost *self);
/* Sends one line.  *ANSWER (out) (optional) (transfer none): without its first word, until the next
 * call.  FALSE with ERROR when the host answers "failed". */
gboolean bench_host_ask (BenchHost *self, const char **answer, GError **error, const char *format,
                         ...) G_GNUC_PRINTF (4, 5);

/* posix_spawn() with its own standard output; standard input is empty, standard error is ours.
 * Returns: 0 with ERROR. */
/* Starts ARGV, reads BYTES of its output, ends it.  *MS: from the start until they were there. */
gboolean bench_time_output (const char *const *argv, gsize bytes, double *ms, GError **error);
pid_t bench_spawn (const char *const *argv, int stdout_fd, GError **error);
/* Waits.  *CPU_S (out) (optional): what it used.  ERROR: it did not exit with 0. */
gboolean bench_reap (pid_t pid, double *cpu_s, GError **error);

/* ---- songs and rows: bench-songs.c */

/* Songs and small entries, published through the store.  ERROR: why there are none. */
gboolean bench_make_cache (Bench *self, GError **error);
/* Only the songs have music; without ffmpeg there are none. */
gboolean bench_make_songs (Bench *self, GError **error);
/* Music of LENGTH_S seconds: into PATH, whose name tells the container. */
gboolean
bench_compose (Bench *self, guint number, guint length_s, const char *path, GError **error);
/* (transfer full) of number 0 .. n_songs - 1 */
char *bench_song_id (guint number);
char *bench_song_file (Bench *self, guint number);
char *bench_small_id (guint number);
/* The first 16 bytes of packet INDEX of a song, as hex digits.  (transfer full) */
char *bench_song_packet (Bench *self, guint number, guint index, GError **error);
/* The songs again under N other ids; before there are threads. */
gboolean bench_make_copies (Bench *self, guint n, GError **error);
char *bench_copy_id (guint number);
char *bench_copy_file (Bench *self, guint number);

/* ---- peers of npm: bench-peers.c */

/* Where tests/bench/install-peers.sh has put them.  Sets node and djs, or no_peers. */
void bench_find_peers (Bench *self);
/* @discordjs/voice, ready; NULL with ERROR. */
BenchHost *bench_djs_new (Bench *self, GError **error);

/* ---- the result: bench-print.c, bench-svg.c */

void bench_print_table (Bench *self, char **machine);
gboolean bench_write_json (Bench *self, char **machine, const char *path, GError **error);

/* Bars of what has a peer. */
gboolean bench_write_svg (Bench *self, char **machine, const char *path, GError **error);

/* ---- figures */

void bench_start (Bench *self);     /* bench-start.c */
void bench_cpu (Bench *self);       /* bench-cpu.c */
void bench_hits (Bench *self);      /* bench-hits.c */
void bench_evict (Bench *self);     /* bench-evict.c */
void bench_fetch (Bench *self);     /* bench-fetch.c */
void bench_large (Bench *self);     /* bench-large.c */
void bench_memory (Bench *self);    /* bench-memory.c */
void bench_rooms (Bench *self);     /* bench-rooms.c */
void bench_mumble (Bench *self);    /* bench-mumble.c */
void bench_miss (Bench *self);      /* bench-miss.c */
void bench_normalise (Bench *self); /* bench-normalise.c */
/* One song, as a process of its own: `encore-bench --normalise`.  Returns: exit status. */
int bench_normalise_one (const char *source, const char *opus);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BenchHost, bench_host_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BenchRow, bench_row_free)

G_END_DECLS
