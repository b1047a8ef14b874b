/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The result, for people and as JSON. */
#include "config.h"
#include "bench.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <stdio.h>

static const char *const VERDICTS[] = {"-", "yes", "NO", "not run"};

/* ---- for people */

/* "0.412 (0.301-2.100, p99 1.200, n=300)" */
static char *
describe (const BenchRow *row, const GArray *values)
{
  const int d = row->figure->decimals;

  if (values->len == 0)
    return g_strdup ("-");
  g_autofree char *p99 = values->len < 100
                             ? g_strdup ("")
                             : g_strdup_printf ("p99 %.*f, ", d, bench_quantile (values, 0.99));
  return g_strdup_printf ("%.*f (%.*f-%.*f, %sn=%u)", d, bench_quantile (values, 0.5), d,
                          bench_quantile (values, 0), d, bench_quantile (values, 1), p99,
                          values->len);
}

static char *
describe_goal (const BenchFigure *figure)
{
  const char *sign = figure->more_is_better ? ">=" : "<=";

  if (isnan (figure->goal) && isnan (figure->times))
    return g_strdup ("-");
  if (isnan (figure->times))
    return g_strdup_printf ("%s %g", sign, figure->goal);
  if (isnan (figure->goal))
    return g_strdup_printf ("%gx", figure->times);
  return g_strdup_printf ("%s %g and %gx", sign, figure->goal, figure->times);
}

/* How many times better than the peer; NAN without one. */
static double
get_times (const BenchRow *row)
{
  const double ours = bench_quantile (row->ours, 0.5), theirs = bench_quantile (row->theirs, 0.5);

  return row->figure->more_is_better ? ours / theirs : theirs / ours;
}

static void
print_row (const BenchRow *row)
{
  const BenchFigure *figure = row->figure;
  g_autofree char *ours = describe (row, row->ours);
  g_autofree char *theirs = describe (row, row->theirs);
  g_autofree char *goal = describe_goal (figure);
  const double times = get_times (row);
  g_autofree char *ratio =
      isnan (times) || isinf (times) ? g_strdup ("-") : g_strdup_printf ("%.1fx", times);

  printf ("%-20s %-6s %-42s %-36s %-8s %-14s %-7s %5.2f\n", figure->name, figure->unit, ours,
          theirs, ratio, goal, VERDICTS[bench_row_judge (row)], row->foreign_cores);
}

static void
print_legend (const BenchRow *row)
{
  const BenchFigure *figure = row->figure;

  printf ("  %-20s %s%s%s%s%s\n", figure->name, figure->means,
          figure->peer != NULL ? "; peer: " : "", figure->peer != NULL ? figure->peer : "",
          row->reason != NULL ? "; NOT RUN: " : "", row->reason != NULL ? row->reason : "");
}

void
bench_print_table (Bench *self, char **machine)
{
  for (char **line = machine; *line != NULL; line++)
    puts (*line);
  printf ("\n%-20s %-6s %-42s %-36s %-8s %-14s %-7s %s\n", "figure", "unit",
          "Encore: median (min-max, n)", "peer: median (min-max, n)", "better", "goal", "met",
          "foreign");
  for (guint i = 0; i < self->rows->len; i++)
    print_row (self->rows->pdata[i]);
  puts ("\nBetter: the ratio of the medians.  Foreign: processors busy with other things "
        "meanwhile; with more\nthan about 0.1 the run is not comparable.  What is measured:");
  for (guint i = 0; i < self->rows->len; i++)
    print_legend (self->rows->pdata[i]);
}

/* ---- for programs */

static void
add_number (JsonBuilder *json, const char *name, double value)
{
  if (isnan (value) || isinf (value))
    return;
  json_builder_set_member_name (json, name);
  json_builder_add_double_value (json, value);
}

static void
add_text (JsonBuilder *json, const char *name, const char *value)
{
  if (value == NULL)
    return;
  json_builder_set_member_name (json, name);
  json_builder_add_string_value (json, value);
}

static void
add_values (JsonBuilder *json, const char *name, const GArray *values)
{
  json_builder_set_member_name (json, name);
  json_builder_begin_object (json);
  add_number (json, "n", values->len);
  add_number (json, "min", bench_quantile (values, 0));
  add_number (json, "median", bench_quantile (values, 0.5));
  add_number (json, "p90", bench_quantile (values, 0.9));
  add_number (json, "p99", bench_quantile (values, 0.99));
  add_number (json, "max", bench_quantile (values, 1));
  json_builder_end_object (json);
}

static void
add_row (JsonBuilder *json, const BenchRow *row)
{
  static const char *const words[] = {"none", "met", "missed", "not run"};
  const BenchFigure *figure = row->figure;

  json_builder_begin_object (json);
  add_text (json, "figure", figure->name);
  add_text (json, "means", figure->means);
  add_text (json, "unit", figure->unit);
  add_text (json, "better", figure->more_is_better ? "more" : "less");
  add_values (json, "ours", row->ours);
  add_text (json, "peer", figure->peer);
  add_values (json, "theirs", row->theirs);
  add_number (json, "times", get_times (row));
  add_number (json, "goal", figure->goal);
  add_number (json, "goal_times", figure->times);
  add_text (json, "verdict", words[bench_row_judge (row)]);
  add_text (json, "reason", row->reason);
  add_number (json, "foreign_cores", row->foreign_cores);
  json_builder_end_object (json);
}

gboolean
bench_write_json (Bench *self, char **machine, const char *path, GError **error)
{
  g_autoptr (JsonBuilder) json = json_builder_new ();
  g_autoptr (JsonGenerator) generator = json_generator_new ();

  json_builder_begin_object (json);
  json_builder_set_member_name (json, "machine");
  json_builder_begin_array (json);
  for (char **line = machine; *line != NULL; line++)
    json_builder_add_string_value (json, *line);
  json_builder_end_array (json);
  json_builder_set_member_name (json, "rows");
  json_builder_begin_array (json);
  for (guint i = 0; i < self->rows->len; i++)
    add_row (json, self->rows->pdata[i]);
  json_builder_end_array (json);
  json_builder_end_object (json);
  json_generator_set_pretty (generator, TRUE);
  g_autoptr (JsonNode) root = json_builder_get_root (json);
  json_generator_set_root (generator, root);
  return json_generator_to_file (generator, path, error);
}
