/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "mumble-config.h"

#include <string.h>

#include "host.h"

#define GROUP "mumble"
#define DEFAULT_PORT "64738"
#define NAME_MAX_BYTES 128
#define BITRATE_MIN 8000
#define BITRATE_MAX 400000
#define RETURN_MAX_S 86400
#define SHA1_DIGITS 40
#define SHA256_DIGITS 64

static gboolean
refuse (const char *key, const char *value, const char *wanted, GError **error)
{
  g_set_error (error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE, "[%s]: %s = '%s' is not %s",
               GROUP, key, value, wanted);
  return FALSE;
}

static gboolean
get_number (GKeyFile *file, const char *key, const char *otherwise, guint min, guint max,
            guint *out, GError **error)
{
  g_autofree char *text = host_get_or (file, GROUP, key, otherwise);
  g_autofree char *wanted = g_strdup_printf ("a whole number from %u to %u", min, max);
  guint64 value;

  if (!g_ascii_string_to_unsigned (text, 10, min, max, &value, NULL))
    return refuse (key, text, wanted, error);
  *out = value;
  return TRUE;
}

static gboolean
get_choice (GKeyFile *file, const char *key, const char *const *choices, guint *out, GError **error)
{
  g_autofree char *text = host_get_or (file, GROUP, key, choices[0]);
  g_autofree char *all = g_strjoinv (", ", (char **) choices);
  g_autofree char *wanted = g_strdup_printf ("one of %s", all);

  for (guint i = 0; choices[i] != NULL; i++)
    if (strcmp (text, choices[i]) == 0) {
      *out = i;
      return TRUE;
    }
  return refuse (key, text, wanted, error);
}

static gboolean
is_hex (const char *text, gsize digits)
{
  return strlen (text) == digits && strspn (text, "0123456789abcdef") == digits;
}

/* As programs print it: colons between bytes or none, in either case. */
static char *
normalise_hex (const char *text)
{
  GString *out = g_string_new (NULL);

  for (const char *p = text; *p != '\0'; p++)
    if (*p != ':')
      g_string_append_c (out, g_ascii_tolower (*p));
  return g_string_free (out, FALSE);
}

static gboolean
get_fingerprint (GKeyFile *file, char **out, GError **error)
{
  g_autofree char *text = host_get_or (file, GROUP, "fingerprint", "");

  if (*text == '\0')
    return TRUE;
  *out = normalise_hex (text);
  return is_hex (*out, SHA256_DIGITS) ||
         refuse ("fingerprint", text, "the SHA-256 of a certificate in 64 hex digits", error);
}

/* "cert:HEX", "user:NUMBER" or "group:NAME"; never a name, which is anybody's. */
static char *
normalise_who (const char *word)
{
  if (g_str_has_prefix (word, "cert:")) {
    g_autofree char *hex = normalise_hex (word + strlen ("cert:"));
    return is_hex (hex, SHA1_DIGITS) ? g_strconcat ("cert:", hex, NULL) : NULL;
  }
  if (g_str_has_prefix (word, "user:")) {
    guint64 number;
    return g_ascii_string_to_unsigned (word + strlen ("user:"), 10, 0, G_MAXUINT32, &number, NULL)
               ? g_strdup_printf ("user:%" G_GUINT64_FORMAT, number)
               : NULL;
  }
  return g_str_has_prefix (word, "group:") && word[strlen ("group:")] != '\0' ? g_strdup (word)
                                                                              : NULL;
}

static gboolean
get_people (GKeyFile *file, const char *key, char ***out, GError **error)
{
  g_auto (GStrv) words = host_get_list (file, GROUP, key, "");
  g_autoptr (GPtrArray) people = g_ptr_array_new_with_free_func (g_free);

  for (char **word = words; word != NULL && *word != NULL; word++) {
    if (**word == '\0')
      continue;
    char *who = normalise_who (*word);
    if (who == NULL)
      return refuse (key, *word, "cert:HASH (40 hex digits), user:NUMBER or group:NAME", error);
    g_ptr_array_add (people, who);
  }
  if (people->len == 0)
    return TRUE;
  g_ptr_array_add (people, NULL);
  *out = (char **) g_ptr_array_steal (people, NULL);
  return TRUE;
}

/* Paths between commas; names of channels may have blanks. */
static char **
get_paths (GKeyFile *file, const char *key)
{
  g_autofree char *text = host_get_or (file, GROUP, key, "");
  char **paths = g_strsplit (text, ",", -1);

  for (char **path = paths; *path != NULL; path++)
    g_strstrip (*path);
  return paths;
}

