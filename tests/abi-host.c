/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A host for the tests of the contract. */
#include "config.h"
#include "abi-host.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEADLINE_S 20

static Host *
called (void *ctx)
{
  Host *self = ctx;

  g_mutex_lock (&self->mutex);
  self->calls++;
  self->late_calls += self->stopped;
  g_mutex_unlock (&self->mutex);
  return self;
}

static void
keep (Host *self, GPtrArray *list, const char *text)
{
  g_mutex_lock (&self->mutex);
  g_ptr_array_add (list, g_strdup (text));
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->mutex);
}

static const void *
on_get_extension (void *ctx, const char *id)
{
  return strcmp (id, BOT_EXT_VOICE) == 0 ? called (ctx)->voice : NULL;
}

static void
on_log (void *ctx, int level, const char *domain, const char *text)
{
  Host *self = called (ctx);

  g_assert_cmpint (level, >=, BOT_LOG_DEBUG);
  g_assert_cmpint (level, <=, BOT_LOG_ERROR);
  g_assert_cmpstr (domain, !=, NULL);
  g_assert_null (strchr (text, '\n'));
  keep (self, self->logs, text);
}

static bot_result
on_config_get (void *ctx, const char *key, char *buf, size_t len)
{
  Host *self = called (ctx);

  for (gsize i = 0; i < G_N_ELEMENTS (self->settings); i++)
    if (g_strcmp0 (self->settings[i].key, key) == 0)
      return g_snprintf (buf, len, "%s", self->settings[i].value);
  return BOT_EINVAL;
}

static bot_result
on_config_key (void *ctx, uint32_t index, char *buf, size_t len)
{
  Host *self = called (ctx);

  if (index >= G_N_ELEMENTS (self->settings) || self->settings[index].key == NULL)
    return BOT_EINVAL;
  return g_snprintf (buf, len, "%s", self->settings[index].key);
}

static bot_result
on_command_add (void *ctx, const bot_command *cmd)
{
  Host *self = called (ctx);
  const gboolean named =
      strspn (cmd->name, "abcdefghijklmnopqrstuvwxyz_") == strlen (cmd->name) && *cmd->name != '\0';

  g_assert_cmpuint (cmd->size, >=, sizeof *cmd);
  g_assert_true (named);
  g_assert_nonnull (cmd->usage);
  g_assert_nonnull (cmd->help);
  g_assert_true (cmd->run != NULL);
  g_hash_table_replace (self->commands, g_strdup (cmd->name), g_memdup2 (cmd, sizeof *cmd));
  return BOT_OK;
}

static bot_result
on_reply (void *ctx, bot_id room, bot_id user, const char *text)
{
  Host *self = called (ctx);

  g_assert_cmpuint (room, ==, ROOM);
  keep (self, self->replies, text);
  return BOT_OK;
}

static bot_result
on_allowed (void *ctx, bot_id room, bot_id user, const char *permission)
{
  called (ctx);
  return BOT_OK;
}

static bot_result
on_post (void *ctx, bot_task fn, void *data, bot_task drop)
{
  called (ctx);
  return BOT_ECLOSED;
}

static bot_result
on_open (void *ctx, bot_id room, bot_voice_spec *spec, bot_id *voice)
{
  Host *self = called (ctx);

  g_mutex_lock (&self->mutex);
  self->spec = *spec;
  *voice = VOICE + self->n_opened++;
  g_mutex_unlock (&self->mutex);
  return BOT_OK;
}

static bot_result
on_send (void *ctx, bot_id voice, uint64_t seq, uint32_t flags, const void *packet, size_t len)
{
  called (ctx);
  return BOT_OK;
}

static bot_result
on_close (void *ctx, bot_id voice)
{
  const Host *self = called (ctx);

  g_assert_cmpuint (voice, ==, VOICE + self->n_opened - 1);
  return BOT_OK;
}

static bot_result
on_now_playing (void *ctx, bot_id voice, const char *title)
{
  called (ctx);
  return BOT_OK;
}

static const char *
cache_dir (void)
{
  static char *dir;

  if (dir == NULL)
    dir = g_build_filename (g_get_tmp_dir (), "cache", NULL);
  return dir;
}

