/* SPDX-License-Identifier: LGPL-2.1-or-later
 * yt-dlp as a child process.  What people typed reaches it only as a checked id behind "--", or as
 * the words of a search. */
#include "config.h"
#include "fetch/encore-ytdlp.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "fetch/encore-child.h"

#define TITLE_MAX 200
#define WORDS_MAX 200

void
encore_ytdlp_clear (EncoreYtdlp *self)
{
  g_clear_pointer (&self->title, g_free);
  g_clear_pointer (&self->artist, g_free);
  g_clear_pointer (&self->live_status, g_free);
  g_clear_pointer (&self->file, g_free);
}

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

static const char *
get_text (JsonObject *object, const char *key)
{
  return json_object_get_string_member_with_default (object, key, NULL);
}

static void
take_meta (EncoreYtdlp *self, JsonObject *info)
{
  const char *artist = get_text (info, "uploader");
  const char *id = get_text (info, "id");

  encore_ytdlp_clear (self);
  self->has_meta = id != NULL && encore_media_id_from_youtube (id, &self->id);
  self->title = encore_ytdlp_clean (get_text (info, "title"), TITLE_MAX);
  self->artist =
      encore_ytdlp_clean (artist != NULL ? artist : get_text (info, "channel"), TITLE_MAX);
  self->duration_ms = 1000 * json_object_get_double_member_with_default (info, "duration", 0);
  self->live_status = g_strdup (get_text (info, "live_status"));
  self->meta_us = g_get_monotonic_time ();
}

/* Progress is a byte more than ever before: a server that closes early makes yt-dlp ask for the
 * same bytes for ever. */
static gboolean
take_progress (EncoreYtdlp *self, JsonObject *event)
{
  self->done_bytes = json_object_get_int_member_with_default (event, "done", 0);
  self->total_bytes = json_object_get_int_member_with_default (event, "total", 0);
  if (self->done_bytes <= self->last_bytes)
    return FALSE;
  self->last_bytes = self->done_bytes;
  return TRUE;
}

