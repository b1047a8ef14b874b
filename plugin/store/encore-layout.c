/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The cache directory. */
#include "config.h"
#include "store/encore-layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/encore-media-id.h"
#include "store/encore-mutant.h"

#define QUARANTINE "quarantine"
#define QUARANTINED 8
#define RESERVE "reserve"
#define RESERVE_BYTES (2 * 1024 * 1024)
#define SMALLEST_RESERVE_BYTES (256 * 1024) /* some transactions fit */
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define FILE_FLAGS \
  (O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) /* a FIFO keeps nobody waiting */

static const char *const KINDS[ENCORE_N_KINDS] = {"opus", "audio"};

static gboolean
fail (GError **error, const char *what, const char *name)
{
  const int saved = errno;

  g_set_error (error, ENCORE_ERROR,
               saved == ENOSPC || saved == EDQUOT ? ENCORE_ERROR_NO_SPACE : ENCORE_ERROR_STORE,
               "%s %s: %s", what, name, g_strerror (saved));
  return FALSE;
}

static gboolean
refuse (GError **error, const char *name, const char *why)
{
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "the cache directory is refused: %s %s",
               name, why);
  return FALSE;
}

/* A directory that somebody else may write to could be changed under us. */
static gboolean
check_ours (const struct stat *st, const char *name, GError **error)
{
  if (!S_ISDIR (st->st_mode))
    return refuse (error, name, "is a symbolic link or no directory");
  if (st->st_uid != geteuid ())
    return refuse (error, name, "belongs to another user");
  if (st->st_mode & 022)
    return refuse (error, name, "can be written by others (chmod go-w)");
  return TRUE;
}

/* What leads to the cache may be links, a home directory often is; SQLite refuses them all.  */
static void
resolve_links (EncoreLayout *self)
{
  char *real = realpath (self->dir, NULL);

  if (real == NULL)
    return;
  g_free (self->dir);
  self->dir = g_strdup (real);
  free (real);
}

