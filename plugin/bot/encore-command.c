/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The command table, and what all commands share. */
#include "config.h"
#include "bot/encore-command.h"

#include <string.h>

#include "bot/encore-room.h"

static void run_help (EncorePlugin *plugin, const EncoreRequest *request);
static void run_version (EncorePlugin *plugin, const EncoreRequest *request);

#define ADMIN "encore.admin"

static const EncoreCommand COMMANDS[] = {
    {"play", "<link|words|#n>", "Plays a song, or queues it", NULL, encore_command_play, TRUE},
    {"search", "<words>", "Shows five songs to pick from with play #n", NULL, encore_command_search,
     FALSE},
    {"playlist", "<link> [n]", "Queues the songs of a playlist", NULL, encore_command_playlist,
     TRUE},
    {"cached", "<words>|random|top", "Finds songs that play without the network", NULL,
     encore_command_cached, TRUE},
    {"queue", "[page]", "What is waiting", NULL, encore_command_queue, FALSE},
    {"np", "", "What plays now", NULL, encore_command_np, FALSE},
    {"skip", "", "Goes on to the next song", NULL, encore_command_skip, FALSE},
    {"pause", "", "Holds the music", NULL, encore_command_pause, FALSE},
    {"resume", "", "Goes on after pause", NULL, encore_command_resume, FALSE},
    {"seek", "<m:ss|+s|-s>", "Goes to that place of the song", NULL, encore_command_seek, FALSE},
    {"replay", "", "Plays the song from its beginning", NULL, encore_command_replay, FALSE},
    {"previous", "", "Goes back to the song before this one", NULL, encore_command_previous, FALSE},
    {"volume", "[0-150]", "How loud this room is, in percent", NULL, encore_command_volume, FALSE},
    {"stop", "", "Ends the music and empties the queue", NULL, encore_command_stop, FALSE},
    {"clear", "", "Empties the queue; the song that plays goes on", NULL, encore_command_clear,
     FALSE},
    {"remove", "<n|mine>", "Takes a song out of the queue", NULL, encore_command_remove, FALSE},
    {"shuffle", "", "Mixes the queue", NULL, encore_command_shuffle, FALSE},
    {"loop", "off|song|queue", "Repeats the song or the queue", NULL, encore_command_loop, FALSE},
    {"history", "", "What was played", NULL, encore_command_history, FALSE},
    {"cache", "[info|list|find|explain|jobs|backoff|pin|unpin|warm|cancel ...]",
     "What is in the cache, and what becomes of it", NULL, encore_command_cache, FALSE},
    {"cache_cleanup", "[dry]", "Makes rows and files agree, then enforces the limits", ADMIN,
     encore_command_cleanup, FALSE},
    {"cache_clear", "[token]", "Empties the cache, after a confirmation", ADMIN,
     encore_command_cache_clear, FALSE},
    {"pipeline", "[link|#n]", "The gst-launch-1.0 line of what plays", NULL,
     encore_command_pipeline, FALSE},
    {"health", "", "Packets that were late or missing, and what is being fetched", NULL,
     encore_command_health, FALSE},
    {"version", "", "Versions of Encore and GStreamer", NULL, run_version, FALSE},
    {"help", "[command]", "This list, or one command", NULL, run_help, FALSE},
    {NULL, NULL, NULL, NULL, NULL, FALSE},
};

const EncoreCommand *
encore_command_list (void)
{
  return COMMANDS;
}

static const EncoreCommand *
find_command (EncoreCommandFunc run)
{
  const EncoreCommand *c = COMMANDS;

  while (c->run != run)
    c++;
  return c;
}

/* "play=p,skip=next" -> the new name of NAME, or NAME.  (transfer full) */
static char *
renamed (const EncoreConfig *config, const char *name)
{
  g_auto (GStrv) pairs = g_strsplit (config->rename, ",", -1);

  for (char **pair = pairs; *pair != NULL; pair++) {
    g_auto (GStrv) sides = g_strsplit (g_strstrip (*pair), "=", 2);
    if (g_strv_length (sides) == 2 && strcmp (g_strstrip (sides[0]), name) == 0)
      return g_strdup (g_strstrip (sides[1]));
  }
  return g_strdup (name);
}

/* One of two commands with one name could not be reached. */
static gboolean
check_unique (const EncoreConfig *config, GError **error)
{
  g_autoptr (GHashTable) names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (const EncoreCommand *c = COMMANDS; c->name != NULL; c++) {
    g_autofree char *name = renamed (config, c->name);
    if (g_hash_table_contains (names, name)) {
      g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CONFIG,
                   "rename = '%.64s' gives two commands the name '%.64s'", config->rename, name);
      return FALSE;
    }
    g_hash_table_add (names, g_steal_pointer (&name));
  }
  return TRUE;
}

