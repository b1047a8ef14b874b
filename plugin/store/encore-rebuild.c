/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A database that was lost or damaged is made again: songs from the tags of the files; pins,
 * counts, remembered failures and aliases from the weekly copy (encore-backup.c), and the pins and
 * counts of later days from what can still be read of the damaged one.
 *
 * All of it happens in the transaction that makes the database, so a crash leaves none at all and
 * the next open begins again. */
#include "config.h"
#include "store/encore-cache-private.h"
#include "store/encore-schema.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encore-media-id.h"

#define TELL_EVERY 10000

typedef struct {
  EncoreCache *cache;
  EncoreDb *db;
  gint64 songs;
} Rebuild;

/* A file that is not whole becomes an unfinished row: the recovery that follows removes it. */
static gboolean
add_broken (Rebuild *work, const char *id, GError **error)
{
  work->cache->rebuilt_broken++;
  return encore_db_run (work->db, error, "INSERT OR IGNORE INTO entry (id, state) VALUES (?1, 0)",
                        "s", id);
}

/* A file that cannot be read is looked at again at each open, by that row. */
static gboolean
add_unread (Rebuild *work, const char *id, GError **error)
{
  g_warning ("store: %s cannot be read and is left where it is", id);
  work->cache->rebuilt_unread++;
  return encore_db_run (work->db, error,
                        "INSERT OR IGNORE INTO entry (id, state, owner)"
                        " VALUES (?1, 0, '" ENCORE_OWNER_UNREAD "')",
                        "s", id);
}

static gboolean
add_song (Rebuild *work, const char *id, GError **error)
{
  EncoreLayout *layout = work->cache->layout;
  g_auto (EncoreFound) found = {0};
  g_autofree char *src_ext = NULL;
  EncoreEntryInfo sizes = {.sha256 = (char *) ""}; /* not known without reading all of it */

  switch (encore_judge (layout, id, FALSE, &found)) {
  case ENCORE_JUDGED_BROKEN:
    return add_broken (work, id, error);
  case ENCORE_JUDGED_UNKNOWN:
    return add_unread (work, id, error);
  default:
    break;
  }
  sizes.opus_bytes = found.bytes;
  sizes.src_bytes = MAX (encore_layout_find_source (layout, id, &src_ext), 0);
  if (++work->songs % TELL_EVERY == 0)
    g_info ("store: %" G_GINT64_FORMAT " songs taken in again", work->songs);
  return encore_cache_write_ready (work->cache, work->db, id, &found.what, &sizes,
                                   src_ext != NULL ? src_ext : "", 0, error);
}

static gboolean
add_shard (Rebuild *work, guint shard, GError **error)
{
  EncoreLayout *layout = work->cache->layout;
  const int fd = encore_layout_open_shard (layout, ENCORE_KIND_OPUS, shard);
  DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;
  const struct dirent *entry;
  gboolean ok = dir != NULL;

  if (!ok)
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "opus/%02x cannot be read: %s", shard,
                 g_strerror (errno));
  while (ok && (errno = 0, entry = readdir (dir)) != NULL) {
    g_autofree char *id = NULL, *ext = NULL;
    if (encore_layout_parse (layout, entry->d_name, &id, &ext) && strcmp (ext, "opus") == 0 &&
        encore_id_hash (id) % ENCORE_LAYOUT_SHARDS == shard)
      ok = add_song (work, id, error);
  }
  if (dir != NULL)
    closedir (dir);
  else if (fd >= 0)
    close (fd);
  return ok;
}

/* ---- the weekly copy */

static const char COPY_COLUMNS[] =
    "SELECT id, access_count, pinned, created_at, last_access, opus_size, sha256, lufs, gain_db,"
    " max_packet, fail_code, fail_msg, fail_until FROM entry WHERE state IN (1, 3)";

/* What the files do not say.  A song that is gone is remembered by its counts. */
static gboolean
merge_row (Rebuild *work, sqlite3_stmt *row, GError **error)
{
  const char *id = encore_db_text (row, 0);

  if (!encore_id_is_stem (id))
    return TRUE;
  return encore_db_run (work->db, error,
                        "INSERT OR IGNORE INTO entry (id, state, created_at, last_access)"
                        " VALUES (?1, 3, ?2, ?3)",
                        "sii", id, (gint64) sqlite3_column_int64 (row, 3),
                        (gint64) sqlite3_column_int64 (row, 4)) &&
         encore_db_run (work->db, error,
                        "UPDATE entry SET access_count = max (?2, 0), pinned = ?3 <> 0,"
                        " created_at = ?4, last_access = ?5, fail_code = ?6, fail_msg = ?7,"
                        " fail_until = ?8 WHERE id = ?1",
                        "siiiissi", id, (gint64) sqlite3_column_int64 (row, 1),
                        (gint64) sqlite3_column_int64 (row, 2),
                        (gint64) sqlite3_column_int64 (row, 3),
                        (gint64) sqlite3_column_int64 (row, 4), encore_db_text (row, 10),
                        encore_db_text (row, 11), (gint64) sqlite3_column_int64 (row, 12)) &&
         encore_db_run (work->db, error,
                        "UPDATE entry SET sha256 = ?3, max_packet = ?4"
                        " WHERE id = ?1 AND opus_size = ?2 AND state = 1",
                        "sisi", id, (gint64) sqlite3_column_int64 (row, 5), encore_db_text (row, 6),
                        (gint64) sqlite3_column_int64 (row, 9));
}

