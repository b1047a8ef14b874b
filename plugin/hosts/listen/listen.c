/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The connection to Icecast: HTTP PUT that never ends.  libcurl asks for bytes, the answer comes
 * when the next page is due. */
#include "config.h"
#include "hosts/listen/listen.h"

#include <curl/curl.h>
#include <gio/gio.h>
#include <signal.h>
#include <string.h>

#include "hosts/listen/status.h"
#include "hosts/listen/stream.h"

#define CONNECT_TIMEOUT_S 10L
#define FROZEN_S 15L /* a server that takes no byte for this long is gone */
#define RETRY_MIN_US (G_USEC_PER_SEC / 2)
#define RETRY_MAX_US (30 * G_USEC_PER_SEC)
#define OCCUPIED_WAIT_US (4 * G_USEC_PER_SEC) /* our own last connection may still be there */

struct Listen {
  char *url, *user, *password, *name;
  ListenFunc notify;
  gpointer data;
  Stream *stream;
  Status *status;
  GThread *thread;
  GMutex mutex;
  GCond cond;        /* CLOSING */
  gboolean closing;  /* under MUTEX */
  ListenState state; /* under MUTEX */
  /* the thread's: */
  GByteArray *out; /* asked for, not taken yet */
  gsize out_taken;
  gint64 tick_us;
  gint64 trying_since_us; /* the first attempt since it was last live */
  gboolean ended;         /* the last page was made */
  gboolean accepted;      /* by the server, in this attempt */
};

static gboolean
is_closing (Listen *self)
{
  g_mutex_lock (&self->mutex);
  const gboolean closing = self->closing;
  g_mutex_unlock (&self->mutex);
  return closing;
}

ListenState
listen_get_state (Listen *self)
{
  g_mutex_lock (&self->mutex);
  const ListenState state = self->state;
  g_mutex_unlock (&self->mutex);
  return state;
}

static void
set_state (Listen *self, ListenState state, const char *sentence)
{
  g_mutex_lock (&self->mutex);
  const gboolean changes = self->state != state;
  self->state = state;
  g_mutex_unlock (&self->mutex);
  status_set (self->status, state, sentence);
  status_write (self->status);
  if (changes)
    self->notify (state, sentence, self->data);
}

/* Waits for WHEN_US.  Returns: FALSE if the room is to end. */
static gboolean
wait_until (Listen *self, gint64 when_us)
{
  g_mutex_lock (&self->mutex);
  while (!self->closing && g_cond_wait_until (&self->cond, &self->mutex, when_us))
    ;
  const gboolean closing = self->closing;
  g_mutex_unlock (&self->mutex);
  return !closing;
}

/* ---- libcurl asks */

static void
set_live (Listen *self)
{
  if (self->accepted)
    return;
  self->accepted = TRUE;
  set_state (self, LISTEN_LIVE,
             listen_get_state (self) == LISTEN_LOST ? "The listening room is back." : NULL);
}

static void
make_pages (Listen *self)
{
  const gint64 now_us = g_get_monotonic_time ();

  if (now_us > self->tick_us + 10 * STREAM_TICK_US)
    self->tick_us = now_us;
  self->tick_us += STREAM_TICK_US;
  if (wait_until (self, self->tick_us)) {
    stream_pages (self->stream, g_get_monotonic_time (), self->out);
  } else if (!self->ended) {
    self->ended = TRUE;
    stream_end (self->stream, self->out);
  }
  status_write (self->status);
}

static size_t
on_read (char *buffer, size_t size, size_t n, void *data)
{
  Listen *self = data;

  if (self->out_taken == self->out->len) {
    g_byte_array_set_size (self->out, 0);
    self->out_taken = 0;
    while (self->out->len == 0 && !self->ended)
      make_pages (self);
  }
  const gsize len = MIN (size * n, self->out->len - self->out_taken);
  if (len == 0)
    return CURL_READFUNC_ABORT; /* a server waits for more where only the bytes end */
  memcpy (buffer, self->out->data + self->out_taken, len);
  self->out_taken += len;
  return len;
}

static size_t
on_header (char *line, size_t size, size_t n, void *data)
{
  Listen *self = data;
  const gsize len = size * n; /* and no NUL behind it */
  const char *blank = memchr (line, ' ', len);

  if (blank != NULL && memcmp (line, "HTTP/", MIN (len, 5)) == 0 && line + len - blank > 3 &&
      memcmp (blank + 1, "200", 3) == 0)
    set_live (self);
  return len;
}

