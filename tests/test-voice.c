/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Rooms without GStreamer: what goes to the host, packet by packet, while producers push on the
 * workers and control changes its mind.  Everything is awaited, nothing is slept for. */
#include "config.h"
#include "play/encore-voice.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_SENT 4096
#define PATIENCE_US (30 * G_USEC_PER_SEC)
#define SILENCE G_MAXUINT /* in place of a song's tag */

typedef struct {
  guint64 seq;
  gboolean last;
  guint tag, index;
} Sent;

/* A room, and what its host got. */
typedef struct {
  EncoreVoice *voice;
  GMutex mutex;
  GCond changed;
  Sent sent[MAX_SENT];
  guint n_sent;
  guint music[MAX_SENT]; /* which of SENT are no silence */
  guint n_music;
  guint calls;  /* of send(), taken or not */
  guint refuse; /* that many calls more are answered FULL */
  gboolean hang_up;
  gint oldest; /* atomic: tags below must not come any more */
  gboolean stale;
} Room;

/* A song of LENGTH packets; each carries the song's tag and its own number. */
typedef struct {
  guint tag, length;
  gint limit;      /* atomic: packets that have arrived yet; then WAIT */
  gboolean breaks; /* FAILED in place of the end */
  guint next;
  gint *alive; /* (nullable) atomic: songs that are not released */
} Song;

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

static Song *
song_new (guint tag, guint length)
{
  Song *self = g_new0 (Song, 1);

  self->tag = tag;
  self->length = length;
  self->limit = G_MAXINT;
  return self;
}

/* ---- rooms */

static Room *
room_new (EncorePlayout *playout)
{
  Room *self = g_new0 (Room, 1);

  g_mutex_init (&self->mutex);
  g_cond_init (&self->changed);
  self->voice = encore_voice_new (playout, "room", on_send, self);
  return self;
}

static void
room_free (Room *self)
{
  encore_voice_free (self->voice);
  g_assert_false (self->stale);
  g_mutex_clear (&self->mutex);
  g_cond_clear (&self->changed);
  g_free (self);
}

static guint
play (Room *self, Song *song)
{
  g_autoptr (EncoreProducer) producer = encore_producer_new (fill, song, song_release);

  return encore_voice_play (self->voice, producer);
}

static gboolean
follow (Room *self, guint after, Song *song, guint *number)
{
  g_autoptr (EncoreProducer) producer =
      song != NULL ? encore_producer_new (fill, song, song_release) : NULL;

  return encore_voice_follow (self->voice, after, producer, number);
}

static guint
count_music (Room *self)
{
  g_mutex_lock (&self->mutex);
  const guint n = self->n_music;
  g_mutex_unlock (&self->mutex);
  return n;
}

/* Until N packets of music were taken.  On a busy machine the workers may be late: then there is
 * silence among them, and what is compared is the music. */
static void
await_music (Room *self, guint n)
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
static guint
await_last (Room *self, guint n)
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

static guint
await_event (Room *self, int kind)
{
  const gint64 until_us = g_get_monotonic_time () + PATIENCE_US;
  EncoreVoiceEvent event;

  while (!encore_voice_next_event (self->voice, &event) || (int) event.kind != kind) {
    g_assert_cmpint (g_get_monotonic_time (), <, until_us);
    g_thread_yield ();
  }
  return event.song;
}

static void
no_wake (gpointer unused, gpointer data)
{
}

/* N ticks of the pacer go by, told by another room. */
static void
let_pass (EncorePlayout *playout, guint n)
{
  Room *clock = room_new (playout);

  play (clock, song_new (0, G_MAXINT));
  await_music (clock, n);
  room_free (clock);
}

static const Sent *
music (Room *self, guint i)
{
  return &self->sent[self->music[i]];
}

/* Packets FROM to FROM + N of the music are packets FIRST... of song TAG. */
static void
assert_song (Room *self, guint from, guint tag, guint first, guint n)
{
  for (guint i = 0; i < n; i++) {
    const Sent *sent = music (self, from + i);
    g_assert_cmpuint (sent->tag, ==, tag);
    g_assert_cmpuint (sent->index, ==, first + i);
    g_assert_false (sent->last);
    g_assert_true (sent == self->sent || sent->seq > sent[-1].seq);
  }
}

