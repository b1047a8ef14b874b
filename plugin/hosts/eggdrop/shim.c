/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "shim.h"

#include <string.h>

#include "hosts/weechat/host.h"
#include "hosts/weechat/text.h"
#include "settings.h"

#define LINE_BYTES_MAX 380
#define NAME_BYTES_MAX 64
#define BURST_LINES 3
#define WAITING_MAX 20 /* lines; what a busy channel has to say is old when its turn comes */

typedef struct {
  char *channel, *text;
} Line;

struct Shim {
  ShimBot bot;
  Options *options;
  Host *host;
  GHashTable *rooms;   /* id (bot_id *) -> "eggdrop.#CHANNEL" */
  GHashTable *buckets; /* user id (bot_id *) -> Bucket */
  Bucket outlet;
  GQueue waiting; /* Line */
  guint n_left_out;
};

static void
line_free (gpointer data)
{
  Line *self = data;

  g_free (self->channel);
  g_free (self->text);
  g_free (self);
}

/* ---- rooms */

static bot_id
know_room (Shim *self, const char *channel)
{
  g_autofree char *folded = g_ascii_strdown (channel, -1);
  g_autofree char *name = g_strconcat ("eggdrop.", folded, NULL);
  const bot_id id = host_id (name);

  if (!g_hash_table_contains (self->rooms, &id))
    g_hash_table_insert (self->rooms, g_memdup2 (&id, sizeof id), g_steal_pointer (&name));
  return id;
}

static const char *
on_get_room_name (gpointer data, bot_id room)
{
  return g_hash_table_lookup (((Shim *) data)->rooms, &room);
}

/* ---- out: eggdrop's own queue is slow and long; ours is short, so that old lines are dropped */

void
shim_tick (Shim *self)
{
  const gint64 interval_us =
      options_get_line_interval_ms (self->options) * G_GINT64_CONSTANT (1000);

  while (!g_queue_is_empty (&self->waiting) &&
         bucket_take (&self->outlet, g_get_monotonic_time (), interval_us, BURST_LINES)) {
    Line *line = g_queue_pop_head (&self->waiting);
    if (self->n_left_out > 0) {
      g_autofree char *text = g_strdup_printf ("(%u left out) %s", self->n_left_out, line->text);
      self->bot.say (line->channel, text);
      self->n_left_out = 0;
    } else {
      self->bot.say (line->channel, line->text);
    }
    line_free (line);
  }
}

static void
on_reply (gpointer data, bot_id room, bot_id user, const char *text)
{
  Shim *self = data;
  const char *name = on_get_room_name (self, room);

  if (name == NULL)
    return;
  g_autoptr (GPtrArray) lines =
      text_lines (text, LINE_BYTES_MAX, options_get_max_lines (self->options));
  for (guint i = 0; i < lines->len; i++) {
    Line *line = g_new (Line, 1);
    *line = (Line){g_strdup (strchr (name, '.') + 1), g_strdup (lines->pdata[i])};
    g_queue_push_tail (&self->waiting, line);
    if (self->waiting.length > WAITING_MAX) {
      line_free (g_queue_pop_head (&self->waiting));
      self->n_left_out++;
    }
  }
  shim_tick (self);
}

static void
on_log (gpointer data, int level, const char *text)
{
  g_autofree char *clean = text_clean (text);

  if (level >= BOT_LOG_INFO)
    ((Shim *) data)->bot.log (clean);
}

/* ---- in */

static gboolean
may_speak (Shim *self, bot_id user)
{
  return buckets_take (self->buckets, user, g_get_monotonic_time (),
                       options_get_rate_per_minute (self->options),
                       options_get_burst (self->options));
}

static gboolean
is_chosen (Shim *self, const char *channel)
{
  g_autofree char *folded = g_ascii_strdown (channel, -1);
  g_autofree char *list = g_ascii_strdown (options_get_channels (self->options), -1);
  g_auto (GStrv) masks = g_strsplit (list, ",", -1);

  for (char **mask = masks; *mask != NULL; mask++)
    if (g_pattern_match_simple (g_strstrip (*mask), folded))
      return TRUE;
  return FALSE;
}

/* A handle is what eggdrop knows people by; without one the whole address stands for him. */
static bot_id
identify (const ShimSpeaker *who)
{
  const gboolean is_known = strcmp (who->handle, "*") != 0;
  g_autofree char *text = is_known ? g_strconcat ("handle/", who->handle, NULL)
                                   : g_strconcat (who->nick, "!", who->address, NULL);
  g_autofree char *folded = g_ascii_strdown (text, -1);

  return host_id (folded);
}

void
shim_hear (Shim *self, const ShimSpeaker *who, const char *text)
{
  const char *prefix = options_get_prefix (self->options);
  const char *permission = NULL;

  if (!g_str_has_prefix (text, prefix) || !is_chosen (self, who->channel))
    return;
  text += strlen (prefix);
  const gsize name_len = strcspn (text, " ");
  g_autofree char *name = g_ascii_strdown (text, MIN (name_len, NAME_BYTES_MAX));
  g_autofree char *args = text_clean (text + name_len);
  g_autofree char *nick = text_clean (who->nick);
  const HostUser user = {identify (who), nick, who->is_admin, who->is_dj};
  /* another bot may have this prefix, and a refusal for haste would be one more line */
  if (!host_find (self->host, name, &permission) || !may_speak (self, user.id))
    return;
  const bot_id room = know_room (self, who->channel);
  if (host_run (self->host, room, &user, name, args) == BOT_EDENIED) {
    g_autofree char *answer = g_strdup_printf (
        "For %s only: %s%s", g_str_has_suffix (permission, ".dj") ? "DJs" : "admins", prefix, name);
    on_reply (self, room, user.id, answer);
  }
}

/* ---- life */

Shim *
shim_new (const char *config, const ShimBot *bot, GError **error)
{
  g_autoptr (Shim) self = g_new0 (Shim, 1);
  const HostChat chat = {on_reply, on_log, on_get_room_name, self, "eggdrop", ".rehash"};

  self->bot = *bot;
  g_queue_init (&self->waiting);
  self->rooms = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  self->buckets = buckets_new ();
  self->options = settings_read (config, error);
  if (self->options != NULL)
    self->host = host_new (self->options, &chat, error);
  return self->host != NULL ? g_steal_pointer (&self) : NULL;
}

void
shim_free (Shim *self)
{
  if (self == NULL)
    return;
  host_free (self->host);
  g_queue_clear_full (&self->waiting, line_free);
  g_hash_table_unref (self->rooms);
  g_hash_table_unref (self->buckets);
  g_clear_pointer (&self->options, options_free);
  g_free (self);
}

int
shim_get_fd (const Shim *self)
{
  return host_get_fd (self->host);
}

void
shim_run_posts (Shim *self)
{
  host_run_posts (self->host);
}

GPtrArray *
shim_describe (Shim *self)
{
  return host_describe (self->host);
}
