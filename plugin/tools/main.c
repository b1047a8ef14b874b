/* SPDX-License-Identifier: LGPL-2.1-or-later
 * encore-cache: the administrator's view of a cache, safe beside a running bot.
 * Exit status: 0 clean, 1 found something (repaired, not there, not imported), 2 could not. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tool.h"

typedef enum {
  OPTION_DRY = 1 << 0,
  OPTION_EXAMPLE = 1 << 1,
  OPTION_DELETE = 1 << 2,
  OPTION_JOBS = 1 << 3,
  OPTION_JSON = 1 << 4,
  OPTION_SORT = 1 << 5,
  OPTION_LIMIT = 1 << 6,
  OPTION_FULL = 1 << 7,
  OPTION_TO = 1 << 8,
  OPTION_ALL = 1 << 9,
  OPTION_FORCE = 1 << 10,
} OptionMask;

typedef enum {
  ACCESS_NONE,
  ACCESS_READ,
  ACCESS_WRITE,
  ACCESS_WRITE_UNLESS_DRY, /* dry: to read */
  ACCESS_REPAIR,           /* the same; what is unfinished is left to it */
  ACCESS_MAKE_UNLESS_DRY,  /* dry: to read, and no cache at all will do */
  ACCESS_REBUILD,          /* nobody else may use it */
} Access;

typedef struct {
  const char *name, *args; /* args: for the usage, "" none */
  int (*run) (const ToolCall *call);
  Access access;
  guint options; /* OptionMask, besides --dir and --config */
  int min_args, max_args;
  gboolean is_long; /* a signal ends it in good order */
} Verb;

static const Verb VERBS[] = {
    {"id", "[--json]", tool_id, ACCESS_NONE, OPTION_JSON, 0, 0, FALSE},
    {"config", "[--example] [--json]", tool_config, ACCESS_NONE, OPTION_EXAMPLE | OPTION_JSON, 0, 0,
     FALSE},
    {"stats", "[--json]", tool_stats, ACCESS_READ, OPTION_JSON, 0, 0, FALSE},
    {"list", "[--sort KEY] [--limit N] [--json]", tool_list, ACCESS_READ,
     OPTION_JSON | OPTION_SORT | OPTION_LIMIT, 0, 0, FALSE},
    {"find", "WORDS [--limit N] [--json]", tool_find, ACCESS_READ, OPTION_JSON | OPTION_LIMIT, 1,
     G_MAXINT, FALSE},
    {"info", "ID [--json]", tool_info, ACCESS_READ, OPTION_JSON, 1, 1, FALSE},
    {"pin", "ID", tool_pin, ACCESS_WRITE, 0, 1, 1, FALSE},
    {"unpin", "ID", tool_unpin, ACCESS_WRITE, 0, 1, 1, FALSE},
    {"repair", "[--dry-run]", tool_repair, ACCESS_REPAIR, OPTION_DRY, 0, 0, FALSE},
    {"rebuild", "", tool_rebuild, ACCESS_REBUILD, 0, 0, 0, FALSE},
    {"fetch", "URL... [--force]", tool_fetch, ACCESS_WRITE, OPTION_FORCE, 1, G_MAXINT, FALSE},
    {"verify", "[ID...] [--full] [--dry-run] [--json]", tool_verify, ACCESS_WRITE_UNLESS_DRY,
     OPTION_FULL | OPTION_DRY | OPTION_JSON, 0, G_MAXINT, TRUE},
    {"evict", "--to SIZE", tool_evict, ACCESS_WRITE, OPTION_TO, 0, 0, FALSE},
    {"export", "ID... | --all DIR", tool_export, ACCESS_READ, OPTION_ALL, 1, G_MAXINT, TRUE},
    {"import", "DIR [--delete] [--dry-run] [--jobs N]", tool_import, ACCESS_MAKE_UNLESS_DRY,
     OPTION_DRY | OPTION_DELETE | OPTION_JOBS, 1, 1, TRUE},
};

#define NOT_GIVEN G_MININT /* a number: 0 is one that may be typed */

/* The command line as it came; strings are owned. */
typedef struct {
  char *dir, *config, *sort, *to;
  char **set; /* (nullable) */
  EncoreConfig *values;
  ToolCall call;
} Line;

