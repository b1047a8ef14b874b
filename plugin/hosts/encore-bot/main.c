/* SPDX-License-Identifier: LGPL-2.1-or-later
 * encore-bot: a bot whose chat is standard input and output. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <gio/gunixinputstream.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

#define LINE_MAX_BYTES 8192
#define IDLE_CHECK_MS 20
#define EXIT_USAGE 2

typedef struct {
  GMainLoop *loop;
  Host *host;
  GDataInputStream *input;
  gboolean wait_idle;
} Console;

static gboolean
on_idle_check (gpointer data)
{
  Console *self = data;

  if (self->wait_idle && host_is_busy (self->host))
    return G_SOURCE_CONTINUE;
  g_main_loop_quit (self->loop);
  return G_SOURCE_REMOVE;
}

static gboolean
on_signal (gpointer data)
{
  g_main_loop_quit (((Console *) data)->loop);
  return G_SOURCE_CONTINUE;
}

/* "NAME: TEXT" or "TEXT"; a name has no blanks and no prefix sign. */
static void
take_line (Console *self, const char *line)
{
  g_autofree char *valid = g_utf8_make_valid (line, MIN (strlen (line), LINE_MAX_BYTES));

  for (char *p = valid; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      *p = ' ';
  const char *colon = strstr (valid, ": ");
  g_autofree char *name = colon != NULL ? g_strndup (valid, colon - valid) : NULL;
  if (name != NULL && *name != '\0' && strcspn (name, " \t?!./") == strlen (name))
    host_say (self->host, name, colon + 2);
  else
    host_say (self->host, "operator", valid);
}

static void
on_line (GObject *source, GAsyncResult *result, gpointer data)
{
  Console *self = data;
  gsize len;
  g_autofree char *line = g_data_input_stream_read_line_finish (self->input, result, &len, NULL);

  if (line == NULL) {
    g_timeout_add (IDLE_CHECK_MS, on_idle_check, self);
    return;
  }
  take_line (self, line);
  g_data_input_stream_read_line_async (self->input, G_PRIORITY_DEFAULT, NULL, on_line, self);
}

static int
run (GKeyFile *config, gboolean wait_idle)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GInputStream) in = g_unix_input_stream_new (STDIN_FILENO, FALSE);
  Console console = {.wait_idle = wait_idle, .input = g_data_input_stream_new (in)};

  g_data_input_stream_set_newline_type (console.input, G_DATA_STREAM_NEWLINE_TYPE_LF);
  console.host = host_new (config, &error);
  if (console.host == NULL) {
    fprintf (stderr, "encore-bot: %s\n", error->message);
    g_object_unref (console.input);
    return EXIT_USAGE;
  }
  console.loop = g_main_loop_new (NULL, FALSE);
  g_unix_signal_add (SIGTERM, on_signal, &console);
  g_unix_signal_add (SIGINT, on_signal, &console);
  g_data_input_stream_read_line_async (console.input, G_PRIORITY_DEFAULT, NULL, on_line, &console);
  g_main_loop_run (console.loop);
  host_free (console.host);
  g_main_loop_unref (console.loop);
  g_object_unref (console.input);
  return 0;
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
  g_autoptr (GOptionContext) context = g_option_context_new ("console");
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
  if (path == NULL || argc != 2 || strcmp (argv[1], "console") != 0) {
    fputs ("Usage: encore-bot --config FILE [--wait-idle] console\n", stderr);
    return EXIT_USAGE;
  }
  if (!g_key_file_load_from_file (config, path, G_KEY_FILE_NONE, &error)) {
    fprintf (stderr, "encore-bot: %s: %s\n", path, error->message);
    return EXIT_USAGE;
  }
  return run (config, wait_idle);
}
