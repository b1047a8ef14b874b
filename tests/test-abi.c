/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The contract from the host's side: the module is opened as any bot opens it, through
 * bot-plugin.h alone.  Hosts of other ages are simulated by structs that end early, the byte after
 * them in a page that cannot be read: one read too far ends this test by SIGSEGV in every build. */
#include "config.h"

#include <dlfcn.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bot-plugin.h"

#define ROOM 7
#define USER 11
#define VOICE 13
#define DEADLINE_S 20
#define CYCLES 3

/* ---- a host that keeps what it hears */

typedef struct {
  const char *key, *value;
} Setting;

typedef struct {
  bot_host api;
  bot_host_voice voice_api;
  const void *voice; /* what get_extension answers; NULL: no voice rooms */
  Setting settings[4];
  GHashTable *commands; /* name -> bot_command; [main] */
  GMutex mutex;         /* all below */
  GCond cond;
  GPtrArray *replies, *logs;
  guint calls;      /* into the host */
  guint late_calls; /* after stop() returned */
  gboolean stopped;
} Host;

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
  called (ctx);
  *voice = VOICE;
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
  called (ctx);
  g_assert_cmpuint (voice, ==, VOICE);
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

static Host *
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

static void
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

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Host, host_free)

/* [main] As a host does on unload: the rest of its duties need no dispatching here. */
static void
host_stop (Host *self, const bot_plugin *plugin, void *plugin_self)
{
  plugin->stop (plugin_self);
  g_mutex_lock (&self->mutex);
  self->stopped = TRUE;
  g_mutex_unlock (&self->mutex);
  g_hash_table_remove_all (self->commands);
}

static void
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

/* Waits until LIST has a text with PART in it. */
static void
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

static gpointer
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

/* A copy of the first SIZE bytes of WHAT that ends where readable memory ends. */
typedef struct {
  char *pages;
  gsize len; /* bytes mapped */
  void *copy;
} Fenced;

static Fenced
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

static void
fenced_free (Fenced *self)
{
  munmap (self->pages, self->len);
}

/* ---- sizes and offsets */

/* Version 1.0 on machines with 64-bit pointers, as published: never change a line, add lines. */
#define MEMBER(type, member, offset, size) \
  { \
#type "." #member, offset, size, offsetof(type, member), sizeof(((type *) NULL)->member) \
  }

static const struct {
  const char *name;
  gsize offset, size;         /* published */
  gsize got_offset, got_size; /* compiled */
} MEMBERS[] = {
    MEMBER (bot_call, size, 0, 4),
    MEMBER (bot_call, reserved, 4, 4),
    MEMBER (bot_call, room, 8, 8),
    MEMBER (bot_call, user, 16, 8),
    MEMBER (bot_call, voice_room, 24, 8),
    MEMBER (bot_call, user_name, 32, 8),
    MEMBER (bot_call, name, 40, 8),
    MEMBER (bot_call, args, 48, 8),
    MEMBER (bot_command, size, 0, 4),
    MEMBER (bot_command, reserved, 4, 4),
    MEMBER (bot_command, name, 8, 8),
    MEMBER (bot_command, usage, 16, 8),
    MEMBER (bot_command, help, 24, 8),
    MEMBER (bot_command, permission, 32, 8),
    MEMBER (bot_command, run, 40, 8),
    MEMBER (bot_command, data, 48, 8),
    MEMBER (bot_host, size, 0, 4),
    MEMBER (bot_host, abi_major, 4, 2),
    MEMBER (bot_host, abi_minor, 6, 2),
    MEMBER (bot_host, ctx, 8, 8),
    MEMBER (bot_host, name, 16, 8),
    MEMBER (bot_host, version, 24, 8),
    MEMBER (bot_host, get_extension, 32, 8),
    MEMBER (bot_host, log, 40, 8),
    MEMBER (bot_host, config_get, 48, 8),
    MEMBER (bot_host, config_key, 56, 8),
    MEMBER (bot_host, command_add, 64, 8),
    MEMBER (bot_host, reply, 72, 8),
    MEMBER (bot_host, allowed, 80, 8),
    MEMBER (bot_host, post, 88, 8),
    MEMBER (bot_voice_spec, size, 0, 4),
    MEMBER (bot_voice_spec, rate_hz, 4, 4),
    MEMBER (bot_voice_spec, channels, 8, 4),
    MEMBER (bot_voice_spec, frame_us, 12, 4),
    MEMBER (bot_voice_spec, max_bytes, 16, 4),
    MEMBER (bot_voice_spec, max_bps, 20, 4),
    MEMBER (bot_voice_spec, queue_us, 24, 4),
    MEMBER (bot_voice_spec, reserved, 28, 4),
    MEMBER (bot_voice_spec, limits, 32, 8),
    MEMBER (bot_voice_spec, closed, 40, 8),
    MEMBER (bot_voice_spec, data, 48, 8),
    MEMBER (bot_host_voice, size, 0, 4),
    MEMBER (bot_host_voice, reserved, 4, 4),
    MEMBER (bot_host_voice, open, 8, 8),
    MEMBER (bot_host_voice, send, 16, 8),
    MEMBER (bot_host_voice, close, 24, 8),
    MEMBER (bot_host_voice, now_playing, 32, 8),
    MEMBER (bot_plugin, size, 0, 4),
    MEMBER (bot_plugin, abi_major, 4, 2),
    MEMBER (bot_plugin, abi_minor, 6, 2),
    MEMBER (bot_plugin, flags, 8, 4),
    MEMBER (bot_plugin, reserved, 12, 4),
    MEMBER (bot_plugin, id, 16, 8),
    MEMBER (bot_plugin, version, 24, 8),
    MEMBER (bot_plugin, start, 32, 8),
    MEMBER (bot_plugin, stop, 40, 8),
    MEMBER (bot_plugin, busy, 48, 8),
};

