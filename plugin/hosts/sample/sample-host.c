/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A host to copy: chat is standard input and output, the voice room only counts its packets.
 * sample-host: sample-host.c ; $(CC) $(shell pkg-config --cflags bot-plugin) -o $@ $< -ldl
 * echo '?play SONG' | ./sample-host $(pkg-config --variable=moduledir bot-plugin)/encore.so */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "bot-plugin.h"

struct post {
  bot_task fn, drop;
  void *data;
};
static int posts[2], n_commands; /* posts: a pipe, written by any thread, read on [main] in order */
static bot_command commands[64];
static atomic_int packets, talking;

static void on_log (void *ctx, int level, const char *domain, const char *text) {
  fprintf (stderr, "%s: %s\n", domain, text);
}
static bot_result on_config_get (void *ctx, const char *key, char *buf, size_t len) {
  for (char **kv = ctx; *kv != NULL; kv++) /* KEY=VALUE, the rest of our command line */
    if (strncmp (*kv, key, strlen (key)) == 0 && (*kv)[strlen (key)] == '=')
      return snprintf (buf, len, "%s", *kv + strlen (key) + 1);
  return BOT_EINVAL;
}
static bot_result on_command_add (void *ctx, const bot_command *cmd) {
  if (n_commands == 64) return BOT_EFAIL;
  bot_command *copy = memcpy (&commands[n_commands++], cmd, sizeof *cmd);
  copy->name = strdup (cmd->name); /* all texts are only lent */
  copy->permission = cmd->permission != NULL ? strdup (cmd->permission) : NULL;
  return BOT_OK;
}
static bot_result on_reply (void *ctx, bot_id room, bot_id user, const char *text) {
  return printf ("%s\n", text) > 0 && fflush (stdout) == 0 ? BOT_OK : BOT_EFAIL;
}
static bot_result on_allowed (void *ctx, bot_id room, bot_id user, const char *permission) {
  return user == 1 ? BOT_OK : BOT_EDENIED; /* who types here is the operator */
}
static bot_result on_post (void *ctx, bot_task fn, void *data, bot_task drop) {
  const struct post p = {fn, drop, data};
  return write (posts[1], &p, sizeof p) == sizeof p ? BOT_OK : BOT_EAGAIN;
}
static void run_posts (int stopped) {
  for (struct post p; read (posts[0], &p, sizeof p) == sizeof p;)
    if (!stopped || p.drop != NULL) (stopped ? p.drop : p.fn) (p.data);
}
static bot_result on_open (void *ctx, bot_id room, bot_voice_spec *spec, bot_id *voice) {
  *voice = room;
  spec->max_bytes = 1275; /* any Opus packet */
  return BOT_OK;
}
static bot_result
on_send (void *ctx, bot_id voice, uint64_t seq, uint32_t flags, const void *packet, size_t len) {
  packets++;
  talking = (flags & BOT_VOICE_LAST) == 0;
  return BOT_OK;
}
static bot_result on_close (void *ctx, bot_id voice) { return atomic_store (&talking, 0), BOT_OK; }
static const bot_host_voice voice = {sizeof voice, 0, on_open, on_send, on_close, NULL};
static const void *on_get_extension (void *ctx, const char *id) {
  return strcmp (id, BOT_EXT_VOICE) == 0 ? &voice : NULL;
}
static void say (char *line) { /* "?name args" */
  char *args = line + strcspn (line, " \n"), *end = line + strlen (line);
  while (end > args && strchr (" \n", end[-1]) != NULL) *--end = '\0';
  if (*args != '\0') *args++ = '\0';
  const bot_call call = {sizeof call, 0, 1, 1, 1, "operator", line + 1, args + strspn (args, " ")};
  for (const bot_command *c = commands; *line == '?' && c < commands + n_commands; c++)
    if (strcmp (c->name, line + 1) == 0 &&
        (c->permission == NULL || on_allowed (NULL, call.room, call.user, c->permission) == BOT_OK))
      c->run (c->data, &call);
}
int main (int argc, char **argv) {
  const bot_host host = {sizeof host,   BOT_ABI_MAJOR, BOT_ABI_MINOR,    argv + 2,
                         "sample-host", "1",           on_get_extension, on_log,
                         on_config_get, NULL,          on_command_add,   on_reply,
                         on_allowed,    on_post};
  void *module = argc > 1 ? dlopen (argv[1], RTLD_NOW | RTLD_LOCAL) : NULL, *self = NULL;
  const bot_plugin *plugin = module != NULL ? dlsym (module, "bot_plugin_entry") : NULL;
  if (plugin == NULL || plugin->abi_major != BOT_ABI_MAJOR ||
      pipe2 (posts, O_NONBLOCK | O_CLOEXEC) != 0 || plugin->start (&host, &self) < BOT_OK)
    return fputs ("sample-host: the plugin does not start\n", stderr), 2;
  struct pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {posts[0], POLLIN, 0}};
  setvbuf (stdin, NULL, _IONBF, 0); /* poll() does not see into a buffer */
  for (char line[4096]; fds[0].fd >= 0 || talking || plugin->busy (self) > 0; run_posts (0)) {
    poll (fds, 2, 100);
    if (fds[0].revents != 0 && fgets (line, sizeof line, stdin) == NULL) fds[0].fd = -1;
    else if (fds[0].revents != 0) say (line);
  }
  plugin->stop (self);
  run_posts (1);
  return printf ("%d packets\n", packets) > 0 ? 0 : 1; /* no dlclose: it is BOT_PLUGIN_RESIDENT */
}
