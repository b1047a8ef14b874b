/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Commands on the queue and on what sounds. */
#include "config.h"
#include "bot/encore-command.h"

#include <string.h>

#include "base/encore-clean.h"
#include "bot/encore-room.h"
#include "bot/encore-text.h"

#define PAGE 10
#define SEARCH_HITS 5
#define WORDS_MAX 200 /* characters that are searched for, and told again */

void
encore_command_play (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreMediaId id;
  EncoreTrack *track;
  const EncoreLinkKind link = encore_link_kind (request->args);
  /* what is said again in the room has no marks that turn a line round, and is not endless */
  g_autofree char *words = encore_clean (request->args, WORDS_MAX);

  if (*words == '\0') {
    encore_command_wrong (request);
    return;
  }
  EncoreRoom *room = encore_room_for (plugin, request);
  if (room == NULL)
    return;
  if (encore_command_resolve (plugin, request, request->args, &id)) {
    track = encore_track_new (&id, NULL, request->user, request->user_name, request->received_us);
  } else if (link != ENCORE_LINK_NONE) {
    encore_answer (request, "%s", encore_text_link (link));
    return;
  } else if (*request->args == '#') {
    g_autofree char *number = encore_clean (request->args, 16);
    encore_answer (request, "There is no %s in the last list.", number);
    return;
  } else {
    track = encore_track_new (NULL, words, request->user, request->user_name, request->received_us);
  }
  encore_room_add (room, track, request);
}

/* ---- search */

typedef struct {
  EncorePlugin *plugin;
  bot_id room, user, voice_room;
} Search;

static void
on_found (const EncoreFound *found, guint n, const GError *error, gpointer data)
{
  g_autofree Search *self = data;
  g_autoptr (GPtrArray) listed =
      g_ptr_array_new_with_free_func ((GDestroyNotify) encore_listed_free);
  g_autoptr (GString) text = g_string_new (NULL);

  g_atomic_int_add (&self->plugin->requests, -1);
  if (error != NULL) {
    g_autofree char *sentence = encore_plugin_sentence (self->plugin, error);
    encore_host_reply (self->plugin->host, self->room, self->user, "%s", sentence);
    return;
  }
  for (guint i = 0; i < n; i++) {
    g_autofree char *length = encore_text_duration (found[i].duration_ms);
    g_ptr_array_add (listed, encore_listed_new (&found[i].id, found[i].title));
    g_string_append_printf (text, "%s#%u %s (%s)", i > 0 ? " | " : "", i + 1, found[i].title,
                            length);
  }
  encore_lists_set (self->plugin->lists, self->voice_room, listed);
  encore_host_reply (self->plugin->host, self->room, self->user, "%s", text->str);
}

void
encore_command_search (EncorePlugin *plugin, const EncoreRequest *request)
{
  if (*request->args == '\0') {
    encore_command_wrong (request);
    return;
  }
  Search *search = g_new (Search, 1);
  *search = (Search){plugin, request->room, request->user, request->voice_room};
  g_atomic_int_inc (&plugin->requests);
  encore_fetch_search (plugin->fetch, request->args, SEARCH_HITS, plugin->context, on_found,
                       search);
}

/* ---- looking */

static EncoreRoom *
room_with_music (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *room = encore_room_peek (plugin, request);

  if (room == NULL || encore_room_get_current (room, NULL, NULL) == NULL) {
    encore_answer (request, "Nothing plays.");
    return NULL;
  }
  return room;
}

