/* SPDX-License-Identifier: LGPL-2.1-or-later
 * From an id to bytes. */
#include "config.h"
#include "play/encore-entry.h"

EncoreEntry *
encore_entry_new (const EncoreMediaId *id, EncoreHandle *handle, GError **error)
{
  const EncoreEntryInfo *info = encore_handle_get_info (handle);
  g_autoptr (EncoreEntry) self = g_new0 (EncoreEntry, 1);

  self->id = *id;
  self->title = g_strdup (info->title);
  self->artist = g_strdup (info->artist);
  self->duration_ms = info->duration_ms;
  self->reader = encore_reader_new_handle (handle, error);
  return self->reader != NULL ? g_steal_pointer (&self) : NULL;
}

EncoreEntry *
encore_entry_new_growing (const EncoreMediaId *id, EncoreReader *reader, const char *title,
                          gint64 duration_ms)
{
  EncoreEntry *self = g_new0 (EncoreEntry, 1);

  self->id = *id;
  self->title = g_strdup (title != NULL ? title : "");
  self->artist = g_strdup ("");
  self->duration_ms = duration_ms;
  self->reader = encore_reader_ref (reader);
  return self;
}

EncoreEntry *
encore_entry_open (const char *uri, const char *cache_dir, GError **error)
{
  EncoreMediaId id;

  if (!encore_media_id_from_uri (uri, &id, error))
    return NULL;
  if (cache_dir == NULL)
    cache_dir = g_getenv ("ENCORE_CACHE_DIR");
  g_autofree char *dir = cache_dir != NULL && *cache_dir != '\0'
                             ? g_strdup (cache_dir)
                             : g_build_filename (g_get_user_cache_dir (), "encore", NULL);
  const EncoreCacheOptions options = {.dir = dir, .read_only = TRUE};
  g_autoptr (EncoreCache) cache = encore_cache_open (&options, error);
  if (cache == NULL)
    return NULL;
  g_autofree char *stem = encore_media_id_to_stem (&id);
  EncoreHandle *handle = encore_cache_get (cache, stem, FALSE, error);
  if (handle == NULL) {
    g_prefix_error (error, "cache %s: ", dir);
    return NULL;
  }
  return encore_entry_new (&id, handle, error);
}

void
encore_entry_free (EncoreEntry *self)
{
  if (self == NULL)
    return;
  g_clear_pointer (&self->reader, encore_reader_unref);
  g_free (self->title);
  g_free (self->artist);
  g_free (self);
}
