/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Many songs at once: playlists of the site, and what the cache has. */
#include "config.h"
#include "bot/encore-command.h"

#include <string.h>

#include "bot/encore-room.h"
#include "bot/encore-text.h"

#define LIST_MAX 10

/* ---- playlist */

typedef struct {
  EncoreRequest request; /* user_name is ours, the rest that points is not set */
} Playlist;

static void
playlist_free (Playlist *self)
{
  g_atomic_int_add (&self->request.plugin->requests, -1);
  g_free (self->request.user_name);
  g_free (self);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Playlist, playlist_free)

static void
on_listed (const EncoreFound *found, guint n, const GError *error, gpointer data)
{
  g_autoptr (Playlist) self = data;
  const EncoreRequest *request = &self->request;
  EncoreRoom *room = encore_room_peek (request->plugin, request);
  g_autoptr (GPtrArray) tracks =
      g_ptr_array_new_with_free_func ((GDestroyNotify) encore_track_free);

  if (error != NULL) {
    encore_command_tell_error (request, error);
    return;
  }
  if (room == NULL) {
    encore_answer (request, "The voice room was left meanwhile.");
    return;
  }
  for (guint i = 0; i < n; i++) {
    EncoreTrack *track =
        encore_track_new (&found[i].id, NULL, request->user, request->user_name, 0);
    track->title = g_strdup (found[i].title);
    track->duration_ms = found[i].duration_ms;
    g_ptr_array_add (tracks, track);
  }
  encore_room_add_all (room, tracks, request);
}

/* "<link> [n]"; N at most playlist_max.  (transfer full) (nullable) */
static char *
parse_list (EncorePlugin *plugin, const char *args, guint *n)
{
  g_auto (GStrv) words = g_strsplit_set (args, " \t", 2);
  const char *rest = words[0] != NULL && words[1] != NULL ? g_strstrip (words[1]) : "";

  *n = plugin->config->playlist_max;
  if (words[0] == NULL || (*rest != '\0' && !encore_command_parse_number (rest, n)))
    return NULL;
  *n = MIN (*n, (guint) plugin->config->playlist_max);
  return encore_link_get_playlist (words[0]);
}

void
encore_command_playlist (EncorePlugin *plugin, const EncoreRequest *request)
{
  guint n;
  g_autofree char *list_id = parse_list (plugin, request->args, &n);

  if (list_id == NULL) {
    encore_command_wrong (request);
    return;
  }
  if (encore_room_for (plugin, request) == NULL)
    return;
  Playlist *self = g_new0 (Playlist, 1);
  self->request = *request;
  self->request.user_name = g_strdup (request->user_name);
  self->request.name = self->request.args = NULL;
  g_atomic_int_inc (&plugin->requests);
  encore_fetch_list (plugin->fetch, list_id, n, plugin->context, on_listed, self);
}

/* ---- cached */

static void
queue_cached (EncorePlugin *plugin, const EncoreRequest *request, const EncoreEntryInfo *info)
{
  EncoreRoom *room = encore_room_for (plugin, request);
  EncoreMediaId id;

  if (room == NULL || !encore_media_id_from_stem (info->id, &id))
    return;
  encore_room_add (
      room, encore_track_new (&id, NULL, request->user, request->user_name, request->received_us),
      request);
}

/* The first song behind PLACE, if there is one; renditions, all of which stand together, are none.
 */
static GPtrArray *
song_after (EncorePlugin *plugin, const char *place, GError **error)
{
  GPtrArray *infos = encore_cache_list_after (plugin->cache, place, 1, error);

  if (infos == NULL || infos->len == 0 ||
      !encore_id_is_rendition (((EncoreEntryInfo *) infos->pdata[0])->id))
    return infos;
  g_ptr_array_unref (infos);
  return encore_cache_list_after (plugin->cache, "cbs", 1, error);
}

/* A song that follows a random place in the order of ids. */
static GPtrArray *
pick_random (EncorePlugin *plugin, GError **error)
{
  static const char letters[] = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
  char place[12] = "";

  for (guint i = 0; i < sizeof place - 1; i++)
    place[i] = letters[g_random_int_range (0, sizeof letters - 1)];
  GPtrArray *infos = song_after (plugin, place, error);
  if (infos == NULL || infos->len > 0)
    return infos;
  g_ptr_array_unref (infos);
  return song_after (plugin, NULL, error);
}

void
encore_command_cached (EncorePlugin *plugin, const EncoreRequest *request)
{
  const gboolean top = strcmp (request->args, "top") == 0;
  const gboolean random = strcmp (request->args, "random") == 0;
  g_autoptr (GError) error = NULL;

  if (*request->args == '\0') {
    encore_command_wrong (request);
    return;
  }
  g_autoptr (GPtrArray) infos =
      top      ? encore_cache_list (plugin->cache, ENCORE_SORT_TOP, 0, LIST_MAX, &error)
      : random ? pick_random (plugin, &error)
               : encore_cache_find (plugin->cache, request->args, LIST_MAX, &error);
  if (infos == NULL)
    encore_command_tell_error (request, error);
  else if (infos->len == 1 && !top) /* nothing to pick from */
    queue_cached (plugin, request, infos->pdata[0]);
  else if (infos->len == 0)
    encore_answer (request, "Nothing in the cache.");
  else
    encore_command_list_songs (plugin, request, infos);
}
