/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The gain falls in a straight line from packet to packet, and each packet comes out of the coders
 * when the one behind it goes in. */
#include "config.h"
#include "play/encore-fade.h"

#include "play/encore-gain.h"

#define PLAIN 2
#define PATIENCE 3 /* ticks: a fade that is coded later than that would be a sound of its own */
#define STEPS (ENCORE_FADE_COMING - PLAIN - 1)

static GPtrArray *
packets_new (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
}

EncoreFade *
encore_fade_new (guint max_bps)
{
  EncoreFade *self = g_new0 (EncoreFade, 1);

  self->max_bps = max_bps;
  self->heard = packets_new ();
  self->coming = packets_new ();
  self->packets = packets_new ();
  return self;
}

void
encore_fade_free (EncoreFade *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->heard);
  g_ptr_array_unref (self->coming);
  g_ptr_array_unref (self->packets);
  g_free (self);
}

guint
encore_fade_count_plain (const EncoreFade *self)
{
  const guint faded = STEPS + 1;

  return self->coming->len > faded ? MIN (PLAIN, self->coming->len - faded) : 0;
}

static gboolean
push (EncoreGain *gain, GBytes *packet, GPtrArray *out)
{
  g_autoptr (GError) error = NULL;
  gsize len;
  const guint8 *data = g_bytes_get_data (packet, &len);
  GBytes *coded;

  if (!encore_gain_push (gain, data, len, &error)) {
    g_debug ("fade: %s", error->message);
    return FALSE;
  }
  while ((coded = encore_gain_pop (gain)) != NULL) {
    if (out != NULL)
      g_ptr_array_add (out, coded);
    else
      g_bytes_unref (coded);
  }
  return TRUE;
}

static gboolean
warm (EncoreFade *self, EncoreGain *gain, guint plain)
{
  gboolean ok = TRUE;

  for (guint i = 0; ok && i < self->heard->len; i++)
    ok = push (gain, self->heard->pdata[i], NULL);
  for (guint i = 0; ok && i < plain; i++)
    ok = push (gain, self->coming->pdata[i], NULL);
  return ok;
}

void
encore_fade_code (EncoreFade *self)
{
  g_autoptr (EncoreGain) gain = encore_gain_new ();
  const guint plain = encore_fade_count_plain (self), n = self->coming->len - plain;

  if (n < 2 || !warm (self, gain, plain))
    return;
  encore_gain_limit (gain, self->max_bps); /* what is plain already keeps to it */
  for (guint i = 0; i < n; i++) {
    /* Packet 0 makes the coders start, packet I lets go of the one before it.  The last one is
     * never heard: silence in its place would end the ramp 6.5 ms too early, with a step. */
    encore_gain_set (gain, 1.0 - (double) MAX (i, 1) / (n - 1));
    if (!push (gain, self->coming->pdata[plain + i], self->packets))
      return;
  }
}

/* ---- a room's */

void
encore_fader_clear (EncoreFader *self)
{
  encore_fader_forget (self);
  for (guint i = 0; i < ENCORE_FADE_HEARD; i++)
    g_clear_pointer (&self->heard[i].data, g_free);
  encore_fade_free (atomic_exchange (&self->to_code, NULL));
  encore_fade_free (atomic_exchange (&self->coded, NULL));
}

void
encore_fader_take (EncoreFader *self, EncoreRing *ring)
{
  encore_ring_take (ring, &self->heard[self->n_heard++ % ENCORE_FADE_HEARD]);
}

void
encore_fader_hush (EncoreFader *self)
{
  self->n_heard = 0;
}

EncoreFade *
encore_fader_gather (EncoreFader *self, guint max_bps)
{
  if (self->n_heard == 0)
    return NULL;
  EncoreFade *fade = encore_fade_new (max_bps);
  for (guint i = MIN (self->n_heard, ENCORE_FADE_HEARD); i > 0; i--) {
    const EncoreSlot *slot = &self->heard[(self->n_heard - i) % ENCORE_FADE_HEARD];
    g_ptr_array_add (fade->heard, g_bytes_new (slot->data, slot->len));
  }
  return fade;
}

void
encore_fader_begin (EncoreFader *self, EncoreFade *fade)
{
  encore_fader_forget (self);
  for (guint i = 0; i < encore_fade_count_plain (fade); i++)
    g_queue_push_tail (&self->queue, g_bytes_ref (fade->coming->pdata[i]));
  self->awaited = fade->number = ++self->last_number;
  self->patience = PATIENCE;
  encore_fade_free (atomic_exchange (&self->to_code, fade));
}

void
encore_fader_forget (EncoreFader *self)
{
  g_queue_clear_full (&self->queue, (GDestroyNotify) g_bytes_unref);
  self->awaited = 0;
}

void
encore_fader_code (EncoreFader *self)
{
  EncoreFade *fade = atomic_exchange (&self->to_code, NULL);

  if (fade == NULL)
    return;
  encore_fade_code (fade);
  encore_fade_free (atomic_exchange (&self->coded, fade));
}

/* What a worker has made; of a room that has something else to play by now it is nothing. */
static void
take_coded (EncoreFader *self)
{
  g_autoptr (EncoreFade) fade = atomic_exchange (&self->coded, NULL);

  if (fade == NULL || fade->number != self->awaited)
    return;
  self->awaited = 0;
  for (guint i = 0; i < fade->packets->len; i++)
    g_queue_push_tail (&self->queue, g_bytes_ref (fade->packets->pdata[i]));
}

gboolean
encore_fader_next (EncoreFader *self, GBytes **packet)
{
  take_coded (self);
  *packet = g_queue_peek_head (&self->queue);
  if (*packet == NULL && self->awaited != 0 && self->patience-- == 0)
    self->awaited = 0;
  return *packet != NULL || self->awaited != 0;
}

void
encore_fader_drop (EncoreFader *self)
{
  g_bytes_unref (g_queue_pop_head (&self->queue));
}
