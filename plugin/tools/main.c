/* SPDX-License-Identifier: LGPL-2.1-or-later
 * encore-cache: the administrator's view of a cache, safe beside a running bot.
 * Exit status: 0 clean, 1 found something (repaired, not there, not imported), 2 could not. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "tool.h"

typedef enum {
  OPTION_DRY = 1 << 0,
  OPTION_EXAMPLE = 1 << 1,
  OPTION_DELETE = 1 << 2,
  OPTION_JOBS = 1 << 3,
} OptionMask;

typedef enum {
  ACCESS_NONE,
  ACCESS_READ,
  ACCESS_WRITE,
  ACCESS_WRITE_UNLESS_DRY, /* dry: to read, and no cache at all will do */
} Access;

typedef struct {
  const char *name, *args; /* args: for the usage, "" none */
  int (*run) (const ToolCall *call);
  Access access;
  guint options; /* OptionMask, besides --dir */
  int min_args, max_args;
  gboolean is_long; /* a signal ends it in good order */
} Verb;

static const Verb VERBS[] = {
    {"id", "", tool_id, ACCESS_NONE, 0, 0, 0, FALSE},
    {"config", "[--example]", tool_config, ACCESS_NONE, OPTION_EXAMPLE, 0, 0, FALSE},
    {"stats", "", tool_stats, ACCESS_READ, 0, 0, 0, FALSE},
    {"list", "", tool_list, ACCESS_READ, 0, 0, 0, FALSE},
    {"find", "WORDS", tool_find, ACCESS_READ, 0, 1, G_MAXINT, FALSE},
    {"info", "ID", tool_info, ACCESS_READ, 0, 1, 1, FALSE},
    {"pin", "ID", tool_pin, ACCESS_WRITE, 0, 1, 1, FALSE},
    {"unpin", "ID", tool_unpin, ACCESS_WRITE, 0, 1, 1, FALSE},
    {"repair", "[--dry-run]", tool_repair, ACCESS_WRITE, OPTION_DRY, 0, 0, FALSE},
    {"import", "DIR [--delete] [--dry-run] [--jobs N]", tool_import, ACCESS_WRITE_UNLESS_DRY,
     OPTION_DRY | OPTION_DELETE | OPTION_JOBS, 1, 1, TRUE},
};

/* The command line; strings are owned. */
typedef struct {
  char *dir;
  ToolCall call;
} Line;

static const Verb *
find_verb (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (VERBS); i++)
    if (strcmp (VERBS[i].name, name) == 0)
      return &VERBS[i];
  g_autofree char *shown = tool_printable (name);
  fprintf (stderr, "encore-cache: there is no verb '%.40s'; --help lists them\n", shown);
  return NULL;
}

/* What does not belong to the verb is a mistake that nobody may miss. */
static gboolean
check_line (const Verb *verb, const ToolCall *call, int n_args)
{
  const struct {
    gboolean given;
    OptionMask mask;
    const char *name;
  } options[] = {{call->dry, OPTION_DRY, "--dry-run"},
                 {call->example, OPTION_EXAMPLE, "--example"},
                 {call->remove, OPTION_DELETE, "--delete"},
                 {call->jobs != 0, OPTION_JOBS, "--jobs"}};

  for (gsize i = 0; i < G_N_ELEMENTS (options); i++)
    if (options[i].given && (verb->options & options[i].mask) == 0) {
      fprintf (stderr, "encore-cache: %s takes no %s\n", verb->name, options[i].name);
      return FALSE;
    }
  if (n_args >= verb->min_args && n_args <= verb->max_args && (call->jobs >= 0 && call->jobs <= 64))
    return TRUE;
  fprintf (stderr, "Usage: encore-cache [--dir DIR] %s %s\n", verb->name, verb->args);
  return FALSE;
}

static int
run_verb (const Verb *verb, Line *line)
{
  const gboolean dry = verb->access == ACCESS_WRITE_UNLESS_DRY && line->call.dry;
  const EncoreCacheOptions options = {.dir = line->dir,
                                      .read_only = verb->access == ACCESS_READ || dry};
  g_autoptr (EncoreCache) cache = NULL;
  g_autoptr (GError) error = NULL;

  if (verb->is_long)
    line->call.cancellable = tool_catch_signals ();
  if (verb->access == ACCESS_NONE || (dry && !g_file_test (line->dir, G_FILE_TEST_EXISTS)))
    return verb->run (&line->call);
  line->call.cache = cache = encore_cache_open (&options, &error);
  return cache != NULL ? verb->run (&line->call) : tool_fail (error) | EXIT_FAILED;
}

/* One verb a line. */
static char *
list_verbs (void)
{
  GString *text = g_string_new ("Verbs:");

  for (gsize i = 0; i < G_N_ELEMENTS (VERBS); i++)
    g_string_append_printf (text, "\n  %-9s %s", VERBS[i].name, VERBS[i].args);
  return g_string_free (text, FALSE);
}

/* GLib leaves the "--" before arguments such as -bcdefghijA.  Returns: the new count. */
static int
drop_separator (int argc, char **argv)
{
  int at = 1;

  while (at < argc && strcmp (argv[at], "--") != 0)
    at++;
  if (at == argc)
    return argc;
  memmove (argv + at, argv + at + 1, (argc - at) * sizeof *argv); /* with the NULL */
  return argc - 1;
}

static int
run_line (Line *line, int argc, char **argv)
{
  ToolCall *call = &line->call;
  const GOptionEntry entries[] = {
      {"dir", 'd', 0, G_OPTION_ARG_FILENAME, &line->dir, "Cache (default: $XDG_CACHE_HOME/encore)",
       "DIR"},
      {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &call->dry, "Only tell", NULL},
      {"example", 0, 0, G_OPTION_ARG_NONE, &call->example, "config: as an example file", NULL},
      {"delete", 0, 0, G_OPTION_ARG_NONE, &call->remove,
       "import: delete files whose song is in the cache", NULL},
      {"jobs", 'j', 0, G_OPTION_ARG_INT, &call->jobs, "import: songs at a time", "N"},
      {NULL, 0, 0, 0, NULL, NULL, NULL}};
  g_autofree char *verbs = list_verbs ();
  g_autoptr (GOptionContext) context = g_option_context_new ("VERB [ARGUMENT...]");
  g_autoptr (GError) error = NULL;

  g_option_context_set_summary (context, verbs);
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    return tool_fail (error) | EXIT_FAILED;
  argc = drop_separator (argc, argv);
  if (argc < 2) {
    g_autofree char *help = g_option_context_get_help (context, TRUE, NULL);
    fputs (help, stderr);
    return EXIT_FAILED;
  }
  const Verb *verb = find_verb (argv[1]);
  call->args = argv + 2;
  if (verb == NULL || !check_line (verb, call, argc - 2))
    return EXIT_FAILED;
  if (call->jobs == 0)
    call->jobs = CLAMP (g_get_num_processors (), 1, 4);
  if (line->dir == NULL)
    line->dir = g_build_filename (g_get_user_cache_dir (), "encore", NULL);
  return run_verb (verb, line);
}

int
main (int argc, char **argv)
{
  g_autoptr (EncoreConfig) config = encore_config_new ();
  Line line = {.call = {.config = config}};

  const int status = run_line (&line, argc, argv);
  g_free (line.dir);
  return status;
}
