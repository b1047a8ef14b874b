/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Life of the plugin and of its control thread. */
#include "config.h"
#include "bot/encore-plugin.h"

#include <signal.h>

#include "base/encore-clean.h"
#include "bot/encore-command.h"
#include "bot/encore-keeper.h"
#include "bot/encore-reconfigure.h"
#include "bot/encore-room.h"
#include "bot/encore-text.h"
#include "store/encore-notes.h"

#define USER_NAME_MAX 64 /* characters; people choose their names themselves */

typedef struct {
  EncoreRequest *request;
  EncoreChoreFunc work;
} Chore;

static void
forward_log (const char *domain, GLogLevelFlags flags, const char *message, gpointer data)
{
  EncorePlugin *self = data;
  int level = BOT_LOG_DEBUG;

  if (flags & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
    level = BOT_LOG_ERROR;
  else if (flags & G_LOG_LEVEL_WARNING)
    level = BOT_LOG_WARNING;
  else if (flags & (G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO))
    level = BOT_LOG_INFO;
  encore_host_log (self->host, level, message);
}

static EncoreRequest *
request_copy (const EncoreRequest *from)
{
  EncoreRequest *self = g_memdup2 (from, sizeof *from);

  self->user_name = encore_clean (from->user_name, USER_NAME_MAX);
  self->name = g_strdup (from->name);
  self->args = g_strdup (from->args);
  g_atomic_int_inc (&self->plugin->requests);
  return self;
}

static void
request_free (gpointer data)
{
  EncoreRequest *self = data;

  g_atomic_int_add (&self->plugin->requests, -1);
  g_free (self->user_name);
  g_free (self->name);
  g_free (self->args);
  g_free (self);
}

/* ---- control thread */

static void
do_chore (gpointer data, gpointer user_data)
{
  g_autofree Chore *chore = data;

  chore->work (user_data, chore->request);
  request_free (chore->request);
}

static char *
choose_cache_dir (EncorePlugin *self)
{
  if (*self->config->cache_dir != '\0')
    return g_strdup (self->config->cache_dir);
  return g_build_filename (g_get_user_cache_dir (), "encore", NULL);
}

/* A directory that refuses is tried again with the next request. */
static gboolean
open_all (EncorePlugin *self, GError **error)
{
  if (self->cache != NULL)
    return TRUE;

  g_autofree char *dir = choose_cache_dir (self);
  const EncoreCacheOptions options = {.dir = dir,
                                      .max_size_bytes = self->config->max_size_bytes,
                                      .min_free_bytes = self->config->min_free_bytes,
                                      .max_age_ms = self->config->max_age_ms,
                                      .policy = self->config->evict};
  g_autoptr (EncoreCache) cache = encore_cache_open (&options, error);
  if (cache == NULL)
    return FALSE;
  if (!encore_play_init (dir, error))
    return FALSE;
  self->playout = encore_playout_new ();
  g_atomic_pointer_set (&self->fetch, encore_fetch_new (cache, self->config));
  self->chores = g_thread_pool_new (do_chore, self, 1, TRUE, NULL);
  self->cache = g_steal_pointer (&cache);
  g_info ("store: opened %s", dir);
  self->keeper = encore_keeper_new (self);
  return TRUE;
}

static gboolean
run_request (gpointer data)
{
  EncoreRequest *request = data;
  EncorePlugin *self = request->plugin;
  g_autoptr (GError) error = NULL;

  if (g_atomic_int_get (&self->stopping))
    return G_SOURCE_REMOVE;
  if (open_all (self, &error)) {
    request->run (self, request);
  } else {
    g_warning ("store: %s", error->message);
    g_autofree char *sentence = encore_text_error (error);
    encore_answer (request, "%s", sentence);
  }
  if (request->voice != 0)
    encore_host_voice_done (self->host, request->voice_room, request->voice);
  return G_SOURCE_REMOVE;
}

static void
close_all (EncorePlugin *self)
{
  if (self->cache != NULL) /* a chore may be in the middle of an audit */
    encore_cache_interrupt (self->cache);
  encore_keeper_close (g_steal_pointer (&self->keeper));
  g_hash_table_remove_all (self->rooms);
  g_ptr_array_set_size (self->warms, 0);
  g_clear_pointer (&self->fetch, encore_fetch_free);
  if (self->chores != NULL)
    g_thread_pool_free (g_steal_pointer (&self->chores), FALSE, TRUE);
  g_clear_pointer (&self->playout, encore_playout_free);
  encore_play_clear ();
  g_clear_pointer (&self->cache, encore_cache_close);
}

static gpointer
control_thread (gpointer data)
{
  EncorePlugin *self = data;
  sigset_t pipe_only;

  /* a host with the default disposition would die of a child that closed its pipe */
  sigemptyset (&pipe_only);
  sigaddset (&pipe_only, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &pipe_only, NULL);
  g_main_context_push_thread_default (self->context);
  g_main_loop_run (self->loop);
  close_all (self);
  /* what was sent to us but not told yet holds the context, and the context holds it */
  while (g_main_context_iteration (self->context, FALSE))
    ;
  g_main_context_pop_thread_default (self->context);
  return NULL;
}

static gboolean
on_voice_gone (gpointer data)
{
  const EncoreRequest *request = data;
  EncoreRoom *room = g_hash_table_lookup (request->plugin->rooms, &request->voice_room);

  if (room != NULL)
    encore_room_voice_gone (room, request->voice, request->voice_result);
  return G_SOURCE_REMOVE;
}

/* [main] The host ended the voice. */
static void
on_voice_closed (bot_id room, bot_id voice, bot_result why, gpointer data)
{
  EncorePlugin *self = data;
  const EncoreRequest gone = {
      .plugin = self, .voice_room = room, .voice = voice, .voice_result = why};

  if (self->control != NULL)
    g_main_context_invoke_full (self->context, G_PRIORITY_DEFAULT, on_voice_gone,
                                request_copy (&gone), request_free);
}

static gboolean
on_limits_changed (gpointer data)
{
  const EncoreRequest *request = data;
  EncoreRoom *room = g_hash_table_lookup (request->plugin->rooms, &request->voice_room);

  if (room != NULL)
    encore_room_limits_changed (room);
  return G_SOURCE_REMOVE;
}

/* [main] */
static void
on_voice_limits (bot_id room, bot_id voice, gpointer data)
{
  EncorePlugin *self = data;
  const EncoreRequest changed = {.plugin = self, .voice_room = room, .voice = voice};

  if (self->control != NULL)
    g_main_context_invoke_full (self->context, G_PRIORITY_DEFAULT, on_limits_changed,
                                request_copy (&changed), request_free);
}

static gboolean
on_speaking_changed (gpointer data)
{
  const EncoreRequest *request = data;
  EncoreRoom *room = g_hash_table_lookup (request->plugin->rooms, &request->voice_room);

  if (room != NULL)
    encore_room_set_speaking (room, request->voice, request->speaking);
  return G_SOURCE_REMOVE;
}

/* [main] */
static void
on_voice_speaking (bot_id room, bot_id voice, gboolean on, gpointer data)
{
  EncorePlugin *self = data;
  const EncoreRequest changed = {
      .plugin = self, .voice_room = room, .voice = voice, .speaking = on};

  if (self->control != NULL)
    g_main_context_invoke_full (self->context, G_PRIORITY_DEFAULT, on_speaking_changed,
                                request_copy (&changed), request_free);
}

/* ---- [main] */

EncorePlugin *
encore_plugin_new (const bot_host *host, GError **error)
{
  EncorePlugin *self = g_new0 (EncorePlugin, 1);

  self->bot_host = host;
  self->config = encore_config_new ();
  self->latest = encore_config_new ();
  self->host = encore_host_new (host, on_voice_closed, self);
  encore_host_watch_limits (self->host, on_voice_limits);
  encore_host_watch_speaking (self->host, on_voice_speaking);
  if (!encore_reconfigure_read (host, self->config, error) ||
      !encore_reconfigure_read (host, self->latest, error)) {
    encore_host_log (self->host, BOT_LOG_ERROR, (*error)->message);
    encore_host_free (self->host);
    encore_config_free (self->config);
    encore_config_free (self->latest);
    g_free (self);
    return NULL;
  }
  self->rooms =
      g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, (GDestroyNotify) encore_room_free);
  self->warms = g_ptr_array_new_with_free_func ((GDestroyNotify) encore_warm_free);
  self->lists = encore_lists_new ();
  self->tokens = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->log_handler = g_log_set_handler (
      G_LOG_DOMAIN, G_LOG_LEVEL_MASK | G_LOG_FLAG_FATAL | G_LOG_FLAG_RECURSION, forward_log, self);
  return self;
}

