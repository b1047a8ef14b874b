/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Songs fetched from a site with a fault.  All callbacks come in the default context. */
#include "config.h"
#include "fault-fixture.h"

#include <string.h>

#include "base/encore-ogg.h"
#include "fetch/encore-fetch.h"
#include "store-fixture.h"

typedef struct {
  const FaultCase *what;
  FaultOutcome *outcome;
  Site *site;
  char *dir, *good_id;
  EncoreCache *cache;
  EncoreConfig *config;
  EncoreFetch *fetch;
  gint64 began_us;
  guint *running; /* of all */
} Run;

static guint n_good; /* a good song each, never asked for before */

/* ---- what is left */

static gssize
read_handle (gpointer data, gint64 offset, guint8 *buf, gsize len, GError **error)
{
  return pread (GPOINTER_TO_INT (data), buf, len, offset);
}

/* Of every packet of ID; fails if one cannot be read.  NULL if it is not cached. */
static char *
checksum_of (EncoreCache *cache, const char *id, gint64 *duration_ms)
{
  g_autoptr (EncoreHandle) handle = encore_cache_get (cache, id, FALSE, NULL);
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autoptr (GError) error = NULL;
  const guint8 *packet;
  gint64 pts_ns;
  gsize len;

  if (handle == NULL)
    return NULL;
  const int fd = encore_handle_get_fd (handle);
  EncoreOggReader *reader = encore_ogg_reader_new (read_handle, GINT_TO_POINTER (fd));
  EncoreOggResult result;
  encore_ogg_reader_set_size (reader, lseek (fd, 0, SEEK_END), TRUE);
  while ((result = encore_ogg_reader_next (reader, &packet, &len, &pts_ns, &error)) ==
         ENCORE_OGG_PACKET)
    g_checksum_update (sum, packet, len);
  g_assert_no_error (error);
  g_assert_cmpint (result, ==, ENCORE_OGG_END);
  encore_ogg_reader_free (reader);
  *duration_ms = encore_handle_get_info (handle)->duration_ms;
  return g_strdup (g_checksum_get_string (sum));
}

/* Processes with DIR in their command line: yt-dlp has it, and gives it to ffmpeg. */
static guint
count_processes (const char *dir)
{
  g_autoptr (GDir) proc = g_dir_open ("/proc", 0, NULL);
  const char *name;
  guint n = 0;

  while ((name = g_dir_read_name (proc)) != NULL) {
    g_autofree char *path = g_build_filename ("/proc", name, "cmdline", NULL);
    g_autofree char *line = NULL;
    gsize len = 0;
    if (g_ascii_isdigit (*name) && g_file_get_contents (path, &line, &len, NULL))
      n += memmem (line, len, dir, strlen (dir)) != NULL;
  }
  return n;
}

/* ---- one case */

static void
ask (Run *self, const char *stem, EncoreFetchedFunc done)
{
  EncoreMediaId id;

  g_assert_true (encore_media_id_from_stem (stem, &id));
  encore_fetch_song (self->fetch, &id, g_main_context_default (), NULL, done, self);
}

static void
run_end (Run *self)
{
  encore_fetch_free (self->fetch);
  encore_cache_close (self->cache);
  encore_config_free (self->config);
  fixture_remove (self->dir);
  --*self->running;
  g_free (self->good_id);
  g_free (self->dir);
  g_free (self);
}

static void
on_good (const EncoreFetched *result, const GError *error, gpointer data)
{
  Run *self = data;
  gint64 duration_ms;

  self->outcome->good_code = error != NULL ? error->code : FAULT_PLAYED;
  self->outcome->good_packets = checksum_of (self->cache, self->good_id, &duration_ms);
  run_end (self);
}

static void
on_done (const EncoreFetched *result, const GError *error, gpointer data)
{
  Run *self = data;
  FaultOutcome *outcome = self->outcome;

  outcome->elapsed_ms = (g_get_monotonic_time () - self->began_us) / 1000;
  outcome->code = error != NULL ? error->code : FAULT_PLAYED;
  outcome->message = g_strdup (error != NULL ? error->message : "played");
  if (error != NULL)
    g_assert_true (error->domain == ENCORE_ERROR);
  outcome->packets = checksum_of (self->cache, self->what->id, &outcome->duration_ms);
  outcome->is_cached = outcome->packets != NULL;
  outcome->tmp_files = fixture_count_tmp (self->dir);
  outcome->processes = count_processes (self->dir);
  outcome->requests = site_count_requests (self->site, self->what->id);
  if (self->what->is_hasty) {
    run_end (self);
    return;
  }
  self->good_id = g_strdup_printf ("copy%05usA", 99999 - n_good++);
  ask (self, self->good_id, on_good);
}

static void
run_start (Site *site, const FaultCase *what, FaultOutcome *outcome, guint *running)
{
  Run *self = g_new0 (Run, 1);
  g_autoptr (GError) error = NULL;

  *self = (Run){.what = what, .outcome = outcome, .site = site, .running = running};
  self->dir = fixture_make_dir ();
  self->cache = fixture_open (self->dir, 0);
  self->config = encore_config_new ();
  encore_config_set (self->config, "ytdlp", site_get_ytdlp (site), NULL);
  self->config->stall_ms = what->is_hasty ? FAULT_HASTY_STALL_MS : FAULT_STALL_MS;
  self->config->resolve_timeout_ms = FAULT_RESOLVE_TIMEOUT_MS;
  self->config->fetch_timeout_ms = what->is_hasty ? FAULT_HASTY_TIMEOUT_MS : FAULT_FETCH_TIMEOUT_MS;
  self->config->max_bytes = FAULT_MAX_BYTES;
  self->config->allow_private = TRUE;
  g_assert_true (encore_config_set (self->config, "download", what->way, NULL));
  if (what->set != NULL) {
    g_auto (GStrv) pair = g_strsplit (what->set, "=", 2);
    encore_config_set (self->config, pair[0], pair[1], &error);
    g_assert_no_error (error);
  }
  self->fetch = encore_fetch_new (self->cache, self->config);
  if (what->fault != NULL)
    site_set_faults (site, what->fault);
  ++*running;
  self->began_us = g_get_monotonic_time ();
  ask (self, what->id, on_done);
}

void
faults_run (Site *site, const FaultCase *cases, FaultOutcome *outcomes, guint n, guint at_once)
{
  guint running = 0;

  for (guint i = 0; i < n || running > 0;) {
    if (i < n && running < at_once) {
      run_start (site, &cases[i], &outcomes[i], &running);
      i++;
    } else {
      g_main_context_iteration (NULL, TRUE);
    }
  }
}

void
fault_outcome_clear (FaultOutcome *self)
{
  g_free (self->message);
  g_free (self->packets);
  g_free (self->good_packets);
}
