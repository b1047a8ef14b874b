/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What yt-dlp says: its lines, and what it complains of.  All of it is the site's words. */
#include "config.h"
#include "fetch/encore-ytdlp.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "base/encore-clean.h"
#include "base/encore-weblink.h"
#include "fetch/encore-child.h"
#include "fetch/encore-media.h"

#define TITLE_MAX 200
#define RESOLVE_REQUESTS_MAX 50
/* Requests for a song: so many, and one more for each of these. */
#define MEDIA_REQUESTS_FREE 30
#define PIECE_MIN_BYTES (256 * 1024)
#define FRAGMENT_MIN_BYTES (4 * 1024)

/* ---- answers */

/* The site chooses the types, too: json-glib's own getters want to know them before. */
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

/* From 0 to a number that fits; else 0, which is "unknown". */
static gint64
get_number (JsonObject *object, const char *key, gint64 factor)
{
  JsonNode *node = get_value (object, key);
  const double number = node != NULL ? factor * json_node_get_double (node) : 0;

  return number > 0 && number < (double) (G_MAXINT64 / 2) ? (gint64) number : 0;
}

/* Other sites' ids are of any form, and each other's: the address of the page is the name. */
static gboolean
take_id (EncoreDownload *self, JsonObject *info)
{
  const char *id = get_text (info, "id"), *site = get_text (info, "extractor_key");
  g_autofree char *url = encore_weblink_parse (get_text (info, "webpage_url"));

  if (site != NULL && strcmp (site, "Youtube") != 0) {
    self->url = g_steal_pointer (&url);
    return self->url != NULL && encore_weblink_to_id (site, self->url, &self->id);
  }
  if (id == NULL || !encore_media_id_from_youtube (id, &self->id))
    return FALSE;
  self->url = encore_media_id_to_url (&self->id);
  return TRUE;
}

/* yt-dlp appends " 2026-11-26 07:31" to the title of a stream. */
static void
cut_date (char *title)
{
  static const char form[] = " 0000-00-00 00:00";
  const gsize len = strlen (title), n = sizeof form - 1;

  if (len <= n)
    return;
  char *date = title + len - n;
  for (gsize i = 0; i < n; i++)
    if (form[i] == '0' ? !g_ascii_isdigit (date[i]) : date[i] != form[i])
      return;
  *date = '\0';
}

static void
take_meta (EncoreDownload *self, JsonObject *info)
{
  const char *artist = get_text (info, "uploader");

  encore_download_clear (self);
  self->has_meta = take_id (self, info);
  self->title = encore_clean (get_text (info, "title"), TITLE_MAX);
  self->artist = encore_clean (artist != NULL ? artist : get_text (info, "channel"), TITLE_MAX);
  self->duration_ms = get_number (info, "duration", 1000);
  self->live_status = g_strdup (get_text (info, "live_status"));
  if (g_strcmp0 (self->live_status, "is_live") == 0)
    cut_date (self->title);
  self->meta_us = g_get_monotonic_time ();
}

/* Progress is a byte more than ever before: a server that closes early makes yt-dlp ask for the
 * same bytes for ever. */
static gboolean
take_progress (EncoreDownload *self, JsonObject *event)
{
  self->done_bytes = get_number (event, "done", 1);
  self->total_bytes = get_number (event, "total", 1);
  if (self->done_bytes <= self->last_bytes)
    return FALSE;
  self->last_bytes = self->done_bytes;
  return TRUE;
}

static void
take_format (EncoreDownload *self, JsonObject *info)
{
  const char *protocol = get_text (info, "protocol");

  self->announced_bytes = get_number (info, "filesize", 1);
  self->is_fragments =
      protocol != NULL && !g_str_equal (protocol, "http") && !g_str_equal (protocol, "https");
  self->is_sound_only = g_strcmp0 (get_text (info, "vcodec"), "none") == 0;
  self->has_format = TRUE;
  self->requests = 0;
}

static void
take_media (EncoreDownload *self, JsonObject *event, JsonObject *info)
{
  encore_media_take (&self->media, event);
  self->announced_bytes = self->media.bytes;
  self->is_sound_only = info != NULL && g_strcmp0 (get_text (info, "vcodec"), "none") == 0;
}

/* A server that closes early makes yt-dlp ask again at once, for ever, and no clock is fast enough
 * for that: what it asks is counted. */
