/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "service.h"

#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "notify.h"

#define WATCHDOG_SHARE 3 /* times as often as the manager wants it */

/* Keys of [bot] that change in a running bot. */
static const char *const BOT_LIVE[] = {"prefix", "admins", "djs", NULL};

struct Service {
  char *path;
  GKeyFile *first;  /* what the bot was started with */
  GKeyFile *latest; /* what is in force, as far as it is live */
  Host *host;
  GMainLoop *loop;
  const ServiceNetwork *network;
  gpointer data;
  gboolean is_ready, is_stopping, had_terminal;
  guint sources[4];
};

/* ---- reload */

static gboolean
differs (GKeyFile *a, GKeyFile *b, const char *group, const char *key)
{
  g_autofree char *old = g_key_file_get_string (a, group, key, NULL);
  g_autofree char *new = g_key_file_get_string (b, group, key, NULL);

  return g_strcmp0 (old, new) != 0;
}

static void
add_name (GString *list, const char *group, const char *key)
{
  g_autofree char *name = g_strdup_printf ("%s.%s", group, key);

  if (strstr (list->str, name) == NULL)
    g_string_append_printf (list, "%s%s", list->len > 0 ? ", " : "", name);
}

/* The keys that NOW or BEFORE has in GROUP and that differ: what is live since the last time, the
 * rest since the start.  */
static void
compare (Service *self, GKeyFile *now, const char *group, const char *const *live, GString *changed,
         GString *later)
{
  GKeyFile *const files[] = {now, self->latest, self->first};

  for (guint i = 0; i < G_N_ELEMENTS (files); i++) {
    g_auto (GStrv) keys = g_key_file_get_keys (files[i], group, NULL, NULL);
    for (char **key = keys; key != NULL && *key != NULL; key++) {
      const gboolean is_live = g_strv_contains (live, *key);
      if (differs (is_live ? self->latest : self->first, now, group, *key))
        add_name (is_live ? changed : later, group, *key);
    }
  }
}

static void
tell (Service *self, GKeyFile *now)
{
  g_autoptr (GString) changed = g_string_new (NULL);
  g_autoptr (GString) later = g_string_new (NULL);

  compare (self, now, "bot", BOT_LIVE, changed, later);
  compare (self, now, self->network->group, self->network->live, changed, later);
  if (changed->len > 0)
    host_log (BOT_LOG_INFO, "bot", "configuration: changed: %s", changed->str);
  if (later->len > 0)
    host_log (BOT_LOG_INFO, "bot", "configuration: only a restart changes: %s", later->str);
}

/* All of it is checked before any of it is taken. */
static gboolean
reload (Service *self, GError **error)
{
  g_autoptr (GKeyFile) now = g_key_file_new ();

  if (!g_key_file_load_from_file (now, self->path, G_KEY_FILE_NONE, error) ||
      !self->network->check (now, error) || !host_reconfigure (self->host, now, error))
    return FALSE;
  self->network->adopt (now, self->data);
  tell (self, now);
  g_key_file_unref (self->latest);
  self->latest = g_steal_pointer (&now);
  return TRUE;
}

static gboolean
on_hangup (gpointer data)
{
  Service *self = data;
  g_autoptr (GError) error = NULL;

  if (self->is_stopping)
    return G_SOURCE_CONTINUE;
  /* it was the terminal's last word, and no wish of anybody's */
  if (self->had_terminal && !isatty (STDIN_FILENO)) {
    g_main_loop_quit (self->loop);
    return G_SOURCE_CONTINUE;
  }
  notify_reloading ();
  if (reload (self, &error))
    host_log (BOT_LOG_INFO, "bot", "configuration: %s was read again", self->path);
  else
    host_log (BOT_LOG_ERROR, "bot", "configuration: %s: %s; what was in force before still is",
              self->path, error->message);
  notify_send ("READY=1");
  return G_SOURCE_CONTINUE;
}

/* ---- life */

static gboolean
on_end (gpointer data)
{
  g_main_loop_quit (((Service *) data)->loop);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_watchdog (gpointer data)
{
  notify_send ("WATCHDOG=1");
  return G_SOURCE_CONTINUE;
}

Service *
service_new (const char *path, GKeyFile *config, Host *host, GMainLoop *loop,
             const ServiceNetwork *network, gpointer data)
{
  Service *self = g_new0 (Service, 1);
  const guint64 watchdog_us = notify_watchdog_us ();

  self->path = g_strdup (path);
  self->first = g_key_file_ref (config);
  self->latest = g_key_file_ref (config);
  self->host = host;
  self->loop = loop;
  self->network = network;
  self->data = data;
  self->had_terminal = isatty (STDIN_FILENO);
  self->sources[0] = g_unix_signal_add (SIGTERM, on_end, self);
  self->sources[1] = g_unix_signal_add (SIGINT, on_end, self);
  self->sources[2] = g_unix_signal_add (SIGHUP, on_hangup, self);
  if (watchdog_us > 0)
    self->sources[3] =
        g_timeout_add (MAX (watchdog_us / 1000 / WATCHDOG_SHARE, 1), on_watchdog, self);
  return self;
}

void
service_ready (Service *self, const char *status)
{
  notify_status (status);
  if (!self->is_ready)
    notify_send ("READY=1");
  self->is_ready = TRUE;
}

void
service_stopping (Service *self)
{
  self->is_stopping = TRUE;
  /* from now on these two do what they do to any program: a plugin may hang in its stop() */
  g_clear_handle_id (&self->sources[0], g_source_remove);
  g_clear_handle_id (&self->sources[1], g_source_remove);
  notify_send ("STOPPING=1");
}

void
service_free (Service *self)
{
  for (guint i = 0; i < G_N_ELEMENTS (self->sources); i++)
    g_clear_handle_id (&self->sources[i], g_source_remove);
  g_key_file_unref (self->first);
  g_key_file_unref (self->latest);
  g_free (self->path);
  g_free (self);
}
