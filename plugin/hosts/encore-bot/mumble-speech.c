/* SPDX-License-Identifier: LGPL-2.1-or-later
 * One timer while somebody speaks; it is not set anew for every packet, but looks when the last one
 * came. */
#include "config.h"
#include "mumble-speech.h"

struct MumbleSpeech {
  guint hold_ms;
  MumbleSpeechFunc changed;
  gpointer data;
  gint64 last_us; /* monotonic, of the newest packet */
  guint timer;    /* 0: nobody speaks */
};

MumbleSpeech *
mumble_speech_new (guint hold_ms, MumbleSpeechFunc changed, gpointer data)
{
  MumbleSpeech *self = g_new0 (MumbleSpeech, 1);

  self->hold_ms = hold_ms;
  self->changed = changed;
  self->data = data;
  return self;
}

void
mumble_speech_free (MumbleSpeech *self)
{
  if (self->timer != 0)
    g_source_remove (self->timer);
  g_free (self);
}

static gboolean
on_timer (gpointer data)
{
  MumbleSpeech *self = data;
  const gint64 silent_ms = (g_get_monotonic_time () - self->last_us) / 1000;

  self->timer = 0;
  if (silent_ms < self->hold_ms)
    self->timer = g_timeout_add (self->hold_ms - silent_ms, on_timer, self);
  else
    self->changed (FALSE, self->data);
  return G_SOURCE_REMOVE;
}

void
mumble_speech_take (MumbleSpeech *self)
{
  self->last_us = g_get_monotonic_time ();
  if (self->timer != 0)
    return;
  self->timer = g_timeout_add (self->hold_ms, on_timer, self);
  self->changed (TRUE, self->data);
}

void
mumble_speech_forget (MumbleSpeech *self)
{
  if (self->timer == 0)
    return;
  g_source_remove (self->timer);
  self->timer = 0;
  self->changed (FALSE, self->data);
}
