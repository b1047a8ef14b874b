/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Samples, rows and the verdict. */
#include "config.h"
#include "bench.h"

#include <math.h>

BenchRow *
bench_row_new (const BenchFigure *figure)
{
  BenchRow *self = g_new0 (BenchRow, 1);

  self->figure = figure;
  self->ours = g_array_new (FALSE, FALSE, sizeof (double));
  self->theirs = g_array_new (FALSE, FALSE, sizeof (double));
  return self;
}

void
bench_row_free (BenchRow *self)
{
  g_array_unref (self->ours);
  g_array_unref (self->theirs);
  g_free (self->reason);
  g_free (self);
}

void
bench_row_add (BenchRow *self, gboolean ours, double value)
{
  g_array_append_val (ours ? self->ours : self->theirs, value);
}

void
bench_row_fail (BenchRow *self, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  if (self->reason == NULL)
    self->reason = g_strdup_vprintf (format, args);
  va_end (args);
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

double
bench_quantile (const GArray *values, double share)
{
  if (values->len == 0)
    return NAN;
  g_autofree double *sorted = g_memdup2 (values->data, values->len * sizeof (double));
  qsort (sorted, values->len, sizeof (double), compare);
  /* between two ranks, so that the median of an even number is the mean of the middle two */
  const double rank = share * (values->len - 1);
  const guint below = (guint) rank;
  const guint above = MIN (below + 1, values->len - 1);
  return sorted[below] + (rank - below) * (sorted[above] - sorted[below]);
}

static gboolean
is_good_enough (double value, double goal, gboolean more_is_better)
{
  return more_is_better ? value >= goal : value <= goal;
}

BenchVerdict
bench_row_judge (const BenchRow *self)
{
  const BenchFigure *figure = self->figure;
  const double ours = bench_quantile (self->ours, 0.5);
  const double theirs = bench_quantile (self->theirs, 0.5);

  if (isnan (ours) || (self->reason != NULL && isnan (figure->times)))
    return BENCH_NOT_RUN;
  if (isnan (figure->goal) && isnan (figure->times))
    return BENCH_NO_GOAL;
  if (!isnan (figure->goal) && !is_good_enough (ours, figure->goal, figure->more_is_better))
    return BENCH_MISSED;
  if (isnan (figure->times))
    return BENCH_MET;
  if (isnan (theirs) || self->reason != NULL)
    return BENCH_NOT_RUN;
  const double limit = figure->more_is_better ? theirs * figure->times : theirs / figure->times;
  return is_good_enough (ours, limit, figure->more_is_better) ? BENCH_MET : BENCH_MISSED;
}