static int
take_request (EncoreDownload *self)
{
  const gint64 piece_bytes = self->is_fragments ? FRAGMENT_MIN_BYTES : PIECE_MIN_BYTES;
  const gint64 max = self->has_format ? MEDIA_REQUESTS_FREE + self->last_bytes / piece_bytes
                                      : RESOLVE_REQUESTS_MAX;

  return ++self->requests > max ? ENCORE_LINE_VAIN : ENCORE_LINE_NOTHING;
}

static int
take_event (EncoreDownload *self, JsonObject *event)
{
  const char *kind = get_text (event, "event"), *path = get_text (event, "path");
  JsonNode *node = json_object_get_member (event, "info");
  JsonObject *info =
      node != NULL && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  gboolean progress = TRUE;

  if (g_strcmp0 (kind, "meta") == 0 && info != NULL) {
    take_meta (self, info);
  } else if (g_strcmp0 (kind, "format") == 0 && info != NULL) {
    take_format (self, info);
  } else if (g_strcmp0 (kind, "media") == 0) {
    take_media (self, event, info);
  } else if (g_strcmp0 (kind, "progress") == 0) {
    progress = take_progress (self, event);
  } else if (g_strcmp0 (kind, "done") == 0 && path != NULL) {
    g_free (self->file);
    self->file = g_path_get_basename (path);
  } else {
    return ENCORE_LINE_NOTHING;
  }
  if (self->changed != NULL)
    self->changed (self->data);
  return progress ? ENCORE_LINE_PROGRESS : ENCORE_LINE_NOTHING;
}

/* Returns: (transfer none) (nullable): what PARSER made of a line that is an object. */
static JsonObject *
parse_line (JsonParser *parser, const char *line)
{
  if (*line != '{' || !json_parser_load_from_data (parser, line, -1, NULL) ||
      !JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser)))
    return NULL;
  return json_node_get_object (json_parser_get_root (parser));
}

int
encore_ytdlp_take_line (const char *line, gpointer data)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *event;

  if (g_str_has_prefix (line, "send: "))
    return take_request (data);
  event = parse_line (parser, line);
  return event != NULL ? take_event (data, event) : ENCORE_LINE_NOTHING;
}

/* ---- errors */

static const struct {
  const char *text; /* in lower case */
  EncoreError code;
} CLASSES[] = {
    /* the limit's text also says "Video unavailable": first */
    {"not a bot", ENCORE_ERROR_THROTTLED},
    {"http error 429", ENCORE_ERROR_THROTTLED},
    {"try again later", ENCORE_ERROR_THROTTLED},
    {"rate-limited", ENCORE_ERROR_THROTTLED},
    {"captcha", ENCORE_ERROR_THROTTLED},
    {"playlist does not exist", ENCORE_ERROR_NOT_FOUND},
    {"private video", ENCORE_ERROR_PRIVATE},
    {"members-only", ENCORE_ERROR_PRIVATE},
    {"join this channel", ENCORE_ERROR_PRIVATE},
    {"confirm your age", ENCORE_ERROR_AGE},
    {"inappropriate", ENCORE_ERROR_AGE},
    {"available in your country", ENCORE_ERROR_GEO},
    {"live event will begin", ENCORE_ERROR_UPCOMING},
    {"premieres in", ENCORE_ERROR_UPCOMING},
    {"drm", ENCORE_ERROR_DRM},
    {"requested format is not available", ENCORE_ERROR_NO_AUDIO},
    {"no video formats found", ENCORE_ERROR_NO_AUDIO},
    {"http error 403", ENCORE_ERROR_FORBIDDEN},
    {"video unavailable", ENCORE_ERROR_GONE},
    {"removed", ENCORE_ERROR_GONE},
    {"copyright", ENCORE_ERROR_GONE},
    {"terminated", ENCORE_ERROR_GONE},
    {"http error 404", ENCORE_ERROR_GONE},
    {"http error 410", ENCORE_ERROR_GONE},
    {"errno 28", ENCORE_ERROR_NO_SPACE},
    {"errno 122", ENCORE_ERROR_NO_SPACE}, /* a quota */
    {"errno 27", ENCORE_ERROR_TOO_BIG},
    {"no such option", ENCORE_ERROR_NO_PROGRAM},
    {"no module named", ENCORE_ERROR_NO_PROGRAM},
    {"bwrap: ", ENCORE_ERROR_NO_PROGRAM},
    {"gzipped file",
     ENCORE_ERROR_CORRUPT}, /* "Not a gzipped file", though it says that it is one */
    {"urls are explicitly disabled", ENCORE_ERROR_FAILED},
    {"unknown url type", ENCORE_ERROR_FAILED},
    {"http error 5", ENCORE_ERROR_NETWORK},
    {"infinite loop", ENCORE_ERROR_NETWORK},               /* of redirections */
    {"did not get any data blocks", ENCORE_ERROR_NETWORK}, /* closed before the first one */
    {"fragment ", ENCORE_ERROR_NETWORK}, /* "fragment N not found, unable to continue" */
    {"no such file or directory: 'media.", ENCORE_ERROR_NETWORK}, /* reset before the first block */
    {"urlopen error", ENCORE_ERROR_NETWORK},
    {"transporterror", ENCORE_ERROR_NETWORK},
    {"timed out", ENCORE_ERROR_NETWORK},
    {"connection refused", ENCORE_ERROR_NETWORK},
    {"connection reset", ENCORE_ERROR_NETWORK},
    {"name or service", ENCORE_ERROR_NETWORK},
    {"expected", ENCORE_ERROR_NETWORK}, /* "Downloaded N bytes, expected M bytes" */
};

