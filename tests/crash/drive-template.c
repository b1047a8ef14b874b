/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Caches to begin from: what a scenario finds, made once and copied for each run. */
#include "config.h"
#include "drive.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/encore-media-id.h"
#include "event.h"
#include "song.h"
#include "spawn.h"

/* ---- trees */

static void
remove_tree (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *child = g_build_filename (path, name, NULL);
    if (g_unlink (child) < 0)
      remove_tree (child);
  }
  g_rmdir (path);
}

static void
copy_file (const char *from, const char *to)
{
  g_autofree char *bytes = NULL;
  gsize len;

  g_unlink (to);
  if (!g_file_get_contents (from, &bytes, &len, NULL) ||
      !g_file_set_contents_full (to, bytes, len, G_FILE_SET_CONTENTS_NONE, 0600, NULL))
    g_error ("cannot copy %s", from);
}

/* 2 MB of nothing: a hole of that size does. */
static void
copy_reserve (const char *from, const char *to)
{
  struct stat st;

  if (stat (from, &st) < 0 || !g_file_set_contents (to, "", 0, NULL) ||
      truncate (to, st.st_size) < 0)
    g_error ("cannot copy %s", from);
}

static void
remove_strangers (const char *from, const char *to)
{
  g_autoptr (GDir) dir = g_dir_open (to, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *original = g_build_filename (from, name, NULL);
    g_autofree char *copy = g_build_filename (to, name, NULL);
    if (!g_file_test (original, G_FILE_TEST_EXISTS) && g_unlink (copy) < 0)
      remove_tree (copy);
  }
}

/* TO becomes what FROM is.  Directories that are in both stay: there are 512 of them. */
static void
copy_tree (const char *from, const char *to)
{
  g_autoptr (GDir) dir = g_dir_open (from, 0, NULL);
  const char *name;

  if (mkdir (to, 0700) < 0 && errno == EEXIST)
    remove_strangers (from, to);
  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *source = g_build_filename (from, name, NULL);
    g_autofree char *target = g_build_filename (to, name, NULL);
    if (g_file_test (source, G_FILE_TEST_IS_DIR))
      copy_tree (source, target);
    else if (strcmp (name, "reserve") == 0)
      copy_reserve (source, target);
    else
      copy_file (source, target);
  }
}

/* ---- what a scenario finds */

void
template_must_run (Drive *drive, const char *scenario, gboolean dies)
{
  const char *const extra[] = {"--scenario", scenario, "--faulty", NULL};
  static const char *const env[] = {"G_DEBUG=", NULL};
  const int status = spawn_wait (drive_start_with (drive, 1, extra, env), SPAWN_HANG_MS);
  g_autofree char *what = spawn_describe (status);

  if (dies ? !WIFSIGNALED (status) : !spawn_is_clean (status))
    drive_violation (drive, "%s: %s", scenario, what);
}

static void
change_rows (Drive *drive, const char *sql)
{
  g_autofree char *path = g_build_filename (drive->cache, "encore.db", NULL);
  sqlite3 *db = NULL;

  if (sqlite3_open (path, &db) != SQLITE_OK ||
      sqlite3_exec (db, sql, NULL, NULL, NULL) != SQLITE_OK)
    g_error ("template: %s", sqlite3_errmsg (db));
  sqlite3_close (db);
}

static char *
path_of (Drive *drive, guint index)
{
  g_autofree char *id = song_id (index);

  return g_strdup_printf ("%s/opus/%02x/%s.opus", drive->cache, (guint) encore_id_hash (id) & 0xff,
                          id);
}

static void
change_state (Drive *drive, guint index, int state)
{
  g_autofree char *id = song_id (index);
  g_autofree char *sql = g_strdup_printf ("UPDATE entry SET state = %d WHERE id = '%s'", state, id);

  change_rows (drive, sql);
}

/* What killed processes leave: a fetch in the middle, one after its renames, an eviction before and
 * one after its unlinks. */
static void
leave_unfinished (Drive *drive)
{
  g_autofree char *unlinked = path_of (drive, 2);

  change_state (drive, 0, 0);
  change_state (drive, 1, 2);
  change_state (drive, 2, 2);
  g_unlink (unlinked);
  template_must_run (drive, "die", TRUE);
}

/* A whole file without a row, a broken one, a row without its file, one of the wrong size. */
static void
leave_disagreeing (Drive *drive)
{
  g_autofree char *orphan = path_of (drive, 21), *broken = path_of (drive, 22);
  g_autofree char *vanished = path_of (drive, 0), *cut = path_of (drive, 1);
  g_autofree char *id = song_id (21);
  g_autoptr (GByteArray) opus = song_opus (id);

  g_file_set_contents (orphan, (const char *) opus->data, opus->len, NULL);
  g_file_set_contents (broken, "no music", -1, NULL);
  g_unlink (vanished);
  if (truncate (cut, 100) < 0)
    g_error ("cannot cut %s", cut);
}

/* Songs FROM to TO have to be there whatever happens. */
static void
acknowledge (Drive *drive, guint from, guint to)
{
  event_open (drive->events);
  for (guint i = from; i < to; i++) {
    g_autofree char *id = song_id (i);
    event_tell (EVENT_ACK, id, "");
  }
}

static void
prepare (Drive *drive, const char *scenario)
{
  guint first = 0; /* of the six songs that have to be there whatever happens */

  template_must_run (drive, "setup", FALSE);
  if (strcmp (scenario, "recover") == 0) {
    leave_unfinished (drive);
    first = 3;
  } else if (strcmp (scenario, "audit") == 0) {
    leave_disagreeing (drive);
    first = 2;
  } else if (strcmp (scenario, "migrate") == 0) {
    change_rows (drive, DRIVE_DOWNGRADE);
  } else if (strcmp (scenario, "rebuild") == 0) {
    g_autofree char *db = g_build_filename (drive->cache, "encore.db", NULL);
    g_unlink (db);
  }
  g_unlink (drive->events);
  acknowledge (drive, first, 6);
  if (strcmp (scenario, "audit") == 0)
    acknowledge (drive, 21, 22); /* whole, so it has to be taken in */
}

Template *
template_new (Drive *drive, const char *scenario)
{
  Template *self = g_new0 (Template, 1);

  self->drive = drive;
  self->cache = g_build_filename (drive->base, "template", NULL);
  self->events = g_build_filename (drive->base, "template-events", NULL);
  if (strcmp (scenario, "create") == 0) {
    g_file_set_contents (self->events, "", 0, NULL);
    return self;
  }
  prepare (drive, scenario);
  if (g_rename (drive->cache, self->cache) < 0 || g_rename (drive->events, self->events) < 0)
    g_error ("cannot keep the template");
  return self;
}

void
template_use (Template *self)
{
  Drive *drive = self->drive;

  if (g_file_test (self->cache, G_FILE_TEST_IS_DIR))
    copy_tree (self->cache, drive->cache);
  else
    remove_tree (drive->cache);
  copy_file (self->events, drive->events);
}

void
template_free (Template *self)
{
  if (self == NULL)
    return;
  g_free (self->cache);
  g_free (self->events);
  g_free (self);
}
