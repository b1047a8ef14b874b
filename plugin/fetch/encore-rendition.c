/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "fetch/encore-rendition.h"

#include "fetch/encore-encode.h"
#include "fetch/encore-opus-file.h"

#define OPUS_NAME "song.opus"

typedef struct {
  EncoreMediaId song;
  guint kbps;
  char *key;
} Job;

struct EncoreRenditions {
  EncoreCache *cache;
  GCancellable *closing;
  GThreadPool *pool;
  GMutex mutex;
  GHashTable *jobs; /* keys of those that are not made yet */
};

/* ---- one */

static gboolean
encode (EncoreReader *song, const char *path, const char *const *comments, guint kbps,
        GCancellable *cancellable, EncoreEncoded *out, GError **error)
{
  const EncoreEncodeSpec spec = {.bitrate_bps = kbps * 1000, .constant = TRUE, .growing = song};
  EncoreOpusFile *file = encore_opus_file_new (path, error);

  if (file == NULL)
    return FALSE;
  g_autoptr (EncoreOggWriter) writer = encore_ogg_writer_new (encore_opus_file_write, file);
  const gboolean ok = encore_encode (NULL, &spec, writer, comments, cancellable, out, error);
  encore_opus_file_close (file);
  return ok;
}

/* @handle: (transfer full): of the song */
static gboolean
make (EncoreClaim *claim, EncoreHandle *handle, guint kbps, GCancellable *cancellable,
      GError **error)
{
  const EncoreEntryInfo *info = encore_handle_get_info (handle);
  EncorePublish what = {.opus_name = OPUS_NAME,
                        .title = "", /* or it would be found beside its song */
                        .artist = "",
                        .duration_ms = info->duration_ms,
                        .loudness_lufs = info->loudness_lufs,
                        .gain_db = info->gain_db};
  g_autofree char *path = g_build_filename (encore_claim_get_dir (claim), OPUS_NAME, NULL);
  g_autofree char *url = g_strconcat ("sha256:", info->sha256, NULL);
  g_autofree char *id_tag = g_strconcat ("ENCORE_ID=", encore_claim_get_id (claim), NULL);
  g_autofree char *url_tag = g_strconcat ("ENCORE_SOURCE=", url, NULL);
  const char *const comments[] = {id_tag, url_tag, NULL};
  g_autoptr (EncoreReader) song = encore_reader_new_handle (handle, error);
  EncoreEncoded encoded;

  if (song == NULL || !encode (song, path, comments, kbps, cancellable, &encoded, error))
    return FALSE;
  what.url = url;
  what.max_packet_bytes = encoded.max_packet_bytes;
  g_autoptr (EncoreHandle) made = encore_claim_publish (claim, &what, error);
  return made != NULL;
}

gboolean
encore_rendition_make (EncoreCache *cache, const EncoreMediaId *song, guint kbps,
                       GCancellable *cancellable, GError **error)
{
  g_autofree char *of = encore_media_id_to_stem (song);
  g_autoptr (EncoreHandle) hit = NULL;
  g_autoptr (GError) local = NULL;
  EncoreMediaId id;

  if (!encore_media_id_rendition (song, kbps, &id)) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_BAD_ID, "'%s' is too long", of);
    return FALSE;
  }
  g_autofree char *stem = encore_media_id_to_stem (&id);
  if (encore_cache_get_failure (cache, stem, NULL, error))
    return FALSE;
  EncoreHandle *handle = encore_cache_get (cache, of, FALSE, error);
  if (handle == NULL)
    return FALSE;
  g_autoptr (EncoreClaim) claim =
      encore_cache_claim (cache, stem, g_get_monotonic_time (), cancellable, &hit, error);
  if (claim == NULL) {
    encore_handle_free (handle);
    return hit != NULL;
  }
  if (make (claim, handle, kbps, cancellable, &local))
    return TRUE;
  encore_claim_fail (claim, local->code, local->message);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
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
      encore_rendition_make (self->cache, &job->song, job->kbps, self->closing, &error))
    g_info ("fetch: rendition of %s at %u kbit/s in %dms", text, job->kbps,
            (int) ((g_get_monotonic_time () - began_us) / 1000));
  else
    g_info ("fetch: no rendition of %s at %u kbit/s: %s", text, job->kbps, error->message);
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
    *job = (Job){*song, kbps, g_steal_pointer (&key)};
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
encore_renditions_new (EncoreCache *cache, GCancellable *closing)
{
  EncoreRenditions *self = g_new0 (EncoreRenditions, 1);

  self->cache = cache;
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
