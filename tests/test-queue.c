/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The room's queue as data, and the words people read. */
#include "config.h"
#include "bot/encore-queue.h"

#include "bot/encore-text.h"

/* What the queue's tracks let go of; these tests have no cache and no flights. */
static guint left, unprotected;

void
encore_waiter_leave (EncoreWaiter *self)
{
  left++;
}

void
encore_cache_unprotect (EncoreLease *lease)
{
  unprotected++;
}

void
encore_reader_unref (EncoreReader *reader)
{
}

static EncoreTrack *
make_track (const char *words, guint64 user)
{
  return encore_track_new (NULL, words, user, "somebody", 1);
}

static void
test_order (void)
{
  g_autoptr (EncoreQueue) queue = encore_queue_new ();

  g_assert_cmpuint (encore_queue_append (queue, make_track ("b", 1)), ==, 0);
  g_assert_cmpuint (encore_queue_append (queue, make_track ("c", 2)), ==, 1);
  encore_queue_prepend (queue, make_track ("a", 1));
  g_assert_cmpstr (encore_track_get_name (encore_queue_peek (queue, 0)), ==, "a");
  g_assert_cmpstr (encore_track_get_name (encore_queue_peek (queue, 2)), ==, "c");
  g_assert_null (encore_queue_peek (queue, 3));
  g_assert_cmpuint (encore_queue_count_user (queue, 1), ==, 2);
  g_assert_cmpuint (encore_queue_remove_user (queue, 1), ==, 2);
  g_autoptr (EncoreTrack) last = encore_queue_take (queue, 0);
  g_assert_cmpstr (encore_track_get_name (last), ==, "c");
  g_assert_cmpuint (encore_queue_get_length (queue), ==, 0);
  g_assert_null (encore_queue_take (queue, 0));
}

/* A removed track leaves its flight and gives its lease back. */
static void
test_release (void)
{
  g_autoptr (EncoreQueue) queue = encore_queue_new ();
  EncoreTrack *track = make_track ("a", 1);

  left = unprotected = 0;
  track->waiter = (EncoreWaiter *) &left;
  track->lease = (EncoreLease *) &unprotected;
  encore_queue_append (queue, track);
  g_assert_cmpuint (encore_queue_clear (queue), ==, 1);
  g_assert_cmpuint (left, ==, 1);
  g_assert_cmpuint (unprotected, ==, 1);
}

static void
test_shuffle (void)
{
  g_autoptr (EncoreQueue) queue = encore_queue_new ();
  g_autoptr (GRand) rand = g_rand_new_with_seed (3);
  guint seen = 0, moved = 0;

  for (guint i = 0; i < 20; i++) {
    g_autofree char *name = g_strdup_printf ("%u", i);
    encore_queue_append (queue, make_track (name, i));
  }
  encore_queue_shuffle (queue, rand);
  for (guint i = 0; i < 20; i++) {
    const EncoreTrack *track = encore_queue_peek (queue, i);
    seen |= 1u << track->user;
    moved += track->user != i;
  }
  g_assert_cmphex (seen, ==, 0xfffff);
  g_assert_cmpuint (moved, >, 5);
}

/* Every code has its own sentence, and no sentence carries the error's message. */
static void
test_sentences (void)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (int code = 0; code < ENCORE_ERROR_N_CODES; code++) {
    g_autoptr (GError) error = g_error_new (ENCORE_ERROR, code, "secret path");
    char *sentence = encore_text_error (error);
    g_assert_true (g_str_has_suffix (sentence, "."));
    g_assert_null (strstr (sentence, "secret"));
    g_assert_true (g_hash_table_add (seen, sentence));
    g_assert_cmpint (encore_error_from_name (encore_error_name (code)), ==, code);
  }
}

static void
test_durations (void)
{
  static const struct {
    gint64 ms;
    const char *text;
  } rows[] = {
      {0, "?"}, {999, "0:00"}, {61000, "1:01"}, {3600000, "1:00:00"}, {36061000, "10:01:01"}};

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *text = encore_text_duration (rows[i].ms);
    g_assert_cmpstr (text, ==, rows[i].text);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/queue/order", test_order);
  g_test_add_func ("/queue/removed-tracks-leave-flight-and-lease", test_release);
  g_test_add_func ("/queue/shuffle-keeps-all", test_shuffle);
  g_test_add_func ("/text/one-sentence-per-error", test_sentences);
  g_test_add_func ("/text/durations", test_durations);
  return g_test_run ();
}
