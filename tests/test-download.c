/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The two ways of a download through the real yt-dlp against the offline site: which one is taken,
 * what follows a refusal, what is kept when it breaks off. */
#include "config.h"
#include "fetch/encore-download.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include "fetch/encore-partial.h"
#include "site-fixture.h"
#include "store-fixture.h"

#define TUNE "tuneAAAAAAA"
#define MEDIA "media/" TUNE "/251"
#define RESOLVE "resolve/video/" TUNE
#define KEPT_BYTES 100000 /* of a song that is broken off */

static Site *site;

typedef struct {
  char *dir, *work, *partial, *ytdlp_cache;
  EncoreConfig *config;
  EncoreMediaId id;
  EncoreDownload out;
  GCancellable *cancellable;
  gint64 cancel_at;     /* bytes; 0: never */
  gint64 readable;      /* bytes that could be read while it was going on */
  gint64 first_partial; /* bytes when the first news of the download came */
} Rig;

static void
rig_set_up (Rig *rig, gconstpointer data)
{
  rig->dir = fixture_make_dir ();
  rig->work = g_build_filename (rig->dir, "work", NULL);
  rig->partial = g_build_filename (rig->dir, "partial", NULL);
  rig->ytdlp_cache = g_build_filename (rig->dir, "ytdlp", NULL);
  rig->config = encore_config_new ();
  g_free (rig->config->ytdlp);
  rig->config->ytdlp = g_strdup (site_get_ytdlp (site));
  rig->config->allow_private = TRUE;
  rig->config->stall_ms = 1500;
  rig->cancellable = g_cancellable_new ();
  g_assert_true (encore_media_id_from_stem (TUNE, &rig->id));
  site_reset (site);
}

static void
rig_tear_down (Rig *rig, gconstpointer data)
{
  encore_download_clear (&rig->out);
  encore_config_free (rig->config);
  g_object_unref (rig->cancellable);
  fixture_remove (rig->dir);
  g_free (rig->work);
  g_free (rig->partial);
  g_free (rig->ytdlp_cache);
  g_free (rig->dir);
}

static void
on_change (gpointer data)
{
  Rig *rig = data;
  struct stat st;

  if (rig->out.growing == NULL)
    return;
  g_assert_cmpint (stat (rig->out.growing, &st), ==, 0);
  g_assert_cmpint (st.st_size, >=, rig->out.done_bytes);
  if (rig->first_partial == 0)
    rig->first_partial = rig->out.done_bytes;
  rig->readable = rig->out.done_bytes;
  if (rig->cancel_at > 0 && rig->out.done_bytes >= rig->cancel_at)
    g_cancellable_cancel (rig->cancellable);
}

/* As after a start of the program: nothing but the files is left of what was before. */
static gboolean
get (Rig *rig, GError **error)
{
  g_autoptr (EncoreHttp) http = encore_http_new (rig->config);
  const EncoreDownloadSpec spec = {.config = rig->config,
                                   .id = &rig->id,
                                   .dir = rig->work,
                                   .ytdlp_cache = rig->ytdlp_cache,
                                   .partial_dir = rig->partial,
                                   .http = http,
                                   .deadline_us = g_get_monotonic_time () + 20 * G_USEC_PER_SEC,
                                   .cancellable = rig->cancellable};

  fixture_remove (rig->work);
  g_assert_cmpint (g_mkdir (rig->work, 0700), ==, 0);
  g_cancellable_reset (rig->cancellable);
  encore_download_clear (&rig->out);
  rig->out = (EncoreDownload){.changed = on_change, .data = rig};
  rig->readable = rig->first_partial = 0;
  return encore_download_run (&spec, &rig->out, error);
}

