/* SPDX-License-Identifier: LGPL-2.1-or-later
 * yt-dlp as a child process.  What people typed reaches it only as a checked id behind "--", or as
 * the words of a search. */
#include "config.h"
#include "fetch/encore-ytdlp.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "base/encore-weblink.h"
#include "fetch/encore-child.h"
#include "fetch/encore-media.h"
#include "fetch/encore-sandbox.h"

#define TITLE_MAX 200
#define WORDS_MAX 200
#define RESOLVE_REQUESTS_MAX 50
/* Requests for a song: so many, and one more for each of these. */
#define MEDIA_REQUESTS_FREE 30
#define PIECE_MIN_BYTES (256 * 1024)
#define FRAGMENT_MIN_BYTES (4 * 1024)
#define YOUTUBE "youtube"
/* Sites that yt-dlp knows by name: the generic extractor would ask any address at all. */
#define OTHER_SITES "default,-generic,-youtube.*"

char *
encore_ytdlp_clean (const char *text, glong max_chars)
{
  g_autofree char *valid = g_utf8_make_valid (text != NULL ? text : "", -1);
  g_autoptr (GString) clean = g_string_new (NULL);
  glong n = 0;

  for (const char *p = valid; *p != '\0' && n < max_chars; p = g_utf8_next_char (p)) {
    const gunichar c = g_utf8_get_char (p);
    const GUnicodeType type = g_unichar_type (c);
    if (type == G_UNICODE_FORMAT || type == G_UNICODE_SURROGATE)
      continue; /* bidi marks and other invisible things */
    if (type == G_UNICODE_CONTROL || g_unichar_isspace (c))
      g_string_append_c (clean, ' ');
    else
      g_string_append_unichar (clean, c);
    n++;
  }
  return g_strstrip (g_string_free (g_steal_pointer (&clean), FALSE));
}

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

static void
take_meta (EncoreDownload *self, JsonObject *info)
{
  const char *artist = get_text (info, "uploader");

  encore_download_clear (self);
  self->has_meta = take_id (self, info);
  self->title = encore_ytdlp_clean (get_text (info, "title"), TITLE_MAX);
  self->artist =
      encore_ytdlp_clean (artist != NULL ? artist : get_text (info, "channel"), TITLE_MAX);
  self->duration_ms = get_number (info, "duration", 1000);
  self->live_status = g_strdup (get_text (info, "live_status"));
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

EncoreError
encore_ytdlp_classify (const char *err_text, char **message)
{
  g_auto (GStrv) lines = g_strsplit (err_text, "\n", -1);
  const char *last = err_text;

  for (char **line = lines; *line != NULL; line++)
    if (g_str_has_prefix (*line, "ERROR:") || strstr (*line, "error: ") != NULL)
      last = *line;
  g_autofree char *lower = g_utf8_strdown (last, -1);
  *message = encore_ytdlp_clean (last, TITLE_MAX);
  for (gsize i = 0; i < G_N_ELEMENTS (CLASSES); i++)
    if (strstr (lower, CLASSES[i].text) != NULL)
      return CLASSES[i].code;
  return ENCORE_ERROR_FAILED;
}

/* Warnings are no errors; a usage error or a crash has no "ERROR:". */
static gboolean
says_error (const char *err_text)
{
  return strstr (err_text, "ERROR:") != NULL || strstr (err_text, "error: ") != NULL ||
         g_str_has_prefix (err_text, "Traceback") || g_str_has_prefix (err_text, "bwrap: ");
}

static void
set_failure (const char *err_text, GError **error)
{
  g_autofree char *message = NULL;
  const EncoreError code = encore_ytdlp_classify (err_text, &message);

  /* whatever it is, it is not yt-dlp */
  if (*message == '\0')
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_NO_PROGRAM,
                 "the program for the option ytdlp ended without a word");
  else
    g_set_error (error, ENCORE_ERROR, code, "yt-dlp: %s", message);
}

/* ---- arguments */

