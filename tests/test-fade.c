/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What a room sounds like when it is stopped, judged by what a listener's decoder hears of the
 * packets its host got. */
#include "config.h"
#include "play/encore-fade.h"

#include <string.h>

#include "base/encore-ogg.h"
#include "play/encore-voice.h"
#include "tone-fixture.h"

#define N ENCORE_PACKET_SAMPLES
#define BLOCK (N / 2)
#define PATIENCE_US (30 * G_USEC_PER_SEC)
#define MOST_EXTRA 10 /* packets after the stop */
#define CLICK 4       /* times as rough as the music; a ramp that does not reach 0 is 100 times */

static const guint8 silence[] = {0xf8, 0xff, 0xfe};

static gboolean
is_silence (GBytes *packet)
{
  gsize len;
  const guint8 *data = g_bytes_get_data (packet, &len);

  return len == sizeof silence && memcmp (data, silence, len) == 0;
}

/* From packet FROM on, where the music is at its level, down to the silence at the end of SENT: the
 * level falls block by block, is somewhere between for 50 ms at least, and ends at nothing. */
static void
assert_falls (const GPtrArray *sent, guint from)
{
  g_autofree float *pcm = tone_decode (sent);
  const double music = tone_level_db (pcm, (from - 4) * N, 4 * N);
  double last = music;
  guint between = 0;

  for (gsize at = from * N; at + BLOCK <= sent->len * N; at += BLOCK) {
    const double level = tone_level_db (pcm, at, BLOCK);
    g_test_message ("%u ms: %.1f dB", (guint) ((at - from * N) / 48), level - music);
    if (last > music - 40) /* below it is the codec's own noise */
      g_assert_cmpfloat (level, <, last + 0.5);
    between += level < music - 1 && level > music - 40;
    last = level;
  }
  g_assert_cmpuint (between, >=, 5);
  g_assert_cmpfloat (last, <, music - 60);
}

static double
click_of (const GPtrArray *sent, guint from)
{
  g_autofree float *pcm = tone_decode (sent);

  return tone_roughness (pcm, from * N, sent->len * N) /
         tone_roughness (pcm, (from - 20) * N, from * N);
}

/* ---- the packets */

#define STOP_AT 50

static EncoreFade *
make_fade (const GPtrArray *song, guint coming, guint max_bps)
{
  EncoreFade *fade = encore_fade_new (max_bps);

  for (guint i = STOP_AT - ENCORE_FADE_HEARD; i < STOP_AT; i++)
    g_ptr_array_add (fade->heard, g_bytes_ref (song->pdata[i]));
  for (guint i = STOP_AT; i < STOP_AT + coming; i++)
    g_ptr_array_add (fade->coming, g_bytes_ref (song->pdata[i]));
  return fade;
}

static GPtrArray *
add_tail (const GPtrArray *song, const EncoreFade *fade)
{
  GPtrArray *sent = tone_packets_new ();

  for (guint i = 0; i < STOP_AT + encore_fade_count_plain (fade); i++)
    g_ptr_array_add (sent, g_bytes_ref (song->pdata[i]));
  for (guint i = 0; i < fade->packets->len; i++)
    g_ptr_array_add (sent, g_bytes_ref (fade->packets->pdata[i]));
  for (guint i = 0; i < 5; i++)
    g_ptr_array_add (sent, g_bytes_new_static (silence, sizeof silence));
  return sent;
}

static void
test_packets (void)
{
  g_autoptr (GPtrArray) song = tone_make_packets (STOP_AT + ENCORE_FADE_COMING, 200);
  const guint limits[] = {0, 53200, 8000}; /* of whole bytes a packet */

  for (guint i = 0; i < G_N_ELEMENTS (limits); i++) {
    g_autoptr (EncoreFade) fade = make_fade (song, ENCORE_FADE_COMING, limits[i]);
    encore_fade_code (fade);
    g_assert_cmpuint (encore_fade_count_plain (fade), ==, 2);
    g_assert_cmpuint (fade->packets->len, ==, 5);
    g_autoptr (GPtrArray) sent = add_tail (song, fade);
    if (limits[i] != 8000) /* the coder's noise is loud there */
      assert_falls (sent, STOP_AT);
    for (guint k = 0; limits[i] != 0 && k < fade->packets->len; k++)
      g_assert_cmpuint (g_bytes_get_size (fade->packets->pdata[k]) * 8 * 50, <=, limits[i]);
    g_test_message ("limit %u: click %.2f", limits[i], click_of (sent, STOP_AT));
    if (limits[i] == 0)
      g_assert_cmpfloat (click_of (sent, STOP_AT), <, CLICK);
  }
}

