// SPDX-License-Identifier: LGPL-2.1-or-later
// A sample host for Discord with D++ 10.1 or later: text commands, and the plugin's Opus packets to
// a voice channel, which the library encrypts end to end (DAVE).  Not verified against Discord.
//
//   DISCORD_TOKEN=... dpp-host encore.so admins=ID,ID cache_dir=DIR KEY=VALUE...
//
// D++ calls back on threads of its own, several at once: here they only put work into a queue, and
// main()'s thread is the [main] of the contract.  The bot needs the intent for message content.
#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "dpp-host.h"

namespace
{

constexpr char prefix = '?';

std::atomic<bool> ending{false};

void
on_signal (int)
{
  ending = true; // main() looks ten times a second
}

// ---- what Discord tells, in the queue

void
run_command (Host &host, const dpp::message &msg, bot_id voice_room)
{
  const std::size_t space = std::min (msg.content.find (' '), msg.content.size ());
  const std::size_t from =
      std::min (msg.content.find_first_not_of (' ', space), msg.content.size ());
  const std::string name = msg.content.substr (1, space - 1), args = msg.content.substr (from);
  const auto found = host.commands.find (name);
  const bot_call call = {sizeof call,    0,
                         msg.channel_id, msg.author.id,
                         voice_room,     msg.author.username.c_str (),
                         name.c_str (),  args.c_str ()};

  if (found == host.commands.end ())
    return; // another bot's
  const Command &command = found->second;
  if (!command.permission.empty () && host.admins.count (call.user) == 0)
    host.bot.message_create (dpp::message (msg.channel_id, "That is for admins only."));
  else
    command.run (command.data, &call);
}

void
on_message (Host &host, const dpp::message_create_t &event)
{
  const dpp::message msg = event.msg;
  bot_id voice_room = 0;

  if (msg.author.is_bot () || msg.content.empty () || msg.content[0] != prefix)
    return;
  if (const dpp::guild *guild = dpp::find_guild (msg.guild_id)) {
    const auto member = guild->voice_members.find (msg.author.id);
    if (member != guild->voice_members.end ())
      voice_room = member->second.channel_id;
  }
  post (host, [&host, msg, voice_room] { run_command (host, msg, voice_room); });
}

// Somebody has put the bot out of its channel.
void
on_voice_state (Host &host, const dpp::voice_state_update_t &event)
{
  const bot_id guild = event.state.guild_id;

  if (event.state.user_id != host.bot.me.id || !event.state.channel_id.empty ())
    return;
  post (host, [&host, guild] {
    std::unique_lock<std::mutex> lock (host.mutex);
    const auto found = host.voices.find (guild);
    if (found == host.voices.end ())
      return;
    const Voice voice = found->second;
    host.voices.erase (found);
    lock.unlock ();
    if (voice.closed != nullptr)
      voice.closed (voice.data, guild, BOT_ECLOSED);
  });
}

// ---- life

void
run_tasks (Host &host, bool stopped)
{
  std::unique_lock<std::mutex> lock (host.mutex);
  if (!stopped && host.tasks.empty ())
    host.wake.wait_for (lock, std::chrono::milliseconds (100));
  while (!host.tasks.empty ()) {
    const Task task = std::move (host.tasks.front ());
    host.tasks.pop_front ();
    lock.unlock ();
    const auto &call = stopped ? task.drop : task.run;
    if (call)
      call ();
    lock.lock ();
  }
}

void
read_arguments (Host &host, int argc, char **argv)
{
  for (int i = 2; i < argc; i++) {
    const std::string text (argv[i]);
    const std::size_t equals = std::min (text.find ('='), text.size () - 1);
    if (text.compare (0, equals, "admins") != 0) {
      host.config[text.substr (0, equals)] = text.substr (equals + 1);
      continue;
    }
    std::istringstream list (text.substr (equals + 1));
    for (std::string id; std::getline (list, id, ',');)
      host.admins.insert (std::strtoull (id.c_str (), nullptr, 10));
  }
}

} // namespace

int
main (int argc, char **argv)
{
  const char *token = std::getenv ("DISCORD_TOKEN");
  void *module = argc > 1 ? dlopen (argv[1], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) : nullptr;
  const auto *plugin = module != nullptr
                           ? static_cast<const bot_plugin *> (dlsym (module, "bot_plugin_entry"))
                           : nullptr;
  if (token == nullptr || plugin == nullptr || plugin->abi_major != BOT_ABI_MAJOR) {
    std::fputs ("DISCORD_TOKEN=... dpp-host MODULE [admins=ID,ID] [KEY=VALUE...]\n", stderr);
    return 2;
  }
  Host host (token);
  void *plugin_self = nullptr;
  const bot_host api = make_api (host);
  read_arguments (host, argc, argv);
  if (plugin->start (&api, &plugin_self) < BOT_OK)
    return 2;
  host.bot.on_message_create ([&host] (const dpp::message_create_t &e) { on_message (host, e); });
  host.bot.on_voice_state_update (
      [&host] (const dpp::voice_state_update_t &e) { on_voice_state (host, e); });
  std::signal (SIGINT, on_signal);
  std::signal (SIGTERM, on_signal);
  host.bot.start (dpp::st_return);
  while (!ending)
    run_tasks (host, false);
  plugin->stop (plugin_self);
  host.bot.shutdown ();
  run_tasks (host, true);
  return 0;
}
