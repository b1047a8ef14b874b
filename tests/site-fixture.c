/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The offline site, started for a test. */
#include "config.h"
#include "site-fixture.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "store-fixture.h"

struct Site {
  GSubprocess *server;
  char *url, *dir, *ytdlp;
};

static char *
run (const char *const *argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess) child = g_subprocess_newv (argv, G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error);
  char *out = NULL;

  g_assert_no_error (error);
  g_assert_true (g_subprocess_communicate_utf8 (child, NULL, NULL, &out, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (g_subprocess_get_successful (child));
  return g_strstrip (out);
}

static char *
read_ready (GSubprocess *server)
{
  g_autoptr (GDataInputStream) lines =
      g_data_input_stream_new (g_subprocess_get_stdout_pipe (server));
  g_autofree char *line = g_data_input_stream_read_line (lines, NULL, NULL, NULL);

  g_assert_nonnull (line);
  g_assert_true (g_str_has_prefix (line, "READY "));
  return g_strdup (line + strlen ("READY "));
}

/* Returns: (transfer none) (nullable): a program that the machine lacks. */
static const char *
find_missing (void)
{
  static const char *const needed[] = {"yt-dlp", "ffmpeg", NULL};

  for (int i = 0; needed[i] != NULL; i++) {
    g_autofree char *path = g_find_program_in_path (needed[i]);
    if (path == NULL)
      return needed[i];
  }
  return NULL;
}

Site *
site_start_at (const char *media, const char *top, const char **why)
{
  g_autofree char *wrap = g_build_filename (top, "tests", "site", "make-wrapper.sh", NULL);
  g_autofree char *program = g_build_filename (top, "tests", "site", "site.py", NULL);
  g_autoptr (GError) error = NULL;

  *why = find_missing ();
  if (*why != NULL)
    return NULL;
  Site *self = g_new0 (Site, 1);
  self->dir = fixture_make_dir ();
  self->server = g_subprocess_new (G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE,
                                   &error, "/usr/bin/python3", program, media, NULL);
  g_assert_no_error (error);
  self->url = read_ready (self->server);
  self->ytdlp = run ((const char *const[]){"bash", wrap, self->dir, self->url, NULL});
  return self;
}

Site *
site_start (const char **why)
{
  g_autofree char *media = g_test_build_filename (G_TEST_BUILT, "media", NULL);
  g_autofree char *make = g_test_build_filename (G_TEST_DIST, "site", "make-media.sh", NULL);
  g_autofree char *top = g_test_build_filename (G_TEST_DIST, "..", NULL);

  *why = find_missing ();
  if (*why != NULL)
    return NULL;
  g_free (run ((const char *const[]){"bash", make, media, NULL}));
  return site_start_at (media, top, why);
}

void
site_stop (Site *self)
{
  g_subprocess_force_exit (self->server);
  g_subprocess_wait (self->server, NULL, NULL);
  g_object_unref (self->server);
  fixture_remove (self->dir);
  g_free (self->url);
  g_free (self->dir);
  g_free (self->ytdlp);
  g_free (self);
}

char *
site_get_no_music (void)
{
  g_autofree char *path = g_test_build_filename (G_TEST_BUILT, "media", "no-music", NULL);
  char *reason = NULL;

  return g_file_get_contents (path, &reason, NULL, NULL) ? g_strstrip (reason) : NULL;
}

const char *
site_get_url (Site *self)
{
  return self->url;
}

const char *
site_get_ytdlp (Site *self)
{
  return self->ytdlp;
}

char *
site_copy_ytdlp (Site *self, const char *dir)
{
  g_autofree char *site = g_test_build_filename (G_TEST_DIST, "site", NULL);
  g_autofree char *copy = g_build_filename (dir, "site", NULL);
  g_autofree char *wrap = g_build_filename (copy, "make-wrapper.sh", NULL);

  g_free (run ((const char *const[]){"cp", "-r", site, copy, NULL}));
  return run ((const char *const[]){"bash", wrap, copy, self->url, NULL});
}

/* One HTTP exchange over a plain socket: (transfer full) the body. */
static char *
ask (Site *self, const char *method, const char *path, const char *body)
{
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketConnection) connection =
      g_socket_client_connect_to_host (client, self->url + strlen ("http://"), 80, NULL, &error);
  g_autofree char *request =
      g_strdup_printf ("%s %s HTTP/1.1\r\nHost: site\r\nConnection: close\r\n"
                       "Content-Length: %d\r\n\r\n%s",
                       method, path, (int) strlen (body), body);
  g_autoptr (GString) answer = g_string_new (NULL);
  char buf[4096];
  gssize n;

  g_assert_no_error (error);
  g_assert_true (
      g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (connection)), request,
                                 strlen (request), NULL, NULL, &error));
  while ((n = g_input_stream_read (g_io_stream_get_input_stream (G_IO_STREAM (connection)), buf,
                                   sizeof buf, NULL, NULL)) > 0)
    g_string_append_len (answer, buf, n);
  const char *start = strstr (answer->str, "\r\n\r\n");
  g_assert_nonnull (start);
  return g_strdup (start + 4);
}

gint64
site_get_stat (Site *self, const char *key, const char *what)
{
  g_autofree char *body = ask (self, "GET", "/stats", "");
  g_autoptr (JsonParser) parser = json_parser_new ();

  g_assert_true (json_parser_load_from_data (parser, body, -1, NULL));
  JsonObject *all = json_node_get_object (json_parser_get_root (parser));
  if (!json_object_has_member (all, key))
    return 0;
  return json_object_get_int_member (json_object_get_object_member (all, key), what);
}

gint64
site_count_requests (Site *self, const char *id)
{
  g_autofree char *body = ask (self, "GET", "/stats", "");
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObjectIter iter;
  const char *key;
  JsonNode *row;
  gint64 n = 0;

  g_assert_true (json_parser_load_from_data (parser, body, -1, NULL));
  json_object_iter_init (&iter, json_node_get_object (json_parser_get_root (parser)));
  while (json_object_iter_next (&iter, &key, &row))
    if (strstr (key, id) != NULL)
      n += json_object_get_int_member (json_node_get_object (row), "requests");
  return n;
}

void
site_set_faults (Site *self, const char *json)
{
  g_free (ask (self, "POST", "/faults", json));
}

void
site_reset (Site *self)
{
  g_free (ask (self, "POST", "/reset", ""));
}
