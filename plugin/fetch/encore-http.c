/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Range pieces with libcurl.
 *
 * Threads: a download runs in its caller's thread, on a line (a handle with its own connections)
 * that it has alone meanwhile; the mutex guards the list of idle lines. */
#include "config.h"
#include "fetch/encore-http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetch/encore-address.h"
#include "sound/encore-whole.h"

#define PIECE_MIN_BYTES (64 * 1024)    /* whatever the site likes: each is a request */
#define PIECE_BYTES (10 * 1024 * 1024) /* what is asked for in larger pieces, sites slow down */
#define TICK_MS 100
#define CONNECT_MS 10000
#define MAX_REDIRECTS 5
#define TRIES 3        /* without a new byte */
#define RETRIES_MAX 16 /* in all: a site that drops after every byte must not be asked for ever */
#define BACK_OFF_MS 100
#define MAX_CONNECTIONS 4 /* of a line */
#define MAGIC_BYTES 16
/* Expired for long; it makes cookies be kept.  (What CURLOPT_COOKIEFILE takes for that is leaked by
 * curl_easy_reset() of libcurl 7.88.) */
#define OLD_COOKIE ".invalid\tTRUE\t/\tFALSE\t1\told\told"
#define OVERLAP_BYTES 4096 /* of what was there before, asked for again: is it the same file? */

typedef struct {
  CURLM *multi; /* has the connections */
  CURL *easy;
} Line;

struct EncoreHttp {
  const EncoreConfig *config;
  GMutex mutex;
  GPtrArray *idle; /* Line; the one used last is taken first: its connection is the freshest */
};

/* One download. */
typedef struct {
  const EncoreConfig *config;
  const EncoreHttpSpec *spec;
  Line *line;
  gint64 at, total;                 /* bytes that are good, and of all; 0: unknown */
  gint64 limited_us, limited_bytes; /* since when so many came, for rate_limit */
  gint64 known;                     /* bytes that were in the file at the beginning */
  gint64 asked_end;                 /* of the piece that was asked for */
  gint64 end;                       /* of this answer's bytes, 0: unknown */
  gint64 heard_us;                  /* when the last byte came, or the request began */
  gboolean judged, wanted;          /* the answer; its body */
  gboolean stalled;                 /* the request was ended for that */
  long status;                      /* of the answer, 0: there was none */
  char refused[INET6_ADDRSTRLEN];   /* address that was not connected to */
  GError *error;                    /* final: trying again is no use */
} Transfer;

/* ---- lines */

static void
line_free (gpointer data)
{
  Line *line = data;

  curl_easy_cleanup (line->easy);
  curl_multi_cleanup (line->multi);
  g_free (line);
}

static Line *
take_line (EncoreHttp *self)
{
  Line *line = NULL;

  g_mutex_lock (&self->mutex);
  if (self->idle->len > 0)
    line = g_ptr_array_steal_index (self->idle, self->idle->len - 1);
  g_mutex_unlock (&self->mutex);
  if (line == NULL) {
    line = g_new0 (Line, 1);
    line->multi = curl_multi_init ();
    line->easy = curl_easy_init ();
    curl_multi_setopt (line->multi, CURLMOPT_MAXCONNECTS, (long) MAX_CONNECTIONS);
  }
  return line;
}

static void
give_line (EncoreHttp *self, Line *line)
{
  curl_easy_reset (line->easy);
  curl_easy_setopt (line->easy, CURLOPT_COOKIELIST, "ALL");
  g_mutex_lock (&self->mutex);
  g_ptr_array_add (self->idle, line);
  g_mutex_unlock (&self->mutex);
}

EncoreHttp *
encore_http_new (const EncoreConfig *config)
{
  static gsize once;
  EncoreHttp *self = g_new0 (EncoreHttp, 1);

  if (g_once_init_enter (&once)) {
    curl_global_init (CURL_GLOBAL_DEFAULT);
    g_once_init_leave (&once, 1);
  }
  self->config = config;
  g_mutex_init (&self->mutex);
  self->idle = g_ptr_array_new_with_free_func (line_free);
  return self;
}

void
encore_http_free (EncoreHttp *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->idle);
  g_mutex_clear (&self->mutex);
  g_free (self);
}

/* ---- connections */

/* Asked for the address itself, after every resolution of a name and every redirect.  With a proxy
 * it is the proxy's, which the operator chose. */
