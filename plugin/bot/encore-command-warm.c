/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Songs fetched before anybody asks for them: one at a time, behind everything that listeners wait
 * for, within warm_budget bytes a day.  What is downloaded for nothing counts, and a song that
 * would go beyond the budget is not begun, or ended when its size is known. */
#include "config.h"
#include "bot/encore-command.h"

#include <string.h>

#include "bot/encore-text.h"
#include "store/encore-notes.h"

#define TOP_MAX 1000
#define GIVE_WAY_MS 500
#define USED_UP "ended, today's warm_budget is used up"

struct EncoreWarm {
  EncorePlugin *plugin;
  guint number;
  bot_id chat, user;
  GArray *ids; /* EncoreMediaId; (nullable) until the site has told */
  guint next;
  guint fetched, here, failed;
  gint64 bytes;         /* of all songs so far */
  gint64 song_bytes;    /* of the one that is being fetched */
  gint64 left_bytes;    /* of the budget when it began; G_MAXINT64: there is none */
  EncoreWaiter *waiter; /* (nullable) */
  GSource *pause;       /* (nullable) others come first */
};

static void step (EncoreWarm *self);

#define tell(self, ...) \
  encore_host_reply ((self)->plugin->host, (self)->chat, (self)->user, __VA_ARGS__)

void
encore_warm_free (EncoreWarm *self)
{
  g_clear_pointer (&self->waiter, encore_waiter_leave);
  if (self->pause != NULL)
    g_source_destroy (self->pause);
  g_clear_pointer (&self->pause, g_source_unref);
  g_clear_pointer (&self->ids, g_array_unref);
  g_atomic_int_add (&self->plugin->requests, -1);
  g_free (self);
}

static void
spend (EncoreWarm *self, gint64 bytes)
{
  g_autoptr (GError) error = NULL;

  self->bytes += bytes;
  self->song_bytes = 0;
  if (bytes > 0 && !encore_cache_spend (self->plugin->cache, bytes, &error))
    g_warning ("warm: the budget is not kept: %s", error->message);
}

/* SELF is gone afterwards. */
static void
finish (EncoreWarm *self, const char *why)
{
  spend (self, self->song_bytes);
  g_autofree char *size = encore_text_size (self->bytes);
  const guint left = self->ids->len - self->fetched - self->here - self->failed;

  tell (self, "Warm %u %s: %u fetched (%s), %u were here, %u failed, %u left.", self->number, why,
        self->fetched, size, self->here, self->failed, left);
  g_ptr_array_remove (self->plugin->warms, self);
}

static void
on_fetched (const EncoreFetched *result, const GError *error, gpointer data)
{
  EncoreWarm *self = data;

  self->waiter = NULL;
  if (g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_THROTTLED)) {
    finish (self, "ended, the site refuses us");
    return;
  }
  self->next++;
  if (error != NULL) {
    g_info ("warm: %s", error->message);
    self->failed++;
    spend (self, self->song_bytes);
  } else if (!result->fetched) {
    self->here++;
  } else {
    self->fetched++;
    spend (self, result->bytes);
  }
  self->song_bytes = 0;
  step (self);
}

static void
on_progress (const EncoreProgress *progress, gpointer data)
{
  EncoreWarm *self = data;

  self->song_bytes = progress->done_bytes;
  if (MAX (progress->done_bytes, progress->total_bytes) > self->left_bytes)
    finish (self, USED_UP);
}

static gboolean
on_pause_over (gpointer data)
{
  EncoreWarm *self = data;

  g_clear_pointer (&self->pause, g_source_unref);
  step (self);
  return G_SOURCE_REMOVE;
}

static gboolean
gives_way (EncoreWarm *self)
{
  g_autoptr (GPtrArray) jobs = encore_fetch_jobs (self->plugin->fetch);

  if (jobs->len == 0)
    return FALSE;
  self->pause = g_timeout_source_new (GIVE_WAY_MS);
  g_source_set_callback (self->pause, on_pause_over, self, NULL);
  g_source_attach (self->pause, self->plugin->context);
  return TRUE;
}

static gboolean
is_here (EncoreWarm *self, const EncoreMediaId *id)
{
  g_autofree char *stem = encore_media_id_to_stem (id);
  g_autoptr (EncoreEntryInfo) info = NULL;

  return encore_cache_info (self->plugin->cache, stem, &info, NULL);
}

/* The next song that is not here. */
static void
step (EncoreWarm *self)
{
  const gint64 budget = self->plugin->config->warm_budget_bytes;

  self->left_bytes =
      budget > 0 ? budget - encore_cache_get_spent (self->plugin->cache) : G_MAXINT64;
  while (self->next < self->ids->len &&
         is_here (self, &g_array_index (self->ids, EncoreMediaId, self->next))) {
    self->next++;
    self->here++;
  }
  if (self->next == self->ids->len)
    finish (self, "is done");
  else if (self->left_bytes <= 0)
    finish (self, USED_UP);
  else if (!gives_way (self))
    self->waiter = encore_fetch_song (self->plugin->fetch,
                                      &g_array_index (self->ids, EncoreMediaId, self->next),
                                      self->plugin->context, on_progress, on_fetched, self);
}

/* ---- beginning */