void
encore_command_queue (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *room = encore_room_peek (plugin, request);
  EncoreQueue *queue = room != NULL ? encore_room_get_queue (room) : NULL;
  const guint n = queue != NULL ? encore_queue_get_length (queue) : 0;
  const guint pages = (n + PAGE - 1) / PAGE;
  guint page = 1;

  if (*request->args != '\0' && !encore_command_parse_number (request->args, &page)) {
    encore_command_wrong (request);
    return;
  }
  if (n == 0) {
    encore_answer (request, "The queue is empty.");
    return;
  }
  if (page > pages) {
    encore_answer (request, "The queue has %u page%s.", pages, pages == 1 ? "" : "s");
    return;
  }
  g_autoptr (GString) text = g_string_new (NULL);
  for (guint i = (page - 1) * PAGE; i < MIN (n, page * PAGE); i++) {
    const EncoreTrack *track = encore_queue_peek (queue, i);
    g_autofree char *length = encore_track_get_length (track);
    g_string_append_printf (text, "%s%u. %s (%s, %s)", text->len > 0 ? " | " : "", i + 1,
                            encore_track_get_name (track), length, track->user_name);
  }
  encore_answer (request, "%u waiting, page %u of %u: %s", n, page, pages, text->str);
}

void
encore_command_np (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *room = room_with_music (plugin, request);
  gint64 position_ms;
  gboolean paused;

  if (room == NULL)
    return;
  const EncoreTrack *track = encore_room_get_current (room, &position_ms, &paused);
  g_autofree char *length = encore_track_get_length (track);
  g_autofree char *position = encore_text_duration (MAX (position_ms, 1));
  const char *state = paused                            ? "Paused"
                      : encore_room_is_buffering (room) ? "Buffering, its download is slow"
                                                        : "Playing";
  if (track->state != ENCORE_TRACK_READY && !track->is_early)
    encore_answer (request, "Being fetched: %s, asked for by %s", encore_track_get_name (track),
                   track->user_name);
  else
    encore_answer (request, "%s: %s, %s of %s, asked for by %s", state,
                   encore_track_get_name (track), position, length, track->user_name);
}

void
encore_command_history (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *room = encore_room_peek (plugin, request);
  g_autoptr (GPtrArray) listed =
      g_ptr_array_new_with_free_func ((GDestroyNotify) encore_listed_free);
  g_autoptr (GString) text = g_string_new (NULL);

  if (room == NULL || encore_room_get_history (room)->len == 0) {
    encore_answer (request, "Nothing was played yet.");
    return;
  }
  GPtrArray *history = encore_room_get_history (room);
  for (guint i = 0; i < MIN (history->len, PAGE); i++) {
    const EncoreListed *song = history->pdata[i];
    g_ptr_array_add (listed, encore_listed_new (&song->id, song->title));
    g_string_append_printf (text, "%s#%u %s", i > 0 ? " | " : "", i + 1, song->title);
  }
  encore_lists_set (plugin->lists, request->voice_room, listed);
  encore_answer (request, "Played: %s", text->str);
}

static void
answer_line_of (EncorePlugin *plugin, const EncoreRequest *request, const EncoreMediaId *id)
{
  g_autofree char *stem = encore_media_id_to_stem (id);
  g_autoptr (GError) error = NULL;
  g_autofree char *line = NULL;
  EncoreHandle *handle = encore_cache_get (plugin->cache, stem, FALSE, &error);

  if (handle != NULL)
    line = encore_play_describe (id, handle, encore_cache_get_dir (plugin->cache), &error);
  if (line != NULL)
    encore_answer (request, "%s", line);
  else if (g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND))
    encore_answer (request, "%s is not in the cache.", stem);
  else
    encore_answer (request, "No pipeline: %s.", error->message);
}

void
encore_command_pipeline (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *room = encore_room_peek (plugin, request);
  g_autofree char *line = room != NULL ? encore_room_get_pipeline (room) : NULL;
  EncoreMediaId id;

  if (*request->args == '\0' && line != NULL)
    encore_answer (request, "%s", line);
  else if (*request->args != '\0' && encore_command_resolve (plugin, request, request->args, &id))
    answer_line_of (plugin, request, &id);
  else
    encore_answer (request, "Nothing plays; %s <link> shows the line of a cached song.",
                   request->name);
}

/* ---- changing */

