/* SPDX-License-Identifier: LGPL-2.1-or-later
 * From a directory of somebody's files to entries.
 *
 * Order of work: list the names; learn of each file which id it has; then id by id: is it in the
 * cache?, judge, choose, publish, delete.  So what was published before a kill is not lost.
 *
 * Threads: a pool of `jobs` for learning, then one for the ids; an id is one worker's.  The mutex
 * guards sums, reports and the error that ends it all. */
#include "config.h"
#include "import/encore-import.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encore-fs.h"
#include "base/encore-ogg.h"
#include "sound/encore-decode.h"
#include "import/encore-import-file.h"
#include "import/encore-import-group.h"
#include "sound/encore-normalise.h"

#define LONGER_PERCENT 2
#define OPUS_NAME "song.opus"
#define LEFTOVER_WHY "of a download that did not end"

typedef EncoreImportFile File;

typedef EncoreImportGroup Group;

typedef struct {
  EncoreCache *cache; /* (nullable) */
  const EncoreConfig *config;
  const EncoreImportOptions *options;
  int dirfd;
  GMutex mutex;
  EncoreImportSums *sums;
  guint done, total;
  gint64 pending_bytes; /* of the songs that are being encoded, estimated */
  GError *fatal;
} Import;

const char *
encore_import_verdict_name (EncoreImportVerdict verdict)
{
  static const char *const names[] = {"imported", "duplicate", "broken",  "no-id",
                                      "leftover", "other",     "skipped", "failed"};

  G_STATIC_ASSERT (G_N_ELEMENTS (names) == ENCORE_IMPORT_N_VERDICTS);
  return names[verdict];
}

/* ---- telling */

static void
tell (Import *self, const EncoreImportItem *item)
{
  g_mutex_lock (&self->mutex);
  self->sums->files[item->verdict]++;
  self->sums->bytes[item->verdict] += item->bytes;
  self->sums->missing += !item->in_cache && item->verdict != ENCORE_IMPORT_OTHER;
  self->options->report (item, self->options->data);
  g_mutex_unlock (&self->mutex);
}

static void
tell_file (Import *self, const File *file, EncoreImportVerdict verdict, gboolean in_cache,
           gboolean deleted, const char *reason)
{
  const EncoreImportItem item = {.name = file->name,
                                 .verdict = verdict,
                                 .id = file->stem,
                                 .title = encore_import_file_title (file),
                                 .bytes = file->st.st_size,
                                 .duration_ms = file->frames * 1000 / ENCORE_OPUS_RATE_HZ,
                                 .in_cache = in_cache,
                                 .deleted = deleted,
                                 .reason = reason};

  tell (self, &item);
}

static void
count_done (Import *self, guint files)
{
  g_mutex_lock (&self->mutex);
  self->done += files;
  if (self->options->progress != NULL)
    self->options->progress (self->done, self->total, self->options->data);
  g_mutex_unlock (&self->mutex);
}

/* What no other file would survive either. */
static gboolean
ends_all (const GError *error)
{
  return g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_NO_SPACE) ||
         g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_STORE) ||
         g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED);
}

static void
stop (Import *self, const GError *error)
{
  g_mutex_lock (&self->mutex);
  if (self->fatal == NULL)
    self->fatal = g_error_copy (error);
  g_mutex_unlock (&self->mutex);
}

static gboolean
is_stopped (Import *self)
{
  g_autoptr (GError) cancelled = NULL;

  if (g_cancellable_is_cancelled (self->options->cancellable)) {
    cancelled = g_error_new_literal (ENCORE_ERROR, ENCORE_ERROR_CANCELLED, "stopped by a signal");
    stop (self, cancelled);
  }
  g_mutex_lock (&self->mutex);
  const gboolean stopped = self->fatal != NULL;
  g_mutex_unlock (&self->mutex);
  return stopped;
}

/* What became of a file that is or is not wanted any more.  What was not judged, or could not be,
 * stays. */
static gboolean
delete_file (Import *self, const File *file)
{
  const gboolean judged = file->flaw != NULL
                              ? file->flaw_verdict == ENCORE_IMPORT_BROKEN
                              : file->whole || file->parsed.kind == ENCORE_NAME_LEFTOVER;

  if (!self->options->remove || self->options->dry || !judged || file->keep ||
      !encore_import_file_delete (file, self->dirfd))
    return FALSE;
  g_mutex_lock (&self->mutex);
  self->sums->freed_bytes += file->st.st_nlink == 1 ? file->st.st_size : 0;
  g_mutex_unlock (&self->mutex);
  return TRUE;
}

