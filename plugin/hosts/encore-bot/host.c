/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The host's side of bot-plugin.h.
 *
 * Threads: [main] runs the default GMainContext.  log, reply and post come from any thread; what is
 * the network's goes there as it comes, posts become sources of [main]. */
#include "config.h"
#include "host.h"

#include <gmodule.h>
#include <stdio.h>
#include <string.h>

#include "notify.h"

typedef struct {
  char *name, *usage, *permission; /* permission: nullable */
  void (*run) (void *data, const bot_call *call);
  void *data;
} Command;

struct Host {
  bot_host api;
  bot_host_voice voice_api;
  const Network *network;
  gpointer network_data;
  GMutex mutex; /* config */
  GKeyFile *config;
  GModule *module;
  const bot_plugin *plugin;
  void *plugin_self; /* the plugin's own, perhaps NULL */
  gboolean started;
  char *prefix;
  GHashTable *commands; /* name -> Command */
  gint posts;           /* atomic: not run yet */
  gboolean stopped;     /* [main] */
};

static void
command_free (gpointer data)
{
  Command *self = data;

  g_free (self->name);
  g_free (self->usage);
  g_free (self->permission);
  g_free (self);
}

/* ---- what the plugin calls */

static void
api_log (void *ctx, int level, const char *domain, const char *text)
{
  static const char *const names[] = {"debug", "info", "warning", "error"};
  static const int priorities[] = {7, 6, 4, 3}; /* of syslog */
  static gint journal = -1;

  if (level <= BOT_LOG_DEBUG && g_getenv ("ENCORE_BOT_DEBUG") == NULL)
    return;
  if (g_atomic_int_get (&journal) < 0)
    g_atomic_int_set (&journal, notify_is_journal ());
  if (g_atomic_int_get (&journal)) {
    fprintf (stderr, "<%d>%s: %s\n", priorities[CLAMP (level, 0, 3)], domain, text);
    return;
  }
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *time = g_date_time_format (now, "%H:%M:%S");

  fprintf (stderr, "%s.%03d %-7s %s: %s\n", time, g_date_time_get_microsecond (now) / 1000,
           names[CLAMP (level, 0, 3)], domain, text);
}

void
host_log (int level, const char *domain, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  api_log (NULL, level, domain, text);
}

static bot_result
copy_out (const char *text, char *buf, size_t len)
{
  return g_snprintf (buf, len, "%s", text);
}

static bot_result
api_config_get (void *ctx, const char *key, char *buf, size_t len)
{
  Host *self = ctx;

  g_mutex_lock (&self->mutex);
  g_autofree char *value = g_key_file_get_string (self->config, self->plugin->id, key, NULL);
  g_mutex_unlock (&self->mutex);

  return value != NULL ? copy_out (value, buf, len) : BOT_EINVAL;
}

static bot_result
api_config_key (void *ctx, uint32_t index, char *buf, size_t len)
{
  Host *self = ctx;
  gsize n = 0;

  g_mutex_lock (&self->mutex);
  g_auto (GStrv) keys = g_key_file_get_keys (self->config, self->plugin->id, &n, NULL);
  g_mutex_unlock (&self->mutex);

  return index < n ? copy_out (keys[index], buf, len) : BOT_EINVAL;
}

static bot_result
api_command_add (void *ctx, const bot_command *cmd)
{
  Host *self = ctx;
  Command *command = g_new0 (Command, 1);

  command->name = g_strdup (cmd->name);
  command->usage = g_strdup (cmd->usage);
  command->permission = g_strdup (cmd->permission);
  command->run = cmd->run;
  command->data = cmd->data;
  g_hash_table_replace (self->commands, command->name, command);
  return BOT_OK;
}

static bot_result
api_reply (void *ctx, bot_id room, bot_id user, const char *text)
{
  Host *self = ctx;

  return self->network->reply (self->network_data, room, user, text);
}

static bot_result
api_allowed (void *ctx, bot_id room, bot_id user, const char *permission)
{
  Host *self = ctx;

  return self->network->allowed (self->network_data, room, user, permission);
}

typedef struct {
  Host *host;
  bot_task fn, drop;
  void *data;
} Post;

static gboolean
run_post (gpointer data)
{
  Post *post = data;

  g_atomic_int_add (&post->host->posts, -1);
  if (!post->host->stopped)
    post->fn (post->data);
  else if (post->drop != NULL)
    post->drop (post->data);
  return G_SOURCE_REMOVE;
}