static void
add (GPtrArray *argv, const char *first, ...)
{
  va_list args;

  va_start (args, first);
  for (const char *arg = first; arg != NULL; arg = va_arg (args, const char *))
    g_ptr_array_add (argv, g_strdup (arg));
  va_end (args);
}

static void
add_network (GPtrArray *argv, const EncoreConfig *config)
{
  add (argv, "--socket-timeout", "15", "--retries", "3", "--extractor-retries", "2", "--proxy",
       config->proxy, NULL);
}

/* The cookie file is rewritten by yt-dlp at its exit: it gets a copy. */
static gboolean
add_cookies (GPtrArray *argv, const EncoreConfig *config, const char *home, GError **error)
{
  g_autofree char *copy = g_build_filename (home, "cookies.txt", NULL);
  g_autofree char *content = NULL;
  gsize len;
  g_autoptr (GError) local = NULL;

  if (*config->cookies == '\0')
    return TRUE;
  /* CONSISTENT: without it a shorter file keeps the tail of the longer one (GLib 2.74) */
  if (!g_file_get_contents (config->cookies, &content, &len, &local) ||
      !g_file_set_contents_full (copy, content, len, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                 &local)) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CONFIG, "cookies: %s", local->message);
    return FALSE;
  }
  add (argv, "--cookies", copy, NULL);
  return TRUE;
}

/* The admin's own arguments come after ours and before "--". */
static gboolean
add_extra (GPtrArray *argv, const EncoreConfig *config, GError **error)
{
  g_auto (GStrv) extra = NULL;
  g_autoptr (GError) local = NULL;

  if (*config->ytdlp_args == '\0')
    return TRUE;
  if (!g_shell_parse_argv (config->ytdlp_args, NULL, &extra, &local)) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CONFIG, "ytdlp_args: %s", local->message);
    return FALSE;
  }
  for (char **arg = extra; *arg != NULL; arg++)
    add (argv, *arg, NULL);
  return TRUE;
}

/* What to choose and what to tell: for both ways. */
static void
add_choice (GPtrArray *argv, const EncoreConfig *config, const char *ytdlp_cache,
            const char *extractors)
{
  g_autofree char *filter =
      g_strdup_printf ("live_status!=is_live & live_status!=is_upcoming & live_status!=post_live & "
                       "duration<=?%" G_GINT64_FORMAT,
                       config->max_duration_ms / 1000);

  add (argv, "--ignore-config", "--cache-dir", ytdlp_cache, "--use-extractors", extractors,
       "--no-playlist", "--playlist-items", "1", "--quiet", "--no-color", "--print",
       "pre_process:{\"event\":\"meta\",\"info\":%(.{id,title,uploader,channel,duration,"
       "live_status,extractor_key,webpage_url})j}",
       "--match-filters", filter, "--format", "ba[acodec=opus]/ba[acodec^=mp4a]/ba/b", NULL);
}

static void
add_resolve (GPtrArray *argv)
{
  add (argv, "--print",
       "video:{\"event\":\"media\",\"fragments\":%(fragments&1|0)s,\"info\":%(.{format_id,ext,url,"
       "http_headers,cookies,filesize,protocol,vcodec,downloader_options,available_at})j}",
       NULL);
}

static void
add_fetch (GPtrArray *argv, const EncoreConfig *config)
{
  g_autofree char *max_bytes = g_strdup_printf ("%" G_GINT64_FORMAT, config->max_bytes);
  g_autofree char *rate = g_strdup_printf ("%" G_GINT64_FORMAT, config->rate_limit_bytes_per_s);

  add (argv, "--no-simulate", "--newline", "--progress", "--print-traffic", "--progress-template",
       "download:{\"event\":\"progress\",\"done\":%(progress.downloaded_bytes|0)d,"
       "\"total\":%(progress.total_bytes,progress.total_bytes_estimate|0)d}",
       "--print",
       "before_dl:{\"event\":\"format\",\"info\":%(.{format_id,ext,filesize,protocol,vcodec})j}",
       "--print", "after_move:{\"event\":\"done\",\"path\":%(filepath)j}", "--max-filesize",
       max_bytes, "--fragment-retries", "3", "--file-access-retries", "1",
       "--abort-on-unavailable-fragments", "--no-overwrites", "--no-mtime", "--fixup", "never",
       "--buffer-size", "64K", "--no-resize-buffer", "--output", "media.%(ext)s", NULL);
  if (config->rate_limit_bytes_per_s > 0)
    add (argv, "--limit-rate", rate, NULL);
}

