/* SPDX-License-Identifier: LGPL-2.1-or-later
 * export: songs as plain files, "Title [id].opus", for any player and for import elsewhere.
 *
 * A file appears under its name when it is whole: it is written without a name where the file
 * system can, else under a hidden one.  What is there is never written over. */
#include "config.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encore-fs.h"
#include "base/encore-media-id.h"
#include "base/encore-ogg.h"
#include "store/encore-sum.h"

#define NAME_MAX_BYTES 255
#define BUF_BYTES (256 * 1024)
#define HIDDEN_NAME ".encore-export-%d.part"

typedef struct {
  const ToolCall *call;
  int dirfd;
  gint64 exported, exported_bytes, unchanged, missed;
  gint64 unread;   /* of the missed: the cache's file cannot be read or is damaged */
  gboolean failed; /* nothing more can be written */
} Export;

/* ---- names */

/* TITLE as any file system takes it; no option for a program, nothing hidden. (transfer full) */
static char *
safe_title (const char *title, gsize max_bytes)
{
  g_autofree char *valid = g_utf8_make_valid (title, -1);
  g_autoptr (GString) safe = g_string_new (NULL);

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p)) {
    const gunichar c = g_utf8_get_char (p);
    const gboolean bad = !g_unichar_isprint (c) || g_unichar_type (c) == G_UNICODE_FORMAT ||
                         (c < 0x80 && strchr ("/\\:*?\"<>|", c) != NULL);
    if (safe->len + g_unichar_to_utf8 (c, NULL) > max_bytes)
      break;
    g_string_append_unichar (safe, bad ? '_' : c);
  }
  g_strstrip (safe->str);
  if (strchr (".-~", *safe->str) != NULL && *safe->str != '\0')
    *safe->str = '_';
  return g_strdup (safe->str);
}

static char *
file_name (const EncoreEntryInfo *info)
{
  const gsize tail = strlen (" [].opus") + strlen (info->id);
  g_autofree char *title = safe_title (info->title, NAME_MAX_BYTES - tail);

  if (*title == '\0' || strcmp (info->title, info->id) == 0)
    return g_strconcat ("[", info->id, "].opus", NULL);
  return g_strconcat (title, " [", info->id, "].opus", NULL);
}

/* ---- bytes */

/* Returns: FALSE with errno; *UNREAD: it was FROM's. */
static gboolean
copy_bytes (int from, int to, gint64 bytes, gboolean *unread)
{
  g_autofree char *buf = g_malloc (BUF_BYTES);
  gint64 done = 0;

  while (done < bytes) {
    const gssize n = pread (from, buf, MIN (BUF_BYTES, bytes - done), done);
    gssize written = 0, m;
    while (written < n && (m = write (to, buf + written, n - written)) > 0)
      written += m;
    if (n <= 0 || written < n) {
      errno = n == 0 ? EIO : errno;
      *unread = n <= 0;
      return FALSE;
    }
    done += n;
  }
  return TRUE;
}

static gboolean
has_same_bytes (int a, int b, gint64 bytes)
{
  g_autofree char *buf = g_malloc (2 * BUF_BYTES);
  struct stat st;

  if (fstat (b, &st) < 0 || st.st_size != bytes)
    return FALSE;
  for (gint64 done = 0; done < bytes;) {
    const gssize n = pread (a, buf, BUF_BYTES, done);
    if (n <= 0 || pread (b, buf + BUF_BYTES, n, done) != n || memcmp (buf, buf + BUF_BYTES, n) != 0)
      return FALSE;
    done += n;
  }
  return TRUE;
}

