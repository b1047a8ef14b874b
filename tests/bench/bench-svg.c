/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The result as a picture: two bars for each figure that has a peer, on a logarithmic scale, since
 * they are hundreds of times apart. */
#include "config.h"
#include "bench.h"

#include <math.h>

#define WIDTH 900
#define TOP 64
#define ROW 46
#define BAR 13
#define BARS_AT 190
#define BARS_WIDTH 330
#define DECADES 5 /* the longest bar is that many powers of ten */
#define BOTTOM 34

static gboolean
is_shown (const BenchRow *row)
{
  return row->ours->len > 0 && row->theirs->len > 0 && bench_quantile (row->ours, 0.5) > 0 &&
         bench_quantile (row->theirs, 0.5) > 0;
}

static double
width_of (double value, double longest)
{
  return fmax (2, BARS_WIDTH * (1 + log10 (value / longest) / DECADES));
}

static void
add_bar (GString *svg, double y, const char *colour, double value, double longest,
         const BenchFigure *figure, const char *whose)
{
  const double width = width_of (value, longest);
  g_autofree char *name = g_markup_escape_text (whose, -1);

  g_string_append_printf (svg,
                          "<rect x=\"%d\" y=\"%.0f\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>"
                          "<text x=\"%.1f\" y=\"%.0f\">%.*f %s  %s</text>\n",
                          BARS_AT, y, width, BAR, colour, BARS_AT + width + 6, y + BAR - 2,
                          figure->decimals, value, figure->unit, name);
}

static void
add_row (GString *svg, const BenchRow *row, double y)
{
  const double ours = bench_quantile (row->ours, 0.5), theirs = bench_quantile (row->theirs, 0.5);
  const double longest = fmax (ours, theirs);
  const BenchFigure *figure = row->figure;
  g_autofree char *means = g_markup_escape_text (figure->means, -1);

  g_string_append_printf (
      svg, "<g><title>%s</title><text x=\"16\" y=\"%.0f\" font-weight=\"bold\">%s</text>", means,
      y + BAR + 4, figure->name);
  g_string_append_printf (svg, "<text x=\"16\" y=\"%.0f\" fill=\"#555\">%.1f times</text>\n",
                          y + 2 * BAR + 6, figure->more_is_better ? ours / theirs : theirs / ours);
  add_bar (svg, y, "#1b7f4d", ours, longest, figure, "Encore");
  add_bar (svg, y + BAR + 3, "#999999", theirs, longest, figure, figure->peer);
  g_string_append (svg, "</g>\n");
}

gboolean
bench_write_svg (Bench *self, char **machine, const char *path, GError **error)
{
  g_autoptr (GString) svg = g_string_new (NULL);
  g_autofree char *about = g_markup_escape_text (machine[0], -1);
  double foreign_cores = 0;
  guint n = 0;

  for (guint i = 0; i < self->rows->len; i++)
    n += is_shown (self->rows->pdata[i]);
  const int height = TOP + n * ROW + BOTTOM;
  g_string_append_printf (
      svg,
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
      "font-family=\"sans-serif\" font-size=\"12\" fill=\"#111\">\n"
      "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n"
      "<text x=\"16\" y=\"26\" font-size=\"18\" font-weight=\"bold\">Encore beside its "
      "peers</text>\n"
      "<text x=\"16\" y=\"46\" fill=\"#555\">medians of one run, both sides in turn; logarithmic; "
      "what is "
      "behind a bar is its figure</text>\n",
      WIDTH, height, WIDTH, height, WIDTH, height);
  for (guint i = 0, k = 0; i < self->rows->len; i++) {
    const BenchRow *row = self->rows->pdata[i];
    foreign_cores = fmax (foreign_cores, row->foreign_cores);
    if (is_shown (row))
      add_row (svg, row, TOP + k++ * ROW);
  }
  g_string_append_printf (
      svg,
      "<text x=\"16\" y=\"%d\" fill=\"#555\">%s; at most %.2f processors busy with "
      "other things</text>\n</svg>\n",
      height - 12, about, foreign_cores);
  return g_file_set_contents (path, svg->str, svg->len, error);
}
