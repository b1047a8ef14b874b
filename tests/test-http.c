/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Downloads by HTTP: pieces, what is checked before a byte is kept, faults, who is not asked. */
#include "config.h"
#include "fetch/encore-http.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http-fixture.h"
#include "store-fixture.h"

#define FILE_BYTES 450000
#define LARGE_BYTES (64 * 1024 * 1024)
#define MEMORY_BYTES (4 * 1024 * 1024)

static HttpServer *server;

typedef struct {
  char *dir;
  EncoreConfig *config;
  EncoreHttp *http;
  EncoreMedia media;
  GCancellable *cancellable;
  int fd;
  gint64 seen; /* bytes that were told */
} Rig;

static void
rig_set_up (Rig *rig, gconstpointer data)
{
  rig->dir = fixture_make_dir ();
  rig->config = encore_config_new ();
  rig->config->allow_private = TRUE;
  rig->config->stall_ms = 1500;
  rig->http = encore_http_new (rig->config);
  rig->media.plain = TRUE;
  rig->media.url = http_server_get_url (server, "127.0.0.1");
  rig->media.bytes = FILE_BYTES;
  rig->cancellable = g_cancellable_new ();
  g_autofree char *path = g_build_filename (rig->dir, "song", NULL);
  rig->fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  g_assert_cmpint (rig->fd, >=, 0);
  http_server_script (server, NULL, 0);
}

static void
rig_tear_down (Rig *rig, gconstpointer data)
{
  close (rig->fd);
  encore_http_free (rig->http);
  encore_media_clear (&rig->media);
  encore_config_free (rig->config);
  g_object_unref (rig->cancellable);
  fixture_remove (rig->dir);
  g_free (rig->dir);
}

/* What is told is in the file. */
static void
on_bytes (gint64 at, gint64 total, gpointer data)
{
  Rig *rig = data;
  struct stat st;

  g_assert_cmpint (fstat (rig->fd, &st), ==, 0);
  g_assert_cmpint (st.st_size, ==, at);
  rig->seen = at;
}

static gboolean
get (Rig *rig, GError **error)
{
  const EncoreHttpSpec spec = {.media = &rig->media,
                               .fd = rig->fd,
                               .deadline_us = g_get_monotonic_time () + 20 * G_USEC_PER_SEC,
                               .cancellable = rig->cancellable,
                               .func = on_bytes,
                               .data = rig};

  return encore_http_download (rig->http, &spec, error);
}

static gboolean
is_identical (Rig *rig)
{
  g_autofree guint8 *bytes = g_malloc (FILE_BYTES + 1);

  return pread (rig->fd, bytes, FILE_BYTES + 1, 0) == FILE_BYTES &&
         memcmp (bytes, http_server_get_file (server), FILE_BYTES) == 0;
}

static void
empty (Rig *rig)
{
  g_assert_cmpint (ftruncate (rig->fd, 0), ==, 0);
}

static void
test_pieces (Rig *rig, gconstpointer data)
{
  static const char *const expected[] = {"bytes=0-99999", "bytes=100000-199999",
                                         "bytes=200000-299999", "bytes=300000-399999",
                                         "bytes=400000-449999"};
  g_autoptr (GError) error = NULL;
  const guint connections = http_server_count_connections (server);

  rig->media.piece_bytes = 100000;
  get (rig, &error);
  g_assert_no_error (error);
  g_assert_true (is_identical (rig));
  g_assert_cmpint (rig->seen, ==, FILE_BYTES);
  g_assert_cmpuint (http_server_count (server), ==, G_N_ELEMENTS (expected));
  for (guint i = 0; i < G_N_ELEMENTS (expected); i++) {
    g_autofree char *range = http_server_get_header (server, i, "Range");
    g_assert_cmpstr (range, ==, expected[i]);
  }
  rig->media.piece_bytes = 0;
  rig->media.bytes = 0; /* unknown: the site tells */
  empty (rig);
  get (rig, &error);
  g_assert_no_error (error);
  g_assert_true (is_identical (rig));
  g_assert_cmpuint (http_server_count (server), ==, 6);
  g_assert_cmpuint (http_server_count_connections (server), ==, connections + 1);
}

