/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Faults drawn by lot, one or two for each song.  Whatever comes: an end in time, at most 100
 * requests, nothing left behind, and what is published is the song.
 *   FAULT_ROUNDS   how many (100)       FAULT_SEED   the lot; told at the beginning */
#include "config.h"
#include "fault-fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/encore-error.h"

#define ROUNDS 100
#define BATCH 50 /* the site forgets in between, else its statistics become long */
#define AT_ONCE 3
#define REQUESTS_MAX 100

/* The songs: letters of tests/site/catalogue.py, and the size of the file that is chosen. */
static const struct {
  char letter;
  const char *itag; /* NULL: fragments */
  int bytes;
} SONGS[] = {{'t', "251", 157306}, {'l', "251", 132460}, {'k', "251", 88813}, {'s', "251", 22809},
             {'n', "251", 157306}, {'a', "140", 99982},  {'h', NULL, 30000}};

typedef struct {
  guint song;
  gboolean is_flipped; /* wrong bytes: what the decoder makes of them nobody can tell, but for the
                          length */
  FaultCase what;
} Lot;

static FaultOutcome whole[G_N_ELEMENTS (SONGS)];

/* ---- drawing */

static int
draw (GRand *lot, int from, int to)
{
  return g_rand_int_range (lot, from, to + 1);
}

/* A place in a file of BYTES; the edges are drawn more often than others. */
static int
draw_place (GRand *lot, int bytes)
{
  const int edges[] = {0, 1, 15, 65536, bytes - 1, bytes};

  return draw (lot, 0, 3) == 0 ? edges[draw (lot, 0, G_N_ELEMENTS (edges) - 1)]
                               : draw (lot, 0, bytes);
}

/* What happens to the bytes. */
static void
draw_bytes_fault (GRand *lot, int bytes, GString *out, gboolean *is_flipped)
{
  const int at = draw_place (lot, bytes);

  switch (draw (lot, 0, 12)) {
  case 0:
    g_string_append_printf (out, "\"drop_at\": %d", at);
    break;
  case 1:
    g_string_append_printf (out, "\"drop_at\": %d, \"rst\": true", at);
    break;
  case 2:
    g_string_append_printf (out, "\"drop_after\": %d", draw (lot, 0, 3) == 0 ? 1 : at);
    break;
  case 3:
    g_string_append_printf (out, "\"truncate_at\": %d", at);
    break;
  case 4:
    g_string_append_printf (out, "\"length\": %d", draw (lot, 0, 1) == 0 ? at : -at);
    break;
  case 5:
    g_string_append_printf (out, "\"length\": null, \"drop_at\": %d", at);
    break;
  case 6:
    *is_flipped = TRUE;
    g_string_append_printf (out, "\"corrupt_at\": %d, \"corrupt_bytes\": %d", at,
                            draw (lot, 0, 1) == 0 ? 1 : draw (lot, 1, 20000));
    break;
  case 7:
    g_string_append_printf (out, "\"stall_at\": %d", at);
    break;
  case 8:
    g_string_append_printf (out, "\"rate\": %d", 1 << draw (lot, 10, 19));
    break;
  case 9:
    g_string_append (out, "\"no_range\": true");
    break;
  case 10:
    g_string_append_printf (out, "\"forbid_from\": %d", at);
    break;
  case 11:
    g_string_append_printf (out, "\"slow_unless_range\": %d", 1 << draw (lot, 12, 17));
    break;
  default:
    g_string_append_printf (out, "\"delay\": %.1f", draw (lot, 0, 25) / 10.0);
  }
}

/* What comes instead of them. */
static void
draw_answer_fault (GRand *lot, GString *out)
{
  static const int statuses[] = {400, 403, 404, 410, 416, 429, 500, 503};
  static const char *const others[] = {"\"body\": \"<html>Sign in</html>\"",
                                       "\"body\": \"\"",
                                       "\"redirect\": \"/thumb/x\"",
                                       "\"redirect\": \"/media/shortAAAAAA/251\"",
                                       "\"redirect\": \"/media/tuneAAAAAAA/247\"",
                                       "\"redirect\": \"http://127.0.0.1:9/\"",
                                       "\"redirect\": \"file:///etc/passwd\"",
                                       "\"gzip\": true",
                                       "\"endless\": true"};

  if (draw (lot, 0, 1) == 0)
    g_string_append_printf (out, "\"status\": %d",
                            statuses[draw (lot, 0, G_N_ELEMENTS (statuses) - 1)]);
  else
    g_string_append (out, others[draw (lot, 0, G_N_ELEMENTS (others) - 1)]);
}

