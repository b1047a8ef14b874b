/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Which songs are still there when they are asked for again: `evict = gdsf` beside `lru`, both
 * through the store itself, on one trace.  Files are a sixteenth of their size and hold nothing, on
 * a file system in memory where there is one: what is measured is which songs go, not the disk. */
#include "config.h"
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#include "bench-trace.h"
#include "store-fixture.h"

#define BYTES_A_SECOND 1000 /* 1/16 of 128 kbit/s */
#define WARM_UP 5           /* the first 1/5 of the requests is not counted */

#define FIGURE(NAME, MEANS) \
  { \
    .name = NAME, .unit = "%", .decimals = 1, .more_is_better = TRUE, .goal = NAN, .times = NAN, \
    .peer = "evict = lru", .means = MEANS \
  }
static const BenchFigure EVICT[] = {
    FIGURE ("hit-ratio-1", "requests that were hits with a cache of 1 % of the catalogue's bytes"),
    FIGURE ("hit-ratio-5", "the same with 5 %"),
    FIGURE ("hit-ratio-10", "the same with 10 %"),
    FIGURE ("hit-ratio-25", "the same with 25 %"),
    FIGURE ("byte-hit-ratio-1", "bytes of the requests that were hits, with 1 %"),
    FIGURE ("byte-hit-ratio-5", "the same with 5 %"),
    FIGURE ("byte-hit-ratio-10", "the same with 10 %"),
    FIGURE ("byte-hit-ratio-25", "the same with 25 %"),
};
static const guint SIZES[] = {1, 5, 10, 25}; /* per cent */

static gint64
song_bytes (const BenchTrace *trace, guint song)
{
  return (gint64) trace->length_s[song] * BYTES_A_SECOND;
}

/* FALSE: there is no such song yet. */
static gboolean
is_hit (EncoreCache *cache, const char *id)
{
  g_autoptr (EncoreHandle) handle = encore_cache_get (cache, id, TRUE, NULL);

  return handle != NULL;
}

static gboolean
write_nothing (const char *path, gint64 bytes, GError **error)
{
  const int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const gboolean ok = fd >= 0 && ftruncate (fd, bytes) == 0;

  if (!ok)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: %s", path, g_strerror (errno));
  if (fd >= 0)
    close (fd);
  return ok;
}

/* As a fetch does it.  A song that is larger than a quarter of the cache is not kept. */
static gboolean
fetch (EncoreCache *cache, const char *id, gint64 bytes, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (EncoreHandle) hit = NULL;
  g_autoptr (EncoreClaim) claim = encore_cache_claim (cache, id, 0, NULL, &hit, error);

  if (claim == NULL)
    return FALSE;
  g_autofree char *path = g_build_filename (encore_claim_get_dir (claim), "song.opus", NULL);
  if (!write_nothing (path, bytes, error))
    return FALSE;
  const EncorePublish what = {.opus_name = "song.opus", .title = id};
  g_autoptr (EncoreHandle) handle = encore_claim_publish (claim, &what, &failure);
  if (handle != NULL || g_error_matches (failure, ENCORE_ERROR, ENCORE_ERROR_TOO_BIG))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

/* *OBJECTS, *BYTES (out): per cent */
static gboolean
replay (const BenchTrace *trace, EncoreCache *cache, double *objects, double *bytes, GError **error)
{
  gint64 hits = 0, hit_bytes = 0, requests = 0, request_bytes = 0;

  for (guint i = 0; i < trace->n_requests; i++) {
    const guint song = trace->songs[i];
    g_autofree char *id = bench_song_id (song);
    const gboolean hit = is_hit (cache, id);
    if (!hit && !fetch (cache, id, song_bytes (trace, song), error))
      return FALSE;
    if (i < trace->n_requests / WARM_UP)
      continue;
    requests++;
    request_bytes += song_bytes (trace, song);
    hits += hit;
    hit_bytes += hit ? song_bytes (trace, song) : 0;
  }
  *objects = 100.0 * hits / requests;
  *bytes = 100.0 * hit_bytes / request_bytes;
  return TRUE;
}

static gboolean
replay_with (const BenchTrace *trace, EncoreEvictPolicy policy, gint64 max_size_bytes,
             double *objects, double *bytes, GError **error)
{
  g_autofree char *dir = fixture_make_dir ();
  const EncoreCacheOptions options = {
      .dir = dir, .max_size_bytes = max_size_bytes, .policy = policy};
  EncoreCache *cache = encore_cache_open (&options, error);
  gboolean ok = FALSE;

  if (cache != NULL) {
    ok = replay (trace, cache, objects, bytes, error);
    encore_cache_close (cache);
  }
  fixture_remove (dir);
  return ok;
}

/* One round: nothing in it is left to chance. */
static gboolean
run_evict (Bench *self, BenchRow **rows, GError **error)
{
  g_autoptr (BenchTrace) trace = bench_trace_new (self->n_catalogue, self->n_catalogue * 8);
  gint64 all_bytes = 0;

  for (guint song = 0; song < trace->n_songs; song++)
    all_bytes += song_bytes (trace, song);
  for (guint i = 0; i < G_N_ELEMENTS (SIZES); i++)
    for (guint ours = 0; ours < 2; ours++) {
      double objects, bytes;
      g_printerr ("bench: %s, %u %%\n", ours ? "gdsf" : "lru", SIZES[i]);
      if (!replay_with (trace, ours ? ENCORE_EVICT_GDSF : ENCORE_EVICT_LRU,
                        all_bytes * SIZES[i] / 100, &objects, &bytes, error))
        return FALSE;
      bench_row_add (rows[i], ours, objects);
      bench_row_add (rows[i + G_N_ELEMENTS (SIZES)], ours, bytes);
    }
  return TRUE;
}

void
bench_evict (Bench *self)
{
  bench_measure (self, EVICT, G_N_ELEMENTS (EVICT), FALSE, run_evict);
}
