/* SPDX-License-Identifier: LGPL-2.1-or-later
 * One deterministic thread: the operations whose every file and sync call is a boundary for the
 * shim.  Songs 0 to 5 are made by "setup"; the others differ by scenario. */
#include "config.h"
#include "load.h"

#include <signal.h>
#include <string.h>

#include "event.h"

#define PATIENCE_US (5 * G_USEC_PER_SEC)

static EncoreClaim *
claim (Load *load, const char *id)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EncoreHandle) hit = NULL;
  EncoreClaim *claimed = encore_cache_claim (load->cache, id, g_get_monotonic_time () + PATIENCE_US,
                                             NULL, &hit, &error);

  if (claimed == NULL && error != NULL)
    load_tell_error (id, error);
  return claimed;
}

/* ANSWERED (nullable): what the site says the song is. */
static void
publish (Load *load, Dice *dice, guint index, const char *answered)
{
  g_autofree char *asked = song_id (index);
  g_autoptr (EncoreClaim) claimed = claim (load, asked);
  const char *id = answered != NULL ? answered : asked;
  g_autofree char *title = song_title (id);
  EncorePublish what = {.title = title, .answered_id = answered};
  g_autoptr (GError) error = NULL;

  if (claimed == NULL)
    return;
  if (!load_fill (load, dice, claimed, id, &what)) {
    event_tell (EVENT_ERROR, id, "cannot be written");
    encore_claim_fail (claimed, ENCORE_ERROR_STORE, "cannot be written");
    return;
  }
  event_tell (EVENT_FETCH, id, "");
  g_autoptr (EncoreHandle) handle = encore_claim_publish (claimed, &what, &error);
  if (handle == NULL) {
    load_tell_error (id, error);
    return;
  }
  event_tell (EVENT_ACK, id, "");
  g_atomic_int_inc (&load->plays);
  load_check_handle (handle, id);
}

static void
play (Load *load, guint index)
{
  g_autofree char *id = song_id (index);
  g_autoptr (GError) error = NULL;
  g_autoptr (EncoreHandle) handle = encore_cache_get (load->cache, id, TRUE, &error);

  if (handle != NULL) {
    g_atomic_int_inc (&load->plays);
    load_check_handle (handle, id);
  } else {
    load_tell_error (id, error);
  }
}

static void
tell_if_failed (gboolean ok, GError **error)
{
  if (!ok)
    load_tell_error ("-", *error);
  g_clear_error (error);
}

static void
run_setup (Load *load, Dice *dice)
{
  for (guint i = 0; i < 6; i++)
    publish (load, dice, i, NULL);
}

/* With and without a source, one that breaks, one that the site calls by another name, one again
 * after it was removed. */
static void
run_publish (Load *load, Dice *dice)
{
  g_autofree char *answered = song_id (14), *broken = song_id (12);
  EncoreClaim *failing;

  publish (load, dice, 10, NULL);
  publish (load, dice, 11, NULL);
  failing = claim (load, broken);
  if (failing != NULL) {
    EncorePublish what = {0};
    load_fill (load, dice, failing, broken, &what);
    encore_claim_fail (failing, LOAD_FAILURE, "no network in this test");
    encore_claim_free (failing);
  }
  publish (load, dice, 13, answered);
  play (load, 10);
}

static void
remove_song (Load *load, guint index)
{
  g_autofree char *id = song_id (index);
  g_autoptr (GError) error = NULL;

  event_tell (EVENT_REMOVE, id, "");
  if (encore_cache_remove (load->cache, id, &error)) {
    event_tell (EVENT_REMOVED, id, "");
  } else {
    load_tell_error (id, error);
    event_tell (EVENT_KEPT, id, "");
  }
}

static void
run_evict (Load *load, Dice *dice)
{
  g_autofree char *pinned = song_id (0);
  g_autoptr (GError) error = NULL;
  EncoreCacheStats stats;

  tell_if_failed (encore_cache_pin (load->cache, pinned, TRUE, &error), &error);
  remove_song (load, 1);
  publish (load, dice, 1, NULL);
  encore_cache_stats (load->cache, &stats);
  tell_if_failed (encore_cache_evict (load->cache, stats.bytes / 2, NULL, NULL, &error) >= 0,
                  &error);
  publish (load, dice, 10, NULL); /* beyond the budget: evicts by itself */
  play (load, 10);
}

static void
run_flush (Load *load, Dice *dice)
{
  g_autofree char *pinned = song_id (2);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 6; i++)
    play (load, i);
  tell_if_failed (encore_cache_flush (load->cache, &error), &error);
  tell_if_failed (encore_cache_pin (load->cache, pinned, TRUE, &error), &error);
  for (guint i = 0; i < 3; i++)
    play (load, i);
}

static void
run_audit (Load *load, Dice *dice)
{
  g_autoptr (GError) error = NULL;
  EncoreAudit audit;

  tell_if_failed (encore_cache_audit (load->cache, FALSE, &audit, NULL, NULL, &error), &error);
}

static void
run_play_all (Load *load, Dice *dice)
{
  for (guint i = 0; i < 6; i++)
    play (load, i);
}

static void
run_nothing (Load *load, Dice *dice)
{
}

/* Dies in the middle of a fetch. */
static void
run_die (Load *load, Dice *dice)
{
  g_autofree char *id = song_id (20);
  EncoreClaim *claimed = claim (load, id);
  EncorePublish what;

  load_fill (load, dice, claimed, id, &what);
  raise (SIGKILL);
}

gboolean
load_run_scenario (Load *load, const char *name)
{
  static const struct {
    const char *name;
    void (*run) (Load *load, Dice *dice);
  } scenarios[] = {{"setup", run_setup},      {"publish", run_publish},  {"evict", run_evict},
                   {"flush", run_flush},      {"audit", run_audit},      {"recover", run_nothing},
                   {"migrate", run_play_all}, {"rebuild", run_play_all}, {"create", run_setup},
                   {"die", run_die}};
  Dice dice;

  dice_seed (&dice, 1);
  for (guint i = 0; i < G_N_ELEMENTS (scenarios); i++) {
    if (strcmp (scenarios[i].name, name) != 0)
      continue;
    if (!load_open (load))
      return FALSE;
    scenarios[i].run (load, &dice);
    encore_cache_close (load->cache);
    g_autofree char *plays = g_strdup_printf ("%d", load->plays);
    event_tell (EVENT_CLEAN, "-", plays);
    return TRUE;
  }
  g_error ("crash-load: no scenario '%s'", name);
}