Host *
host_new (void)
{
  Host *self = g_new0 (Host, 1);

  self->api = (bot_host){.size = sizeof self->api,
                         .abi_major = BOT_ABI_MAJOR,
                         .abi_minor = BOT_ABI_MINOR,
                         .ctx = self,
                         .name = "test-abi",
                         .version = "1",
                         .get_extension = on_get_extension,
                         .log = on_log,
                         .config_get = on_config_get,
                         .config_key = on_config_key,
                         .command_add = on_command_add,
                         .reply = on_reply,
                         .allowed = on_allowed,
                         .post = on_post};
  self->voice_api = (bot_host_voice){.size = sizeof self->voice_api,
                                     .open = on_open,
                                     .send = on_send,
                                     .close = on_close,
                                     .now_playing = on_now_playing};
  self->voice = &self->voice_api;
  self->settings[0] = (Setting){"cache_dir", cache_dir ()};
  self->settings[1] = (Setting){"ytdlp", "/nonexistent/yt-dlp"};
  self->settings[2] = (Setting){"min_free", "0"};
  self->commands = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->replies = g_ptr_array_new_with_free_func (g_free);
  self->logs = g_ptr_array_new_with_free_func (g_free);
  g_mutex_init (&self->mutex);
  g_cond_init (&self->cond);
  return self;
}

void
host_free (Host *self)
{
  g_assert_cmpuint (self->late_calls, ==, 0);
  g_hash_table_unref (self->commands);
  g_ptr_array_unref (self->replies);
  g_ptr_array_unref (self->logs);
  g_mutex_clear (&self->mutex);
  g_cond_clear (&self->cond);
  g_free (self);
}

void
host_end_voice (Host *self)
{
  self->spec.closed (self->spec.data, VOICE + self->n_opened - 1, BOT_ECLOSED);
}

void
host_stop (Host *self, const bot_plugin *plugin, void *plugin_self)
{
  plugin->stop (plugin_self);
  g_mutex_lock (&self->mutex);
  self->stopped = TRUE;
  g_mutex_unlock (&self->mutex);
  g_hash_table_remove_all (self->commands);
}

void
host_run (Host *self, const char *name, const char *args)
{
  const bot_command *command = g_hash_table_lookup (self->commands, name);
  const bot_call call = {.size = sizeof call,
                         .room = ROOM,
                         .user = USER,
                         .voice_room = ROOM,
                         .user_name = "amy",
                         .name = name,
                         .args = args};

  g_assert_nonnull (command);
  command->run (command->data, &call);
}

void
host_await (Host *self, GPtrArray *list, const char *part)
{
  const gint64 deadline_us = g_get_monotonic_time () + DEADLINE_S * G_TIME_SPAN_SECOND;
  gboolean in_time = TRUE, found = FALSE;

  g_mutex_lock (&self->mutex);
  while (!found && in_time) {
    for (guint i = 0; i < list->len && !found; i++)
      found = strstr (list->pdata[i], part) != NULL;
    if (!found)
      in_time = g_cond_wait_until (&self->cond, &self->mutex, deadline_us);
  }
  for (guint i = 0; i < list->len && !found; i++)
    g_test_message ("heard: %s", (char *) list->pdata[i]);
  g_mutex_unlock (&self->mutex);
  if (!found)
    g_error ("'%s' was not said", part);
}

/* ---- the module */

gpointer
module_open (const bot_plugin **plugin)
{
  const char *path = g_getenv ("ENCORE_MODULE");
  gpointer handle = dlopen (path, RTLD_NOW | RTLD_LOCAL);

  if (handle == NULL)
    g_error ("%s: %s", path, dlerror ());
  *plugin = dlsym (handle, "bot_plugin_entry");
  g_assert_nonnull (*plugin);
  return handle;
}

Fenced
fenced_new (const void *what, gsize size)
{
  const gsize page = sysconf (_SC_PAGESIZE);
  Fenced self = {.len = 2 * page};

  g_assert_cmpuint (size, <=, page);
  self.pages = mmap (NULL, self.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  g_assert_true (self.pages != MAP_FAILED);
  g_assert_cmpint (mprotect (self.pages + page, page, PROT_NONE), ==, 0);
  self.copy = self.pages + page - size;
  memcpy (self.copy, what, size);
  *(uint32_t *) self.copy = size; /* every struct of the contract begins with it */
  return self;
}

void
fenced_free (Fenced *self)
{
  munmap (self->pages, self->len);
}