/* ---- listing */

static const char *
name_type (mode_t mode)
{
  return S_ISDIR (mode)    ? "a directory"
         : S_ISLNK (mode)  ? "a symbolic link"
         : S_ISSOCK (mode) ? "a socket"
         : S_ISFIFO (mode) ? "a pipe"
                           : "a device";
}

/* A name that is judged, or NULL when it was told of. */
static File *
list_name (Import *self, const char *name)
{
  EncoreImportItem item = {.name = name, .verdict = ENCORE_IMPORT_SKIPPED};
  struct stat st;

  if (fstatat (self->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return NULL; /* gone */
  if (!S_ISREG (st.st_mode)) {
    item.reason = name_type (st.st_mode);
    tell (self, &item);
    return NULL;
  }
  File *file = encore_import_file_new (name, &st);
  if (file->parsed.kind != ENCORE_NAME_OTHER)
    return file;
  encore_import_file_free (file);
  item.verdict = ENCORE_IMPORT_OTHER;
  item.bytes = st.st_size;
  item.reason = "by its name no song";
  tell (self, &item);
  return NULL;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

/* Returns: File; NULL with ERROR. */
static GPtrArray *
list_files (Import *self, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) files =
      g_ptr_array_new_with_free_func ((GDestroyNotify) encore_import_file_free);
  DIR *dir = fdopendir (fcntl (self->dirfd, F_DUPFD_CLOEXEC, 0));
  const struct dirent *entry;

  errno = 0;
  while (dir != NULL && (entry = readdir (dir)) != NULL)
    if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
      g_ptr_array_add (names, g_strdup (entry->d_name));
  if (dir == NULL || errno != 0) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_FAILED, "the directory cannot be read: %s",
                 g_strerror (errno));
    if (dir != NULL)
      closedir (dir);
    return NULL;
  }
  closedir (dir);
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < names->len; i++) {
    File *file = list_name (self, names->pdata[i]);
    if (file != NULL)
      g_ptr_array_add (files, file);
  }
  return g_steal_pointer (&files);
}

/* ---- which id */

static void
learn (gpointer data, gpointer user_data)
{
  Import *self = user_data;

  if (!is_stopped (self))
    encore_import_file_learn (data, self->dirfd);
}

/* ---- one id */

/* Returns: the file to take, NULL: none is whole, or the work was stopped before all were judged.
 */
static File *
choose (Import *self, const Group *group)
{
  g_autofree EncoreImportCandidate *candidates = g_new0 (EncoreImportCandidate, group->files->len);

  for (guint i = 0; i < group->files->len && !is_stopped (self); i++) {
    File *file = group->files->pdata[i];
    encore_import_file_judge (file, self->dirfd, self->options->cancellable);
    candidates[i] = (EncoreImportCandidate){file->whole, file->frames, file->st.st_size};
  }
  if (is_stopped (self))
    return NULL;
  const int best = encore_import_choose (candidates, group->files->len);
  return best >= 0 ? group->files->pdata[best] : NULL;
}

/* ---- publishing */

static gboolean
normalise (Import *self, const File *file, int fd, const char *opus, const char *url,
           EncoreNormalised *out, GError **error)
{
  const EncoreNormaliseOptions options = {self->config->loudness_lufs, self->config->true_peak_dbtp,
                                          self->config->bitrate_bps, 0,
                                          self->config->min_free_bytes};
  const char *artist = file->probe.artist != NULL ? file->probe.artist : "";
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_autofree char *id_tag = g_strconcat ("ENCORE_ID=", file->stem, NULL);
  g_autofree char *url_tag = g_strconcat ("ENCORE_SOURCE=", url, NULL);
  g_autofree char *title_tag = g_strconcat ("TITLE=", encore_import_file_title (file), NULL);
  g_autofree char *artist_tag = g_strconcat ("ARTIST=", artist, NULL);
  const char *const comments[] = {id_tag, url_tag, title_tag, artist_tag, NULL};

  if (!encore_normalise (path, opus, comments, &options, self->options->cancellable, out, error))
    return FALSE;
  if (out->duration_ms == file->frames * 1000 / ENCORE_OPUS_RATE_HZ)
    return TRUE;
  g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT,
                       "it does not decode to the same length twice");
  return FALSE;
}

