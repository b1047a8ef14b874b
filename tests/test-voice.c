/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Rooms without GStreamer: what goes to the host, packet by packet, while producers push on the
 * workers and control changes its mind. */
#include "config.h"
#include "voice-fixture.h"

/* ---- one song */

static void
no_wake (gpointer unused, gpointer data)
{
}

static void
test_song (void)
{
  EncorePlayout *playout = encore_playout_new ();
  Room *room = room_new (playout);
  guint song;

  const guint number = room_play (room, song_new (7, 70));
  g_assert_cmpuint (room_await_last (room, 70), ==, 70);
  room_assert_song (room, 0, 7, 0, 70);
  room_assert_silence (room, 70);
  g_assert_cmpuint (room->sent[0].seq, ==, 0);
  g_assert_cmpint (encore_voice_get_position_ns (room->voice, &song), ==, 70 * 20000000LL);
  g_assert_cmpuint (song, ==, number);
  const guint calls = room->calls;
  room_let_pass (playout, 10);
  g_assert_cmpuint (room->calls, ==, calls); /* then nothing */
  const EncoreVoiceStats stats = room_get_stats (room);
  g_assert_cmpuint (stats.packets, ==, 70);
  g_assert_cmpuint (stats.packets + stats.silence, ==, calls);
  if (stats.underruns == 0)
    g_assert_cmpuint (stats.silence, ==, 5);
  /* the time without music is in the number of the next frame */
  room_play (room, song_new (8, 1));
  g_assert_cmpuint (room_await_last (room, 71), ==, 71);
  g_assert_cmpuint (room_music (room, 70)->seq, >=, room_music (room, 70)[-1].seq + 10);
  room_free (room);
  encore_playout_free (playout);
}

static void
test_pause (void)
{
  EncorePlayout *playout = encore_playout_new ();
  Room *room = room_new (playout);
  guint at = 0;

  room_play (room, song_new (1, 120));
  for (int round = 0; round < 3; round++) {
    room_await_music (room, at + 10);
    encore_voice_set_paused (room->voice, TRUE);
    at = room_await_last (room, at + 10);
    const guint calls = room->calls;
    room_let_pass (playout, 5);
    g_assert_cmpuint (room->calls, ==, calls);
    room_assert_silence (room, at);
    encore_voice_set_paused (room->voice, FALSE);
    room_await_music (room, at + 1);
  }
  g_assert_cmpuint (room_await_last (room, 120), ==, 120);
  room_assert_song (room, 0, 1, 0, 120); /* none lost, none twice, all in order */
  room_assert_silence (room, 120);
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
        room_play (rooms[i], song_new (tag, G_MAXINT));
        g_atomic_int_set (&rooms[i]->oldest, tag);
      }
    }
    for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++)
      wanted[i] = room_count_music (rooms[i]) + 1;
    for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++)
      room_await_music (rooms[i], wanted[i]);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++) {
    encore_voice_play (rooms[i]->voice, NULL); /* silence is a change of mind, too */
    g_atomic_int_set (&rooms[i]->oldest, SILENCE);
    room_await_last (rooms[i], 1);
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

  room_play (room, song_new (1, G_MAXINT));
  for (guint tag = 2; smooth == 0 && tag < 60; tag++) {
    room_await_music (room, room_count_music (room) + 3);
    room_play (room, song_new (tag, G_MAXINT));
    const guint from = room_count_music (room);
    room_await_music (room, from + 2);
    for (guint i = from; i < from + 2; i++)
      smooth += room_music (room, i)->tag == tag && room_music (room, i)[-1].tag == tag - 1 &&
                room_music (room, i)->seq == room_music (room, i)[-1].seq + 1;
  }
  g_assert_cmpuint (smooth, >, 0);
  room_free (room);
  encore_playout_free (playout);
}

typedef struct {
  GThread *control;
  GMutex mutex;
  GCond changed;
  guint n_held;
  gboolean open;
} Gate;

static EncoreFillResult
hold_worker (EncoreProducer *producer, guint n, gpointer data)
{
  Gate *gate = data;

  g_assert_true (g_thread_self () != gate->control); /* it is not said to be quick */
  g_mutex_lock (&gate->mutex);
  gate->n_held++;
  g_cond_broadcast (&gate->changed);
  while (!gate->open)
    g_cond_wait (&gate->changed, &gate->mutex);
  g_mutex_unlock (&gate->mutex);
  return ENCORE_FILL_END;
}

