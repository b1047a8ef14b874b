/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The table of what a site can do to a fetch, and what must come of it, by both ways to download.
 * Every row ends in its time and within 100 requests, publishes a whole song or nothing, leaves no
 * file and no process, and the next song plays. */
#include "config.h"
#include "fault-fixture.h"

#include <string.h>

#include "base/encore-error.h"
#include "bot/encore-text.h"

#define REQUESTS_MAX 100
#define AT_ONCE 3
#ifndef FAULTS_WAY
#define FAULTS_WAY "auto"
#endif

enum {
  IS_OTHER = 1,   /* another song than the tune, or another coding of it */
  IS_FLIPPED = 2, /* bytes of the sound are wrong: nothing in the file or its transport can tell */
  IS_THROTTLED = 4, /* the next song may be held back */
  IS_RACE = 8,      /* what the kernel throws away with a reset decides: it may be played, too */
};

/* ' stands for ", @ for the id.  An id of one letter is a copy of that song that nobody else asks
 * for (tests/site/catalogue.py), none one of the tune. */
#define TUNE(name, code, fault) \
  { \
    name, code, code, fault, NULL, NULL, 0 \
  }
/* our own download can do what yt-dlp's cannot, or puts it otherwise */
#define TWO(name, by_http, code, fault) \
  { \
    name, code, by_http, fault, NULL, NULL, 0 \
  }
#define ODD(name, code, fault, flags) \
  { \
    name, code, code, fault, NULL, NULL, flags \
  }
#define SET(name, code, option) \
  { \
    name, code, code, NULL, NULL, option, 0 \
  }
#define SONG(name, code, fault, id, flags) \
  { \
    name, code, code, fault, id, NULL, flags \
  }