static const struct {
  const char *name;
  gsize size, got_size;
} STRUCTS[] = {
    {"bot_call", 56, sizeof (bot_call)},
    {"bot_command", 56, sizeof (bot_command)},
    {"bot_host", 96, sizeof (bot_host)},
    {"bot_voice_spec", 56, sizeof (bot_voice_spec)},
    {"bot_host_voice", 40, sizeof (bot_host_voice)},
    {"bot_plugin", 56, sizeof (bot_plugin)},
};

static void
test_layout (void)
{
  if (sizeof (void *) != 8) {
    g_test_skip ("the stored description is of 64-bit machines");
    return;
  }
  for (gsize i = 0; i < G_N_ELEMENTS (MEMBERS); i++)
    if (MEMBERS[i].offset != MEMBERS[i].got_offset || MEMBERS[i].size != MEMBERS[i].got_size)
      g_error ("%s is %" G_GSIZE_FORMAT " bytes at %" G_GSIZE_FORMAT ", 1.0 had %" G_GSIZE_FORMAT
               " at %" G_GSIZE_FORMAT,
               MEMBERS[i].name, MEMBERS[i].got_size, MEMBERS[i].got_offset, MEMBERS[i].size,
               MEMBERS[i].offset);
  /* a later minor may be longer, 1.0 itself may not */
  for (gsize i = 0; i < G_N_ELEMENTS (STRUCTS); i++)
    if (STRUCTS[i].got_size < STRUCTS[i].size ||
        (BOT_ABI_MINOR == 0 && STRUCTS[i].got_size != STRUCTS[i].size))
      g_error ("%s is %" G_GSIZE_FORMAT " bytes, 1.0 had %" G_GSIZE_FORMAT, STRUCTS[i].name,
               STRUCTS[i].got_size, STRUCTS[i].size);
  g_assert_cmpint (BOT_ABI_MAJOR, ==, 1);
  g_assert_cmpstr (BOT_EXT_VOICE, ==, "bot.voice/1");
  g_assert_cmpint (BOT_VOICE_LAST, ==, 1);
  g_assert_cmpint (BOT_PLUGIN_RESIDENT, ==, 1);
}

/* A struct that ends early has not what comes later, and asking reads nothing beyond its size. */
static void
test_has (void)
{
  g_autoptr (Host) host = host_new ();
  Fenced fenced = fenced_new (&host->api, offsetof (bot_host, reply));
  const bot_host *old = fenced.copy;

  g_assert_true (BOT_HAS (old, command_add));
  g_assert_false (BOT_HAS (old, reply));
  g_assert_false (BOT_HAS (old, post));
  fenced_free (&fenced);
}

