/* SPDX-License-Identifier: GPL-3.0-or-later
 * The voice rooms of the host: a mount of Icecast, RTP, or nothing at all ("none").
 *
 * Threads: as bot_host_voice says; voices_new(), _free() and _describe() on [main]. */
#pragma once

#include <glib.h>

#include "bot-plugin.h"
#include "options.h"

typedef struct Voices Voices;

typedef struct {
  /* [any] FN(DATA) on [main], in order. */
  void (*post) (gpointer data, bot_task fn, void *arg, bot_task drop);
  /* [main] What people in ROOM should know. */
  void (*say) (gpointer data, bot_id room, const char *sentence);
  /* [main] "SERVER.#CHANNEL", or NULL.  (transfer none) */
  const char *(*get_room_name) (gpointer data, bot_id room);
  gpointer data;
} VoicesOwner;

Voices *voices_new (Options *options, const VoicesOwner *owner);
/* voices_free: after the plugin stopped. */
void voices_free (Voices *self);
bot_result voices_open (Voices *self, bot_id room, bot_voice_spec *spec, bot_id *voice);
bot_result voices_send (Voices *self, bot_id voice, uint64_t seq, uint32_t flags,
                        const void *packet, size_t len);
bot_result voices_close (Voices *self, bot_id voice);
bot_result voices_set_title (Voices *self, bot_id voice, const char *title);
/* voices_describe: a line for each is added to LINES. */
void voices_describe (Voices *self, GPtrArray *lines);
/* voices_fill: PATTERN with %c for the channel and %s for the server of ROOM_NAME, both reduced to
 * letters, digits and -_ so that they are one part of a path.  (transfer full) */
char *voices_fill (const char *pattern, const char *room_name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Voices, voices_free)
