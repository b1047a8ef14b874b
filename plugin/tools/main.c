/* SPDX-License-Identifier: LGPL-2.1-or-later
 * encore-cache: the administrator's view of a cache, safe beside a running bot.
 * Exit status: 0 clean, 1 found and repaired or not found, 2 could not. */
#include "config.h"

#include <gio/gio.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/encore-config.h"
#include "base/encore-media-id.h"
#include "fetch/encore-normalise.h"
#include "store/encore-cache.h"

#define EXIT_CLEAN 0
#define EXIT_FOUND 1
#define EXIT_FAILED 2

typedef struct {
  EncoreCache *cache;
  char **args; /* after the verb */
  gboolean dry;
} Call;

static int
fail (const GError *error)
{
  fprintf (stderr, "encore-cache: %s\n", error->message);
  return g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND) ? EXIT_FOUND : EXIT_FAILED;
}

/* Outside text never reaches the terminal with its control characters. */
static char *
printable (const char *text)
{
  char *copy = g_utf8_make_valid (text, -1);

  for (char *p = copy; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      *p = ' ';
  return copy;
}

/* ---- without a cache */

static int
run_id (void)
{
  g_autoptr (GString) line = g_string_new (NULL);
  int c;

  while ((c = getchar ()) != EOF || line->len > 0) {
    EncoreMediaId id;
    if (c != '\n' && c != EOF) {
      g_string_append_c (line, c);
      continue;
    }
    /* a NUL in the text makes it no id: it must not be cut there */
    const gboolean whole = strlen (line->str) == line->len;
    g_autofree char *text = whole && encore_media_id_from_user (line->str, &id)
                                ? encore_media_id_to_text (&id)
                                : g_strdup ("-");
    puts (text);
    g_string_truncate (line, 0);
    if (c == EOF)
      break;
  }
  return EXIT_CLEAN;
}

static int
run_config (const EncoreConfig *config, gboolean example)
{
  g_autofree char *text = encore_config_example ();

  if (example) {
    fputs (text, stdout);
    return EXIT_CLEAN;
  }
  for (const EncoreOption *o = encore_config_options (); o->key != NULL; o++) {
    g_autofree char *value = encore_config_dump (config, o);
    printf ("%-16s = %-28s # %s\n", o->key, value, o->help);
  }
  return EXIT_CLEAN;
}

/* ---- looking */

static int
run_stats (const Call *call)
{
  EncoreCacheStats stats;

  encore_cache_stats (call->cache, &stats);
  g_autofree char *size = g_format_size_full (stats.bytes, G_FORMAT_SIZE_IEC_UNITS);
  g_autofree char *free_space = g_format_size_full (stats.free_bytes, G_FORMAT_SIZE_IEC_UNITS);
  printf ("songs   %" G_GINT64_FORMAT "\nsize    %s\nfree    %s\npinned  %" G_GINT64_FORMAT
          "\nplays   %" G_GINT64_FORMAT "\n",
          stats.entries, size, free_space, stats.pinned, stats.total_plays);
  return EXIT_CLEAN;
}

static void
print_info (const EncoreEntryInfo *info)
{
  g_autofree char *title = printable (info->title);
  g_autofree char *size =
      g_format_size_full (info->opus_bytes + info->src_bytes, G_FORMAT_SIZE_IEC_UNITS);
  const int s = info->duration_ms / 1000;

  printf ("%-12s %3d:%02d %10s %6" G_GINT64_FORMAT " plays %s %s\n", info->id, s / 60, s % 60, size,
          info->access_count, info->pinned ? "pinned" : "      ", title);
}

static int
print_infos (GPtrArray *infos, const GError *error)
{
  if (infos == NULL)
    return fail (error);
  for (guint i = 0; i < infos->len; i++)
    print_info (infos->pdata[i]);
  return infos->len > 0 ? EXIT_CLEAN : EXIT_FOUND;
}

static int
run_list (const Call *call)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) infos =
      encore_cache_list (call->cache, ENCORE_SORT_RECENT, 0, G_MAXINT, &error);

  print_infos (infos, error);
  return infos != NULL ? EXIT_CLEAN : EXIT_FAILED;
}

static int
run_find (const Call *call)
{
  g_autofree char *words = g_strjoinv (" ", call->args);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) infos = encore_cache_find (call->cache, words, 100, &error);

  return print_infos (infos, error);
}

/* The stem that the first argument means; NULL with a message. */
static char *
take_stem (const Call *call)
{
  EncoreMediaId id;

  if (call->args[0] != NULL && (encore_media_id_from_user (call->args[0], &id) ||
                                encore_media_id_from_stem (call->args[0], &id)))
    return encore_media_id_to_stem (&id);
  fputs ("encore-cache: an id or a link of one song is missing\n", stderr);
  return NULL;
}

