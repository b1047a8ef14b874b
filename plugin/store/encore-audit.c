/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Rows and files made to agree: at open what is unfinished (few rows), on demand everything.
 *
 * Every repair is made under the id's lock after looking again; what is locked is alive and
 * skipped, so peers may go on working. */
#include "config.h"
#include "store/encore-cache.h"

#include <dirent.h>
#include <math.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encore-media-id.h"
#include "base/encore-ogg.h"
#include "store/encore-cache-private.h"

typedef struct {
  EncoreCache *cache;
  gboolean dry;
  EncoreAudit *audit;
  EncoreDecisionFunc decide;
  gpointer data;
} Work;

static void
decide (const Work *work, const char *id, gboolean removed, gint64 bytes, const char *reason)
{
  if (work->decide != NULL)
    work->decide (id, removed, bytes, reason, work->data);
}

/* First column of SQL as texts; empty on error. */
static GPtrArray *
list_texts (EncoreCache *self, const char *sql, const char *id)
{
  GPtrArray *texts = g_ptr_array_new_with_free_func (g_free);

  g_mutex_lock (&self->db->read_mutex);
  sqlite3_stmt *stmt = encore_db_prepare (self->db->reader, NULL, sql, id != NULL ? "s" : "", id);
  while (stmt != NULL && sqlite3_step (stmt) == SQLITE_ROW)
    g_ptr_array_add (texts, g_strdup (encore_db_text (stmt, 0)));
  sqlite3_finalize (stmt);
  g_mutex_unlock (&self->db->read_mutex);
  return texts;
}

static GPtrArray *
list_names (int fd)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  const struct dirent *entry;
  DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;

  while (dir != NULL && (entry = readdir (dir)) != NULL)
    if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
      g_ptr_array_add (names, g_strdup (entry->d_name));
  if (dir != NULL)
    closedir (dir);
  return names;
}

static gboolean
has_row_in (EncoreCache *self, const char *id, const char *states)
{
  g_autofree char *sql =
      g_strdup_printf ("SELECT id FROM entry WHERE id = ?1 AND state IN (%s)", states);
  g_autoptr (GPtrArray) rows = list_texts (self, sql, id);

  return rows->len > 0;
}

/* ---- unfinished work */

/* Rows that a dead process left pending or deleting. */
static void
finish_rows (const Work *work)
{
  EncoreCache *self = work->cache;
  g_autoptr (GPtrArray) ids = list_texts (self, "SELECT id FROM entry WHERE state IN (0, 2)", NULL);

  for (guint i = 0; i < ids->len; i++) {
    const char *id = ids->pdata[i];
    g_autoptr (EncoreIdLock) lock = encore_locks_try (self->locks, id);
    g_autoptr (GError) error = NULL;
    if (lock == NULL || !has_row_in (self, id, "0, 2")) {
      work->audit->skipped += lock == NULL;
      continue;
    }
    gint64 bytes = 0;
    if (!work->dry && (!encore_cache_remove_files (self, id, &bytes, &error) ||
                       !encore_cache_forget_row (self, id, &error))) {
      g_warning ("store: %s: %s", id, error->message);
      continue;
    }
    work->audit->stale_tmp++;
    work->audit->tmp_bytes += bytes;
    decide (work, id, TRUE, bytes, "its fetch or eviction was never finished");
  }
}

