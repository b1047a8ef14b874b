/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Damage that was heard is looked into, and what is damaged does not stay. */
#include "config.h"
#include "bot/encore-heal.h"

/* On the chores thread; NAME is the song's for people, ARGS its id. */
static void
look_into (EncorePlugin *plugin, const EncoreRequest *request)
{
  g_autoptr (GError) error = NULL;

  if (encore_cache_verify (plugin->cache, request->args, FALSE, &error))
    g_warning ("play: %s is whole, every byte as published: it was not the file", request->args);
  else if (encore_id_is_rendition (request->args))
    g_info ("play: %s: %s; it is made again", request->args, error->message);
  else if (g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT))
    encore_answer (request, "The file of %s was damaged. Ask for it again and it is fetched anew.",
                   request->name);
  else
    g_warning ("play: %s", error->message);
}

void
encore_heal (EncorePlugin *plugin, bot_id chat, const EncoreMediaId *id, const char *name)
{
  g_autofree char *stem = encore_media_id_to_stem (id);
  const EncoreRequest request = {.plugin = plugin,
                                 .room = chat,
                                 .user_name = (char *) "",
                                 .name = (char *) name,
                                 .args = stem};

  encore_plugin_chore (plugin, &request, look_into);
}
