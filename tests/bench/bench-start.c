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

static const BenchFigure WARM[] = {
    {.name = "hit-start",
     .unit = "ms",
     .decimals = 3,
     .goal = 1,
     .times = 100,
     .peer = "ffmpeg -c copy, spawned",
     .means = "command at the plugin -> first packet at the host, warm process, idle room"},
    {.name = "hit-start-djs",
     .unit = "ms",
     .decimals = 3,
     .goal = NAN,
     .times = 50,
     .peer = "@discordjs/voice, Ogg Opus passed through",
     .means = "the same plays beside another peer, which is warm, too"},
    {.name = "hit-start-p99",
     .unit = "ms",
     .decimals = 3,
     .goal = 5,
     .times = NAN,
     .means = "99 of 100 of these plays are as fast; a sample a round"},
};
static const BenchFigure COLD = {
    .name = "hit-start-cold",
    .unit = "ms",
    .decimals = 3,
    .goal = NAN,
    .times = NAN,
    .means = "the same for the first command of a process: it opens the cache",
};

static const BenchFigure SEEK = {
    .name = "seek",
    .unit = "ms",
    .decimals = 3,
    .goal = 5,
    .times = NAN,
    .means = "seek, 4 ms before the room's next packet is due -> first packet of the new place; 24 "
             "if it "
             "comes too late for that one",
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
play_djs (BenchHost *djs, const char *file, double *ms, GError **error)
{
  const char *answer;

  if (!bench_host_ask (djs, &answer, error, "play %s", file))
    return FALSE;
  *ms = g_ascii_strtoll (answer, NULL, 10) / 1e6;
  bench_sleep (IDLE_S);
  return TRUE;
}

typedef enum { OURS, FFMPEG, DJS } Side;

static gboolean
play (Bench *self, BenchHost *host, Side side, double *ms, GError **error)
{
  const guint song = g_rand_int_range (self->rand, 0, self->n_songs);
  g_autofree char *file = bench_song_file (self, song);

  return side == OURS     ? play_ours (host, song, ms, error)
         : side == FFMPEG ? play_peer (self, file, ms, error)
                          : play_djs (host, file, ms, error);
}

static gboolean
run_round (Bench *self, BenchHost *host, BenchHost *djs, BenchRow **rows, GError **error)
{
  const guint n = self->plays + self->peer_plays + (djs != NULL ? self->peer_plays : 0);
  g_autofree Side *order = g_new0 (Side, n);
  g_autoptr (GArray) ours = g_array_new (FALSE, FALSE, sizeof (double));
  double ms;

  for (guint i = self->plays; i < n; i++)
    order[i] = i < self->plays + self->peer_plays ? FFMPEG : DJS;
  bench_shuffle (self, order, n, sizeof *order);
  for (guint i = 0; i < n; i++) {
    if (!play (self, order[i] == DJS ? djs : host, order[i], &ms, error))
      return FALSE;
    if (order[i] != DJS)
      bench_row_add (rows[0], order[i] == OURS, ms);
    if (order[i] != FFMPEG)
      bench_row_add (rows[1], order[i] == OURS, ms);
    if (order[i] == OURS)
      g_array_append_val (ours, ms);
  }
  bench_row_add (rows[2], TRUE, bench_quantile (ours, 0.99));
  return TRUE;
}

static gboolean
run_warm (Bench *self, BenchRow **rows, GError **error)
{
  g_autoptr (BenchHost) host = bench_host_new (self, TRUE, error);
  g_autoptr (BenchHost) djs = NULL;
  double ms;

  if (self->no_peers != NULL)
    bench_row_fail (rows[1], "%s", self->no_peers);
  else if (host != NULL && (djs = bench_djs_new (self, error)) == NULL)
    return FALSE;
  for (guint i = 0; host != NULL && i < WARM_UP_PLAYS; i++)
    if (!play (self, host, OURS, &ms, error) || !play (self, host, FFMPEG, &ms, error) ||
        (djs != NULL && !play (self, djs, DJS, &ms, error)))
      return FALSE;
  for (guint i = 0; host != NULL && i < self->rounds; i++)
    if (!run_round (self, host, djs, rows, error))
      return FALSE;
  return host != NULL;
}

static gboolean
run_cold (Bench *self, BenchRow **rows, GError **error)
{
  for (guint i = 0; i < self->rounds; i++) {
    g_autoptr (BenchHost) host = bench_host_new (self, TRUE, error);
    double ms;
    if (host == NULL || !play (self, host, OURS, &ms, error))
      return FALSE;
    bench_row_add (rows[0], TRUE, ms);
  }
  return TRUE;
}

/* Back and forth in one song. */
static gboolean
run_seek (Bench *self, BenchRow **rows, GError **error)
{
  g_autoptr (BenchHost) host = bench_host_new (self, TRUE, error);
  g_autofree char *id = bench_song_id (0);
  const char *answer;

  if (host == NULL || !bench_host_ask (host, NULL, error, "play %d https://youtu.be/%s", ROOM, id))
    return FALSE;
  for (guint i = 0; i < self->rounds * self->peer_plays; i++) {
    const guint place_s = 1 + (i * 7) % (self->song_s / 2);
    g_autofree char *packet = bench_song_packet (self, 0, place_s * 50, error);
    if (packet == NULL ||
        !bench_host_ask (host, &answer, error, "seek %d 0:%02u %s", ROOM, place_s, packet))
      return FALSE;
    bench_row_add (rows[0], TRUE, g_ascii_strtoll (answer, NULL, 10) / 1e6);
    bench_sleep (0.1 + g_rand_double (self->rand) * 0.1);
  }
  return TRUE;
}

void
bench_start (Bench *self)
{
  bench_measure (self, WARM, G_N_ELEMENTS (WARM), TRUE, run_warm);
  bench_measure (self, &COLD, 1, TRUE, run_cold);
  bench_measure (self, &SEEK, 1, TRUE, run_seek);
}