/* A home of its own: plugins and settings of the service's user are code that is not ours. */
char **
encore_ytdlp_make_environment (const EncoreConfig *config, const char *home)
{
  char **envp = g_new0 (char *, 1);

  envp = g_environ_setenv (envp, "PATH", config->ytdlp_path, TRUE);
  envp = g_environ_setenv (envp, "LANG", "C.UTF-8", TRUE);
  envp = g_environ_setenv (envp, "HOME", home, TRUE);
  return g_environ_setenv (envp, "XDG_CONFIG_HOME", home, TRUE);
}

/* @ytdlp_cache: (nullable) */
static gboolean
run (const EncoreConfig *config, GPtrArray *argv, const char *dir, const char *ytdlp_cache,
     gint64 deadline_us, GCancellable *cancellable, EncoreLineFunc line, gpointer data,
     char **err_text, GError **error)
{
  g_autofree char *home = g_build_filename (dir, "home", NULL);
  g_auto (GStrv) envp = encore_ytdlp_make_environment (config, home);
  g_autofree char *program = encore_child_find (config->ytdlp, envp, error);
  const char *const writable[] = {dir, ytdlp_cache, NULL};

  if (program == NULL)
    return FALSE;
  g_auto (GStrv) wrapped = encore_sandbox_wrap (config, (char **) argv->pdata, program, writable);
  const EncoreChildSpec spec = {.argv = wrapped,
                                .envp = envp,
                                .cwd = dir,
                                .max_file_bytes = config->max_bytes,
                                .first_ms = config->resolve_timeout_ms,
                                .stall_ms = config->stall_ms,
                                .deadline_us = deadline_us};

  return encore_child_run (&spec, cancellable, line, data, err_text, error);
}

char **
encore_ytdlp_make_resolve_argv (const EncoreConfig *config, const char *ytdlp_cache,
                                const char *home, GError **error)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);

  add_choice (argv, config, ytdlp_cache, YOUTUBE);
  add_resolve (argv);
  add_network (argv, config);
  if (!add_cookies (argv, config, home, error) || !add_extra (argv, config, error))
    return NULL;
  g_ptr_array_add (argv, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&argv), FALSE);
}

/* No "done" line although it ended: refused by our own filter, or an error.  ERROR is not NULL. */
static void
explain (const EncoreConfig *config, const EncoreDownload *out, const char *err_text,
         GError **error)
{
  if (out->file != NULL)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_FAILED,
                         "the site answered with an id that is none");
  else if (!out->has_meta || says_error (err_text))
    set_failure (err_text, error);
  else if (g_strcmp0 (out->live_status, "is_upcoming") == 0)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_UPCOMING, "not out yet");
  else if (g_strcmp0 (out->live_status, "is_live") == 0 ||
           g_strcmp0 (out->live_status, "post_live") == 0)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_LIVE, "a live stream");
  else if (out->duration_ms > config->max_duration_ms)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_TOO_LONG, "longer than max_duration");
  else if (out->announced_bytes > config->max_bytes)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_TOO_BIG, "larger than max_bytes");
  else
    set_failure (err_text, error);
  /* the song is there, only its address was refused */
  if (out->has_format && g_error_matches (*error, ENCORE_ERROR, ENCORE_ERROR_GONE))
    (*error)->code = ENCORE_ERROR_FORBIDDEN;
}

static void
clear (EncoreDownload *out)
{
  encore_download_clear (out);
  out->done_bytes = out->total_bytes = out->last_bytes = out->announced_bytes = 0;
  out->has_meta = out->has_format = out->is_fragments = out->is_sound_only = FALSE;
  out->requests = 0;
}