/* ---- the entry, and hosts of other ages */

static void
test_entry (void)
{
  const bot_plugin *plugin;
  gpointer handle = module_open (&plugin);

  g_assert_cmpuint (plugin->size, ==, sizeof (bot_plugin));
  g_assert_cmpint (plugin->abi_major, ==, BOT_ABI_MAJOR);
  g_assert_cmpint (plugin->abi_minor, ==, BOT_ABI_MINOR);
  g_assert_cmpstr (plugin->id, ==, "encore");
  g_assert_cmpstr (plugin->version, ==, PACKAGE_VERSION);
  g_assert_cmphex (plugin->flags, ==, BOT_PLUGIN_RESIDENT);
  g_assert_cmpuint (plugin->reserved, ==, 0);
  g_assert_true (BOT_HAS (plugin, start));
  g_assert_true (BOT_HAS (plugin, stop));
  g_assert_true (BOT_HAS (plugin, busy));
  dlclose (handle);
}

/* With another major not even the log's place is known: nothing of the host is called. */
static void
test_other_major (void)
{
  static const int majors[] = {0, BOT_ABI_MAJOR + 1, UINT16_MAX};
  const bot_plugin *plugin;
  gpointer handle = module_open (&plugin);

  for (gsize i = 0; i < G_N_ELEMENTS (majors); i++) {
    g_autoptr (Host) host = host_new ();
    void *self = NULL;
    host->api.abi_major = majors[i];
    Fenced fenced = fenced_new (&host->api, offsetof (bot_host, ctx));
    g_assert_cmpint (plugin->start (fenced.copy, &self), <, BOT_OK);
    g_assert_null (self);
    g_assert_cmpuint (host->calls, ==, 0);
    fenced_free (&fenced);
  }
  dlclose (handle);
}

static void
test_newer_minor (void)
{
  struct {
    bot_host host;
    void *later[8];
  } newer;
  g_autoptr (Host) host = host_new ();
  const bot_plugin *plugin;
  gpointer handle = module_open (&plugin);
  void *self = NULL;

  memset (&newer, 0xa5, sizeof newer);
  newer.host = host->api;
  newer.host.abi_minor = BOT_ABI_MINOR + 1;
  newer.host.size = sizeof newer;
  g_assert_cmpint (plugin->start (&newer.host, &self), ==, BOT_OK);
  host_run (host, "version", "");
  host_await (host, host->replies, "Encore " PACKAGE_VERSION);
  host_stop (host, plugin, self);
  dlclose (handle);
}

/* Starts PLUGIN in a host whose struct is HOST's first SIZE bytes.  Returns: whether it started;
 * then it answered, if that host can hear it. */
static gboolean
start_fenced (const bot_plugin *plugin, Host *host, gsize size)
{
  Fenced fenced = fenced_new (&host->api, size);
  const bot_host *api = fenced.copy;
  void *self = NULL;
  const bot_result result = plugin->start (api, &self);

  if (result >= BOT_OK) {
    g_assert_nonnull (self);
    host_run (host, "version", "");
    if (BOT_HAS (api, reply))
      host_await (host, host->replies, "Encore " PACKAGE_VERSION);
    host_stop (host, plugin, self);
  } else {
    g_assert_null (self);
  }
  fenced_free (&fenced);
  return result >= BOT_OK;
}

/* Cut at each member: without command_add there is nothing to do here, all else can be done
 * without.
 */
static void
test_older_hosts (void)
{
  static const gsize ends[] = {offsetof (bot_host, name),
                               offsetof (bot_host, version),
                               offsetof (bot_host, get_extension),
                               offsetof (bot_host, log),
                               offsetof (bot_host, config_get),
                               offsetof (bot_host, config_key),
                               offsetof (bot_host, command_add),
                               offsetof (bot_host, reply),
                               offsetof (bot_host, allowed),
                               offsetof (bot_host, post),
                               sizeof (bot_host)};
  const bot_plugin *plugin;
  gpointer handle = module_open (&plugin);

  for (gsize i = 0; i < G_N_ELEMENTS (ends); i++) {
    g_autoptr (Host) host = host_new ();
    const gboolean started = start_fenced (plugin, host, ends[i]);
    g_test_message ("%" G_GSIZE_FORMAT " bytes: %s", ends[i], started ? "started" : "refused");
    g_assert_cmpint (started, ==, ends[i] > offsetof (bot_host, command_add));
    if (!started && ends[i] > offsetof (bot_host, log))
      host_await (host, host->logs, "the host refuses the command 'play'");
  }
  dlclose (handle);
}