static gboolean
get_texts (MumbleConfig *self, GKeyFile *file, GError **error)
{
  self->host = host_get_or (file, GROUP, "host", "");
  if (*self->host == '\0')
    return refuse ("host", "", "the name or address of a Mumble server", error);
  self->user = host_get_or (file, GROUP, "user", "encore");
  if (*self->user == '\0' || strlen (self->user) > NAME_MAX_BYTES)
    return refuse ("user", self->user, "a name for the bot", error);
  self->password = host_get_or (file, GROUP, "password", "");
  self->certificate = host_get_or (file, GROUP, "certificate", "");
  if (*self->certificate == '\0') {
    g_free (self->certificate);
    self->certificate = g_build_filename (g_get_user_data_dir (), "encore", "mumble.pem", NULL);
  }
  if (!g_path_is_absolute (self->certificate))
    return refuse ("certificate", self->certificate, "an absolute path", error);
  self->channels = get_paths (file, "channels");
  if (self->channels[0] == NULL) {
    g_free (self->channels);
    self->channels = g_new0 (char *, 2);
    self->channels[0] = g_strdup ("");
  }
  self->tokens = get_paths (file, "tokens");
  return TRUE;
}

MumbleConfig *
mumble_config_new (GKeyFile *file, GError **error)
{
  static const char *const known[] = {"host",        "port",    "user",         "password",
                                      "certificate", "verify",  "fingerprint",  "channels",
                                      "tokens",      "bitrate", "admins",       "djs",
                                      "when_alone",  "comment", "return_after", NULL};
  static const char *const verifies[] = {"pin", "ca", "off", NULL};
  static const char *const alone[] = {"pause", "play", NULL};
  static const char *const yes[] = {"yes", "no", NULL};
  g_autoptr (MumbleConfig) self = g_new0 (MumbleConfig, 1);
  guint port = 0, verify = 0, when_alone = 0, comment = 0;

  if (!host_check_keys (file, GROUP, known, error) || !get_texts (self, file, error) ||
      !get_number (file, "port", DEFAULT_PORT, 1, G_MAXUINT16, &port, error) ||
      !get_choice (file, "verify", verifies, &verify, error) ||
      !get_fingerprint (file, &self->fingerprint, error) ||
      !get_number (file, "bitrate", "0", 0, BITRATE_MAX, &self->bitrate_bps, error) ||
      !get_people (file, "admins", &self->admins, error) ||
      !get_people (file, "djs", &self->djs, error) ||
      !get_choice (file, "when_alone", alone, &when_alone, error) ||
      !get_choice (file, "comment", yes, &comment, error) ||
      !get_number (file, "return_after", "60", 0, RETURN_MAX_S, &self->return_after_s, error))
    return NULL;
  if (self->bitrate_bps != 0 && self->bitrate_bps < BITRATE_MIN) {
    g_autofree char *text = g_strdup_printf ("%u", self->bitrate_bps);
    refuse ("bitrate", text, "0 or a whole number from 8000 to 400000", error);
    return NULL;
  }
  if (self->admins == NULL)
    self->admins = g_new0 (char *, 1);
  self->port = port;
  self->verify = verify;
  self->pause_alone = when_alone == 0;
  self->comment = comment == 0;
  return g_steal_pointer (&self);
}

/* What is asked at the next occasion; the rest says where the bot is and who it is there. */
const char *const mumble_config_live[] = {"password",   "tokens",  "bitrate",      "admins", "djs",
                                          "when_alone", "comment", "return_after", NULL};

#define SWAP(a, b) \
  do { \
    __typeof__ (a) swapped = a; \
    a = b; \
    b = swapped; \
  } while (0)

void
mumble_config_take_live (MumbleConfig *self, MumbleConfig *from)
{
  SWAP (self->password, from->password);
  SWAP (self->tokens, from->tokens);
  SWAP (self->admins, from->admins);
  SWAP (self->djs, from->djs);
  self->bitrate_bps = from->bitrate_bps;
  self->pause_alone = from->pause_alone;
  self->comment = from->comment;
  self->return_after_s = from->return_after_s;
}

void
mumble_config_free (MumbleConfig *self)
{
  g_free (self->host);
  g_free (self->user);
  g_free (self->password);
  g_free (self->certificate);
  g_free (self->fingerprint);
  g_strfreev (self->channels);
  g_strfreev (self->tokens);
  g_strfreev (self->admins);
  g_strfreev (self->djs);
  g_free (self);
}