/* Asks for the song, and fetches it if FETCH.  DATA: of LINE.  Returns: FALSE if it could not be
 * asked at all. */
static gboolean
run_song (const EncoreDownloadSpec *spec, gboolean fetch, EncoreDownload *out,
          GCancellable *cancellable, EncoreLineFunc line, gpointer data, char **err_text,
          GError **error)
{
  const EncoreConfig *config = spec->config;
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *url =
      spec->url != NULL ? g_strdup (spec->url) : encore_media_id_to_url (spec->id);
  g_autofree char *home = g_build_filename (spec->dir, "home", NULL);

  clear (out);
  g_mkdir (home, 0700);
  add (argv, config->ytdlp, NULL);
  add_choice (argv, config, spec->ytdlp_cache, spec->url != NULL ? OTHER_SITES : YOUTUBE);
  if (fetch)
    add_fetch (argv, config);
  else
    add_resolve (argv);
  add_network (argv, config);
  if (!add_cookies (argv, config, home, error) || !add_extra (argv, config, error))
    return FALSE;
  add (argv, "--", url, NULL);
  g_ptr_array_add (argv, NULL);
  return run (config, argv, spec->dir, spec->ytdlp_cache, spec->deadline_us, cancellable, line,
              data, err_text, error);
}

gboolean
encore_download_by_ytdlp (const EncoreDownloadSpec *spec, EncoreDownload *out, GError **error)
{
  g_autofree char *err_text = NULL;

  if (!run_song (spec, TRUE, out, spec->cancellable, encore_ytdlp_take_line, out, &err_text, error))
    return FALSE;
  if (out->file != NULL && out->has_meta)
    return TRUE;
  if (out->file != NULL) /* without an id two songs would be one */
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_FAILED,
                         "yt-dlp told no id that is one for what it downloaded");
  else
    explain (spec->config, out, err_text, error);
  return FALSE;
}

typedef struct {
  EncoreDownload *out;
  GCancellable *enough;
} Resolve;

/* Its last line is all we want: its end takes yt-dlp another tenth of a second. */
static int
take_resolve_line (const char *line, gpointer data)
{
  const Resolve *self = data;
  const int progress = encore_ytdlp_take_line (line, self->out);

  if (self->out->media.ext != NULL)
    g_cancellable_cancel (self->enough);
  return progress;
}

static void
pass_on (GCancellable *cancellable, gpointer enough)
{
  g_cancellable_cancel (enough);
}

/* Returns: FALSE if it could not be asked at all. */
static gboolean
resolve_by_process (const EncoreDownloadSpec *spec, EncoreDownload *out, char **err_text,
                    GError **error)
{
  g_autoptr (GCancellable) enough = g_cancellable_new ();
  Resolve data = {out, enough};
  gulong handler = 0;
  g_autoptr (GError) local = NULL;

  if (spec->cancellable != NULL)
    handler = g_cancellable_connect (spec->cancellable, G_CALLBACK (pass_on), enough, NULL);
  gboolean ok = run_song (spec, FALSE, out, enough, take_resolve_line, &data, err_text, &local);
  if (handler != 0)
    g_cancellable_disconnect (spec->cancellable, handler);
  if (!ok && out->media.ext != NULL && !g_cancellable_is_cancelled (spec->cancellable))
    ok = TRUE;
  if (!ok)
    g_propagate_error (error, g_steal_pointer (&local));
  return ok;
}

/* Returns: FALSE with NO_PROGRAM: try another way. */
static gboolean
resolve_by_worker (const EncoreDownloadSpec *spec, EncoreDownload *out, char **err_text,
                   GError **error)
{
  g_autofree char *url = encore_media_id_to_url (spec->id);

  clear (out);
  return encore_worker_ask (spec->worker, url, spec->deadline_us, spec->cancellable,
                            encore_ytdlp_take_line, out, err_text, error);
}