static void
line_clear (Line *self)
{
  g_free (self->dir);
  g_free (self->config);
  g_free (self->sort);
  g_free (self->to);
  g_strfreev (self->set);
  encore_config_free (self->values);
}

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
check_options (const Verb *verb, const Line *line)
{
  const ToolCall *call = &line->call;
  const struct {
    gboolean given;
    OptionMask mask;
    const char *name;
  } options[] = {
      {call->dry, OPTION_DRY, "--dry-run"},
      {call->example, OPTION_EXAMPLE, "--example"},
      {call->remove, OPTION_DELETE, "--delete"},
      {call->jobs != NOT_GIVEN, OPTION_JOBS, "--jobs"},
      {call->json, OPTION_JSON, "--json"},
      {line->sort != NULL, OPTION_SORT, "--sort"},
      {call->limit != NOT_GIVEN, OPTION_LIMIT, "--limit"},
      {call->full, OPTION_FULL, "--full"},
      {line->to != NULL, OPTION_TO, "--to"},
      {call->all, OPTION_ALL, "--all"},
      {call->force, OPTION_FORCE, "--force"},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (options); i++)
    if (options[i].given && (verb->options & options[i].mask) == 0) {
      fprintf (stderr, "encore-cache: %s takes no %s\n", verb->name, options[i].name);
      return FALSE;
    }
  return TRUE;
}

static gboolean
bad_value (const char *option, const char *value, const char *expected)
{
  g_autofree char *shown = tool_printable (value);

  fprintf (stderr, "encore-cache: %s: '%.40s' is not %s\n", option, shown, expected);
  return FALSE;
}

static gboolean
parse_sort (const char *text, EncoreSort *out)
{
  static const char *const names[] = {[ENCORE_SORT_RECENT] = "recent",
                                      [ENCORE_SORT_TOP] = "plays",
                                      [ENCORE_SORT_SIZE] = "size",
                                      [ENCORE_SORT_TITLE] = "title"};

  for (guint i = 0; text != NULL && i < G_N_ELEMENTS (names); i++)
    if (strcmp (names[i], text) == 0) {
      *out = i;
      return TRUE;
    }
  return text == NULL || bad_value ("--sort", text, "one of recent, plays, size, title");
}

static gboolean
parse_size (const char *text, gint64 *out)
{
  g_autoptr (EncoreConfig) scratch = encore_config_new ();

  *out = -1;
  if (text != NULL && !encore_config_set (scratch, "max_size", text, NULL))
    return bad_value ("--to", text, "a size such as 5GiB or 0");
  if (text != NULL)
    *out = scratch->max_size_bytes;
  return TRUE;
}

static gboolean
parse_number (const char *option, int value, int max, int by_default, int *out)
{
  g_autofree char *text = g_strdup_printf ("%d", value);
  g_autofree char *range = g_strdup_printf ("from 1 to %d", max);

  *out = value != NOT_GIVEN ? value : by_default;
  return value == NOT_GIVEN || (value >= 1 && value <= max) || bad_value (option, text, range);
}

static gboolean
check_line (const Verb *verb, Line *line, int n_args)
{
  ToolCall *call = &line->call;

  if (!check_options (verb, line) || !parse_sort (line->sort, &call->sort) ||
      !parse_size (line->to, &call->to_bytes) ||
      !parse_number ("--limit", call->limit, G_MAXINT, 0, &call->limit) ||
      !parse_number ("--jobs", call->jobs, 64, MIN (g_get_num_processors (), 4), &call->jobs))
    return FALSE;
  if (n_args >= verb->min_args && n_args <= verb->max_args)
    return TRUE;
  fprintf (stderr, "Usage: encore-cache [--dir DIR] [--config FILE] %s %s\n", verb->name,
           verb->args);
  return FALSE;
}

/* The group [encore] of a bot's configuration. */
static gboolean
load_file (Line *line, GError **error)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_auto (GStrv) keys = NULL;

  if (!g_key_file_load_from_file (file, line->config, G_KEY_FILE_NONE, error) ||
      (keys = g_key_file_get_keys (file, "encore", NULL, error)) == NULL)
    return FALSE;
  for (char **key = keys; *key != NULL; key++) {
    g_autofree char *value = g_key_file_get_string (file, "encore", *key, error);
    if (value == NULL || !encore_config_set (line->values, *key, value, error))
      return FALSE;
  }
  return TRUE;
}