static void
assert_same (Rig *rig, const char *name)
{
  g_autofree char *ours = g_build_filename (rig->work, rig->out.file, NULL);
  g_autofree char *theirs = g_test_build_filename (G_TEST_BUILT, "media", name, NULL);
  g_autofree char *a = NULL, *b = NULL;
  gsize a_len, b_len;

  g_assert_true (g_file_get_contents (ours, &a, &a_len, NULL));
  g_assert_true (g_file_get_contents (theirs, &b, &b_len, NULL));
  g_assert_cmpmem (a, a_len, b, b_len);
}

static guint
count_partials (Rig *rig)
{
  g_autoptr (GDir) names = g_dir_open (rig->partial, 0, NULL);
  guint n = 0;

  while (names != NULL && g_dir_read_name (names) != NULL)
    n++;
  return n;
}

static void
get_tune (Rig *rig)
{
  g_autoptr (GError) error = NULL;

  get (rig, &error);
  g_assert_no_error (error);
  assert_same (rig, "tune.251.webm");
  g_assert_cmpuint (count_partials (rig), ==, 0);
}

/* ---- which way */

static void
test_http (Rig *rig, gconstpointer data)
{
  get_tune (rig);
  g_assert_cmpstr (rig->out.file, ==, "media.webm");
  g_assert_cmpint (rig->readable, ==, rig->out.announced_bytes); /* early, not when it was over */
  g_assert_cmpint (rig->first_partial, <, rig->out.announced_bytes);
  g_assert_cmpint (site_get_stat (site, RESOLVE, "requests"), ==, 1);
  g_assert_cmpint (site_get_stat (site, MEDIA, "requests"), ==, 1);
}

/* What yt-dlp was told by the site is obeyed. */
static void
test_pieces (Rig *rig, gconstpointer data)
{
  site_set_faults (site, "{\"" RESOLVE "\": {\"style\": \"chunk\", \"chunk_bytes\": 60000},"
                         " \"" MEDIA "\": {\"require\": {\"X-Encore-Format\": \"251\"}}}");
  get_tune (rig);
  g_assert_cmpint (site_get_stat (site, MEDIA, "requests"), ==, 3);
  g_assert_cmpint (rig->readable, ==, rig->out.announced_bytes);
}

/* Sites slow down who asks for all at once. */
static void
test_throttle (Rig *rig, gconstpointer data)
{
  const gint64 began_us = g_get_monotonic_time ();

  site_set_faults (site, "{\"" MEDIA "\": {\"slow_unless_range\": 10000}}"); /* 15 s */
  get_tune (rig);
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 8 * G_USEC_PER_SEC);
}