gboolean
encore_ytdlp_take_line (const char *line, gpointer data)
{
  EncoreYtdlp *self = data;
  g_autoptr (JsonParser) parser = json_parser_new ();

  if (*line != '{' || !json_parser_load_from_data (parser, line, -1, NULL) ||
      !JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser)))
    return FALSE;
  JsonObject *event = json_node_get_object (json_parser_get_root (parser));
  const char *kind = json_object_get_string_member_with_default (event, "event", "");
  JsonNode *node = json_object_get_member (event, "info");
  JsonObject *info =
      node != NULL && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  gboolean progress = TRUE;

  if (strcmp (kind, "meta") == 0 && info != NULL) {
    take_meta (self, info);
  } else if (strcmp (kind, "format") == 0 && info != NULL) {
    self->announced_bytes = json_object_get_int_member_with_default (info, "filesize", 0);
  } else if (strcmp (kind, "progress") == 0) {
    progress = take_progress (self, event);
  } else if (strcmp (kind, "done") == 0 && get_text (event, "path") != NULL) {
    g_free (self->file);
    self->file = g_path_get_basename (get_text (event, "path"));
  } else {
    return FALSE;
  }
  if (self->changed != NULL)
    self->changed (self->data);
  return progress;
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
    {"errno 28", ENCORE_ERROR_NO_SPACE},
    {"errno 122", ENCORE_ERROR_NO_SPACE}, /* a quota */
    {"errno 27", ENCORE_ERROR_TOO_BIG},
    {"no such option", ENCORE_ERROR_NO_PROGRAM},
    {"no module named", ENCORE_ERROR_NO_PROGRAM},
    {"http error 5", ENCORE_ERROR_NETWORK},
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
         g_str_has_prefix (err_text, "Traceback");
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
  if (!g_file_get_contents (config->cookies, &content, &len, &local) ||
      !g_file_set_contents_full (copy, content, len, G_FILE_SET_CONTENTS_NONE, 0600, &local)) {
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

static void
add_fetch (GPtrArray *argv, const EncoreConfig *config, const char *ytdlp_cache)
{
  g_autofree char *filter =
      g_strdup_printf ("live_status!=is_live & live_status!=is_upcoming & live_status!=post_live & "
                       "duration<=?%" G_GINT64_FORMAT,
                       config->max_duration_ms / 1000);
  g_autofree char *max_bytes = g_strdup_printf ("%" G_GINT64_FORMAT, config->max_bytes);
  g_autofree char *rate = g_strdup_printf ("%" G_GINT64_FORMAT, config->rate_limit_bytes_per_s);

  add (argv, "--ignore-config", "--cache-dir", ytdlp_cache, "--use-extractors", "youtube",
       "--no-playlist", "--quiet", "--no-simulate", "--no-color", "--newline", "--progress",
       "--progress-template",
       "download:{\"event\":\"progress\",\"done\":%(progress.downloaded_bytes|0)d,"
       "\"total\":%(progress.total_bytes,progress.total_bytes_estimate|0)d}",
       "--print",
       "pre_process:{\"event\":\"meta\",\"info\":%(.{id,title,uploader,channel,duration,"
       "live_status})j}",
       "--print", "before_dl:{\"event\":\"format\",\"info\":%(.{format_id,ext,filesize})j}",
       "--print", "after_move:{\"event\":\"done\",\"path\":%(filepath)j}", "--match-filters",
       filter, "--format", "ba[acodec=opus]/ba[acodec^=mp4a]/ba/b", "--max-filesize", max_bytes,
       "--fragment-retries", "3", "--file-access-retries", "1", "--abort-on-unavailable-fragments",
       "--no-overwrites", "--no-mtime", "--fixup", "never", "--buffer-size", "64K",
       "--no-resize-buffer", "--output", "media.%(ext)s", NULL);
  if (config->rate_limit_bytes_per_s > 0)
    add (argv, "--limit-rate", rate, NULL);
}

/* A home of its own: plugins and settings of the service's user are code that is not ours. */
static char **
make_environment (const EncoreConfig *config, const char *home)
{
  char **envp = g_new0 (char *, 1);

  envp = g_environ_setenv (envp, "PATH", config->ytdlp_path, TRUE);
  envp = g_environ_setenv (envp, "LANG", "C.UTF-8", TRUE);
  envp = g_environ_setenv (envp, "HOME", home, TRUE);
  return g_environ_setenv (envp, "XDG_CONFIG_HOME", home, TRUE);
}

static gboolean
run (const EncoreConfig *config, GPtrArray *argv, const char *dir, gint64 deadline_us,
     GCancellable *cancellable, EncoreLineFunc line, gpointer data, char **err_text, GError **error)
{
  g_autofree char *home = g_build_filename (dir, "home", NULL);
  g_auto (GStrv) envp = make_environment (config, home);
  const EncoreChildSpec spec = {.argv = (char **) argv->pdata,
                                .envp = envp,
                                .cwd = dir,
                                .max_file_bytes = config->max_bytes,
                                .first_ms = config->resolve_timeout_ms,
                                .stall_ms = config->stall_ms,
                                .deadline_us = deadline_us};

  return encore_child_run (&spec, cancellable, line, data, err_text, error);
}

/* No "done" line although it ended: refused by our own filter, or an error. */
static void
explain (const EncoreConfig *config, const EncoreYtdlp *out, const char *err_text, GError **error)
{
  if (!out->has_meta || says_error (err_text))
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
}

gboolean
encore_ytdlp_download (const EncoreConfig *config, const EncoreMediaId *id, const char *dir,
                       const char *ytdlp_cache, gint64 deadline_us, GCancellable *cancellable,
                       EncoreYtdlp *out, GError **error)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *url = encore_media_id_to_url (id);
  g_autofree char *home = g_build_filename (dir, "home", NULL);
  g_autofree char *err_text = NULL;

  g_mkdir (home, 0700);
  add (argv, config->ytdlp, NULL);
  add_fetch (argv, config, ytdlp_cache);
  add_network (argv, config);
  if (!add_cookies (argv, config, home, error) || !add_extra (argv, config, error))
    return FALSE;
  add (argv, "--", url, NULL);
  g_ptr_array_add (argv, NULL);
  if (!run (config, argv, dir, deadline_us, cancellable, encore_ytdlp_take_line, out, &err_text,
            error))
    return FALSE;
  if (out->file != NULL && out->has_meta)
    return TRUE;
  if (out->file != NULL) /* without an id two songs would be one */
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_FAILED,
                         "yt-dlp told no id that is one for what it downloaded");
  else
    explain (config, out, err_text, error);
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

static gboolean
take_hit (const char *line, gpointer data)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  EncoreMediaId id;

  if (*line != '{' || !json_parser_load_from_data (parser, line, -1, NULL) ||
      !JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser)))
    return FALSE;
  JsonObject *object = json_node_get_object (json_parser_get_root (parser));
  const char *text = get_text (object, "id");
  if (text == NULL || !encore_media_id_from_youtube (text, &id))
    return FALSE;
  g_autofree char *title = encore_ytdlp_clean (get_text (object, "title"), TITLE_MAX);
  const double duration_s = json_object_get_double_member_with_default (object, "duration", 0);
  if (!is_hidden (title))
    g_ptr_array_add (data, encore_hit_new (&id, title, 1000 * duration_s));
  return TRUE;
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
  if (!run (config, argv, dir, deadline_us, cancellable, take_hit, hits, &err_text, error))
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
