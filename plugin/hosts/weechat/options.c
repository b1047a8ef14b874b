/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "hosts/listen/listen.h"
#include "hosts/listen/rtp.h"
#include "voices.h"

typedef enum {
  MODULE,
  PREFIX,
  CHANNELS,
  RATE_PER_MINUTE,
  BURST,
  LINE_INTERVAL,
  MAX_LINES,
  DEBUG,
  ADMINS,
  ADMIN_ACCOUNTS,
  DJS,
  DJ_ACCOUNTS,
  OPS_ARE_DJS,
  VOICE_URL,
  VOICE_PUBLIC_URL,
  VOICE_USER,
  VOICE_PASSWORD,
  VOICE_NAME,
  VOICE_STATUS_DIR,
  VOICE_CHAIN,
  N_OPTIONS
} Which;

struct Options {
  struct t_config_file *file;
  struct t_config_option *options[N_OPTIONS];
  struct t_config_section *plugin_section;
  gboolean reading; /* the file */
  void (*changed) (gpointer data);
  gpointer data;
  GMutex mutex;
  GHashTable *plugin; /* key -> value, under MUTEX */
};

typedef int (*CheckFunc) (const void *pointer, void *data, struct t_config_option *option,
                          const char *value);

static int
refuse (const char *value, const char *reason)
{
  weechat_printf (NULL, "%sencore: '%s': %s", weechat_prefix ("error"), value, reason);
  return 0;
}

static int
check_prefix (const void *pointer, void *data, struct t_config_option *option, const char *value)
{
  if (*value != '\0' && *value != '/' && strcspn (value, " \t") == strlen (value))
    return 1;
  return refuse (value,
                 "a prefix is one or more signs without blanks and does not begin with a slash");
}

/* A nick alone is no identity, anybody takes it: a mask says something of the host.  *!*@* is
 * everybody, which DJs may be. */
static int
check_masks (const char *value, gboolean may_be_all)
{
  g_auto (GStrv) masks = g_strsplit (value, ",", -1);

  for (char **mask = masks; *mask != NULL; mask++) {
    const char *sign = strchr (g_strstrip (*mask), '!');
    const char *host = sign != NULL ? strchr (sign, '@') : NULL;
    if (**mask == '\0' || (may_be_all && strcmp (*mask, "*!*@*") == 0))
      continue;
    if (host == NULL || host[1 + strspn (host + 1, "*?.")] == '\0')
      return refuse (
          *mask,
          "no mask of a person: [SERVER/]nick!user@host, with a host; a nick alone is no identity");
  }
  return 1;
}

static int
check_admins (const void *pointer, void *data, struct t_config_option *option, const char *value)
{
  return check_masks (value, FALSE);
}

static int
check_djs (const void *pointer, void *data, struct t_config_option *option, const char *value)
{
  return check_masks (value, TRUE);
}

static int
check_url (const void *pointer, void *data, struct t_config_option *option, const char *value)
{
  g_autofree char *filled = voices_fill (value, "server.#channel");
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GError) error = NULL;

  if (*value == '\0' || strcmp (value, "none") == 0)
    return 1;
  if (g_str_has_prefix (filled, "rtp://"))
    address = rtp_parse (filled + strlen ("rtp://"), FALSE, &error);
  if (address != NULL || (error == NULL && listen_check_url (filled, &error)))
    return 1;
  return refuse (value, error->message);
}

static int
check_directory (const void *pointer, void *data, struct t_config_option *option, const char *value)
{
  if (*value == '\0' || (g_path_is_absolute (value) && g_file_test (value, G_FILE_TEST_IS_DIR)))
    return 1;
  return refuse (value, "no directory (an absolute path)");
}