/* Behind packet N of the music come five frames of silence, the last one marked. */
static void
assert_silence (Room *self, guint n)
{
  const Sent *sent = music (self, n - 1) + 1;

  for (guint i = 0; i < 5; i++) {
    g_assert_cmpuint (sent[i].tag, ==, SILENCE);
    g_assert_cmpint (sent[i].last, ==, i == 4);
    g_assert_true (sent[i].seq > sent[(int) i - 1].seq);
  }
}

static EncoreVoiceStats
get_stats (Room *self)
{
  EncoreVoiceStats stats;

  encore_voice_get_stats (self->voice, &stats);
  return stats;
}

/* ---- one song */

static void
test_song (void)
{
  EncorePlayout *playout = encore_playout_new ();
  Room *room = room_new (playout);
  guint song;

  const guint number = play (room, song_new (7, 70));
  g_assert_cmpuint (await_last (room, 70), ==, 70);
  assert_song (room, 0, 7, 0, 70);
  assert_silence (room, 70);
  g_assert_cmpuint (room->sent[0].seq, ==, 0);
  g_assert_cmpint (encore_voice_get_position_ns (room->voice, &song), ==, 70 * 20000000LL);
  g_assert_cmpuint (song, ==, number);
  const guint calls = room->calls;
  let_pass (playout, 10);
  g_assert_cmpuint (room->calls, ==, calls); /* then nothing */
  const EncoreVoiceStats stats = get_stats (room);
  g_assert_cmpuint (stats.packets, ==, 70);
  g_assert_cmpuint (stats.packets + stats.silence, ==, calls);
  if (stats.underruns == 0)
    g_assert_cmpuint (stats.silence, ==, 5);
  /* the time without music is in the number of the next frame */
  play (room, song_new (8, 1));
  g_assert_cmpuint (await_last (room, 71), ==, 71);
  g_assert_cmpuint (music (room, 70)->seq, >=, music (room, 70)[-1].seq + 10);
  room_free (room);
  encore_playout_free (playout);
}

static void
test_pause (void)
{
  EncorePlayout *playout = encore_playout_new ();
  Room *room = room_new (playout);
  guint at = 0;

  play (room, song_new (1, 120));
  for (int round = 0; round < 3; round++) {
    await_music (room, at + 10);
    encore_voice_set_paused (room->voice, TRUE);
    at = await_last (room, at + 10);
    const guint calls = room->calls;
    let_pass (playout, 5);
    g_assert_cmpuint (room->calls, ==, calls);
    assert_silence (room, at);
    encore_voice_set_paused (room->voice, FALSE);
    await_music (room, at + 1);
  }
  g_assert_cmpuint (await_last (room, 120), ==, 120);
  assert_song (room, 0, 1, 0, 120); /* none lost, none twice, all in order */
  assert_silence (room, 120);
  room_free (room);
  encore_playout_free (playout);
}

/* ---- tickets */

static void
test_ticket (void)
{
  EncorePlayout *playout = encore_playout_new ();
  Room *rooms[40];
  guint wanted[40], tag = 1;

  for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++)
    rooms[i] = room_new (playout);
  for (int round = 0; round < 60; round++) {
    /* several changes of mind for each packet: workers push for songs that are stale already */
    for (int change = 0; change < 20; change++) {
      tag++;
      for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++) {
        play (rooms[i], song_new (tag, G_MAXINT));
        g_atomic_int_set (&rooms[i]->oldest, tag);
      }
    }
    for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++)
      wanted[i] = count_music (rooms[i]) + 1;
    for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++)
      await_music (rooms[i], wanted[i]);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++) {
    encore_voice_play (rooms[i]->voice, NULL); /* silence is a change of mind, too */
    g_atomic_int_set (&rooms[i]->oldest, SILENCE);
    await_last (rooms[i], 1);
    room_free (rooms[i]); /* asserts that nothing stale came */
  }
  encore_playout_free (playout);
}

/* The new song comes at the very next tick, without a frame of silence between; a machine whose
 * workers are late for that is given a few tries. */
static void
test_skip (void)
{
  EncorePlayout *playout = encore_playout_new ();
  Room *room = room_new (playout);
  guint smooth = 0;

  play (room, song_new (1, G_MAXINT));
  for (guint tag = 2; smooth == 0 && tag < 60; tag++) {
    await_music (room, count_music (room) + 3);
    play (room, song_new (tag, G_MAXINT));
    const guint from = count_music (room);
    await_music (room, from + 2);
    for (guint i = from; i < from + 2; i++)
      smooth += music (room, i)->tag == tag && music (room, i)[-1].tag == tag - 1 &&
                music (room, i)->seq == music (room, i)[-1].seq + 1;
  }
  g_assert_cmpuint (smooth, >, 0);
  room_free (room);
  encore_playout_free (playout);
}