static const struct {
  const char *name;
  int code, by_http; /* FAULT_PLAYED, or of ENCORE_ERROR: with download=ytdlp, and =auto */
  const char *fault, *id, *set;
  guint flags;
} ROWS[] = {
    /* nothing is wrong */
    TUNE ("plain", FAULT_PLAYED, NULL),
    TUNE ("chunk", FAULT_PLAYED, "'resolve/video/@': {'style': 'chunk', 'chunk_bytes': 60000}"),
    TUNE ("dashy", FAULT_PLAYED, "'resolve/video/@': {'style': 'dashy', 'chunk_bytes': 60000}"),
    TUNE ("slow-unless-ranged", FAULT_PLAYED,
          "'media/@/251': {'slow_unless_range': 1000}, 'resolve/video/@': {'style': 'chunk'}"),
    TUNE ("late", FAULT_PLAYED, "'media/@/251': {'delay': 0.4}, 'resolve/video/@': {'delay': 1}"),
    TUNE ("headers-of-the-format", FAULT_PLAYED,
          "'media/@/251': {'require': {'X-Encore-Format': '251'}}"),
    TUNE ("no-size-announced", FAULT_PLAYED, "'resolve/video/@': {'announce': false}"),
    TUNE ("no-length", FAULT_PLAYED, "'media/@/251': {'length': null}"),
    TUNE ("no-ranges", FAULT_PLAYED, "'media/@/251': {'no_range': true}"),

    /* answers instead of the song */
    TUNE ("403", ENCORE_ERROR_FORBIDDEN, "'media/@/251': {'status': 403}"),
    TUNE ("404", ENCORE_ERROR_FORBIDDEN, "'media/@/251': {'status': 404}"),
    TUNE ("410", ENCORE_ERROR_FORBIDDEN, "'media/@/251': {'status': 410}"),
    ODD ("429", ENCORE_ERROR_THROTTLED, "'media/@/251': {'status': 429, 'retry_after': 5}",
         IS_THROTTLED),
    TUNE ("503-once", FAULT_PLAYED, "'media/@/251': {'status': 503, 'times': 1}"),
    TUNE ("503", ENCORE_ERROR_NETWORK, "'media/@/251': {'status': 503}"),
    TUNE ("expired", ENCORE_ERROR_FORBIDDEN, "'resolve/video/@': {'expire_s': -1}"),
    TUNE ("html", ENCORE_ERROR_CORRUPT, "'media/@/251': {'body': '<html>Sign in</html>'}"),
    TUNE (
        "html-no-size-announced", ENCORE_ERROR_CORRUPT,
        "'media/@/251': {'body': '<html>Sign in</html>'}, 'resolve/video/@': {'announce': false}"),
    TUNE ("redirect-to-a-picture", ENCORE_ERROR_CORRUPT, "'media/@/251': {'redirect': '/thumb/@'}"),
    TUNE ("redirect-to-a-picture-no-size-announced", ENCORE_ERROR_CORRUPT,
          "'media/@/251': {'redirect': '/thumb/@'}, 'resolve/video/@': {'announce': false}"),
    TUNE ("redirect-to-another-song", ENCORE_ERROR_CORRUPT,
          "'media/@/251': {'redirect': '/media/keptAAAAAAA/251'}"),
    TUNE ("redirect-to-another-song-no-size-announced", ENCORE_ERROR_CORRUPT,
          "'media/@/251': {'redirect': '/media/keptAAAAAAA/251'},"
          "'resolve/video/@': {'announce': false}"),
    TUNE ("redirect-to-itself", ENCORE_ERROR_NETWORK,
          "'media/@/251': {'redirect': '/media/@/251'}"),
    TUNE ("redirect-to-a-file", ENCORE_ERROR_FAILED,
          "'media/@/251': {'redirect': 'file:///etc/passwd'}"),
    TWO ("gzip-that-is-none", FAULT_PLAYED, ENCORE_ERROR_CORRUPT, "'media/@/251': {'gzip': true}"),

    /* connections that break */
    TUNE ("fin-once", FAULT_PLAYED, "'media/@/251': {'drop_at': 50000, 'times': 1}"),
    TUNE ("rst-once", FAULT_PLAYED, "'media/@/251': {'drop_at': 100000, 'rst': true, 'times': 1}"),
    {"rst-once-before-the-first-block", ENCORE_ERROR_NETWORK, FAULT_PLAYED,
     "'media/@/251': {'drop_at': 50000, 'rst': true, 'times': 1}", NULL, NULL, IS_RACE},
    TUNE ("fin-once-no-ranges", FAULT_PLAYED,
          "'media/@/251': {'drop_at': 50000, 'times': 1, 'no_range': true}"),
    TUNE ("fin", ENCORE_ERROR_NETWORK, "'media/@/251': {'drop_at': 50000}"),
    TUNE ("rst", ENCORE_ERROR_NETWORK, "'media/@/251': {'drop_at': 50000, 'rst': true}"),
    TUNE ("fin-chunk", ENCORE_ERROR_NETWORK,
          "'media/@/251': {'drop_at': 50000}, 'resolve/video/@': {'style': 'chunk'}"),
    TUNE ("rst-chunk", ENCORE_ERROR_NETWORK,
          "'media/@/251': {'drop_at': 50000, 'rst': true}, 'resolve/video/@': {'style': 'chunk'}"),
    TUNE ("fin-dashy", ENCORE_ERROR_NETWORK,
          "'media/@/251': {'drop_at': 50000}, 'resolve/video/@': {'style': 'dashy'}"),
    TWO ("fin-no-length", ENCORE_ERROR_NETWORK, ENCORE_ERROR_CORRUPT,
         "'media/@/251': {'drop_at': 50000, 'length': null}"),
    TUNE ("trickle", ENCORE_ERROR_NETWORK,
          "'media/@/251': {'drop_after': 500}, 'resolve/video/@': {'style': 'chunk'}"),
    TUNE ("trickle-of-one-byte", ENCORE_ERROR_NETWORK,
          "'media/@/251': {'drop_after': 1}, 'resolve/video/@': {'style': 'chunk'}"),
    TUNE ("stall", ENCORE_ERROR_DEADLINE, "'media/@/251': {'stall_at': 50000}"),
    TUNE ("stall-before-the-first-byte", ENCORE_ERROR_DEADLINE, "'media/@/251': {'stall_at': 0}"),
    TUNE ("too-slow", ENCORE_ERROR_DEADLINE, "'media/@/251': {'rate': 2000}"),
    TUNE ("forbidden-from-the-middle", ENCORE_ERROR_FORBIDDEN,
          "'media/@/251': {'forbid_from': 50000}, 'resolve/video/@': {'style': 'chunk'}"),
    TUNE ("nobody-listens", ENCORE_ERROR_NETWORK,
          "'resolve/video/@': {'format': {'url': 'http://127.0.0.1:9/x'}}"),
    TUNE ("no-such-host", ENCORE_ERROR_NETWORK,
          "'resolve/video/@': {'format': {'url': 'http://nowhere.invalid/x'}}"),
    TUNE ("url-of-a-file", ENCORE_ERROR_FAILED,
          "'resolve/video/@': {'format': {'url': 'file:///etc/passwd'}}"),

    /* wrong lengths and wrong bytes */
    TUNE ("truncated", ENCORE_ERROR_CORRUPT, "'media/@/251': {'truncate_at': 80000}"),
    TUNE ("truncated-no-size-announced", ENCORE_ERROR_CORRUPT,
          "'media/@/251': {'truncate_at': 140000}, 'resolve/video/@': {'announce': false}"),
    TUNE ("truncated-by-one-byte-no-size-announced", ENCORE_ERROR_CORRUPT,
          "'media/@/251': {'truncate_at': 157305}, 'resolve/video/@': {'announce': false}"),
    TUNE ("empty", ENCORE_ERROR_NETWORK, "'media/@/251': {'truncate_at': 0}"),
    TWO ("length-too-large", FAULT_PLAYED, ENCORE_ERROR_NETWORK, "'media/@/251': {'length': 1000}"),
    TWO ("length-too-large-chunk", FAULT_PLAYED, ENCORE_ERROR_NETWORK,
         "'media/@/251': {'length': 1000}, 'resolve/video/@': {'style': 'chunk'}"),
    TWO ("length-too-small", ENCORE_ERROR_NETWORK, ENCORE_ERROR_CORRUPT,
         "'media/@/251': {'length': -1000}"),
    TUNE ("length-too-small-chunk", ENCORE_ERROR_NETWORK,
          "'media/@/251': {'length': -1000}, 'resolve/video/@': {'style': 'chunk'}"),
    TWO ("endless", ENCORE_ERROR_CORRUPT, ENCORE_ERROR_TOO_BIG, "'media/@/251': {'endless': true}"),
    SET ("too-big", ENCORE_ERROR_TOO_BIG, "max_bytes=100KiB"),
    TUNE ("first-byte-corrupted", ENCORE_ERROR_CORRUPT, "'media/@/251': {'corrupt_at': 0}"),
    TUNE ("a-kilobyte-of-the-header-corrupted", ENCORE_ERROR_CORRUPT,
          "'media/@/251': {'corrupt_at': 0, 'corrupt_bytes': 1000}"),
    ODD ("a-byte-of-the-sound-corrupted", FAULT_PLAYED, "'media/@/251': {'corrupt_at': 80000}",
         IS_FLIPPED),
    TUNE ("announced-twice-as-long", ENCORE_ERROR_CORRUPT,
          "'resolve/video/@': {'info': {'duration': 16}}"),
    TUNE ("announced-half-as-long", ENCORE_ERROR_CORRUPT,
          "'resolve/video/@': {'info': {'duration': 4}}"),

    /* fragments */
    SONG ("hls", FAULT_PLAYED, NULL, "h", IS_OTHER),
    SONG ("hls-fragment-missing-once", FAULT_PLAYED, "'hls/@/2.m4s': {'status': 404, 'times': 1}",
          "h", IS_OTHER),
    SONG ("hls-fragment-missing", ENCORE_ERROR_NETWORK, "'hls/@/2.m4s': {'status': 404}", "h", 0),
    SONG ("hls-fragment-truncated", ENCORE_ERROR_CORRUPT, "'hls/@/2.m4s': {'truncate_at': 9000}",
          "h", 0),
    SONG ("hls-fragment-of-a-byte", ENCORE_ERROR_CORRUPT, "'hls/@/3.m4s': {'truncate_at': 1}", "h",
          0),
    SONG ("hls-last-fragment-of-a-byte", ENCORE_ERROR_CORRUPT, "'hls/@/4.m4s': {'truncate_at': 1}",
          "h", 0),
    SONG ("hls-fragment-is-html", ENCORE_ERROR_CORRUPT, "'hls/@/2.m4s': {'body': '<html>'}", "h",
          0),
    SONG ("hls-fragment-stalls", ENCORE_ERROR_DEADLINE, "'hls/@/2.m4s': {'stall_at': 9000}", "h",
          0),
    SONG ("hls-list-missing", ENCORE_ERROR_FORBIDDEN, "'hls/@/index.m3u8': {'status': 404}", "h",
          0),
    SONG ("hls-list-is-html", ENCORE_ERROR_NETWORK, "'hls/@/index.m3u8': {'body': '<html>'}", "h",
          0),

    /* what the site says of the song */
    TUNE ("resolve-500", ENCORE_ERROR_NETWORK, "'resolve/video/@': {'status': 500}"),
    ODD ("resolve-429", ENCORE_ERROR_THROTTLED, "'resolve/video/@': {'status': 429}", IS_THROTTLED),
    TUNE ("resolve-html", ENCORE_ERROR_FAILED, "'resolve/video/@': {'body': '<html>'}"),
    TUNE ("resolve-too-late", ENCORE_ERROR_DEADLINE, "'resolve/video/@': {'delay': 30}"),
    TUNE ("resolve-says-nonsense", ENCORE_ERROR_FAILED,
          "'resolve/video/@': {'info': {'formats': 'x', 'title': [1], 'duration': 'long'}}"),
    TUNE ("resolve-title-is-a-list", FAULT_PLAYED,
          "'resolve/video/@': {'info': {'title': ['a', {'b': 1}], 'uploader': 7}}"),
    TUNE ("resolve-extension-is-a-path", FAULT_PLAYED,
          "'resolve/video/@': {'format': {'ext': '../../../evil'}}"),
    TUNE ("resolve-id-is-a-path", ENCORE_ERROR_FAILED,
          "'resolve/video/@': {'info': {'id': '../../../evil'}}"),
    SONG ("private", ENCORE_ERROR_PRIVATE, NULL, "privateAAAA", 0),
    SONG ("members-only", ENCORE_ERROR_PRIVATE, NULL, "membersAAAA", 0),
    SONG ("removed", ENCORE_ERROR_GONE, NULL, "removedAAAA", 0),
    SONG ("never-existed", ENCORE_ERROR_GONE, NULL, "nothingAAAA", 0),
    SONG ("age", ENCORE_ERROR_AGE, NULL, "ageAAAAAAAA", 0),
    SONG ("geo", ENCORE_ERROR_GEO, NULL, "geoAAAAAAAA", 0),
    SONG ("drm", ENCORE_ERROR_DRM, NULL, "drmAAAAAAAA", 0),
    SONG ("bot-check", ENCORE_ERROR_THROTTLED, NULL, "botCheckAAA", IS_THROTTLED),
    SONG ("rate-limited", ENCORE_ERROR_THROTTLED, NULL, "limitedAAAA", IS_THROTTLED),
    SONG ("upcoming", ENCORE_ERROR_UPCOMING, NULL, "upcomingAAA", 0),
    SONG ("upcoming-by-its-status", ENCORE_ERROR_UPCOMING, NULL, "comingSoonA", 0),
    SONG ("live", ENCORE_ERROR_LIVE, NULL, "liveAAAAAAA", 0),
    SONG ("was-live", FAULT_PLAYED, NULL, "wasLiveAAAA", 0),
    SONG ("ten-hours", ENCORE_ERROR_TOO_LONG, NULL, "tenHoursAAA", 0),
    SONG ("no-duration", FAULT_PLAYED, NULL, "noLengthAAA", 0),
    SONG ("no-formats", ENCORE_ERROR_NO_AUDIO, NULL, "noFormatsAA", 0),
    SONG ("aac-only", FAULT_PLAYED, NULL, "aacOnlyAAAA", IS_OTHER),
    SONG ("only-a-picture", ENCORE_ERROR_NO_AUDIO, NULL, "videoOnlyAA", 0),
    SONG ("sound-with-a-picture", FAULT_PLAYED, NULL, "withVideoAA", IS_OTHER),
    SONG ("alias", FAULT_PLAYED, NULL, "aliasTuneAA", 0),
    SONG ("leading-dash", FAULT_PLAYED, NULL, "-quietAAAAA", IS_OTHER),
    SONG ("hostile-title", FAULT_PLAYED, NULL, "evilTitleAA", IS_OTHER),
    SONG ("another-hostile-title", FAULT_PLAYED, NULL, "_underscorA", IS_OTHER),
};

