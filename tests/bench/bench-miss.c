/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A song that is not in the cache, from a site that sends 1.5 MB/s: from "play" to the first
 * packet, with a yt-dlp that stays; beside it what other bots do: download, then decode by ffmpeg;
 * or yt-dlp's output piped into ffmpeg. */
#include "config.h"
#include "bench.h"

#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "site-fixture.h"
#include "store-fixture.h"

#define SITE "{\"media/*\": {\"rate\": 1500000}}"
#define PCM_FRAME_BYTES 3840 /* 20 ms */
#define CACHED_S 60          /* the download is to be over before the next one begins */

static const BenchFigure FIGURES[] = {
    {.name = "miss-start",
     .unit = "ms",
     .decimals = 1,
     .goal = 200,
     .times = 15,
     .peer = "yt-dlp -o, then ffmpeg",
     .means = "command -> first packet of a song that is fetched, from a site that sends 1.5 MB/s"},
    {.name = "miss-start-pipe",
     .unit = "ms",
     .decimals = 1,
     .goal = NAN,
     .times = 3,
     .peer = "yt-dlp -o - | ffmpeg",
     .means = "the same plays beside the other way"},
};

typedef struct {
  Bench *bench;
  Site *site;
  const char *media;
  guint n; /* ids used up */
} Rig;

static char *
miss_id (guint number)
{
  return g_strdup_printf ("miss%06uA", number);
}

/* One file under N ids. */
static gboolean
make_media (Bench *self, const char *dir, guint n, GError **error)
{
  g_autofree char *song = g_build_filename (dir, "miss.251.webm", NULL);
  g_autofree char *catalogue = g_build_filename (dir, "catalogue.json", NULL);
  const guint length_s = self->quick ? 10 : 240;
  g_autoptr (GString) json =
      g_string_new ("{\"aliases\": {}, \"playlists\": {}, \"names\": {}, \"videos\": {");

  g_mkdir (dir, 0700);
  for (guint i = 0; i < n; i++) {
    g_autofree char *id = miss_id (i);
    g_string_append_printf (json,
                            "%s\"%s\": {\"title\": \"Miss\", \"uploader\": \"Bench\", "
                            "\"duration\": %u, \"files\": {\"251\": \"miss.251.webm\"}}",
                            i > 0 ? ", " : "", id, length_s);
  }
  g_string_append (json, "}}");
  return bench_compose (self, 0, length_s, song, error) &&
         g_file_set_contents (catalogue, json->str, -1, error);
}

static gboolean
wait_until_cached (Rig *rig, const char *id)
{
  g_autofree char *file = fixture_file (rig->bench->cache_dir, id);

  for (guint i = 0; i < CACHED_S * 50 && !g_file_test (file, G_FILE_TEST_EXISTS); i++)
    bench_sleep (0.02);
  return g_file_test (file, G_FILE_TEST_EXISTS);
}

static gboolean
play_ours (Rig *rig, BenchHost *host, double *ms, GError **error)
{
  g_autofree char *id = miss_id (rig->n++);
  const char *answer;

  if (!bench_host_ask (host, &answer, error, "play 1 https://youtu.be/%s", id))
    return FALSE;
  *ms = g_ascii_strtoll (answer, NULL, 10) / 1e6;
  if (!wait_until_cached (rig, id)) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s was not cached in %d s", id, CACHED_S);
    return FALSE;
  }
  return bench_host_ask (host, NULL, error, "stop 1 1");
}

static gboolean
play_peer (Rig *rig, const char *script, double *ms, GError **error)
{
  g_autofree char *id = miss_id (rig->n++);
  g_autofree char *url = g_strconcat ("https://youtu.be/", id, NULL);
  g_autofree char *file = g_build_filename (rig->bench->dir, "peer.webm", NULL);
  const char *const argv[] = {"sh", "-c", script, "sh", site_get_ytdlp (rig->site),
                              url,  file, NULL};

  g_unlink (file);
  return bench_time_output (argv, PCM_FRAME_BYTES, ms, error);
}

#define PCM "-f s16le -ar 48000 -ac 2 - 2>/dev/null"
#define FILE_THEN_FFMPEG "\"$1\" -q -f 251 -o \"$3\" \"$2\" && exec ffmpeg -v error -i \"$3\" " PCM
#define PIPE "\"$1\" -q -f 251 -o - \"$2\" 2>/dev/null | ffmpeg -v error -i - " PCM

static gboolean
run_rounds (Rig *rig, BenchHost *host, BenchRow **rows, GError **error)
{
  double ms;

  if (!play_ours (rig, host, &ms, error)) /* it starts the yt-dlp that stays */
    return FALSE;
  for (guint i = 0; i < rig->bench->rounds; i++) {
    if (!play_peer (rig, FILE_THEN_FFMPEG, &ms, error))
      return FALSE;
    bench_row_add (rows[0], FALSE, ms);
    if (!play_peer (rig, PIPE, &ms, error))
      return FALSE;
    bench_row_add (rows[1], FALSE, ms);
    for (guint k = 0; k < (rig->bench->quick ? 1 : 3); k++) {
      if (!play_ours (rig, host, &ms, error))
        return FALSE;
      bench_row_add (rows[0], TRUE, ms);
      bench_row_add (rows[1], TRUE, ms);
    }
  }
  return TRUE;
}

static gboolean
run (Bench *self, BenchRow **rows, GError **error)
{
  g_autofree char *media = g_build_filename (self->dir, "miss", NULL);
  Rig rig = {.bench = self, .media = media};
  const char *why = NULL;

  if (!make_media (self, media, 1 + self->rounds * 5, error))
    return FALSE;
  rig.site = site_start_at (media, g_getenv ("abs_top_srcdir"), &why);
  if (rig.site == NULL) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s is not installed", why);
    return FALSE;
  }
  site_set_faults (rig.site, SITE);
  g_autofree char *ytdlp = g_strconcat ("ytdlp=", site_get_ytdlp (rig.site), NULL);
  const char *const settings[] = {ytdlp,       "resolver=worker", "allow_private=yes",
                                  "early=yes", "min_interval=0",  NULL};
  g_autoptr (BenchHost) host = bench_host_new_with (self, settings, error);
  const gboolean ok = host != NULL && run_rounds (&rig, host, rows, error);
  g_clear_pointer (&host, bench_host_free);
  site_stop (rig.site);
  return ok;
}

void
bench_miss (Bench *self)
{
  bench_measure (self, FIGURES, G_N_ELEMENTS (FIGURES), TRUE, run);
}
