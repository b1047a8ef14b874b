/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What is remembered beside the songs: back-off, turns, budget, searches, rooms, explanations. */
#include "config.h"
#include "store/encore-notes.h"

#include <string.h>

#include "store-fixture.h"

#define A "aaaaaaaaaaA"
#define B "bbbbbbbbbbA"

typedef struct {
  char *dir;
  EncoreCache *cache;
} Rig;

static void
set_up (Rig *rig, gconstpointer data)
{
  rig->dir = fixture_make_dir ();
  rig->cache = fixture_open (rig->dir, 0);
}

static void
tear_down (Rig *rig, gconstpointer data)
{
  encore_cache_close (rig->cache);
  fixture_remove (rig->dir);
  g_free (rig->dir);
}

/* As if SECONDS had passed for what is remembered. */
static void
pass (Rig *rig, const char *seconds)
{
  g_autofree char *sql =
      g_strdup_printf ("UPDATE note SET v = v - %s WHERE k = 'backoff_until';"
                       "UPDATE search SET asked_at = asked_at - %s;"
                       "UPDATE note SET v = v - %s / 86400 WHERE k = 'spent_day'",
                       seconds, seconds, seconds);

  fixture_sql (rig->dir, sql);
}

/* 10 minutes, doubled each time in a row up to 6 hours; several who hear of one refusal count once;
 * an answer begins anew. */
static void
test_backoff (Rig *rig, gconstpointer data)
{
  static const gint64 minutes[] = {10, 20, 40, 80, 160, 320, 360, 360};
  g_autoptr (GError) error = NULL;
  gint64 was;

  g_assert_cmpint (encore_cache_backoff_left (rig->cache), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (minutes); i++) {
    g_assert_cmpint (encore_cache_backoff (rig->cache, &error), ==, 60 * minutes[i]);
    g_assert_no_error (error);
    const gint64 again_s = encore_cache_backoff (rig->cache, &error);
    g_assert_true (again_s <= 60 * minutes[i] && again_s > 60 * minutes[i] - 30);
    g_assert_cmpint (encore_cache_backoff_left (rig->cache), >, 60 * minutes[i] - 30);
    g_autofree char *all_of_it = g_strdup_printf ("%d", (int) (60 * minutes[i]));
    pass (rig, all_of_it);
    g_assert_cmpint (encore_cache_backoff_left (rig->cache), ==, 0);
  }
  g_assert_true (encore_cache_backoff_end (rig->cache, &was, &error));
  g_assert_cmpint (was, ==, 0);
  g_assert_cmpint (encore_cache_backoff (rig->cache, &error), ==, 600);
  g_assert_true (encore_cache_backoff_end (rig->cache, &was, &error));
  g_assert_cmpint (was, >, 570);
  g_assert_cmpint (encore_cache_backoff_left (rig->cache), ==, 0);
  g_assert_no_error (error);
}

/* Another process obeys; a clock that was set back does not make it last for ever; a refusal days
 * later is a first one. */
static void
test_backoff_shared (Rig *rig, gconstpointer data)
{
  g_autoptr (EncoreCache) other = fixture_open (rig->dir, 0);

  encore_cache_backoff (rig->cache, NULL);
  g_assert_cmpint (encore_cache_backoff_left (other), >, 570);
  pass (rig, "-86400");
  g_assert_cmpint (encore_cache_backoff_left (other), ==, 0);
  pass (rig, "3 * 86400");
  g_assert_cmpint (encore_cache_backoff (other, NULL), ==, 600);
  encore_cache_backoff_end (other, NULL, NULL);
  g_assert_cmpint (encore_cache_backoff_left (rig->cache), ==, 0);
}

static void
test_turns (Rig *rig, gconstpointer data)
{
  g_autoptr (EncoreCache) other = fixture_open (rig->dir, 0);

  g_assert_cmpint (encore_cache_take_turn (rig->cache, 0, NULL), ==, 0);
  g_assert_cmpint (encore_cache_take_turn (rig->cache, 60000, NULL), ==, 0);
  const gint64 second_ms = encore_cache_take_turn (other, 60000, NULL);
  g_assert_true (second_ms > 50000 && second_ms <= 60000);
  const gint64 third_ms = encore_cache_take_turn (rig->cache, 60000, NULL);
  g_assert_true (third_ms > 110000 && third_ms <= 120000);
}

static void
test_budget (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_autoptr (EncoreCache) other = fixture_open (rig->dir, 0);

  g_assert_cmpint (encore_cache_get_spent (rig->cache), ==, 0);
  g_assert_true (encore_cache_spend (rig->cache, 999, &error));
  g_assert_true (encore_cache_spend (other, 500, &error));
  g_assert_cmpint (encore_cache_get_spent (rig->cache), ==, 1499);
  pass (rig, "86400");
  g_assert_cmpint (encore_cache_get_spent (other), ==, 0);
  g_assert_true (encore_cache_spend (rig->cache, 7, &error));
  g_assert_cmpint (encore_cache_get_spent (other), ==, 7);
  g_assert_no_error (error);
}

