/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Preloaded into crash-load: counts the calls that change files below one directory, and at the
 * N-th kills the process before the call, or fails it.  Only libc is used.
 *
 *   CRASH_SHIM_DIR      absolute path; calls elsewhere are not counted
 *   CRASH_SHIM_AT       N, from 1; 0: only count
 *   CRASH_SHIM_HOW      "kill", or the number of an errno
 *   CRASH_SHIM_FOREVER  set: all later calls fail as well
 *   CRASH_SHIM_READS    set: calls that read files are counted instead
 *   CRASH_SHIM_THEN     K: K calls after the one that failed the process is killed
 *   CRASH_SHIM_REPORT   file: "N call path" is appended at the first injection, the number of calls
 *                       at exit when only counting */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__ ((visibility ("default")))
#define REAL(name) ((__typeof__ (&name)) dlsym (RTLD_NEXT, #name))

static char *dir, *report;
static size_t dir_len;
static long at, calls;
static int error_number; /* 0: kill */
static int forever;
static int reads; /* 1: what reads is counted, 0: what changes */
static long then;

__attribute__ ((constructor)) static void
configure (void)
{
  const char *how = getenv ("CRASH_SHIM_HOW"), *n = getenv ("CRASH_SHIM_AT");

  dir = getenv ("CRASH_SHIM_DIR");
  dir_len = dir != NULL ? strlen (dir) : 0;
  report = getenv ("CRASH_SHIM_REPORT");
  at = n != NULL ? atol (n) : 0;
  error_number = how == NULL || strcmp (how, "kill") == 0 ? 0 : atoi (how);
  then = getenv ("CRASH_SHIM_THEN") != NULL ? atol (getenv ("CRASH_SHIM_THEN")) : 0;
  forever = getenv ("CRASH_SHIM_FOREVER") != NULL;
  reads = getenv ("CRASH_SHIM_READS") != NULL;
}

/* Raw: our own calls are not to be counted. */
static void
tell (long number, const char *call, const char *path)
{
  char line[PATH_MAX + 64];
  const int len = snprintf (line, sizeof line, "%ld %s %s\n", number, call, path);
  const int fd = report != NULL
                     ? syscall (SYS_openat, AT_FDCWD, report, O_WRONLY | O_CREAT | O_APPEND, 0600)
                     : -1;

  if (fd < 0)
    return;
  syscall (SYS_write, fd, line, len);
  syscall (SYS_close, fd);
}

__attribute__ ((destructor)) static void
tell_count (void)
{
  if (dir != NULL && at == 0)
    tell (calls, "calls", "");
}

/* The path of NAME below DIRFD, or of the file DIRFD itself when NAME is NULL. */
static int
is_below (int dirfd, const char *name, char *path, size_t size)
{
  char link[64];
  size_t len = 0;

  if (dir == NULL)
    return 0;
  if (name == NULL || (name[0] != '/' && dirfd != AT_FDCWD)) {
    snprintf (link, sizeof link, "/proc/self/fd/%d", dirfd);
    const ssize_t n = readlink (link, path, size - 1);
    if (n < 0)
      return 0;
    len = n;
  } else if (name[0] != '/') {
    if (getcwd (path, size) == NULL)
      return 0;
    len = strlen (path);
  }
  path[len] = '\0';
  if (name != NULL)
    snprintf (path + len, size - len, "%s%s", len > 0 ? "/" : "", name);
  return strncmp (path, dir, dir_len) == 0 && (path[dir_len] == '/' || path[dir_len] == '\0');
}

/* Returns: 0, or the errno that the call has to fail with.  IS_READ: 1 or 0. */
static int
pass_kind (int is_read, const char *call, int dirfd, const char *name)
{
  const int saved = errno;
  char path[PATH_MAX + 256];
  int result = 0;

  if (is_read == reads && is_below (dirfd, name, path, sizeof path)) {
    const long number = __atomic_add_fetch (&calls, 1, __ATOMIC_SEQ_CST);
    if (at != 0 && number == at)
      tell (number, call, path);
    if (at != 0 && number == (error_number == 0 ? at : then > 0 ? at + then : 0))
      syscall (SYS_kill, getpid (), SIGKILL);
    if (at != 0 && (number == at || (forever && number > at)))
      result = error_number;
  }
  errno = saved;
  return result;
}

static int
pass (const char *call, int dirfd, const char *name)
{
  return pass_kind (0, call, dirfd, name);
}

#define FAIL_IF(error) \
  do { \
    const int e = (error); \
    if (e != 0) { \
      errno = e; \
      return -1; \
    } \
  } while (0)

/* ---- what reads */

EXPORT ssize_t
read (int fd, void *bytes, size_t len)
{
  FAIL_IF (pass_kind (1, "read", fd, NULL));
  return REAL (read) (fd, bytes, len);
}

EXPORT ssize_t
pread (int fd, void *bytes, size_t len, off_t offset)
{
  FAIL_IF (pass_kind (1, "pread", fd, NULL));
  return REAL (pread) (fd, bytes, len, offset);
}

EXPORT ssize_t
pread64 (int fd, void *bytes, size_t len, off64_t offset)
{
  FAIL_IF (pass_kind (1, "pread", fd, NULL));
  return REAL (pread64) (fd, bytes, len, offset);
}

/* ---- files that are open */

EXPORT ssize_t
write (int fd, const void *bytes, size_t len)
{
  FAIL_IF (pass ("write", fd, NULL));
  return REAL (write) (fd, bytes, len);
}