static const struct {
  const char *section, *name, *type, *value, *help;
  int min, max;
  CheckFunc check;
} OPTIONS[N_OPTIONS] = {
    [MODULE] = {"module", "path", "string", "", "path of encore.so; empty: where it was installed",
                0, 0, NULL},
    [PREFIX] = {"chat", "prefix", "string", "?", "what a command begins with", 0, 0, check_prefix},
    [CHANNELS] = {"chat", "channels", "string", "",
                  "where commands are taken: masks of SERVER.#CHANNEL, separated by commas, like "
                  "libera.#music,oftc.#*; empty: nowhere",
                  0, 0, NULL},
    [RATE_PER_MINUTE] = {"chat", "rate_per_minute", "integer", "20",
                         "commands that one user may give in a minute; more are ignored; 0: no "
                         "limit",
                         0, 6000, NULL},
    [BURST] = {"chat", "burst", "integer", "5", "commands that he may give at once", 1, 1000, NULL},
    [LINE_INTERVAL] = {"chat", "line_interval", "integer", "2000",
                       "milliseconds between two lines to a server after the first three; 0: at "
                       "once",
                       0, 60000, NULL},
    [MAX_LINES] = {"chat", "max_lines", "integer", "2", "lines of one answer; the rest is cut", 1,
                   10, NULL},
    [DEBUG] = {"chat", "debug", "boolean", "off", "write debug messages to WeeChat's log", 0, 0,
               NULL},
    [ADMINS] =
        {"who", "admins", "string", "",
         "admins: masks [SERVER/]nick!user@host, separated by commas; on a network that lets "
         "people choose their host name use admin_accounts",
         0, 0, check_admins},
    [ADMIN_ACCOUNTS] = {"who", "admin_accounts", "string", "",
                        "admins: services accounts [SERVER/]NAME, separated by commas", 0, 0, NULL},
    [DJS] = {"who", "djs", "string", "", "DJs: masks, like admins; *!*@*: everybody", 0, 0,
             check_djs},
    [DJ_ACCOUNTS] = {"who", "dj_accounts", "string", "", "DJs: services accounts", 0, 0, NULL},
    [OPS_ARE_DJS] = {"who", "ops_are_djs", "boolean", "on", "operators of a channel are DJs in it",
                     0, 0, NULL},
    [VOICE_URL] =
        {"voice", "url", "string", "",
         "where the music goes: http://HOST:PORT/MOUNT.opus of an Icecast server, with %c "
         "for the channel and %s for the server; rtp://ADDRESS:PORT: as RTP; none: nowhere, but it "
         "plays; empty: nothing plays",
         0, 0, check_url},
    [VOICE_PUBLIC_URL] = {"voice", "public_url", "string", "",
                          "where people listen, which a channel is told when the music begins; %c "
                          "and %s as in url; empty: as url",
                          0, 0, NULL},
    [VOICE_USER] = {"voice", "user", "string", "source", "user name at the Icecast server", 0, 0,
                    NULL},
    [VOICE_PASSWORD] = {"voice", "password", "string", "",
                        "password there; ${sec.data.NAME} is replaced, see /help secure", 0, 0,
                        NULL},
    [VOICE_NAME] = {"voice", "name", "string", "", "name of the stream; empty: SERVER.#CHANNEL", 0,
                    0, NULL},
    [VOICE_STATUS_DIR] = {"voice", "status_dir", "string", "",
                          "directory for a file MOUNT.json with what plays; empty: none", 0, 0,
                          check_directory},
    [VOICE_CHAIN] = {"voice", "chain", "boolean", "off",
                     "begin a new Ogg stream with each song, so that players show its title; "
                     "browsers fall silent at it",
                     0, 0, NULL},
};

/* ---- the plugin's own options */

static void
on_plugin_option (const void *pointer, void *data, struct t_config_option *option)
{
  Options *self = (Options *) pointer;

  g_mutex_lock (&self->mutex);
  g_hash_table_replace (self->plugin, g_strdup (weechat_config_option_get_string (option, "name")),
                        g_strdup (weechat_config_string (option)));
  g_mutex_unlock (&self->mutex);
  if (!self->reading)
    self->changed (self->data);
}

static void
on_plugin_option_gone (const void *pointer, void *data, struct t_config_option *option)
{
  Options *self = (Options *) pointer;

  g_mutex_lock (&self->mutex);
  g_hash_table_remove (self->plugin, weechat_config_option_get_string (option, "name"));
  g_mutex_unlock (&self->mutex);
  if (!self->reading)
    self->changed (self->data);
}

static int
create_plugin_option (const void *pointer, void *data, struct t_config_file *file,
                      struct t_config_section *section, const char *name, const char *value)
{
  Options *self = (Options *) pointer;
  struct t_config_option *option = weechat_config_search_option (file, section, name);

  if (option != NULL)
    return weechat_config_option_set (option, value != NULL ? value : "", 1);
  option = weechat_config_new_option (
      file, section, name, "string", "an option of Encore, see encore(7); taken by /encore restart",
      NULL, 0, 0, "", value != NULL ? value : "", 0, NULL, NULL, NULL, on_plugin_option, self, NULL,
      on_plugin_option_gone, self, NULL);
  if (option == NULL)
    return WEECHAT_CONFIG_OPTION_SET_ERROR;
  on_plugin_option (self, NULL, option);
  return WEECHAT_CONFIG_OPTION_SET_OK_CHANGED;
}

/* ---- the file */

static int
on_reload (const void *pointer, void *data, struct t_config_file *file)
{
  Options *self = (Options *) pointer;

  self->reading = TRUE;
  weechat_config_section_free_options (self->plugin_section);
  const int result = weechat_config_reload (file);
  self->reading = FALSE;
  self->changed (self->data);
  return result;
}

