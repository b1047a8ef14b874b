/* SPDX-License-Identifier: LGPL-2.1-or-later
 * One writer, one reader, two counters. */
#include "config.h"
#include "play/encore-tidings.h"

#define N_NOTICES (ENCORE_TIDINGS / 2) /* the rest is for those that must not be lost */

void
encore_tidings_post (EncoreTidings *self, int kind, guint song, gint64 end_ns)
{
  const guint tail = atomic_load (&self->tail);

  if (self->wake == NULL || tail - atomic_load (&self->head) >= ENCORE_TIDINGS)
    return;
  self->events[tail % ENCORE_TIDINGS] =
      (EncoreVoiceEvent){kind, song, g_get_monotonic_time (), end_ns};
  atomic_store (&self->tail, tail + 1);
  self->wake (NULL, self->wake_data);
}

void
encore_tidings_notice (EncoreTidings *self, gboolean dry, guint song, gint64 end_ns)
{
  const guint waiting = atomic_load (&self->tail) - atomic_load (&self->head);

  if (self->dry == dry || waiting >= N_NOTICES)
    return;
  self->dry = dry;
  encore_tidings_post (self, dry ? ENCORE_VOICE_DRY : ENCORE_VOICE_FLOWS, song, end_ns);
}

void
encore_tidings_listen (EncoreTidings *self, GFunc wake, gpointer data)
{
  self->wake = wake;
  self->wake_data = data;
  atomic_store (&self->head, atomic_load (&self->tail));
}

gboolean
encore_tidings_next (EncoreTidings *self, EncoreVoiceEvent *out)
{
  const guint head = atomic_load (&self->head);

  if (head == atomic_load (&self->tail))
    return FALSE;
  *out = self->events[head % ENCORE_TIDINGS];
  atomic_store (&self->head, head + 1);
  return TRUE;
}