/* A song that is nearly over, or still on its way: all that is there fades. */
static void
test_short (void)
{
  g_autoptr (GPtrArray) song = tone_make_packets (STOP_AT + ENCORE_FADE_COMING, 200);

  for (guint n = 0; n <= ENCORE_FADE_COMING; n++) {
    g_autoptr (EncoreFade) fade = make_fade (song, n, 0);
    encore_fade_code (fade);
    g_assert_cmpuint (encore_fade_count_plain (fade), ==, n > 6 ? n - 6 : 0);
    g_assert_cmpuint (fade->packets->len, ==, MIN (MAX (n, 1) - 1, 5));
    g_autoptr (GPtrArray) sent = add_tail (song, fade);
    g_test_message ("%u packets: click %.2f", n, click_of (sent, STOP_AT));
    g_assert_cmpfloat (click_of (sent, STOP_AT), <, CLICK);
  }
}

static void
test_garbage (void)
{
  static const guint8 bad[] = {0xff, 0x3f, 1, 2};
  g_autoptr (GPtrArray) song = tone_make_packets (STOP_AT + ENCORE_FADE_COMING, 200);

  for (guint i = 0; i < ENCORE_FADE_COMING; i++) {
    g_autoptr (EncoreFade) fade = make_fade (song, ENCORE_FADE_COMING, 0);
    g_bytes_unref (fade->coming->pdata[i]);
    fade->coming->pdata[i] = g_bytes_new_static (bad, sizeof bad);
    encore_fade_code (fade);
    g_assert_cmpuint (fade->packets->len, <=, 5);
  }
}

/* ---- a room */

typedef struct {
  EncorePlayout *playout;
  EncoreVoice *voice;
  GMutex mutex;
  GCond changed;
  GPtrArray *sent; /* NULL where a number is missing */
  guint64 next_seq;
  guint n_sent; /* without those */
  gboolean last;
} Room;

static EncoreSendResult
on_send (guint64 seq, gboolean last, const guint8 *packet, gsize len, gpointer data)
{
  Room *self = data;

  g_mutex_lock (&self->mutex);
  for (; self->next_seq < seq; self->next_seq++)
    g_ptr_array_add (self->sent, NULL);
  self->next_seq++;
  g_ptr_array_add (self->sent, g_bytes_new (packet, len));
  self->n_sent++;
  self->last = last;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->mutex);
  return ENCORE_SEND_OK;
}

static void
unref_if_any (gpointer packet)
{
  if (packet != NULL)
    g_bytes_unref (packet);
}

static Room *
room_new (EncorePlayout *playout)
{
  Room *self = g_new0 (Room, 1);

  g_mutex_init (&self->mutex);
  g_cond_init (&self->changed);
  self->playout = playout;
  self->sent = g_ptr_array_new_with_free_func (unref_if_any);
  self->voice = encore_voice_new (playout, "room", on_send, self);
  return self;
}

static void
room_free (Room *self)
{
  encore_voice_free (self->voice);
  g_ptr_array_unref (self->sent);
  g_mutex_clear (&self->mutex);
  g_cond_clear (&self->changed);
  g_free (self);
}

static guint
room_count (Room *self)
{
  g_mutex_lock (&self->mutex);
  const guint n = self->n_sent;
  g_mutex_unlock (&self->mutex);
  return n;
}

/* Until N packets were sent, or more than N and the last one. */
static void
room_await (Room *self, guint n, gboolean last)
{
  const gint64 until_us = g_get_monotonic_time () + PATIENCE_US;

  g_mutex_lock (&self->mutex);
  while (self->n_sent < n || (last && !self->last))
    if (!g_cond_wait_until (&self->changed, &self->mutex, until_us))
      g_error ("%u packets came", self->n_sent);
  g_mutex_unlock (&self->mutex);
}

