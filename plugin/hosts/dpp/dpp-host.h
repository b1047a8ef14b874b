// SPDX-License-Identifier: LGPL-2.1-or-later
// What both halves of the sample for D++ know.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include <dpp/dpp.h>

#include "bot-plugin.h"

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

// post: RUN on [main], or DROP instead if the plugin stops first.  From any thread.
void post (Host &host, std::function<void ()> run, std::function<void ()> drop = nullptr);
// make_api: what the plugin calls.
bot_host make_api (Host &host);