static gboolean
quit_loop (gpointer data)
{
  g_main_loop_quit (data);
  return G_SOURCE_REMOVE;
}

void
encore_plugin_free (EncorePlugin *self)
{
  g_atomic_int_set (&self->stopping, TRUE);
  if (self->control != NULL) {
    /* said on the loop itself: a quit before the new thread runs its loop would be lost */
    g_autoptr (GSource) source = g_idle_source_new ();
    g_source_set_priority (source, G_PRIORITY_DEFAULT);
    g_source_set_callback (source, quit_loop, self->loop, NULL);
    g_source_attach (source, self->context);
    g_thread_join (self->control);
  }
  g_clear_pointer (&self->loop, g_main_loop_unref);
  g_clear_pointer (&self->context, g_main_context_unref);
  g_hash_table_unref (self->rooms);
  g_hash_table_unref (self->lists);
  g_hash_table_unref (self->tokens);
  g_ptr_array_unref (self->warms);
  g_free (self->registrations);
  g_log_remove_handler (G_LOG_DOMAIN, self->log_handler);
  encore_host_free (self->host);
  encore_config_free (self->config);
  encore_config_free (self->latest);
  g_free (self);
}

static gboolean
open_early (gpointer data)
{
  EncorePlugin *self = data;
  g_autoptr (GError) error = NULL;

  if (!g_atomic_int_get (&self->stopping) && !open_all (self, &error))
    g_warning ("store: %s", error->message);
  g_atomic_int_add (&self->requests, -1);
  return G_SOURCE_REMOVE;
}

