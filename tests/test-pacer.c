/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The clock of all rooms: slots on an absolute grid, sleep and kick, lateness, removal.  The
 * machine may be late at any time, so the grid is checked by numbers, not by the wall clock. */
#include "config.h"
#include "play/encore-pacer.h"

#define MANY 64
#define CATCH_UP_US 200000

typedef struct Member Member;
struct Member {
  EncorePaced paced; /* first */
  guint64 slots[MANY];
  gint64 late_us[MANY], at_us[MANY];
  gint ticks;                                /* atomic */
  gint budget;                               /* atomic: ticks until it sleeps */
  gint more;                                 /* atomic: answers of wants_more() that are "yes" */
  void (*in_tick) (Member *self, gint tick); /* (nullable) */
  gint entered, go, left;                    /* atomic, for in_tick */
};

static gboolean
tick (EncorePaced *paced, guint64 slot, gint64 late_us)
{
  Member *self = (Member *) paced;
  const gint n = g_atomic_int_get (&self->ticks);

  if (n < MANY) {
    self->slots[n] = slot;
    self->late_us[n] = late_us;
    self->at_us[n] = g_get_monotonic_time ();
  }
  if (self->in_tick != NULL)
    self->in_tick (self, n);
  g_atomic_int_inc (&self->ticks);
  return !g_atomic_int_dec_and_test (&self->budget);
}

static gboolean
wants_more (EncorePaced *paced)
{
  Member *self = (Member *) paced;

  if (g_atomic_int_get (&self->more) == 0)
    return FALSE;
  g_atomic_int_add (&self->more, -1);
  g_atomic_int_set (&self->budget, 1);
  return TRUE;
}

static Member *
member_new (EncorePacer *pacer, gint budget)
{
  Member *self = g_new0 (Member, 1);

  self->paced.tick = tick;
  self->paced.wants_more = wants_more;
  self->budget = budget;
  encore_pacer_add (pacer, &self->paced);
  return self;
}

static void
member_free (EncorePacer *pacer, Member *self)
{
  encore_pacer_remove (pacer, &self->paced);
  g_free (self);
}

static void
await_ticks (Member *self, gint n)
{
  while (g_atomic_int_get (&self->ticks) < n)
    g_thread_yield ();
}

/* Whoever is awake is ticked N times meanwhile. */
static void
let_pass (EncorePacer *pacer, gint n)
{
  Member *clock = member_new (pacer, n + 1);

  encore_pacer_kick (pacer, &clock->paced);
  await_ticks (clock, n);
  member_free (pacer, clock);
}

static void
test_slots (void)
{
  EncorePacer *pacer = encore_pacer_new ();
  Member *member = member_new (pacer, 40);

  encore_pacer_kick (pacer, &member->paced);
  await_ticks (member, 40);
  g_assert_cmpint (member->late_us[0], ==, 0); /* at once, it need not wait for the grid */
  const gint64 began_us = member->at_us[0];
  for (gint i = 1; i < 40; i++) {
    g_assert_cmpint (member->late_us[i], >=, 0);
    if (member->late_us[i] < CATCH_UP_US) /* else the machine stood still, and slots were lost */
      g_assert_cmpuint (member->slots[i], ==, member->slots[i - 1] + 1);
    /* no slot before its time */
    const gint64 due_us = (gint64) (member->slots[i] - member->slots[0]) * ENCORE_TICK_US;
    g_assert_cmpint (member->at_us[i] - began_us, >=, due_us - 1000);
  }
  member_free (pacer, member);
  encore_pacer_free (pacer);
}

/* Asleep it costs nothing and is not ticked; the grid goes on without it. */
static void
test_sleep (void)
{
  EncorePacer *pacer = encore_pacer_new ();
  Member *member = member_new (pacer, 3);

  let_pass (pacer, 3);
  g_assert_cmpint (member->ticks, ==, 0); /* never kicked */
  encore_pacer_kick (pacer, &member->paced);
  await_ticks (member, 3);
  let_pass (pacer, 5);
  g_assert_cmpint (g_atomic_int_get (&member->ticks), ==, 3);
  const guint64 before = member->slots[2];
  g_atomic_int_set (&member->budget, 1);
  encore_pacer_kick (pacer, &member->paced);
  await_ticks (member, 4);
  g_assert_cmpuint (member->slots[3], >=, before + 5); /* the time that passed is in the number */
  member_free (pacer, member);
  encore_pacer_free (pacer);
}

/* A kick in every state: awake (nothing), asleep (one tick), and as often as one likes. */
static void
test_kick (void)
{
  EncorePacer *pacer = encore_pacer_new ();
  Member *member = member_new (pacer, 1);
  gint expected = 0;

  for (int i = 0; i < 20; i++) {
    encore_pacer_kick (pacer, &member->paced);
    await_ticks (member, ++expected);
    while (atomic_load (&member->paced.awake))
      g_thread_yield ();
    g_atomic_int_set (&member->budget, 1);
  }
  /* never two ticks in one slot, however fast it is woken */
  for (gint i = 1; i < expected; i++)
    g_assert_cmpuint (member->slots[i], >, member->slots[i - 1]);
  member_free (pacer, member);
  encore_pacer_free (pacer);
}

/* Something came between the last tick and the sleep. */
static void
test_wants_more (void)
{
  EncorePacer *pacer = encore_pacer_new ();
  Member *member = member_new (pacer, 1);

  g_atomic_int_set (&member->more, 4);
  encore_pacer_kick (pacer, &member->paced);
  await_ticks (member, 5);
  let_pass (pacer, 3);
  g_assert_cmpint (g_atomic_int_get (&member->ticks), ==, 5);
  member_free (pacer, member);
  encore_pacer_free (pacer);
}