static size_t
on_body (char *bytes, size_t size, size_t n, void *data)
{
  return size * n;
}

/* While there is no connection nobody asks us for pages. */
static int
on_progress (void *data, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
  Listen *self = data;

  return is_closing (self) && !self->accepted;
}

/* ---- one attempt */

static struct curl_slist *
make_headers (const Listen *self)
{
  g_autofree char *name = g_strdup_printf ("Ice-Name: %s", self->name);
  struct curl_slist *list = NULL;
  /* an end-less body has no length, and Icecast takes it as it comes */
  const char *const headers[] = {"Content-Type: application/ogg",
                                 "Transfer-Encoding:", "Expect: 100-continue", "Ice-Public: 0",
                                 name};

  for (guint i = 0; i < G_N_ELEMENTS (headers); i++)
    list = curl_slist_append (list, headers[i]);
  return list;
}

static void
set_options (Listen *self, CURL *curl, struct curl_slist *headers, char *message)
{
  curl_easy_setopt (curl, CURLOPT_URL, self->url);
  curl_easy_setopt (curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt (curl, CURLOPT_PROXY, "");
  curl_easy_setopt (curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt (curl, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt (curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
  curl_easy_setopt (curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt (curl, CURLOPT_LOW_SPEED_TIME, FROZEN_S);
  curl_easy_setopt (curl, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt (curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
  curl_easy_setopt (curl, CURLOPT_USERNAME, self->user);
  curl_easy_setopt (curl, CURLOPT_PASSWORD, self->password);
  curl_easy_setopt (curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt (curl, CURLOPT_ERRORBUFFER, message);
  curl_easy_setopt (curl, CURLOPT_READFUNCTION, on_read);
  curl_easy_setopt (curl, CURLOPT_READDATA, self);
  curl_easy_setopt (curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt (curl, CURLOPT_HEADERDATA, self);
  curl_easy_setopt (curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt (curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt (curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt (curl, CURLOPT_XFERINFODATA, self);
}

/* What to tell people of an attempt that ended.  (transfer full) */
static char *
explain (long code, CURLcode result, const char *message)
{
  if (code == 401)
    return g_strdup ("The Icecast server refuses the user name or the password (401).");
  if (code == 403)
    return g_strdup ("The Icecast server refuses the mount (403): somebody else sends to it, or it "
                     "has no room for another one.");
  if (code >= 300)
    return g_strdup_printf ("The Icecast server answers %ld: is that the address of a mount?",
                            code);
  if (result == CURLE_OPERATION_TIMEDOUT)
    return g_strdup ("The Icecast server does not answer.");
  if (result == CURLE_COULDNT_CONNECT)
    return g_strdup ("The Icecast server cannot be reached: nobody listens at its address.");
  if (result == CURLE_COULDNT_RESOLVE_HOST)
    return g_strdup ("The Icecast server cannot be found: its name is unknown.");
  if (result == CURLE_OK)
    return g_strdup ("The Icecast server ended the connection.");
  return g_strdup_printf ("The connection to the Icecast server is broken: %s.",
                          *message != '\0' ? message : curl_easy_strerror (result));
}

/* Until it breaks.  *CODE (out): the server's last word, 0 if there was none.  (transfer full) */
static char *
attempt (Listen *self, long *code)
{
  char message[CURL_ERROR_SIZE] = "";
  CURL *curl = curl_easy_init ();
  struct curl_slist *headers = make_headers (self);
  const gint64 now_us = g_get_monotonic_time ();

  *code = 0;
  self->accepted = FALSE;
  self->out_taken = 0;
  g_byte_array_set_size (self->out, 0);
  stream_begin (self->stream, now_us, self->out);
  self->tick_us = now_us;
  set_options (self, curl, headers, message);
  const CURLcode result = curl_easy_perform (curl);
  curl_easy_getinfo (curl, CURLINFO_RESPONSE_CODE, code);
  char *sentence = explain (*code, result, message);
  curl_easy_cleanup (curl);
  curl_slist_free_all (headers);
  return sentence;
}

/* ---- the room */

/* Whether somebody should be told and nothing more be tried. */
static gboolean
is_hopeless (Listen *self, long code)
{
  if (listen_get_state (self) != LISTEN_JOINING)
    return FALSE;
  return code != 403 || g_get_monotonic_time () - self->trying_since_us > OCCUPIED_WAIT_US;
}

/* Waits for the next attempt while what comes in is thrown away as it would have been played. */
static void
pause_between (Listen *self, gint64 pause_us)
{
  const gint64 until_us = g_get_monotonic_time () + pause_us;
  gint64 now_us = g_get_monotonic_time ();

  while (now_us < until_us && wait_until (self, MIN (until_us, now_us + STREAM_TICK_US))) {
    now_us = g_get_monotonic_time ();
    stream_skip (self->stream, now_us);
    status_write (self->status);
  }
}

static gpointer
run (gpointer data)
{
  Listen *self = data;
  gint64 pause_us = RETRY_MIN_US;
  sigset_t pipe_only;

  /* a host with the default disposition would die of a server that went away */
  sigemptyset (&pipe_only);
  sigaddset (&pipe_only, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &pipe_only, NULL);
  self->trying_since_us = g_get_monotonic_time ();
  while (!is_closing (self)) {
    long code;
    g_autofree char *sentence = attempt (self, &code);
    if (is_closing (self))
      break;
    if (is_hopeless (self, code)) {
      set_state (self, LISTEN_REFUSED, sentence);
      return NULL;
    }
    if (self->accepted)
      pause_us = RETRY_MIN_US;
    if (listen_get_state (self) != LISTEN_JOINING)
      set_state (self, LISTEN_LOST, sentence);
    pause_between (self, pause_us);
    pause_us = MIN (2 * pause_us, RETRY_MAX_US);
  }
  set_state (self, LISTEN_ENDED, NULL);
  return NULL;
}

gboolean
listen_check_url (const char *url, GError **error)
{
  g_autoptr (GUri) uri = g_uri_parse (url, G_URI_FLAGS_NONE, NULL);
  const char *scheme = uri != NULL ? g_uri_get_scheme (uri) : "";

  if ((strcmp (scheme, "http") == 0 || strcmp (scheme, "https") == 0) &&
      g_uri_get_userinfo (uri) == NULL && g_uri_get_host (uri) != NULL &&
      *g_uri_get_host (uri) != '\0' && strlen (g_uri_get_path (uri)) > 1)
    return TRUE;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                       "no address of a mount: http://HOST:PORT/MOUNT.opus, without a password");
  return FALSE;
}

Listen *
listen_new (const ListenOptions *options)
{
  static gsize once;
  Listen *self = g_new0 (Listen, 1);

  if (g_once_init_enter (&once)) {
    curl_global_init (CURL_GLOBAL_DEFAULT);
    g_once_init_leave (&once, 1);
  }
  self->url = g_strdup (options->url);
  self->user = g_strdup (options->user);
  self->password = g_strdup (options->password);
  self->name = g_strdelimit (g_strdup (options->name), "\r\n", ' ');
  self->notify = options->notify;
  self->data = options->data;
  self->stream = stream_new (options->chain);
  self->status = status_new (options->status_path, options->url, options->name);
  self->out = g_byte_array_new ();
  g_mutex_init (&self->mutex);
  g_cond_init (&self->cond);
  self->thread = g_thread_new ("encore-listen", run, self);
  return self;
}

gboolean
listen_send (Listen *self, const void *packet, gsize len, gboolean last)
{
  if (listen_get_state (self) == LISTEN_JOINING)
    return FALSE;
  stream_put (self->stream, packet, len, last);
  return TRUE;
}

void
listen_set_title (Listen *self, const char *title)
{
  stream_put_title (self->stream, title);
  status_set_title (self->status, title);
}

void
listen_end (Listen *self)
{
  g_mutex_lock (&self->mutex);
  self->closing = TRUE;
  g_cond_signal (&self->cond);
  g_mutex_unlock (&self->mutex);
}

void
listen_free (Listen *self)
{
  if (self == NULL)
    return;
  listen_end (self);
  g_thread_join (self->thread);
  stream_free (self->stream);
  status_free (self->status);
  g_byte_array_unref (self->out);
  g_mutex_clear (&self->mutex);
  g_cond_clear (&self->cond);
  g_free (self->url);
  g_free (self->user);
  g_free (self->password);
  g_free (self->name);
  g_free (self);
}
