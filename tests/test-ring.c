/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The ring between one filler and the pacer. */
#include "config.h"
#include "play/encore-ring.h"

#include <string.h>

static void
test_order (void)
{
  g_autofree EncoreRing *ring = g_new0 (EncoreRing, 1);
  guint8 packet[300];

  g_assert_null (encore_ring_peek (ring));
  for (guint i = 0; i < 1000; i++) {
    const gsize len = 1 + i % sizeof packet;
    memset (packet, i, sizeof packet);
    g_assert_true (encore_ring_push (ring, i, ENCORE_SLOT_PACKET, i * 20, packet, len));
    memset (packet, 0xee, sizeof packet); /* it was copied */
    const EncoreSlot *slot = encore_ring_peek (ring);
    g_assert_cmpuint (encore_ring_used (ring), ==, 1);
    g_assert_cmpuint (slot->song, ==, i);
    g_assert_cmpint (slot->end_ns, ==, i * 20);
    g_assert_cmpuint (slot->len, ==, len);
    g_assert_cmpuint (slot->data[0], ==, i & 0xff);
    g_assert_cmpuint (slot->data[len - 1], ==, i & 0xff);
    g_assert_true (encore_ring_peek (ring) == slot);
    encore_ring_drop (ring);
    g_assert_null (encore_ring_peek (ring));
  }
  encore_ring_clear (ring);
}

static void
test_full (void)
{
  g_autofree EncoreRing *ring = g_new0 (EncoreRing, 1);
  const guint8 packet = 1;

  for (guint round = 0; round < 3; round++) {
    for (guint i = 0; i < ENCORE_RING_SLOTS; i++) {
      g_assert_cmpuint (encore_ring_used (ring), ==, i);
      g_assert_true (encore_ring_push (ring, i, ENCORE_SLOT_PACKET, 0, &packet, 1));
    }
    g_assert_false (encore_ring_push (ring, 99, ENCORE_SLOT_END, 0, NULL, 0));
    g_assert_cmpuint (encore_ring_used (ring), ==, ENCORE_RING_SLOTS);
    encore_ring_drop (ring);
    g_assert_true (encore_ring_push (ring, 99, ENCORE_SLOT_END, 0, NULL, 0));
    for (guint i = 1; i < ENCORE_RING_SLOTS; i++) {
      g_assert_cmpuint (encore_ring_peek (ring)->song, ==, i);
      encore_ring_drop (ring);
    }
    g_assert_cmpint (encore_ring_peek (ring)->kind, ==, ENCORE_SLOT_END);
    g_assert_cmpuint (encore_ring_peek (ring)->len, ==, 0);
    encore_ring_drop (ring);
  }
  encore_ring_clear (ring);
  encore_ring_clear (ring); /* harmless */
}

/* A slot's buffer grows to the longest packet it had and is then used again. */
static void
test_buffers (void)
{
  g_autofree EncoreRing *ring = g_new0 (EncoreRing, 1);
  guint8 packet[1275] = {0};
  const guint8 *first[ENCORE_RING_SLOTS];

  for (guint i = 0; i < 10 * ENCORE_RING_SLOTS; i++) {
    g_assert_true (encore_ring_push (ring, i, ENCORE_SLOT_PACKET, 0, packet,
                                     i < ENCORE_RING_SLOTS ? sizeof packet : 1 + i % 1000));
    const guint8 *data = encore_ring_peek (ring)->data;
    if (i < ENCORE_RING_SLOTS)
      first[i] = data;
    g_assert_true (data == first[i % ENCORE_RING_SLOTS]);
    encore_ring_drop (ring);
  }
  encore_ring_clear (ring);
}

#define PACKETS 500000

static gpointer
push_all (gpointer data)
{
  guint8 packet[64];

  for (guint i = 0; i < PACKETS; i++) {
    memset (packet, i, sizeof packet);
    while (!encore_ring_push (data, i, i % 100 == 99 ? ENCORE_SLOT_END : ENCORE_SLOT_PACKET, i,
                              packet, 1 + i % sizeof packet))
      g_thread_yield ();
  }
  return NULL;
}

static void
test_threads (void)
{
  g_autofree EncoreRing *ring = g_new0 (EncoreRing, 1);
  GThread *pusher = g_thread_new ("push", push_all, ring);

  for (guint i = 0; i < PACKETS; i++) {
    const EncoreSlot *slot;
    while ((slot = encore_ring_peek (ring)) == NULL)
      g_thread_yield ();
    g_assert_cmpuint (encore_ring_used (ring), <=, ENCORE_RING_SLOTS);
    g_assert_cmpuint (slot->song, ==, i);
    g_assert_cmpint (slot->kind, ==, i % 100 == 99 ? ENCORE_SLOT_END : ENCORE_SLOT_PACKET);
    g_assert_cmpuint (slot->len, ==, 1 + i % 64);
    g_assert_cmpuint (slot->data[0], ==, i & 0xff);
    g_assert_cmpuint (slot->data[slot->len - 1], ==, i & 0xff);
    encore_ring_drop (ring);
  }
  g_thread_join (pusher);
  encore_ring_clear (ring);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ring/order-and-copies", test_order);
  g_test_add_func ("/ring/full", test_full);
  g_test_add_func ("/ring/buffers-are-used-again", test_buffers);
  g_test_add_func ("/ring/two-threads", test_threads);
  return g_test_run ();
}
