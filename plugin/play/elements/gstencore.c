/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The GStreamer plugin "encore": the same file as the host's plugin, found through a symlink in
 * GStreamer's plugin directory, or registered by the bot. */
#include "config.h"
#include "play/elements/gstencore.h"

#include "play/elements/gstencorepack.h"
#include "play/elements/gstencoresrc.h"
#include "play/elements/gstencoretrack.h"
#include "play/elements/gstencorevoicesink.h"

static gboolean ours; /* this copy's types are registered; set once, before any use */

static gboolean
plugin_init (GstPlugin *plugin)
{
  ours = TRUE;
  return gst_element_register (plugin, "encoresrc", GST_RANK_PRIMARY, GST_TYPE_ENCORE_SRC) &&
         gst_element_register (plugin, "encoretrack", GST_RANK_NONE, GST_TYPE_ENCORE_TRACK) &&
         gst_element_register (plugin, "encorepack", GST_RANK_NONE, GST_TYPE_ENCORE_PACK) &&
         gst_element_register (plugin, "encorevoicesink", GST_RANK_NONE,
                               GST_TYPE_ENCORE_VOICE_SINK);
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, encore,
                   "Songs of the Encore cache, as Opus packets for voice rooms", plugin_init,
                   PACKAGE_VERSION, "LGPL", PACKAGE_NAME, "Encore")

gboolean
gst_encore_register (GError **error)
{
  if (ours)
    return TRUE;
  /* two copies would have two tables of everything: better no music than half of it */
  if (g_type_from_name ("GstEncoreTrack") != 0) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_FAILED,
                         "another copy of the Encore module is loaded in this process as a "
                         "GStreamer plugin: make the one a symlink to the other");
    return FALSE;
  }
  gst_plugin_encore_register ();
  if (!ours)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_FAILED,
                         "GStreamer does not take our elements");
  return ours;
}

void
gst_encore_install_entry_properties (GObjectClass *klass, guint uri, guint cache_dir)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

  g_object_class_install_property (
      klass, uri, g_param_spec_string ("uri", "URI", "The song: encore://youtube/ID", NULL, flags));
  g_object_class_install_property (
      klass, cache_dir,
      g_param_spec_string ("cache-dir", "Cache directory",
                           "The cache to read (unset: $ENCORE_CACHE_DIR, else "
                           "$XDG_CACHE_HOME/encore)",
                           NULL, flags));
}

EncoreEntry *
gst_encore_open_entry (GstElement *element, const char *uri, const char *cache_dir)
{
  g_autoptr (GError) error = NULL;

  if (uri == NULL || *uri == '\0') {
    GST_ELEMENT_ERROR (element, RESOURCE, SETTINGS, ("No song is given."),
                       ("set the property uri, e.g. uri=encore://youtube/ID"));
    return NULL;
  }
  EncoreEntry *entry = encore_entry_open (uri, cache_dir, &error);
  if (entry != NULL)
    return entry;
  if (g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND))
    GST_ELEMENT_ERROR (element, RESOURCE, NOT_FOUND, ("The song is not in the cache."),
                       ("%s", error->message));
  else if (g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_BAD_ID))
    GST_ELEMENT_ERROR (element, RESOURCE, SETTINGS, ("The URI names no song."),
                       ("%s", error->message));
  else
    GST_ELEMENT_ERROR (element, RESOURCE, OPEN_READ, ("The cache cannot be read."),
                       ("%s", error->message));
  return NULL;
}
