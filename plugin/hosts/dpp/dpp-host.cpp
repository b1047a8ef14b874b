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
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <string>

#include <dpp/dpp.h>

#include "bot-plugin.h"

namespace {

constexpr char prefix = '?';
constexpr float ahead_s = 0.2f;        // of sound in the library, which paces itself
constexpr std::size_t text_max = 1900; // Discord takes 2000 characters

struct Command {
  std::string name, permission; // permission "": everybody
  void (*run) (void *data, const bot_call *call);
  void *data;
};

struct Task {
  std::function<void ()> run, drop;
};

struct Voice {
  dpp::snowflake guild, channel;
  void (*closed) (void *data, bot_id voice, bot_result why);
  void *data;
};

struct Host {
  explicit Host (const std::string &token)
      : bot (token, dpp::i_default_intents | dpp::i_message_content)
  {
  }
  dpp::cluster bot;
  std::map<std::string, std::string> config; // never changes once the plugin runs
  std::set<bot_id> admins;                   // nor does this
  std::map<std::string, Command> commands;   // [main]
  std::mutex mutex;                          // of what follows
  std::condition_variable wake;
  std::deque<Task> tasks;
  std::map<bot_id, Voice> voices; // by the number of the guild: a bot has one voice in each
};

std::atomic<bool> ending{false};

void
on_signal (int)
{
  ending = true; // main() looks ten times a second
}

Host &
self (void *ctx)
{
  return *static_cast<Host *> (ctx);
}

void
post (Host &host, std::function<void ()> run, std::function<void ()> drop = nullptr)
{
  std::lock_guard<std::mutex> lock (host.mutex);
  host.tasks.push_back ({std::move (run), std::move (drop)});
  host.wake.notify_one ();
}

bot_result
copy_out (const std::string &text, char *buf, std::size_t len)
{
  return std::snprintf (buf, len, "%s", text.c_str ());
}

// ---- what the plugin calls

void
api_log (void *ctx, int level, const char *domain, const char *text)
{
  if (level >= BOT_LOG_INFO)
    std::fprintf (stderr, "%s: %s\n", domain, text);
}

bot_result
api_config_get (void *ctx, const char *key, char *buf, std::size_t len)
{
  const auto found = self (ctx).config.find (key);

  return found != self (ctx).config.end () ? copy_out (found->second, buf, len) : BOT_EINVAL;
}

bot_result
api_config_key (void *ctx, std::uint32_t index, char *buf, std::size_t len)
{
  const auto &config = self (ctx).config;

  return index < config.size () ? copy_out (std::next (config.begin (), index)->first, buf, len)
                                : BOT_EINVAL;
}

bot_result
api_command_add (void *ctx, const bot_command *cmd)
{
  self (ctx).commands[cmd->name] = {cmd->name, cmd->permission != nullptr ? cmd->permission : "",
                                    cmd->run, cmd->data};
  return BOT_OK;
}

bot_result
api_reply (void *ctx, bot_id room, bot_id user, const char *text)
{
  std::string content (text);

  if (content.size () > text_max) {
    std::size_t end = text_max;
    while (end > 0 && (content[end] & 0xc0) == 0x80) // not inside a character
      end--;
    content.resize (end);
  }
  // a title shall not ping anybody
  self (ctx).bot.message_create (dpp::message (room, content).set_allowed_mentions (
      false, false, false, false, {}, {}));
  return BOT_OK;
}

bot_result
api_allowed (void *ctx, bot_id room, bot_id user, const char *permission)
{
  return self (ctx).admins.count (user) != 0 ? BOT_OK : BOT_EDENIED;
}

bot_result
api_post (void *ctx, bot_task fn, void *data, bot_task drop)
{
  post (
      self (ctx), [=] { fn (data); },
      [=] {
        if (drop != nullptr)
          drop (data);
      });
  return BOT_OK;
}

// ---- voice

dpp::discord_client *
find_shard (Host &host, dpp::snowflake guild)
{
  const std::uint64_t number = guild;

  return host.bot.get_shard (static_cast<std::uint32_t> ((number >> 22) % host.bot.numshards));
}

bot_result
api_open (void *ctx, bot_id room, bot_voice_spec *spec, bot_id *voice)
{
  Host &host = self (ctx);
  const dpp::channel *channel = dpp::find_channel (room);

  if (channel == nullptr || !channel->is_voice_channel ())
    return BOT_ECLOSED;
  const dpp::snowflake guild = channel->guild_id;
  dpp::discord_client *shard = find_shard (host, guild);
  if (shard == nullptr)
    return BOT_EFAIL;
  {
    std::lock_guard<std::mutex> lock (host.mutex);
    if (!host.voices.insert ({guild, {guild, room, spec->closed, spec->data}}).second)
      return BOT_EFAIL;
  }
  shard->connect_voice (guild, room, false, true, true); // deaf, and with DAVE
  spec->max_bytes = 1275;
  spec->max_bps = 0;
  spec->queue_us = static_cast<std::uint32_t> (ahead_s * 1e6f);
  *voice = guild;
  return BOT_OK;
}

bot_result
api_send (void *ctx, bot_id voice, std::uint64_t seq, std::uint32_t flags, const void *packet,
          std::size_t len)
{
  Host &host = self (ctx);
  {
    std::lock_guard<std::mutex> lock (host.mutex);
    if (host.voices.count (voice) == 0)
      return BOT_ECLOSED;
  }
  dpp::discord_client *shard = find_shard (host, voice);
  dpp::voiceconn *conn = shard != nullptr ? shard->get_voice (voice) : nullptr;
  if (conn == nullptr || !conn->voiceclient || !conn->voiceclient->is_ready () ||
      conn->voiceclient->get_secs_remaining () >= ahead_s)
    return BOT_EAGAIN; // it is still joining, or has enough
  try {
    std::string copy (static_cast<const char *> (packet), len); // it asks for one it may write to
    conn->voiceclient->send_audio_opus (reinterpret_cast<std::uint8_t *> (copy.data ()), len, 20);
  } catch (const std::exception &) {
    return BOT_EFAIL; // no exception may cross the border
  }
  return BOT_OK;
}

bot_result
api_close (void *ctx, bot_id voice)
{
  Host &host = self (ctx);
  {
    std::lock_guard<std::mutex> lock (host.mutex);
    if (host.voices.erase (voice) == 0)
      return BOT_OK;
  }
  if (dpp::discord_client *shard = find_shard (host, voice))
    shard->disconnect_voice (voice);
  return BOT_OK;
}

const bot_host_voice voice_api = {sizeof (bot_host_voice), 0, api_open, api_send, api_close,
                                  nullptr};

const void *
api_get_extension (void *ctx, const char *id)
{
  return std::strcmp (id, BOT_EXT_VOICE) == 0 ? &voice_api : nullptr;
}

// ---- what Discord tells, in the queue

void
run_command (Host &host, const dpp::message &msg, bot_id voice_room)
{
  const std::size_t space = std::min (msg.content.find (' '), msg.content.size ());
  const std::size_t from = std::min (msg.content.find_first_not_of (' ', space), msg.content.size ());
  const std::string name = msg.content.substr (1, space - 1), args = msg.content.substr (from);
  const auto found = host.commands.find (name);
  const bot_call call = {sizeof call, 0, msg.channel_id, msg.author.id, voice_room,
                         msg.author.username.c_str (), name.c_str (), args.c_str ()};

  if (found == host.commands.end ())
    return; // another bot's
  const Command &command = found->second;
  if (!command.permission.empty () &&
      api_allowed (&host, call.room, call.user, command.permission.c_str ()) != BOT_OK)
    api_reply (&host, call.room, call.user, "That is for admins only.");
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
  const bot_host api = {sizeof api,      BOT_ABI_MAJOR,  BOT_ABI_MINOR,   &host,     "dpp-host",
                        "1",             api_get_extension, api_log,      api_config_get,
                        api_config_key,  api_command_add, api_reply,      api_allowed, api_post};
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
