/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The scripted web server: a thread for each connection. */
#include "config.h"
#include "http-fixture.h"

#include <gio/gio.h>
#include <stdio.h>
#include <string.h>

struct HttpServer {
  GSocketService *service;
  guint16 port;
  guint8 *file;
  gsize bytes;
  GMutex mutex;
  HttpAnswer *script;
  gsize n_script;
  GPtrArray *heads; /* of requests */
  guint connections;
};

/* Up to the empty line; NULL when the client is gone. */
static char *
read_head (GDataInputStream *in)
{
  g_autoptr (GString) head = g_string_new (NULL);
  char *line;

  while ((line = g_data_input_stream_read_line (in, NULL, NULL, NULL)) != NULL) {
    g_autofree char *owned = line;
    g_strchomp (owned);
    if (*owned == '\0')
      return g_string_free (g_steal_pointer (&head), FALSE);
    g_string_append_printf (head, "%s\n", owned);
  }
  return NULL;
}

static char *
find_header (const char *head, const char *name)
{
  g_auto (GStrv) lines = g_strsplit (head, "\n", -1);
  const gsize len = strlen (name);

  for (char **line = lines; *line != NULL; line++)
    if (g_ascii_strncasecmp (*line, name, len) == 0 && (*line)[len] == ':')
      return g_strstrip (g_strdup (*line + len + 1));
  return NULL;
}

static HttpAnswer
note (HttpServer *self, const char *head)
{
  HttpAnswer answer = {0};

  g_mutex_lock (&self->mutex);
  if (self->n_script > 0)
    answer = self->script[MIN (self->heads->len, self->n_script - 1)];
  g_ptr_array_add (self->heads, g_strdup (head));
  g_mutex_unlock (&self->mutex);
  return answer;
}

static gboolean
say (GOutputStream *out, const void *bytes, gsize len)
{
  return g_output_stream_write_all (out, bytes, len, NULL, NULL, NULL);
}

static gboolean
say_status (HttpServer *self, GOutputStream *out, const HttpAnswer *answer)
{
  g_autofree char *port = g_strdup_printf ("%u", self->port);
  g_auto (GStrv) parts = g_strsplit (answer->location != NULL ? answer->location : "", "%s", 2);
  g_autofree char *location = g_strjoinv (port, parts);
  g_autofree char *head = g_strdup_printf (
      "HTTP/1.1 %d As told\r\nContent-Length: 0\r\nContent-Type: audio/webm\r\n%s%s\r\n\r\n",
      answer->status, answer->location != NULL ? "Location: " : "X-Nothing: ", location);

  return say (out, head, strlen (head));
}

static gboolean
serve (HttpServer *self, GSocketConnection *connection, const char *head, const HttpAnswer *answer)
{
  GOutputStream *out = g_io_stream_get_output_stream (G_IO_STREAM (connection));
  const gint64 total = answer->file_bytes > 0 ? answer->file_bytes : (gint64) self->bytes;
  g_autofree char *asked = find_header (head, "Range");
  g_autoptr (GString) text = g_string_new (NULL);
  gint64 start = 0, end = total;
  const gboolean piece = asked != NULL && !answer->no_range && !answer->no_length;

  if (piece)
    g_assert_cmpint (sscanf (asked, "bytes=%" G_GINT64_FORMAT "-%" G_GINT64_FORMAT, &start, &end),
                     ==, 2);
  if (piece)
    end = MIN (end + 1, answer->piece_max > 0 ? MIN (start + answer->piece_max, total) : total);
  g_string_printf (text, "HTTP/1.1 %s\r\nContent-Type: %s\r\n", piece ? "206 Piece" : "200 OK",
                   answer->type != NULL ? answer->type : "audio/webm");
  if (!answer->no_length)
    g_string_append_printf (text, "Content-Length: %" G_GINT64_FORMAT "\r\n",
                            end - start + answer->length_error);
  if (piece && answer->range == NULL)
    g_string_append_printf (text,
                            "Content-Range: bytes %" G_GINT64_FORMAT "-%" G_GINT64_FORMAT
                            "/%" G_GINT64_FORMAT "\r\n",
                            start, end - 1, total);
  else if (piece && *answer->range != '\0')
    g_string_append_printf (text, "Content-Range: %s\r\n", answer->range);
  g_string_append (text, "\r\n");
  if (answer->drop_after < 0 || !say (out, text->str, text->len))
    return FALSE;
  const gint64 limit = answer->drop_after > 0    ? answer->drop_after
                       : answer->stall_after > 0 ? answer->stall_after
                                                 : end - start;
  g_autofree guint8 *junk = answer->junk ? g_malloc0 (end - start) : NULL;
  if (!say (out, junk != NULL ? junk : self->file + start, MIN (limit, end - start)))
    return FALSE;
  if (answer->stall_after > 0) /* until the client goes */
    g_socket_condition_wait (g_socket_connection_get_socket (connection), G_IO_IN | G_IO_HUP, NULL,
                             NULL);
  return answer->drop_after == 0 && answer->stall_after == 0 && !answer->no_length &&
         answer->length_error == 0;
}

