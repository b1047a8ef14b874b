/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Threads: what is marked is under MUTEX; SEND is called without it. */
#include "config.h"
#include "mumble-voice.h"

#include <string.h>

#include "mumble-frame.h"

#define UNITS 2      /* of 10 ms in a frame of 20 ms */
#define QUEUE_MAX 10 /* frames; more only wait while [main] stands still */

static const guint8 SILENCE[] = {0xF8, 0xFF, 0xFE}; /* Opus: CELT, 20 ms, nothing */

typedef struct {
  guint64 sequence;
  gboolean last;
  gsize len;
  guint8 data[];
} Packet;

struct MumbleVoice {
  MumbleVoiceFunc send;
  gpointer data;
  GSource *source; /* [main] wakes up when there is something to send */
  GMutex mutex;
  /* under MUTEX: */
  GQueue packets; /* Packet */
  gboolean audible;
  guint64 base; /* the sequence of the plugin's frame 0 */
  guint64 next; /* behind everything so far */
  /* [main] */
  gboolean talking; /* the last packet sent was not marked as the last */
};

static void
send_all (MumbleVoice *self)
{
  Packet *packet;

  do {
    g_mutex_lock (&self->mutex);
    packet = g_queue_pop_head (&self->packets);
    g_mutex_unlock (&self->mutex);
    if (packet != NULL) {
      self->send (packet->sequence, packet->last, packet->data, packet->len, self->data);
      self->talking = !packet->last;
    }
    g_free (packet);
  } while (packet != NULL);
}

static gboolean
dispatch (GSource *source, GSourceFunc func, gpointer data)
{
  g_source_set_ready_time (source, -1);
  send_all (data);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {.dispatch = dispatch};

static gboolean
nothing (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

MumbleVoice *
mumble_voice_new (MumbleVoiceFunc send, gpointer data)
{
  MumbleVoice *self = g_new0 (MumbleVoice, 1);

  self->send = send;
  self->data = data;
  g_mutex_init (&self->mutex);
  self->source = g_source_new (&source_funcs, sizeof (GSource));
  g_source_set_callback (self->source, nothing, self, NULL);
  g_source_set_priority (self->source, G_PRIORITY_HIGH);
  g_source_attach (self->source, NULL);
  return self;
}

void
mumble_voice_free (MumbleVoice *self)
{
  g_source_destroy (self->source);
  g_source_unref (self->source);
  g_queue_clear_full (&self->packets, g_free);
  g_mutex_clear (&self->mutex);
  g_free (self);
}

void
mumble_voice_restart (MumbleVoice *self)
{
  g_mutex_lock (&self->mutex);
  self->base = self->next;
  g_mutex_unlock (&self->mutex);
}

void
mumble_voice_cut (MumbleVoice *self)
{
  g_mutex_lock (&self->mutex);
  self->audible = FALSE;
  g_queue_clear_full (&self->packets, g_free);
  g_mutex_unlock (&self->mutex);
  self->talking = FALSE;
}

void
mumble_voice_set_audible (MumbleVoice *self, gboolean audible)
{
  const gboolean talking = self->talking;

  if (audible) {
    g_mutex_lock (&self->mutex);
    self->audible = TRUE;
    g_mutex_unlock (&self->mutex);
    return;
  }
  mumble_voice_cut (self);
  if (!talking)
    return;
  g_mutex_lock (&self->mutex);
  const guint64 sequence = self->next;
  self->next += UNITS;
  g_mutex_unlock (&self->mutex);
  self->send (sequence, TRUE, SILENCE, sizeof SILENCE, self->data);
}

bot_result
mumble_voice_send (MumbleVoice *self, guint64 seq, gboolean last, const guint8 *packet, gsize len)
{
  if (len > MUMBLE_VOICE_BYTES)
    return BOT_EINVAL;
  g_mutex_lock (&self->mutex);
  const gboolean takes = self->audible && self->packets.length < QUEUE_MAX;
  if (takes) {
    Packet *copy = g_malloc (sizeof *copy + len);
    copy->sequence = MAX (self->base + seq * UNITS, self->next);
    copy->last = last;
    copy->len = len;
    memcpy (copy->data, packet, len);
    self->next = copy->sequence + UNITS;
    g_queue_push_tail (&self->packets, copy);
  }
  g_mutex_unlock (&self->mutex);
  if (takes)
    g_source_set_ready_time (self->source, 0);
  return takes ? BOT_OK : BOT_EAGAIN;
}