static void
draw_resolve_fault (GRand *lot, GString *out)
{
  static const char *const faults[] = {
      "\"style\": \"chunk\"",
      "\"style\": \"chunk\", \"chunk_bytes\": 20000",
      "\"style\": \"dashy\"",
      "\"style\": \"dashy\", \"chunk_bytes\": 20000",
      "\"announce\": false",
      "\"announce\": false, \"style\": \"chunk\", \"chunk_bytes\": 50000",
      "\"expire_s\": -1",
      "\"format\": {\"filesize\": 100000}",
      "\"format\": {\"filesize\": \"many\"}",
      "\"info\": {\"duration\": 20}",
      "\"info\": {\"duration\": null}",
      "\"info\": {\"title\": null}",
      "\"info\": {\"id\": null}",
      "\"status\": 500, \"times\": 1",
      "\"status\": 429",
      "\"body\": \"<html>\"",
      "\"delay\": 1"};

  g_string_append (out, faults[draw (lot, 0, G_N_ELEMENTS (faults) - 1)]);
}

static void
draw_media_fault (GRand *lot, const Lot *self, GString *out, gboolean *is_flipped)
{
  if (SONGS[self->song].itag != NULL)
    g_string_append_printf (out, "\"media/%s/%s\": {", self->what.id, SONGS[self->song].itag);
  else
    g_string_append_printf (out, "\"hls/%s/%d.m4s\": {", self->what.id, draw (lot, 0, 3));
  if (draw (lot, 0, 3) == 0)
    draw_answer_fault (lot, out);
  else
    draw_bytes_fault (lot, SONGS[self->song].bytes, out, is_flipped);
  if (draw (lot, 0, 2) == 0)
    g_string_append_printf (out, ", \"times\": %d", draw (lot, 1, 3));
  if (draw (lot, 0, 5) == 0)
    g_string_append (out, ", \"after\": 1");
  g_string_append_c (out, '}');
}

static void
lot_draw (Lot *self, GRand *lot, guint i)
{
  g_autoptr (GString) fault = g_string_new ("{");

  self->song = draw (lot, 0, G_N_ELEMENTS (SONGS) - 1);
  self->what.id = g_strdup_printf ("copy%05u%cA", i, SONGS[self->song].letter);
  self->what.is_hasty = TRUE;
  self->what.way = draw (lot, 0, 1) == 0 ? "auto" : "ytdlp";
  const int kind = draw (lot, 0, 5); /* 0: only what the site says, 1 and 2: both */
  if (kind > 0)
    draw_media_fault (lot, self, fault, &self->is_flipped);
  if (kind < 3) {
    g_string_append_printf (fault, "%s\"resolve/video/%s\": {", kind > 0 ? ", " : "",
                            self->what.id);
    draw_resolve_fault (lot, fault);
    g_string_append_c (fault, '}');
  }
  g_string_append_c (fault, '}');
  self->what.fault = g_string_free (g_steal_pointer (&fault), FALSE);
}

/* ---- looking */

/* Another whole song came in place of one of which the site told neither length nor size. */
static gboolean
is_untold (const Lot *self)
{
  return SONGS[self->song].letter == 'n' && strstr (self->what.fault, "/media/short") != NULL &&
         (strstr (self->what.fault, "\"announce\": false") != NULL ||
          strstr (self->what.fault, "\"many\"") != NULL);
}

/* What is wrong with OUTCOME; NULL: nothing. */
static const char *
judge (const Lot *self, const FaultOutcome *outcome)
{
  const FaultOutcome *good = &whole[self->song];

  if (outcome->elapsed_ms > FAULT_HASTY_TIMEOUT_MS + FAULT_PATIENCE_MS)
    return "no end in time";
  if (outcome->requests > REQUESTS_MAX)
    return "too many requests";
  if (outcome->tmp_files > 0 || outcome->processes > 0)
    return "something stays";
  if (outcome->is_cached != (outcome->code == FAULT_PLAYED))
    return "told otherwise than done";
  if (outcome->is_cached && is_untold (self))
    return NULL;
  /* fragments have no length but the site's */
  const gint64 tolerance_ms = SONGS[self->song].itag != NULL ? 130 : 2000;
  if (outcome->is_cached && self->is_flipped &&
      ABS (outcome->duration_ms - good->duration_ms) > tolerance_ms)
    return "a WRONG FILE, of another length";
  if (outcome->is_cached && !self->is_flipped && strcmp (outcome->packets, good->packets) != 0)
    return "a WRONG FILE";
  return NULL;
}