/* ---- what follows */

static void
test_gapless (void)
{
  EncorePlayout *playout = encore_playout_new ();
  Room *room = room_new (playout);
  guint number = play (room, song_new (1, 50));

  encore_voice_listen (room->voice, no_wake, NULL);
  for (guint tag = 2; tag <= 4; tag++) {
    guint next;
    g_assert_true (follow (room, number, song_new (tag, tag == 3 ? 20 : 50), &next));
    g_assert_cmpuint (await_event (room, ENCORE_VOICE_ENDED), ==, number);
    number = next;
  }
  g_assert_cmpuint (await_last (room, 170), ==, 170);
  assert_song (room, 0, 1, 0, 50);
  assert_song (room, 50, 2, 0, 50);
  assert_song (room, 100, 3, 0, 20); /* shorter than the ring */
  assert_song (room, 120, 4, 0, 50);
  /* consecutive slots at the seams, unless the workers or the pacer were very late there */
  const guint seams[] = {50, 100, 120};
  for (gsize i = 0; i < G_N_ELEMENTS (seams); i++) {
    const Sent *sent = music (room, seams[i]);
    if (get_stats (room).underruns == 0)
      g_assert_cmpuint (sent[-1].tag, ==, sent->tag - 1);
    if (sent[-1].tag != SILENCE)
      g_assert_true (sent->seq == sent[-1].seq + 1 || sent->seq > sent[-1].seq + 9);
  }
  room_free (room);
  encore_playout_free (playout);
}

static void
test_revoke (void)
{
  EncorePlayout *playout = encore_playout_new ();
  Room *room = room_new (playout);
  gint alive = 2;
  guint second, third, none;

  encore_voice_listen (room->voice, no_wake, NULL);
  /* the first song fits into the ring, so the second is pushed behind it at once */
  const guint first = play (room, song_new (1, 20));
  Song *revoked[2] = {song_new (2, 20), song_new (3, 20)};
  revoked[0]->alive = revoked[1]->alive = &alive;
  g_assert_true (follow (room, first, revoked[0], &second));
  await_music (room, 3);
  g_assert_true (follow (room, first, revoked[1], &third)); /* not this one, that one */
  g_assert_cmpuint (third, >, second);
  await_music (room, 6);
  g_assert_true (follow (room, first, NULL, &none)); /* none of them */
  g_assert_cmpuint (none, ==, 0);
  g_assert_cmpuint (await_last (room, 20), ==, 20);
  assert_song (room, 0, 1, 0, 20);
  assert_silence (room, 20);
  encore_voice_quiesce (room->voice);
  g_assert_cmpint (g_atomic_int_get (&alive), ==, 0);

  /* what is in the air already cannot be replaced */
  const guint fourth = play (room, song_new (4, 3));
  guint fifth, sixth;
  g_assert_true (follow (room, fourth, song_new (5, 60), &fifth));
  await_music (room, 20 + 4);
  g_assert_false (follow (room, fourth, song_new (6, 20), &sixth));
  g_assert_cmpuint (sixth, ==, 0);
  g_assert_true (follow (room, fifth, song_new (7, 2), &sixth));
  g_assert_cmpuint (await_last (room, 85), ==, 85);
  assert_song (room, 23, 5, 0, 60);
  assert_song (room, 83, 7, 0, 2);
  room_free (room);
  encore_playout_free (playout);
}

/* What follows is changed all the time; the song in the air must not notice. */
static void
test_revoke_race (void)
{
  EncorePlayout *playout = encore_playout_new ();
  Room *rooms[50];
  guint numbers[50], next;

  for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++) {
    rooms[i] = room_new (playout);
    numbers[i] = play (rooms[i], song_new (1, 100));
  }
  guint most = 0;
  for (guint round = 0; most < 60; round++) { /* long before anything follows */
    for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++) {
      g_assert_true (follow (rooms[i], numbers[i], round % 2 ? song_new (2, 10) : NULL, &next));
      most = MAX (most, count_music (rooms[i]));
    }
  }
  for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++)
    g_assert_true (follow (rooms[i], numbers[i], NULL, &next));
  for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++) {
    g_assert_cmpuint (await_last (rooms[i], 100), ==, 100);
    assert_song (rooms[i], 0, 1, 0, 100);
    room_free (rooms[i]);
  }
  encore_playout_free (playout);
}