/* A song is heard though every worker is busy: whoever starts it brings its first packets along. */
static void
test_first_packets (void)
{
  EncorePlayout *playout = encore_playout_new ();
  Room *busy[] = {room_new (playout), room_new (playout)}, *room = room_new (playout);
  Gate gate = {.control = g_thread_self ()};

  for (gsize i = 0; i < G_N_ELEMENTS (busy); i++) {
    g_autoptr (EncoreProducer) producer = encore_producer_new (hold_worker, &gate, NULL);
    encore_voice_play (busy[i]->voice, producer);
  }
  g_mutex_lock (&gate.mutex);
  while (gate.n_held < G_N_ELEMENTS (busy))
    g_cond_wait (&gate.changed, &gate.mutex);
  g_mutex_unlock (&gate.mutex);
  room_play (room, song_new (1, 40));
  room_await_music (room, 8); /* enough for a worker that comes late */
  g_mutex_lock (&gate.mutex);
  gate.open = TRUE;
  g_cond_broadcast (&gate.changed);
  g_mutex_unlock (&gate.mutex);
  g_assert_cmpuint (room_await_last (room, 40), ==, 40);
  room_assert_song (room, 0, 1, 0, 40);
  room_free (room);
  for (gsize i = 0; i < G_N_ELEMENTS (busy); i++)
    room_free (busy[i]);
  encore_playout_free (playout);
}

/* ---- what follows */