static void
run_batch (Site *site, Lot *lots, guint n, guint *played, guint *flipped, guint *wrong)
{
  g_autofree FaultCase *cases = g_new (FaultCase, n);
  g_autofree FaultOutcome *outcomes = g_new0 (FaultOutcome, n);

  for (guint i = 0; i < n; i++)
    cases[i] = lots[i].what;
  site_reset (site);
  faults_run (site, cases, outcomes, n, AT_ONCE);
  for (guint i = 0; i < n; i++) {
    const char *what = judge (&lots[i], &outcomes[i]);
    *played += outcomes[i].is_cached;
    *flipped += outcomes[i].is_cached && lots[i].is_flipped &&
                strcmp (outcomes[i].packets, whole[lots[i].song].packets) != 0;
    *wrong += what != NULL;
    if (what != NULL)
      g_print ("# %s: download=%s %s [%s] %.1f s, %d requests, %d ms of %d\n", what,
               lots[i].what.way, lots[i].what.fault, outcomes[i].message,
               outcomes[i].elapsed_ms / 1000.0, (int) outcomes[i].requests,
               (int) outcomes[i].duration_ms, (int) whole[lots[i].song].duration_ms);
    fault_outcome_clear (&outcomes[i]);
    g_free (lots[i].what.id);
    g_free (lots[i].what.fault);
  }
}

static void
run_whole (Site *site)
{
  FaultCase cases[G_N_ELEMENTS (SONGS)] = {0};

  for (guint i = 0; i < G_N_ELEMENTS (SONGS); i++) {
    cases[i].id = g_strdup_printf ("copy%05u%cA", i, SONGS[i].letter);
    cases[i].way = "auto";
  }
  faults_run (site, cases, whole, G_N_ELEMENTS (SONGS), AT_ONCE);
  for (guint i = 0; i < G_N_ELEMENTS (SONGS); i++) {
    g_assert_cmpint (whole[i].code, ==, FAULT_PLAYED);
    g_free (cases[i].id);
  }
}

static guint
get_number (const char *name, guint otherwise)
{
  const char *text = g_getenv (name);

  return text != NULL && *text != '\0' ? strtoul (text, NULL, 10) : otherwise;
}

int
main (int argc, char **argv)
{
  const char *why = NULL;
  guint played = 0, flipped = 0, wrong = 0;

  g_test_init (&argc, &argv, NULL);
  Site *site = site_start (&why);
  if (site == NULL) {
    g_print ("1..0 # SKIP %s is not installed\n", why);
    return 0;
  }
  const guint rounds = get_number ("FAULT_ROUNDS", ROUNDS);
  const guint seed = get_number ("FAULT_SEED", g_random_int ());
  g_autoptr (GRand) lot = g_rand_new_with_seed (seed);
  g_print ("# FAULT_SEED=%u FAULT_ROUNDS=%u\n1..3\n", seed, rounds);
  run_whole (site);
  for (guint i = 0; i < rounds;) {
    Lot lots[BATCH] = {0};
    const guint n = MIN (BATCH, rounds - i);
    for (guint j = 0; j < n; j++)
      lot_draw (&lots[j], lot, i + j);
    run_batch (site, lots, n, &played, &flipped, &wrong);
    i += n;
    if (i % 1000 == 0)
      g_print ("# %u of %u\n", i, rounds);
  }
  g_print ("%s 1 of %u faults %u were survived badly\n", wrong == 0 ? "ok" : "not ok", rounds,
           wrong);
  g_print ("%s 2 %u songs were published all the same\n", played > rounds / 10 ? "ok" : "not ok",
           played);
  g_print ("%s 3 %u with wrong bytes that nothing can tell\n",
           flipped <= rounds / 20 ? "ok" : "not ok", flipped);
  for (guint i = 0; i < G_N_ELEMENTS (SONGS); i++)
    fault_outcome_clear (&whole[i]);
  site_stop (site);
  return wrong == 0 ? 0 : 1;
}
