/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Tags by GstDiscoverer, and yt-dlp's sidecar.
 *
 * A link counts only where it is all there is in a tag for the origin: descriptions are full of
 * links to other songs. */
#include "config.h"
#include "import/encore-probe.h"

#include <fcntl.h>
#include <gst/gst.h>
#include <gst/pbutils/pbutils.h>
#include <json-glib/json-glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encore-clean.h"
#include "sound/encore-announced.h"

#define PATIENCE (10 * GST_SECOND)
#define TEXT_MAX 200                    /* characters */
#define ID3_FRAME "private-id3v2-frame" /* GStreamer's tag for those that it does not know */
#define SIDECAR_MAX (16 * 1024 * 1024)

void
encore_probe_clear (EncoreProbe *self)
{
  g_clear_pointer (&self->title, g_free);
  g_clear_pointer (&self->artist, g_free);
}

/* ---- what names an id */

static void
take_link (EncoreProbe *self, const char *text)
{
  if (!self->has_id && strstr (text, "youtu") != NULL)
    self->has_id = encore_media_id_from_user (text, &self->id);
}

/* A comment "KEY=value". */
static void
take_comment (EncoreProbe *self, const char *key, const char *value)
{
  static const char *const origins[] = {"purl", "comment", "url", "source", "encore_source"};

  if (g_ascii_strcasecmp (key, "encore_id") == 0) {
    EncoreMediaId id;
    if (encore_media_id_from_youtube (value, &id)) { /* ours: nothing is surer */
      self->id = id;
      self->has_id = TRUE;
    }
    return;
  }
  for (gsize i = 0; i < G_N_ELEMENTS (origins); i++)
    if (g_ascii_strcasecmp (key, origins[i]) == 0)
      take_link (self, value);
}

/* ID3v2 TXXX: encoding, description, NUL, value.  ffmpeg writes PURL and COMMENT so. */
static void
take_user_text (EncoreProbe *self, const guint8 *frame, gsize len)
{
  g_autofree char *text = NULL;
  gsize n = 0;

  if (len < 12 || memcmp (frame, "TXXX", 4) != 0)
    return;
  const guint8 encoding = frame[10];
  const char *body = (const char *) frame + 11;
  if (encoding == 1 || encoding == 2)
    text =
        g_convert (body, len - 11, "UTF-8", encoding == 1 ? "UTF-16" : "UTF-16BE", NULL, &n, NULL);
  else
    text = g_memdup2 (body, n = len - 11);
  const char *end = text != NULL ? memchr (text, '\0', n) : NULL;
  if (end == NULL)
    return;
  g_autofree char *value = g_strndup (end + 1, text + n - (end + 1));
  /* in UTF-16 the value has a mark of its own */
  take_comment (self, text, g_str_has_prefix (value, "\xef\xbb\xbf") ? value + 3 : value);
}

/* ---- tags */

static void
take_text (const GstTagList *tags, const char *tag, char **to)
{
  g_autofree char *text = NULL;

  if (*to != NULL || !gst_tag_list_get_string (tags, tag, &text))
    return;
  g_autofree char *clean = encore_clean (text, TEXT_MAX);
  if (*clean != '\0')
    *to = g_steal_pointer (&clean);
}

static void
take_strings (EncoreProbe *self, const GstTagList *tags, const char *tag)
{
  const char *value;

  for (guint i = 0; gst_tag_list_peek_string_index (tags, tag, i, &value); i++) {
    const char *equals = strchr (value, '=');
    if (strcmp (tag, GST_TAG_EXTENDED_COMMENT) != 0) {
      take_link (self, value);
    } else if (equals != NULL) {
      g_autofree char *key = g_strndup (value, equals - value);
      take_comment (self, key, equals + 1);
    }
  }
}

static void
take_frames (EncoreProbe *self, const GstTagList *tags)
{
  GstSample *sample;

  for (guint i = 0; gst_tag_list_get_sample_index (tags, ID3_FRAME, i, &sample); i++) {
    GstMapInfo map;
    GstBuffer *buffer = gst_sample_get_buffer (sample);
    if (buffer != NULL && gst_buffer_map (buffer, &map, GST_MAP_READ)) {
      take_user_text (self, map.data, map.size);
      gst_buffer_unmap (buffer, &map);
    }
    gst_sample_unref (sample);
  }
}