void
encore_command_skip (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *room = room_with_music (plugin, request);

  if (room == NULL)
    return;
  const EncoreTrack *track = encore_room_get_current (room, NULL, NULL);
  /* whoever asked for a song may always skip it */
  if (track->user != request->user && !encore_command_allowed (request, "encore.dj"))
    return;
  g_autofree char *name = g_strdup (encore_track_get_name (track));
  encore_room_skip (room);
  encore_answer (request, "Skipped: %s", name);
}

void
encore_command_pause (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *room = room_with_music (plugin, request);

  if (room == NULL || !encore_command_allowed (request, "encore.dj"))
    return;
  encore_answer (request, encore_room_set_paused (room, TRUE) ? "Paused." : "Nothing to pause.");
}

void
encore_command_resume (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *room = room_with_music (plugin, request);

  if (room == NULL || !encore_command_allowed (request, "encore.dj"))
    return;
  encore_answer (request, encore_room_set_paused (room, FALSE) ? "Going on." : "It is not paused.");
}

void
encore_command_stop (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *room = encore_room_peek (plugin, request);

  if (!encore_command_allowed (request, "encore.dj"))
    return;
  encore_answer (request, room != NULL && encore_room_stop (room) ? "Stopped; the queue is empty."
                                                                  : "Nothing plays.");
}

void
encore_command_clear (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *room = encore_room_peek (plugin, request);

  if (!encore_command_allowed (request, "encore.dj"))
    return;
  const guint n = room != NULL ? encore_queue_clear (encore_room_get_queue (room)) : 0;
  if (room != NULL)
    encore_room_queue_changed (room);
  encore_answer (request, "%u song%s taken out of the queue.", n, n == 1 ? "" : "s");
}

static void
remove_mine (EncoreRoom *room, const EncoreRequest *request)
{
  const guint n = encore_queue_remove_user (encore_room_get_queue (room), request->user);

  encore_room_queue_changed (room);
  encore_answer (request, "%u song%s taken out of the queue.", n, n == 1 ? "" : "s");
}

void
encore_command_remove (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *room = encore_room_peek (plugin, request);
  guint number;

  if (room != NULL && strcmp (request->args, "mine") == 0) {
    remove_mine (room, request);
    return;
  }
  if (!encore_command_parse_number (request->args, &number)) {
    encore_command_wrong (request);
    return;
  }
  EncoreQueue *queue = room != NULL ? encore_room_get_queue (room) : NULL;
  const EncoreTrack *track = queue != NULL ? encore_queue_peek (queue, number - 1) : NULL;
  if (track == NULL) {
    encore_answer (request, "The queue has no song %u.", number);
    return;
  }
  if (track->user != request->user && !encore_command_allowed (request, "encore.dj"))
    return;
  g_autoptr (EncoreTrack) taken = encore_queue_take (queue, number - 1);
  encore_room_queue_changed (room);
  encore_answer (request, "Removed: %s", encore_track_get_name (taken));
}

void
encore_command_shuffle (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *room = encore_room_peek (plugin, request);
  g_autoptr (GRand) rand = g_rand_new ();

  if (!encore_command_allowed (request, "encore.dj"))
    return;
  if (room == NULL || encore_queue_get_length (encore_room_get_queue (room)) < 2) {
    encore_answer (request, "There is nothing to mix.");
    return;
  }
  encore_queue_shuffle (encore_room_get_queue (room), rand);
  encore_room_queue_changed (room);
  encore_answer (request, "Mixed.");
}

void
encore_command_loop (EncorePlugin *plugin, const EncoreRequest *request)
{
  static const char *const modes[] = {"off", "song", "queue", NULL};
  EncoreRoom *room = encore_room_peek (plugin, request);
  int mode = 0;

  while (modes[mode] != NULL && strcmp (modes[mode], request->args) != 0)
    mode++;
  if (modes[mode] == NULL) {
    encore_command_wrong (request);
    return;
  }
  if (!encore_command_allowed (request, "encore.dj"))
    return;
  if (room == NULL) {
    encore_answer (request, "Nothing plays.");
    return;
  }
  encore_room_set_loop (room, mode);
  encore_answer (request, "Loop: %s.", modes[mode]);
}
