/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "fetch/encore-rendition.h"

#include <string.h>

#include "base/encore-ogg.h"
#include "sound/encore-encode.h"
#include "fetch/encore-fetch.h"
#include "sound/encore-opus-file.h"
#include "store/encore-sum.h"

#define OPUS_NAME "song.opus"
#define ROUNDING_MS 10 /* less than a packet */

typedef struct {
  EncoreMediaId song;
  EncoreRenditionSpec as;
  char *key;
} Job;

struct EncoreRenditions {
  EncoreCache *cache;
  double true_peak_dbtp;
  GCancellable *closing;
  GThreadPool *pool;
  GMutex mutex;
  GHashTable *jobs; /* keys of those that are not made yet */
};

/* ---- one */

static gboolean
encode (EncoreReader *song, const char *path, const char *const *comments,
        const EncoreRenditionSpec *as, GCancellable *cancellable, EncoreEncoded *out,
        GError **error)
{
  const EncoreEncodeSpec spec = {.bitrate_bps = as->kbps * 1000,
                                 .constant = TRUE,
                                 .growing = song,
                                 .limited = TRUE,
                                 .ceiling_dbtp = as->true_peak_dbtp};
  EncoreOpusFile *file = encore_opus_file_new (path, error);

  if (file == NULL)
    return FALSE;
  g_autoptr (EncoreOggWriter) writer = encore_ogg_writer_new (encore_opus_file_write, file);
  const gboolean ok = encore_encode (NULL, &spec, writer, comments, cancellable, out, error);
  encore_opus_file_close (file);
  return ok;
}

/* The song must be what was published: a hole in it would stay for good.  Returns: (transfer full):
 * the checksum of its file. */
static char *
check_song (EncoreHandle *handle, GError **error)
{
  const EncoreEntryInfo *info = encore_handle_get_info (handle);
  const int fd = encore_handle_get_fd (handle);
  g_autofree char *sum = encore_sum_file (fd, error);

  if (sum == NULL)
    return NULL;
  if (*info->sha256 == '\0' /* the row was made from the file's tags */
          ? encore_ogg_verify (fd, NULL, error)
          : strcmp (info->sha256, sum) == 0)
    return g_steal_pointer (&sum);
  if (error != NULL && *error == NULL)
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "%s is damaged", info->id);
  return NULL;
}

/* A rendition is not worth a song that would have to go for it. */
static gboolean
has_room (EncoreCache *cache, const EncoreEntryInfo *song, guint kbps, GError **error)
{
  const gint64 bytes = song->duration_ms * kbps / 8 / 50 * 52; /* with its pages */
  EncoreCacheStats stats;

  encore_cache_stats (cache, &stats);
  if ((stats.max_size_bytes == 0 || stats.bytes + bytes <= stats.max_size_bytes) &&
      stats.free_bytes - bytes >= stats.min_free_bytes)
    return TRUE;
  g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_NO_SPACE,
                       "there is no room for it without removing songs");
  return FALSE;
}

/* *THERE (out): STEM is in the cache and of URL.  One of what was cached before is removed. */
static gboolean
look_up (EncoreCache *cache, const char *stem, const char *url, gboolean *there, GError **error)
{
  g_autoptr (EncoreEntryInfo) info = NULL;

  *there = FALSE;
  if (!encore_cache_info (cache, stem, &info, NULL))
    return TRUE;
  *there = strcmp (info->url, url) == 0;
  return *there || encore_cache_remove (cache, stem, error);
}

static gboolean
is_as_long (const EncoreEncoded *encoded, const EncoreEntryInfo *song, GError **error)
{
  const gint64 ms = encoded->frames * 1000 / ENCORE_OPUS_RATE_HZ;

  if (ABS (ms - song->duration_ms) <= ROUNDING_MS)
    return TRUE;
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT,
               "%" G_GINT64_FORMAT " ms of it were decoded, not %" G_GINT64_FORMAT, ms,
               song->duration_ms);
  return FALSE;
}

static gboolean
make (EncoreClaim *claim, EncoreHandle *song, const char *url, const EncoreRenditionSpec *as,
      GCancellable *cancellable, GError **error)
{
  const EncoreEntryInfo *info = encore_handle_get_info (song);
  EncorePublish what = {.opus_name = OPUS_NAME,
                        .title = "", /* or it would be found beside its song */
                        .artist = "",
                        .url = url,
                        .duration_ms = info->duration_ms,
                        .loudness_lufs = info->loudness_lufs,
                        .gain_db = info->gain_db,
                        .unplayed = TRUE};
  g_autofree char *path = g_build_filename (encore_claim_get_dir (claim), OPUS_NAME, NULL);
  g_autofree char *id_tag = g_strconcat ("ENCORE_ID=", encore_claim_get_id (claim), NULL);
  g_autofree char *url_tag = g_strconcat ("ENCORE_SOURCE=", url, NULL);
  const char *const comments[] = {id_tag, url_tag, NULL};
  g_autoptr (EncoreReader) reader =
      encore_reader_new (encore_handle_get_fd (song), NULL, NULL, error);
  EncoreEncoded encoded;

  if (reader == NULL || !encode (reader, path, comments, as, cancellable, &encoded, error) ||
      !is_as_long (&encoded, info, error))
    return FALSE;
  what.max_packet_bytes = encoded.max_packet_bytes;
  g_autoptr (EncoreHandle) made = encore_claim_publish (claim, &what, error);
  return made != NULL;
}