static struct t_config_section *
new_section (Options *self, const char *name, gboolean is_plugin)
{
  return weechat_config_new_section (
      self->file, name, is_plugin, is_plugin, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
      is_plugin ? create_plugin_option : NULL, self, NULL, NULL, NULL, NULL);
}

static gboolean
add_options (Options *self)
{
  struct t_config_section *section = NULL;

  for (guint i = 0; i < N_OPTIONS; i++) {
    if (i == 0 || strcmp (OPTIONS[i].section, OPTIONS[i - 1].section) != 0)
      section = new_section (self, OPTIONS[i].section, FALSE);
    if (section == NULL)
      return FALSE;
    self->options[i] = weechat_config_new_option (
        self->file, section, OPTIONS[i].name, OPTIONS[i].type, OPTIONS[i].help, NULL,
        OPTIONS[i].min, OPTIONS[i].max, OPTIONS[i].value, NULL, 0, OPTIONS[i].check, NULL, NULL,
        NULL, NULL, NULL, NULL, NULL, NULL);
    if (self->options[i] == NULL)
      return FALSE;
  }
  self->plugin_section = new_section (self, "encore", TRUE);
  return self->plugin_section != NULL;
}

Options *
options_new (void (*changed) (gpointer data), gpointer data)
{
  Options *self = g_new0 (Options, 1);

  self->changed = changed;
  self->data = data;
  self->reading = TRUE;
  g_mutex_init (&self->mutex);
  self->plugin = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->file = weechat_config_new ("encore", on_reload, self, NULL);
  if (self->file == NULL || !add_options (self)) {
    options_free (self);
    return NULL;
  }
  weechat_config_read (self->file);
  self->reading = FALSE;
  return self;
}

void
options_free (Options *self)
{
  self->reading = TRUE;
  if (self->plugin_section != NULL)
    weechat_config_write (self->file);
  if (self->file != NULL)
    weechat_config_free (self->file);
  g_hash_table_unref (self->plugin);
  g_mutex_clear (&self->mutex);
  g_free (self);
}

/* ---- reading */

#define STRING(name, which) \
  const char *options_get_##name (const Options *self) \
  { \
    return weechat_config_string (self->options[which]); \
  }
#define NUMBER(name, which) \
  guint options_get_##name (const Options *self) \
  { \
    return weechat_config_integer (self->options[which]); \
  }
#define SWITCH(name, which) \
  gboolean options_get_##name (const Options *self) \
  { \
    return weechat_config_boolean (self->options[which]); \
  }

STRING (prefix, PREFIX)
STRING (channels, CHANNELS)
NUMBER (rate_per_minute, RATE_PER_MINUTE)
NUMBER (burst, BURST)
NUMBER (line_interval_ms, LINE_INTERVAL)
NUMBER (max_lines, MAX_LINES)
SWITCH (debug, DEBUG)
STRING (admins, ADMINS)
STRING (admin_accounts, ADMIN_ACCOUNTS)
STRING (djs, DJS)
STRING (dj_accounts, DJ_ACCOUNTS)
SWITCH (ops_are_djs, OPS_ARE_DJS)
STRING (voice_url, VOICE_URL)
STRING (voice_public_url, VOICE_PUBLIC_URL)
STRING (voice_user, VOICE_USER)
STRING (voice_name, VOICE_NAME)
STRING (voice_status_dir, VOICE_STATUS_DIR)
SWITCH (voice_chain, VOICE_CHAIN)

const char *
options_get_module (const Options *self)
{
  const char *path = weechat_config_string (self->options[MODULE]);

  if (*path == '\0')
    path = g_getenv ("ENCORE_MODULE");
  return path != NULL ? path : ENCORE_MODULE_DIR "/encore.so";
}

char *
options_get_voice_password (const Options *self)
{
  char *text = weechat_string_eval_expression (
      weechat_config_string (self->options[VOICE_PASSWORD]), NULL, NULL, NULL);
  char *copy = g_strdup (text);

  free (text);
  return copy;
}

char *
options_get_plugin (Options *self, const char *key)
{
  g_mutex_lock (&self->mutex);
  char *value = g_strdup (g_hash_table_lookup (self->plugin, key));
  g_mutex_unlock (&self->mutex);
  return value;
}

char *
options_get_plugin_key (Options *self, guint index)
{
  GHashTableIter iter;
  gpointer key = NULL;

  g_mutex_lock (&self->mutex);
  g_hash_table_iter_init (&iter, self->plugin);
  for (guint i = 0; i <= index; i++)
    if (!g_hash_table_iter_next (&iter, &key, NULL)) {
      key = NULL;
      break;
    }
  char *copy = g_strdup (key);
  g_mutex_unlock (&self->mutex);
  return copy;
}
