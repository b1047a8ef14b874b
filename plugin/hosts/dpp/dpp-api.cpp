// SPDX-License-Identifier: LGPL-2.1-or-later
// The host's side of bot-plugin.h.  A voice is the number of its guild: a bot has one in each.
// Not verified against Discord.
#include <cstdio>
#include <cstring>
#include <iterator>

#include "dpp-host.h"

void
post (Host &host, std::function<void ()> run, std::function<void ()> drop)
{
  std::lock_guard<std::mutex> lock (host.mutex);
  host.tasks.push_back ({std::move (run), std::move (drop)});
  host.wake.notify_one ();
}

namespace
{

constexpr float ahead_s = 0.2f;        // of sound in the library, which paces itself
constexpr std::size_t text_max = 1900; // Discord takes 2000 characters

Host &
self (void *ctx)
{
  return *static_cast<Host *> (ctx);
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
  self (ctx).bot.message_create (
      dpp::message (room, content).set_allowed_mentions (false, false, false, false, {}, {}));
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

const bot_host_voice voice_api = {
    sizeof (bot_host_voice), 0, api_open, api_send, api_close, nullptr};

const void *
api_get_extension (void *ctx, const char *id)
{
  return std::strcmp (id, BOT_EXT_VOICE) == 0 ? &voice_api : nullptr;
}

} // namespace

bot_host
make_api (Host &host)
{
  return {
      sizeof (bot_host), BOT_ABI_MAJOR, BOT_ABI_MINOR,  &host,          "dpp-host",      "1",
      api_get_extension, api_log,       api_config_get, api_config_key, api_command_add, api_reply,
      api_allowed,       api_post};
}