/* @song: its lease holds as long as this takes */
static gboolean
make_unless_there (EncoreCache *cache, EncoreHandle *song, const char *stem,
                   const EncoreRenditionSpec *as, GCancellable *cancellable, GError **error)
{
  g_autofree char *sum = check_song (song, error);
  g_autofree char *url = g_strconcat (ENCORE_RENDITION_OF, sum, NULL);
  g_autoptr (EncoreHandle) hit = NULL;
  g_autoptr (GError) local = NULL;
  gboolean there;

  if (sum == NULL || !look_up (cache, stem, url, &there, error))
    return FALSE;
  if (there)
    return TRUE;
  if (!has_room (cache, encore_handle_get_info (song), as->kbps, error))
    return FALSE;
  g_autoptr (EncoreClaim) claim =
      encore_cache_claim (cache, stem, g_get_monotonic_time (), cancellable, &hit, error);
  if (claim == NULL)
    return hit != NULL;
  if (make (claim, song, url, as, cancellable, &local))
    return TRUE;
  encore_claim_fail (claim, local->code, local->message);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

gboolean
encore_rendition_make (EncoreCache *cache, const EncoreMediaId *song, const EncoreRenditionSpec *as,
                       GCancellable *cancellable, GError **error)
{
  g_autofree char *of = encore_media_id_to_stem (song);
  EncoreMediaId id;

  if (!encore_media_id_rendition (song, as->kbps, &id)) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_BAD_ID, "'%s' is too long", of);
    return FALSE;
  }
  g_autofree char *stem = encore_media_id_to_stem (&id);
  if (encore_cache_get_failure (cache, stem, NULL, error))
    return FALSE;
  g_autoptr (EncoreHandle) handle = encore_cache_get (cache, of, FALSE, error);
  return handle != NULL && make_unless_there (cache, handle, stem, as, cancellable, error);
}

/* ---- all of them */

static void
run (gpointer data, gpointer user_data)
{
  Job *job = data;
  EncoreRenditions *self = user_data;
  const gint64 began_us = g_get_monotonic_time ();
  g_autofree char *text = encore_media_id_to_text (&job->song);
  g_autoptr (GError) error = NULL;

  if (!g_cancellable_set_error_if_cancelled (self->closing, &error) &&
      encore_rendition_make (self->cache, &job->song, &job->as, self->closing, &error))
    g_info ("fetch: rendition of %s at %u kbit/s in %dms", text, job->as.kbps,
            (int) ((g_get_monotonic_time () - began_us) / 1000));
  else
    g_info ("fetch: no rendition of %s at %u kbit/s: %s", text, job->as.kbps, error->message);
  g_mutex_lock (&self->mutex);
  g_hash_table_remove (self->jobs, job->key);
  g_mutex_unlock (&self->mutex);
  g_free (job->key);
  g_free (job);
}

void
encore_renditions_ask (EncoreRenditions *self, const EncoreMediaId *song, guint kbps)
{
  g_autofree char *text = encore_media_id_to_text (song);
  g_autofree char *key = g_strdup_printf ("%u %s", kbps, text);

  g_mutex_lock (&self->mutex);
  if (!g_hash_table_contains (self->jobs, key)) {
    Job *job = g_new (Job, 1);
    *job = (Job){*song, {kbps, self->true_peak_dbtp}, g_steal_pointer (&key)};
    g_hash_table_add (self->jobs, job->key);
    g_thread_pool_push (self->pool, job, NULL);
  }
  g_mutex_unlock (&self->mutex);
}

guint
encore_renditions_count (EncoreRenditions *self)
{
  g_mutex_lock (&self->mutex);
  const guint n = g_hash_table_size (self->jobs);
  g_mutex_unlock (&self->mutex);
  return n;
}

EncoreRenditions *
encore_renditions_new (EncoreCache *cache, double true_peak_dbtp, GCancellable *closing)
{
  EncoreRenditions *self = g_new0 (EncoreRenditions, 1);

  self->cache = cache;
  self->true_peak_dbtp = true_peak_dbtp;
  self->closing = closing;
  g_mutex_init (&self->mutex);
  self->jobs = g_hash_table_new (g_str_hash, g_str_equal);
  self->pool = g_thread_pool_new (run, self, 1, FALSE, NULL);
  return self;
}

void
encore_renditions_free (EncoreRenditions *self)
{
  g_thread_pool_free (self->pool, FALSE, TRUE);
  g_hash_table_unref (self->jobs);
  g_mutex_clear (&self->mutex);
  g_free (self);
}