static gboolean
merge_alias (Rebuild *work, sqlite3_stmt *row, GError **error)
{
  return encore_db_run (work->db, error,
                        "INSERT OR IGNORE INTO alias SELECT ?1, id FROM entry"
                        " WHERE id = ?2 AND state = 1"
                        " AND NOT EXISTS (SELECT 1 FROM entry WHERE id = ?1 AND state = 1)",
                        "ss", encore_db_text (row, 0), encore_db_text (row, 1));
}

static gboolean
merge_all (Rebuild *work, sqlite3 *copy, const char *sql,
           gboolean (*merge) (Rebuild *, sqlite3_stmt *, GError **), GError **error)
{
  g_autoptr (EncoreStmt) rows = encore_db_prepare (copy, NULL, sql, "");
  gboolean ok = TRUE;

  while (ok && rows != NULL && sqlite3_step (rows) == SQLITE_ROW)
    ok = merge (work, rows, error);
  return ok;
}

/* Without a copy that can be used the songs are there all the same. */
static gboolean
merge_copy (Rebuild *work, GError **error)
{
  g_autofree char *path = g_build_filename (work->cache->layout->dir, ENCORE_BACKUP_NAME, NULL);
  g_autoptr (GError) local = NULL;
  gboolean proven, ok = TRUE;

  if (!g_file_test (path, G_FILE_TEST_IS_REGULAR))
    return TRUE;
  sqlite3 *copy = encore_db_connect (path, &local);
  if (copy == NULL || !encore_db_is_sound (copy, FALSE, &proven) ||
      !encore_schema_check (copy, &local))
    g_warning ("store: the copy of the database cannot be used: pins and counts are lost");
  else
    ok = merge_all (work, copy, COPY_COLUMNS, merge_row, error) &&
         merge_all (work, copy, "SELECT id, target FROM alias", merge_alias, error);
  sqlite3_close (copy);
  return ok;
}

/* ---- the damaged one */

/* From either end of the table, as far as it can be read: one bad page costs the rows of that page.
 * Only small numbers are believed, and only of songs that are there: nothing else of it. */
#define ASIDE_ROWS                                                                                 \
  "SELECT id, access_count, pinned, last_access FROM entry NOT INDEXED WHERE state = 1"            \
  " AND access_count BETWEEN 0 AND 1000000000 AND pinned IN (0, 1) ORDER BY id "

static gboolean
merge_aside_row (Rebuild *work, sqlite3_stmt *row, GError **error)
{
  return encore_db_run (work->db, error,
                        "UPDATE entry SET access_count = ?2, pinned = ?3,"
                        " last_access = max (last_access, ?4) WHERE id = ?1",
                        "siii", encore_db_text (row, 0), (gint64) sqlite3_column_int64 (row, 1),
                        (gint64) sqlite3_column_int64 (row, 2),
                        MIN ((gint64) sqlite3_column_int64 (row, 3),
                             g_get_real_time () / G_USEC_PER_SEC));
}

static gboolean
merge_aside (Rebuild *work, GError **error)
{
  sqlite3 *aside =
      work->db->aside != NULL ? encore_db_connect_aside (work->db->aside, NULL) : NULL;
  gboolean ok = TRUE;

  if (aside != NULL)
    ok = merge_all (work, aside, ASIDE_ROWS "ASC", merge_aside_row, error) &&
         merge_all (work, aside, ASIDE_ROWS "DESC", merge_aside_row, error);
  sqlite3_close (aside);
  return ok;
}

/* ---- */

/* In the order in which they would go: by the policy, of which only GDSF is worked out from each
 * song alone. */
static gboolean
set_prio (Rebuild *work, GError **error)
{
  const EncoreEvictPolicy policy = work->cache->options.policy;
  g_autofree char *sql =
      policy == ENCORE_EVICT_GDSF
          ? g_strdup_printf ("UPDATE entry SET prio = %s WHERE state = 1 AND ?1 = 0",
                             encore_evict_prio_sql (work->cache))
          : g_strdup_printf ("UPDATE entry SET prio = ranked.n + ?1 + ?2 FROM (SELECT id AS name,"
                             " row_number () OVER (ORDER BY %s, id) AS n FROM entry"
                             " WHERE state = 1) AS ranked WHERE id = ranked.name",
                             policy == ENCORE_EVICT_LRU ? "last_access" : "created_at");

  return encore_db_run (work->db, error, sql, "ii", (gint64) 0, (gint64) 0);
}

gboolean
encore_rebuild_fill (EncoreDb *db, gpointer data, GError **error)
{
  Rebuild work = {.cache = data, .db = db};
  gboolean ok = TRUE;

  work.cache->rebuilt_broken = work.cache->rebuilt_unread = 0;

  for (guint shard = 0; ok && shard < ENCORE_LAYOUT_SHARDS; shard++) {
    ok = add_shard (&work, shard, error);
    encore_work_progress (work.cache, shard + 1, ENCORE_LAYOUT_SHARDS);
  }
  ok = ok && merge_copy (&work, error) && merge_aside (&work, error) && set_prio (&work, error) &&
       encore_db_run (db, error,
                      "UPDATE total SET v = (SELECT coalesce (sum (access_count), 0) FROM entry)"
                      " WHERE k = 'plays'",
                      "");
  if (ok && work.songs + work.cache->rebuilt_broken > 0)
    g_warning ("store: the database was made again from the files: %" G_GINT64_FORMAT
               " songs, %" G_GINT64_FORMAT " broken files",
               work.songs, work.cache->rebuilt_broken);
  return ok;
}
