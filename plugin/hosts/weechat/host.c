/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "host.h"

#include <dlfcn.h>
#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "voices.h"

#define POSTS_US 2000   /* of WeeChat's time at once */
#define LEVELS_MAX 4096 /* remembered users; who speaks again is looked up again */

typedef struct {
  char *name, *permission; /* permission: nullable */
  void (*run) (void *data, const bot_call *call);
  void *data;
} Command;

typedef struct {
  bot_task fn, drop;
  void *data;
} Post;

struct Host {
  bot_host api;
  bot_host_voice voice_api;
  Options *options;
  HostChat chat;
  Voices *voices;
  const bot_plugin *plugin;
  void *plugin_self; /* the plugin's own, perhaps NULL */
  gboolean started;
  char *path;
  GHashTable *commands; /* name -> Command */
  GAsyncQueue *posts;   /* Post */
  int fd;               /* eventfd: posts wait */
  GMutex mutex;
  GHashTable *levels; /* user in a room (bot_id *) -> 1 dj, 2 admin, under MUTEX */
};

bot_id
host_id (const char *text)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 digest[32];
  gsize len = sizeof digest;
  bot_id id = 0;

  g_checksum_update (sum, (const guchar *) text, -1);
  g_checksum_get_digest (sum, digest, &len);
  for (guint i = 0; i < 8; i++)
    id = id << 8 | digest[i];
  id &= G_MAXINT64;
  return id != 0 ? id : 1;
}

static bot_id
user_in_room (bot_id room, bot_id user)
{
  return room ^ (user << 1 | user >> 63);
}

static void
command_free (gpointer data)
{
  Command *self = data;

  g_free (self->name);
  g_free (self->permission);
  g_free (self);
}

/* ---- what the plugin calls: posts */

static bot_result
api_post (void *ctx, bot_task fn, void *data, bot_task drop)
{
  Host *self = ctx;
  Post *post = g_new (Post, 1);
  const guint64 one = 1;

  *post = (Post){fn, drop, data};
  g_async_queue_push (self->posts, post);
  /* it fails only where the counter is full, which wakes us as well: the post is ours already */
  if (write (self->fd, &one, sizeof one) < 0)
    g_assert (errno == EAGAIN);
  return BOT_OK;
}

void
host_run_posts (Host *self)
{
  const gint64 until_us = g_get_monotonic_time () + POSTS_US;
  guint64 n;
  Post *post;

  if (read (self->fd, &n, sizeof n) < 0)
    n = 0;
  while ((post = g_async_queue_try_pop (self->posts)) != NULL) {
    post->fn (post->data);
    g_free (post);
    if (g_get_monotonic_time () > until_us && g_async_queue_length (self->posts) > 0) {
      n = 1;
      n = write (self->fd, &n, sizeof n); /* so that we are called again */
      break;
    }
  }
}

static void
drop_posts (Host *self)
{
  Post *post;

  while ((post = g_async_queue_try_pop (self->posts)) != NULL) {
    if (post->drop != NULL)
      post->drop (post->data);
    g_free (post);
  }
}

/* ---- replies and log lines, which WeeChat takes on its own thread only */

typedef struct {
  Host *host;
  bot_id room, user;
  int level;
  char *text;
} Line;

static void
line_free (void *data)
{
  Line *self = data;

  g_free (self->text);
  g_free (self);
}

static void
deliver_reply (void *data)
{
  Line *self = data;

  self->host->chat.reply (self->host->chat.data, self->room, self->user, self->text);
  line_free (self);
}

static void
deliver_log (void *data)
{
  Line *self = data;

  self->host->chat.log (self->host->chat.data, self->level, self->text);
  line_free (self);
}

static void
post_line (Host *self, bot_task deliver, bot_task drop, const Line *line)
{
  Line *copy = g_memdup2 (line, sizeof *line);

  copy->host = self;
  copy->text = g_strdup (line->text);
  api_post (self, deliver, copy, drop);
}

