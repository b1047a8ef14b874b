/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A cached song that could not be played to its end. */
#pragma once

#include "bot/encore-plugin.h"

G_BEGIN_DECLS

/* encore_heal: reads every byte of ID in the background.  A damaged file goes to quarantine/, so
 * that whoever asks for the song next has it fetched anew, and CHAT is told.  [control] */
void encore_heal (EncorePlugin *plugin, bot_id chat, const EncoreMediaId *id, const char *name);

G_END_DECLS
