/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Threads: [main], but for what the plugin calls on any thread, which is under MUTEX. */
#include "config.h"
#include "console.h"

#include <gio/gio.h>
#include <gio/gunixinputstream.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "service.h"
#include "voice.h"

#define ROOM 1
#define VOICE 1
#define LINE_MAX_BYTES 8192
#define IDLE_CHECK_MS 20
#define EXIT_USAGE 2

typedef struct {
  GMainLoop *loop;
  Host *host;
  GDataInputStream *input;
  gboolean wait_idle;
  char *room, *voice_spec;
  GHashTable *users;     /* name -> id */
  GMutex mutex;          /* output, the rest */
  char **admins, **djs;  /* djs NULL: everybody */
  GPtrArray *user_names; /* id - 1 -> name */
  Voice *voice;
  gint talking; /* atomic: packets come, the last one has not yet */
} Console;

/* ---- what the plugin calls */

static bot_result
reply (gpointer data, bot_id room, bot_id user, const char *text)
{
  Console *self = data;

  if (room != ROOM)
    return BOT_ECLOSED;
  g_mutex_lock (&self->mutex);
  printf ("[%s] %s\n", self->room, text);
  fflush (stdout);
  g_mutex_unlock (&self->mutex);
  return BOT_OK;
}

static bot_result
allowed (gpointer data, bot_id room, bot_id user, const char *permission)
{
  Console *self = data;
  bot_result result = BOT_EDENIED;

  g_mutex_lock (&self->mutex);
  if (user > 0 && user <= self->user_names->len) {
    const char *name = self->user_names->pdata[user - 1];
    const gboolean admin = g_strv_contains ((const char *const *) self->admins, name);
    const gboolean dj =
        admin || self->djs == NULL || g_strv_contains ((const char *const *) self->djs, name);
    if (admin || (dj && g_str_has_suffix (permission, ".dj")))
      result = BOT_OK;
  }
  g_mutex_unlock (&self->mutex);
  return result;
}

static bot_result
voice_open (gpointer data, bot_id room, bot_voice_spec *spec, bot_id *voice)
{
  Console *self = data;
  g_autoptr (GError) error = NULL;

  if (room != ROOM)
    return BOT_ECLOSED;
  g_mutex_lock (&self->mutex);
  if (self->voice == NULL)
    self->voice = voice_new (self->voice_spec, &error);
  g_mutex_unlock (&self->mutex);
  if (error != NULL) {
    host_log (BOT_LOG_ERROR, "bot", "%s", error->message);
    return BOT_EFAIL;
  }
  spec->max_bytes = 1275;
  spec->max_bps = 0;
  spec->queue_us = 0;
  *voice = VOICE;
  return BOT_OK;
}

static bot_result
send_packet (gpointer data, bot_id voice, uint64_t seq, uint32_t flags, const void *packet,
             size_t len)
{
  Console *self = data;
  bot_result result = BOT_ECLOSED;

  g_mutex_lock (&self->mutex);
  if (self->voice != NULL && voice == VOICE) {
    voice_send (self->voice, seq, packet, len);
    g_atomic_int_set (&self->talking, (flags & BOT_VOICE_LAST) == 0);
    result = BOT_OK;
  }
  g_mutex_unlock (&self->mutex);
  return result;
}

static bot_result
voice_close (gpointer data, bot_id voice)
{
  Console *self = data;

  g_mutex_lock (&self->mutex);
  g_clear_pointer (&self->voice, voice_free);
  g_atomic_int_set (&self->talking, FALSE);
  g_mutex_unlock (&self->mutex);
  return BOT_OK;
}

static bot_result
now_playing (gpointer data, bot_id voice, const char *title)
{
  return BOT_OK;
}

static const Network NETWORK = {reply, allowed, voice_open, send_packet, voice_close, now_playing};

/* ---- input */

static gboolean
on_idle_check (gpointer data)
{
  Console *self = data;

  if (self->wait_idle && (host_is_busy (self->host) || g_atomic_int_get (&self->talking)))
    return G_SOURCE_CONTINUE;
  g_main_loop_quit (self->loop);
  return G_SOURCE_REMOVE;
}

static bot_id
user_id (Console *self, const char *name)
{
  gpointer id = g_hash_table_lookup (self->users, name);

  if (id != NULL)
    return GPOINTER_TO_UINT (id);
  g_mutex_lock (&self->mutex);
  char *copy = g_strdup (name);
  g_ptr_array_add (self->user_names, copy);
  const guint number = self->user_names->len;
  g_mutex_unlock (&self->mutex);
  g_hash_table_insert (self->users, copy, GUINT_TO_POINTER (number));
  return number;
}