/* What is there may still be NULL. */
static void
test_null_members (void)
{
  static const gsize optional[] = {
      offsetof (bot_host, get_extension), offsetof (bot_host, log),
      offsetof (bot_host, config_get),    offsetof (bot_host, config_key),
      offsetof (bot_host, reply),         offsetof (bot_host, allowed),
      offsetof (bot_host, post)};
  const bot_plugin *plugin;
  gpointer handle = module_open (&plugin);

  for (gsize i = 0; i < G_N_ELEMENTS (optional); i++) {
    g_autoptr (Host) host = host_new ();
    memset ((char *) &host->api + optional[i], 0, sizeof (void *));
    g_assert_true (start_fenced (plugin, host, sizeof host->api));
  }
  dlclose (handle);
}

/* ---- hosts without voice rooms, wrong configuration */

/* Says PLAY in a host whose voice extension is VOICE; waits for ANSWER. */
static void
play_with (const void *voice, const char *answer)
{
  g_autoptr (Host) host = host_new ();
  const bot_plugin *plugin;
  gpointer handle = module_open (&plugin);
  void *self = NULL;

  host->voice = voice;
  g_assert_cmpint (plugin->start (&host->api, &self), ==, BOT_OK);
  host_run (host, "play", "dQw4w9WgXcQ");
  host_await (host, host->replies, answer);
  host_run (host, "cache", "");
  host_await (host, host->replies, "songs");
  host_stop (host, plugin, self);
  dlclose (handle);
}

static void
test_no_voice (void)
{
  play_with (NULL, "no voice rooms");
}

/* A voice extension that lacks a call is none; now_playing is for show. */
static void
test_short_voice (void)
{
  static const gsize ends[] = {offsetof (bot_host_voice, open), offsetof (bot_host_voice, send),
                               offsetof (bot_host_voice, close),
                               offsetof (bot_host_voice, now_playing)};
  g_autoptr (Host) host = host_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (ends); i++) {
    Fenced fenced = fenced_new (&host->voice_api, ends[i]);
    play_with (fenced.copy, ends[i] > offsetof (bot_host_voice, close) ? "yt-dlp cannot be started"
                                                                       : "no voice rooms");
    fenced_free (&fenced);
  }
}

static void
test_unknown_key (void)
{
  g_autoptr (Host) host = host_new ();
  const bot_plugin *plugin;
  gpointer handle = module_open (&plugin);
  void *self = NULL;

  host->settings[3] = (Setting){"max_sise", "1GiB"};
  g_assert_cmpint (plugin->start (&host->api, &self), <, BOT_OK);
  g_assert_null (self);
  host_await (host, host->logs, "max_sise");
  host_await (host, host->logs, "did you mean 'max_size'?");
  /* put right, the same process may try again */
  host->settings[3] = (Setting){"max_size", "1GiB"};
  g_assert_cmpint (plugin->start (&host->api, &self), ==, BOT_OK);
  host_stop (host, plugin, self);
  dlclose (handle);
}

/* ---- loaded, used and unloaded again and again */

/* The control thread may not even run yet when it is told to end. */
static void
test_stop_at_once (void)
{
  g_autoptr (Host) host = host_new ();
  const bot_plugin *plugin;
  gpointer handle = module_open (&plugin);

  for (int i = 0; i < 50; i++) {
    void *self = NULL;
    host->stopped = FALSE;
    g_assert_cmpint (plugin->start (&host->api, &self), ==, BOT_OK);
    host_run (host, "version", "");
    host_stop (host, plugin, self);
  }
  dlclose (handle);
}

static guint
count_entries (const char *path, GString *names)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;
  guint n = 0;

  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *comm_path = g_build_filename (path, name, "comm", NULL);
    g_autofree char *link_path = g_build_filename (path, name, NULL);
    g_autofree char *comm = NULL;
    n++;
    if (g_file_get_contents (comm_path, &comm, NULL, NULL))
      g_string_append_printf (names, " %s", g_strchomp (comm));
    else if ((comm = g_file_read_link (link_path, NULL)) != NULL)
      g_string_append_printf (names, " %s", comm);
  }
  return n;
}