/* A line that ends in the middle, and what the site is asked to say about the rest. */
static void
test_goes_on (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (write (rig->fd, http_server_get_file (server), 200000), ==, 200000);
  get (rig, &error);
  g_assert_no_error (error);
  g_assert_true (is_identical (rig));
  g_autofree char *range = http_server_get_header (server, 0, "Range");
  g_assert_cmpstr (range, ==, "bytes=195904-449999"); /* a little of it again */

  /* another song is there today */
  http_server_script (server, &(HttpAnswer){.file_bytes = 300000}, 1);
  g_assert_cmpint (ftruncate (rig->fd, 200000), ==, 0);
  g_assert_false (get (rig, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT);
  g_assert_cmpint (lseek (rig->fd, 0, SEEK_END), ==, 200000);
  g_clear_error (&error);

  /* of the same size */
  http_server_script (server, NULL, 0);
  g_assert_cmpint (pwrite (rig->fd, "another", 7, 199000), ==, 7);
  g_assert_false (get (rig, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, "another file"));
}

/* Whole, but nobody had noticed yet. */
static void
test_was_whole (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (write (rig->fd, http_server_get_file (server), FILE_BYTES), ==, FILE_BYTES);
  get (rig, &error);
  g_assert_no_error (error);
  g_assert_true (is_identical (rig));
  g_assert_cmpuint (http_server_count (server), ==, 1);
}

static void
test_once (Rig *rig, gconstpointer data)
{
  static const struct {
    const char *name;
    HttpAnswer first;
    guint n_requests;
  } rows[] = {
      {"503", {.status = 503}, 2},
      {"500", {.status = 500}, 2},
      {"408", {.status = 408}, 2},
      {"closed before the head", {.drop_after = -1}, 2},
      {"closed in the middle", {.drop_after = 200000}, 2},
      {"stalled", {.stall_after = 200000}, 2},
      {"no pieces", {.no_range = TRUE}, 1},
      {"no length", {.no_length = TRUE}, 1},
      {"application/ogg", {.type = "application/ogg"}, 1},
      {"binary/octet-stream", {.type = "binary/octet-stream"}, 1},
      {"no pieces, closed in the middle", {.no_range = TRUE, .drop_after = 200000}, 2},
      {"a length that is too large", {.length_error = 1000}, 1},
      {"redirected", {.status = 302, .location = "http://127.0.0.1:%s/other"}, 2},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    const HttpAnswer script[] = {rows[i].first, {0}};
    g_autoptr (GError) error = NULL;
    g_test_message ("%s", rows[i].name);
    http_server_script (server, script, G_N_ELEMENTS (script));
    empty (rig);
    get (rig, &error);
    g_assert_no_error (error);
    g_assert_true (is_identical (rig));
    g_assert_cmpuint (http_server_count (server), ==, rows[i].n_requests);
  }
}

static void
test_always (Rig *rig, gconstpointer data)
{
  static const struct {
    const char *name;
    HttpAnswer answer;
    int code;
    guint n_requests; /* at most */
  } rows[] = {
      {"503", {.status = 503}, ENCORE_ERROR_NETWORK, 3},
      {"429", {.status = 429}, ENCORE_ERROR_THROTTLED, 1},
      {"401", {.status = 401}, ENCORE_ERROR_FORBIDDEN, 1},
      {"403", {.status = 403}, ENCORE_ERROR_FORBIDDEN, 1},
      {"404", {.status = 404}, ENCORE_ERROR_FORBIDDEN, 1},
      {"410", {.status = 410}, ENCORE_ERROR_FORBIDDEN, 1},
      {"416", {.status = 416}, ENCORE_ERROR_FORBIDDEN, 1},
      {"204", {.status = 204}, ENCORE_ERROR_FORBIDDEN, 1},
      {"closed before the head", {.drop_after = -1}, ENCORE_ERROR_NETWORK, 4},
      {"closed after every kilobyte", {.drop_after = 1000}, ENCORE_ERROR_NETWORK, 30},
      {"pieces of a kilobyte", {.piece_max = 1000}, ENCORE_ERROR_NETWORK, 30},
      {"no pieces, closed in the middle",
       {.no_range = TRUE, .drop_after = 200000},
       ENCORE_ERROR_NETWORK,
       4},
      {"stalled", {.stall_after = 20000, .no_range = TRUE}, ENCORE_ERROR_DEADLINE, 3},
      {"a page", {.type = "text/html"}, ENCORE_ERROR_CORRUPT, 1},
      {"a picture", {.type = "image/jpeg"}, ENCORE_ERROR_CORRUPT, 1},
      {"a page that says it is music", {.junk = TRUE}, ENCORE_ERROR_CORRUPT, 1},
      {"cut off", {.file_bytes = 300000}, ENCORE_ERROR_CORRUPT, 1},
      {"cut off, no pieces", {.file_bytes = 300000, .no_range = TRUE}, ENCORE_ERROR_CORRUPT, 1},
      {"another piece", {.range = "bytes 1-449999/450000"}, ENCORE_ERROR_CORRUPT, 1},
      {"of another file", {.range = "bytes 0-449999/450001"}, ENCORE_ERROR_CORRUPT, 1},
      {"beyond its end", {.range = "bytes 0-450000/450000"}, ENCORE_ERROR_FORBIDDEN, 1},
      {"of what size", {.range = "bytes 0-449999/*"}, ENCORE_ERROR_FORBIDDEN, 1},
      {"which piece", {.range = ""}, ENCORE_ERROR_FORBIDDEN, 1},
      {"round in circles",
       {.status = 302, .location = "http://127.0.0.1:%s/song"},
       ENCORE_ERROR_NETWORK,
       6},
      {"to a file", {.status = 302, .location = "file:///etc/passwd"}, ENCORE_ERROR_FAILED, 1},
      {"to ftp", {.status = 302, .location = "ftp://127.0.0.1:%s/x"}, ENCORE_ERROR_FAILED, 1},
      {"a length that is too small", {.length_error = -1000}, ENCORE_ERROR_NETWORK, 5},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    http_server_script (server, &rows[i].answer, 1);
    empty (rig);
    const gint64 began_us = g_get_monotonic_time ();
    g_assert_false (get (rig, &error));
    g_test_message ("%s: %u requests, %d ms, %s", rows[i].name, http_server_count (server),
                    (int) ((g_get_monotonic_time () - began_us) / 1000), error->message);
    g_assert_error (error, ENCORE_ERROR, rows[i].code);
    g_assert_cmpuint (http_server_count (server), <=, rows[i].n_requests);
  }
}

/* A proxy is the operator's choice; what the host's environment says of it is not. */
static void
test_no_proxy (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_free (rig->config->proxy);
  rig->config->proxy = g_strdup ("http://127.0.0.1:9");
  rig->config->allow_private = FALSE;
  g_setenv ("no_proxy", "127.0.0.1", TRUE);
  g_assert_false (get (rig, &error));
  g_unsetenv ("no_proxy");
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_NETWORK);
  g_assert_cmpuint (http_server_count (server), ==, 0);
}