/* tmp/<id>.<pid>-<n> belongs to nobody when the id's lock is free; other names are foreign. */
static void
finish_tmp (const Work *work)
{
  EncoreCache *self = work->cache;
  g_autoptr (GPtrArray) names =
      list_names (openat (self->layout->dirfd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

  for (guint i = 0; i < names->len; i++) {
    const char *name = names->pdata[i];
    g_autofree char *id = g_strndup (name, strcspn (name, "."));
    g_autoptr (EncoreIdLock) lock =
        encore_id_is_stem (id) ? encore_locks_try (self->locks, id) : NULL;
    if (encore_id_is_stem (id) && lock == NULL) {
      work->audit->skipped++;
      continue;
    }
    gint64 bytes = 0;
    if (!work->dry && !encore_layout_remove_private (self->layout, name, &bytes))
      continue;
    work->audit->stale_tmp++;
    work->audit->tmp_bytes += bytes;
    decide (work, name, TRUE, bytes, "it was temporary and its owner is gone");
  }
}

void
encore_audit_recover (EncoreCache *self)
{
  EncoreAudit audit = {0};
  const Work work = {.cache = self, .audit = &audit};

  finish_rows (&work);
  finish_tmp (&work);
  if (audit.stale_tmp > 0)
    g_info ("cleanup: %d unfinished things of dead processes removed", (int) audit.stale_tmp);
}

/* ---- files */

static void
fill_from_tags (EncorePublish *what, const EncoreOggSummary *tags)
{
  const char *lufs = encore_ogg_summary_get (tags, "ENCORE_LUFS");
  const char *gain = encore_ogg_summary_get (tags, "ENCORE_GAIN");

  what->title = encore_ogg_summary_get (tags, "TITLE");
  what->artist = encore_ogg_summary_get (tags, "ARTIST");
  what->url = encore_ogg_summary_get (tags, "ENCORE_SOURCE");
  what->duration_ms = tags->duration_ms;
  what->loudness_lufs = lufs != NULL ? g_ascii_strtod (lufs, NULL) : NAN;
  what->gain_db = gain != NULL ? g_ascii_strtod (gain, NULL) : 0;
}

/* A whole Opus file that says it is ID gets its row back; @dry: it would. */
static gboolean
adopt (EncoreCache *self, const char *id, gboolean dry, gint64 *bytes)
{
  const int fd = encore_layout_open_file (self->layout, ENCORE_KIND_OPUS, id, "opus");
  g_auto (EncoreOggSummary) tags = {0};
  EncorePublish what = {0};
  EncoreEntryInfo sizes = {0};
  g_autofree char *sum = NULL;
  struct stat st;

  if (fd < 0)
    return FALSE;
  const gboolean whole =
      fstat (fd, &st) == 0 && S_ISREG (st.st_mode) && encore_ogg_summarise (fd, &tags, NULL) &&
      tags.complete && g_strcmp0 (encore_ogg_summary_get (&tags, "ENCORE_ID"), id) == 0 &&
      encore_ogg_verify (fd, NULL, NULL) && (sum = encore_layout_sum (fd, NULL)) != NULL &&
      (dry || encore_layout_sync_file (self->layout, ENCORE_KIND_OPUS, id, fd, NULL));
  close (fd);
  if (!whole)
    return FALSE;
  *bytes = sizes.opus_bytes = st.st_size;
  if (dry)
    return TRUE;
  sizes.sha256 = sum;
  fill_from_tags (&what, &tags);
  return encore_cache_make_ready (self, id, &what, &sizes, "", 0, NULL);
}

gboolean
encore_audit_adopt (EncoreCache *self, const char *id)
{
  gint64 bytes;

  if (has_row_in (self, id, "0, 1, 2") || !adopt (self, id, FALSE, &bytes))
    return FALSE;
  g_info ("cleanup: kept %s (%" G_GINT64_FORMAT
          " bytes): a whole file without a row: it has one now",
          id, bytes);
  return TRUE;
}

static gint64
size_of (int shard, const char *name)
{
  struct stat st;

  return fstatat (shard, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_size : 0;
}

/* A file of a song that has no row. */
static void
check_orphan (const Work *work, int shard, EncoreKind kind, const char *name, const char *id)
{
  EncoreCache *self = work->cache;
  g_autoptr (EncoreIdLock) lock = encore_locks_try (self->locks, id);
  gint64 bytes = size_of (shard, name);

  /* the list of names is old: a row that is gone may have taken its file with it */
  if (lock == NULL || faccessat (shard, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 ||
      has_row_in (self, id, "0, 1, 2")) {
    work->audit->skipped += lock == NULL;
    return;
  }
  if (kind == ENCORE_KIND_OPUS && adopt (self, id, work->dry, &bytes)) {
    work->audit->adopted++;
    work->audit->adopted_bytes += bytes;
    decide (work, id, FALSE, bytes, "a whole file without a row: it has one now");
    return;
  }
  if (!work->dry)
    unlinkat (shard, name, 0);
  work->audit->orphans++;
  work->audit->orphan_bytes += bytes;
  decide (work, id, TRUE, bytes, "a file without a row, and not whole");
}

static void
check_shard (const Work *work, EncoreKind kind, guint shard)
{
  EncoreLayout *layout = work->cache->layout;
  g_autoptr (GPtrArray) names = list_names (encore_layout_open_shard (layout, kind, shard));
  const int fd = encore_layout_open_shard (layout, kind, shard);

  for (guint i = 0; i < names->len && fd >= 0; i++) {
    const char *name = names->pdata[i];
    g_autofree char *id = NULL, *ext = NULL;
    if (!encore_layout_parse (layout, name, &id, &ext) || (encore_id_hash (id) & 0xff) != shard) {
      const gint64 bytes = size_of (fd, name);
      work->audit->orphans++;
      work->audit->orphan_bytes += bytes;
      decide (work, name, TRUE, bytes, "no file of ours has such a name here");
      if (!work->dry)
        unlinkat (fd, name, 0);
      continue;
    }
    if (!has_row_in (work->cache, id, "0, 1, 2"))
      check_orphan (work, fd, kind, name, id);
  }
  if (fd >= 0)
    close (fd);
}

/* ---- rows */

static gboolean
agrees (EncoreCache *self, const char *id, gboolean *missing)
{
  g_autoptr (EncoreEntryInfo) info = NULL;
  struct stat st;

  *missing = FALSE;
  if (!encore_cache_info (self, id, &info, NULL))
    return TRUE; /* gone meanwhile */
  const int fd = encore_layout_open_file (self->layout, ENCORE_KIND_OPUS, id, "opus");
  const gboolean there = fd >= 0 && fstat (fd, &st) == 0 && S_ISREG (st.st_mode);
  if (fd >= 0)
    close (fd);
  *missing = !there;
  return there && st.st_size == info->opus_bytes;
}

static gboolean
disagrees (EncoreCache *self, const char *id)
{
  gboolean missing;

  return !agrees (self, id, &missing);
}

static void
check_row (const Work *work, const char *id)
{
  EncoreCache *self = work->cache;
  gboolean missing;
  gint64 bytes = 0;
  g_autoptr (GError) error = NULL;

  work->audit->checked++;
  if (agrees (self, id, &missing))
    return;
  /* without the lock it may just have been evicted, or fetched again */
  if (!work->dry && !encore_evict_one (self, id, disagrees, &bytes, &error)) {
    work->audit->skipped++;
    return;
  }
  if (missing) {
    work->audit->dangling++;
    decide (work, id, TRUE, bytes, "its file is gone");
  } else {
    work->audit->mismatched++;
    work->audit->mismatch_bytes += bytes;
    decide (work, id, TRUE, bytes, "its file has not the size of the row");
  }
}

gboolean
encore_cache_audit (EncoreCache *self, gboolean dry, EncoreAudit *out, EncoreDecisionFunc func,
                    gpointer data, GError **error)
{
  const Work work = {self, dry, out, func, data};

  if (self->options.read_only) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_STORE,
                         "the cache is open for reading only");
    return FALSE;
  }
  memset (out, 0, sizeof *out);
  finish_rows (&work);
  finish_tmp (&work);
  g_autoptr (GPtrArray) ids = list_texts (self, "SELECT id FROM entry WHERE state = 1", NULL);
  for (guint i = 0; i < ids->len; i++)
    check_row (&work, ids->pdata[i]);
  for (int kind = 0; kind < ENCORE_N_KINDS; kind++)
    for (guint shard = 0; shard < 256; shard++)
      check_shard (&work, kind, shard);
  return TRUE;
}
