/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Sleeps on a futex with an absolute deadline: clock_nanosleep (TIMER_ABSTIME) that can be woken,
 * so that a new room need not wait for the tick, and that costs nothing while no room plays. */
#include "config.h"
#include "play/encore-pacer.h"

#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CATCH_UP_US (10 * ENCORE_TICK_US)

struct EncorePacer {
  GThread *thread;
  _Atomic guint32 wake; /* the futex: goes up with every kick */
  _Atomic gboolean quit;
  GMutex lock; /* of the list; held during a batch */
  GPtrArray *list;
  gint64 next_us; /* of the grid; pacer only, like the rest */
  guint64 slot;   /* of the tick at next_us */
  guint n_awake;
};

static void
sleep_until (EncorePacer *self, guint32 seen, gint64 deadline_us)
{
  struct timespec until = {deadline_us / G_USEC_PER_SEC, deadline_us % G_USEC_PER_SEC * 1000};
  syscall (SYS_futex, &self->wake, FUTEX_WAIT_BITSET_PRIVATE, seen, deadline_us > 0 ? &until : NULL,
           NULL, FUTEX_BITSET_MATCH_ANY);
}

static void
wake (EncorePacer *self)
{
  atomic_fetch_add (&self->wake, 1);
  syscall (SYS_futex, &self->wake, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void
tick_one (EncorePacer *self, EncorePaced *paced, guint64 slot, gint64 late_us)
{
  paced->last_slot = slot;
  if (paced->tick (paced, slot, late_us))
    return;
  /* Whoever pushes looks at AWAKE after pushing, we look for a push after clearing it. */
  atomic_store (&paced->awake, FALSE);
  if (paced->wants_more (paced))
    atomic_store (&paced->awake, TRUE);
  else
    self->n_awake--;
}

static void
run_batch (EncorePacer *self, gint64 now_us)
{
  gint64 late_us = now_us - self->next_us;
  /* a little is made up for at once: listeners have buffers.  After a stall there is no burst */
  gint64 lost = late_us > CATCH_UP_US ? late_us / ENCORE_TICK_US : 0;
  self->next_us += lost * ENCORE_TICK_US;
  self->slot += lost;
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->list->len; i++) {
    EncorePaced *paced = g_ptr_array_index (self->list, i);
    if (atomic_load (&paced->awake))
      tick_one (self, paced, self->slot, late_us);
  }
  g_mutex_unlock (&self->lock);
  self->next_us += ENCORE_TICK_US;
  self->slot++;
}

/* While nobody played the grid stood still: it begins anew, at a slot that tells the time passed.
 */
static void
restart_grid (EncorePacer *self)
{
  gint64 now_us = g_get_monotonic_time ();
  gint64 passed = (now_us - self->next_us) / ENCORE_TICK_US;
  self->slot += MAX (passed, 0) + 2;
  self->next_us = now_us + ENCORE_TICK_US;
}

static void
start_kicked (EncorePacer *self)
{
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->list->len; i++) {
    EncorePaced *paced = g_ptr_array_index (self->list, i);
    if (!atomic_exchange (&paced->kicked, FALSE) || atomic_load (&paced->awake))
      continue;
    if (self->n_awake++ == 0)
      restart_grid (self);
    atomic_store (&paced->awake, TRUE);
    if (paced->last_slot < self->slot - 1)
      tick_one (self, paced, self->slot - 1, 0);
  }
  g_mutex_unlock (&self->lock);
}

static gpointer
pacer_main (gpointer data)
{
  EncorePacer *self = data;
  guint32 handled = 0;
  sigset_t set;
  sigemptyset (&set);
  sigaddset (&set, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &set, NULL);
  while (!atomic_load (&self->quit)) {
    guint32 seen = atomic_load (&self->wake);
    gint64 now_us = g_get_monotonic_time ();
    if (self->n_awake > 0 && now_us >= self->next_us) {
      run_batch (self, now_us);
    } else if (seen != handled) {
      handled = seen;
      start_kicked (self);
    } else {
      sleep_until (self, seen, self->n_awake > 0 ? self->next_us : 0);
    }
  }
  return NULL;
}

EncorePacer *
encore_pacer_new (void)
{
  EncorePacer *self = g_new0 (EncorePacer, 1);
  g_mutex_init (&self->lock);
  self->list = g_ptr_array_new ();
  self->slot = 1;
  self->thread = g_thread_new ("encore-pacer", pacer_main, self);
  return self;
}

void
encore_pacer_free (EncorePacer *self)
{
  atomic_store (&self->quit, TRUE);
  wake (self);
  g_thread_join (self->thread);
  g_ptr_array_unref (self->list);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
encore_pacer_add (EncorePacer *self, EncorePaced *paced)
{
  g_mutex_lock (&self->lock);
  g_ptr_array_add (self->list, paced);
  g_mutex_unlock (&self->lock);
}

void
encore_pacer_remove (EncorePacer *self, EncorePaced *paced)
{
  g_mutex_lock (&self->lock);
  g_ptr_array_remove_fast (self->list, paced);
  if (atomic_exchange (&paced->awake, FALSE))
    self->n_awake--;
  g_mutex_unlock (&self->lock);
}

void
encore_pacer_kick (EncorePacer *self, EncorePaced *paced)
{
  if (atomic_load (&paced->awake) || atomic_exchange (&paced->kicked, TRUE))
    return;
  wake (self);
}