static bot_result
api_reply (void *ctx, bot_id room, bot_id user, const char *text)
{
  post_line (ctx, deliver_reply, line_free,
             &(Line){.room = room, .user = user, .text = (char *) text});
  return BOT_OK;
}

static void
api_log (void *ctx, int level, const char *domain, const char *text)
{
  /* what is said while it stops is said, too */
  post_line (ctx, deliver_log, deliver_log, &(Line){.level = level, .text = (char *) text});
}

/* ---- configuration, commands, rights */

static bot_result
copy_out (const char *text, char *buf, size_t len)
{
  return text != NULL ? g_snprintf (buf, len, "%s", text) : BOT_EINVAL;
}

static bot_result
api_config_get (void *ctx, const char *key, char *buf, size_t len)
{
  Host *self = ctx;
  g_autofree char *value = options_get_plugin (self->options, key);

  return copy_out (value, buf, len);
}

static bot_result
api_config_key (void *ctx, uint32_t index, char *buf, size_t len)
{
  Host *self = ctx;
  g_autofree char *key = options_get_plugin_key (self->options, index);

  return copy_out (key, buf, len);
}

static bot_result
api_command_add (void *ctx, const bot_command *cmd)
{
  Host *self = ctx;
  Command *command = g_new0 (Command, 1);

  command->name = g_strdup (cmd->name);
  command->permission = g_strdup (cmd->permission);
  command->run = cmd->run;
  command->data = cmd->data;
  g_hash_table_replace (self->commands, command->name, command);
  return BOT_OK;
}

static bot_result
api_allowed (void *ctx, bot_id room, bot_id user, const char *permission)
{
  Host *self = ctx;
  const bot_id key = user_in_room (room, user);
  const int wanted = g_str_has_suffix (permission, ".dj") ? 1 : 2;

  g_mutex_lock (&self->mutex);
  const int level = GPOINTER_TO_INT (g_hash_table_lookup (self->levels, &key));
  g_mutex_unlock (&self->mutex);
  return level >= wanted ? BOT_OK : BOT_EDENIED;
}

/* What ROOM may be asked of any thread, WeeChat only on its own: so it is written down here when he
 * gives a command. */
static void
remember_level (Host *self, bot_id room, const HostUser *user)
{
  const int level = user->is_admin ? 2 : user->is_dj ? 1 : 0;
  const bot_id key = user_in_room (room, user->id);

  g_mutex_lock (&self->mutex);
  if (g_hash_table_size (self->levels) >= LEVELS_MAX)
    g_hash_table_remove_all (self->levels);
  g_hash_table_replace (self->levels, g_memdup2 (&key, sizeof key), GINT_TO_POINTER (level));
  g_mutex_unlock (&self->mutex);
}

/* ---- voice */

static bot_result
api_voice_open (void *ctx, bot_id room, bot_voice_spec *spec, bot_id *voice)
{
  return voices_open (((Host *) ctx)->voices, room, spec, voice);
}

static bot_result
api_voice_send (void *ctx, bot_id voice, uint64_t seq, uint32_t flags, const void *packet,
                size_t len)
{
  return voices_send (((Host *) ctx)->voices, voice, seq, flags, packet, len);
}

static bot_result
api_voice_close (void *ctx, bot_id voice)
{
  return voices_close (((Host *) ctx)->voices, voice);
}

static bot_result
api_now_playing (void *ctx, bot_id voice, const char *title)
{
  return voices_set_title (((Host *) ctx)->voices, voice, title);
}

static const void *
api_get_extension (void *ctx, const char *id)
{
  Host *self = ctx;

  return strcmp (id, BOT_EXT_VOICE) == 0 ? &self->voice_api : NULL;
}

static void
voices_post (gpointer data, bot_task fn, void *arg, bot_task drop)
{
  api_post (data, fn, arg, drop);
}

