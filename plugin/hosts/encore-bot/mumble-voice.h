/* SPDX-License-Identifier: LGPL-2.1-or-later
 * One room's voice on its way from the plugin's clock to [main], which owns the connection.
 *
 * The plugin keeps the clock; packets are handed on as they come.  While nobody is to hear anything
 * they are not taken, so that the song waits where it is. */
#pragma once

#include <glib.h>

#include "bot-plugin.h"

typedef struct MumbleVoice MumbleVoice;

/* [main] @sequence: in units of 10 ms, counting on over pauses and songs. */
typedef void (*MumbleVoiceFunc) (guint64 sequence, gboolean last, const guint8 *packet, gsize len,
                                 gpointer data);

MumbleVoice *mumble_voice_new (MumbleVoiceFunc send, gpointer data);
void mumble_voice_free (MumbleVoice *self);
/* mumble_voice_restart: [main] the plugin counts from 0 again. */
void mumble_voice_restart (MumbleVoice *self);
/* mumble_voice_set_audible: [main] FALSE: what waits is dropped, and if somebody heard something a
 * frame of silence ends it. */
void mumble_voice_set_audible (MumbleVoice *self, gboolean audible);
/* mumble_voice_cut: [main] the same without that frame: there is nobody to send it to. */
void mumble_voice_cut (MumbleVoice *self);
/* mumble_voice_send: [send] as in bot-plugin.h. */
bot_result
mumble_voice_send (MumbleVoice *self, guint64 seq, gboolean last, const guint8 *packet, gsize len);