typedef struct {
  EncorePacer *pacer;
  Member *member;
  gint quit; /* atomic */
} Kicker;

static gpointer
kick_always (gpointer data)
{
  Kicker *self = data;

  while (!g_atomic_int_get (&self->quit)) {
    encore_pacer_kick (self->pacer, &self->member->paced);
    g_thread_yield ();
  }
  return NULL;
}

/* It falls asleep after every tick while two threads kick: no kick is lost, no slot taken twice. */
static void
test_kick_race (void)
{
  EncorePacer *pacer = encore_pacer_new ();
  Member *member = member_new (pacer, 1);
  Kicker kicker = {pacer, member, FALSE};
  GThread *threads[2];

  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("kick", kick_always, &kicker);
  for (gint n = 1; n <= 50; n++) {
    g_atomic_int_set (&member->budget, 1);
    await_ticks (member, n);
  }
  g_atomic_int_set (&kicker.quit, TRUE);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  for (gint i = 1; i < 50; i++)
    g_assert_cmpuint (member->slots[i], >, member->slots[i - 1]);
  member_free (pacer, member);
  encore_pacer_free (pacer);
}

/* ---- lateness */

static void
stand_still (Member *self, gint n)
{
  if (n != 2)
    return;
  const gint64 until_us = g_get_monotonic_time () + self->go * 1000;
  while (g_get_monotonic_time () < until_us)
    ;
}

/* Another's tick takes 90 ms: the slots that were missed are made up for at once. */
static void
test_catch_up (void)
{
  EncorePacer *pacer = encore_pacer_new ();
  Member *slow = member_new (pacer, 10);
  Member *member = member_new (pacer, 30);

  slow->in_tick = stand_still;
  slow->go = 90;
  encore_pacer_kick (pacer, &member->paced);
  await_ticks (member, 1);
  encore_pacer_kick (pacer, &slow->paced);
  await_ticks (member, 30);
  guint late = 0;
  for (gint i = 1; i < 30; i++) {
    late += member->late_us[i] >= ENCORE_TICK_US;
    if (member->late_us[i] < CATCH_UP_US)
      g_assert_cmpuint (member->slots[i], ==, member->slots[i - 1] + 1);
  }
  g_assert_cmpuint (late, >=, 2); /* they were late, and yet they came */
  member_free (pacer, slow);
  member_free (pacer, member);
  encore_pacer_free (pacer);
}

/* 500 ms are too much: nobody gets 25 packets at once. */
static void
test_stall (void)
{
  EncorePacer *pacer = encore_pacer_new ();
  Member *slow = member_new (pacer, 10);

  slow->in_tick = stand_still;
  slow->go = 500;
  encore_pacer_kick (pacer, &slow->paced);
  await_ticks (slow, 5);
  g_assert_cmpint (slow->late_us[3], >, CATCH_UP_US);
  g_assert_cmpuint (slow->slots[3], >, slow->slots[2] + 20);
  member_free (pacer, slow);
  encore_pacer_free (pacer);
}

/* ---- removal */

static void
linger (Member *self, gint n)
{
  g_atomic_int_set (&self->entered, TRUE);
  while (!g_atomic_int_get (&self->go))
    g_thread_yield ();
  for (int i = 0; i < 2000; i++) /* who does not wait for us is long gone by now */
    g_thread_yield ();
  g_atomic_int_set (&self->left, TRUE);
}

static void
test_remove (void)
{
  EncorePacer *pacer = encore_pacer_new ();
  Member *other = member_new (pacer, G_MAXINT);

  encore_pacer_kick (pacer, &other->paced);
  for (int i = 0; i < 20; i++) {
    Member *member = member_new (pacer, 1000);
    member->in_tick = linger;
    encore_pacer_kick (pacer, &member->paced);
    while (!g_atomic_int_get (&member->entered))
      g_thread_yield ();
    g_atomic_int_set (&member->go, TRUE);
    encore_pacer_remove (pacer, &member->paced);
    g_assert_true (g_atomic_int_get (&member->left));
    const gint ticks = g_atomic_int_get (&member->ticks);
    const gint others = g_atomic_int_get (&other->ticks);
    await_ticks (other, others + 2);
    g_assert_cmpint (g_atomic_int_get (&member->ticks), ==, ticks); /* and never again */
    g_free (member);
  }
  member_free (pacer, other);
  encore_pacer_free (pacer);
}

/* When the last one that was awake is removed the pacer sleeps, and can be woken. */
static void
test_remove_awake (void)
{
  EncorePacer *pacer = encore_pacer_new ();

  for (int i = 0; i < 10; i++) {
    Member *member = member_new (pacer, 1000);
    encore_pacer_kick (pacer, &member->paced);
    await_ticks (member, 2);
    member_free (pacer, member);
  }
  encore_pacer_free (pacer);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pacer/slots", test_slots);
  g_test_add_func ("/pacer/sleep", test_sleep);
  g_test_add_func ("/pacer/kick", test_kick);
  g_test_add_func ("/pacer/kicks-race-with-sleep", test_kick_race);
  g_test_add_func ("/pacer/wants-more", test_wants_more);
  g_test_add_func ("/pacer/late-slots-are-made-up-for", test_catch_up);
  g_test_add_func ("/pacer/no-burst-after-a-stall", test_stall);
  g_test_add_func ("/pacer/remove-waits-for-a-tick", test_remove);
  g_test_add_func ("/pacer/remove-the-last", test_remove_awake);
  return g_test_run ();
}
