/* SPDX-License-Identifier: GPL-3.0-or-later
 * IRC through WeeChat: what is typed in the chosen channels, who typed it, and answers.
 *
 * Threads: [main] only. */
#pragma once

#include <glib.h>

#include "host.h"
#include "options.h"

#define IRC_LOCAL_USER ((bot_id) 1) /* who sits at WeeChat; he is answered on his screen only */

typedef struct Irc Irc;

Irc *irc_new (Options *options);
void irc_free (Irc *self);
/* irc_set_host: where commands go; NULL: nowhere. */
void irc_set_host (Irc *self, Host *host);
/* irc_reply, irc_get_room_name: as HostChat has them. */
void irc_reply (Irc *self, bot_id room, bot_id user, const char *text);
const char *irc_get_room_name (Irc *self, bot_id room);
/* irc_room_of_buffer: the channel that BUFFER (struct t_gui_buffer) shows; of another buffer the
 * room "local", whose answers go to the core buffer. */
bot_id irc_room_of_buffer (Irc *self, void *buffer);
/* irc_print_lines: TEXT for who sits here, in BUFFER. */
void irc_print (void *buffer, const char *text);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Irc, irc_free)