static FaultOutcome outcomes[G_N_ELEMENTS (ROWS)];
static gsize rows[G_N_ELEMENTS (ROWS)]; /* of the outcomes */

/* The song is refused before anything is downloaded, either way: one of them asks. */
static gboolean
is_same_by_both (gsize i)
{
  return ROWS[i].code != FAULT_PLAYED && ROWS[i].fault == NULL && ROWS[i].set == NULL;
}

static void
test_row (gconstpointer data)
{
  const FaultOutcome *outcome = &outcomes[GPOINTER_TO_SIZE (data)];
  const gsize i = rows[GPOINTER_TO_SIZE (data)];
  int code = strcmp (FAULTS_WAY, "auto") == 0 ? ROWS[i].by_http : ROWS[i].code;
  g_autoptr (GError) error =
      g_error_new_literal (ENCORE_ERROR, MAX (outcome->code, 0), outcome->message);
  g_autofree char *sentence =
      outcome->code == FAULT_PLAYED ? g_strdup ("played") : encore_text_error (error);

  if ((ROWS[i].flags & IS_RACE) != 0 && outcome->code == FAULT_PLAYED)
    code = FAULT_PLAYED;
  g_test_message ("%s [%s] %.1f s, %d requests", sentence, outcome->message,
                  outcome->elapsed_ms / 1000.0, (int) outcome->requests);
  g_assert_cmpint (outcome->code, ==, code);
  g_assert_cmpint (outcome->elapsed_ms, <=, FAULT_FETCH_TIMEOUT_MS + FAULT_PATIENCE_MS);
  g_assert_cmpint (outcome->requests, <=, REQUESTS_MAX);
  g_assert_cmpint (outcome->is_cached, ==, code == FAULT_PLAYED);
  if (outcome->is_cached && (ROWS[i].flags & IS_FLIPPED) != 0)
    g_assert_cmpint (outcome->duration_ms, ==, outcomes[0].duration_ms);
  else if (outcome->is_cached && (ROWS[i].flags & IS_OTHER) == 0)
    g_assert_cmpstr (outcome->packets, ==, outcomes[0].packets);
  g_assert_cmpuint (outcome->tmp_files, ==, 0);
  g_assert_cmpuint (outcome->processes, ==, 0);
  if ((ROWS[i].flags & IS_THROTTLED) != 0 && outcome->good_code == ENCORE_ERROR_THROTTLED)
    return;
  g_assert_cmpint (outcome->good_code, ==, FAULT_PLAYED);
  g_assert_nonnull (outcome->good_packets);
  g_assert_cmpstr (outcome->good_packets, ==, outcomes[0].good_packets);
}

