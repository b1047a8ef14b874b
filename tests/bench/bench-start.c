/* SPDX-License-Identifier: LGPL-2.1-or-later
 * From "play" to the first packet, out of silence; beside it an ffmpeg a play, as many bots do it.
 */
#include "config.h"
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define WARM_UP_PLAYS 3
#define ROOM 1
/* More than one tick: while the room's pacer is still at its last silent frame the next song joins
 * its grid and waits up to 20 ms, as after a skip. */
#define IDLE_S 0.03

static const BenchFigure WARM = {
    .name = "hit-start",
    .unit = "ms",
    .decimals = 3,
    .goal = 2,
    .times = 40,
    .peer = "ffmpeg -c copy, spawned",
    .means = "command at the plugin -> first packet at the host, warm process, idle room",
};
static const BenchFigure COLD = {
    .name = "hit-start-cold",
    .unit = "ms",
    .decimals = 3,
    .goal = NAN,
    .times = NAN,
    .means = "the same for the first command of a process: it opens the cache",
};

/* ---- the peer */

/* Returns: TRUE when PAGES (Ogg, RFC 3533) hold the first audio packet to its last byte: the third,
 * after OpusHead and OpusTags. */
static gboolean
has_audio_packet (const guint8 *pages, gsize len)
{
  guint packets = 0;
  gsize at = 0;

  while (at + 27 <= len && at + 27 + pages[at + 26] <= len) {
    const guint8 *lacing = pages + at + 27;
    const guint n_segments = pages[at + 26];
    gsize end = at + 27 + n_segments;
    for (guint i = 0; i < n_segments; i++) {
      end += lacing[i];
      if (lacing[i] < 255 && end <= len && ++packets == 3)
        return TRUE;
    }
    at = end;
  }
  return FALSE;
}

static gboolean
read_audio_packet (int fd, GError **error)
{
  g_autofree guint8 *buf = g_malloc (1 << 18);
  gsize len = 0;

  while (!has_audio_packet (buf, len)) {
    const ssize_t n = read (fd, buf + len, (1 << 18) - len);
    if (n <= 0) {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "ffmpeg gave no packet");
      return FALSE;
    }
    len += n;
  }
  return TRUE;
}

static gboolean
play_peer (Bench *self, const char *file, double *ms, GError **error)
{
  const char *const argv[] = {self->ffmpeg, "-v", "error", "-i", file, "-c",
                              "copy",       "-f", "opus",  "-",  NULL};
  int out[2];

  if (pipe2 (out, O_CLOEXEC) < 0)
    return FALSE;
  const gint64 begin_us = g_get_monotonic_time ();
  const pid_t pid = bench_spawn (argv, out[1], error);
  close (out[1]);
  const gboolean ok = pid != 0 && read_audio_packet (out[0], error);
  *ms = (g_get_monotonic_time () - begin_us) / 1000.0;
  close (out[0]);
  if (pid != 0) {
    kill (pid, SIGKILL);
    bench_reap (pid, NULL, NULL);
  }
  return ok;
}

/* ---- ours */

static gboolean
play_ours (BenchHost *host, guint song, double *ms, GError **error)
{
  g_autofree char *id = bench_song_id (song);
  const char *answer;

  if (!bench_host_ask (host, &answer, error, "play %d https://youtu.be/%s", ROOM, id))
    return FALSE;
  *ms = g_ascii_strtoll (answer, NULL, 10) / 1e6;
  if (!bench_host_ask (host, NULL, error, "stop %d %d", ROOM, ROOM))
    return FALSE;
  bench_sleep (IDLE_S);
  return TRUE;
}

static gboolean
play (Bench *self, BenchHost *host, BenchRow *row, gboolean ours, GError **error)
{
  const guint song = g_rand_int_range (self->rand, 0, self->n_songs);
  g_autofree char *file = bench_song_file (self, song);
  double ms = 0;

  if (!(ours ? play_ours (host, song, &ms, error) : play_peer (self, file, &ms, error)))
    return FALSE;
  if (row != NULL)
    bench_row_add (row, ours, ms);
  return TRUE;
}

static gboolean
run_round (Bench *self, BenchHost *host, BenchRow *row, GError **error)
{
  const guint n = self->plays + self->peer_plays;
  g_autofree gboolean *order = g_new0 (gboolean, n);

  for (guint i = 0; i < self->plays; i++)
    order[i] = TRUE;
  bench_shuffle (self, order, n, sizeof *order);
  for (guint i = 0; i < n; i++)
    if (!play (self, host, row, order[i], error))
      return FALSE;
  return TRUE;
}

static gboolean
run_warm (Bench *self, BenchRow **rows, GError **error)
{
  g_autoptr (BenchHost) host = bench_host_new (self, TRUE, error);

  for (guint i = 0; host != NULL && i < WARM_UP_PLAYS; i++)
    if (!play (self, host, NULL, TRUE, error) || !play (self, host, NULL, FALSE, error))
      return FALSE;
  for (guint i = 0; host != NULL && i < self->rounds; i++)
    if (!run_round (self, host, rows[0], error))
      return FALSE;
  return host != NULL;
}

static gboolean
run_cold (Bench *self, BenchRow **rows, GError **error)
{
  for (guint i = 0; i < self->rounds; i++) {
    g_autoptr (BenchHost) host = bench_host_new (self, TRUE, error);
    if (host == NULL || !play (self, host, rows[0], TRUE, error))
      return FALSE;
  }
  return TRUE;
}

void
bench_start (Bench *self)
{
  bench_measure (self, &WARM, 1, TRUE, run_warm);
  bench_measure (self, &COLD, 1, TRUE, run_cold);
}