/* The file first, then what --set says.  Without a file a cache has no limits: the bot that uses it
 * knows them. */
static gboolean
load_config (Line *line, const Verb *verb, GError **error)
{
  if (line->config != NULL && !load_file (line, error)) {
    g_prefix_error (error, "%s: ", line->config);
    return FALSE;
  }
  if (line->config == NULL && verb->access != ACCESS_NONE)
    line->values->max_size_bytes = line->values->min_free_bytes = line->values->max_age_ms = 0;
  for (char **pair = line->set; pair != NULL && *pair != NULL; pair++) {
    const char *equals = strchr (*pair, '=');
    g_autofree char *key = g_strndup (*pair, strcspn (*pair, "="));
    if (!encore_config_set (line->values, key, equals != NULL ? equals + 1 : "", error))
      return FALSE;
  }
  return TRUE;
}

static void
choose_dir (Line *line)
{
  if (line->dir == NULL && *line->values->cache_dir != '\0')
    line->dir = g_strdup (line->values->cache_dir);
  if (line->dir == NULL)
    line->dir = g_build_filename (g_get_user_cache_dir (), "encore", NULL);
}

/* (EncoreCacheProgressFunc) */
static void
tell_progress (guint done, guint total, gpointer data)
{
  (void) data;
  tool_progress ("directories", done, total);
}