/* NAME below PARENT is there and ours.  *MADE is set when it had to be made. */
static gboolean
ensure_dir (int parent, const char *name, gboolean *made, GError **error)
{
  struct stat st;

  if (fstatat (parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
    return check_ours (&st, name, error);
  if (errno != ENOENT)
    return fail (error, "cannot stat", name);
  if (mkdirat (parent, name, 0700) < 0 && errno != EEXIST)
    return fail (error, "cannot make", name);
  *made = TRUE;
  return fstatat (parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? check_ours (&st, name, error)
                                                               : fail (error, "cannot stat", name);
}

static int
open_dir (int parent, const char *name, GError **error)
{
  const int fd = openat (parent, name, DIR_FLAGS);
  struct stat st;

  if (fd < 0 && (errno == ELOOP || errno == ENOTDIR)) {
    refuse (error, name, "is a symbolic link or no directory");
  } else if (fd < 0) {
    fail (error, "cannot open", name);
  } else if (fstat (fd, &st) < 0 || !check_ours (&st, name, error)) {
    close (fd);
    return -1;
  }
  return fd;
}

/* Before a row can be durable the directories of its files must be. */
static gboolean
make_shards (int kind_fd, gboolean *made, GError **error)
{
  gboolean new_ones = FALSE;

  for (guint shard = 0; shard < ENCORE_LAYOUT_SHARDS; shard++) {
    char name[3];
    g_snprintf (name, sizeof name, "%02x", shard);
    if (!ensure_dir (kind_fd, name, &new_ones, error))
      return FALSE;
  }
  *made |= new_ones;
  return !new_ones || fsync (kind_fd) == 0 || fail (error, "cannot sync", "shards");
}

static gboolean
make_kinds (EncoreLayout *self, gboolean *made, GError **error)
{
  for (int kind = 0; kind < ENCORE_N_KINDS; kind++) {
    if (!ensure_dir (self->dirfd, KINDS[kind], made, error))
      return FALSE;
    const int fd = open_dir (self->dirfd, KINDS[kind], error);
    const gboolean ok = fd >= 0 && make_shards (fd, made, error);
    if (fd >= 0)
      close (fd);
    if (!ok)
      return FALSE;
  }
  return TRUE;
}

static gboolean
make_file (EncoreLayout *self, const char *name, const char *content, GError **error)
{
  const int fd = openat (self->dirfd, name, FILE_FLAGS, 0600);
  struct stat st = {0};

  if (fd < 0)
    return errno == ELOOP                      ? refuse (error, name, "is a symbolic link")
           : errno == ENXIO || errno == EISDIR ? refuse (error, name, "is no file")
                                               : fail (error, "cannot make", name);
  const gssize len = strlen (content);
  gboolean ok = fstat (fd, &st) == 0 && S_ISREG (st.st_mode) &&
                (st.st_size > 0 || write (fd, content, len) == len);
  if (!ok && !S_ISREG (st.st_mode))
    refuse (error, name, "is no file");
  else if (!ok)
    fail (error, "cannot write", name);
  close (fd);
  return ok;
}

void
encore_layout_keep_reserve (const EncoreLayout *self)
{
  struct stat st;

  if (fstatat (self->dirfd, RESERVE, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG (st.st_mode) &&
      st.st_size == RESERVE_BYTES)
    return;
  const int fd = openat (self->dirfd, RESERVE, FILE_FLAGS, 0600);
  off_t bytes = RESERVE_BYTES;
  if (fd < 0)
    return;
  /* a smaller one rather than none: what was given up is taken by others at once */
  while (bytes >= SMALLEST_RESERVE_BYTES &&
         (ftruncate (fd, 0) < 0 || posix_fallocate (fd, 0, bytes) != 0))
    bytes /= 2;
  if (bytes < SMALLEST_RESERVE_BYTES) {
    g_debug ("store: no room for the reserve");
    unlinkat (self->dirfd, RESERVE, 0);
  }
  close (fd);
}

void
encore_layout_give_reserve (const EncoreLayout *self)
{
  if (unlinkat (self->dirfd, RESERVE, 0) == 0)
    g_warning ("store: the disk is full: the reserve is given up so that others can be evicted");
}

/* Asked of a file that is always there: a probe of our own could be removed by a peer that cleans
 * tmp/ just now. */
static gboolean
is_folding (const EncoreLayout *self)
{
  return faccessat (self->dirfd, "cachedir.tag", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Who only reads makes nothing, but is not led elsewhere either. */
static gboolean
check_kinds (EncoreLayout *self, GError **error)
{
  for (int kind = 0; kind < ENCORE_N_KINDS; kind++) {
    struct stat st;
    const int fd = openat (self->dirfd, KINDS[kind], DIR_FLAGS);
    gboolean ok = fd >= 0 || errno == ENOENT ||
                  refuse (error, KINDS[kind], "is a symbolic link or no directory");
    for (guint shard = 0; ok && fd >= 0 && shard < ENCORE_LAYOUT_SHARDS; shard++) {
      char name[3];
      g_snprintf (name, sizeof name, "%02x", shard);
      if (fstatat (fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        ok = check_ours (&st, name, error);
    }
    if (fd >= 0)
      close (fd);
    if (!ok)
      return FALSE;
  }
  return TRUE;
}

static gboolean
make_all (EncoreLayout *self, gboolean made, GError **error)
{
  if (!ensure_dir (self->dirfd, "tmp", &made, error) ||
      (self->tmpfd = open_dir (self->dirfd, "tmp", error)) < 0 ||
      !make_kinds (self, &made, error) ||
      !make_file (self, "CACHEDIR.TAG",
                  "Signature: 8a477f597d28d172789f06886806bc55\n# Encore's music cache\n", error) ||
      !make_file (self, "locks", "", error))
    return FALSE;
  encore_layout_keep_reserve (self);
  return !made || fsync (self->dirfd) == 0 || fail (error, "cannot sync", self->dir);
}

EncoreLayout *
encore_layout_open (const char *dir, gboolean read_only, GError **error)
{
  g_autoptr (EncoreLayout) self = g_new0 (EncoreLayout, 1);
  struct statvfs vfs;
  gboolean made = FALSE;

  self->dir = g_canonicalize_filename (dir, NULL);
  self->dirfd = self->tmpfd = -1;
  g_autofree char *parent = g_path_get_dirname (self->dir);
  if (!read_only)
    g_mkdir_with_parents (parent, 0700);
  if (!read_only && !ensure_dir (AT_FDCWD, self->dir, &made, error))
    return NULL;
  self->dirfd = open_dir (AT_FDCWD, self->dir, error);
  if (self->dirfd < 0)
    return NULL;
  resolve_links (self);
  if (fstatvfs (self->dirfd, &vfs) == 0)
    self->block_bytes = vfs.f_bsize;
  if (read_only ? !check_kinds (self, error) : !make_all (self, made, error)) {
    g_prefix_error (error, "in the cache directory %s: ", self->dir);
    return NULL;
  }
  self->folds = is_folding (self);
  return g_steal_pointer (&self);
}

void
encore_layout_free (EncoreLayout *self)
{
  if (self == NULL)
    return;
  if (self->dirfd >= 0)
    close (self->dirfd);
  if (self->tmpfd >= 0)
    close (self->tmpfd);
  g_free (self->dir);
  g_free (self);
}

/* ---- names */

char *
encore_layout_name (const EncoreLayout *self, const char *id, const char *ext)
{
  g_autoptr (GString) capitals = g_string_new (NULL);

  if (!self->folds)
    return g_strconcat (id, ".", ext, NULL);
  for (gsize i = 0; id[i] != '\0'; i += 4) {
    guint digit = 0;
    for (gsize k = 0; k < 4 && id[i + k] != '\0'; k++)
      digit |= (guint) g_ascii_isupper (id[i + k]) << k;
    g_string_append_printf (capitals, "%x", digit);
    if (strlen (id + i) < 4)
      break;
  }
  return g_strconcat (id, "~", capitals->str, ".", ext, NULL);
}

gboolean
encore_layout_parse (const EncoreLayout *self, const char *name, char **id, char **ext)
{
  const char *dot = strchr (name, '.');

  if (dot == NULL || dot == name || dot[1] == '\0')
    return FALSE;
  g_autofree char *stem = g_strndup (name, dot - name);
  char *tilde = strchr (stem, '~');
  if (tilde != NULL)
    *tilde = '\0';
  if (!encore_id_is_stem (stem))
    return FALSE;
  g_autofree char *expected = encore_layout_name (self, stem, dot + 1);
  if (strcmp (expected, name) != 0)
    return FALSE;
  *id = g_steal_pointer (&stem);
  *ext = g_strdup (dot + 1);
  return TRUE;
}

static char *
shard_path (EncoreKind kind, guint shard)
{
  return g_strdup_printf ("%s/%02x", KINDS[kind], shard);
}

char *
encore_layout_shard (EncoreKind kind, const char *id)
{
  return shard_path (kind, encore_id_hash (id) % ENCORE_LAYOUT_SHARDS);
}

int
encore_layout_open_shard (const EncoreLayout *self, EncoreKind kind, guint shard)
{
  g_autofree char *path = shard_path (kind, shard);

  return openat (self->dirfd, path, DIR_FLAGS);
}

/* ---- files */

int
encore_layout_open_file (const EncoreLayout *self, EncoreKind kind, const char *id, const char *ext)
{
  g_autofree char *shard = encore_layout_shard (kind, id);
  g_autofree char *name = encore_layout_name (self, id, ext);
  g_autofree char *path = g_strconcat (shard, "/", name, NULL);

  /* the shard directories are ours and checked at open: only the last part can be a link */
  return openat (self->dirfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

/* Adds the size of NAME to *BYTES if it could be removed.  Who is gone already is fine. */
static gboolean
unlink_counted (int dirfd, const char *name, gint64 *bytes)
{
  struct stat st;
  const gint64 size = fstatat (dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_size : 0;

  if (unlinkat (dirfd, name, 0) == 0)
    *bytes += size;
  else if (errno != ENOENT)
    return FALSE;
  return TRUE;
}

/* The names of ID's files; NULL with errno. */
static GPtrArray *
list_files (const EncoreLayout *self, DIR *dir, const char *id)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const gsize len = strlen (id);
  const struct dirent *entry;

  while (errno = 0, (entry = readdir (dir)) != NULL) {
    g_autofree char *found = NULL, *ext = NULL;
    if (strncmp (entry->d_name, id, len) == 0 &&
        encore_layout_parse (self, entry->d_name, &found, &ext) && strcmp (found, id) == 0)
      g_ptr_array_add (names, g_strdup (entry->d_name));
  }
  return errno == 0 ? g_steal_pointer (&names) : NULL;
}

static DIR *
open_shard_of (const EncoreLayout *self, EncoreKind kind, const char *id)
{
  const int fd = encore_layout_open_shard (self, kind, encore_id_hash (id) % ENCORE_LAYOUT_SHARDS);
  DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;

  if (dir == NULL && fd >= 0)
    close (fd);
  return dir;
}

gint64
encore_layout_find_source (const EncoreLayout *self, const char *id, char **ext)
{
  DIR *dir = open_shard_of (self, ENCORE_KIND_AUDIO, id);
  g_autoptr (GPtrArray) names = dir != NULL ? list_files (self, dir, id) : NULL;
  g_autofree char *found = NULL;
  struct stat st = {0};

  if (names == NULL) {
    if (dir != NULL)
      closedir (dir);
    return -1;
  }
  if (names->len == 1 && fstatat (dirfd (dir), names->pdata[0], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISREG (st.st_mode) && st.st_size > 0)
    encore_layout_parse (self, names->pdata[0], &found, ext);
  closedir (dir);
  return found != NULL ? st.st_size : 0;
}

gboolean
encore_layout_remove (const EncoreLayout *self, EncoreKind kind, const char *id, gint64 *bytes,
                      GError **error)
{
  DIR *dir = open_shard_of (self, kind, id);
  gboolean ok;

  if (dir == NULL)
    return fail (error, "cannot open the shard of", id);
  g_autoptr (GPtrArray) names = list_files (self, dir, id);
  ok = names != NULL || fail (error, "cannot list the shard of", id);
  for (guint i = 0; ok && i < names->len; i++)
    ok = unlink_counted (dirfd (dir), names->pdata[i], bytes) ||
         fail (error, "cannot remove", names->pdata[i]);
  if (ok && names->len > 0)
    ok = fsync (dirfd (dir)) == 0 || fail (error, "cannot sync the directory of", id);
  closedir (dir);
  return ok;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Names begin with their time. */
static void
keep_last (int fd, guint keep)
{
  DIR *dir = fdopendir (dup (fd));
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const struct dirent *entry;

  if (dir == NULL)
    return;
  while ((entry = readdir (dir)) != NULL)
    if (*entry->d_name != '.')
      g_ptr_array_add (names, g_strdup (entry->d_name));
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i + keep < names->len; i++)
    unlinkat (fd, names->pdata[i], 0);
  closedir (dir);
}

void
encore_layout_quarantine (const EncoreLayout *self, const char *id)
{
  const int shard =
      encore_layout_open_shard (self, ENCORE_KIND_OPUS, encore_id_hash (id) % ENCORE_LAYOUT_SHARDS);
  gboolean made;
  const int fd = ensure_dir (self->dirfd, QUARANTINE, &made, NULL)
                     ? open_dir (self->dirfd, QUARANTINE, NULL)
                     : -1;
  g_autofree char *name = encore_layout_name (self, id, "opus");
  g_autofree char *kept =
      g_strdup_printf ("%" G_GINT64_FORMAT "-%s", g_get_real_time () / G_USEC_PER_SEC, name);

  if (shard >= 0 && fd >= 0 && linkat (shard, name, fd, kept, 0) == 0)
    g_warning ("store: %s is damaged: kept as " QUARANTINE "/%s", id, kept);
  else
    g_warning ("store: %s is damaged, and cannot be kept in " QUARANTINE "/", id);
  if (fd >= 0) {
    keep_last (fd, QUARANTINED);
    close (fd);
  }
  if (shard >= 0)
    close (shard);
}

char *
encore_layout_make_private (EncoreLayout *self, const char *id, GError **error)
{
  for (;;) {
    g_autofree char *name = g_strdup_printf ("%s.%d-%d", id, (int) getpid (),
                                             g_atomic_int_add ((gint *) &self->serial, 1));
    if (mkdirat (self->tmpfd, name, 0700) == 0)
      return g_steal_pointer (&name);
    if (errno != EEXIST) {
      fail (error, "cannot make", name);
      return NULL;
    }
  }
}

static gboolean
remove_tree (int parent, const char *name, gint64 *bytes)
{
  const int fd = openat (parent, name, DIR_FLAGS);
  DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;
  const struct dirent *entry;
  gboolean ok = TRUE;

  if (dir == NULL) {
    if (fd >= 0)
      close (fd);
    return unlink_counted (parent, name, bytes);
  }
  while ((entry = readdir (dir)) != NULL)
    if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
      ok = remove_tree (dirfd (dir), entry->d_name, bytes) && ok;
  closedir (dir);
  return unlinkat (parent, name, AT_REMOVEDIR) == 0 && ok;
}

gboolean
encore_layout_remove_private (const EncoreLayout *self, const char *name, gint64 *bytes)
{
  return remove_tree (self->tmpfd, name, bytes);
}

/* A failed sync condemns the file: the kernel may have dropped the pages it could not write. */
static gboolean
make_durable (int fd, const char *name, gint64 *bytes, GError **error)
{
  struct stat st;

  if (fstat (fd, &st) < 0)
    return fail (error, "cannot stat", name);
  if (!S_ISREG (st.st_mode) || st.st_size == 0) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "%s is empty or no file", name);
    return FALSE;
  }
  *bytes = st.st_size;
  return encore_mutant ("no-fdatasync") || fdatasync (fd) == 0 || fail (error, "cannot sync", name);
}

int
encore_layout_open_private (const EncoreLayout *self, const char *private_name, const char *name,
                            GError **error)
{
  g_autofree char *path = g_strconcat (private_name, "/", name, NULL);
  const int fd = openat (self->tmpfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

  if (fd < 0)
    fail (error, "cannot open", path);
  return fd;
}

gboolean
encore_layout_publish (const EncoreLayout *self, const char *private_name, const char *name,
                       EncoreKind kind, const char *id, const char *ext, gint64 *bytes,
                       GError **error)
{
  g_autofree char *from = g_strconcat (private_name, "/", name, NULL);
  g_autofree char *to = encore_layout_name (self, id, ext);
  const int fd = encore_layout_open_private (self, private_name, name, error);

  if (fd < 0)
    return FALSE;
  gboolean ok = make_durable (fd, from, bytes, error);
  close (fd);
  if (!ok)
    return FALSE;
  const int shard =
      encore_layout_open_shard (self, kind, encore_id_hash (id) % ENCORE_LAYOUT_SHARDS);
  if (shard < 0)
    return fail (error, "cannot open the shard of", id);
  ok = (renameat (self->tmpfd, from, shard, to) == 0 || fail (error, "cannot move", from)) &&
       (encore_mutant ("no-dirsync") || fsync (shard) == 0 ||
        fail (error, "cannot sync the directory of", id));
  close (shard);
  return ok;
}

gboolean
encore_layout_move_stray (const EncoreLayout *self, int from, const char *name, const char *id,
                          GError **error)
{
  const int shard =
      encore_layout_open_shard (self, ENCORE_KIND_OPUS, encore_id_hash (id) % ENCORE_LAYOUT_SHARDS);
  g_autofree char *to = encore_layout_name (self, id, "opus");

  if (shard < 0)
    return fail (error, "cannot open the shard of", id);
  const gboolean ok =
      (renameat (from, name, shard, to) == 0 || fail (error, "cannot move", name)) &&
      ((fsync (shard) == 0 && fsync (from) == 0) || fail (error, "cannot sync", name));
  close (shard);
  return ok;
}

gboolean
encore_layout_sync_file (const EncoreLayout *self, EncoreKind kind, const char *id, int fd,
                         GError **error)
{
  const int shard =
      encore_layout_open_shard (self, kind, encore_id_hash (id) % ENCORE_LAYOUT_SHARDS);
  const gboolean ok = fdatasync (fd) == 0 && shard >= 0 && fsync (shard) == 0;

  if (!ok)
    fail (error, "cannot sync", id);
  if (shard >= 0)
    close (shard);
  return ok;
}

gint64
encore_layout_get_free (const EncoreLayout *self)
{
  struct statvfs vfs;

  if (fstatvfs (self->dirfd, &vfs) < 0)
    return 0;
  return (gint64) vfs.f_bavail * vfs.f_frsize;
}