/* Waits until PATH has at most N entries; a thread that was joined leaves /proc a moment later. */
static void
await_entries (const char *path, guint n)
{
  const gint64 deadline_us = g_get_monotonic_time () + DEADLINE_S * G_TIME_SPAN_SECOND;
  g_autoptr (GString) names = g_string_new (NULL);

  while (count_entries (path, names) > n) {
    if (g_get_monotonic_time () > deadline_us)
      g_error ("%s had %u entries, now it has%s", path, n, names->str);
    g_string_truncate (names, 0);
    g_thread_pool_stop_unused_threads (); /* GLib's own spare threads are nobody's leak */
    g_usleep (1000);
  }
}

static void
run_cycle (void)
{
  g_autoptr (GString) names = g_string_new (NULL);
  g_autoptr (Host) host = host_new ();
  const bot_plugin *plugin;
  gpointer handle = module_open (&plugin);
  void *self = NULL;
  const guint threads = count_entries ("/proc/self/task", names);
  const guint fds = count_entries ("/proc/self/fd", names);

  g_assert_cmpint (plugin->start (&host->api, &self), ==, BOT_OK);
  /* a host may fork after loading us: nothing of start() may be lost then */
  g_assert_cmpuint (count_entries ("/proc/self/task", names), <=, threads);
  g_assert_cmpuint (count_entries ("/proc/self/fd", names), <=, fds);
  g_assert_cmpuint (plugin->busy (self), ==, 0);
  host_run (host, "play", "dQw4w9WgXcQ");
  host_await (host, host->replies, "yt-dlp cannot be started");
  host_run (host, "play", "words that are no id");
  host_stop (host, plugin, self);
  dlclose (handle);
}

static void
test_cycles (void)
{
  g_autoptr (GString) names = g_string_new (NULL);

  run_cycle (); /* what GLib, GStreamer and SQLite start once for a process, they start here */
  g_thread_pool_stop_unused_threads ();
  const guint threads = count_entries ("/proc/self/task", names);
  const guint fds = count_entries ("/proc/self/fd", names);
  g_test_message ("after the first cycle:%s", names->str);
  g_assert_null (strstr (names->str, "encore"));
  for (int i = 1; i <= CYCLES; i++) {
    run_cycle ();
    await_entries ("/proc/self/task", threads);
    await_entries ("/proc/self/fd", fds);
  }
}

int
main (int argc, char **argv)
{
  g_autofree char *dir = g_dir_make_tmp ("encore-abi-XXXXXX", NULL);
  const char *const remove[] = {"rm", "-rf", "--", dir, NULL};

  g_setenv ("TMPDIR", dir, TRUE);
  /* hosts that tell no configuration get the default directory */
  g_setenv ("XDG_CACHE_HOME", dir, TRUE);
  g_test_init (&argc, &argv, NULL);
  g_log_set_always_fatal (G_LOG_FATAL_MASK); /* a warning to the operator is no bug here */
  g_test_add_func ("/abi/sizes-and-offsets-are-those-of-1.0", test_layout);
  g_test_add_func ("/abi/has-reads-nothing-beyond-the-size", test_has);
  g_test_add_func ("/abi/entry", test_entry);
  g_test_add_func ("/abi/another-major-is-refused", test_other_major);
  g_test_add_func ("/abi/a-newer-minor-starts", test_newer_minor);
  g_test_add_func ("/abi/older-hosts-start-or-are-refused", test_older_hosts);
  g_test_add_func ("/abi/members-may-be-null", test_null_members);
  g_test_add_func ("/abi/no-voice-is-answered-in-words", test_no_voice);
  g_test_add_func ("/abi/a-voice-that-lacks-a-call-is-none", test_short_voice);
  g_test_add_func ("/abi/unknown-key-refuses-in-words", test_unknown_key);
  g_test_add_func ("/abi/stop-right-after-the-first-command", test_stop_at_once);
  g_test_add_func ("/abi/load-start-stop-again-and-again", test_cycles);
  const int status = g_test_run ();
  g_spawn_sync (NULL, (char **) remove, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                NULL);
  return status;
}
