/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "bench-trace.h"

#include <math.h>

#define SEED 20231
#define ZIPF 0.9        /* exponent of popularity */
#define SONGS_A_ROOM 66 /* of the catalogue: 1,500 rooms have 100,000 songs */
#define FAVOURITES 30   /* of a room */
#define CHART_STEP 100  /* requests until the charts move by one song */
#define MEDIAN_S 216    /* with SIGMA the mean is 228 s */
#define SIGMA 0.33

typedef struct {
  BenchTrace *trace;
  GRand *rand;
  double *popularity;  /* cumulative, by rank */
  guint *song_of_rank; /* or long songs would be the popular ones */
  guint n_rooms;
  guint (*favourites)[FAVOURITES];
  guint n; /* requests so far */
} Maker;

static gboolean
chance (Maker *self, double probability)
{
  return g_rand_double (self->rand) < probability;
}

/* Box and Muller 1958. */
static double
normal (Maker *self)
{
  const double u = 1 - g_rand_double (self->rand), v = g_rand_double (self->rand);

  return sqrt (-2 * log (u)) * cos (2 * G_PI * v);
}

static guint
draw_length_s (Maker *self)
{
  const double kind = g_rand_double (self->rand);

  if (kind < 0.03)
    return g_rand_int_range (self->rand, 1800, 7200);
  if (kind < 0.10)
    return g_rand_int_range (self->rand, 5, 60);
  return CLAMP (MEDIAN_S * exp (SIGMA * normal (self)), 60, 1800);
}

static guint
draw_rank (Maker *self)
{
  const double u = g_rand_double (self->rand) * self->popularity[self->trace->n_songs - 1];
  guint low = 0, high = self->trace->n_songs - 1;

  while (low < high) {
    const guint middle = (low + high) / 2;
    if (self->popularity[middle] < u)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* By popularity as it is now: the charts move. */
static guint
draw_popular (Maker *self)
{
  return self->song_of_rank[(draw_rank (self) + self->n / CHART_STEP) % self->trace->n_songs];
}

static guint
draw_any (Maker *self)
{
  return g_rand_int_range (self->rand, 0, self->trace->n_songs);
}

static void
ask (Maker *self, guint song)
{
  if (self->n < self->trace->n_requests)
    self->trace->songs[self->n++] = song;
}

static void
listen_in_room (Maker *self, guint room)
{
  guint *favourites = self->favourites[room];
  guint song = draw_popular (self);

  for (gint32 left = g_rand_int_range (self->rand, 5, 25); left > 0; left--) {
    if (!chance (self, 0.12)) {
      const double kind = g_rand_double (self->rand);
      const guint which = g_rand_int_range (self->rand, 0, FAVOURITES);
      song = kind < 0.65 ? favourites[which] : kind < 0.88 ? draw_popular (self) : draw_any (self);
      if (chance (self, 0.02))
        favourites[which] = song;
    }
    ask (self, song);
  }
}

static void
hear_playlist (Maker *self)
{
  for (gint32 left = g_rand_int_range (self->rand, 10, 50); left > 0; left--)
    ask (self, draw_any (self));
}

static void
begin (Maker *self)
{
  const guint n = self->trace->n_songs;
  double sum = 0;

  for (guint i = 0; i < n; i++) {
    self->trace->length_s[i] = draw_length_s (self);
    self->popularity[i] = sum += pow (i + 1, -ZIPF);
    self->song_of_rank[i] = i; /* lengths are drawn: no order is in them */
  }
  for (guint room = 0; room < self->n_rooms; room++)
    for (guint i = 0; i < FAVOURITES; i++)
      self->favourites[room][i] = draw_popular (self);
}

BenchTrace *
bench_trace_new (guint n_songs, guint n_requests)
{
  BenchTrace *trace = g_new0 (BenchTrace, 1);
  g_autoptr (GRand) rand = g_rand_new_with_seed (SEED);
  g_autofree double *popularity = g_new (double, n_songs);
  g_autofree guint *song_of_rank = g_new (guint, n_songs);
  Maker maker = {.trace = trace,
                 .rand = rand,
                 .popularity = popularity,
                 .song_of_rank = song_of_rank,
                 .n_rooms = MAX (n_songs / SONGS_A_ROOM, 1)};

  trace->n_songs = n_songs;
  trace->n_requests = n_requests;
  trace->length_s = g_new (guint, n_songs);
  trace->songs = g_new (guint, n_requests);
  maker.favourites = g_malloc_n (maker.n_rooms, sizeof *maker.favourites);
  begin (&maker);
  while (maker.n < n_requests)
    if (chance (&maker, 0.04))
      hear_playlist (&maker);
    else
      listen_in_room (&maker, g_rand_int_range (rand, 0, maker.n_rooms));
  g_free (maker.favourites);
  return trace;
}

void
bench_trace_free (BenchTrace *self)
{
  g_free (self->length_s);
  g_free (self->songs);
  g_free (self);
}