static int
run_info (const Call *call)
{
  g_autofree char *stem = take_stem (call);
  g_autoptr (EncoreEntryInfo) info = NULL;
  g_autoptr (GError) error = NULL;

  if (stem == NULL)
    return EXIT_FAILED;
  if (!encore_cache_info (call->cache, stem, &info, &error))
    return fail (error);
  print_info (info);
  g_autoptr (EncoreHandle) handle = encore_cache_get (call->cache, info->id, FALSE, &error);
  if (handle == NULL)
    return fail (error);
  const gboolean kept = encore_normalise_was_remuxed (encore_handle_get_fd (handle));
  if (isfinite (info->loudness_lufs))
    printf ("             %.1f LUFS as it came, gain %+.1f dB, packets %s\n", info->loudness_lufs,
            info->gain_db, kept ? "kept" : "encoded");
  return EXIT_CLEAN;
}

/* ---- tending */

static int
set_pinned (const Call *call, gboolean pinned)
{
  g_autofree char *stem = take_stem (call);
  g_autoptr (GError) error = NULL;

  if (stem == NULL)
    return EXIT_FAILED;
  return encore_cache_pin (call->cache, stem, pinned, &error) ? EXIT_CLEAN : fail (error);
}

static int
run_pin (const Call *call)
{
  return set_pinned (call, TRUE);
}

static int
run_unpin (const Call *call)
{
  return set_pinned (call, FALSE);
}

static void
print_decision (const char *id, gboolean removed, gint64 bytes, const char *reason, gpointer data)
{
  g_autofree char *name = printable (id);

  printf ("%-7s %s (%" G_GINT64_FORMAT " bytes): %s\n", removed ? "removed" : "kept", name, bytes,
          reason);
}

static int
run_repair (const Call *call)
{
  g_autoptr (GError) error = NULL;
  EncoreAudit audit;

  if (!encore_cache_audit (call->cache, call->dry, &audit, print_decision, NULL, &error))
    return fail (error);
  const gint64 found =
      audit.adopted + audit.orphans + audit.dangling + audit.mismatched + audit.stale_tmp;
  printf ("%" G_GINT64_FORMAT " songs checked, %" G_GINT64_FORMAT " things %s, %" G_GINT64_FORMAT
          " bytes freed\n",
          audit.checked, found, call->dry ? "to put right" : "put right",
          audit.orphan_bytes + audit.mismatch_bytes + audit.tmp_bytes);
  return found > 0 ? EXIT_FOUND : EXIT_CLEAN;
}

/* ---- main */

static const struct {
  const char *name;
  int (*run) (const Call *call);
  gboolean reads_only;
} VERBS[] = {{"stats", run_stats, TRUE},   {"list", run_list, TRUE}, {"find", run_find, TRUE},
             {"info", run_info, TRUE},     {"pin", run_pin, FALSE},  {"unpin", run_unpin, FALSE},
             {"repair", run_repair, FALSE}};

static int
run_verb (const char *verb, char **args, const char *dir, gboolean dry)
{
  for (gsize i = 0; i < G_N_ELEMENTS (VERBS); i++) {
    if (strcmp (VERBS[i].name, verb) != 0)
      continue;
    const EncoreCacheOptions options = {.dir = dir, .read_only = VERBS[i].reads_only};
    g_autoptr (GError) error = NULL;
    g_autoptr (EncoreCache) cache = encore_cache_open (&options, &error);
    const Call call = {cache, args, dry};
    return cache != NULL ? VERBS[i].run (&call) : fail (error) | EXIT_FAILED;
  }
  fprintf (stderr, "encore-cache: there is no verb '%.40s'; --help lists them\n", verb);
  return EXIT_FAILED;
}

int
main (int argc, char **argv)
{
  g_autofree char *dir = NULL;
  gboolean dry = FALSE, example = FALSE;
  const GOptionEntry entries[] = {
      {"dir", 'd', 0, G_OPTION_ARG_FILENAME, &dir, "Cache (default: $XDG_CACHE_HOME/encore)",
       "DIR"},
      {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &dry, "repair: only tell", NULL},
      {"example", 0, 0, G_OPTION_ARG_NONE, &example, "config: as an example file", NULL},
      {NULL, 0, 0, 0, NULL, NULL, NULL}};
  g_autoptr (GOptionContext) context = g_option_context_new (
      "id | config | stats | list | find WORDS | info ID | pin ID | unpin ID | "
      "repair");
  g_autoptr (EncoreConfig) config = encore_config_new ();
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    return fail (error) | EXIT_FAILED;
  if (argc < 2) {
    g_autofree char *help = g_option_context_get_help (context, TRUE, NULL);
    fputs (help, stderr);
    return EXIT_FAILED;
  }
  if (strcmp (argv[1], "id") == 0)
    return run_id ();
  if (strcmp (argv[1], "config") == 0)
    return run_config (config, example);
  if (dir == NULL)
    dir = g_build_filename (g_get_user_cache_dir (), "encore", NULL);
  return run_verb (argv[1], argv + 2, dir, dry);
}