static EncoreWarm *
warm_new (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreWarm *self = g_new0 (EncoreWarm, 1);

  self->plugin = plugin;
  self->number = ++plugin->last_warm;
  self->chat = request->room;
  self->user = request->user;
  self->ids = g_array_new (FALSE, FALSE, sizeof (EncoreMediaId));
  g_atomic_int_inc (&plugin->requests);
  g_ptr_array_add (plugin->warms, self);
  return self;
}

static void
begin (EncoreWarm *self)
{
  tell (self, "Warm %u: %u song%s; cache jobs shows how far it is.", self->number, self->ids->len,
        self->ids->len == 1 ? "" : "s");
  step (self);
}

static void
on_listed (const EncoreFound *found, guint n, const GError *error, gpointer data)
{
  EncoreWarm *self = data;

  self->waiter = NULL;
  if (error != NULL) {
    g_autofree char *sentence = encore_plugin_sentence (self->plugin, error);
    tell (self, "%s", sentence);
    g_ptr_array_remove (self->plugin->warms, self);
    return;
  }
  for (guint i = 0; i < n; i++)
    g_array_append_val (self->ids, found[i].id);
  begin (self);
}

static void
warm_top (EncorePlugin *plugin, const EncoreRequest *request, guint n)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) stems = encore_cache_list_missed (plugin->cache, MIN (n, TOP_MAX), &error);
  EncoreMediaId id;

  if (stems == NULL) {
    encore_command_tell_error (request, error);
    return;
  }
  if (stems->len == 0) {
    encore_answer (request, "Every song that was ever played is in the cache.");
    return;
  }
  EncoreWarm *self = warm_new (plugin, request);
  for (guint i = 0; i < stems->len; i++)
    if (encore_media_id_from_stem (stems->pdata[i], &id))
      g_array_append_val (self->ids, id);
  begin (self);
}

void
encore_command_warm (EncorePlugin *plugin, const EncoreRequest *request, const char *what)
{
  g_autofree char *list_id = encore_link_get_playlist (what);
  guint n = 0;
  const gboolean top =
      g_str_has_prefix (what, "top ") && encore_command_parse_number (what + strlen ("top "), &n);

  if (!encore_command_allowed (request, "encore.admin"))
    return;
  if (top) {
    warm_top (plugin, request, n);
  } else if (list_id != NULL) {
    EncoreWarm *self = warm_new (plugin, request);
    self->waiter = encore_fetch_list (plugin->fetch, list_id, plugin->config->playlist_max,
                                      plugin->context, on_listed, self);
  } else {
    encore_answer (request, "Usage: %s warm <link of a playlist>|top <n>", request->name);
  }
}

/* ---- looking and ending */

static void
append_flights (EncorePlugin *plugin, GString *text)
{
  g_autoptr (GPtrArray) jobs = encore_fetch_jobs (plugin->fetch);

  for (guint i = 0; i < jobs->len; i++) {
    const EncoreProgress *job = jobs->pdata[i];
    g_string_append_printf (text, "%s%s", text->len > 0 ? " | " : "",
                            job->title != NULL ? job->title : job->id.id);
    if (job->stage == ENCORE_STAGE_DOWNLOAD && job->total_bytes > 0)
      g_string_append_printf (text, " %d %%", (int) (100 * job->done_bytes / job->total_bytes));
    else if (job->stage == ENCORE_STAGE_QUEUED)
      g_string_append (text, " waits");
  }
}

void
encore_command_jobs (EncorePlugin *plugin, const EncoreRequest *request)
{
  g_autoptr (GString) text = g_string_new (NULL);

  append_flights (plugin, text);
  for (guint i = 0; i < plugin->warms->len; i++) {
    const EncoreWarm *warm = plugin->warms->pdata[i];
    g_autofree char *size = encore_text_size (warm->bytes);
    g_string_append_printf (text, "%swarm %u: %u of %u, %s", text->len > 0 ? " | " : "",
                            warm->number, warm->next, warm->ids->len, size);
  }
  encore_answer (request, "%s", text->len > 0 ? text->str : "Nothing is being fetched.");
}

static gboolean
cancel_warm (EncorePlugin *plugin, guint number)
{
  for (guint i = 0; i < plugin->warms->len; i++) {
    EncoreWarm *warm = plugin->warms->pdata[i];
    if (warm->number == number) {
      finish (warm, "is cancelled");
      return TRUE;
    }
  }
  return FALSE;
}

void
encore_command_cancel (EncorePlugin *plugin, const EncoreRequest *request, const char *what)
{
  EncoreMediaId id;
  guint number;

  if (!encore_command_allowed (request, "encore.admin"))
    return;
  if (*what != '#' && encore_command_parse_number (what, &number)) {
    if (!cancel_warm (plugin, number))
      encore_answer (request, "There is no warm %u.", number);
  } else if (!encore_command_resolve (plugin, request, what, &id)) {
    encore_answer (request, "Usage: %s cancel <number of a warm>|<link|#n|np>", request->name);
  } else if (encore_fetch_cancel (plugin->fetch, &id)) {
    encore_answer (request, "%s is cancelled.", id.id);
  } else {
    encore_answer (request, "%s is not being fetched.", id.id);
  }
}