/* Returns: FALSE if it could not be asked at all. */
static gboolean
resolve (const EncoreDownloadSpec *spec, EncoreDownload *out, char **err_text, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (spec->worker == NULL || spec->url != NULL)
    return resolve_by_process (spec, out, err_text, error);
  if (resolve_by_worker (spec, out, err_text, &local))
    return TRUE;
  if (g_error_matches (local, ENCORE_ERROR, ENCORE_ERROR_NO_PROGRAM)) {
    g_debug ("fetch: %s: a yt-dlp of its own", local->message);
    return resolve_by_process (spec, out, err_text, error);
  }
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

gboolean
encore_ytdlp_resolve (const EncoreDownloadSpec *spec, EncoreDownload *out, GError **error)
{
  g_autofree char *err_text = NULL;

  if (!resolve (spec, out, &err_text, error))
    return FALSE;
  if (out->has_meta && out->media.ext != NULL)
    return TRUE;
  /* an answer that is not understood: it may do by itself what it does not tell us */
  if (!says_error (err_text) && (!out->has_meta || out->media.ext != NULL)) {
    out->media.plain = FALSE;
    return TRUE;
  }
  explain (spec->config, out, err_text, error);
  return FALSE;
}

/* ---- search and playlist */

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

static int
take_hit (const char *line, gpointer data)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *object = parse_line (parser, line);
  EncoreMediaId id;

  if (object == NULL)
    return ENCORE_LINE_NOTHING;
  const char *text = get_text (object, "id");
  if (text == NULL || !encore_media_id_from_youtube (text, &id))
    return ENCORE_LINE_NOTHING;
  g_autofree char *title = encore_ytdlp_clean (get_text (object, "title"), TITLE_MAX);
  if (!is_hidden (title))
    g_ptr_array_add (data, encore_hit_new (&id, title, get_number (object, "duration", 1000)));
  return ENCORE_LINE_PROGRESS;
}

/* One flat request.  TARGET is ours: "ytsearchN:" and words, or an address. */
static GPtrArray *
ask_flat (const EncoreConfig *config, const char *extractors, guint limit, const char *target,
          const char *dir, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) hits = g_ptr_array_new_with_free_func (encore_hit_free);
  g_autofree char *home = g_build_filename (dir, "home", NULL);
  g_autofree char *end = g_strdup_printf ("%u", limit);
  g_autofree char *err_text = NULL;
  const gint64 deadline_us = g_get_monotonic_time () + config->resolve_timeout_ms * 1000;

  g_mkdir (home, 0700);
  add (argv, config->ytdlp, "--ignore-config", "--no-cache-dir", "--use-extractors", extractors,
       "--quiet", "--no-color", "--flat-playlist", "--yes-playlist", "--playlist-end", end,
       "--print", "%(.{id,title,duration})j", NULL);
  add_network (argv, config);
  if (!add_cookies (argv, config, home, error) || !add_extra (argv, config, error))
    return NULL;
  add (argv, "--", target, NULL);
  g_ptr_array_add (argv, NULL);
  if (!run (config, argv, dir, NULL, deadline_us, cancellable, take_hit, hits, &err_text, error))
    return NULL;
  if (hits->len > 0)
    return g_steal_pointer (&hits);
  if (says_error (err_text))
    set_failure (err_text, error);
  else
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND, "nothing was found");
  return NULL;
}

GPtrArray *
encore_ytdlp_search (const EncoreConfig *config, const char *words, guint limit, const char *dir,
                     GCancellable *cancellable, GError **error)
{
  g_autofree char *clean = encore_ytdlp_clean (words, WORDS_MAX);
  g_autofree char *query = g_strdup_printf ("ytsearch%u:%s", limit, clean);

  return ask_flat (config, "youtube:search,youtube", limit, query, dir, cancellable, error);
}

GPtrArray *
encore_ytdlp_list (const EncoreConfig *config, const char *list_id, guint limit, const char *dir,
                   GCancellable *cancellable, GError **error)
{
  g_autofree char *url = g_strconcat ("https://www.youtube.com/playlist?list=", list_id, NULL);

  return ask_flat (config, "youtube:tab,youtube:playlist,youtube", limit, url, dir, cancellable,
                   error);
}
