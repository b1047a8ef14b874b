/* SPDX-License-Identifier: LGPL-2.1-or-later
 * One producer, one consumer, two counters. */
#include "config.h"
#include "play/encore-ring.h"

#include <string.h>

#define GRAIN_BYTES 64 /* a slot's buffer grows by these */

void
encore_ring_clear (EncoreRing *self)
{
  for (guint i = 0; i < ENCORE_RING_SLOTS; i++)
    g_clear_pointer (&self->slots[i].data, g_free);
}

static void
fill_slot (EncoreSlot *slot, const guint8 *data, gsize len)
{
  if (slot->capacity < len) {
    slot->capacity = (len + GRAIN_BYTES - 1) / GRAIN_BYTES * GRAIN_BYTES;
    g_free (slot->data);
    slot->data = g_malloc (slot->capacity);
  }
  if (len > 0)
    memcpy (slot->data, data, len);
  slot->len = len;
}

gboolean
encore_ring_push (EncoreRing *self, guint song, EncoreSlotKind kind, gint64 end_ns,
                  const guint8 *data, gsize len)
{
  gsize tail = atomic_load_explicit (&self->tail, memory_order_relaxed);
  if (tail - atomic_load (&self->head) >= ENCORE_RING_SLOTS)
    return FALSE;
  EncoreSlot *slot = &self->slots[tail % ENCORE_RING_SLOTS];
  slot->song = song;
  slot->kind = kind;
  slot->end_ns = end_ns;
  fill_slot (slot, data, len);
  /* Sequentially consistent: the pusher looks at the consumer's sleep next, the sleeper at us. */
  atomic_store (&self->tail, tail + 1);
  return TRUE;
}

guint
encore_ring_used (EncoreRing *self)
{
  gsize head = atomic_load (&self->head);
  return (guint) (atomic_load (&self->tail) - head);
}

const EncoreSlot *
encore_ring_peek (EncoreRing *self)
{
  gsize head = atomic_load_explicit (&self->head, memory_order_relaxed);
  return atomic_load (&self->tail) == head ? NULL : &self->slots[head % ENCORE_RING_SLOTS];
}

const EncoreSlot *
encore_ring_peek_at (EncoreRing *self, guint i)
{
  const gsize at = atomic_load_explicit (&self->head, memory_order_relaxed) + i;

  return atomic_load (&self->tail) <= at ? NULL : &self->slots[at % ENCORE_RING_SLOTS];
}

void
encore_ring_take (EncoreRing *self, EncoreSlot *into)
{
  const gsize head = atomic_load_explicit (&self->head, memory_order_relaxed);
  EncoreSlot *slot = &self->slots[head % ENCORE_RING_SLOTS];
  const EncoreSlot spare = *into;

  *into = *slot;
  *slot = spare;
  encore_ring_drop (self);
}

void
encore_ring_drop (EncoreRing *self)
{
  atomic_fetch_add (&self->head, 1);
}