static void
say (Console *self, const char *user, const char *text)
{
  const bot_call call = {
      .room = ROOM, .user = user_id (self, user), .voice_room = ROOM, .user_name = user};

  host_say (self->host, &call, text);
}

/* "NAME: TEXT" or "TEXT"; a name has no blanks and no prefix sign. */
static void
take_line (Console *self, const char *line)
{
  g_autofree char *valid = g_utf8_make_valid (line, MIN (strlen (line), LINE_MAX_BYTES));

  for (char *p = valid; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      *p = ' ';
  const char *colon = strstr (valid, ": ");
  g_autofree char *name = colon != NULL ? g_strndup (valid, colon - valid) : NULL;
  if (name != NULL && *name != '\0' && strcspn (name, " \t?!./") == strlen (name))
    say (self, name, colon + 2);
  else
    say (self, "operator", valid);
}

static void
on_line (GObject *source, GAsyncResult *result, gpointer data)
{
  Console *self = data;
  gsize len;
  g_autofree char *line = g_data_input_stream_read_line_finish (self->input, result, &len, NULL);

  if (line == NULL) {
    g_timeout_add (IDLE_CHECK_MS, on_idle_check, self);
    return;
  }
  take_line (self, line);
  g_data_input_stream_read_line_async (self->input, G_PRIORITY_DEFAULT, NULL, on_line, self);
}

/* ---- configuration */

static const char *const KEYS[] = {"voice", "room", NULL};
static const char *const LIVE_KEYS[] = {NULL};

static gboolean
check_config (GKeyFile *config, GError **error)
{
  g_autofree char *spec = host_get_or (config, "console", "voice", "null");

  return host_check_keys (config, "console", KEYS, error) && voice_check (spec, error);
}

static void
adopt_config (GKeyFile *config, gpointer data)
{
  Console *self = data;
  char **admins = host_get_list (config, "bot", "admins", "operator");
  char **djs = host_get_list (config, "bot", "djs", "");

  g_mutex_lock (&self->mutex);
  g_strfreev (self->admins);
  g_strfreev (self->djs);
  self->admins = admins != NULL ? admins : g_new0 (char *, 1);
  self->djs = djs;
  g_mutex_unlock (&self->mutex);
}

static const ServiceNetwork SERVICE = {"console", LIVE_KEYS, check_config, adopt_config};

/* ---- life */

static void
console_clear (Console *self)
{
  g_clear_pointer (&self->host, host_free);
  g_clear_pointer (&self->voice, voice_free);
  g_clear_pointer (&self->loop, g_main_loop_unref);
  g_clear_object (&self->input);
  g_hash_table_unref (self->users);
  g_ptr_array_unref (self->user_names);
  g_strfreev (self->admins);
  g_strfreev (self->djs);
  g_free (self->room);
  g_free (self->voice_spec);
  g_mutex_clear (&self->mutex);
}

static gboolean
console_init (Console *self, GKeyFile *config, GError **error)
{
  g_autoptr (GInputStream) in = g_unix_input_stream_new (STDIN_FILENO, FALSE);

  g_mutex_init (&self->mutex);
  self->users = g_hash_table_new (g_str_hash, g_str_equal);
  self->user_names = g_ptr_array_new_with_free_func (g_free);
  self->input = g_data_input_stream_new (in);
  g_data_input_stream_set_newline_type (self->input, G_DATA_STREAM_NEWLINE_TYPE_LF);
  self->loop = g_main_loop_new (NULL, FALSE);
  self->room = host_get_or (config, "console", "room", "console");
  self->voice_spec = host_get_or (config, "console", "voice", "null");
  adopt_config (config, self);
  self->host = host_new (config, &NETWORK, self, error);
  return self->host != NULL && check_config (config, error) && host_load (self->host, error);
}

int
console_run (const char *path, GKeyFile *config, gboolean wait_idle)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Service) service = NULL;
  Console console = {.wait_idle = wait_idle};

  if (!console_init (&console, config, &error)) {
    fprintf (stderr, "encore-bot: %s\n", error->message);
    console_clear (&console);
    return EXIT_USAGE;
  }
  service = service_new (path, config, console.host, console.loop, &SERVICE, &console);
  g_data_input_stream_read_line_async (console.input, G_PRIORITY_DEFAULT, NULL, on_line, &console);
  service_ready (service, "Takes commands");
  g_main_loop_run (console.loop);
  service_stopping (service);
  console_clear (&console);
  return 0;
}
