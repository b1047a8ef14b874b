/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A sample host for Discord with concord: text commands and answers.  No sound: Discord asks for
 * end to end encryption of voice (DAVE) since March 2026, which concord does not have.  Not
 * verified against Discord.
 *
 *   concord-host encore.so config.json
 *
 * config.json has the token as concord wants it, and an object "encore" with "admins" ("ID,ID") and
 * the plugin's options, all of them strings.  One thread: concord's loop is the [main] of the
 * contract, and what other threads want waits in a pipe.  To copy, as sample-host.c is. */
#define _GNU_SOURCE
#include <concord/discord.h>
#include <concord/io_poller.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bot-plugin.h"

#define PREFIX '?'
#define COMMANDS_MAX 64
#define TEXT_BYTES_MAX 1900 /* Discord takes 2000 characters */
#define VALUE_BYTES_MAX 4096

struct post {
  bot_task fn, drop;
  void *data;
};
struct reply {
  bot_id room;
  char text[];
};
static struct discord *client;
static int posts[2], n_commands;
static bot_command commands[COMMANDS_MAX];

static void on_log (void *ctx, int level, const char *domain, const char *text) {
  if (level >= BOT_LOG_INFO) fprintf (stderr, "%s: %s\n", domain, text);
}
static bot_result on_config_get (void *ctx, const char *key, char *buf, size_t len) {
  char section[] = "encore", name[64];
  snprintf (name, sizeof name, "%s", key);
  const struct ccord_szbuf_readonly value =
      discord_config_get_field (client, (char *[2]){section, name}, 2);
  return value.start != NULL ? snprintf (buf, len, "%.*s", (int) value.size, value.start)
                             : BOT_EINVAL;
}
static bot_result on_command_add (void *ctx, const bot_command *cmd) {
  if (n_commands == COMMANDS_MAX) return BOT_EFAIL;
  bot_command *copy = memcpy (&commands[n_commands++], cmd, sizeof *cmd);
  copy->name = strdup (cmd->name); /* all texts are only lent */
  copy->permission = cmd->permission != NULL ? strdup (cmd->permission) : NULL;
  return BOT_OK;
}
static bot_result on_post (void *ctx, bot_task fn, void *data, bot_task drop) {
  const struct post p = {fn, drop, data};
  return write (posts[1], &p, sizeof p) == sizeof p ? BOT_OK : BOT_EAGAIN;
}
static void send_reply (void *data) {
  struct reply *reply = data;
  struct discord_allowed_mention nobody = {0}; /* a title shall not ping anybody */
  struct discord_create_message message = {.content = reply->text, .allowed_mentions = &nobody};
  discord_create_message (client, reply->room, &message, NULL);
  free (reply);
}
static bot_result on_reply (void *ctx, bot_id room, bot_id user, const char *text) {
  size_t len = strnlen (text, TEXT_BYTES_MAX + 1);
  if (len > TEXT_BYTES_MAX)
    for (len = TEXT_BYTES_MAX; len > 0 && (text[len] & 0xc0) == 0x80;) len--;
  struct reply *reply = malloc (sizeof *reply + len + 1);
  if (reply == NULL) return BOT_EFAIL;
  reply->room = room;
  memcpy (reply->text, text, len);
  reply->text[len] = '\0';
  const bot_result result = on_post (ctx, send_reply, reply, free);
  if (result < BOT_OK) free (reply);
  return result;
}
static bot_result on_allowed (void *ctx, bot_id room, bot_id user, const char *permission) {
  char list[VALUE_BYTES_MAX] = "", *rest = list;
  on_config_get (ctx, "admins", list, sizeof list);
  for (char *id; (id = strsep (&rest, ",")) != NULL;) /* whole numbers, no part of one */
    if (*id != '\0' && strtoull (id, NULL, 10) == user) return BOT_OK;
  return BOT_EDENIED;
}
static const void *on_get_extension (void *ctx, const char *id) { return NULL; }

static void run_posts (int stopped) {
  for (struct post p; read (posts[0], &p, sizeof p) == sizeof p;)
    if (!stopped || p.drop != NULL) (stopped ? p.drop : p.fn) (p.data);
}
static void on_posts (struct io_poller *io, enum io_poller_events events, void *data) {
  run_posts (0);
}
static void on_message (struct discord *from, const struct discord_message *event) {
  if (event->author == NULL || event->author->bot || event->content == NULL ||
      event->content[0] != PREFIX)
    return;
  char *name = strdup (event->content + 1), *args = name + strcspn (name, " \n");
  if (*args != '\0') *args++ = '\0';
  args += strspn (args, " \n");
  for (char *end = args + strlen (args); end > args && strchr (" \n", end[-1]) != NULL;)
    *--end = '\0';
  const bot_call call = {
      sizeof call, 0, event->channel_id, event->author->id, 0, event->author->username, name, args};
  for (const bot_command *c = commands; c < commands + n_commands; c++)
    if (strcmp (c->name, name) != 0) continue;
    else if (c->permission == NULL ||
             on_allowed (NULL, call.room, call.user, c->permission) == BOT_OK)
      c->run (c->data, &call);
    else on_reply (NULL, call.room, call.user, "That is for admins only.");
  free (name);
}
static void on_signal (int number) { ccord_shutdown_async (); }

int main (int argc, char **argv) {
  const bot_host host = {sizeof host,    BOT_ABI_MAJOR, BOT_ABI_MINOR,    NULL,
                         "concord-host", "1",           on_get_extension, on_log,
                         on_config_get,  NULL,          on_command_add,   on_reply,
                         on_allowed,     on_post};
  void *module = argc > 2 ? dlopen (argv[1], RTLD_NOW | RTLD_LOCAL) : NULL, *self = NULL;
  const bot_plugin *plugin = module != NULL ? dlsym (module, "bot_plugin_entry") : NULL;
  if (plugin == NULL || plugin->abi_major != BOT_ABI_MAJOR ||
      pipe2 (posts, O_NONBLOCK | O_CLOEXEC) != 0)
    return fputs ("concord-host MODULE CONFIG.JSON\n", stderr), 2;
  ccord_global_init ();
  client = discord_config_init (argv[2]);
  if (client == NULL || plugin->start (&host, &self) < BOT_OK)
    return fputs ("concord-host: it does not start\n", stderr), 2;
  signal (SIGINT, on_signal);
  signal (SIGTERM, on_signal);
  discord_add_intents (client, DISCORD_GATEWAY_MESSAGE_CONTENT);
  discord_set_on_message_create (client, on_message);
  io_poller_socket_add (discord_get_io_poller (client), posts[0], IO_POLLER_IN, on_posts, NULL);
  discord_run (client);
  plugin->stop (self);
  run_posts (1);
  discord_cleanup (client);
  ccord_global_cleanup ();
  return 0; /* no dlclose: it is BOT_PLUGIN_RESIDENT */
}
