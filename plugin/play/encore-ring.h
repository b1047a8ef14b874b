/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Packets on their way from one producer to one consumer without a lock.
 *
 * Threads: push on one thread at a time, peek and drop on one thread at a time. */
#pragma once

#include <glib.h>
#include <stdatomic.h>

G_BEGIN_DECLS

#define ENCORE_RING_DEPTH 32 /* packets filled ahead: 640 ms, the knee of CPU per packet */
#define ENCORE_RING_SLOTS 40 /* the rest: marks, and packets that were split into several */

typedef enum { ENCORE_SLOT_PACKET, ENCORE_SLOT_END, ENCORE_SLOT_FAILED } EncoreSlotKind;

typedef struct {
  guint song;
  EncoreSlotKind kind;
  gint64 end_ns; /* in the song */
  gsize len, capacity;
  guint8 *data; /* kept from packet to packet: no allocation once a song plays */
} EncoreSlot;

typedef struct {
  EncoreSlot slots[ENCORE_RING_SLOTS];
  _Atomic gsize head, tail; /* ever growing */
} EncoreRing;

void encore_ring_clear (EncoreRing *self);
/* encore_ring_push: copies.  Returns: FALSE if all slots are taken. */
gboolean encore_ring_push (EncoreRing *self, guint song, EncoreSlotKind kind, gint64 end_ns,
                           const guint8 *data, gsize len);
guint encore_ring_used (EncoreRing *self);
/* encore_ring_peek: Returns: (nullable): the oldest, valid until dropped. */
const EncoreSlot *encore_ring_peek (EncoreRing *self);
/* encore_ring_peek_at: the one that is I behind the oldest. */
const EncoreSlot *encore_ring_peek_at (EncoreRing *self, guint i);
void encore_ring_drop (EncoreRing *self);
/* encore_ring_take: drops the oldest; INTO has it, and the ring has INTO's memory in its place. */
void encore_ring_take (EncoreRing *self, EncoreSlot *into);

G_END_DECLS