/* What FILE will need as Opus; constrained VBR stays close to its rate. */
static gint64
estimate_bytes (Import *self, const File *file)
{
  return file->frames * self->config->bitrate_bps / 8 / ENCORE_OPUS_RATE_HZ * 11 / 10 + 65536;
}

/* Unlike a fetch an import evicts nothing: it would go round in circles, and with --delete songs
 * would be lost. */
static gboolean
reserve (Import *self, gint64 bytes, GError **error)
{
  EncoreCacheStats stats;

  encore_cache_stats (self->cache, &stats);
  g_mutex_lock (&self->mutex);
  const gint64 needed = self->pending_bytes + bytes;
  const gboolean small = stats.max_size_bytes > 0 && stats.bytes + needed > stats.max_size_bytes;
  const gboolean full = stats.free_bytes - needed < self->options->min_free_bytes;
  if (!small && !full)
    self->pending_bytes += bytes;
  g_mutex_unlock (&self->mutex);
  if (small || full)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_NO_SPACE,
                         full ? "there is not enough space on the disk"
                              : "the cache would become larger than max_size");
  return !small && !full;
}

static void
release (Import *self, gint64 bytes)
{
  g_mutex_lock (&self->mutex);
  self->pending_bytes -= bytes;
  g_mutex_unlock (&self->mutex);
}

static EncoreHandle *
encode_and_publish (Import *self, EncoreClaim *claim, const File *file, GError **error)
{
  g_autofree char *opus = g_build_filename (encore_claim_get_dir (claim), OPUS_NAME, NULL);
  g_autofree char *why = NULL;
  EncoreNormalised n = {0};
  EncoreMediaId id;

  encore_media_id_from_stem (file->stem, &id);
  g_autofree char *url = encore_media_id_to_url (&id);
  const int fd = encore_import_file_open (file, self->dirfd, &why);
  if (fd < 0) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT, why);
    return NULL;
  }
  const gboolean ok = normalise (self, file, fd, opus, url, &n, error);
  close (fd);
  if (!ok)
    return NULL;
  const EncorePublish what = {.opus_name = OPUS_NAME,
                              .title = encore_import_file_title (file),
                              .artist = file->probe.artist,
                              .url = url,
                              .duration_ms = n.duration_ms,
                              .loudness_lufs = n.loudness_lufs,
                              .gain_db = n.gain_db,
                              .max_packet_bytes = n.max_packet_bytes};
  return encore_claim_publish (claim, &what, error);
}

static EncoreHandle *
publish (Import *self, EncoreClaim *claim, const File *file, GError **error)
{
  const gint64 bytes = estimate_bytes (self, file);

  if (!reserve (self, bytes, error))
    return NULL;
  EncoreHandle *handle = encode_and_publish (self, claim, file, error);
  release (self, bytes);
  return handle;
}

/* Under the id's lock: the best file, and when it fails after all the next best.
 * Returns: a handle to the entry; *TAKEN: what it is made of, NULL: somebody else was faster.  NULL
 * without ERROR: no file was left. */
