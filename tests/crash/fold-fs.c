/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A file system that folds case, for kernels that have none: a FUSE passthrough that finds each
 * part of a path whatever its case, and keeps the case of what it makes.
 *
 *   crash-fold-fs ROOT MOUNT-POINT      in the foreground until it is unmounted */
#include "config.h"

#define FUSE_USE_VERSION 31
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int root;

/* ---- names */

/* NAME as it is in PARENT, or as it is given. */
static char *
find_name (const char *parent, const char *name)
{
  g_autofree char *path = g_build_filename (parent, name, NULL);
  const struct dirent *entry;
  char *found = NULL;
  struct stat st;

  if (fstatat (root, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
    return g_strdup (name);
  const int fd = openat (root, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;
  while (dir != NULL && found == NULL && (entry = readdir (dir)) != NULL)
    if (strcasecmp (entry->d_name, name) == 0)
      found = g_strdup (entry->d_name);
  if (dir != NULL)
    closedir (dir);
  return found != NULL ? found : g_strdup (name);
}

/* PATH of FUSE ("/a/b") as one below the root, each part by its real name. */
static char *
resolve (const char *path)
{
  g_auto (GStrv) parts = g_strsplit (path + 1, "/", -1);
  char *real = g_strdup (".");

  for (int i = 0; parts[i] != NULL && *parts[i] != '\0'; i++) {
    g_autofree char *parent = real;
    g_autofree char *name = find_name (parent, parts[i]);
    real = g_build_filename (parent, name, NULL);
  }
  return real;
}

static int
answer (int result)
{
  return result < 0 ? -errno : result;
}

static int
fd_of (const struct fuse_file_info *info)
{
  return (int) info->fh;
}

/* ---- entries */

static int
fold_getattr (const char *path, struct stat *st, struct fuse_file_info *info)
{
  if (info != NULL)
    return answer (fstat (fd_of (info), st));
  g_autofree char *real = resolve (path);
  return answer (fstatat (root, real, st, AT_SYMLINK_NOFOLLOW));
}

static int
fold_access (const char *path, int mode)
{
  g_autofree char *real = resolve (path);

  return answer (faccessat (root, real, mode, AT_SYMLINK_NOFOLLOW));
}

static int
fold_mkdir (const char *path, mode_t mode)
{
  g_autofree char *real = resolve (path);

  return answer (mkdirat (root, real, mode));
}

static int
fold_unlink (const char *path)
{
  g_autofree char *real = resolve (path);

  return answer (unlinkat (root, real, 0));
}

static int
fold_rmdir (const char *path)
{
  g_autofree char *real = resolve (path);

  return answer (unlinkat (root, real, AT_REMOVEDIR));
}

static int
fold_rename (const char *from, const char *to, unsigned flags)
{
  g_autofree char *real_from = resolve (from), *real_to = resolve (to);

  return flags != 0 ? -EINVAL : answer (renameat (root, real_from, root, real_to));
}

static int
fold_link (const char *from, const char *to)
{
  g_autofree char *real_from = resolve (from), *real_to = resolve (to);

  return answer (linkat (root, real_from, root, real_to, 0));
}

static int
fold_chmod (const char *path, mode_t mode, struct fuse_file_info *info)
{
  g_autofree char *real = resolve (path);

  return answer (fchmodat (root, real, mode, 0));
}

static int
fold_utimens (const char *path, const struct timespec times[2], struct fuse_file_info *info)
{
  if (info != NULL)
    return answer (futimens (fd_of (info), times));
  g_autofree char *real = resolve (path);
  return answer (utimensat (root, real, times, AT_SYMLINK_NOFOLLOW));
}

static int
fold_statfs (const char *path, struct statvfs *vfs)
{
  return answer (fstatvfs (root, vfs));
}

/* ---- files */

static int
open_as (const char *path, int flags, mode_t mode, struct fuse_file_info *info)
{
  g_autofree char *real = resolve (path);
  const int fd = openat (root, real, (flags | O_CLOEXEC) & ~O_APPEND, mode);

  info->fh = fd;
  return fd < 0 ? -errno : 0;
}

static int
fold_open (const char *path, struct fuse_file_info *info)
{
  return open_as (path, info->flags & ~O_CREAT, 0, info);
}

static int
fold_create (const char *path, mode_t mode, struct fuse_file_info *info)
{
  return open_as (path, info->flags | O_CREAT, mode, info);
}

static int
fold_release (const char *path, struct fuse_file_info *info)
{
  return answer (close (fd_of (info)));
}

static int
fold_read (const char *path, char *buf, size_t len, off_t at, struct fuse_file_info *info)
{
  return answer (pread (fd_of (info), buf, len, at));
}

static int
fold_write (const char *path, const char *buf, size_t len, off_t at, struct fuse_file_info *info)
{
  return answer (pwrite (fd_of (info), buf, len, at));
}

static int
fold_truncate (const char *path, off_t size, struct fuse_file_info *info)
{
  if (info != NULL)
    return answer (ftruncate (fd_of (info), size));
  g_autofree char *real = resolve (path);
  const int fd = openat (root, real, O_WRONLY | O_CLOEXEC);
  const int result = fd < 0 ? -errno : answer (ftruncate (fd, size));
  if (fd >= 0)
    close (fd);
  return result;
}

static int
fold_fallocate (const char *path, int mode, off_t at, off_t len, struct fuse_file_info *info)
{
  return mode != 0 ? -EOPNOTSUPP : -posix_fallocate (fd_of (info), at, len);
}

static int
fold_fsync (const char *path, int data_only, struct fuse_file_info *info)
{
  return answer (data_only ? fdatasync (fd_of (info)) : fsync (fd_of (info)));
}

/* ---- directories */

static int
fold_opendir (const char *path, struct fuse_file_info *info)
{
  return open_as (path, O_RDONLY | O_DIRECTORY, 0, info);
}

static int
fold_readdir (const char *path, void *buf, fuse_fill_dir_t fill, off_t at,
              struct fuse_file_info *info, enum fuse_readdir_flags flags)
{
  const int fd = openat (fd_of (info), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;
  const struct dirent *entry;

  if (dir == NULL)
    return -errno;
  while ((entry = readdir (dir)) != NULL)
    fill (buf, entry->d_name, NULL, 0, 0);
  closedir (dir);
  return 0;
}

/* Nothing is remembered of names: one file answers to several.  Nobody but us changes a file, so
 * its pages need not be thrown away: SQLite's index lives in them. */
static void *
fold_init (struct fuse_conn_info *connection, struct fuse_config *config)
{
  connection->want &= ~FUSE_CAP_AUTO_INVAL_DATA;
  config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
  config->kernel_cache = 1;
  config->hard_remove = 1;
  config->nullpath_ok = 1;
  config->use_ino = 1;
  return NULL;
}

static const struct fuse_operations OPERATIONS = {
    .init = fold_init,
    .getattr = fold_getattr,
    .access = fold_access,
    .mkdir = fold_mkdir,
    .unlink = fold_unlink,
    .rmdir = fold_rmdir,
    .rename = fold_rename,
    .link = fold_link,
    .chmod = fold_chmod,
    .utimens = fold_utimens,
    .statfs = fold_statfs,
    .open = fold_open,
    .create = fold_create,
    .release = fold_release,
    .read = fold_read,
    .write = fold_write,
    .truncate = fold_truncate,
    .fallocate = fold_fallocate,
    .fsync = fold_fsync,
    .opendir = fold_opendir,
    .readdir = fold_readdir,
    .releasedir = fold_release,
    .fsyncdir = fold_fsync,
};

int
main (int argc, char **argv)
{
  char *const options[] = {argv[0], (char *) "-f", argv[argc - 1], NULL};

  if (argc != 3)
    g_error ("crash-fold-fs ROOT MOUNT-POINT");
  root = open (argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root < 0)
    g_error ("%s: %s", argv[1], g_strerror (errno));
  umask (0);
  return fuse_main (3, (char **) options, &OPERATIONS, NULL);
}
