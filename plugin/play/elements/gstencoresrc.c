/* SPDX-License-Identifier: LGPL-2.1-or-later
 * encoresrc: a file source that finds the file by the song's id. */

/**
 * SECTION:element-encoresrc
 * @title: encoresrc
 * @short_description: bytes of a song in the Encore cache
 *
 * Reads the Ogg Opus file of a song that Encore has cached.  It handles encore:// URIs, so that
 * players take them as they are.  Nothing is fetched: a song that is not in the cache is an error.
 *
 * |[
 * gst-launch-1.0 encoresrc uri=encore://youtube/dQw4w9WgXcQ ! oggdemux ! opusdec ! autoaudiosink
 * gst-play-1.0 encore://youtube/dQw4w9WgXcQ
 * ]|
 */
#include "config.h"
#include "play/elements/gstencoresrc.h"

#include "play/elements/gstencore.h"

GST_DEBUG_CATEGORY_STATIC (encoresrc_debug);
#define GST_CAT_DEFAULT encoresrc_debug

enum { PROP_0, PROP_URI, PROP_CACHE_DIR };

static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS ("audio/ogg"));

struct _GstEncoreSrc {
  GstBaseSrc parent;
  char *uri, *cache_dir; /* object lock */
  EncoreEntry *entry;    /* from start to stop */
  gint flushing;         /* atomic */
};

static void uri_handler_init (gpointer iface, gpointer data);

G_DEFINE_TYPE_WITH_CODE (GstEncoreSrc, gst_encore_src, GST_TYPE_BASE_SRC,
                         G_IMPLEMENT_INTERFACE (GST_TYPE_URI_HANDLER, uri_handler_init))

static gboolean
start (GstBaseSrc *base)
{
  GstEncoreSrc *self = GST_ENCORE_SRC (base);

  self->entry = gst_encore_open_entry (GST_ELEMENT_CAST (self), self->uri, self->cache_dir);
  return self->entry != NULL;
}

static gboolean
stop (GstBaseSrc *base)
{
  g_clear_pointer (&GST_ENCORE_SRC (base)->entry, encore_entry_free);
  return TRUE;
}

/* While the entry grows its size of now is not its size: the base class would end there. */
static gboolean
get_size (GstBaseSrc *base, guint64 *size)
{
  GstEncoreSrc *self = GST_ENCORE_SRC (base);
  gboolean complete = FALSE;

  if (self->entry != NULL)
    *size = encore_reader_get_size (self->entry->reader, &complete);
  return complete;
}

/* Asked by demuxers before start(): everything in the cache is a file. */
static gboolean
is_seekable (GstBaseSrc *base)
{
  return TRUE;
}

static gboolean
unlock (GstBaseSrc *base)
{
  GstEncoreSrc *self = GST_ENCORE_SRC (base);

  g_atomic_int_set (&self->flushing, TRUE);
  if (self->entry != NULL)
    encore_reader_wake (self->entry->reader);
  return TRUE;
}

static gboolean
unlock_stop (GstBaseSrc *base)
{
  g_atomic_int_set (&GST_ENCORE_SRC (base)->flushing, FALSE);
  return TRUE;
}

static GstFlowReturn
fill (GstBaseSrc *base, guint64 offset, guint size, GstBuffer *buffer)
{
  GstEncoreSrc *self = GST_ENCORE_SRC (base);
  g_autoptr (GError) error = NULL;
  GstMapInfo map;

  if (!encore_reader_wait (self->entry->reader, offset, &self->flushing))
    return GST_FLOW_FLUSHING;
  if (!gst_buffer_map (buffer, &map, GST_MAP_WRITE))
    return GST_FLOW_ERROR;
  const gssize n = encore_reader_read (self->entry->reader, offset, map.data, size, &error);
  gst_buffer_unmap (buffer, &map);
  if (n < 0) {
    GST_ELEMENT_ERROR (self, RESOURCE, READ, ("The cached song cannot be read."),
                       ("%s", error->message));
    return GST_FLOW_ERROR;
  }
  GST_LOG_OBJECT (self, "%" G_GSSIZE_FORMAT " bytes at %" G_GUINT64_FORMAT, n, offset);
  if (n == 0)
    return GST_FLOW_EOS;
  gst_buffer_set_size (buffer, n);
  GST_BUFFER_OFFSET (buffer) = offset;
  GST_BUFFER_OFFSET_END (buffer) = offset + n;
  return GST_FLOW_OK;
}

/* ---- properties and the URI handler */

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  GstEncoreSrc *self = GST_ENCORE_SRC (object);

  GST_OBJECT_LOCK (self);
  char **where = id == PROP_URI ? &self->uri : &self->cache_dir;
  g_free (*where);
  *where = g_value_dup_string (value);
  GST_OBJECT_UNLOCK (self);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  GstEncoreSrc *self = GST_ENCORE_SRC (object);

  GST_OBJECT_LOCK (self);
  g_value_set_string (value, id == PROP_URI ? self->uri : self->cache_dir);
  GST_OBJECT_UNLOCK (self);
}

static GstURIType
uri_get_type (GType type)
{
  return GST_URI_SRC;
}

static const char *const *
uri_get_protocols (GType type)
{
  static const char *const protocols[] = {"encore", NULL};

  return protocols;
}

static char *
uri_get (GstURIHandler *handler)
{
  char *uri = NULL;

  g_object_get (handler, "uri", &uri, NULL);
  return uri;
}

static gboolean
uri_set (GstURIHandler *handler, const char *uri, GError **error)
{
  g_autoptr (GError) local = NULL;
  EncoreMediaId id;

  if (GST_STATE (handler) > GST_STATE_READY) {
    g_set_error_literal (error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE,
                         "the song cannot be changed while it plays");
    return FALSE;
  }
  if (!encore_media_id_from_uri (uri, &id, &local)) {
    g_set_error_literal (error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI, local->message);
    return FALSE;
  }
  g_object_set (handler, "uri", uri, NULL);
  return TRUE;
}

static void
uri_handler_init (gpointer iface, gpointer data)
{
  GstURIHandlerInterface *handler = iface;

  handler->get_type = uri_get_type;
  handler->get_protocols = uri_get_protocols;
  handler->get_uri = uri_get;
  handler->set_uri = uri_set;
}

static void
finalize (GObject *object)
{
  GstEncoreSrc *self = GST_ENCORE_SRC (object);

  g_free (self->uri);
  g_free (self->cache_dir);
  G_OBJECT_CLASS (gst_encore_src_parent_class)->finalize (object);
}

static void
gst_encore_src_init (GstEncoreSrc *self)
{
  gst_base_src_set_format (GST_BASE_SRC (self), GST_FORMAT_BYTES);
  gst_base_src_set_dynamic_size (GST_BASE_SRC (self), TRUE);
  gst_base_src_set_blocksize (GST_BASE_SRC (self), 16384);
}

static void
gst_encore_src_class_init (GstEncoreSrcClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSrcClass *base_class = GST_BASE_SRC_CLASS (klass);

  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  base_class->start = start;
  base_class->stop = stop;
  base_class->get_size = get_size;
  base_class->is_seekable = is_seekable;
  base_class->unlock = unlock;
  base_class->unlock_stop = unlock_stop;
  base_class->fill = fill;
  gst_encore_install_entry_properties (object_class, PROP_URI, PROP_CACHE_DIR);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "Encore source", "Source/Audio/File",
                                         "Ogg Opus file of a song in the Encore cache", "Encore");
  GST_DEBUG_CATEGORY_INIT (encoresrc_debug, "encoresrc", 0, "Encore: bytes of a cached song");
}
