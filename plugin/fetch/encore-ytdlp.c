/* SPDX-License-Identifier: LGPL-2.1-or-later
 * yt-dlp as a child process.  What people typed reaches it only as a checked id behind "--", or as
 * the words of a search. */
#include "config.h"
#include "fetch/encore-ytdlp.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/encore-clean.h"
#include "fetch/encore-child.h"
#include "fetch/encore-sandbox.h"

#define WORDS_MAX 200
#define STREAM_OUTPUT \
  "ffmpeg_o:-map 0:a:0 -c:a copy -f matroska -cluster_time_limit 500 -flush_packets 1"
#define META \
  "pre_process:{\"event\":\"meta\",\"info\":%(.{id,title,uploader,channel,duration," \
  "live_status,extractor_key,webpage_url})j}"
#define YOUTUBE "youtube"
/* Sites that yt-dlp knows by name: the generic extractor would ask any address at all. */
#define OTHER_SITES "default,-generic,-youtube.*"

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
       "--no-playlist", "--playlist-items", "1", "--quiet", "--no-color", "--print", META,
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

/* @ytdlp_cache: (nullable).  @bytes: (nullable) */
static gboolean
run (const EncoreConfig *config, GPtrArray *argv, const char *dir, const char *ytdlp_cache,
     gint64 deadline_us, GCancellable *cancellable, EncoreBytesFunc bytes, EncoreLineFunc line,
     gpointer data, char **err_text, GError **error)
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
                                .bytes = bytes,
                                .max_file_bytes = bytes == NULL ? config->max_bytes : 0,
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
explain (const EncoreDownloadSpec *spec, const EncoreDownload *out, const char *err_text,
         GError **error)
{
  const EncoreConfig *config = spec->config;
  const char *asked = spec->url != NULL ? spec->url : "";

  if (out->file != NULL)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_FAILED,
                         "the site answered with an id that is none");
  else if (!out->has_meta || encore_ytdlp_says_error (err_text))
    encore_ytdlp_set_failure (err_text, asked, error);
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
    encore_ytdlp_set_failure (err_text, asked, error);
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
  return run (config, argv, spec->dir, spec->ytdlp_cache, spec->deadline_us, cancellable, NULL,
              line, data, err_text, error);
}

gboolean
encore_ytdlp_stream (const EncoreDownloadSpec *spec, EncoreBytesFunc bytes, EncoreDownload *out,
                     GError **error)
{
  const EncoreConfig *config = spec->config;
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *url =
      spec->url != NULL ? g_strdup (spec->url) : encore_media_id_to_url (spec->id);
  g_autofree char *home = g_build_filename (spec->dir, "home", NULL);
  g_autofree char *err_text = NULL;

  clear (out);
  g_mkdir (home, 0700);
  add (argv, config->ytdlp, "--ignore-config", "--cache-dir", spec->ytdlp_cache, "--use-extractors",
       spec->url != NULL ? OTHER_SITES : YOUTUBE, "--no-playlist", "--playlist-items", "1",
       "--quiet", "--no-color", "--no-simulate", "--print", META, "--format",
       "ba[acodec=opus]/ba[acodec^=mp4a]/ba/b[height<=480]/w/b", "--downloader", "ffmpeg",
       "--downloader-args", STREAM_OUTPUT, "--output", "-", NULL);
  add_network (argv, config);
  if (!add_cookies (argv, config, home, error) || !add_extra (argv, config, error))
    return FALSE;
  add (argv, "--", url, NULL);
  g_ptr_array_add (argv, NULL);
  if (!run (config, argv, spec->dir, spec->ytdlp_cache, spec->deadline_us, spec->cancellable, bytes,
            encore_ytdlp_take_line, out, &err_text, error))
    return FALSE;
  if (!encore_ytdlp_says_error (err_text))
    return TRUE;
  encore_ytdlp_set_failure (err_text, spec->url != NULL ? spec->url : "", error);
  return FALSE;
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
    explain (spec, out, err_text, error);
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
  if (!encore_ytdlp_says_error (err_text) && (!out->has_meta || out->media.ext != NULL)) {
    out->media.plain = FALSE;
    return TRUE;
  }
  explain (spec, out, err_text, error);
  return FALSE;
}

/* ---- search and playlist */

/* One flat request.  TARGET is ours: "ytsearchN:" and what was ASKED, or an address with it. */
static GPtrArray *
ask_flat (const EncoreConfig *config, const char *extractors, guint limit, const char *target,
          const char *asked, const char *dir, GCancellable *cancellable, GError **error)
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
  if (!run (config, argv, dir, NULL, deadline_us, cancellable, NULL, encore_ytdlp_take_hit, hits,
            &err_text, error))
    return NULL;
  if (hits->len > 0)
    return g_steal_pointer (&hits);
  if (encore_ytdlp_says_error (err_text))
    encore_ytdlp_set_failure (err_text, asked, error);
  else
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND, "nothing was found");
  return NULL;
}

GPtrArray *
encore_ytdlp_search (const EncoreConfig *config, const char *words, guint limit, const char *dir,
                     GCancellable *cancellable, GError **error)
{
  g_autofree char *clean = encore_clean (words, WORDS_MAX);
  g_autofree char *query = g_strdup_printf ("ytsearch%u:%s", limit, clean);

  return ask_flat (config, "youtube:search,youtube", limit, query, clean, dir, cancellable, error);
}

GPtrArray *
encore_ytdlp_list (const EncoreConfig *config, const char *list_id, guint limit, const char *dir,
                   GCancellable *cancellable, GError **error)
{
  g_autofree char *url = g_strconcat ("https://www.youtube.com/playlist?list=", list_id, NULL);

  return ask_flat (config, "youtube:tab,youtube:playlist,youtube", limit, url, list_id, dir,
                   cancellable, error);
}