/* ---- searches */

static void
append_title (const EncoreKnownSong *song, gpointer data)
{
  g_string_append_printf (data, "%s=%s;", song->id, song->title);
}

static char *
recall (Rig *rig, const char *words, gint64 max_age_s)
{
  GString *text = g_string_new (NULL);

  encore_cache_recall_search (rig->cache, words, max_age_s, append_title, text);
  return g_string_free (text, FALSE);
}

static void
test_searches (Rig *rig, gconstpointer data)
{
  static const EncoreKnownSong two[] = {{A, "First", 1000}, {B, "'; DROP TABLE search; --", 0}};
  static const char *const same[] = {"Never Gonna", "never  gonna", " NEVER\tgonna  ",
                                     "never\n\ngonna"};
  static const char *const other[] = {"nevergonna", "never gonna give", "", "never' gonna"};
  g_autoptr (GError) error = NULL;

  g_assert_true (encore_cache_know_search (rig->cache, "Never  gonna", two, 2, &error));
  g_assert_true (encore_cache_know_search (rig->cache, "ÄRGER", two, 1, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (same); i++) {
    g_autofree char *found = recall (rig, same[i], 86400);
    g_assert_cmpstr (found, ==, A "=First;" B "='; DROP TABLE search; --;");
    g_autofree char *not_found = recall (rig, other[i], 86400);
    g_assert_cmpstr (not_found, ==, "");
  }
  g_autofree char *folded = recall (rig, "a\xcc\x88rger", 86400); /* a and two dots */
  g_assert_cmpstr (folded, ==, A "=First;");
  pass (rig, "90000");
  g_autofree char *old = recall (rig, "never gonna", 86400);
  g_assert_cmpstr (old, ==, "");
  g_autofree char *stale = recall (rig, "never gonna", 30 * 86400);
  g_assert_cmpstr (stale, !=, "");
  g_assert_true (encore_cache_know_search (rig->cache, "never gonna", two + 1, 1, &error));
  g_autofree char *renewed = recall (rig, "never gonna", 86400);
  g_assert_cmpstr (renewed, ==, B "='; DROP TABLE search; --;");
}

/* ---- explanations */

static void
test_explain (Rig *rig, gconstpointer data)
{
  g_auto (EncoreExplanation) never = {0};
  g_auto (EncoreExplanation) here = {0};
  g_auto (EncoreExplanation) alias = {0};
  g_auto (EncoreExplanation) pinned = {0};
  g_auto (EncoreExplanation) failed = {0};
  g_auto (EncoreExplanation) gone = {0};
  g_autoptr (EncoreHandle) hit = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (encore_cache_explain (rig->cache, A, &never, &error));
  g_assert_cmpint (never.where, ==, ENCORE_IS_UNKNOWN);

  fixture_publish (rig->cache, A, "One", 100);
  fixture_publish (rig->cache, B, "Two", 100);
  g_assert_true (encore_cache_explain (rig->cache, A, &here, &error));
  g_assert_cmpint (here.where, ==, ENCORE_IS_HERE);
  g_assert_cmpint (here.plays, ==, 1);
  g_assert_cmpint (here.of, ==, 2);
  g_assert_cmpint (here.place, >=, 1);
  g_assert_cmpint (here.retry_after_s, ==, 0);

  fixture_sql (rig->dir, "INSERT INTO alias VALUES ('otherNameAA', '" A "')");
  g_assert_true (encore_cache_explain (rig->cache, "otherNameAA", &alias, &error));
  g_assert_cmpstr (alias.id, ==, A);
  g_assert_cmpstr (alias.alias, ==, "otherNameAA");
  g_assert_cmpint (alias.where, ==, ENCORE_IS_HERE);

  g_assert_true (encore_cache_pin (rig->cache, A, TRUE, &error));
  g_assert_true (encore_cache_explain (rig->cache, A, &pinned, &error));
  g_assert_true (pinned.pinned);
  g_assert_cmpint (pinned.place, ==, 0);

  EncoreClaim *claim = encore_cache_claim (rig->cache, "failsAAAAAA", 0, NULL, &hit, &error);
  encore_claim_fail (claim, ENCORE_ERROR_PRIVATE, "it says no");
  encore_claim_free (claim);
  g_assert_true (encore_cache_explain (rig->cache, "failsAAAAAA", &failed, &error));
  g_assert_cmpint (failed.where, ==, ENCORE_IS_REMEMBERED);
  g_assert_cmpint (failed.failure, ==, ENCORE_ERROR_PRIVATE);
  g_assert_cmpint (failed.retry_after_s, >, 6 * 86400);

  g_assert_true (encore_cache_remove (rig->cache, B, &error));
  g_assert_true (encore_cache_explain (rig->cache, B, &gone, &error));
  g_assert_cmpint (gone.where, ==, ENCORE_IS_REMEMBERED);
  g_assert_cmpint (gone.plays, ==, 1);
  g_assert_cmpint (gone.retry_after_s, ==, 0);
  g_autoptr (GPtrArray) missed = encore_cache_list_missed (rig->cache, 5, &error);
  g_assert_cmpuint (missed->len, ==, 1);
  g_assert_cmpstr (missed->pdata[0], ==, B);
  g_assert_no_error (error);
}

/* ---- rooms */

static GPtrArray *
keep (Rig *rig, EncoreKeptRoom *room)
{
  g_autoptr (GPtrArray) rooms =
      g_ptr_array_new_with_free_func ((GDestroyNotify) encore_kept_room_free);
  g_autoptr (GError) error = NULL;

  g_ptr_array_add (rooms, room);
  g_assert_true (encore_cache_keep_rooms (rig->cache, rooms, &error));
  GPtrArray *kept = encore_cache_kept_rooms (rig->cache, "bot/", &error);
  g_assert_no_error (error);
  return kept;
}

static void
test_rooms (Rig *rig, gconstpointer data)
{
  EncoreKeptRoom *room = encore_kept_room_new ("bot/1");

  room->chat = G_MAXUINT64;
  room->position_ms = 4200;
  room->sounding = TRUE;
  room->loop = 2;
  encore_kept_room_add (room, A, NULL, "Title", 8000, "amy");
  encore_kept_room_add (room, NULL, "some words", NULL, 0, "bob");
  g_autoptr (GPtrArray) kept = keep (rig, room);
  g_assert_cmpuint (kept->len, ==, 1);
  const EncoreKeptRoom *again = kept->pdata[0];
  g_assert_true (again->chat == G_MAXUINT64 && again->sounding && !again->paused);
  g_assert_cmpint (again->position_ms, ==, 4200);
  g_assert_cmpint (again->loop, ==, 2);
  g_assert_cmpuint (again->songs->len, ==, 2);
  const EncoreWaitingSong *first = again->songs->pdata[0], *second = again->songs->pdata[1];
  g_assert_cmpstr (first->id, ==, A);
  g_assert_cmpstr (first->user_name, ==, "amy");
  g_assert_cmpstr (second->id, ==, "");
  g_assert_cmpstr (second->words, ==, "some words");

  room = encore_kept_room_new ("bot/1"); /* only the position */
  room->position_ms = 7000;
  g_autoptr (GPtrArray) moved = keep (rig, room);
  again = moved->pdata[0];
  g_assert_cmpint (again->position_ms, ==, 7000);
  g_assert_cmpuint (again->songs->len, ==, 2);

  g_autoptr (GPtrArray) elsewhere = encore_cache_kept_rooms (rig->cache, "bo%", NULL);
  g_assert_cmpuint (elsewhere->len, ==, 0);

  room = encore_kept_room_new ("bot/1");
  encore_kept_room_add (room, A, NULL, NULL, 0, NULL);
  g_ptr_array_set_size (room->songs, 0);
  g_autoptr (GPtrArray) none = keep (rig, room);
  g_assert_cmpuint (none->len, ==, 0);
  g_assert_cmpint (fixture_number (rig->dir, "SELECT count (*) FROM waiting"), ==, 0);
}

static void
test_owner (Rig *rig, gconstpointer data)
{
  g_autoptr (EncoreCache) other = fixture_open (rig->dir, 0);
  EncoreOwnership *mine = encore_cache_own_rooms (rig->cache, "bot/");

  g_assert_nonnull (mine);
  g_assert_null (encore_cache_own_rooms (other, "bot/"));
  EncoreOwnership *theirs = encore_cache_own_rooms (other, "bot2/");
  g_assert_nonnull (theirs);
  encore_ownership_free (mine);
  encore_ownership_free (theirs);
  theirs = encore_cache_own_rooms (other, "bot/");
  g_assert_nonnull (theirs);
  encore_ownership_free (theirs);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/notes/backoff", Rig, NULL, set_up, test_backoff, tear_down);
  g_test_add ("/notes/backoff-of-all", Rig, NULL, set_up, test_backoff_shared, tear_down);
  g_test_add ("/notes/turns", Rig, NULL, set_up, test_turns, tear_down);
  g_test_add ("/notes/budget", Rig, NULL, set_up, test_budget, tear_down);
  g_test_add ("/notes/searches", Rig, NULL, set_up, test_searches, tear_down);
  g_test_add ("/notes/explain", Rig, NULL, set_up, test_explain, tear_down);
  g_test_add ("/notes/rooms", Rig, NULL, set_up, test_rooms, tear_down);
  g_test_add ("/notes/owner", Rig, NULL, set_up, test_owner, tear_down);
  return g_test_run ();
}
