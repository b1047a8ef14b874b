/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The database damaged at random: bytes, blocks, truncations.  The product must open the cache, and
 * with an audit every song must be there, from the files if need be; and what was pinned is pinned,
 * from the weekly copy, which every other round is without. */
#include "config.h"
#include "drive.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "song.h"
#include "spawn.h"

static void
garble (int fd, Dice *dice, gint64 size, guint len)
{
  const gint64 at = dice_roll (dice, MAX (size - len, 1));

  for (guint i = 0; i < len; i++) {
    const guint8 byte = dice_roll (dice, 256);
    if (pwrite (fd, &byte, 1, at + i) != 1)
      g_error ("cannot damage the database");
  }
}

/* 15 bytes here and there, 4 KB, 512 zeroes, one bit, or the end cut off. */
static const char *
damage (Drive *drive, Dice *dice)
{
  g_autofree char *path = g_build_filename (drive->cache, "encore.db", NULL);
  const int fd = open (path, O_RDWR | O_CLOEXEC);
  static const char zeroes[512];
  const char *what;
  struct stat st;
  guint8 byte;

  if (fd < 0 || fstat (fd, &st) < 0)
    g_error ("no database to damage");
  const gint64 at = dice_roll (dice, st.st_size);
  gboolean ok = TRUE;
  switch (dice_roll (dice, 5)) {
  case 0:
    for (int i = 0; i < 15; i++)
      garble (fd, dice, st.st_size, 1);
    what = "15 bytes";
    break;
  case 1:
    garble (fd, dice, st.st_size, 4096);
    what = "4096 bytes";
    break;
  case 2:
    ok = pwrite (fd, zeroes, sizeof zeroes, at) == sizeof zeroes;
    what = "512 zeroes";
    break;
  case 3:
    ok = pread (fd, &byte, 1, at) == 1;
    byte ^= 1 << dice_roll (dice, 8);
    ok = ok && pwrite (fd, &byte, 1, at) == 1;
    what = "one bit";
    break;
  default:
    ok = ftruncate (fd, at) == 0;
    what = "a truncation";
  }
  close (fd);
  if (!ok)
    g_error ("cannot damage the database");
  return what;
}

/* ---- pins */

#define N_PINNED 2

/* SQL on the database of CACHE.  Returns: the number that it answers, -1 without one. */
static int
ask (const char *cache, const char *sql)
{
  g_autofree char *path = g_build_filename (cache, "encore.db", NULL);
  sqlite3 *db = NULL;
  sqlite3_stmt *stmt = NULL;
  int answer = -1;

  if (sqlite3_open (path, &db) == SQLITE_OK &&
      sqlite3_prepare_v2 (db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step (stmt) == SQLITE_ROW)
    answer = sqlite3_column_int (stmt, 0);
  sqlite3_finalize (stmt);
  sqlite3_close (db);
  return answer;
}

/* Two songs are pinned, in the database and in its copy. */
static void
pin_some (const char *cache)
{
  g_autofree char *a = song_id (0), *b = song_id (3);
  g_autofree char *copy = g_build_filename (cache, "encore.db.bak", NULL);
  g_autofree char *pin =
      g_strdup_printf ("UPDATE entry SET pinned = 1 WHERE id IN ('%s', '%s')", a, b);
  g_autofree char *vacuum = g_strdup_printf ("VACUUM INTO '%s'", copy);

  ask (cache, pin);
  ask (cache, vacuum);
  if (ask (cache, "SELECT count (*) FROM entry WHERE pinned = 1") != N_PINNED ||
      !g_file_test (copy, G_FILE_TEST_EXISTS))
    g_error ("crash-drive: nothing is pinned");
}

void
drive_run_damage (Drive *drive)
{
  g_autoptr (Template) start = template_new (drive, "damage");
  g_autofree char *copy = g_build_filename (drive->cache, "encore.db.bak", NULL);
  int rebuilt = 0, round = 0, unpinned[2] = {0, 0}; /* with a copy, without */
  Dice dice;

  dice_seed (&dice, drive->seed);
  pin_some (start->cache);
  for (; round < drive->rounds && drive_violations () == 0; round++) {
    template_use (start);
    if (round % 2 == 1)
      g_unlink (copy);
    const char *what = damage (drive, &dice);
    template_must_run (drive, "audit", FALSE);
    drive_check (drive, TRUE);
    unpinned[round % 2] +=
        ask (drive->cache, "SELECT count (*) FROM entry WHERE pinned = 1 AND state = 1") != N_PINNED;
    g_autoptr (GDir) dir = g_dir_open (drive->cache, 0, NULL);
    const char *name;
    while ((name = g_dir_read_name (dir)) != NULL)
      rebuilt += g_str_has_prefix (name, "encore.db.corrupt-");
    if (drive_violations () > 0)
      printf ("#   in round %d: %s\n", round, what);
  }
  printf ("# damage: %d databases, %d made again; pins lost in %d with a copy, in %d without\n", round,
          rebuilt, unpinned[0], unpinned[1]);
  /* the damage may be in the very byte that says so, of which nothing can tell */
  if (unpinned[0] * 100 > round)
    drive_violation (drive, "pins are lost");
  if (rebuilt == 0)
    drive_violation (drive, "nothing was ever damaged");
}