static bot_result
api_post (void *ctx, bot_task fn, void *data, bot_task drop)
{
  Post *post = g_new (Post, 1);

  *post = (Post){ctx, fn, drop, data};
  g_atomic_int_inc (&post->host->posts);
  g_idle_add_full (G_PRIORITY_DEFAULT, run_post, post, g_free);
  return BOT_OK;
}

/* ---- voice */

static bot_result
api_voice_open (void *ctx, bot_id room, bot_voice_spec *spec, bot_id *voice)
{
  Host *self = ctx;

  return self->network->voice_open (self->network_data, room, spec, voice);
}

static bot_result
api_voice_send (void *ctx, bot_id voice, uint64_t seq, uint32_t flags, const void *packet,
                size_t len)
{
  Host *self = ctx;

  return self->network->voice_send (self->network_data, voice, seq, flags, packet, len);
}

static bot_result
api_voice_close (void *ctx, bot_id voice)
{
  Host *self = ctx;

  return self->network->voice_close (self->network_data, voice);
}

static bot_result
api_now_playing (void *ctx, bot_id voice, const char *title)
{
  Host *self = ctx;

  return self->network->now_playing (self->network_data, voice, title);
}

static const void *
api_get_extension (void *ctx, const char *id)
{
  Host *self = ctx;

  return strcmp (id, BOT_EXT_VOICE) == 0 ? &self->voice_api : NULL;
}

static void
fill_api (Host *self)
{
  self->api = (bot_host){.size = sizeof (bot_host),
                         .abi_major = BOT_ABI_MAJOR,
                         .abi_minor = BOT_ABI_MINOR,
                         .ctx = self,
                         .name = "encore-bot",
                         .version = PACKAGE_VERSION,
                         .get_extension = api_get_extension,
                         .log = api_log,
                         .config_get = api_config_get,
                         .config_key = api_config_key,
                         .command_add = api_command_add,
                         .reply = api_reply,
                         .allowed = api_allowed,
                         .post = api_post};
  self->voice_api = (bot_host_voice){.size = sizeof (bot_host_voice),
                                     .open = api_voice_open,
                                     .send = api_voice_send,
                                     .close = api_voice_close,
                                     .now_playing = api_now_playing};
}

/* ---- loading */

static char *
module_path (GKeyFile *config)
{
  char *path = g_key_file_get_string (config, "bot", "plugin", NULL);

  if (path == NULL)
    path = g_strdup (g_getenv ("ENCORE_MODULE"));
  return path != NULL ? path : g_strdup (ENCORE_MODULE_DIR "/encore.so");
}

/* A section whose name is mistyped would be ignored with all that is in it. */
static gboolean
check_groups (Host *self, GKeyFile *config, GError **error)
{
  const char *const known[] = {"bot", "console", "mumble", self->plugin->id, NULL};
  g_auto (GStrv) groups = g_key_file_get_groups (config, NULL);

  for (char **group = groups; *group != NULL; group++)
    if (!g_strv_contains (known, *group)) {
      g_set_error (error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE,
                   "unknown section [%s]; there are [bot], [console], [mumble] and [%s]", *group,
                   self->plugin->id);
      return FALSE;
    }
  return TRUE;
}

gboolean
host_load (Host *self, GError **error)
{
  g_autofree char *path = module_path (self->config);
  gpointer entry = NULL;

  self->module = g_module_open (path, G_MODULE_BIND_LOCAL);
  if (self->module == NULL || !g_module_symbol (self->module, "bot_plugin_entry", &entry)) {
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "plugin %s: %s", path,
                 g_module_error ());
    return FALSE;
  }
  self->plugin = entry;
  if (self->plugin->abi_major != BOT_ABI_MAJOR) {
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                 "plugin %s speaks version %d of the contract, this host %d", path,
                 self->plugin->abi_major, BOT_ABI_MAJOR);
    return FALSE;
  }
  if (!check_groups (self, self->config, error))
    return FALSE;
  if (self->plugin->flags & BOT_PLUGIN_RESIDENT)
    g_module_make_resident (self->module);
  if (self->plugin->start (&self->api, &self->plugin_self) < BOT_OK) {
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "plugin %s refuses to start (see above)",
                 self->plugin->id);
    return FALSE;
  }
  self->started = TRUE;
  return TRUE;
}

gboolean
host_check_keys (GKeyFile *config, const char *group, const char *const *known, GError **error)
{
  g_auto (GStrv) keys = g_key_file_get_keys (config, group, NULL, NULL);

  for (char **key = keys; key != NULL && *key != NULL; key++)
    if (!g_strv_contains (known, *key)) {
      g_set_error (error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE,
                   "[%s]: unknown key '%s'", group, *key);
      return FALSE;
    }
  return TRUE;
}

