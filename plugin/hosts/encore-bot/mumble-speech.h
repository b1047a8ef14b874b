/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Does anybody speak in a room?  Clients send packets only while their users speak, so whoever
 * sends speaks, until nothing came for a while: the pauses between sentences are speech, too.
 * [main] */
#pragma once

#include <glib.h>

typedef struct MumbleSpeech MumbleSpeech;

typedef void (*MumbleSpeechFunc) (gboolean on, gpointer data);

/* mumble_speech_new: CHANGED is told when people begin, and when nothing came for HOLD_MS. */
MumbleSpeech *mumble_speech_new (guint hold_ms, MumbleSpeechFunc changed, gpointer data);
void mumble_speech_free (MumbleSpeech *self);
/* mumble_speech_take: a packet of somebody else's voice came. */
void mumble_speech_take (MumbleSpeech *self);
/* mumble_speech_forget: nobody speaks (any more): CHANGED may be told. */
void mumble_speech_forget (MumbleSpeech *self);
