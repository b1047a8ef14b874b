/* SPDX-License-Identifier: LGPL-2.1-or-later
 * encore-bot: a bot on standard input and output, or on a Mumble server. */
#include "config.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "console.h"
#include "mumble.h"

#define EXIT_USAGE 2

static int
usage (void)
{
  fputs ("Usage: encore-bot --config FILE [--wait-idle] console\n"
         "       encore-bot --config FILE mumble\n",
         stderr);
  return EXIT_USAGE;
}

int
main (int argc, char **argv)
{
  g_autofree char *path = NULL;
  gboolean wait_idle = FALSE, version = FALSE;
  const GOptionEntry entries[] = {
      {"config", 'c', 0, G_OPTION_ARG_FILENAME, &path, "Configuration", "FILE"},
      {"wait-idle", 0, 0, G_OPTION_ARG_NONE, &wait_idle,
       "At the end of the input wait until all queues are played out", NULL},
      {"version", 0, 0, G_OPTION_ARG_NONE, &version, "Version", NULL},
      {NULL, 0, 0, 0, NULL, NULL, NULL}};
  g_autoptr (GOptionContext) context = g_option_context_new ("console|mumble");
  g_autoptr (GKeyFile) config = g_key_file_new ();
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    fprintf (stderr, "encore-bot: %s\n", error->message);
    return EXIT_USAGE;
  }
  if (version) {
    puts ("encore-bot " PACKAGE_VERSION);
    return 0;
  }
  const gboolean console = argc == 2 && strcmp (argv[1], "console") == 0;
  const gboolean mumble = argc == 2 && strcmp (argv[1], "mumble") == 0;
  if (path == NULL || (!console && !mumble) || (mumble && wait_idle))
    return usage ();
  if (!g_key_file_load_from_file (config, path, G_KEY_FILE_NONE, &error)) {
    fprintf (stderr, "encore-bot: %s: %s\n", path, error->message);
    return EXIT_USAGE;
  }
  return mumble ? mumble_run (path, config) : console_run (path, config, wait_idle);
}
