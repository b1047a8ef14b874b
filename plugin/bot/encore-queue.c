/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What waits in a room. */
#include "config.h"
#include "bot/encore-queue.h"

#include "bot/encore-text.h"

struct EncoreQueue {
  GPtrArray *tracks; /* EncoreTrack, next one first */
};

EncoreTrack *
encore_track_new (const EncoreMediaId *id, const char *words, guint64 user, const char *user_name,
                  gint64 asked_us)
{
  EncoreTrack *self = g_new0 (EncoreTrack, 1);

  self->state = id != NULL ? ENCORE_TRACK_WAITING : ENCORE_TRACK_SEARCHING;
  if (id != NULL)
    self->id = *id;
  self->words = g_strdup (words);
  self->user = user;
  self->user_name = g_strdup (user_name);
  self->asked_us = asked_us;
  self->announce = TRUE;
  return self;
}

void
encore_track_free (EncoreTrack *self)
{
  if (self == NULL)
    return;
  g_clear_pointer (&self->waiter, encore_waiter_leave);
  g_clear_pointer (&self->lease, encore_cache_unprotect);
  g_clear_pointer (&self->early, encore_reader_unref);
  g_clear_error (&self->failure);
  g_free (self->words);
  g_free (self->title);
  g_free (self->user_name);
  g_free (self);
}

const char *
encore_track_get_name (const EncoreTrack *self)
{
  if (self->title != NULL && *self->title != '\0')
    return self->title;
  return self->words != NULL ? self->words : self->id.id;
}

char *
encore_track_get_length (const EncoreTrack *self)
{
  return self->is_live ? g_strdup ("live") : encore_text_duration (self->duration_ms);
}

EncoreQueue *
encore_queue_new (void)
{
  EncoreQueue *self = g_new0 (EncoreQueue, 1);

  self->tracks = g_ptr_array_new_with_free_func ((GDestroyNotify) encore_track_free);
  return self;
}

void
encore_queue_free (EncoreQueue *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->tracks);
  g_free (self);
}

guint
encore_queue_get_length (const EncoreQueue *self)
{
  return self->tracks->len;
}

guint
encore_queue_count_user (const EncoreQueue *self, guint64 user)
{
  guint n = 0;

  for (guint i = 0; i < self->tracks->len; i++)
    n += encore_queue_peek (self, i)->user == user;
  return n;
}

EncoreTrack *
encore_queue_peek (const EncoreQueue *self, guint position)
{
  return position < self->tracks->len ? self->tracks->pdata[position] : NULL;
}

guint
encore_queue_append (EncoreQueue *self, EncoreTrack *track)
{
  g_ptr_array_add (self->tracks, track);
  return self->tracks->len - 1;
}

void
encore_queue_prepend (EncoreQueue *self, EncoreTrack *track)
{
  g_ptr_array_insert (self->tracks, 0, track);
}

EncoreTrack *
encore_queue_take (EncoreQueue *self, guint position)
{
  return position < self->tracks->len ? g_ptr_array_steal_index (self->tracks, position) : NULL;
}

gboolean
encore_queue_drop (EncoreQueue *self, EncoreTrack *track)
{
  return g_ptr_array_remove (self->tracks, track);
}

guint
encore_queue_clear (EncoreQueue *self)
{
  const guint n = self->tracks->len;

  g_ptr_array_set_size (self->tracks, 0);
  return n;
}

guint
encore_queue_remove_user (EncoreQueue *self, guint64 user)
{
  guint n = 0;

  for (guint i = self->tracks->len; i-- > 0;)
    if (encore_queue_peek (self, i)->user == user) {
      g_ptr_array_remove_index (self->tracks, i);
      n++;
    }
  return n;
}

void
encore_queue_shuffle (EncoreQueue *self, GRand *rand)
{
  /* Fisher and Yates */
  for (guint i = self->tracks->len; i > 1; i--) {
    const guint j = g_rand_int_range (rand, 0, i);
    gpointer last = self->tracks->pdata[i - 1];
    self->tracks->pdata[i - 1] = self->tracks->pdata[j];
    self->tracks->pdata[j] = last;
  }
}