static EncoreHandle *
take (Import *self, const Group *group, File **taken, GError **error)
{
  const gint64 deadline_us = g_get_monotonic_time () + self->config->fetch_timeout_ms * 1000;
  EncoreHandle *handle = NULL;
  g_autoptr (EncoreClaim) claim = encore_cache_claim (self->cache, group->stem, deadline_us,
                                                      self->options->cancellable, &handle, error);

  *taken = NULL;
  while (claim != NULL && handle == NULL && (*taken = choose (self, group)) != NULL) {
    g_autoptr (GError) local = NULL;
    handle = publish (self, claim, *taken, &local);
    if (local != NULL && ends_all (local)) {
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
    if (local != NULL)
      encore_import_file_set_flaw (*taken, ENCORE_IMPORT_FAILED, "%s", local->message);
  }
  return handle;
}

/* ---- what is told of one id's files */

/* What is known of FILE whatever the others are.  *VERDICT and *WHY are left alone when it is
 * nothing.
 */
static gboolean
take_flaw (const File *file, EncoreImportVerdict *verdict, const char **why)
{
  const gboolean leftover = file->parsed.kind == ENCORE_NAME_LEFTOVER;

  if (!leftover && file->flaw == NULL)
    return FALSE;
  *verdict = leftover ? ENCORE_IMPORT_LEFTOVER : file->flaw_verdict;
  *why = leftover ? LEFTOVER_WHY : file->flaw;
  return TRUE;
}

static void
tell_without_id (Import *self, const File *file)
{
  EncoreImportVerdict verdict = ENCORE_IMPORT_NO_ID;
  const char *why = file->parsed.trust == ENCORE_TRUST_DOUBT
                        ? "its name ends in what may be an id or a word, and no tag names an id"
                        : "neither its name nor a tag has a YouTube id";

  take_flaw (file, &verdict, &why);
  tell_file (self, file, verdict, FALSE, FALSE, why);
}

/* FILE is not what the entry is made of; IN_CACHE: there is one. */
static void
tell_not_taken (Import *self, const File *file, const File *taken, gboolean in_cache)
{
  g_autofree char *lengths = NULL;
  EncoreImportVerdict verdict = ENCORE_IMPORT_DUPLICATE;
  const char *why = "the cache has this song";
  const gboolean deleted = in_cache && delete_file (self, file);

  const gboolean flawed = take_flaw (file, &verdict, &why);
  if (!flawed && file->keep) {
    why = lengths = g_strdup_printf ("%.1f s, longer than the one in the cache: kept",
                                     (double) file->frames / ENCORE_OPUS_RATE_HZ);
  } else if (!flawed && taken != NULL) {
    why = lengths = g_strdup_printf ("%.1f s, the one taken has %.1f s",
                                     (double) file->frames / ENCORE_OPUS_RATE_HZ,
                                     (double) taken->frames / ENCORE_OPUS_RATE_HZ);
  }
  tell_file (self, file, verdict, in_cache, deleted, why);
}

static void
tell_group (Import *self, const Group *group, const File *taken, gboolean in_cache)
{
  const guint n = group->files->len;

  for (guint i = 0; i < n; i++) {
    const File *file = group->files->pdata[i];
    if (file != taken) {
      tell_not_taken (self, file, taken, in_cache);
      continue;
    }
    g_autofree char *why = n == 1 ? g_strdup ("decoded wholly")
                                  : g_strdup_printf ("the longest whole one of %u files", n);
    const gboolean deleted = delete_file (self, file);
    tell_file (self, file, ENCORE_IMPORT_IMPORTED, TRUE, deleted, why);
  }
}

/* ---- one id, from the look-up to the report */

static EncoreHandle *
look_up (Import *self, const char *stem)
{
  g_autoptr (GError) error = NULL;
  EncoreHandle *hit =
      self->cache != NULL ? encore_cache_get (self->cache, stem, FALSE, &error) : NULL;

  if (error != NULL && !g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND))
    stop (self, error);
  return hit;
}

/* A file is only broken here if what is known to be whole does decode: else it is the decoder. */
static void
spare_broken (Import *self, const Group *group, EncoreHandle *hit)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", encore_handle_get_fd (hit));
  g_autoptr (GError) error = NULL;
  gint64 frames;
  guint n_broken = 0;

  for (guint i = 0; i < group->files->len; i++) {
    const File *file = group->files->pdata[i];
    n_broken += file->flaw != NULL && file->flaw_verdict == ENCORE_IMPORT_BROKEN;
  }
  if (n_broken == 0 || encore_decode_check (path, self->options->cancellable, &frames, &error))
    return;
  for (guint i = 0; i < group->files->len; i++)
    encore_import_file_set_flaw (group->files->pdata[i], ENCORE_IMPORT_FAILED,
                                 "it cannot be judged, nor can the cached song: %s",
                                 error->message);
}

/* Before files are deleted for it the cached song must be what it was, byte for byte; a damaged one
 * goes, and is taken anew.  Each file is judged, and one that has more music than the cache stays.
 * @hit: (transfer full).  Returns: (transfer full) (nullable). */