/* TEXT is "error: [site] ID: what went wrong", and what was asked for, which people choose, may
 * have any of the words above in it.  Returns: (transfer none): what went wrong. */
static const char *
find_reason (const char *text, const char *asked)
{
  g_autofree char *lower = g_utf8_strdown (asked, -1);
  const char *reason = g_str_has_prefix (text, "error: [") ? strstr (text, "] ") : NULL;
  const char *end = reason != NULL ? strstr (reason, ": ") : NULL;
  const char *found = *lower != '\0' ? strstr (text, lower) : NULL;

  if (found == NULL)
    return end != NULL ? end : text;
  found += strlen (lower);
  return end != NULL ? MAX (end, found) : found;
}

EncoreError
encore_ytdlp_classify (const char *err_text, const char *asked, char **message)
{
  g_auto (GStrv) lines = g_strsplit (err_text, "\n", -1);
  const char *last = err_text;

  for (char **line = lines; *line != NULL; line++)
    if (g_str_has_prefix (*line, "ERROR:") || strstr (*line, "error: ") != NULL)
      last = *line;
  g_autofree char *lower = g_utf8_strdown (last, -1);
  *message = encore_clean (last, TITLE_MAX);
  const char *reason = find_reason (lower, asked);
  for (gsize i = 0; i < G_N_ELEMENTS (CLASSES); i++)
    if (strstr (reason, CLASSES[i].text) != NULL)
      return CLASSES[i].code;
  return ENCORE_ERROR_FAILED;
}

/* A usage error or a crash has no "ERROR:". */
gboolean
encore_ytdlp_says_error (const char *err_text)
{
  return strstr (err_text, "ERROR:") != NULL || strstr (err_text, "error: ") != NULL ||
         g_str_has_prefix (err_text, "Traceback") || g_str_has_prefix (err_text, "bwrap: ");
}

void
encore_ytdlp_set_failure (const char *err_text, const char *asked, GError **error)
{
  g_autofree char *message = NULL;
  const EncoreError code = encore_ytdlp_classify (err_text, asked, &message);

  /* whatever it is, it is not yt-dlp */
  if (*message == '\0')
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_NO_PROGRAM,
                 "the program for the option ytdlp ended without a word");
  else
    g_set_error (error, ENCORE_ERROR, code, "yt-dlp: %s", message);
}

/* ---- hits */

EncoreHit *
encore_hit_new (const EncoreMediaId *id, const char *title, gint64 duration_ms)
{
  EncoreHit *hit = g_new (EncoreHit, 1);

  *hit = (EncoreHit){*id, g_strdup (title), duration_ms};
  return hit;
}

void
encore_hit_free (gpointer data)
{
  EncoreHit *hit = data;

  g_free (hit->title);
  g_free (hit);
}

/* A playlist shows what nobody may see, by this name only. */
static gboolean
is_hidden (const char *title)
{
  return strcmp (title, "[Private video]") == 0 || strcmp (title, "[Deleted video]") == 0;
}

int
encore_ytdlp_take_hit (const char *line, gpointer data)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *object = parse_line (parser, line);
  EncoreMediaId id;

  if (object == NULL)
    return ENCORE_LINE_NOTHING;
  const char *text = get_text (object, "id");
  if (text == NULL || !encore_media_id_from_youtube (text, &id))
    return ENCORE_LINE_NOTHING;
  g_autofree char *title = encore_clean (get_text (object, "title"), TITLE_MAX);
  if (!is_hidden (title))
    g_ptr_array_add (data, encore_hit_new (&id, title, get_number (object, "duration", 1000)));
  return ENCORE_LINE_PROGRESS;
}
