/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Songs for voices that take less than they have.
 *
 * The first time such a song is encoded anew while it is played; meanwhile it is made once more at
 * a constant rate that fits, which the next play takes as it is.  At another volume than 100 it is
 * encoded anew all the same, and then better from the song itself. */
#include "config.h"
#include "bot/encore-room-private.h"

#include <string.h>

#define KBPS_STEP 2 /* a whole number of bytes in 20 ms, and fewer renditions of one song */
#define KBPS_MIN 8
#define KBPS_MAX 128

/* Of songs whose packets are near the limit only some are encoded anew: not worth a rendition. */
static gboolean
is_too_much (const EncoreEntryInfo *info, guint max_bps)
{
  return info->duration_ms > 0 &&
         info->opus_bytes * 8 * 1000 / info->duration_ms > max_bps / 10 * 9;
}

/* Made from the very file that is cached now? */
static gboolean
is_of (EncoreHandle *rendition, const EncoreEntryInfo *song)
{
  const char *url = encore_handle_get_info (rendition)->url;

  return g_str_has_prefix (url, "sha256:") && strcmp (url + strlen ("sha256:"), song->sha256) == 0;
}

/* Is another file to be played of TRACK than its own, which INFO tells of?  Its id and rate then.
 */
static gboolean
needs_rendition (EncoreRoom *self, const EncoreTrack *track, const EncoreEntryInfo *info,
                 EncoreMediaId *id, guint *kbps)
{
  const guint max_bps = encore_host_voice_get_max_bps (self->plugin->host, self->id);

  *kbps = MIN (max_bps / 1000 / KBPS_STEP * KBPS_STEP, KBPS_MAX);
  return self->plugin->config->rendition && self->volume_percent == 100 && *kbps >= KBPS_MIN &&
         is_too_much (info, max_bps) && encore_media_id_rendition (&track->id, *kbps, id);
}

EncoreHandle *
encore_room_fit (EncoreRoom *self, EncoreTrack *track, EncoreHandle *song)
{
  EncoreCache *cache = self->plugin->cache;
  const EncoreEntryInfo *info = encore_handle_get_info (song);
  EncoreMediaId id;
  guint kbps;

  track->entry = track->id;
  if (!needs_rendition (self, track, info, &id, &kbps))
    return song;
  g_autofree char *stem = encore_media_id_to_stem (&id);
  EncoreHandle *handle = encore_cache_get (cache, stem, FALSE, NULL);
  if (handle != NULL && is_of (handle, info)) {
    encore_handle_free (song);
    track->entry = id;
    return handle;
  }
  if (handle != NULL) { /* of what was cached before */
    encore_handle_free (handle);
    encore_cache_remove (cache, stem, NULL);
  }
  encore_fetch_rendition (self->plugin->fetch, &track->id, kbps);
  return song;
}

void
encore_room_fit_next_time (EncoreRoom *self, const EncoreTrack *track, EncoreHandle *song)
{
  EncoreMediaId id;
  guint kbps;

  if (needs_rendition (self, track, encore_handle_get_info (song), &id, &kbps))
    encore_fetch_rendition (self->plugin->fetch, &track->id, kbps);
}
