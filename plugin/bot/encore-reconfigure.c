/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The plugin's section of the host's configuration: read at the start, and again when the host says
 * that it is another.  What only the control thread reads changes there; the rest, which workers
 * read at any time, stays until a restart. */
#include "config.h"
#include "bot/encore-reconfigure.h"

#include "bot/encore-command.h"

static gboolean
read_key (const bot_host *host, const char *key, EncoreConfig *out, GError **error)
{
  const bot_result len = host->config_get (host->ctx, key, NULL, 0);

  if (len < 0)
    return TRUE;
  g_autofree char *value = g_malloc0 (len + 1);
  host->config_get (host->ctx, key, value, len + 1);
  return encore_config_set (out, key, value, error);
}

gboolean
encore_reconfigure_read (const bot_host *host, EncoreConfig *out, GError **error)
{
  char key[128];

  if (!BOT_HAS (host, config_get))
    return TRUE;
  /* with the keys themselves we can name the ones we do not know */
  if (BOT_HAS (host, config_key)) {
    for (guint32 i = 0; host->config_key (host->ctx, i, key, sizeof key) >= 0; i++)
      if (!read_key (host, key, out, error))
        return FALSE;
    return TRUE;
  }
  for (const EncoreOption *o = encore_config_options (); o->key != NULL; o++)
    if (!read_key (host, o->key, out, error))
      return FALSE;
  return TRUE;
}

static gboolean
differs (const EncoreOption *option, const EncoreConfig *a, const EncoreConfig *b)
{
  g_autofree char *old = encore_config_dump (a, option);
  g_autofree char *new = encore_config_dump (b, option);

  return g_strcmp0 (old, new) != 0;
}

/* What is live is compared with what was read last, the rest with what is in force since the start.
 * Values are not told: some are nobody's business. */
static void
tell (EncorePlugin *self, const EncoreConfig *now)
{
  g_autoptr (GString) changed = g_string_new (NULL);
  g_autoptr (GString) later = g_string_new (NULL);

  for (const EncoreOption *o = encore_config_options (); o->key != NULL; o++) {
    const gboolean live = encore_config_is_live (o);
    GString *list = live ? changed : later;
    if (differs (o, live ? self->latest : self->config, now))
      g_string_append_printf (list, "%s%s", list->len > 0 ? ", " : "", o->key);
  }
  if (changed->len > 0)
    g_info ("configuration: changed: %s", changed->str);
  if (later->len > 0)
    g_message ("configuration: only a restart changes: %s", later->str);
}

typedef struct {
  EncorePlugin *plugin;
  EncoreConfig *config;
} Change;

static void
change_free (gpointer data)
{
  Change *self = data;

  encore_config_free (self->config);
  g_free (self);
}

/* [control] */
static gboolean
take (gpointer data)
{
  const Change *change = data;

  encore_config_take_live (change->plugin->config, change->config);
  return G_SOURCE_REMOVE;
}

static EncoreConfig *
read_checked (EncorePlugin *self, GError **error)
{
  g_autoptr (EncoreConfig) now = encore_config_new ();

  return encore_reconfigure_read (self->bot_host, now, error) &&
                 encore_command_check_renames (now, error)
             ? g_steal_pointer (&now)
             : NULL;
}

gboolean
encore_reconfigure (EncorePlugin *self, GError **error)
{
  EncoreConfig *now = read_checked (self, error);
  EncoreConfig *copy = now != NULL ? read_checked (self, error) : NULL;

  if (copy == NULL) {
    encore_config_free (now);
    return FALSE;
  }
  tell (self, now);
  Change *change = g_new (Change, 1);
  *change = (Change){self, copy};
  encore_plugin_hand_over (self, take, change, change_free);
  encore_config_free (self->latest);
  self->latest = now;
  return TRUE;
}
