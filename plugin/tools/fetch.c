/* SPDX-License-Identifier: LGPL-2.1-or-later
 * fetch: songs into the cache before somebody asks for them, as a bot fetches them: once, whoever
 * else does. */
#include "config.h"
#include "tool.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>

#include "base/encore-media-id.h"
#include "fetch/encore-fetch.h"

typedef struct {
  const ToolCall *call;
  EncoreFetch *fetch;
  GMainLoop *loop;
  guint asked, done;
  gboolean failed, stopped;
} Fetch;

typedef struct {
  Fetch *fetch;
  char *text; /* "youtube:ID", as asked */
} Song;

static void
on_progress (const EncoreProgress *progress, gpointer data)
{
  const Song *song = data;
  static const char *const stages[] = {"waiting", "asked for", "downloading", "encoding",
                                       "publishing"};

  if (song->fetch->asked > 1 || progress->stage != ENCORE_STAGE_DOWNLOAD)
    return;
  g_autofree char *title = tool_printable (progress->title != NULL ? progress->title : song->text);
  g_autofree char *what = g_strdup_printf ("bytes, %s %s", stages[progress->stage], title);
  tool_progress (what, progress->done_bytes, progress->total_bytes);
}

static void
tell_fetched (const Song *song, const EncoreFetched *result)
{
  g_autofree char *title = tool_printable (result->title);
  g_autofree char *length = tool_length (result->duration_ms);
  g_autofree char *text = encore_media_id_to_text (&result->id);

  tool_progress_clear ();
  if (!result->fetched) {
    printf ("cached    %s (%s) %s\n", text, length, title);
    return;
  }
  printf ("fetched   %s (%s) %s: %" G_GINT64_FORMAT " bytes, asked %.1f s, download %.1f s, encoded"
          " %.1f s\n",
          text, length, title, result->bytes, result->resolve_ms / 1000.0,
          result->download_ms / 1000.0, result->normalise_ms / 1000.0);
  fflush (stdout);
}

/* The message begins with the id. */
static void
tell_failed (const Song *song, const GError *error)
{
  EncoreMediaId id;
  gint64 left_s = 0;
  const char *colon = strchr (song->text, ':');

  tool_fail (error);
  if (encore_media_id_from_youtube (colon + 1, &id) &&
      encore_cache_get_failure (song->fetch->call->cache, id.id, &left_s, NULL))
    fprintf (stderr,
             "encore-cache: %s is not asked for again within %" G_GINT64_FORMAT " s, but with"
             " --force\n",
             song->text, left_s);
}

static void
on_done (const EncoreFetched *result, const GError *error, gpointer data)
{
  Song *song = data;
  Fetch *self = song->fetch;

  if (self->stopped)
    return;
  if (error != NULL)
    tell_failed (song, error);
  else
    tell_fetched (song, result);
  self->failed = self->failed || error != NULL;
  self->done++;
  if (self->asked > 1)
    tool_progress ("songs", self->done, self->asked);
  if (self->done == self->asked)
    g_main_loop_quit (self->loop);
}

static gboolean
on_signal (gpointer data)
{
  Fetch *self = data;

  self->stopped = TRUE;
  g_main_loop_quit (self->loop);
  return G_SOURCE_CONTINUE;
}

static void
song_free (gpointer data)
{
  Song *song = data;

  g_free (song->text);
  g_free (song);
}

/* Returns: Song, one an argument; NULL with a message when one names none: then nothing is asked.
 */
static GPtrArray *
parse_songs (Fetch *self, char **texts, EncoreMediaId *ids)
{
  g_autoptr (GPtrArray) songs = g_ptr_array_new_with_free_func (song_free);

  for (; *texts != NULL; texts++, ids++) {
    if (!encore_fetch_link (self->fetch, *texts, ids)) {
      g_autofree char *shown = tool_printable (*texts);
      fprintf (stderr, "encore-cache: '%.80s' is not an id or a link of one song\n", shown);
      return NULL;
    }
    Song *song = g_new (Song, 1);
    *song = (Song){self, encore_media_id_to_text (ids)};
    g_ptr_array_add (songs, song);
  }
  return g_steal_pointer (&songs);
}

static void
ask (Fetch *self, const EncoreMediaId *id, Song *song)
{
  g_autofree char *stem = encore_media_id_to_stem (id);
  g_autoptr (GError) error = NULL;

  if (self->call->force && !encore_cache_forget_failure (self->call->cache, stem, &error))
    tool_fail (error);
  encore_fetch_song (self->fetch, id, g_main_context_default (), on_progress, on_done, song);
}

int
tool_fetch (const ToolCall *call)
{
  const guint n = g_strv_length (call->args);
  g_autofree EncoreMediaId *ids = g_new (EncoreMediaId, n);
  Fetch self = {.call = call, .asked = n};

  self.fetch = encore_fetch_new (call->cache, call->config);
  g_autoptr (GPtrArray) songs = parse_songs (&self, call->args, ids);
  if (songs == NULL) {
    encore_fetch_free (self.fetch);
    return EXIT_FAILED;
  }
  self.loop = g_main_loop_new (NULL, FALSE);
  g_unix_signal_add (SIGINT, on_signal, &self);
  g_unix_signal_add (SIGTERM, on_signal, &self);
  for (guint i = 0; i < n; i++)
    ask (&self, &ids[i], songs->pdata[i]);
  g_main_loop_run (self.loop);
  encore_fetch_free (self.fetch);
  /* what was told to the loop after its end holds waiters */
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_main_loop_unref (self.loop);
  tool_progress_clear ();
  if (self.stopped)
    fputs ("encore-cache: stopped by a signal\n", stderr);
  return self.failed || self.stopped ? EXIT_FAILED : EXIT_CLEAN;
}
