/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Everything looked at: rows and files made to agree.
 *
 * The rows are copied once into a temporary table, sorted by shard, on a connection of its own;
 * then shard by shard the names found on disk are joined with it, both ways.  What does not fit is
 * only a suspicion, the lists are old: each is looked at again under the id's lock and put right
 * there. What is locked is alive and skipped, so peers go on working, and no lookup waits. */
#include "config.h"
#include "store/encore-cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encore-media-id.h"
#include "store/encore-cache-private.h"

typedef struct {
  const EncoreWork *work;
  sqlite3 *db; /* our own connection, with the temporary tables */
  guint shard;
} Audit;

typedef struct {
  EncoreKind kind;
  char *id, *ext; /* EXT NULL: the row of ID is meant, not a file */
} Suspect;

static void
suspect_free (gpointer data)
{
  Suspect *self = data;

  g_free (self->id);
  g_free (self->ext);
  g_free (self);
}

/* ---- one suspect, under its locks */

static void
count_removed (const EncoreWork *work, const char *name, gint64 bytes, const char *reason)
{
  work->audit->orphans++;
  work->audit->orphan_bytes += bytes;
  encore_work_decide (work, name, TRUE, bytes, reason);
}

/* A file that cannot be removed stays and is not told as removed. */
static void
remove_file (const EncoreWork *work, int shard, const char *name, const char *what,
             const char *reason)
{
  struct stat st;
  const gint64 bytes = fstatat (shard, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_size : 0;

  if (work->dry || unlinkat (shard, name, 0) == 0)
    count_removed (work, what, bytes, reason);
  else if (errno != ENOENT)
    encore_work_fail (work, what, bytes, g_strerror (errno));
}

static void
take_in (const EncoreWork *work, const char *id, const EncoreFound *found, const char *reason)
{
  EncoreCache *self = work->cache;
  g_autofree char *ext = NULL;
  g_autoptr (GError) error = NULL;
  const gint64 src_bytes = MAX (encore_layout_find_source (self->layout, id, &ext), 0);
  const EncoreEntryInfo sizes = {
      .opus_bytes = found->bytes, .src_bytes = src_bytes, .sha256 = found->sha256};

  if (!work->dry && !encore_cache_make_ready (self, id, &found->what, &sizes,
                                              ext != NULL ? ext : "", 0, &error)) {
    encore_work_fail (work, id, found->bytes, error->message);
    return;
  }
  work->audit->adopted++;
  work->audit->adopted_bytes += found->bytes;
  encore_work_decide (work, id, FALSE, found->bytes, reason);
}

static gboolean
is_unread (EncoreCache *self, const char *id)
{
  return encore_cache_row_says (self,
                                "SELECT count (*) FROM entry WHERE id = ?1 AND state = 0"
                                " AND owner = '" ENCORE_OWNER_UNREAD "'",
                                id, NULL);
}

gboolean
encore_audit_is_settled (const EncoreWork *work, const char *id)
{
  g_auto (EncoreFound) found = {0};

  if (!is_unread (work->cache, id))
    return FALSE;
  switch (encore_judge (work->cache->layout, id, TRUE, &found)) {
  case ENCORE_JUDGED_WHOLE:
    take_in (work, id, &found, "a whole file that could not be read once: it has its row");
    work->cache->rebuilt_unread -= work->cache->rebuilt_unread > 0;
    return TRUE;
  case ENCORE_JUDGED_UNKNOWN:
    encore_work_fail (work, id, 0, "it cannot be read now");
    return TRUE;
  default:
    return FALSE;
  }
}

gboolean
encore_audit_adopt (EncoreCache *self, const char *id)
{
  const int state = encore_cache_row_state (self, id);
  g_auto (EncoreFound) found = {0};
  EncoreAudit audit = {0};
  const EncoreWork work = {.cache = self, .audit = &audit};

  if ((state != ENCORE_ROW_NONE && state != ENCORE_ROW_HISTORY && !is_unread (self, id)) ||
      encore_judge (self->layout, id, TRUE, &found) != ENCORE_JUDGED_WHOLE)
    return FALSE;
  take_in (&work, id, &found, "");
  if (audit.adopted > 0)
    g_info ("cleanup: kept %s (%" G_GINT64_FORMAT
            " bytes): a whole file without a row: it has one now",
            id, found.bytes);
  return audit.adopted > 0;
}

/* A file of ID, which has no row; and what goes with it. */
static void
judge_orphan (const EncoreWork *work, int shard, const char *name, const Suspect *suspect)
{
  g_auto (EncoreFound) found = {0};
  EncoreLayout *layout = work->cache->layout;

  if (suspect->kind == ENCORE_KIND_OPUS && strcmp (suspect->ext, "opus") == 0)
    switch (encore_judge (layout, suspect->id, TRUE, &found)) {
    case ENCORE_JUDGED_WHOLE:
      take_in (work, suspect->id, &found, "a whole file without a row: it has one now");
      return;
    case ENCORE_JUDGED_UNKNOWN:
      encore_work_fail (work, suspect->id, 0, "it cannot be read now");
      return;
    default:
      break;
    }
  remove_file (work, shard, name, suspect->id, "a file without a row, and not whole");
}

static gboolean
is_named_by_row (EncoreCache *self, const Suspect *suspect)
{
  g_autoptr (EncoreEntryInfo) info = NULL;
  g_autofree char *ext = NULL;

  if (suspect->kind == ENCORE_KIND_OPUS)
    return strcmp (suspect->ext, "opus") == 0;
  return encore_cache_info (self, suspect->id, &info, NULL) && info->src_bytes > 0 &&
         (ext = encore_cache_source_ext (self, suspect->id)) != NULL &&
         strcmp (ext, suspect->ext) == 0;
}

static void
check_file (const Audit *audit, int shard, const Suspect *suspect)
{
  const EncoreWork *work = audit->work;
  EncoreCache *self = work->cache;
  g_autoptr (EncoreIdLock) lock = encore_locks_try (self->locks, suspect->id);
  g_autofree char *name = encore_layout_name (self->layout, suspect->id, suspect->ext);

  if (lock == NULL) {
    work->audit->skipped++;
    return;
  }
  if (faccessat (shard, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
    return; /* gone with its row */
  switch (encore_cache_row_state (self, suspect->id)) {
  case ENCORE_ROW_READY:
    if (!is_named_by_row (self, suspect))
      remove_file (work, shard, name, suspect->id, "its song has another file");
    break;
  case ENCORE_ROW_NONE:
  case ENCORE_ROW_HISTORY:
    judge_orphan (work, shard, name, suspect);
    break;
  default:
    work->audit->skipped++;
  }
}

static void
look_again (const Audit *audit, guint shard, const char *id)
{
  const Suspect suspect = {ENCORE_KIND_OPUS, (char *) id, (char *) "opus"};
  const int fd = encore_layout_open_shard (audit->work->cache->layout, ENCORE_KIND_OPUS, shard);

  if (fd < 0)
    return;
  check_file (audit, fd, &suspect);
  close (fd);
}

/* The row and its files go. */
static void
drop (const EncoreWork *work, const char *id, gint64 *counter, const char *reason)
{
  EncoreCache *self = work->cache;
  const int unleased = encore_locks_try_unleased (self->locks, id);
  g_autoptr (GError) error = NULL;
  gint64 bytes = 0;

  if (unleased < 0) {
    work->audit->skipped++;
    return;
  }
  if (work->dry || encore_cache_drop (self, id, &bytes, &error)) {
    (*counter)++;
    work->audit->mismatch_bytes += bytes;
    encore_work_decide (work, id, TRUE, bytes, reason);
  } else {
    encore_work_fail (work, id, 0, error->message);
  }
  close (unleased);
}

/* It is the row that is wrong when the file is whole. */
static void
judge_size (const EncoreWork *work, const char *id)
{
  g_auto (EncoreFound) found = {0};

  switch (encore_judge (work->cache->layout, id, TRUE, &found)) {
  case ENCORE_JUDGED_WHOLE:
    take_in (work, id, &found, "its row told another size than its whole file has");
    break;
  case ENCORE_JUDGED_BROKEN:
    drop (work, id, &work->audit->mismatched, "its file has not the size of the row");
    break;
  default:
    encore_work_fail (work, id, 0, "it cannot be read now");
  }
}

/* The song stays; only its source is not what the row says. */
static void
check_source (const EncoreWork *work, const EncoreEntryInfo *info)
{
  EncoreCache *self = work->cache;
  g_autofree char *ext = encore_cache_source_ext (self, info->id);
  g_autofree char *found = NULL;
  g_autoptr (GError) error = NULL;
  const gint64 bytes = encore_layout_find_source (self->layout, info->id, &found);
  gint64 freed = 0;

  if (info->src_bytes == 0 || bytes < 0 ||
      (bytes == info->src_bytes && g_strcmp0 (ext, found) == 0))
    return;
  if (!work->dry &&
      (!encore_cache_forget_source (self, info->id, &error) ||
       !encore_layout_remove (self->layout, ENCORE_KIND_AUDIO, info->id, &freed, &error))) {
    encore_work_fail (work, info->id, 0, error->message);
    return;
  }
  work->audit->mismatched++;
  work->audit->mismatch_bytes += freed;
  encore_work_decide (work, info->id, FALSE, freed,
                      "its source is not what its row says: forgotten");
}

static void
check_row (const Audit *audit, const char *id)
{
  const EncoreWork *work = audit->work;
  EncoreCache *self = work->cache;
  g_autoptr (EncoreIdLock) lock = encore_locks_try (self->locks, id);
  g_autoptr (EncoreEntryInfo) info = NULL;
  struct stat st;

  if (lock == NULL) {
    work->audit->skipped++;
    return;
  }
  if (encore_cache_row_state (self, id) != ENCORE_ROW_READY ||
      !encore_cache_info (self, id, &info, NULL) || strcmp (info->id, id) != 0)
    return; /* gone meanwhile */
  const int fd = encore_layout_open_file (self->layout, ENCORE_KIND_OPUS, id, "opus");
  const int saved = errno;
  const gboolean there = fd >= 0 && fstat (fd, &st) == 0 && S_ISREG (st.st_mode);
  if (fd >= 0)
    close (fd);
  if (fd < 0 && saved != ENOENT && saved != ELOOP)
    encore_work_fail (work, id, 0, g_strerror (saved));
  else if (!there)
    drop (work, id, &work->audit->dangling, "its file is gone");
  else if (st.st_size != info->opus_bytes)
    judge_size (work, id);
  else
    check_source (work, info);
}

/* ---- suspicions */

static void
sql_shard (sqlite3_context *context, int n, sqlite3_value **values)
{
  const char *id = (const char *) sqlite3_value_text (values[0]);

  sqlite3_result_int (context, id != NULL ? (int) (encore_id_hash (id) % ENCORE_LAYOUT_SHARDS) : 0);
}

static gboolean
run (Audit *audit, const char *sql, GError **error)
{
  return sqlite3_exec (audit->db, sql, NULL, NULL, NULL) == SQLITE_OK ||
         encore_db_fail (audit->db, error, "audit");
}

static gboolean
copy_rows (Audit *audit, GError **error)
{
  sqlite3_create_function (audit->db, "shard", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                           sql_shard, NULL, NULL);
  return run (audit,
              "CREATE TEMP TABLE song (shard INTEGER, id TEXT, state INTEGER, opus_size INTEGER,"
              "  src_size INTEGER, src_ext TEXT, PRIMARY KEY (shard, id)) WITHOUT ROWID;"
              "CREATE TEMP TABLE found (kind INTEGER, id TEXT, ext TEXT, size INTEGER);"
              "CREATE INDEX temp.found_id ON found (id, kind);"
              "INSERT INTO song SELECT shard (id), id, state, opus_size, src_size, src_ext"
              "  FROM main.entry WHERE state IN (0, 1, 2) ORDER BY 1, 2",
              error);
}

static void
fail_shard (const EncoreWork *work, EncoreKind kind, guint shard)
{
  const int saved = errno;
  g_autofree char *name =
      g_strdup_printf ("%s/%02x", kind == ENCORE_KIND_OPUS ? "opus" : "audio", shard);

  encore_work_fail (work, name, 0, g_strerror (saved));
}

static gboolean
has_file (const EncoreLayout *layout, const char *id)
{
  const int fd = encore_layout_open_file (layout, ENCORE_KIND_OPUS, id, "opus");

  if (fd >= 0)
    close (fd);
  return fd >= 0 || errno != ENOENT;
}

/* A file of KIND with a name that none of ours has here: a song all the same, when a cache was copied from
 * another kind of file system, or by hand.  It goes where it is looked for.
 * Returns: (transfer full) (nullable): the song's id when it is in this shard now. */
static char *
put_in_place (Audit *audit, EncoreKind kind, int shard, const char *name)
{
  const EncoreWork *work = audit->work;
  EncoreLayout *layout = work->cache->layout;
  g_autofree char *id = NULL;
  struct stat st;

  switch (kind == ENCORE_KIND_OPUS ? encore_judge_stray (shard, name, &id) : ENCORE_JUDGED_BROKEN) {
  case ENCORE_JUDGED_WHOLE:
    break;
  case ENCORE_JUDGED_UNKNOWN:
    encore_work_fail (work, name, 0, "it cannot be read now");
    return NULL;
  default:
    remove_file (work, shard, name, name, "no file of ours has such a name here");
    return NULL;
  }
  const guint home = encore_id_hash (id) % ENCORE_LAYOUT_SHARDS;
  g_autoptr (EncoreIdLock) lock = encore_locks_try (work->cache->locks, id);
  if (lock == NULL) {
    work->audit->skipped++;
    return NULL;
  }
  if (has_file (layout, id)) {
    remove_file (work, shard, name, name, "its song has another file");
    return NULL;
  }
  const gint64 bytes = fstatat (shard, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_size : 0;
  g_autoptr (GError) error = NULL;
  if (!work->dry && !encore_layout_move_stray (layout, shard, name, id, &error)) {
    encore_work_fail (work, name, bytes, error->message);
    return NULL;
  }
  work->audit->adopted++;
  encore_work_decide (work, name, FALSE, bytes, "a song by another name: put where it belongs");
  if (home == audit->shard)
    return g_steal_pointer (&id);
  g_clear_pointer (&lock, encore_id_lock_free);
  if (home < audit->shard && !work->dry)
    look_again (audit, home, id); /* else its shard is still to come */
  return NULL;
}

/* The names of one shard, into the table; those that no file of ours has are removed. */
static gboolean
list_names (Audit *audit, EncoreKind kind, GError **error)
{
  const EncoreWork *work = audit->work;
  EncoreLayout *layout = work->cache->layout;
  const int fd = encore_layout_open_shard (layout, kind, audit->shard);
  DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;
  g_autoptr (EncoreStmt) add =
      encore_db_prepare (audit->db, error, "INSERT INTO found VALUES (?1, ?2, ?3, ?4)", "");
  const struct dirent *entry;

  if (dir == NULL)
    fail_shard (work, kind, audit->shard);
  while (add != NULL && dir != NULL && (entry = readdir (dir)) != NULL) {
    g_autofree char *id = NULL, *ext = NULL;
    struct stat st;
    if (strcmp (entry->d_name, ".") == 0 || strcmp (entry->d_name, "..") == 0 ||
        fstatat (dirfd (dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
      continue;
    if (!encore_layout_parse (layout, entry->d_name, &id, &ext) ||
        encore_id_hash (id) % ENCORE_LAYOUT_SHARDS != audit->shard) {
      g_free (id);
      g_free (ext);
      ext = g_strdup ("opus");
      id = put_in_place (audit, kind, dirfd (dir), entry->d_name);
      if (id == NULL)
        continue;
    }
    sqlite3_bind_int (add, 1, kind);
    sqlite3_bind_text (add, 2, id, -1, SQLITE_STATIC);
    sqlite3_bind_text (add, 3, ext, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (add, 4, S_ISREG (st.st_mode) ? st.st_size : -1);
    sqlite3_step (add);
    sqlite3_reset (add);
  }
  if (dir != NULL)
    closedir (dir);
  else if (fd >= 0)
    close (fd);
  return add != NULL;
}

/* Files first: a source is looked at when its song may already have been taken in. */
static const char SUSPECTS[] =
    "SELECT found.kind, found.id, found.ext FROM found"
    " LEFT JOIN song ON song.shard = ?1 AND song.id = found.id"
    " WHERE song.id IS NULL OR (song.state = 1 AND"
    "   (found.ext <> iif (found.kind = 0, 'opus', song.src_ext)"
    "    OR (found.kind = 1 AND song.src_size = 0)))"
    " UNION ALL"
    " SELECT 0, song.id, NULL FROM song WHERE song.shard = ?1 AND song.state = 1 AND"
    "   (NOT EXISTS (SELECT 1 FROM found WHERE found.id = song.id AND kind = 0 AND ext = 'opus'"
    "                AND size = opus_size)"
    "    OR (src_size > 0 AND NOT EXISTS (SELECT 1 FROM found WHERE found.id = song.id"
    "                AND kind = 1 AND ext = src_ext AND size = src_size)))";

static GPtrArray *
list_suspects (Audit *audit, GError **error)
{
  g_autoptr (GPtrArray) suspects = g_ptr_array_new_with_free_func (suspect_free);
  g_autoptr (EncoreStmt) stmt =
      encore_db_prepare (audit->db, error, SUSPECTS, "i", (gint64) audit->shard);
  int result = SQLITE_DONE;

  while (stmt != NULL && (result = sqlite3_step (stmt)) == SQLITE_ROW) {
    Suspect *suspect = g_new (Suspect, 1);
    *suspect = (Suspect){sqlite3_column_int (stmt, 0), g_strdup (encore_db_text (stmt, 1)),
                         g_strdup ((const char *) sqlite3_column_text (stmt, 2))};
    g_ptr_array_add (suspects, suspect);
  }
  if (stmt == NULL)
    return NULL;
  if (result != SQLITE_DONE) {
    encore_db_fail (audit->db, error, "audit");
    return NULL;
  }
  return g_steal_pointer (&suspects);
}

static gboolean
check_shard (Audit *audit, GError **error)
{
  EncoreLayout *layout = audit->work->cache->layout;
  g_autofree char *count =
      g_strdup_printf ("SELECT count (*) FROM song WHERE shard = %u AND state = 1", audit->shard);

  /* one transaction, of the temporary tables only: main is not locked by it */
  if (!run (audit, "BEGIN; DELETE FROM found", error) ||
      !list_names (audit, ENCORE_KIND_OPUS, error) ||
      !list_names (audit, ENCORE_KIND_AUDIO, error) || !run (audit, "COMMIT", error))
    return FALSE;
  audit->work->audit->checked += encore_db_number (audit->db, count, 0);
  g_autoptr (GPtrArray) suspects = list_suspects (audit, error);
  for (guint i = 0; suspects != NULL && i < suspects->len; i++) {
    const Suspect *suspect = suspects->pdata[i];
    const int shard = encore_layout_open_shard (layout, suspect->kind, audit->shard);
    if (suspect->ext == NULL)
      check_row (audit, suspect->id);
    else if (shard >= 0)
      check_file (audit, shard, suspect);
    if (shard >= 0)
      close (shard);
  }
  return suspects != NULL;
}

/* ---- all of it */

/* In one statement, so that what others do meanwhile cannot come between. */
static const char TOTALS_AGREE[] =
    "SELECT (SELECT v FROM total WHERE k = 'entries') = count (*)"
    " AND (SELECT v FROM total WHERE k = 'bytes') = coalesce (sum (src_size + opus_size), 0)"
    " FROM entry WHERE state = 1";

/* The triggers keep the totals; a database that was repaired by hand may have others. */
static gboolean
recount (const Audit *audit, GError **error)
{
  const EncoreWork *work = audit->work;
  EncoreDb *db = work->cache->db;
  const gint64 agree = encore_db_number (audit->db, TOTALS_AGREE, -1);

  if (agree < 0)
    return encore_db_fail (audit->db, error, "audit");
  work->audit->totals_wrong = agree == 0;
  if (work->dry)
    return TRUE;
  return encore_db_begin (db, error) &&
         encore_db_end (db,
                        encore_db_run (db, error,
                                       "INSERT OR REPLACE INTO total"
                                       " SELECT 'entries', count (*) FROM entry WHERE state = 1"
                                       " UNION ALL SELECT 'bytes',"
                                       " coalesce (sum (src_size + opus_size), 0)"
                                       " FROM entry WHERE state = 1",
                                       "") &&
                            encore_evict_trim_history (work->cache, error),
                        error);
}

static gboolean
audit_all (const EncoreWork *work, GError **error)
{
  EncoreCache *self = work->cache;
  g_autofree char *path = g_build_filename (self->layout->dir, "encore.db", NULL);
  Audit audit = {.work = work, .db = encore_db_connect (path, error)};
  gboolean ok = audit.db != NULL && copy_rows (&audit, error);

  for (; ok && audit.shard < ENCORE_LAYOUT_SHARDS; audit.shard++) {
    ok = !encore_cache_is_interrupted (self, error) && check_shard (&audit, error);
    encore_work_progress (self, audit.shard + 1, ENCORE_LAYOUT_SHARDS);
  }
  ok = ok && recount (&audit, error);
  if (!ok && audit.db != NULL)
    encore_db_suspect (self->db, audit.db);
  sqlite3_close (audit.db);
  return ok;
}

gboolean
encore_cache_audit (EncoreCache *self, gboolean dry, EncoreAudit *out, EncoreDecisionFunc func,
                    gpointer data, GError **error)
{
  const EncoreWork work = {self, dry, out, func, data};

  memset (out, 0, sizeof *out);
  out->remade = self->db->remade;
  if (self->options.read_only && !dry) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_STORE,
                         "the cache is open for reading only");
    return FALSE;
  }
  encore_work_finish (&work);
  return audit_all (&work, error);
}
