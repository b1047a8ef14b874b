/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The clock of all rooms: one thread, one absolute tick of 20 ms.
 *
 * Threads: add and remove on the control thread; remove returns when the member is not being ticked
 * and never will be again.  kick on any thread, without a lock.  The only lock the pacer waits for
 * is that of its list, which control holds for a few stores: it is never behind somebody's I/O. */
#pragma once

#include <glib.h>
#include <stdatomic.h>

G_BEGIN_DECLS

#define ENCORE_TICK_US 20000

typedef struct EncorePacer EncorePacer;
typedef struct EncorePaced EncorePaced;

/* Embedded in what is paced; zeroed except TICK. */
struct EncorePaced {
  /* [pacer] SLOT counts ticks of 20 ms and jumps over those nobody needed or that were lost.
   * LATE_US: behind its time.  Returns: FALSE to sleep until kicked. */
  gboolean (*tick) (EncorePaced *self, guint64 slot, gint64 late_us);
  gboolean (*wants_more) (EncorePaced *self); /* [pacer] asked again once asleep */
  _Atomic gboolean awake, kicked;
  guint64 last_slot; /* pacer only */
};

EncorePacer *encore_pacer_new (void);
void encore_pacer_free (EncorePacer *self); /* joins; nothing may be left in it */
void encore_pacer_add (EncorePacer *self, EncorePaced *paced);
void encore_pacer_remove (EncorePacer *self, EncorePaced *paced);
/* encore_pacer_kick: PACED has something to send.  If it sleeps it is ticked at once, and with the
 * others from then on. */
void encore_pacer_kick (EncorePacer *self, EncorePaced *paced);

G_END_DECLS