static curl_socket_t
open_socket (void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
  Transfer *self = data;
  const void *bytes = &((struct sockaddr_in *) &address->addr)->sin_addr;

  if (!self->config->allow_private && *self->config->proxy == '\0' &&
      !encore_address_is_public (&address->addr)) {
    if (address->family == AF_INET6)
      bytes = &((struct sockaddr_in6 *) &address->addr)->sin6_addr;
    if (inet_ntop (address->family, bytes, self->refused, sizeof self->refused) == NULL)
      g_strlcpy (self->refused, "?", sizeof self->refused);
    return CURL_SOCKET_BAD;
  }
  return socket (address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- answers */

G_GNUC_PRINTF (3, 4)
static gboolean
refuse (Transfer *self, EncoreError code, const char *format, ...)
{
  va_list args;

  if (self->error == NULL) {
    va_start (args, format);
    self->error = g_error_new_valist (ENCORE_ERROR, code, format, args);
    va_end (args);
  }
  return FALSE;
}

/* "bytes 0-99/1000" */
static gboolean
parse_content_range (const char *text, gint64 *start, gint64 *end, gint64 *total)
{
  char *rest;

  if (g_ascii_strncasecmp (text, "bytes ", 6) != 0 || !g_ascii_isdigit (text[6]))
    return FALSE;
  *start = g_ascii_strtoll (text + 6, &rest, 10);
  if (*rest != '-' || !g_ascii_isdigit (rest[1]))
    return FALSE;
  *end = g_ascii_strtoll (rest + 1, &rest, 10) + 1;
  if (*rest != '/' || !g_ascii_isdigit (rest[1]))
    return FALSE;
  *total = g_ascii_strtoll (rest + 1, &rest, 10);
  return *start < *end && *end <= *total && *rest == '\0';
}

static gboolean
take_total (Transfer *self, gint64 total)
{
  if (self->total > 0 && total != self->total)
    return refuse (self, ENCORE_ERROR_CORRUPT,
                   "%" G_GINT64_FORMAT " bytes are offered of %" G_GINT64_FORMAT " announced",
                   total, self->total);
  if (total > self->config->max_bytes)
    return refuse (self, ENCORE_ERROR_TOO_BIG, "larger than max_bytes");
  self->total = total;
  return TRUE;
}

/* A piece: it must begin where our file ends, and be of a file as long as ours. */
static gboolean
judge_piece (Transfer *self)
{
  struct curl_header *range;
  gint64 start, end, total;

  if (curl_easy_header (self->line->easy, "Content-Range", 0, CURLH_HEADER, -1, &range) !=
          CURLHE_OK ||
      !parse_content_range (range->value, &start, &end, &total))
    return refuse (self, ENCORE_ERROR_FORBIDDEN, "the site does not say what piece it sends");
  if (!take_total (self, total))
    return FALSE;
  if (start != self->at)
    return refuse (self, ENCORE_ERROR_CORRUPT, "the site sends another piece than was asked for");
  self->end = end;
  return TRUE;
}

/* The whole file, whatever was asked for: what we have is thrown away. */
static gboolean
judge_whole (Transfer *self)
{
  curl_off_t length = -1;

  curl_easy_getinfo (self->line->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  if (length > 0 && !take_total (self, length))
    return FALSE;
  if (self->at > 0 && ftruncate (self->spec->fd, 0) < 0)
    return refuse (self, ENCORE_ERROR_STORE, "cannot truncate: %s", g_strerror (errno));
  self->at = self->known = 0;
  self->end = self->total;
  return TRUE;
}

/* The bytes are looked at, too.  Files in stores of the cloud are often only "binary". */
static gboolean
is_media_type (const char *type)
{
  static const char *const types[] = {
      "audio/",          "video/",          "application/octet-stream",
      "application/ogg", "application/mp4", "binary/octet-stream"};

  for (gsize i = 0; type != NULL && i < G_N_ELEMENTS (types); i++)
    if (g_ascii_strncasecmp (type, types[i], strlen (types[i])) == 0)
      return TRUE;
  return FALSE;
}

/* Before the first byte is kept.  Returns: whether the body is wanted; errors that may go away by
 * asking again are none. */
static gboolean
judge (Transfer *self)
{
  const char *type = NULL;
  long status = 0;

  self->judged = TRUE;
  curl_easy_getinfo (self->line->easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo (self->line->easy, CURLINFO_CONTENT_TYPE, &type);
  if (status == 429)
    return refuse (self, ENCORE_ERROR_THROTTLED, "HTTP Error 429");
  if (status >= 400 && status < 500 && status != 408)
    return refuse (self, ENCORE_ERROR_FORBIDDEN, "HTTP Error %ld", status);
  if (status >= 300 || status < 200)
    return FALSE;
  if (!is_media_type (type))
    return refuse (self, ENCORE_ERROR_CORRUPT, "the site sent no media file but %.40s",
                   type != NULL ? type : "something unnamed");
  if (status == 206)
    return judge_piece (self);
  return status == 200 ? judge_whole (self)
                       : refuse (self, ENCORE_ERROR_FORBIDDEN, "HTTP status %ld", status);
}

static gboolean
check_patience (Transfer *self)
{
  const gint64 now_us = g_get_monotonic_time ();

  if (g_cancellable_is_cancelled (self->spec->cancellable))
    return refuse (self, ENCORE_ERROR_CANCELLED, "nobody waits any more");
  if (now_us > self->spec->deadline_us)
    return refuse (self, ENCORE_ERROR_DEADLINE, "the time for a fetch is over");
  self->stalled = now_us > self->heard_us + self->config->stall_ms * 1000 / TRIES;
  return !self->stalled;
}

/* An address that is not yet to be asked; a pause between two tries. */
static gboolean
wait_until (Transfer *self, gint64 until_us)
{
  for (;;) {
    const gint64 left_us = MIN (until_us, self->spec->deadline_us + 1) - g_get_monotonic_time ();
    GPollFD cancel;
    self->heard_us = g_get_monotonic_time ();
    if (!check_patience (self))
      return FALSE;
    if (left_us <= 0)
      return TRUE;
    const gboolean can_cancel = g_cancellable_make_pollfd (self->spec->cancellable, &cancel);
    g_poll (&cancel, can_cancel ? 1 : 0, (left_us + 999) / 1000);
    if (can_cancel)
      g_cancellable_release_fd (self->spec->cancellable);
  }
}

/* Bytes that we have: moves AT past them.  Returns: how many they were; -1: they are others. */
static gssize
compare (Transfer *self, const char *bytes, gsize len)
{
  char ours[OVERLAP_BYTES];
  const gsize n = MIN (len, (gsize) MAX (self->known - self->at, 0));

  if (n == 0)
    return 0;
  if (pread (self->spec->fd, ours, n, self->at) != (gssize) n || memcmp (ours, bytes, n) != 0) {
    refuse (self, ENCORE_ERROR_CORRUPT, "the site has another file than the one we have begun");
    return -1;
  }
  self->at += n;
  return n;
}

/* rate_limit.  (libcurl's own limit lets the first 1.6 MB pass.)  The site waits for us meanwhile.
 */
static gboolean
slow_down (Transfer *self, gsize len)
{
  const gint64 rate = self->config->rate_limit_bytes_per_s;

  if (rate == 0)
    return TRUE;
  if (self->limited_bytes == 0)
    self->limited_us = g_get_monotonic_time ();
  self->limited_bytes += len;
  return wait_until (self, self->limited_us +
                               (gint64) (self->limited_bytes * (double) G_USEC_PER_SEC / rate));
}

static gboolean
keep (Transfer *self, const char *bytes, gsize len)
{
  if (self->at == 0 && len >= MAGIC_BYTES && !encore_whole_has_magic ((const guint8 *) bytes, len))
    return refuse (self, ENCORE_ERROR_CORRUPT, "the site sent no media file");
  if (self->end > 0 && (gint64) len > self->end - self->at)
    return refuse (self, ENCORE_ERROR_CORRUPT, "more bytes came than were announced");
  if (self->at + (gint64) len > self->config->max_bytes)
    return refuse (self, ENCORE_ERROR_TOO_BIG, "larger than max_bytes");
  const gssize same = compare (self, bytes, len);
  if (same < 0)
    return FALSE;
  for (gsize written = same; written < len;) {
    const gssize n = pwrite (self->spec->fd, bytes + written, len - written, self->at);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return refuse (self, errno == ENOSPC ? ENCORE_ERROR_NO_SPACE : ENCORE_ERROR_STORE,
                     "cannot write: %s", g_strerror (errno));
    written += n;
    self->at += n;
  }
  self->heard_us = g_get_monotonic_time ();
  if (self->spec->func != NULL)
    self->spec->func (self->at, self->total, self->spec->data);
  return slow_down (self, len);
}

/* The body of an answer that is not wanted ends the transfer: nobody knows how long it is. */
static size_t
on_body (char *bytes, size_t size, size_t n, void *data)
{
  Transfer *self = data;

  if (!self->judged)
    self->wanted = judge (self);
  return self->wanted && keep (self, bytes, size * n) ? size * n : 0;
}

/* ---- one request */

static void
set_up (Transfer *self, struct curl_slist *headers)
{
  CURL *easy = self->line->easy;
  const gboolean secure = g_ascii_strncasecmp (self->spec->media->url, "https:", 6) == 0;

  curl_easy_setopt (easy, CURLOPT_URL, self->spec->media->url);
  curl_easy_setopt (easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt (easy, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  curl_easy_setopt (easy, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt (easy, CURLOPT_MAXREDIRS, (long) MAX_REDIRECTS);
  curl_easy_setopt (easy, CURLOPT_PROXY,
                    self->config->proxy); /* "": none, whatever the host's is */
  curl_easy_setopt (easy, CURLOPT_NOPROXY,
                    ""); /* the host's would lead past ours, to any address */
  curl_easy_setopt (easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt (easy, CURLOPT_CONNECTTIMEOUT_MS, (long) CONNECT_MS);
  curl_easy_setopt (easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt (easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt (easy, CURLOPT_OPENSOCKETDATA, self);
  curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt (easy, CURLOPT_WRITEDATA, self);
  curl_easy_setopt (easy, CURLOPT_COOKIELIST, OLD_COOKIE);
  for (char **cookie = self->spec->media->cookies; cookie != NULL && *cookie != NULL; cookie++)
    curl_easy_setopt (easy, CURLOPT_COOKIELIST, *cookie);
}

/* Returns: libcurl's result; ABORTED when our patience ended. */
static CURLcode
perform (Transfer *self)
{
  GPollFD cancel = {.fd = -1};
  CURLcode result = CURLE_ABORTED_BY_CALLBACK;
  struct curl_waitfd wait = {.events = CURL_WAIT_POLLIN};
  CURLMsg *message;
  int running = 1, left;

  const gboolean can_cancel = g_cancellable_make_pollfd (self->spec->cancellable, &cancel);
  wait.fd = cancel.fd;
  curl_multi_add_handle (self->line->multi, self->line->easy);
  while (curl_multi_perform (self->line->multi, &running) == CURLM_OK && running > 0 &&
         check_patience (self))
    curl_multi_poll (self->line->multi, &wait, can_cancel ? 1 : 0, TICK_MS, NULL);
  while ((message = curl_multi_info_read (self->line->multi, &left)) != NULL)
    if (message->msg == CURLMSG_DONE)
      result = message->data.result;
  curl_multi_remove_handle (self->line->multi, self->line->easy);
  if (can_cancel)
    g_cancellable_release_fd (self->spec->cancellable);
  return result;
}

static CURLcode
ask (Transfer *self)
{
  gint64 piece = self->spec->media->piece_bytes;
  char range[64];

  piece = piece > 0 ? CLAMP (piece, PIECE_MIN_BYTES, PIECE_BYTES) : PIECE_BYTES;
  if (self->total > 0)
    piece = MIN (piece, self->total - self->at);
  self->asked_end = self->at + piece;
  g_snprintf (range, sizeof range, "%" G_GINT64_FORMAT "-%" G_GINT64_FORMAT, self->at,
              self->asked_end - 1);
  curl_easy_setopt (self->line->easy, CURLOPT_RANGE, range);
  self->judged = self->wanted = self->stalled = FALSE;
  self->end = self->status = 0;
  *self->refused = '\0';
  self->heard_us = g_get_monotonic_time ();
  const CURLcode result = perform (self);
  curl_easy_getinfo (self->line->easy, CURLINFO_RESPONSE_CODE, &self->status);
  if (result == CURLE_OK && !self->judged)
    self->wanted = judge (self); /* no body */
  return result;
}

/* ---- the loop */

/* A redirect that is not followed.  (An answer that is no HTTP at all has the same result.) */
static gboolean
is_led_away (const Transfer *self, CURLcode result)
{
  return result == CURLE_UNSUPPORTED_PROTOCOL && self->status >= 300;
}

static gboolean
give_up (Transfer *self, CURLcode result)
{
  if (*self->refused != '\0')
    return refuse (self, ENCORE_ERROR_FAILED, "refused to connect to %s: it is no public address",
                   self->refused);
  if (self->stalled)
    return refuse (self, ENCORE_ERROR_DEADLINE, "no new byte for too long");
  if (is_led_away (self, result))
    return refuse (self, ENCORE_ERROR_FAILED, "the site led away from http");
  if (self->status >= 300 && result != CURLE_TOO_MANY_REDIRECTS)
    return refuse (self, ENCORE_ERROR_NETWORK, "HTTP Error %ld", self->status);
  if (result == CURLE_OK)
    return refuse (self, ENCORE_ERROR_NETWORK, "the site sends hardly a byte at a time");
  return refuse (self, ENCORE_ERROR_NETWORK, "the download broke off: %s",
                 curl_easy_strerror (result));
}

static gboolean
is_final (const Transfer *self, CURLcode result)
{
  return self->error != NULL || *self->refused != '\0' || is_led_away (self, result) ||
         result == CURLE_TOO_MANY_REDIRECTS;
}

/* Only the end of the connection ends the answer. */
static gboolean
is_open_ended (const Transfer *self)
{
  struct curl_header *encoding;
  long version = 0;

  curl_easy_getinfo (self->line->easy, CURLINFO_HTTP_VERSION, &version);
  return self->total == 0 && version < CURL_HTTP_VERSION_2_0 &&
         curl_easy_header (self->line->easy, "Transfer-Encoding", 0, CURLH_HEADER, -1, &encoding) !=
             CURLHE_OK;
}

static gboolean
is_whole (const Transfer *self, CURLcode result)
{
  if (self->total > 0)
    return self->at == self->total;
  /* no length was told: a clean end is all there is */
  return self->wanted && result == CURLE_OK && self->at > 0;
}

static gboolean
run (Transfer *self)
{
  gint64 most = self->at;
  guint tries = 0, retries = 0;

  while (self->total == 0 || self->at < self->total) {
    const CURLcode result = ask (self);
    if (is_whole (self, result))
      break;
    if (is_final (self, result))
      return give_up (self, result);
    /* a shorter piece is allowed, but somebody who sends byte by byte would be asked for ever */
    if (self->at > most && result == CURLE_OK &&
        (self->total == 0 || self->at >= MIN (self->asked_end, self->total))) {
      tries = 0;
    } else {
      tries = self->at > most ? 1 : tries + 1;
      if (tries >= TRIES || ++retries > RETRIES_MAX)
        return give_up (self, result);
      g_debug ("fetch: at byte %" G_GINT64_FORMAT ": %s; trying again", self->at,
               self->stalled ? "stalled" : curl_easy_strerror (result));
      if (!wait_until (self, g_get_monotonic_time () + (BACK_OFF_MS * 1000 << tries)))
        return FALSE;
    }
    most = MAX (most, self->at);
  }
  return self->error == NULL;
}

static gint64
monotonic_from_unix (gint64 unix_s)
{
  return unix_s * G_USEC_PER_SEC - g_get_real_time () + g_get_monotonic_time ();
}

gboolean
encore_http_download (EncoreHttp *http, const EncoreHttpSpec *spec, GError **error)
{
  Transfer self = {.config = http->config, .spec = spec, .total = spec->media->bytes};
  struct curl_slist *headers = NULL;
  struct stat st;

  if (fstat (spec->fd, &st) == 0 && (self.total == 0 || st.st_size <= self.total))
    self.known = st.st_size;
  self.at = MAX (self.known - OVERLAP_BYTES, 0);
  for (char **header = spec->media->headers; header != NULL && *header != NULL; header++)
    headers = curl_slist_append (headers, *header);
  self.line = take_line (http);
  set_up (&self, headers);
  const gboolean ok = take_total (&self, self.total) &&
                      wait_until (&self, monotonic_from_unix (spec->media->available_at_s)) &&
                      run (&self);
  if (spec->open_ended != NULL)
    *spec->open_ended = ok && is_open_ended (&self);
  give_line (http, self.line);
  curl_slist_free_all (headers);
  if (!ok)
    g_propagate_error (error, self.error);
  return ok;
}