static gboolean
on_connection (GThreadedSocketService *service, GSocketConnection *connection, GObject *source,
               gpointer data)
{
  HttpServer *self = data;
  g_autoptr (GDataInputStream) in =
      g_data_input_stream_new (g_io_stream_get_input_stream (G_IO_STREAM (connection)));
  gboolean stay = TRUE, first = TRUE;

  while (stay) {
    g_autofree char *head = read_head (in);
    if (head == NULL)
      break;
    if (first)
      g_atomic_int_inc (&self->connections);
    first = FALSE;
    const HttpAnswer answer = note (self, head);
    stay =
        answer.status > 0
            ? say_status (self, g_io_stream_get_output_stream (G_IO_STREAM (connection)), &answer)
            : serve (self, connection, head, &answer);
  }
  return TRUE;
}

/* [server thread] */
static gpointer
run_loop (gpointer context)
{
  g_main_context_push_thread_default (context);
  g_autoptr (GMainLoop) loop = g_main_loop_new (context, FALSE);
  g_main_loop_run (loop);
  return NULL;
}

HttpServer *
http_server_start (gsize bytes)
{
  HttpServer *self = g_new0 (HttpServer, 1);
  GMainContext *context = g_main_context_new ();
  g_autoptr (GError) error = NULL;

  g_mutex_init (&self->mutex);
  self->heads = g_ptr_array_new_with_free_func (g_free);
  self->bytes = bytes;
  self->file = g_malloc (bytes);
  for (gsize i = 0; i < bytes; i++)
    self->file[i] = (i * 2654435761u) >> 13;
  memcpy (self->file, "\x1a\x45\xdf\xa3", 4);
  /* the service's sources belong to the context it is made in */
  g_main_context_push_thread_default (context);
  self->service = g_threaded_socket_service_new (16);
  self->port =
      g_socket_listener_add_any_inet_port (G_SOCKET_LISTENER (self->service), NULL, &error);
  g_assert_no_error (error);
  g_signal_connect (self->service, "run", G_CALLBACK (on_connection), self);
  g_main_context_pop_thread_default (context);
  g_thread_unref (g_thread_new ("http-server", run_loop, context));
  return self;
}

/* Its threads live until the program ends. */
void
http_server_stop (HttpServer *self)
{
  g_socket_service_stop (self->service);
  g_socket_listener_close (G_SOCKET_LISTENER (self->service));
}

void
http_server_script (HttpServer *self, const HttpAnswer *answers, gsize n_answers)
{
  g_mutex_lock (&self->mutex);
  g_free (self->script);
  self->script = n_answers > 0 ? g_memdup2 (answers, n_answers * sizeof *answers) : NULL;
  self->n_script = n_answers;
  g_ptr_array_set_size (self->heads, 0);
  g_mutex_unlock (&self->mutex);
}

char *
http_server_get_url (HttpServer *self, const char *host)
{
  return g_strdup_printf ("http://%s:%u/song", host, self->port);
}

guint
http_server_count (HttpServer *self)
{
  g_mutex_lock (&self->mutex);
  const guint n = self->heads->len;
  g_mutex_unlock (&self->mutex);
  return n;
}

guint
http_server_count_connections (HttpServer *self)
{
  return g_atomic_int_get (&self->connections);
}

char *
http_server_get_header (HttpServer *self, guint n, const char *name)
{
  g_mutex_lock (&self->mutex);
  char *value = n < self->heads->len ? find_header (self->heads->pdata[n], name) : NULL;
  g_mutex_unlock (&self->mutex);
  return value;
}

const guint8 *
http_server_get_file (HttpServer *self)
{
  return self->file;
}