void
encore_plugin_hand_over (EncorePlugin *self, GSourceFunc func, gpointer data,
                         GDestroyNotify release)
{
  if (self->control == NULL) {
    /* not in start(): a context holds a descriptor, and hosts fork and close theirs after it */
    self->context = g_main_context_new ();
    self->loop = g_main_loop_new (self->context, FALSE);
    self->control = g_thread_new ("encore-control", control_thread, self);
  }
  /* not invoke(): before the thread owns its context that would run here */
  g_autoptr (GSource) source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, func, data, release);
  g_source_attach (source, self->context);
}

void
encore_plugin_warm_up (EncorePlugin *self)
{
  g_atomic_int_inc (&self->requests); /* songs may be waiting there */
  encore_plugin_hand_over (self, open_early, self, NULL);
}

void
encore_plugin_submit (EncorePlugin *self, const bot_call *call, EncoreCommandFunc run,
                      gboolean with_voice)
{
  EncoreRequest request = {.plugin = self,
                           .run = run,
                           .room = call->room,
                           .user = call->user,
                           .voice_room = call->voice_room != 0 ? call->voice_room : call->room,
                           .user_name = (char *) call->user_name,
                           .name = (char *) call->name,
                           .args = (char *) call->args,
                           .received_us = g_get_monotonic_time ()};

  if (g_atomic_int_get (&self->stopping))
    return;
  if (with_voice)
    request.voice_result = encore_host_voice_open (self->host, request.voice_room, &request.voice);
  encore_plugin_hand_over (self, run_request, request_copy (&request), request_free);
}

char *
encore_plugin_sentence (EncorePlugin *self, const GError *error)
{
  g_autofree char *sentence = encore_text_error (error);
  const gint64 left_s = g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_THROTTLED)
                            ? encore_cache_backoff_left (self->cache)
                            : 0;

  if (left_s == 0)
    return g_steal_pointer (&sentence);
  g_autofree char *span = encore_text_span (left_s);
  return g_strdup_printf ("%s It is asked again in %s.", sentence, span);
}

typedef struct {
  EncorePlugin *plugin;
  bot_id room, chat;
  EncoreCommandFunc run;
} Summons;

/* [main] */
static void
on_summons (void *data)
{
  Summons *summons = data;
  const bot_call call = {.size = sizeof call,
                         .room = summons->chat,
                         .voice_room = summons->room,
                         .user_name = "",
                         .name = "",
                         .args = ""};

  encore_plugin_submit (summons->plugin, &call, summons->run, TRUE);
  g_atomic_int_add (&summons->plugin->requests, -1);
  g_free (summons);
}

void
encore_plugin_summon (EncorePlugin *self, bot_id room, bot_id chat, EncoreCommandFunc run)
{
  const bot_host *host = self->bot_host;
  Summons *summons = g_new (Summons, 1);

  *summons = (Summons){self, room, chat, run};
  g_atomic_int_inc (&self->requests);
  if (BOT_HAS (host, post) && host->post (host->ctx, on_summons, summons, g_free) >= BOT_OK)
    return;
  g_atomic_int_add (&self->requests, -1);
  g_free (summons);
}

guint
encore_plugin_get_busy (EncorePlugin *self)
{
  EncoreFetch *fetch = g_atomic_pointer_get (&self->fetch);

  /* a song that was heard while it came is to be kept, too */
  return g_atomic_int_get (&self->requests) + g_atomic_int_get (&self->tracks) +
         (fetch != NULL ? encore_fetch_count (fetch) : 0);
}

void
encore_plugin_chore (EncorePlugin *self, const EncoreRequest *request, EncoreChoreFunc work)
{
  Chore *chore = g_new (Chore, 1);

  chore->request = request_copy (request);
  chore->work = work;
  g_thread_pool_push (self->chores, chore, NULL);
}
