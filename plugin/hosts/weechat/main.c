/* SPDX-License-Identifier: GPL-3.0-or-later
 * weechat-encore: WeeChat loads this plugin, and it loads Encore through bot-plugin.h.
 *
 * It stays mapped when it is unloaded (-z nodelete), so nothing here may be remembered in a static
 * but between init and end. */
#include "config.h"

#include <string.h>

#include "api.h"
#include "host.h"
#include "irc.h"
#include "options.h"
#include "text.h"

#pragma GCC visibility push(default)
WEECHAT_PLUGIN_NAME ("encore")
WEECHAT_PLUGIN_DESCRIPTION ("Music for channels: Encore")
WEECHAT_PLUGIN_AUTHOR ("The Encore authors")
WEECHAT_PLUGIN_VERSION (PACKAGE_VERSION)
WEECHAT_PLUGIN_LICENSE ("GPL-3.0-or-later")
int weechat_plugin_init (struct t_weechat_plugin *plugin, int argc, char *argv[]);
int weechat_plugin_end (struct t_weechat_plugin *plugin);
#pragma GCC visibility pop

struct t_weechat_plugin *weechat_encore_plugin;

typedef struct {
  Options *options;
  Irc *irc;
  Host *host; /* NULL: it does not start */
  struct t_hook *fd_hook, *command_hook;
} Shim;

static Shim *shim;

/* ---- the host's chat */

static void
on_reply (gpointer data, bot_id room, bot_id user, const char *text)
{
  irc_reply (((Shim *) data)->irc, room, user, text);
}

static void
on_log (gpointer data, int level, const char *text)
{
  Shim *self = data;
  g_autofree char *clean = text_clean (text);

  if (level >= BOT_LOG_WARNING)
    weechat_printf (NULL, "%sencore: %s", level == BOT_LOG_ERROR ? weechat_prefix ("error") : "",
                    clean);
  else if (level == BOT_LOG_INFO || options_get_debug (self->options))
    weechat_log_printf ("encore: %s", clean);
}

static const char *
on_get_room_name (gpointer data, bot_id room)
{
  return irc_get_room_name (((Shim *) data)->irc, room);
}

static int
on_posts (const void *pointer, void *data, int fd)
{
  host_run_posts (((const Shim *) pointer)->host);
  return WEECHAT_RC_OK;
}

static void
start_host (Shim *self)
{
  const HostChat chat = {on_reply, on_log,           on_get_room_name,
                         self,     "weechat-encore", "/encore restart"};
  g_autoptr (GError) error = NULL;

  self->host = host_new (self->options, &chat, &error);
  irc_set_host (self->irc, self->host);
  if (self->host == NULL) {
    on_log (self, BOT_LOG_ERROR, error->message);
    return;
  }
  self->fd_hook = weechat_hook_fd (host_get_fd (self->host), 1, 0, 0, on_posts, self, NULL);
}

static void
stop_host (Shim *self)
{
  irc_set_host (self->irc, NULL);
  if (self->fd_hook != NULL)
    weechat_unhook (self->fd_hook);
  self->fd_hook = NULL;
  g_clear_pointer (&self->host, host_free);
}

static void
on_plugin_option_changed (gpointer data)
{
  weechat_printf (NULL, "encore: options of the plugin are taken by /encore restart");
}

/* ---- /encore */

static void
print_status (Shim *self)
{
  if (self->host == NULL) {
    irc_print (NULL, "Encore does not run; /encore restart tries it again.");
    return;
  }
  g_autoptr (GPtrArray) lines = host_describe (self->host);
  for (guint i = 0; i < lines->len; i++)
    irc_print (NULL, lines->pdata[i]);
  if (*options_get_channels (self->options) == '\0')
    irc_print (NULL, "No channel is chosen: /set encore.chat.channels SERVER.#CHANNEL");
}

static int
on_command (const void *pointer, void *data, struct t_gui_buffer *buffer, int argc, char **argv,
            char **argv_eol)
{
  Shim *self = (Shim *) pointer;
  const HostUser user = {IRC_LOCAL_USER, "operator", TRUE, TRUE};

  if (argc < 2 || strcmp (argv[1], "status") == 0) {
    print_status (self);
    return WEECHAT_RC_OK;
  }
  if (strcmp (argv[1], "restart") == 0) {
    stop_host (self);
    start_host (self);
    return WEECHAT_RC_OK;
  }
  g_autofree char *args = text_clean (argc > 2 ? argv_eol[2] : "");
  if (self->host == NULL)
    print_status (self);
  else if (host_run (self->host, irc_room_of_buffer (self->irc, buffer), &user, argv[1], args) !=
           BOT_OK)
    irc_print (buffer, "There is no such command; /encore help lists them.");
  return WEECHAT_RC_OK;
}

static void
hook_command (Shim *self)
{
  self->command_hook = weechat_hook_command (
      "encore", "Music for channels", "status || restart || <command> [<arguments>]",
      " status: what is loaded, and each voice\n"
      "restart: end Encore and start it with the options as they are now\n"
      "command: a command of Encore, as an admin; /encore help lists them, encore(7) explains "
      "them\n"
      "\nIn the buffer of a channel it is for that channel, and the answer is for you only.",
      "status|restart|help|play|queue|np|skip|pause|resume|stop|cache", on_command, self, NULL);
}

/* ---- WeeChat */

int
weechat_plugin_init (struct t_weechat_plugin *plugin, int argc, char *argv[])
{
  weechat_encore_plugin = plugin;
  shim = g_new0 (Shim, 1);
  shim->options = options_new (on_plugin_option_changed, shim);
  if (shim->options == NULL) {
    g_clear_pointer (&shim, g_free);
    return WEECHAT_RC_ERROR;
  }
  shim->irc = irc_new (shim->options);
  hook_command (shim);
  start_host (shim);
  return WEECHAT_RC_OK;
}

int
weechat_plugin_end (struct t_weechat_plugin *plugin)
{
  stop_host (shim);
  weechat_unhook (shim->command_hook);
  irc_free (shim->irc);
  options_free (shim->options);
  g_clear_pointer (&shim, g_free);
  return WEECHAT_RC_OK;
}
