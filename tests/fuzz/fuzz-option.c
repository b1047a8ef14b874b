/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A line "KEY=VALUE" of a configuration. */
#include "config.h"
#include "fuzz.h"

#include <string.h>

#include "base/encore-config.h"

static const EncoreOption *
find (const char *key)
{
  for (const EncoreOption *o = encore_config_options (); o->key != NULL; o++)
    if (strcmp (o->key, key) == 0)
      return o;
  return NULL;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_auto (GStrv) pair = g_strsplit (text, "=", 2);
  g_autoptr (EncoreConfig) config = encore_config_new ();
  g_autoptr (GError) error = NULL;
  const char *key = pair[0] != NULL ? pair[0] : "", *value = pair[0] != NULL ? pair[1] : NULL;
  const EncoreOption *option = find (key);
  g_autofree char *before = option != NULL ? encore_config_dump (config, option) : NULL;

  if (!encore_config_set (config, key, value != NULL ? value : "", &error)) {
    MUST (error != NULL && g_utf8_validate (error->message, -1, NULL));
    g_autofree char *kept = option != NULL ? encore_config_dump (config, option) : NULL;
    MUST (g_strcmp0 (kept, before) == 0);
    return 0;
  }
  MUST (option != NULL && error == NULL);
  /* what is written is read as the same */
  g_autofree char *dump = encore_config_dump (config, option);
  MUST (encore_config_set (config, key, dump, NULL));
  g_autofree char *again = encore_config_dump (config, option);
  MUST (strcmp (dump, again) == 0);
  return 0;
}