gboolean
encore_command_check_renames (const EncoreConfig *config, GError **error)
{
  g_auto (GStrv) pairs = g_strsplit (config->rename, ",", -1);

  for (char **pair = pairs; *pair != NULL; pair++) {
    g_auto (GStrv) sides = g_strsplit (g_strstrip (*pair), "=", 2);
    const EncoreCommand *c = COMMANDS;
    if (**pair == '\0')
      continue;
    while (c->name != NULL && g_strcmp0 (g_strstrip (sides[0]), c->name) != 0)
      c++;
    const char *to = c->name != NULL && sides[1] != NULL ? g_strstrip (sides[1]) : "";
    if (*to == '\0' || strspn (to, "abcdefghijklmnopqrstuvwxyz_") != strlen (to)) {
      g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CONFIG,
                   "rename = '%.64s' is not a list of command=name (lower case and _)", *pair);
      return FALSE;
    }
  }
  return check_unique (config, error);
}

typedef struct {
  EncorePlugin *plugin;
  const EncoreCommand *command;
} Registration;

/* [main] */
static void
on_call (void *data, const bot_call *call)
{
  const Registration *self = data;

  /* for a mere "play", which is wrong use, no room is joined */
  encore_plugin_submit (self->plugin, call, self->command->run,
                        self->command->with_voice && *call->args != '\0');
}

gboolean
encore_command_register (EncorePlugin *plugin, GError **error)
{
  const bot_host *host = plugin->bot_host;

  if (!encore_command_check_renames (plugin->config, error))
    return FALSE;
  plugin->registrations = g_new0 (Registration, G_N_ELEMENTS (COMMANDS));
  for (gsize i = 0; COMMANDS[i].name != NULL; i++) {
    Registration *registration = (Registration *) plugin->registrations + i;
    g_autofree char *name = renamed (plugin->config, COMMANDS[i].name);
    const bot_command command = {.size = sizeof command,
                                 .name = name,
                                 .usage = COMMANDS[i].usage,
                                 .help = COMMANDS[i].help,
                                 .permission = COMMANDS[i].permission,
                                 .run = on_call,
                                 .data = registration};
    *registration = (Registration){plugin, &COMMANDS[i]};
    if (!BOT_HAS (host, command_add) || host->command_add (host->ctx, &command) < BOT_OK) {
      g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CONFIG, "the host refuses the command '%s'",
                   name);
      return FALSE;
    }
  }
  return TRUE;
}

void
encore_command_wrong (const EncoreRequest *request)
{
  const EncoreCommand *c = find_command (request->run);

  encore_answer (request, "Usage: %s %s - %s.", request->name, c->usage, c->help);
}

gboolean
encore_command_allowed (const EncoreRequest *request, const char *permission)
{
  if (encore_host_allowed (request->plugin->host, request->room, request->user, permission))
    return TRUE;
  encore_answer (request, "%s is for %s.", request->name,
                 strcmp (permission, ADMIN) == 0 ? "admins" : "DJs");
  return FALSE;
}

gboolean
encore_command_parse_number (const char *text, guint *out)
{
  guint64 number;

  if (*text == '#')
    text++;
  if (!g_ascii_string_to_unsigned (text, 10, 1, 1000000, &number, NULL))
    return FALSE;
  *out = number;
  return TRUE;
}

gboolean
encore_command_resolve (EncorePlugin *plugin, const EncoreRequest *request, const char *text,
                        EncoreMediaId *out)
{
  EncoreRoom *room = encore_room_peek (plugin, request);
  guint number;

  if (room != NULL && strcmp (text, "np") == 0) {
    const EncoreTrack *track = encore_room_get_current (room, NULL, NULL);
    if (track == NULL || track->id.id[0] == '\0')
      return FALSE;
    *out = track->id;
    return TRUE;
  }
  if (*text == '#' && encore_command_parse_number (text, &number)) {
    const EncoreListed *listed = encore_lists_get (plugin->lists, request->voice_room, number);
    if (listed == NULL)
      return FALSE;
    *out = listed->id;
    return TRUE;
  }
  if (g_str_has_prefix (text, "youtube:"))
    return encore_media_id_from_youtube (text + strlen ("youtube:"), out);
  return encore_fetch_link (plugin->fetch, text, out);
}

static void
run_help (EncorePlugin *plugin, const EncoreRequest *request)
{
  if (*request->args != '\0') {
    for (const EncoreCommand *c = COMMANDS; c->name != NULL; c++) {
      g_autofree char *name = renamed (plugin->config, c->name);
      if (strcmp (name, request->args) == 0) {
        encore_answer (request, "%s %s - %s%s.", name, c->usage, c->help,
                       c->permission != NULL ? " (admins)" : "");
        return;
      }
    }
    encore_answer (request, "There is no such command; help lists them.");
    return;
  }
  g_autoptr (GString) text = g_string_new ("Commands:");
  for (const EncoreCommand *c = COMMANDS; c->name != NULL; c++) {
    g_autofree char *name = renamed (plugin->config, c->name);
    g_string_append_printf (text, " %s", name);
  }
  encore_answer (request, "%s. help <command> tells more.", text->str);
}

static void
run_version (EncorePlugin *plugin, const EncoreRequest *request)
{
  g_autofree char *gst = encore_play_version ();

  encore_answer (request, "Encore " PACKAGE_VERSION ", %s, contract %d.%d", gst, BOT_ABI_MAJOR,
                 BOT_ABI_MINOR);
}