/* ---- hosts that refuse */

static void
test_full (void)
{
  EncorePlayout *playout = encore_playout_new ();
  Room *room = room_new (playout);

  room->refuse = 4; /* not even the first one is taken */
  play (room, song_new (1, 20));
  await_music (room, 5);
  g_mutex_lock (&room->mutex);
  room->refuse = 7;
  g_mutex_unlock (&room->mutex);
  g_assert_cmpuint (await_last (room, 20), ==, 20);
  assert_song (room, 0, 1, 0, 20); /* each was offered again until it was taken */
  assert_silence (room, 20);
  g_assert_cmpuint (room->calls, ==, 25 + 11);
  g_assert_cmpuint (get_stats (room).full, ==, 11);
  g_assert_cmpuint (get_stats (room).packets, ==, 20);
  g_assert_cmpuint (room->sent[0].seq, ==, 0); /* numbers begin with what was taken */
  room_free (room);
  encore_playout_free (playout);
}

static void
test_closed (void)
{
  EncorePlayout *playout = encore_playout_new ();
  Room *room = room_new (playout);
  guint next;

  const guint number = play (room, song_new (1, 100));
  await_music (room, 5);
  g_mutex_lock (&room->mutex);
  const guint calls = room->calls;
  room->hang_up = TRUE;
  while (room->calls == calls)
    g_cond_wait (&room->changed, &room->mutex);
  g_mutex_unlock (&room->mutex);
  let_pass (playout, 5);
  follow (room, number, song_new (2, 10), &next);
  play (room, song_new (3, 10));
  encore_voice_set_paused (room->voice, TRUE);
  encore_voice_set_paused (room->voice, FALSE);
  let_pass (playout, 5);
  g_assert_cmpuint (room->calls, ==, calls + 1); /* never again */
  room_free (room);
  encore_playout_free (playout);
}

/* ---- dry spells and errors */

static void
test_underrun (void)
{
  EncorePlayout *playout = encore_playout_new ();
  Room *room = room_new (playout);
  Song *song = song_new (1, 30);
  gint alive = 1;

  song->limit = 10;
  song->alive = &alive;
  play (room, song);
  g_assert_cmpuint (await_last (room, 10), ==, 10);
  let_pass (playout, 5);
  g_assert_cmpuint (get_stats (room).underruns, ==, 1); /* a spell, not a tick */
  g_atomic_int_set (&song->limit, 20);
  g_assert_cmpuint (await_last (room, 20), ==, 20);
  g_atomic_int_set (&song->limit, 30);
  g_assert_cmpuint (await_last (room, 30), ==, 30);
  assert_song (room, 0, 1, 0, 30);
  for (guint n = 10; n <= 30; n += 10)
    assert_silence (room, n);
  g_assert_cmpuint (room->n_sent, ==, 45);
  g_assert_cmpuint (get_stats (room).underruns, ==, 2); /* the end is none */
  encore_voice_quiesce (room->voice);
  g_assert_cmpint (g_atomic_int_get (&alive), ==, 0);
  room_free (room);
  encore_playout_free (playout);
}

static void
test_error (void)
{
  EncorePlayout *playout = encore_playout_new ();
  Room *room = room_new (playout), *other = room_new (playout);
  Song *broken = song_new (1, 12);
  guint next;

  encore_voice_listen (room->voice, no_wake, NULL);
  broken->breaks = TRUE;
  play (other, song_new (9, 40));
  const guint first = play (room, broken);
  g_assert_true (follow (room, first, song_new (2, 15), &next));
  g_assert_cmpuint (await_event (room, ENCORE_VOICE_FAILED), ==, first);
  g_assert_cmpuint (await_event (room, ENCORE_VOICE_ENDED), ==, next);
  g_assert_cmpuint (await_last (room, 27), ==, 27);
  assert_song (room, 0, 1, 0, 12); /* what came before it broke is heard */
  assert_song (room, 12, 2, 0, 15);
  g_assert_cmpuint (await_last (other, 40), ==, 40);
  assert_song (other, 0, 9, 0, 40);
  play (room, song_new (3, 2)); /* the room lives */
  await_music (room, 27 + 2);
  room_free (room);
  room_free (other);
  encore_playout_free (playout);
}

