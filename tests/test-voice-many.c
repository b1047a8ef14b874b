/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Many rooms, many songs: no thread a room, and nothing is left behind. */
#include "config.h"
#include "voice-fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

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
  room_play (rooms[0], song_new (1, G_MAXINT));
  room_await_music (rooms[0], 1);
  const guint one = count_entries ("/proc/self/task");
  g_assert_cmpuint (one - before, <=, 3); /* the pacer and two that fill */
  for (gsize i = 1; i < G_N_ELEMENTS (rooms); i++) {
    rooms[i] = room_new (playout);
    room_play (rooms[i], song_new (1, G_MAXINT));
  }
  for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++)
    room_await_music (rooms[i], 60); /* the ring was refilled meanwhile */
  g_assert_cmpuint (count_entries ("/proc/self/task"), ==, one);
  for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++) {
    room_assert_song (rooms[i], 0, 1, 0, 60);
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
    const guint number = room_play (rooms[i], song);
    if (i % 2 == 0)
      room_follow (rooms[i], number, song_new (2, 5), &next);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++) {
    room_await_music (rooms[i], 1);
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
  g_test_add_func ("/voice/200-rooms-share-the-threads", test_threads);
  g_test_add_func ("/voice/1000-songs-leave-nothing", test_churn);
  return g_test_run ();
}