char *
host_get_or (GKeyFile *config, const char *group, const char *key, const char *otherwise)
{
  char *value = g_key_file_get_string (config, group, key, NULL);

  return value != NULL ? value : g_strdup (otherwise);
}

char **
host_get_list (GKeyFile *config, const char *group, const char *key, const char *otherwise)
{
  g_autofree char *text = host_get_or (config, group, key, otherwise);
  char **names = g_strsplit_set (text, ",; ", -1);

  if (*text == '\0')
    g_clear_pointer (&names, g_strfreev);
  return names;
}

static gboolean
check_bot (GKeyFile *config, GError **error)
{
  static const char *const known[] = {"prefix", "plugin", "admins", "djs", NULL};

  return host_check_keys (config, "bot", known, error);
}

Host *
host_new (GKeyFile *config, const Network *network, gpointer data, GError **error)
{
  if (!check_bot (config, error))
    return NULL;
  Host *self = g_new0 (Host, 1);
  g_mutex_init (&self->mutex);
  self->config = g_key_file_ref (config);
  self->network = network;
  self->network_data = data;
  self->prefix = host_get_or (config, "bot", "prefix", "?");
  self->commands = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, command_free);
  fill_api (self);
  return self;
}

/* (transfer full): what was in force before. */
static GKeyFile *
exchange_config (Host *self, GKeyFile *config)
{
  g_mutex_lock (&self->mutex);
  GKeyFile *before = self->config;
  self->config = g_key_file_ref (config);
  g_mutex_unlock (&self->mutex);
  return before;
}

gboolean
host_reconfigure (Host *self, GKeyFile *config, GError **error)
{
  if (!check_bot (config, error) || !check_groups (self, config, error))
    return FALSE;
  g_autoptr (GKeyFile) before = exchange_config (self, config);
  if (BOT_HAS (self->plugin, reconfigure) &&
      self->plugin->reconfigure (self->plugin_self) < BOT_OK) {
    g_key_file_unref (exchange_config (self, before));
    g_set_error (error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE,
                 "the plugin refuses [%s] (see above)", self->plugin->id);
    return FALSE;
  }
  g_free (self->prefix);
  self->prefix = host_get_or (config, "bot", "prefix", "?");
  return TRUE;
}

void
host_stop (Host *self)
{
  if (self->started)
    self->plugin->stop (self->plugin_self);
  self->started = FALSE;
  self->stopped = TRUE;
  while (g_atomic_int_get (&self->posts) > 0)
    g_main_context_iteration (NULL, FALSE);
}

void
host_free (Host *self)
{
  host_stop (self);
  if (self->module != NULL)
    g_module_close (self->module);
  g_hash_table_unref (self->commands);
  g_key_file_unref (self->config);
  g_mutex_clear (&self->mutex);
  g_free (self->prefix);
  g_free (self);
}

/* ---- chat */

void
host_say (Host *self, const bot_call *call, const char *text)
{
  if (g_str_has_prefix (text, self->prefix))
    host_call (self, call, text);
}

void
host_call (Host *self, const bot_call *from, const char *text)
{
  if (g_str_has_prefix (text, self->prefix))
    text += strlen (self->prefix);
  const gsize name_len = strcspn (text, " \t");
  g_autofree char *name = g_strndup (text, name_len);
  g_autofree char *args = g_strstrip (g_strdup (text + name_len));
  const Command *command = g_hash_table_lookup (self->commands, name);

  if (command == NULL) {
    g_autofree char *answer = g_strdup_printf ("There is no command %s%.40s; %shelp lists them.",
                                               self->prefix, name, self->prefix);
    api_reply (self, from->room, from->user, answer);
    return;
  }
  if (command->permission != NULL &&
      api_allowed (self, from->room, from->user, command->permission) != BOT_OK) {
    g_autofree char *answer = g_strdup_printf ("%s%s is for admins.", self->prefix, name);
    api_reply (self, from->room, from->user, answer);
    return;
  }
  const bot_call call = {.size = sizeof call,
                         .room = from->room,
                         .user = from->user,
                         .voice_room = from->voice_room,
                         .user_name = from->user_name,
                         .name = name,
                         .args = args};
  command->run (command->data, &call);
}

const char *
host_get_prefix (Host *self)
{
  return self->prefix;
}

gboolean
host_is_busy (Host *self)
{
  if (g_atomic_int_get (&self->posts) > 0)
    return TRUE;
  return self->started && BOT_HAS (self->plugin, busy) &&
         self->plugin->busy (self->plugin_self) > 0;
}