/* Fragments are yt-dlp's business: HLS, and a file that is handed over in pieces. */
static void
test_fragments (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  site_set_faults (site, "{\"" RESOLVE "\": {\"style\": \"dashy\", \"chunk_bytes\": 60000}}");
  get_tune (rig);
  g_assert_cmpint (rig->readable, ==, 0);
  g_assert_true (encore_media_id_from_stem ("hlsOnlyAAAA", &rig->id));
  get (rig, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (rig->out.file, ==, "media.mp4");
}

static void
test_only_ytdlp (Rig *rig, gconstpointer data)
{
  rig->config->download = ENCORE_DOWNLOAD_YTDLP;
  get_tune (rig);
  g_assert_cmpint (rig->readable, ==, 0);
  g_assert_cmpint (site_get_stat (site, RESOLVE, "requests"), ==, 1);
}

/* ---- refused */

static void
test_fresh_address (Rig *rig, gconstpointer data)
{
  site_set_faults (site, "{\"" MEDIA "\": {\"status\": 403, \"first_url\": true}}");
  get_tune (rig);
  g_assert_cmpint (site_get_stat (site, RESOLVE, "requests"), ==, 2);
  g_assert_cmpint (site_get_stat (site, MEDIA, "requests"), ==, 2);
  g_assert_cmpint (rig->readable, >, 0);
}

/* Refused in the middle: the fresh address is asked for the rest only. */
static void
test_fresh_address_in_the_middle (Rig *rig, gconstpointer data)
{
  site_set_faults (site, "{\"" MEDIA "\": {\"forbid_from\": 100000, \"first_url\": true}}");
  get_tune (rig);
  g_assert_cmpint (site_get_stat (site, RESOLVE, "requests"), ==, 2);
  g_assert_cmpint (site_get_stat (site, MEDIA, "bytes"), <=, rig->out.announced_bytes + 4096);
}

static void
test_fall_back (Rig *rig, gconstpointer data)
{
  site_set_faults (site, "{\"" MEDIA "\": {\"status\": 403, \"times\": 2}}");
  get_tune (rig);
  g_assert_cmpint (site_get_stat (site, RESOLVE, "requests"), ==, 3);
  g_assert_cmpint (site_get_stat (site, MEDIA, "requests"), ==, 3);
  g_assert_cmpint (rig->readable, ==, 0);
}

static void
test_refused (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  site_set_faults (site, "{\"" RESOLVE "\": {\"expire_s\": -1}}");
  g_assert_false (get (rig, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_FORBIDDEN);
  g_assert_cmpint (site_get_stat (site, MEDIA, "requests"), ==, 3);
  g_assert_null (rig->out.file);
  g_clear_error (&error);

  /* what the site says of the song itself is no reason to ask again */
  site_reset (site);
  g_assert_true (encore_media_id_from_stem ("privateAAAA", &rig->id));
  g_assert_false (get (rig, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_PRIVATE);
  g_assert_cmpint (site_get_stat (site, "resolve/video/privateAAAA", "requests"), ==, 1);
}

/* ---- broken off */

/* Leaves a partial. */
static void
break_off (Rig *rig)
{
  g_autoptr (GError) error = NULL;

  site_set_faults (site, "{\"" MEDIA "\": {\"rate\": 400000}}");
  rig->cancel_at = KEPT_BYTES;
  g_assert_false (get (rig, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED);
  g_assert_cmpuint (count_partials (rig), ==, 1);
  rig->cancel_at = 0;
  site_reset (site);
}

static char *
get_partial (Rig *rig)
{
  g_autoptr (GDir) names = g_dir_open (rig->partial, 0, NULL);
  const char *name = g_dir_read_name (names);

  g_assert_nonnull (name);
  return g_build_filename (rig->partial, name, NULL);
}

static void
test_goes_on (Rig *rig, gconstpointer data)
{
  break_off (rig);
  get_tune (rig);
  /* the overlap, and what was on its way when it broke off */
  g_assert_cmpint (site_get_stat (site, MEDIA, "bytes"), <=,
                   rig->out.announced_bytes - KEPT_BYTES + 4096 + 2 * 16384);
  g_assert_cmpint (rig->first_partial, >, KEPT_BYTES);
}

/* What must not be gone on with. */
static void
test_begins_again (Rig *rig, gconstpointer data)
{
  g_autofree char *name = NULL, *other = NULL;

  break_off (rig); /* of other bytes */
  g_autofree char *path = get_partial (rig);
  g_autofree char *zeros = g_malloc0 (KEPT_BYTES);
  g_assert_true (g_file_set_contents (path, zeros, KEPT_BYTES, NULL));
  get_tune (rig);
  g_assert_cmpint (site_get_stat (site, MEDIA, "requests"), ==, 2);

  break_off (rig); /* of another boot: half of it may never have reached the disk */
  name = g_strndup (path, strlen (path) - 8);
  other = g_strconcat (name, "ffffffff", NULL);
  g_assert_cmpint (g_rename (path, other), ==, 0);
  get_tune (rig);
  g_assert_cmpint (site_get_stat (site, MEDIA, "bytes"), >=, rig->out.announced_bytes);

  break_off (rig); /* of another format of the song */
  site_set_faults (site, "{\"" RESOLVE "\": {\"format\": {\"format_id\": \"251-drc\"}}}");
  get_tune (rig);
  g_assert_cmpint (site_get_stat (site, MEDIA, "bytes"), >=, rig->out.announced_bytes);

  site_reset (site);
  break_off (rig); /* no file at all */
  g_assert_cmpint (g_remove (path), ==, 0);
  g_assert_cmpint (symlink ("/etc/passwd", path), ==, 0);
  get_tune (rig);
}

/* yt-dlp has got it meanwhile. */
static void
test_is_dropped (Rig *rig, gconstpointer data)
{
  break_off (rig);
  rig->config->download = ENCORE_DOWNLOAD_YTDLP;
  get_tune (rig);
}

static char *
make_partial (Rig *rig, const char *stem, gint64 bytes, gint64 age_s)
{
  const EncoreMedia media = {.format_id = (char *) "251", .bytes = bytes + 1};
  const struct utimbuf times = {.modtime = g_get_real_time () / G_USEC_PER_SEC - age_s};
  EncoreMediaId id;

  g_assert_true (encore_media_id_from_stem (stem, &id));
  char *path = encore_partial_path (rig->partial, &id, &media);
  g_assert_true (g_file_set_contents (path, "", 0, NULL));
  g_assert_cmpint (truncate (path, bytes), ==, 0); /* takes no room */
  g_assert_cmpint (utime (path, &times), ==, 0);
  return path;
}

/* Not for ever, and not without a limit: but never what may be another process's download. */
static void
test_tidy (Rig *rig, gconstpointer data)
{
  const gint64 half = ENCORE_PARTIAL_MAX_BYTES / 2 + 1;
  g_autofree char *old = make_partial (rig, "oldAAAAAAAA", 100000, ENCORE_PARTIAL_AGE_S + 10);
  g_autofree char *first = make_partial (rig, "firstAAAAAA", half, 9000);
  g_autofree char *second = make_partial (rig, "secondAAAAA", half, 8000);
  g_assert_false (g_file_test (old, G_FILE_TEST_EXISTS));
  g_autofree char *third = make_partial (rig, "thirdAAAAAA", half, 10);

  g_assert_false (g_file_test (first, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (second, G_FILE_TEST_EXISTS));
  g_autofree char *fourth = make_partial (rig, "fourthAAAAA", half, 5);
  g_assert_false (g_file_test (second, G_FILE_TEST_EXISTS));
  g_free (make_partial (rig, "fifthAAAAAA", half, 5));
  g_assert_true (g_file_test (third, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (fourth, G_FILE_TEST_EXISTS));
}

#define ADD(name, func) g_test_add (name, Rig, NULL, rig_set_up, func, rig_tear_down)

int
main (int argc, char **argv)
{
  const char *why = NULL;

  g_test_init (&argc, &argv, NULL);
  site = site_start (&why);
  if (site == NULL) {
    g_print ("1..0 # SKIP %s is missing\n", why);
    return 0;
  }
  ADD ("/download/by-http-where-the-song-is-one-file", test_http);
  ADD ("/download/pieces-and-headers-of-the-site", test_pieces);
  ADD ("/download/not-throttled", test_throttle);
  ADD ("/download/fragments-by-yt-dlp", test_fragments);
  ADD ("/download/only-yt-dlp", test_only_ytdlp);
  ADD ("/download/refused-once-a-fresh-address", test_fresh_address);
  ADD ("/download/refused-in-the-middle", test_fresh_address_in_the_middle);
  ADD ("/download/refused-twice-yt-dlp-tries-itself", test_fall_back);
  ADD ("/download/refused-always-is-told", test_refused);
  ADD ("/download/goes-on-after-a-start", test_goes_on);
  ADD ("/download/does-not-go-on-with-another-file", test_begins_again);
  ADD ("/download/what-is-not-needed-is-dropped", test_is_dropped);
  ADD ("/download/what-broke-off-is-tidied-up", test_tidy);
  const int status = g_test_run ();
  site_stop (site);
  return status;
}
