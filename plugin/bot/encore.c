/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The entry that a host looks up.  Nothing here starts a thread, opens a file or touches GStreamer:
 * hosts fork after loading plugins. */
#include "config.h"

#include "bot/encore-command.h"
#include "bot/encore-plugin.h"
#include "bot/encore-reconfigure.h"

/* [main] As soon as the host's main loop runs. */
static void
on_running (void *self)
{
  encore_plugin_warm_up (self);
}

static bot_result
start (const bot_host *host, void **self)
{
  g_autoptr (GError) error = NULL;

  if (host->abi_major != BOT_ABI_MAJOR)
    return BOT_EINVAL;
  EncorePlugin *plugin = encore_plugin_new (host, &error);
  if (plugin == NULL)
    return BOT_EINVAL;
  if (!encore_command_register (plugin, &error)) {
    encore_host_log (plugin->host, BOT_LOG_ERROR, error->message);
    encore_plugin_free (plugin);
    return BOT_EINVAL;
  }
  if (BOT_HAS (host, post))
    host->post (host->ctx, on_running, plugin, NULL);
  *self = plugin;
  return BOT_OK;
}

static void
stop (void *self)
{
  encore_plugin_free (self);
}

static uint32_t
busy (void *self)
{
  return encore_plugin_get_busy (self);
}

static bot_result
reconfigure (void *self)
{
  EncorePlugin *plugin = self;
  g_autoptr (GError) error = NULL;

  if (encore_reconfigure (plugin, &error))
    return BOT_OK;
  encore_host_log (plugin->host, BOT_LOG_ERROR, error->message);
  return BOT_EINVAL;
}

const bot_plugin bot_plugin_entry = {
    .size = sizeof (bot_plugin),
    .abi_major = BOT_ABI_MAJOR,
    .abi_minor = BOT_ABI_MINOR,
    .flags = BOT_PLUGIN_RESIDENT,
    .id = "encore",
    .version = PACKAGE_VERSION,
    .start = start,
    .stop = stop,
    .busy = busy,
    .reconfigure = reconfigure,
};