static gboolean
is_there (Export *self, const char *name, int from, gint64 bytes)
{
  const int fd = openat (self->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  const gboolean same = fd >= 0 && has_same_bytes (from, fd, bytes);

  if (fd >= 0)
    close (fd);
  return same;
}

/* Without RENAME_NOREPLACE two exports at once could take each other's name; both have the song. */
static int
give_name (Export *self, const char *hidden, const char *name)
{
  struct stat st;

  if (renameat2 (self->dirfd, hidden, self->dirfd, name, RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS)
    return -1;
  if (fstatat (self->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
    errno = EEXIST;
    return -1;
  }
  return renameat (self->dirfd, hidden, self->dirfd, name);
}

/* Returns: 0; -1 with errno, EEXIST: something of that name is there; *UNREAD: FROM is at fault. */
static int
write_file (Export *self, const char *name, int from, gint64 bytes, gboolean *unread)
{
  g_autofree char *hidden = g_strdup_printf (HIDDEN_NAME, (int) getpid ());
  int fd = openat (self->dirfd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  const gboolean nameless = fd >= 0;
  int result = -1;

  if (!nameless)
    fd = openat (self->dirfd, hidden, O_CREAT | O_TRUNC | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0666);
  if (fd < 0)
    return -1;
  if (copy_bytes (from, fd, bytes, unread)) {
    g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
    result = nameless ? linkat (AT_FDCWD, path, self->dirfd, name, AT_SYMLINK_FOLLOW)
                      : give_name (self, hidden, name);
  }
  const int saved = errno;
  close (fd);
  if (!nameless && result < 0)
    unlinkat (self->dirfd, hidden, 0);
  errno = saved;
  return result;
}

/* ---- songs */

/* A damaged song is not spread.  Returns: 0, or errno; EBADMSG: it has other bytes than were
 * published. */
static int
check_song (const EncoreEntryInfo *info, int fd)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *sum = encore_sum_file (fd, &error);

  if (sum == NULL)
    return errno;
  if (*info->sha256 != '\0')
    return strcmp (sum, info->sha256) == 0 ? 0 : EBADMSG;
  /* the row was made from the file's tags */
  if (encore_ogg_check_pages (fd, &error))
    return 0;
  return g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT) ? EBADMSG : EIO;
}

static gboolean
export_song (const EncoreEntryInfo *info, gpointer data)
{
  Export *self = data;
  if (self->call->all && encore_id_is_rendition (info->id))
    return TRUE; /* its song is exported */
  g_autofree char *name = file_name (info);
  g_autofree char *shown = tool_printable (name);
  g_autoptr (GError) error = NULL;
  g_autoptr (EncoreHandle) handle = encore_cache_get (self->call->cache, info->id, FALSE, &error);

  if (handle == NULL) {
    self->unread += tool_fail (error) == EXIT_FAILED;
    self->missed++;
    return TRUE;
  }
  const int from = encore_handle_get_fd (handle);
  const gint64 bytes = encore_handle_get_info (handle)->opus_bytes;
  const int state = check_song (encore_handle_get_info (handle), from);
  gboolean unread = state != 0;
  const int result = unread                                               ? state
                     : write_file (self, name, from, bytes, &unread) == 0 ? 0
                                                                          : errno;
  if (unread) {
    self->unread++;
    self->missed++;
    tool_progress_clear ();
    if (result == EBADMSG)
      fprintf (stderr, "encore-cache: %s is damaged (see verify --full): not exported\n", info->id);
    else
      fprintf (stderr, "encore-cache: %s cannot be read: %s\n", info->id, g_strerror (result));
  } else if (result == 0) {
    self->exported++;
    self->exported_bytes += bytes;
    tool_progress_clear ();
    printf ("exported  %s (%" G_GINT64_FORMAT " bytes): %s\n", info->id, bytes, shown);
  } else if (result == EEXIST && is_there (self, name, from, bytes)) {
    self->unchanged++;
  } else if (result == EEXIST) {
    self->missed++;
    tool_progress_clear ();
    printf ("kept      %s: another file is called %s\n", info->id, shown);
  } else {
    tool_progress_clear ();
    fprintf (stderr, "encore-cache: %s cannot be written: %s\n", shown, g_strerror (result));
    self->failed = TRUE;
  }
  return !self->failed;
}

/* Returns: -1 with a message. */
static int
open_target (const ToolCall *call, const char *dir)
{
  g_autofree char *shown = tool_printable (dir);
  const gboolean there = mkdir (dir, 0777) == 0 || errno == EEXIST;
  const int fd = there ? open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

  if (fd < 0) {
    fprintf (stderr, "encore-cache: %s: %s\n", shown, g_strerror (errno));
    return -1;
  }
  if (!encore_fs_is_inside (fd, encore_cache_get_dir (call->cache)))
    return fd;
  fprintf (stderr, "encore-cache: %s belongs to the cache itself\n", shown);
  close (fd);
  return -1;
}

int
tool_export (const ToolCall *call)
{
  const guint n = g_strv_length (call->args);
  Export self = {.call = call};

  if (call->all != (n == 1)) {
    fputs ("encore-cache: export needs ids and a directory, or --all and a directory\n", stderr);
    return EXIT_FAILED;
  }
  const char *dir = g_steal_pointer (&call->args[n - 1]);
  self.dirfd = open_target (call, dir);
  if (self.dirfd < 0)
    return EXIT_FAILED;
  const int status = tool_walk (call, call->all ? NULL : call->args, export_song, &self);
  const gboolean synced = syncfs (self.dirfd) == 0;
  close (self.dirfd);
  printf ("%" G_GINT64_FORMAT " songs exported (%" G_GINT64_FORMAT " bytes), %" G_GINT64_FORMAT
          " were there, %" G_GINT64_FORMAT " not exported\n",
          self.exported, self.exported_bytes, self.unchanged, self.missed);
  if (self.failed || self.unread > 0 || !synced)
    return EXIT_FAILED;
  return MAX (status, self.missed > 0 ? EXIT_FOUND : EXIT_CLEAN);
}
