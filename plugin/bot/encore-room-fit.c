/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Songs for voices that take less than they have.
 *
 * The first time such a song is encoded anew while it is played; meanwhile it is made once more at
 * a constant rate that fits, which the next play takes as it is.  At another volume than 100 it is
 * encoded anew all the same, and then better from the song itself. */
#include "config.h"
#include "bot/encore-room-private.h"

#include <string.h>

#include "bot/encore-heal.h"

#define KBPS_STEP 2 /* a whole number of bytes in 20 ms, and fewer renditions of one song */
#define KBPS_MIN 8
#define KBPS_MAX 256
#define PAGE_BYTES 37 /* of Ogg, for 200 ms */

/* Of songs that keep to the limit as a whole only some packets are encoded anew: not worth a
 * rendition. */
static gboolean
is_too_much (const EncoreEntryInfo *info, guint max_bps)
{
  const gint64 bytes = info->opus_bytes - info->duration_ms / 200 * PAGE_BYTES;

  return info->duration_ms > 0 && bytes * 8 * 1000 / info->duration_ms > max_bps;
}

/* Made from the very file that is cached now?  Without its checksum only who reads it all can tell.
 */
static gboolean
is_of (EncoreHandle *rendition, const EncoreEntryInfo *song)
{
  const char *url = encore_handle_get_info (rendition)->url;

  return *song->sha256 != '\0' && g_str_has_prefix (url, ENCORE_RENDITION_OF) &&
         strcmp (url + strlen (ENCORE_RENDITION_OF), song->sha256) == 0;
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
encore_room_fit (EncoreRoom *self, const EncoreTrack *track, EncoreHandle *song,
                 EncoreMediaId *entry)
{
  const EncoreEntryInfo *info = encore_handle_get_info (song);
  EncoreMediaId id;
  guint kbps;

  *entry = track->id;
  if (track->unfit || !needs_rendition (self, track, info, &id, &kbps))
    return song;
  g_autofree char *stem = encore_media_id_to_stem (&id);
  EncoreHandle *handle = encore_cache_get (self->plugin->cache, stem, FALSE, NULL);
  if (handle != NULL && is_of (handle, info)) {
    encore_handle_free (song);
    *entry = id;
    return handle;
  }
  encore_handle_free (handle);
  encore_fetch_rendition (self->plugin->fetch, &track->id, kbps);
  return song;
}

gboolean
encore_room_fit_broke (EncoreRoom *self, const GError *error)
{
  EncoreTrack *track = self->current;

  if (encore_media_id_equal (&self->entry, &track->id))
    return FALSE;
  g_warning ("play: %s: %s; the song itself goes on", self->entry.id, error->message);
  encore_heal (self->plugin, self->chat, &self->entry, encore_track_get_name (track));
  track->unfit = track->counted = TRUE;
  encore_room_get_current (self, &track->start_ms, NULL);
  self->hold = self->paused;
  self->song = 0;
  encore_room_forget_next (self);
  encore_room_start_current (self);
  return TRUE;
}

void
encore_room_fit_next_time (EncoreRoom *self, const EncoreTrack *track, EncoreHandle *song)
{
  EncoreMediaId id;
  guint kbps;

  if (needs_rendition (self, track, encore_handle_get_info (song), &id, &kbps))
    encore_fetch_rendition (self->plugin->fetch, &track->id, kbps);
}