/* ---- many rooms */

static guint
count_entries (const char *path)
{
  DIR *dir = opendir (path);
  guint n = 0;

  while (readdir (dir) != NULL)
    n++;
  closedir (dir);
  return n;
}

static void
test_threads (void)
{
  EncorePlayout *playout = encore_playout_new ();
  Room *rooms[200];

  const guint before = count_entries ("/proc/self/task");
  rooms[0] = room_new (playout);
  play (rooms[0], song_new (1, G_MAXINT));
  await_music (rooms[0], 1);
  const guint one = count_entries ("/proc/self/task");
  g_assert_cmpuint (one - before, <=, 3); /* the pacer and two that fill */
  for (gsize i = 1; i < G_N_ELEMENTS (rooms); i++) {
    rooms[i] = room_new (playout);
    play (rooms[i], song_new (1, G_MAXINT));
  }
  for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++)
    await_music (rooms[i], 60); /* the ring was refilled meanwhile */
  g_assert_cmpuint (count_entries ("/proc/self/task"), ==, one);
  for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++) {
    assert_song (rooms[i], 0, 1, 0, 60);
    room_free (rooms[i]);
  }
  encore_playout_free (playout);
  while (count_entries ("/proc/self/task") > before) /* joined; the kernel's list may lag */
    g_thread_yield ();
}

static guint
resident_kib (void)
{
  g_autofree char *text = NULL;
  guint pages = 0;

  g_assert_true (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  g_assert_cmpint (sscanf (text, "%*u %u", &pages), ==, 1);
  return pages * (sysconf (_SC_PAGESIZE) / 1024);
}

/* 50 songs start and stop, in rooms that come and go. */
static void
start_and_stop (EncorePlayout *playout, gint *alive)
{
  Room *rooms[50];

  for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++) {
    Song *song = song_new (1, i % 3 == 0 ? 1 : G_MAXINT);
    guint next;
    rooms[i] = room_new (playout);
    song->alive = alive;
    g_atomic_int_inc (alive);
    const guint number = play (rooms[i], song);
    if (i % 2 == 0)
      follow (rooms[i], number, song_new (2, 5), &next);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++) {
    await_music (rooms[i], 1);
    room_free (rooms[i]);
  }
}

static void
test_churn (void)
{
  EncorePlayout *playout = encore_playout_new ();
  gint alive = 0;

  for (int i = 0; i < 4; i++)
    start_and_stop (playout, &alive);
  const guint threads = count_entries ("/proc/self/task");
  const guint fds = count_entries ("/proc/self/fd");
  const guint kib = resident_kib ();
  for (int i = 0; i < 20; i++)
    start_and_stop (playout, &alive);
  g_assert_cmpint (alive, ==, 0);
  g_assert_cmpuint (count_entries ("/proc/self/task"), ==, threads);
  g_assert_cmpuint (count_entries ("/proc/self/fd"), ==, fds);
  g_test_message ("resident before %u KiB, after 1000 songs %u KiB", kib, resident_kib ());
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed for a while */
  g_assert_cmpuint (resident_kib (), <=, kib + 1024);
#endif
  encore_playout_free (playout);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/voice/song-and-tail", test_song);
  g_test_add_func ("/voice/pause-loses-nothing", test_pause);
  g_test_add_func ("/voice/no-packet-of-an-old-song", test_ticket);
  g_test_add_func ("/voice/skip-is-heard-at-the-next-tick", test_skip);
  g_test_add_func ("/voice/follow-is-gapless", test_gapless);
  g_test_add_func ("/voice/revoke-what-follows", test_revoke);
  g_test_add_func ("/voice/revoking-does-not-touch-the-song", test_revoke_race);
  g_test_add_func ("/voice/full-is-offered-again", test_full);
  g_test_add_func ("/voice/closed-stops", test_closed);
  g_test_add_func ("/voice/underruns-are-spells", test_underrun);
  g_test_add_func ("/voice/an-error-ends-one-song", test_error);
  g_test_add_func ("/voice/200-rooms-share-the-threads", test_threads);
  g_test_add_func ("/voice/1000-songs-leave-nothing", test_churn);
  return g_test_run ();
}