static void
voices_say (gpointer data, bot_id room, const char *sentence)
{
  Host *self = data;

  self->chat.log (self->chat.data, BOT_LOG_INFO, sentence);
  self->chat.reply (self->chat.data, room, 0, sentence);
}

static const char *
voices_get_room_name (gpointer data, bot_id room)
{
  Host *self = data;

  return self->chat.get_room_name (self->chat.data, room);
}

/* ---- life */

static void
fill_api (Host *self)
{
  self->api = (bot_host){.size = sizeof (bot_host),
                         .abi_major = BOT_ABI_MAJOR,
                         .abi_minor = BOT_ABI_MINOR,
                         .ctx = self,
                         .name = self->chat.name,
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

static gboolean
load (Host *self, GError **error)
{
  /* never closed: it is BOT_PLUGIN_RESIDENT, and to open it again costs nothing */
  void *module = dlopen (self->path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

  self->plugin = module != NULL ? dlsym (module, "bot_plugin_entry") : NULL;
  if (self->plugin == NULL) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "module %s: %s", self->path, dlerror ());
    return FALSE;
  }
  if (self->plugin->abi_major != BOT_ABI_MAJOR) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                 "module %s speaks version %d of the contract, this host %d", self->path,
                 self->plugin->abi_major, BOT_ABI_MAJOR);
    return FALSE;
  }
  if (self->plugin->start (&self->api, &self->plugin_self) < BOT_OK) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s does not start; when that is mended: %s",
                 self->plugin->id, self->chat.retry);
    return FALSE;
  }
  self->started = TRUE;
  return TRUE;
}

Host *
host_new (Options *options, const HostChat *chat, GError **error)
{
  g_autoptr (Host) self = g_new0 (Host, 1);
  const VoicesOwner owner = {voices_post, voices_say, voices_get_room_name, self};

  self->options = options;
  self->chat = *chat;
  self->path = g_strdup (options_get_module (options));
  self->fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  self->posts = g_async_queue_new ();
  self->commands = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, command_free);
  self->levels = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  g_mutex_init (&self->mutex);
  self->voices = voices_new (options, &owner);
  fill_api (self);
  if (self->fd < 0) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "no more open files are allowed");
    return NULL;
  }
  return load (self, error) ? g_steal_pointer (&self) : NULL;
}

void
host_free (Host *self)
{
  if (self == NULL)
    return;
  if (self->started)
    self->plugin->stop (self->plugin_self);
  voices_free (self->voices);
  drop_posts (self);
  g_async_queue_unref (self->posts);
  if (self->fd >= 0)
    close (self->fd);
  g_hash_table_unref (self->commands);
  g_hash_table_unref (self->levels);
  g_mutex_clear (&self->mutex);
  g_free (self->path);
  g_free (self);
}

int
host_get_fd (const Host *self)
{
  return self->fd;
}

/* ---- commands */

gboolean
host_find (Host *self, const char *name, const char **permission)
{
  const Command *command = g_hash_table_lookup (self->commands, name);

  if (command != NULL && permission != NULL)
    *permission = command->permission;
  return command != NULL;
}

bot_result
host_run (Host *self, bot_id room, const HostUser *user, const char *name, const char *args)
{
  const Command *command = g_hash_table_lookup (self->commands, name);
  const bot_call call = {.size = sizeof call,
                         .room = room,
                         .user = user->id,
                         .voice_room = room,
                         .user_name = user->name,
                         .name = name,
                         .args = args};

  if (command == NULL)
    return BOT_EINVAL;
  remember_level (self, room, user);
  if (command->permission != NULL &&
      api_allowed (self, room, user->id, command->permission) != BOT_OK)
    return BOT_EDENIED;
  command->run (command->data, &call);
  return BOT_OK;
}

GPtrArray *
host_describe (Host *self)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func (g_free);

  g_ptr_array_add (lines, g_strdup_printf ("%s %s from %s", self->plugin->id, self->plugin->version,
                                           self->path));
  voices_describe (self->voices, lines);
  return lines;
}
