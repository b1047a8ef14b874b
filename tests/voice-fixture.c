/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A room, its host, and songs that say who they are. */
#include "config.h"
#include "voice-fixture.h"

#include <string.h>

#define PATIENCE_US (30 * G_USEC_PER_SEC)

static EncoreSendResult
on_send (guint64 seq, gboolean last, const guint8 *packet, gsize len, gpointer data)
{
  static const guint8 silence[] = {0xf8, 0xff, 0xfe};
  Room *self = data;
  EncoreSendResult result = ENCORE_SEND_OK;
  Sent sent = {seq, last, SILENCE, 0};

  const guint oldest = g_atomic_int_get (&self->oldest);
  if (len == sizeof silence) {
    g_assert_cmpmem (packet, len, silence, sizeof silence);
  } else {
    g_assert_cmpuint (len, ==, 9);
    g_assert_cmpuint (packet[0], ==, 0xfc);
    memcpy (&sent.tag, packet + 1, 4);
    memcpy (&sent.index, packet + 5, 4);
  }
  g_mutex_lock (&self->mutex);
  self->calls++;
  self->stale |= sent.tag != SILENCE && sent.tag < oldest;
  if (self->hang_up) {
    result = ENCORE_SEND_CLOSED;
  } else if (self->refuse > 0) {
    self->refuse--;
    result = ENCORE_SEND_FULL;
  } else {
    g_assert_cmpuint (self->n_sent, <, MAX_SENT);
    if (sent.tag != SILENCE)
      self->music[self->n_music++] = self->n_sent;
    self->sent[self->n_sent++] = sent;
  }
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->mutex);
  return result;
}

static EncoreFillResult
fill (EncoreProducer *producer, guint n, gpointer data)
{
  Song *self = data;

  for (guint i = 0; i < n; i++) {
    guint8 packet[9] = {0xfc};
    if (self->next == self->length)
      return self->breaks ? ENCORE_FILL_FAILED : ENCORE_FILL_END;
    if (self->next >= (guint) g_atomic_int_get (&self->limit))
      return ENCORE_FILL_WAIT;
    memcpy (packet + 1, &self->tag, 4);
    memcpy (packet + 5, &self->next, 4);
    const EncorePushResult result = encore_producer_push (producer, packet, sizeof packet,
                                                          (gint64) (self->next + 1) * 20000000);
    if (result == ENCORE_PUSH_STALE)
      return ENCORE_FILL_END;
    g_assert_cmpint (result, ==, ENCORE_PUSH_OK); /* no more than asked for: there is room */
    self->next++;
  }
  return ENCORE_FILL_MORE;
}

static void
song_release (gpointer data)
{
  Song *self = data;

  if (self->alive != NULL)
    g_atomic_int_add (self->alive, -1);
  g_free (self);
}

Song *
song_new (guint tag, guint length)
{
  Song *self = g_new0 (Song, 1);

  self->tag = tag;
  self->length = length;
  self->limit = G_MAXINT;
  return self;
}

/* ---- rooms */

Room *
room_new (EncorePlayout *playout)
{
  Room *self = g_new0 (Room, 1);

  g_mutex_init (&self->mutex);
  g_cond_init (&self->changed);
  self->voice = encore_voice_new (playout, "room", on_send, self);
  return self;
}

void
room_free (Room *self)
{
  encore_voice_free (self->voice);
  g_assert_false (self->stale);
  g_mutex_clear (&self->mutex);
  g_cond_clear (&self->changed);
  g_free (self);
}

guint
room_play (Room *self, Song *song)
{
  g_autoptr (EncoreProducer) producer = encore_producer_new (fill, song, song_release);

  encore_producer_set_quick (producer, TRUE);
  return encore_voice_play (self->voice, producer);
}

gboolean
room_follow (Room *self, guint after, Song *song, guint *number)
{
  g_autoptr (EncoreProducer) producer =
      song != NULL ? encore_producer_new (fill, song, song_release) : NULL;

  return encore_voice_follow (self->voice, after, producer, number);
}

guint
room_count_music (Room *self)
{
  g_mutex_lock (&self->mutex);
  const guint n = self->n_music;
  g_mutex_unlock (&self->mutex);
  return n;
}

/* Until N packets of music were taken.  On a busy machine the workers may be late: then there is
 * silence among them, and what is compared is the music. */
void
room_await_music (Room *self, guint n)
{
  const gint64 until_us = g_get_monotonic_time () + PATIENCE_US;

  g_mutex_lock (&self->mutex);
  while (self->n_music < n)
    if (!g_cond_wait_until (&self->changed, &self->mutex, until_us))
      g_error ("%u packets of %u came", self->n_music, n);
  g_mutex_unlock (&self->mutex);
}

/* Until the host was told that nothing follows for now, after at least N packets; returns how many
 * it got. */
guint
room_await_last (Room *self, guint n)
{
  const gint64 until_us = g_get_monotonic_time () + PATIENCE_US;

  g_mutex_lock (&self->mutex);
  while (self->n_sent == 0 || self->n_music < n || !self->sent[self->n_sent - 1].last)
    if (!g_cond_wait_until (&self->changed, &self->mutex, until_us))
      g_error ("no end after %u packets", self->n_music);
  n = self->n_music;
  g_mutex_unlock (&self->mutex);
  return n;
}

guint
room_await_event (Room *self, int kind)
{
  const gint64 until_us = g_get_monotonic_time () + PATIENCE_US;
  EncoreVoiceEvent event;

  while (!encore_voice_next_event (self->voice, &event) || (int) event.kind != kind) {
    g_assert_cmpint (g_get_monotonic_time (), <, until_us);
    g_thread_yield ();
  }
  return event.song;
}

/* N ticks of the pacer go by, told by another room. */
void
room_let_pass (EncorePlayout *playout, guint n)
{
  Room *clock = room_new (playout);

  room_play (clock, song_new (0, G_MAXINT));
  room_await_music (clock, n);
  room_free (clock);
}

const Sent *
room_music (Room *self, guint i)
{
  return &self->sent[self->music[i]];
}

/* Packets FROM to FROM + N of the music are packets FIRST... of song TAG. */
void
room_assert_song (Room *self, guint from, guint tag, guint first, guint n)
{
  for (guint i = 0; i < n; i++) {
    const Sent *sent = room_music (self, from + i);
    g_assert_cmpuint (sent->tag, ==, tag);
    g_assert_cmpuint (sent->index, ==, first + i);
    g_assert_false (sent->last);
    g_assert_true (sent == self->sent || sent->seq > sent[-1].seq);
  }
}

/* Behind packet N of the music come five frames of silence, the last one marked. */
void
room_assert_silence (Room *self, guint n)
{
  const Sent *sent = room_music (self, n - 1) + 1;

  for (guint i = 0; i < 5; i++) {
    g_assert_cmpuint (sent[i].tag, ==, SILENCE);
    g_assert_cmpint (sent[i].last, ==, i == 4);
    g_assert_true (sent[i].seq > sent[(int) i - 1].seq);
  }
}

EncoreVoiceStats
room_get_stats (Room *self)
{
  EncoreVoiceStats stats;

  encore_voice_get_stats (self->voice, &stats);
  return stats;
}
