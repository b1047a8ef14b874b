/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The cache directory. */
#include "config.h"
#include "store/encore-layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/encore-media-id.h"

#define RESERVE_BYTES (2 * 1024 * 1024)
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static const char *const KINDS[ENCORE_N_KINDS] = {"opus", "audio"};

static gboolean
fail (GError **error, const char *what, const char *name)
{
  const int saved = errno;

  g_set_error (error, ENCORE_ERROR, saved == ENOSPC ? ENCORE_ERROR_NO_SPACE : ENCORE_ERROR_STORE,
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
check_ours (int fd, const char *name, GError **error)
{
  struct stat st;

  if (fstat (fd, &st) < 0)
    return fail (error, "cannot stat", name);
  if (st.st_uid != geteuid ())
    return refuse (error, name, "belongs to another user");
  if (st.st_mode & 022)
    return refuse (error, name, "can be written by others (chmod go-w)");
  return TRUE;
}

static int
open_dir (int parent, const char *name, gboolean make, GError **error)
{
  if (make && mkdirat (parent, name, 0700) < 0 && errno != EEXIST) {
    fail (error, "cannot make", name);
    return -1;
  }
  const int fd = openat (parent, name, DIR_FLAGS);
  if (fd < 0 && (errno == ELOOP || errno == ENOTDIR)) {
    refuse (error, name, "is a symbolic link or no directory");
  } else if (fd < 0) {
    fail (error, "cannot open", name);
  } else if (!check_ours (fd, name, error)) {
    close (fd);
    return -1;
  }
  return fd;
}

static gboolean
make_shards (EncoreLayout *self, GError **error)
{
  for (int kind = 0; kind < ENCORE_N_KINDS; kind++) {
    const int fd = open_dir (self->dirfd, KINDS[kind], TRUE, error);
    if (fd < 0)
      return FALSE;
    for (guint shard = 0; shard < 256; shard++) {
      char name[3];
      g_snprintf (name, sizeof name, "%02x", shard);
      if (mkdirat (fd, name, 0700) < 0 && errno != EEXIST) {
        fail (error, "cannot make", name);
        close (fd);
        return FALSE;
      }
    }
    close (fd);
  }
  return TRUE;
}

static gboolean
make_file (EncoreLayout *self, const char *name, const char *content, GError **error)
{
  const int fd = openat (self->dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  struct stat st;

  if (fd < 0)
    return errno == ELOOP ? refuse (error, name, "is a symbolic link")
                          : fail (error, "cannot make", name);
  const gssize len = strlen (content);
  gboolean ok = fstat (fd, &st) == 0 && (st.st_size > 0 || write (fd, content, len) == len);
  if (!ok)
    fail (error, "cannot write", name);
  close (fd);
  return ok;
}

/* Given up when the disk is so full that not even an eviction can be committed. */
static void
make_reserve (EncoreLayout *self)
{
  const int fd = openat (self->dirfd, "reserve", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

  if (fd < 0)
    return;
  if (posix_fallocate (fd, 0, RESERVE_BYTES) != 0)
    g_debug ("store: no room for the reserve");
  close (fd);
}

static void
probe_folding (EncoreLayout *self)
{
  const int fd = openat (self->tmpfd, ".CaseProbe", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

  if (fd < 0)
    return;
  close (fd);
  self->folds = faccessat (self->tmpfd, ".caseprobe", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  unlinkat (self->tmpfd, ".CaseProbe", 0);
}

EncoreLayout *
encore_layout_open (const char *dir, gboolean read_only, GError **error)
{
  g_autoptr (EncoreLayout) self = g_new0 (EncoreLayout, 1);
  struct statvfs vfs;

  self->dir = g_canonicalize_filename (dir, NULL);
  self->dirfd = self->tmpfd = -1;
  g_autofree char *parent = g_path_get_dirname (self->dir);
  if (!read_only)
    g_mkdir_with_parents (parent, 0700);
  self->dirfd = open_dir (AT_FDCWD, self->dir, !read_only, error);
  if (self->dirfd < 0)
    return NULL;
  if (fstatvfs (self->dirfd, &vfs) == 0)
    self->block_bytes = vfs.f_bsize;
  if (read_only)
    return g_steal_pointer (&self);

  self->tmpfd = open_dir (self->dirfd, "tmp", TRUE, error);
  if (self->tmpfd < 0 || !make_shards (self, error) ||
      !make_file (self, "CACHEDIR.TAG",
                  "Signature: 8a477f597d28d172789f06886806bc55\n# Encore's music cache\n", error) ||
      !make_file (self, "locks", "", error)) {
    g_prefix_error (error, "in the cache directory %s: ", self->dir);
    return NULL;
  }
  make_reserve (self);
  probe_folding (self);
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
  return shard_path (kind, encore_id_hash (id) & 0xff);
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

static gint64
unlink_counted (int dirfd, const char *name)
{
  struct stat st;
  const gint64 bytes = fstatat (dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_size : 0;

  return unlinkat (dirfd, name, 0) == 0 ? bytes : 0;
}

gint64
encore_layout_remove (const EncoreLayout *self, EncoreKind kind, const char *id)
{
  const int fd = encore_layout_open_shard (self, kind, encore_id_hash (id) & 0xff);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const struct dirent *entry;
  gint64 bytes = 0;

  if (fd < 0)
    return 0;
  DIR *dir = fdopendir (fd);
  while ((entry = readdir (dir)) != NULL) {
    g_autofree char *found = NULL, *ext = NULL;
    if (encore_layout_parse (self, entry->d_name, &found, &ext) && strcmp (found, id) == 0)
      g_ptr_array_add (names, g_strdup (entry->d_name));
  }
  for (guint i = 0; i < names->len; i++)
    bytes += unlink_counted (dirfd (dir), names->pdata[i]);
  if (names->len > 0)
    fsync (dirfd (dir));
  closedir (dir);
  return bytes;
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

static gint64
remove_tree (int parent, const char *name)
{
  const int fd = openat (parent, name, DIR_FLAGS);
  const struct dirent *entry;
  gint64 bytes = 0;

  if (fd < 0)
    return unlink_counted (parent, name);
  DIR *dir = fdopendir (fd);
  while ((entry = readdir (dir)) != NULL)
    if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
      bytes += remove_tree (dirfd (dir), entry->d_name);
  closedir (dir);
  unlinkat (parent, name, AT_REMOVEDIR);
  return bytes;
}

gint64
encore_layout_remove_private (const EncoreLayout *self, const char *name)
{
  return remove_tree (self->tmpfd, name);
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
  return fdatasync (fd) == 0 || fail (error, "cannot sync", name);
}

gboolean
encore_layout_publish (const EncoreLayout *self, const char *private_name, const char *name,
                       EncoreKind kind, const char *id, const char *ext, gint64 *bytes,
                       GError **error)
{
  g_autofree char *from = g_strconcat (private_name, "/", name, NULL);
  g_autofree char *to = encore_layout_name (self, id, ext);
  const int fd = openat (self->tmpfd, from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

  if (fd < 0)
    return fail (error, "cannot open", from);
  gboolean ok = make_durable (fd, from, bytes, error);
  close (fd);
  if (!ok)
    return FALSE;
  const int shard = encore_layout_open_shard (self, kind, encore_id_hash (id) & 0xff);
  if (shard < 0)
    return fail (error, "cannot open the shard of", id);
  ok = (renameat (self->tmpfd, from, shard, to) == 0 || fail (error, "cannot move", from)) &&
       (fsync (shard) == 0 || fail (error, "cannot sync the directory of", id));
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