static void
take_tags (EncoreProbe *self, const GstTagList *tags)
{
  if (tags == NULL)
    return;
  take_text (tags, GST_TAG_TITLE, &self->title);
  take_text (tags, GST_TAG_ARTIST, &self->artist);
  take_text (tags, GST_TAG_ALBUM_ARTIST, &self->artist);
  take_strings (self, tags, GST_TAG_EXTENDED_COMMENT);
  take_frames (self, tags);
  take_strings (self, tags, GST_TAG_COMMENT);
  take_strings (self, tags, GST_TAG_LOCATION);
  take_strings (self, tags, GST_TAG_DESCRIPTION); /* so ffmpeg calls a comment in Ogg and FLAC */
}

static void
discover (int fd, EncoreProbe *self)
{
  g_autofree char *uri = g_strdup_printf ("file:///proc/self/fd/%d", fd);
  g_autoptr (GstDiscoverer) discoverer = NULL;
  g_autoptr (GstDiscovererInfo) info = NULL;
  g_autoptr (GstDiscovererStreamInfo) container = NULL;

  if (!gst_init_check (NULL, NULL, NULL))
    return;
  discoverer = gst_discoverer_new (PATIENCE, NULL);
  info = discoverer != NULL ? gst_discoverer_discover_uri (discoverer, uri, NULL) : NULL;
  if (info == NULL)
    return;
  container = gst_discoverer_info_get_stream_info (info);
  if (container != NULL && GST_IS_DISCOVERER_CONTAINER_INFO (container))
    take_tags (self,
               gst_discoverer_container_info_get_tags (GST_DISCOVERER_CONTAINER_INFO (container)));
  GList *streams = gst_discoverer_info_get_stream_list (info);
  for (GList *each = streams; each != NULL; each = each->next)
    take_tags (self, gst_discoverer_stream_info_get_tags (each->data));
  gst_discoverer_stream_info_list_free (streams);
}

gboolean
encore_probe_file (int fd, EncoreProbe *out, GError **error)
{
  memset (out, 0, sizeof *out);
  /* first: on an MP4 file without its index GStreamer now and then waits for ever */
  if (!encore_announced_ms (fd, &out->announced_ms, error))
    return FALSE;
  discover (fd, out);
  return TRUE;
}

/* ---- the sidecar */

static char *
read_small (int dirfd, const char *name, gsize *len)
{
  const int fd = openat (dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  struct stat st;
  char *text = NULL;

  if (fd >= 0 && fstat (fd, &st) == 0 && S_ISREG (st.st_mode) && st.st_size <= SIDECAR_MAX) {
    text = g_malloc (st.st_size + 1);
    const gssize n = pread (fd, text, st.st_size, 0);
    *len = MAX (n, 0);
    text[*len] = '\0';
  }
  if (fd >= 0)
    close (fd);
  return text;
}

static const char *
get_text (JsonObject *object, const char *key)
{
  JsonNode *node = json_object_get_member (object, key);

  return node != NULL && JSON_NODE_HOLDS_VALUE (node) &&
                 json_node_get_value_type (node) == G_TYPE_STRING
             ? json_node_get_string (node)
             : NULL;
}

static void
fill (JsonObject *object, const char *key, char **to)
{
  const char *text = get_text (object, key);

  if (*to != NULL || text == NULL)
    return;
  g_autofree char *clean = encore_clean (text, TEXT_MAX);
  if (*clean != '\0')
    *to = g_steal_pointer (&clean);
}

static void
take_sidecar (EncoreProbe *self, JsonObject *object)
{
  const char *site = get_text (object, "extractor_key");
  const char *text = get_text (object, "id");
  JsonNode *duration = json_object_get_member (object, "duration");
  EncoreMediaId id;

  if (g_strcmp0 (site, "Youtube") != 0 || text == NULL || !encore_media_id_from_youtube (text, &id))
    return;
  if (self->has_id && !encore_media_id_equal (&self->id, &id))
    return; /* of another song */
  self->id = id;
  self->has_id = TRUE;
  fill (object, "title", &self->title);
  fill (object, "artist", &self->artist);
  fill (object, "uploader", &self->artist);
  if (self->announced_ms == 0 && duration != NULL && JSON_NODE_HOLDS_VALUE (duration)) {
    const double seconds = json_node_get_double (duration);
    self->announced_ms = seconds > 0 && seconds < G_MAXINT ? (gint64) (seconds * 1000) : 0;
  }
}

void
encore_probe_sidecar (int dirfd, const char *base, EncoreProbe *probe)
{
  g_autofree char *name = g_strconcat (base, ".info.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  gsize len = 0;
  g_autofree char *text = read_small (dirfd, name, &len);

  if (text == NULL || !json_parser_load_from_data (parser, text, len, NULL))
    return;
  JsonNode *root = json_parser_get_root (parser);
  if (root != NULL && JSON_NODE_HOLDS_OBJECT (root))
    take_sidecar (probe, json_node_get_object (root));
}
