/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The host as the rest of the bot folder sees it: missing members and stale numbers are dealt with
 * here, once. */
#pragma once

#include <glib.h>

#include "bot-plugin.h"

G_BEGIN_DECLS

typedef struct EncoreHost EncoreHost;

/* [main] once: the host ended the voice. */
typedef void (*EncoreVoiceClosedFunc) (bot_id room, bot_id voice, bot_result why, gpointer data);
/* [main] What the voice takes has changed: see encore_host_voice_get_max_bps(). */
typedef void (*EncoreVoiceLimitsFunc) (bot_id room, bot_id voice, gpointer data);
/* [main] People begin or cease to speak in ROOM. */
typedef void (*EncoreVoiceSpeakingFunc) (bot_id room, bot_id voice, gboolean on, gpointer data);

/* encore_host_new: [main].  HOST outlives it.  CLOSED is told of voices that the host ends. */
EncoreHost *encore_host_new (const bot_host *host, EncoreVoiceClosedFunc closed, gpointer data);
/* encore_host_watch_limits: [main], before any voice is open; with the DATA of CLOSED. */
void encore_host_watch_limits (EncoreHost *self, EncoreVoiceLimitsFunc limits);
/* encore_host_watch_speaking: the same for people who speak. */
void encore_host_watch_speaking (EncoreHost *self, EncoreVoiceSpeakingFunc speaking);
/* [main] Closes what is open. */
void encore_host_free (EncoreHost *self);

/* [any] */
void encore_host_log (EncoreHost *self, int level, const char *text);
void encore_host_reply (EncoreHost *self, bot_id room, bot_id user, const char *format, ...)
    G_GNUC_PRINTF (4, 5);
gboolean encore_host_allowed (EncoreHost *self, bot_id room, bot_id user, const char *permission);

/* encore_host_voice_open: [main] the voice of ROOM, opened if it is not, for one command: whoever
 * carries that out calls encore_host_voice_done() with it.
 * Returns: BOT_OK and *VOICE, or why not; BOT_ENOTSUP: this host has no voice rooms. */
bot_result encore_host_voice_open (EncoreHost *self, bot_id room, bot_id *voice);
/* [send] As bot_host_voice.send. */
bot_result encore_host_voice_send (EncoreHost *self, bot_id voice, guint64 seq, gboolean last,
                                   const void *packet, gsize len);
/* encore_host_voice_get_max_bps: [any] highest sustained rate of packets that ROOM takes; 0: any.
 */
guint encore_host_voice_get_max_bps (EncoreHost *self, bot_id room);
/* [any] */
void encore_host_voice_done (EncoreHost *self, bot_id room, bot_id voice);
/* encore_host_voice_leave: [any] calls QUIET, after which nothing may be sent to ROOM any more, and
 * closes its voice.
 * Returns: FALSE, with nothing done, while a command that was given the voice is under way. */
gboolean
encore_host_voice_leave (EncoreHost *self, bot_id room, GDestroyNotify quiet, gpointer data);
void encore_host_now_playing (EncoreHost *self, bot_id voice, const char *title);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreHost, encore_host_free)

G_END_DECLS