typedef struct {
  GPtrArray *packets;
  guint next;
} Song;

static void
song_free (gpointer data)
{
  Song *self = data;

  g_ptr_array_unref (self->packets);
  g_free (self);
}

static EncoreFillResult
fill (EncoreProducer *producer, guint n, gpointer data)
{
  Song *self = data;

  for (guint i = 0; i < n; i++, self->next++) {
    if (self->next == self->packets->len)
      return ENCORE_FILL_END;
    gsize len;
    const guint8 *packet = g_bytes_get_data (self->packets->pdata[self->next], &len);
    if (encore_producer_push (producer, packet, len, (gint64) (self->next + 1) * 20000000) !=
        ENCORE_PUSH_OK)
      return ENCORE_FILL_END;
  }
  return ENCORE_FILL_MORE;
}

static void
room_play (Room *self, GPtrArray *packets)
{
  Song *song = g_new0 (Song, 1);
  song->packets = g_ptr_array_ref (packets);
  g_autoptr (EncoreProducer) producer = encore_producer_new (fill, song, song_free);

  encore_voice_play (self->voice, producer);
}

static void
room_let_pass (Room *self, GPtrArray *packets, guint n)
{
  Room *clock = room_new (self->playout);

  room_play (clock, packets);
  room_await (clock, n, FALSE);
  room_free (clock);
}

static guint
count_music (Room *self, guint from)
{
  guint n = 0;

  g_mutex_lock (&self->mutex);
  for (guint i = from; i < self->sent->len; i++)
    n += self->sent->pdata[i] != NULL && !is_silence (self->sent->pdata[i]);
  g_mutex_unlock (&self->mutex);
  return n;
}

/* Returns: FALSE if this machine was too busy for one of the last 20 packets of music before FROM,
 * or one behind. */
static gboolean
is_whole (Room *self, guint from)
{
  for (guint i = from - 20; i < self->sent->len; i++)
    if (self->sent->pdata[i] == NULL ||
        (i + 5 < self->sent->len && is_silence (self->sent->pdata[i])))
      return FALSE;
  return TRUE;
}

static gboolean
stop_once (EncorePlayout *playout, GPtrArray *song)
{
  Room *room = room_new (playout);

  room_play (room, song);
  room_await (room, 60, FALSE);
  g_mutex_lock (&room->mutex);
  const guint before = room->sent->len;
  g_mutex_unlock (&room->mutex);
  const gint64 from_us = g_get_monotonic_time ();
  encore_voice_fade_out (room->voice, 0);
  g_test_message ("the stop took %d us", (int) (g_get_monotonic_time () - from_us));
  room_await (room, 0, TRUE);
  const gboolean whole = is_whole (room, before);
  if (whole) {
    const guint music = count_music (room, before), n = room_count (room);
    g_test_message ("%u packets of music; click: %.2f", music, click_of (room->sent, before));
    g_assert_cmpuint (music, <=, MOST_EXTRA);
    g_assert_cmpuint (room->sent->len, ==, before + music + 5);
    assert_falls (room->sent, before);
    g_assert_cmpfloat (click_of (room->sent, before), <, CLICK);
    room_let_pass (room, song, 10);
    g_assert_cmpuint (room_count (room), ==, n);
  }
  room_free (room);
  return whole;
}

/* A busy machine is given a few tries. */
static void
test_room (void)
{
  g_autoptr (GPtrArray) song = tone_make_packets (400, 200);
  EncorePlayout *playout = encore_playout_new ();
  guint whole = 0;

  for (guint i = 0; whole < 2 && i < 20; i++)
    whole += stop_once (playout, song);
  g_assert_cmpuint (whole, >, 0);
  encore_playout_free (playout);
}

