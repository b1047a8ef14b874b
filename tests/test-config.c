/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The option table: defaults, units, ranges, words of the errors. */
#include "config.h"
#include "base/encore-config.h"

#include <locale.h>

#include "base/encore-error.h"

static void
test_defaults (void)
{
  g_autoptr (EncoreConfig) config = encore_config_new ();

  g_assert_cmpint (config->max_size_bytes, ==, G_GINT64_CONSTANT (8) << 30);
  g_assert_cmpint (config->max_duration_ms, ==, 3 * 3600 * 1000);
  g_assert_cmpfloat (config->true_peak_dbtp, ==, -1.5);
  g_assert_cmpstr (config->ytdlp, ==, "yt-dlp");
  for (const EncoreOption *o = encore_config_options (); o->key != NULL; o++) {
    g_autofree char *dumped = encore_config_dump (config, o);
    g_autoptr (EncoreConfig) again = encore_config_new ();
    g_autoptr (GError) error = NULL;
    encore_config_set (again, o->key, dumped, &error);
    g_assert_no_error (error);
    g_autofree char *twice = encore_config_dump (again, o);
    g_assert_cmpstr (dumped, ==, twice);
    g_assert_nonnull (o->help);
  }
}

static void
test_values (void)
{
  static const struct {
    const char *key, *value, *dumped; /* dumped NULL: refused */
  } rows[] = {
      {"max_size", "1.5GiB", "1536MiB"},
      {"max_size", "100M", "100MiB"},
      {"max_size", "7", "7B"},
      {"max_size", "-1", NULL},
      {"max_size", "many", NULL},
      {"max_size", "1 Gigabyte", NULL},
      {"max_size", "", NULL},
      {"max_size", "nan", NULL},
      {"stall", "90s", "90s"},
      {"stall", "2min", "2min"},
      {"stall", "0", NULL},
      {"stall", "1500ms", "1500ms"},
      {"jobs", "3", "3"},
      {"jobs", "2.5", NULL},
      {"jobs", "0", NULL},
      {"jobs", "17", NULL},
      {"jobs", "3x", NULL},
      {"evict", "lru", "lru"},
      {"evict", "LRU", NULL},
      {"keep_source", "On", "yes"},
      {"keep_source", "maybe", NULL},
      {"loudness", "-18.5", "-18.5"},
      {"loudness", "-18,5", NULL},
      {"loudness", "3", NULL},
      {"ytdlp", "  /opt/y t  ", "/opt/y t"},
      {"ytdlp", "\xff", NULL},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (EncoreConfig) config = encore_config_new ();
    g_autoptr (GError) error = NULL;
    const gboolean ok = encore_config_set (config, rows[i].key, rows[i].value, &error);
    if (rows[i].dumped == NULL) {
      g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_CONFIG);
      g_assert_nonnull (strstr (error->message, rows[i].key));
      continue;
    }
    g_assert_no_error (error);
    g_assert_true (ok);
    for (const EncoreOption *o = encore_config_options (); o->key != NULL; o++)
      if (strcmp (o->key, rows[i].key) == 0) {
        g_autofree char *dumped = encore_config_dump (config, o);
        g_assert_cmpstr (dumped, ==, rows[i].dumped);
      }
  }
}

static void
test_words (void)
{
  g_autoptr (EncoreConfig) config = encore_config_new ();
  g_autoptr (GError) typo = NULL;
  g_autoptr (GError) strange = NULL;
  g_autoptr (GError) range = NULL;

  encore_config_set (config, "max_sise", "1", &typo);
  g_assert_cmpstr (typo->message, ==, "unknown option 'max_sise' (did you mean 'max_size'?)");
  encore_config_set (config, "colour_of_the_sky", "blue", &strange);
  g_assert_cmpstr (strange->message, ==, "unknown option 'colour_of_the_sky'");
  encore_config_set (config, "jobs", "99", &range);
  g_assert_cmpstr (range->message, ==, "jobs = '99' is not a whole number from 1 to 16");
  g_assert_cmpint (config->jobs, ==, 2);
}

/* Every line of the example, uncommented, is what the table takes. */
static void
test_example (void)
{
  g_autofree char *example = encore_config_example ();
  g_auto (GStrv) lines = g_strsplit (example, "\n", -1);
  g_autoptr (EncoreConfig) config = encore_config_new ();
  guint seen = 0;

  for (char **line = lines; *line != NULL; line++) {
    g_auto (GStrv) pair = g_strsplit (*line, " = ", 2);
    if ((*line)[0] != '#' || (*line)[1] == ' ' || g_strv_length (pair) != 2)
      continue;
    g_autoptr (GError) error = NULL;
    encore_config_set (config, pair[0] + 1, pair[1], &error);
    g_assert_no_error (error);
    seen++;
  }
  guint known = 0;
  for (const EncoreOption *o = encore_config_options (); o->key != NULL; o++)
    known++;
  g_assert_cmpuint (seen, ==, known);
}

/* What may change in a running bot is whole numbers, all told in encore-bot(1), and nothing else is
 * taken. */
static void
test_live (void)
{
  g_autofree char *page =
      g_build_filename (g_getenv ("G_TEST_SRCDIR"), "..", "data", "encore-bot.1", NULL);
  g_autofree char *manual = NULL;
  g_autoptr (EncoreConfig) running = encore_config_new ();
  g_autoptr (EncoreConfig) other = encore_config_new ();
  guint live = 0;

  g_assert_true (g_file_get_contents (page, &manual, NULL, NULL));
  g_assert_true (encore_config_set (other, "queue_max", "7", NULL));
  g_assert_true (encore_config_set (other, "idle_leave", "7s", NULL));
  g_assert_true (encore_config_set (other, "warm_budget", "7GiB", NULL));
  g_assert_true (encore_config_set (other, "cache_dir", "/other", NULL));
  g_assert_true (encore_config_set (other, "max_bytes", "7MiB", NULL));
  encore_config_take_live (running, other);
  g_assert_cmpint (running->queue_max, ==, 7);
  g_assert_cmpint (running->idle_leave_ms, ==, 7000);
  g_assert_cmpint (running->warm_budget_bytes, ==, G_GINT64_CONSTANT (7) << 30);
  g_assert_cmpstr (running->cache_dir, ==, "");
  g_assert_cmpint (running->max_bytes, ==, 200 << 20);
  for (const EncoreOption *o = encore_config_options (); o->key != NULL; o++)
    if (encore_config_is_live (o)) {
      g_autofree char *name = g_strdup_printf ("%s ", o->key);
      g_autofree char *word = g_strdup_printf (" %s\n", o->key);
      live++;
      g_assert_true (o->type == ENCORE_OPTION_INT || o->type == ENCORE_OPTION_SIZE ||
                     o->type == ENCORE_OPTION_DURATION);
      g_assert_true (strstr (manual, name) != NULL || strstr (manual, word) != NULL);
    }
  g_assert_cmpuint (live, ==, 8);
}

int
main (int argc, char **argv)
{
  setlocale (LC_ALL, "");
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/config/defaults", test_defaults);
  g_test_add_func ("/config/values-units-and-ranges", test_values);
  g_test_add_func ("/config/errors-name-key-value-and-range", test_words);
  g_test_add_func ("/config/example-is-accepted", test_example);
  g_test_add_func ("/config/live-options-are-numbers-and-told", test_live);
  return g_test_run ();
}
