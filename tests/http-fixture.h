/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A web server with one file that does what it is told, and remembers what it was asked. */
#pragma once

#include <glib.h>

typedef struct HttpServer HttpServer;

/* What is done with one request; zeros: the file is served as it ought to be. */
typedef struct {
  int status;           /* with an empty body and LOCATION */
  const char *location; /* (nullable) "%s" stands for the server's port */
  const char *type;     /* (nullable) instead of audio/webm */
  const char *range;    /* (nullable) Content-Range instead of the right one; "": none */
  gint64 drop_after;    /* bytes of the body, then the connection is closed; -1: before the head */
  gint64 stall_after;   /* bytes of the body, then nothing more until the client goes */
  gint64 piece_max;     /* bytes of a piece, whatever is asked for */
  gint64 file_bytes;    /* the file is of this size today */
  int length_error;     /* added to Content-Length */
  gboolean no_range;    /* 200 and all of it */
  gboolean no_length;   /* neither Content-Length nor pieces */
  gboolean junk;        /* the bytes are no media file */
} HttpAnswer;

/* The file has BYTES bytes. */
HttpServer *http_server_start (gsize bytes);
void http_server_stop (HttpServer *self);
/* The Nth request gets the Nth of ANSWERS, all others the last one; N_ANSWERS 0: they are served.
 * Forgets what it was asked. */
void http_server_script (HttpServer *self, const HttpAnswer *answers, gsize n_answers);
/* The bytes at HOST:PORT, "http://HOST:PORT/song".  (transfer full) */
char *http_server_get_url (HttpServer *self, const char *host);
guint http_server_count (HttpServer *self);
/* Connections that brought a request since the server was started. */
guint http_server_count_connections (HttpServer *self);
/* A header of request N, without its name; NULL: it was not sent.  (transfer full) */
char *http_server_get_header (HttpServer *self, guint n, const char *name);
const guint8 *http_server_get_file (HttpServer *self);