static void
test_paused (void)
{
  g_autoptr (GPtrArray) song = tone_make_packets (400, 200);
  EncorePlayout *playout = encore_playout_new ();
  Room *room = room_new (playout);

  for (int round = 0; round < 2; round++) {
    room_play (room, song);
    room_await (room, room_count (room) + 10, FALSE);
    encore_voice_set_paused (room->voice, TRUE);
    if (round == 1)
      room_await (room, 0, TRUE);
    encore_voice_fade_out (room->voice, 0);
    const guint n = room_count (room);
    const guint music = count_music (room, 0);
    room_await (room, n, TRUE);
    encore_voice_set_paused (room->voice, FALSE);
    room_let_pass (room, song, 10);
    g_assert_cmpuint (count_music (room, 0), ==, music);
  }
  room_free (room);
  encore_playout_free (playout);
}

/* A pause within the fade ends it for good. */
static void
test_paused_in_it (void)
{
  g_autoptr (GPtrArray) song = tone_make_packets (400, 200);
  EncorePlayout *playout = encore_playout_new ();
  Room *room = room_new (playout);

  room_play (room, song);
  room_await (room, 10, FALSE);
  const guint n = room_count (room);
  encore_voice_fade_out (room->voice, 0);
  room_await (room, n + 2, FALSE);
  encore_voice_set_paused (room->voice, TRUE);
  room_await (room, 0, TRUE);
  const guint music = count_music (room, 0);
  encore_voice_set_paused (room->voice, FALSE);
  room_let_pass (room, song, 10);
  g_assert_cmpuint (count_music (room, 0), ==, music);
  room_free (room);
  encore_playout_free (playout);
}

/* The next song is there at once, and nothing of the fade comes behind its first packet. */
static void
test_play_at_once (void)
{
  g_autoptr (GPtrArray) first = tone_make_packets (100, 200);
  g_autoptr (GPtrArray) second = tone_make_packets (100, 300);
  g_autoptr (GHashTable) known = g_hash_table_new (g_bytes_hash, g_bytes_equal);
  EncorePlayout *playout = encore_playout_new ();
  Room *room = room_new (playout);

  for (guint i = 0; i < second->len; i++)
    g_hash_table_add (known, second->pdata[i]);
  for (guint round = 0; round < 20; round++) {
    room_play (room, first);
    room_await (room, room_count (room) + 6, FALSE);
    const guint n = room_count (room);
    encore_voice_fade_out (room->voice, 0);
    room_await (room, n + round % 5, FALSE);
    room_play (room, second);
    const guint from = room_count (room);
    room_await (room, from + 6, FALSE);
    g_mutex_lock (&room->mutex);
    for (guint i = room->sent->len - (room->n_sent - from); i < room->sent->len; i++)
      if (room->sent->pdata[i] != NULL && !is_silence (room->sent->pdata[i]))
        g_assert_true (g_hash_table_contains (known, room->sent->pdata[i]));
    g_mutex_unlock (&room->mutex);
  }
  room_free (room);
  encore_playout_free (playout);
}

/* Stopped, stopped again, freed: at any moment. */
static void
test_churn (void)
{
  g_autoptr (GPtrArray) song = tone_make_packets (100, 200);
  EncorePlayout *playout = encore_playout_new ();

  for (guint round = 0; round < 40; round++) {
    Room *room = room_new (playout);
    if (round % 7 != 0)
      room_play (room, song);
    room_await (room, round % 7, FALSE);
    encore_voice_fade_out (room->voice, round % 2 ? 53000 : 0);
    if (round % 3 == 0)
      encore_voice_fade_out (room->voice, 0);
    if (round % 5 == 0 && round % 7 != 0)
      room_await (room, 0, TRUE);
    room_free (room);
  }
  encore_playout_free (playout);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/fade/packets", test_packets);
  g_test_add_func ("/fade/what-is-there", test_short);
  g_test_add_func ("/fade/garbage", test_garbage);
  g_test_add_func ("/fade/room", test_room);
  g_test_add_func ("/fade/a-paused-room-is-silent", test_paused);
  g_test_add_func ("/fade/pause-within", test_paused_in_it);
  g_test_add_func ("/fade/play-at-once", test_play_at_once);
  g_test_add_func ("/fade/at-any-moment", test_churn);
  return g_test_run ();
}
