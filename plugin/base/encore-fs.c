/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Directories are compared by what they are, not by how they are called. */
#include "config.h"
#include "base/encore-fs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static gboolean
is_same (const struct stat *a, const struct stat *b)
{
  return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

gboolean
encore_fs_is_inside (int dirfd, const char *path)
{
  struct stat home, here, last = {0};
  int fd = fcntl (dirfd, F_DUPFD_CLOEXEC, 0);
  gboolean inside = FALSE;

  if (stat (path, &home) < 0) {
    close (fd);
    return FALSE;
  }
  /* the root is its own parent */
  while (fd >= 0 && !inside && fstat (fd, &here) == 0 && !is_same (&here, &last)) {
    inside = is_same (&here, &home);
    last = here;
    const int up = openat (fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    close (fd);
    fd = up;
  }
  if (fd >= 0)
    close (fd);
  return inside;
}