static EncoreHandle *
vouch (Import *self, const Group *group, EncoreHandle *hit)
{
  g_autoptr (GError) error = NULL;

  encore_handle_free (hit);
  if (!encore_cache_verify (self->cache, group->stem, FALSE, &error) &&
      !g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT) &&
      !g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND))
    for (guint i = 0; i < group->files->len; i++)
      encore_import_file_set_flaw (group->files->pdata[i], ENCORE_IMPORT_FAILED,
                                   "the cached song cannot be verified: %s", error->message);
  hit = look_up (self, group->stem);
  if (hit == NULL)
    return NULL;
  choose (self, group);
  spare_broken (self, group, hit);
  const gint64 cached_ms = encore_handle_get_info (hit)->duration_ms;
  for (guint i = 0; i < group->files->len; i++) {
    File *file = group->files->pdata[i];
    const gint64 has_ms = file->frames * 1000 / ENCORE_OPUS_RATE_HZ;
    file->keep = file->whole && has_ms * 100 > cached_ms * (100 + LONGER_PERCENT);
  }
  return hit;
}

/* The cache has no such song. */
static void
take_and_tell (Import *self, const Group *group)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EncoreHandle) handle = NULL;
  File *taken = choose (self, group);
  const gboolean wanted = taken != NULL && !self->options->dry && !is_stopped (self);

  if (wanted)
    handle = take (self, group, &taken, &error);
  if (handle != NULL && taken == NULL && self->options->remove) /* somebody else was faster */
    handle = vouch (self, group, g_steal_pointer (&handle));
  /* what was published is told: all its files were judged before */
  if (is_stopped (self) && (handle == NULL || taken == NULL))
    return;
  if (error != NULL && ends_all (error)) {
    stop (self, error);
    return;
  }
  for (guint i = 0; i < group->files->len && error != NULL; i++) {
    File *file = group->files->pdata[i];
    if (file->whole)
      encore_import_file_set_flaw (file, ENCORE_IMPORT_FAILED, "%s", error->message);
  }
  const gboolean in_cache = wanted ? handle != NULL : taken != NULL;
  tell_group (self, group, in_cache ? taken : NULL, in_cache);
}

static void
settle (gpointer data, gpointer user_data)
{
  const Group *group = data;
  Import *self = user_data;

  if (is_stopped (self))
    return;
  if (group->stem == NULL) {
    tell_without_id (self, group->files->pdata[0]);
  } else {
    g_autoptr (EncoreHandle) hit = look_up (self, group->stem);
    if (hit != NULL && self->options->remove && !self->options->dry) {
      hit = vouch (self, group, hit);
      if (is_stopped (self)) /* perhaps before all were judged */
        return;
    }
    if (hit != NULL)
      tell_group (self, group, NULL, TRUE);
    else if (!is_stopped (self))
      take_and_tell (self, group);
  }
  count_done (self, group->files->len);
}

/* ---- all */

static void
for_each (Import *self, GPtrArray *items, GFunc func)
{
  GThreadPool *pool = g_thread_pool_new (func, self, self->options->jobs, FALSE, NULL);

  for (guint i = 0; i < items->len; i++)
    g_thread_pool_push (pool, items->pdata[i], NULL);
  g_thread_pool_free (pool, FALSE, TRUE);
}

static gboolean
import_all (Import *self, GError **error)
{
  g_autoptr (GPtrArray) files = NULL;

  if (self->cache != NULL &&
      encore_fs_is_inside (self->dirfd, encore_cache_get_dir (self->cache))) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_FAILED,
                         "the directory belongs to the cache itself");
    return FALSE;
  }
  files = list_files (self, error);
  if (files == NULL)
    return FALSE;
  self->total = files->len;
  for_each (self, files, learn);
  g_autoptr (GPtrArray) groups =
      encore_import_group (files, self->dirfd, self->options->cancellable);
  for_each (self, groups, settle);
  if (self->fatal == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&self->fatal));
  return FALSE;
}

gboolean
encore_import (EncoreCache *cache, const EncoreConfig *config, const EncoreImportOptions *options,
               EncoreImportSums *sums, GError **error)
{
  Import self = {.cache = cache, .config = config, .options = options, .sums = sums};

  g_return_val_if_fail (cache != NULL || options->dry, FALSE);
  memset (sums, 0, sizeof *sums);
  self.dirfd = open (options->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (self.dirfd < 0) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_FAILED, "the directory cannot be opened: %s",
                 g_strerror (errno));
    return FALSE;
  }
  g_mutex_init (&self.mutex);
  const gboolean ok = import_all (&self, error);
  g_mutex_clear (&self.mutex);
  g_clear_error (&self.fatal);
  close (self.dirfd);
  return ok;
}