EXPORT ssize_t
writev (int fd, const struct iovec *parts, int n)
{
  FAIL_IF (pass ("writev", fd, NULL));
  return REAL (writev) (fd, parts, n);
}

EXPORT ssize_t
pwrite (int fd, const void *bytes, size_t len, off_t offset)
{
  FAIL_IF (pass ("pwrite", fd, NULL));
  return REAL (pwrite) (fd, bytes, len, offset);
}

EXPORT ssize_t
pwrite64 (int fd, const void *bytes, size_t len, off64_t offset)
{
  FAIL_IF (pass ("pwrite", fd, NULL));
  return REAL (pwrite64) (fd, bytes, len, offset);
}

EXPORT int
ftruncate (int fd, off_t len)
{
  FAIL_IF (pass ("ftruncate", fd, NULL));
  return REAL (ftruncate) (fd, len);
}

EXPORT int
ftruncate64 (int fd, off64_t len)
{
  FAIL_IF (pass ("ftruncate", fd, NULL));
  return REAL (ftruncate64) (fd, len);
}

EXPORT int
fsync (int fd)
{
  FAIL_IF (pass ("fsync", fd, NULL));
  return REAL (fsync) (fd);
}

EXPORT int
fdatasync (int fd)
{
  FAIL_IF (pass ("fdatasync", fd, NULL));
  return REAL (fdatasync) (fd);
}

EXPORT int
syncfs (int fd)
{
  FAIL_IF (pass ("syncfs", fd, NULL));
  return REAL (syncfs) (fd);
}

EXPORT int
fallocate (int fd, int mode, off_t offset, off_t len)
{
  FAIL_IF (pass ("fallocate", fd, NULL));
  return REAL (fallocate) (fd, mode, offset, len);
}

EXPORT int
posix_fallocate (int fd, off_t offset, off_t len)
{
  const int error = pass ("posix_fallocate", fd, NULL);

  return error != 0 ? error : REAL (posix_fallocate) (fd, offset, len);
}

EXPORT int
posix_fallocate64 (int fd, off64_t offset, off64_t len)
{
  const int error = pass ("posix_fallocate", fd, NULL);

  return error != 0 ? error : REAL (posix_fallocate64) (fd, offset, len);
}

/* ---- names */

EXPORT int
unlink (const char *name)
{
  FAIL_IF (pass ("unlink", AT_FDCWD, name));
  return REAL (unlink) (name);
}

EXPORT int
unlinkat (int dirfd, const char *name, int flags)
{
  FAIL_IF (pass ("unlinkat", dirfd, name));
  return REAL (unlinkat) (dirfd, name, flags);
}

EXPORT int
rmdir (const char *name)
{
  FAIL_IF (pass ("rmdir", AT_FDCWD, name));
  return REAL (rmdir) (name);
}

EXPORT int
mkdir (const char *name, mode_t mode)
{
  FAIL_IF (pass ("mkdir", AT_FDCWD, name));
  return REAL (mkdir) (name, mode);
}

EXPORT int
mkdirat (int dirfd, const char *name, mode_t mode)
{
  FAIL_IF (pass ("mkdirat", dirfd, name));
  return REAL (mkdirat) (dirfd, name, mode);
}

EXPORT int
rename (const char *from, const char *to)
{
  FAIL_IF (pass ("rename", AT_FDCWD, to));
  return REAL (rename) (from, to);
}

EXPORT int
renameat (int from_dir, const char *from, int to_dir, const char *to)
{
  FAIL_IF (pass ("renameat", to_dir, to));
  return REAL (renameat) (from_dir, from, to_dir, to);
}

EXPORT int
renameat2 (int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
  FAIL_IF (pass ("renameat2", to_dir, to));
  return REAL (renameat2) (from_dir, from, to_dir, to, flags);
}

EXPORT int
linkat (int from_dir, const char *from, int to_dir, const char *to, int flags)
{
  FAIL_IF (pass ("linkat", to_dir, to));
  return REAL (linkat) (from_dir, from, to_dir, to, flags);
}

EXPORT int
symlinkat (const char *target, int dirfd, const char *name)
{
  FAIL_IF (pass ("symlinkat", dirfd, name));
  return REAL (symlinkat) (target, dirfd, name);
}

/* ---- files that may be made by being opened */

static int
read_mode (int flags, va_list args)
{
  return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg (args, int) : 0;
}

#define DEFINE_OPEN(name) \
  EXPORT int name (const char *path, int flags, ...) \
  { \
    va_list args; \
    va_start (args, flags); \
    const int mode = read_mode (flags, args); \
    va_end (args); \
    if (flags & O_CREAT) \
      FAIL_IF (pass ("open", AT_FDCWD, path)); \
    return REAL (name) (path, flags, mode); \
  }

#define DEFINE_OPENAT(name) \
  EXPORT int name (int dirfd, const char *path, int flags, ...) \
  { \
    va_list args; \
    va_start (args, flags); \
    const int mode = read_mode (flags, args); \
    va_end (args); \
    if (flags & O_CREAT) \
      FAIL_IF (pass ("openat", dirfd, path)); \
    return REAL (name) (dirfd, path, flags, mode); \
  }

DEFINE_OPEN (open)
DEFINE_OPEN (open64)
DEFINE_OPENAT (openat)
DEFINE_OPENAT (openat64)
