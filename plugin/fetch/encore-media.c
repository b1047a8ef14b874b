/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The "media" event of yt-dlp. */
#include "config.h"
#include "fetch/encore-media.h"

#include <string.h>

#define NAME_MAX_BYTES 32
#define VALUE_MAX_BYTES 4096
#define BYTES_MAX (G_GINT64_CONSTANT (1) << 50)
#define TIME_MAX_S (G_GINT64_CONSTANT (1) << 40)

void
encore_media_clear (EncoreMedia *self)
{
  g_free (self->url);
  g_free (self->format_id);
  g_free (self->ext);
  g_strfreev (self->headers);
  g_strfreev (self->cookies);
  *self = (EncoreMedia){0};
}

/* TEXT if it is made of OTHERS and ASCII letters and digits, else FALLBACK. */
static char *
take_name (const char *text, const char *others, const char *fallback)
{
  gsize n = 0;

  while (text != NULL && (g_ascii_isalnum (text[n]) || (text[n] && strchr (others, text[n]))))
    n++;
  return g_strdup (n > 0 && n <= NAME_MAX_BYTES && text[n] == '\0' ? text : fallback);
}

/* Neither ends a line nor looks like more than one field. */
static gboolean
is_field (const char *text)
{
  gsize n = 0;

  while ((guint8) text[n] >= 0x20 && text[n] != 0x7f)
    n++;
  return text[n] == '\0' && n <= VALUE_MAX_BYTES;
}

/* ---- headers */

/* These are ours to say. */
static gboolean
is_own_header (const char *name)
{
  static const char *const own[] = {
      "accept-encoding", "connection", "content-length",    "expect",  "host", "if-range",
      "range",           "te",         "transfer-encoding", "upgrade", NULL};
  g_autofree char *lower = g_ascii_strdown (name, -1);

  return g_strv_contains (own, lower);
}

static char **
take_headers (JsonObject *headers)
{
  g_autoptr (GStrvBuilder) lines = g_strv_builder_new ();
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;

  if (headers != NULL)
    json_object_iter_init (&iter, headers);
  while (headers != NULL && json_object_iter_next (&iter, &name, &node)) {
    const char *value = JSON_NODE_HOLDS_VALUE (node) ? json_node_get_string (node) : NULL;
    if (value == NULL || *name == '\0' || strpbrk (name, ": \t;") != NULL || !is_field (name) ||
        !is_field (value) || is_own_header (name))
      continue;
    g_autofree char *line = g_strconcat (name, ": ", value, NULL);
    g_strv_builder_add (lines, line);
  }
  return g_strv_builder_end (lines);
}

/* ---- cookies: "name=value; Domain=.site; Path=/; Secure; Expires=N; name=value; ..." */

typedef struct {
  const char *name, *value, *domain, *path;
  gboolean secure;
  gint64 expires_s;
} Cookie;

/* A cookie without a domain would be sent to whomever we are redirected to. */
static void
end_cookie (GStrvBuilder *lines, Cookie *cookie)
{
  if (cookie->name != NULL && cookie->domain != NULL && *cookie->domain != '\0') {
    g_autofree char *line = g_strdup_printf (
        "%s\t%s\t%s\t%s\t%" G_GINT64_FORMAT "\t%s\t%s", cookie->domain,
        *cookie->domain == '.' ? "TRUE" : "FALSE", cookie->path != NULL ? cookie->path : "/",
        cookie->secure ? "TRUE" : "FALSE", cookie->expires_s, cookie->name, cookie->value);
    g_strv_builder_add (lines, line);
  }
  *cookie = (Cookie){0};
}

static void
take_part (GStrvBuilder *lines, Cookie *cookie, char *part)
{
  char *value = strchr (part, '=');

  if (value != NULL)
    *value++ = '\0';
  if (g_ascii_strcasecmp (part, "Secure") == 0 && value == NULL) {
    cookie->secure = TRUE;
  } else if (value == NULL || g_ascii_strcasecmp (part, "Version") == 0) {
    return;
  } else if (g_ascii_strcasecmp (part, "Domain") == 0) {
    cookie->domain = value;
  } else if (g_ascii_strcasecmp (part, "Path") == 0) {
    cookie->path = value;
  } else if (g_ascii_strcasecmp (part, "Expires") == 0) {
    cookie->expires_s = CLAMP (g_ascii_strtoll (value, NULL, 10), 0, TIME_MAX_S);
  } else {
    end_cookie (lines, cookie);
    cookie->name = part;
    cookie->value = value;
  }
}

static char **
take_cookies (const char *text)
{
  g_autoptr (GStrvBuilder) lines = g_strv_builder_new ();
  Cookie cookie = {0};

  if (text != NULL && is_field (text)) {
    g_auto (GStrv) parts = g_strsplit (text, ";", -1);
    for (char **part = parts; *part != NULL; part++)
      take_part (lines, &cookie, g_strstrip (*part));
    end_cookie (lines, &cookie);
  }
  return g_strv_builder_end (lines);
}

/* ---- all of it */

/* The site chooses the types, too. */
static JsonNode *
get_value (JsonObject *object, const char *key)
{
  JsonNode *node = json_object_get_member (object, key);

  return node != NULL && JSON_NODE_HOLDS_VALUE (node) ? node : NULL;
}

static const char *
get_text (JsonObject *object, const char *key)
{
  JsonNode *node = get_value (object, key);

  return node != NULL ? json_node_get_string (node) : NULL;
}

/* From 0 to MAX; else 0, which is "unknown". */
static gint64
get_number (JsonObject *object, const char *key, gint64 max)
{
  JsonNode *node = get_value (object, key);
  const double number = node != NULL ? json_node_get_double (node) : 0;

  return number > 0 && number < max ? (gint64) number : 0;
}

/* Only a plain 0 says that there are none. */
static gboolean
has_fragments (JsonObject *event)
{
  JsonNode *node = get_value (event, "fragments");

  return node == NULL || json_node_get_value_type (node) != G_TYPE_INT64 ||
         json_node_get_int (node) != 0;
}

static JsonObject *
get_object (JsonObject *object, const char *key)
{
  JsonNode *node = json_object_get_member (object, key);

  return node != NULL && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

/* The name of a protocol is what yt-dlp makes of the address; the address counts, too. */
static gboolean
is_http (const char *protocol, const char *url)
{
  return protocol != NULL && url != NULL && is_field (url) && strchr (url, ' ') == NULL &&
         (strcmp (protocol, "http") == 0 || strcmp (protocol, "https") == 0) &&
         (g_ascii_strncasecmp (url, "http://", 7) == 0 ||
          g_ascii_strncasecmp (url, "https://", 8) == 0);
}

void
encore_media_take (EncoreMedia *self, JsonObject *event)
{
  JsonObject *info = get_object (event, "info");

  encore_media_clear (self);
  if (info == NULL)
    return;
  const char *url = get_text (info, "url");
  JsonObject *options = get_object (info, "downloader_options");
  self->plain = is_http (get_text (info, "protocol"), url) && !has_fragments (event);
  self->url = self->plain ? g_strdup (url) : NULL;
  self->format_id = take_name (get_text (info, "format_id"), "_-", "unknown");
  self->ext = take_name (get_text (info, "ext"), "", "bin");
  self->headers = take_headers (get_object (info, "http_headers"));
  self->cookies = take_cookies (get_text (info, "cookies"));
  self->bytes = get_number (info, "filesize", BYTES_MAX);
  self->available_at_s = get_number (info, "available_at", TIME_MAX_S);
  if (options != NULL)
    self->piece_bytes = get_number (options, "http_chunk_size", BYTES_MAX);
}