/* What cannot be looked at is told by the store. */
static gboolean
has_database (const char *dir)
{
  g_autofree char *path = g_build_filename (dir, "encore.db", NULL);
  struct stat st;

  return lstat (path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* Of a cache that lost its database; a collection of music may have a directory called opus, too.
 */
static gboolean
has_songs (const char *dir)
{
  gboolean found = FALSE;

  for (int shard = 0; shard < 256 && !found; shard++) {
    g_autofree char *path = g_strdup_printf ("%s/opus/%02x", dir, shard);
    found = g_file_test (path, G_FILE_TEST_IS_DIR);
  }
  return found;
}

/* Nothing is there, or an empty directory: an import would make a cache of it. */
static gboolean
is_vacant (const char *dir)
{
  g_autoptr (GDir) entries = g_dir_open (dir, 0, NULL);

  return entries != NULL ? g_dir_read_name (entries) == NULL
                         : !g_file_test (dir, G_FILE_TEST_EXISTS | G_FILE_TEST_IS_SYMLINK);
}

/* A mistyped --dir is not to be filled with directories, and is told in words.  READS: nothing will
 * be made.  Returns: FALSE with a message. */
static gboolean
check_dir (const Verb *verb, const char *dir, gboolean reads)
{
  const gboolean makes = !reads && (verb->run == tool_fetch || verb->run == tool_import);
  const gboolean mends = !reads && (verb->run == tool_repair || verb->run == tool_rebuild);

  if (makes || has_database (dir) || (mends && has_songs (dir)))
    return TRUE;
  g_autofree char *shown = tool_printable (dir);
  fprintf (stderr, "encore-cache: %s is no cache: there is no encore.db%s\n", shown,
           has_songs (dir) ? "; rebuild makes it again from the songs" : "");
  return FALSE;
}

static int
run_verb (const Verb *verb, Line *line)
{
  const gboolean dry = (verb->access == ACCESS_WRITE_UNLESS_DRY || verb->access == ACCESS_REPAIR ||
                        verb->access == ACCESS_MAKE_UNLESS_DRY) &&
                       line->call.dry;
  const gboolean reads = verb->access == ACCESS_READ || dry;
  const gboolean needs_none = dry && verb->access == ACCESS_MAKE_UNLESS_DRY;
  const EncoreConfig *values = line->values;
  const EncoreCacheOptions options = {.dir = line->dir,
                                      .max_size_bytes = values->max_size_bytes,
                                      .min_free_bytes = values->min_free_bytes,
                                      .max_age_ms = values->max_age_ms,
                                      .policy = values->evict,
                                      .read_only = reads,
                                      .rebuild = verb->access == ACCESS_REBUILD,
                                      .audits = verb->access == ACCESS_REPAIR,
                                      .progress = tell_progress};
  g_autoptr (EncoreCache) cache = NULL;
  g_autoptr (GError) error = NULL;

  if (verb->is_long)
    line->call.cancellable = tool_catch_signals ();
  if (verb->access == ACCESS_NONE || (needs_none && is_vacant (line->dir)))
    return verb->run (&line->call);
  if (!check_dir (verb, line->dir, reads))
    return EXIT_FAILED;
  line->call.cache = cache = encore_cache_open (&options, &error);
  return cache != NULL ? verb->run (&line->call) : tool_fail (error) | EXIT_FAILED;
}

/* ---- the command line */

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

/* Returns: the text of --help; NULL with ERROR. */
static char *
parse_line (Line *line, int *argc, char ***argv, GError **error)
{
  ToolCall *call = &line->call;
  const GOptionEntry entries[] = {
      {"dir", 'd', 0, G_OPTION_ARG_FILENAME, &line->dir, "Cache (default: $XDG_CACHE_HOME/encore)",
       "DIR"},
      {"config", 'c', 0, G_OPTION_ARG_FILENAME, &line->config,
       "A bot's configuration: its [encore] options hold", "FILE"},
      {"json", 0, 0, G_OPTION_ARG_NONE, &call->json, "For programs", NULL},
      {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &call->dry, "Only tell", NULL},
      {"sort", 0, 0, G_OPTION_ARG_STRING, &line->sort, "list: recent, plays, size or title", "KEY"},
      {"limit", 0, 0, G_OPTION_ARG_INT, &call->limit, "list, find: at most N songs", "N"},
      {"full", 0, 0, G_OPTION_ARG_NONE, &call->full, "verify: every byte", NULL},
      {"to", 0, 0, G_OPTION_ARG_STRING, &line->to, "evict: until the cache is not larger", "SIZE"},
      {"all", 0, 0, G_OPTION_ARG_NONE, &call->all, "export: all songs", NULL},
      {"force", 0, 0, G_OPTION_ARG_NONE, &call->force,
       "fetch: also what could not be fetched a short while ago", NULL},
      {"set", 0, 0, G_OPTION_ARG_STRING_ARRAY, &line->set, "An option as in [encore]", "KEY=VALUE"},
      {"example", 0, 0, G_OPTION_ARG_NONE, &call->example, "config: as an example file", NULL},
      {"delete", 0, 0, G_OPTION_ARG_NONE, &call->remove,
       "import: delete files whose song is in the cache", NULL},
      {"jobs", 'j', 0, G_OPTION_ARG_INT, &call->jobs, "import: songs at a time", "N"},
      {NULL, 0, 0, 0, NULL, NULL, NULL}};
  g_autofree char *verbs = list_verbs ();
  g_autoptr (GOptionContext) context = g_option_context_new ("VERB [ARGUMENT...]");

  g_option_context_set_summary (context, verbs);
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return NULL;
  *argc = drop_separator (*argc, *argv);
  return g_option_context_get_help (context, TRUE, NULL);
}

static int
run_line (Line *line, int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *help = parse_line (line, &argc, &argv, &error);

  if (help == NULL)
    return tool_fail (error) | EXIT_FAILED;
  if (argc < 2) {
    fputs (help, stderr);
    return EXIT_FAILED;
  }
  const Verb *verb = find_verb (argv[1]);
  line->call.args = argv + 2;
  if (verb == NULL || !check_line (verb, line, argc - 2))
    return EXIT_FAILED;
  if (!load_config (line, verb, &error))
    return tool_fail (error) | EXIT_FAILED;
  choose_dir (line);
  return run_verb (verb, line);
}

int
main (int argc, char **argv)
{
  Line line = {.values = encore_config_new ()};

  line.call.config = line.values;
  line.call.limit = line.call.jobs = NOT_GIVEN;
  const int status = run_line (&line, argc, argv);
  line_clear (&line);
  /* on a full disk what was said is not there; a reader who left has read what he wanted */
  if ((fflush (stdout) == 0 && !ferror (stdout)) || errno == EPIPE)
    return status;
  fprintf (stderr, "encore-cache: standard output cannot be written: %s\n", g_strerror (errno));
  return EXIT_FAILED;
}
