/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "settings.h"

#include <gio/gio.h>

#define OWN "eggdrop"
#define PLUGIN "encore"

/* What may stand in [eggdrop], and what holds where it does not. */
typedef enum {
  MODULE,
  PREFIX,
  CHANNELS,
  RATE,
  BURST,
  LINE_INTERVAL,
  MAX_LINES,
  URL,
  PUBLIC_URL,
  USER,
  PASSWORD,
  NAME,
  STATUS_DIR,
  CHAIN,
  N_SETTINGS
} Setting;

static const struct {
  const char *key, *fallback;
} settings[N_SETTINGS] = {
    [MODULE] = {"module", ENCORE_MODULE_DIR "/encore.so"},
    [PREFIX] = {"prefix", "?"},
    [CHANNELS] = {"channels", "*"},
    [RATE] = {"rate_per_minute", "20"},
    [BURST] = {"burst", "5"},
    [LINE_INTERVAL] = {"line_interval", "2000"},
    [MAX_LINES] = {"max_lines", "2"},
    [URL] = {"voice_url", ""},
    [PUBLIC_URL] = {"voice_public_url", ""},
    [USER] = {"voice_user", "source"},
    [PASSWORD] = {"voice_password", ""},
    [NAME] = {"voice_name", ""},
    [STATUS_DIR] = {"voice_status_dir", ""},
    [CHAIN] = {"voice_chain", "no"},
};

struct Options {
  GKeyFile *file;
  char *values[N_SETTINGS];
};

/* ---- reading */

static gboolean
is_valid (Setting setting, const char *value)
{
  guint64 number;

  switch (setting) {
  case RATE:
  case LINE_INTERVAL:
    return g_ascii_string_to_unsigned (value, 10, 0, 60000, &number, NULL);
  case BURST:
  case MAX_LINES:
    return g_ascii_string_to_unsigned (value, 10, 1, 100, &number, NULL);
  case CHAIN:
    return g_str_equal (value, "yes") || g_str_equal (value, "no");
  case PREFIX:
    /* with a slash people's own programs would take the line */
    return *value != '\0' && *value != '/' && g_ascii_ispunct (*value);
  default:
    return g_utf8_validate (value, -1, NULL);
  }
}

static gboolean
check_keys (GKeyFile *file, GError **error)
{
  g_auto (GStrv) keys = g_key_file_get_keys (file, OWN, NULL, NULL);

  for (char **key = keys; key != NULL && *key != NULL; key++) {
    guint i = 0;
    while (i < N_SETTINGS && !g_str_equal (*key, settings[i].key))
      i++;
    if (i == N_SETTINGS) {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "[" OWN "] %s: there is no such setting", *key);
      return FALSE;
    }
  }
  return TRUE;
}

Options *
settings_read (const char *path, GError **error)
{
  g_autoptr (Options) self = g_new0 (Options, 1);

  self->file = g_key_file_new ();
  if (!g_key_file_load_from_file (self->file, path, G_KEY_FILE_NONE, error)) {
    g_prefix_error (error, "%s: ", path);
    return NULL;
  }
  if (!check_keys (self->file, error))
    return NULL;
  for (guint i = 0; i < N_SETTINGS; i++) {
    /* one that is there and cannot be read is not the same as none */
    self->values[i] = g_key_file_has_key (self->file, OWN, settings[i].key, NULL)
                          ? g_key_file_get_string (self->file, OWN, settings[i].key, error)
                          : g_strdup (settings[i].fallback);
    if (self->values[i] == NULL)
      return NULL;
    if (!is_valid (i, self->values[i])) {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "[" OWN "] %s = %s: not possible",
                   settings[i].key, self->values[i]);
      return NULL;
    }
  }
  return g_steal_pointer (&self);
}

void
options_free (Options *self)
{
  for (guint i = 0; i < N_SETTINGS; i++)
    g_free (self->values[i]);
  g_key_file_unref (self->file);
  g_free (self);
}

/* ---- ours */

#define STRING(function, setting) \
  const char *options_get_##function (const Options *self) \
  { \
    return self->values[setting]; \
  }
#define NUMBER(function, setting) \
  guint options_get_##function (const Options *self) \
  { \
    return g_ascii_strtoull (self->values[setting], NULL, 10); \
  }

STRING (module, MODULE)
STRING (prefix, PREFIX)
STRING (channels, CHANNELS)
NUMBER (rate_per_minute, RATE)
NUMBER (burst, BURST)
NUMBER (line_interval_ms, LINE_INTERVAL)
NUMBER (max_lines, MAX_LINES)
STRING (voice_url, URL)
STRING (voice_public_url, PUBLIC_URL)
STRING (voice_user, USER)
STRING (voice_name, NAME)
STRING (voice_status_dir, STATUS_DIR)

char *
options_get_voice_password (const Options *self)
{
  return g_strdup (self->values[PASSWORD]);
}

gboolean
options_get_voice_chain (const Options *self)
{
  return g_str_equal (self->values[CHAIN], "yes");
}

/* ---- the plugin's */

char *
options_get_plugin (Options *self, const char *key)
{
  return g_key_file_get_string (self->file, PLUGIN, key, NULL);
}

char *
options_get_plugin_key (Options *self, guint index)
{
  gsize n = 0;
  g_auto (GStrv) keys = g_key_file_get_keys (self->file, PLUGIN, &n, NULL);

  return index < n ? g_strdup (keys[index]) : NULL;
}