static void
test_limits (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  rig->config->max_bytes = 100000;
  g_assert_false (get (rig, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_TOO_BIG);
  g_assert_cmpuint (http_server_count (server), ==, 0); /* announced */
  g_clear_error (&error);
  rig->media.bytes = 0;
  http_server_script (server, &(HttpAnswer){.no_length = TRUE}, 1);
  g_assert_false (get (rig, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_TOO_BIG);
  g_assert_cmpint (lseek (rig->fd, 0, SEEK_END), <=, 100000);
}

static void
test_private (Rig *rig, gconstpointer data)
{
  static const char *const hosts[] = {"127.0.0.1", "localhost", "0.0.0.0", "127.1", "2130706433"};
  const guint connections = http_server_count_connections (server);

  rig->config->allow_private = FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (hosts); i++) {
    g_autoptr (GError) error = NULL;
    g_free (rig->media.url);
    rig->media.url = http_server_get_url (server, hosts[i]);
    g_assert_false (get (rig, &error));
    g_test_message ("%s: %s", hosts[i], error->message);
    g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_FAILED);
    g_assert_nonnull (strstr (error->message, "no public address"));
  }
  g_assert_cmpuint (http_server_count (server), ==, 0);
  g_assert_cmpuint (http_server_count_connections (server), ==, connections);
}