static void
test_gapless (void)
{
  EncorePlayout *playout = encore_playout_new ();
  Room *room = room_new (playout);
  guint number = room_play (room, song_new (1, 50));

  encore_voice_listen (room->voice, no_wake, NULL);
  for (guint tag = 2; tag <= 4; tag++) {
    guint next;
    g_assert_true (room_follow (room, number, song_new (tag, tag == 3 ? 20 : 50), &next));
    g_assert_cmpuint (room_await_event (room, ENCORE_VOICE_ENDED), ==, number);
    number = next;
  }
  g_assert_cmpuint (room_await_last (room, 170), ==, 170);
  room_assert_song (room, 0, 1, 0, 50);
  room_assert_song (room, 50, 2, 0, 50);
  room_assert_song (room, 100, 3, 0, 20); /* shorter than the ring */
  room_assert_song (room, 120, 4, 0, 50);
  /* consecutive slots at the seams, unless the workers or the pacer were very late there */
  const guint seams[] = {50, 100, 120};
  for (gsize i = 0; i < G_N_ELEMENTS (seams); i++) {
    const Sent *sent = room_music (room, seams[i]);
    if (room_get_stats (room).underruns == 0)
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
  const guint first = room_play (room, song_new (1, 20));
  Song *revoked[2] = {song_new (2, 20), song_new (3, 20)};
  revoked[0]->alive = revoked[1]->alive = &alive;
  g_assert_true (room_follow (room, first, revoked[0], &second));
  room_await_music (room, 3);
  g_assert_true (room_follow (room, first, revoked[1], &third)); /* not this one, that one */
  g_assert_cmpuint (third, >, second);
  room_await_music (room, 6);
  g_assert_true (room_follow (room, first, NULL, &none)); /* none of them */
  g_assert_cmpuint (none, ==, 0);
  g_assert_cmpuint (room_await_last (room, 20), ==, 20);
  room_assert_song (room, 0, 1, 0, 20);
  room_assert_silence (room, 20);
  encore_voice_quiesce (room->voice);
  g_assert_cmpint (g_atomic_int_get (&alive), ==, 0);

  /* what is in the air already cannot be replaced */
  const guint fourth = room_play (room, song_new (4, 3));
  guint fifth, sixth;
  g_assert_true (room_follow (room, fourth, song_new (5, 60), &fifth));
  room_await_music (room, 20 + 4);
  g_assert_false (room_follow (room, fourth, song_new (6, 20), &sixth));
  g_assert_cmpuint (sixth, ==, 0);
  g_assert_true (room_follow (room, fifth, song_new (7, 2), &sixth));
  g_assert_cmpuint (room_await_last (room, 85), ==, 85);
  room_assert_song (room, 23, 5, 0, 60);
  room_assert_song (room, 83, 7, 0, 2);
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
    numbers[i] = room_play (rooms[i], song_new (1, 100));
  }
  guint most = 0;
  for (guint round = 0; most < 60; round++) { /* long before anything follows */
    for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++) {
      g_assert_true (
          room_follow (rooms[i], numbers[i], round % 2 ? song_new (2, 10) : NULL, &next));
      most = MAX (most, room_count_music (rooms[i]));
    }
  }
  for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++)
    g_assert_true (room_follow (rooms[i], numbers[i], NULL, &next));
  for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++) {
    g_assert_cmpuint (room_await_last (rooms[i], 100), ==, 100);
    room_assert_song (rooms[i], 0, 1, 0, 100);
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
  room_play (room, song_new (1, 20));
  room_await_music (room, 5);
  g_mutex_lock (&room->mutex);
  room->refuse = 7;
  g_mutex_unlock (&room->mutex);
  g_assert_cmpuint (room_await_last (room, 20), ==, 20);
  room_assert_song (room, 0, 1, 0, 20); /* each was offered again until it was taken */
  room_assert_silence (room, 20);
  g_assert_cmpuint (room->calls, ==, 25 + 11);
  g_assert_cmpuint (room_get_stats (room).full, ==, 11);
  g_assert_cmpuint (room_get_stats (room).packets, ==, 20);
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

  const guint number = room_play (room, song_new (1, 100));
  room_await_music (room, 5);
  g_mutex_lock (&room->mutex);
  const guint calls = room->calls;
  room->hang_up = TRUE;
  while (room->calls == calls)
    g_cond_wait (&room->changed, &room->mutex);
  g_mutex_unlock (&room->mutex);
  room_let_pass (playout, 5);
  room_follow (room, number, song_new (2, 10), &next);
  room_play (room, song_new (3, 10));
  encore_voice_set_paused (room->voice, TRUE);
  encore_voice_set_paused (room->voice, FALSE);
  room_let_pass (playout, 5);
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
  room_play (room, song);
  g_assert_cmpuint (room_await_last (room, 10), ==, 10);
  room_let_pass (playout, 5);
  g_assert_cmpuint (room_get_stats (room).underruns, ==, 1); /* a spell, not a tick */
  g_atomic_int_set (&song->limit, 20);
  g_assert_cmpuint (room_await_last (room, 20), ==, 20);
  g_atomic_int_set (&song->limit, 30);
  g_assert_cmpuint (room_await_last (room, 30), ==, 30);
  room_assert_song (room, 0, 1, 0, 30);
  for (guint n = 10; n <= 30; n += 10)
    room_assert_silence (room, n);
  g_assert_cmpuint (room->n_sent, ==, 45);
  g_assert_cmpuint (room_get_stats (room).underruns, ==, 2); /* the end is none */
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
  room_play (other, song_new (9, 40));
  const guint first = room_play (room, broken);
  g_assert_true (room_follow (room, first, song_new (2, 15), &next));
  g_assert_cmpuint (room_await_event (room, ENCORE_VOICE_FAILED), ==, first);
  g_assert_cmpuint (room_await_event (room, ENCORE_VOICE_ENDED), ==, next);
  g_assert_cmpuint (room_await_last (room, 27), ==, 27);
  room_assert_song (room, 0, 1, 0, 12); /* what came before it broke is heard */
  room_assert_song (room, 12, 2, 0, 15);
  g_assert_cmpuint (room_await_last (other, 40), ==, 40);
  room_assert_song (other, 0, 9, 0, 40);
  room_play (room, song_new (3, 2)); /* the room lives */
  room_await_music (room, 27 + 2);
  room_free (room);
  room_free (other);
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
  g_test_add_func ("/voice/first-packets-need-no-worker", test_first_packets);
  g_test_add_func ("/voice/follow-is-gapless", test_gapless);
  g_test_add_func ("/voice/revoke-what-follows", test_revoke);
  g_test_add_func ("/voice/revoking-does-not-touch-the-song", test_revoke_race);
  g_test_add_func ("/voice/full-is-offered-again", test_full);
  g_test_add_func ("/voice/closed-stops", test_closed);
  g_test_add_func ("/voice/underruns-are-spells", test_underrun);
  g_test_add_func ("/voice/an-error-ends-one-song", test_error);
  return g_test_run ();
}