static char *
expand (const char *fault, const char *id)
{
  g_auto (GStrv) parts = fault != NULL ? g_strsplit (fault, "@", -1) : NULL;
  g_autofree char *text = parts != NULL ? g_strjoinv (id, parts) : NULL;

  return text != NULL ? g_strdelimit (g_strconcat ("{", text, "}", NULL), "'", '"') : NULL;
}

static char *
make_id (const char *id, guint i)
{
  if (id != NULL && strlen (id) > 1)
    return g_strdup (id);
  return g_strdup_printf ("copy%05u%cA", i, id != NULL ? *id : 't');
}

int
main (int argc, char **argv)
{
  FaultCase cases[G_N_ELEMENTS (ROWS)] = {0};
  const char *why = NULL;

  g_test_init (&argc, &argv, NULL);
  Site *site = site_start (&why);
  if (site == NULL) {
    g_print ("1..0 # SKIP %s is not installed\n", why);
    return 0;
  }
  gsize n_cases = 0;
  for (gsize i = 0; i < G_N_ELEMENTS (ROWS); i++) {
    if (is_same_by_both (i) && strcmp (FAULTS_WAY, "auto") != 0)
      continue;
    g_autofree char *path = g_strconcat ("/faults/", ROWS[i].name, NULL);
    FaultCase *next = &cases[n_cases];
    next->id = make_id (ROWS[i].id, i);
    next->fault = expand (ROWS[i].fault, next->id);
    next->set = (char *) ROWS[i].set;
    next->way = FAULTS_WAY;
    rows[n_cases] = i;
    g_test_add_data_func (path, GSIZE_TO_POINTER (n_cases++), test_row);
  }
  faults_run (site, cases, outcomes, n_cases, AT_ONCE);
  g_test_set_nonfatal_assertions (); /* every row has its say */
  const int status = g_test_run ();
  for (gsize i = 0; i < n_cases; i++) {
    fault_outcome_clear (&outcomes[i]);
    g_free (cases[i].id);
    g_free (cases[i].fault);
  }
  site_stop (site);
  return status;
}