/* Cookies go to their own domain, the site's headers to the site. */
static void
test_headers (Rig *rig, gconstpointer data)
{
  static const char *const headers[] = {"User-Agent: Somebody/1.0", "X-Told: yes", NULL};
  static const char *const cookies[] = {"127.0.0.1\tFALSE\t/\tFALSE\t0\tmine\tone",
                                        "localhost\tFALSE\t/\tFALSE\t0\tother\ttwo",
                                        ".example.org\tTRUE\t/\tFALSE\t0\tstrange\tthree", NULL};
  const HttpAnswer script[] = {{.status = 302, .location = "http://localhost:%s/song"}, {0}};
  g_autoptr (GError) error = NULL;

  rig->media.headers = g_strdupv ((char **) headers);
  rig->media.cookies = g_strdupv ((char **) cookies);
  http_server_script (server, script, G_N_ELEMENTS (script));
  get (rig, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 2; i++) {
    g_autofree char *agent = http_server_get_header (server, i, "User-Agent");
    g_autofree char *cookie = http_server_get_header (server, i, "Cookie");
    g_assert_cmpstr (agent, ==, "Somebody/1.0");
    g_assert_cmpstr (cookie, ==, i == 0 ? "mine=one" : "other=two");
  }
  /* the next download knows nothing of them */
  http_server_script (server, NULL, 0);
  g_clear_pointer (&rig->media.headers, g_strfreev);
  g_clear_pointer (&rig->media.cookies, g_strfreev);
  empty (rig);
  get (rig, &error);
  g_assert_no_error (error);
  g_autofree char *agent = http_server_get_header (server, 0, "User-Agent");
  g_autofree char *cookie = http_server_get_header (server, 0, "Cookie");
  g_assert_null (agent);
  g_assert_null (cookie);
}

static void
test_not_yet (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  rig->media.available_at_s = g_get_real_time () / G_USEC_PER_SEC + 2;
  get (rig, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_get_real_time (), >=, rig->media.available_at_s * G_USEC_PER_SEC);
  g_assert_true (is_identical (rig));
}

static gpointer
cancel_soon (gpointer data)
{
  Rig *rig = data;

  while (http_server_count (server) == 0)
    g_usleep (5000);
  g_cancellable_cancel (rig->cancellable);
  return NULL;
}

static void
test_cancel (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  rig->config->stall_ms = 60000;
  http_server_script (server, &(HttpAnswer){.stall_after = 1000}, 1);
  g_autoptr (GThread) thread = g_thread_new ("cancel", cancel_soon, rig);
  const gint64 began_us = g_get_monotonic_time ();
  g_assert_false (get (rig, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED);
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 3 * G_USEC_PER_SEC);
  g_thread_join (g_steal_pointer (&thread));
}

#define ADD(name, func) g_test_add (name, Rig, NULL, rig_set_up, func, rig_tear_down)

/* The most that was resident since the last call, in bytes. */
static gint64
take_peak (void)
{
  g_autofree char *status = NULL;
  const int fd = open ("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

  g_assert_true (g_file_get_contents ("/proc/self/status", &status, NULL, NULL));
  const char *line = strstr (status, "VmHWM:");
  g_assert_nonnull (line);
  g_assert_cmpint (write (fd, "5", 1), ==, 1); /* the peak begins anew: proc(5) */
  close (fd);
  return g_ascii_strtoll (line + strlen ("VmHWM:"), NULL, 10) * 1024;
}

/* Whatever the size of the file. */
static void
test_memory (Rig *rig, gconstpointer data)
{
  HttpServer *large = http_server_start (LARGE_BYTES);
  g_autoptr (GError) error = NULL;

  get (rig, &error); /* what curl needs once */
  g_assert_no_error (error);
  empty (rig);
  g_free (rig->media.url);
  rig->media.url = http_server_get_url (large, "127.0.0.1");
  rig->media.bytes = LARGE_BYTES;
  take_peak ();
  const gint64 before = take_peak ();
  get (rig, &error);
  g_assert_no_error (error);
  g_assert_cmpint (rig->seen, ==, LARGE_BYTES);
  g_assert_cmpint (take_peak () - before, <, MEMORY_BYTES);
  http_server_stop (large);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  server = http_server_start (FILE_BYTES);
  ADD ("/http/pieces-on-one-connection", test_pieces);
  ADD ("/http/goes-on-where-the-file-ends", test_goes_on);
  ADD ("/http/was-whole-already", test_was_whole);
  ADD ("/http/a-fault-once-is-survived", test_once);
  ADD ("/http/a-fault-always-is-told", test_always);
  ADD ("/http/limits", test_limits);
  ADD ("/http/no-way-past-the-proxy", test_no_proxy);
  ADD ("/http/private-addresses-are-not-asked", test_private);
  ADD ("/http/headers-and-cookies", test_headers);
  ADD ("/http/memory-is-constant", test_memory);
  ADD ("/http/available-at", test_not_yet);
  ADD ("/http/cancel", test_cancel);
  const int status = g_test_run ();
  http_server_stop (server);
  return status;
}
