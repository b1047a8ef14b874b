/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Names, tags and a whole decode make up the judgement of one file. */
#include "config.h"
#include "import/encore-import-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/encore-ogg.h"
#include "sound/encore-decode.h"

#define COMPARE_BYTES 65536
#define SPARE_DESCRIPTORS 64

EncoreImportFile *
encore_import_file_new (const char *name, const struct stat *st)
{
  EncoreImportFile *self = g_new0 (EncoreImportFile, 1);

  self->name = g_strdup (name);
  self->st = *st;
  encore_import_name_parse (name, &self->parsed);
  return self;
}

void
encore_import_file_free (EncoreImportFile *self)
{
  encore_import_name_clear (&self->parsed);
  encore_probe_clear (&self->probe);
  g_free (self->name);
  g_free (self->stem);
  g_free (self->flaw);
  g_free (self);
}

void
encore_import_file_set_flaw (EncoreImportFile *self, EncoreImportVerdict verdict,
                             const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_free (self->flaw);
  self->flaw = g_strdup_vprintf (format, args);
  self->flaw_verdict = verdict;
  self->whole = FALSE;
  va_end (args);
}

const char *
encore_import_file_title (const EncoreImportFile *self)
{
  if (self->probe.title != NULL)
    return self->probe.title;
  return *self->parsed.title != '\0' || self->stem == NULL ? self->parsed.title : self->stem;
}

/* ---- bytes */

static gboolean
is_same (const struct stat *a, const struct stat *b)
{
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
         a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int
encore_import_file_open (const EncoreImportFile *self, int dirfd, char **why)
{
  const int fd = openat (dirfd, self->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  struct stat st;

  if (fd < 0) {
    *why = g_strdup_printf ("it cannot be read: %s", g_strerror (errno));
    return -1;
  }
  if (fstat (fd, &st) == 0 && is_same (&st, &self->st))
    return fd;
  *why = g_strdup ("it was changed meanwhile");
  close (fd);
  return -1;
}

gboolean
encore_import_file_has_same_bytes (const EncoreImportFile *self, const EncoreImportFile *other,
                                   int dirfd)
{
  g_autofree char *why_a = NULL, *why_b = NULL;
  g_autofree guint8 *buf = g_malloc (2 * COMPARE_BYTES);
  const int a = encore_import_file_open (self, dirfd, &why_a);
  const int b = encore_import_file_open (other, dirfd, &why_b);
  gssize n = a >= 0 && b >= 0 ? 1 : -1;

  for (gint64 offset = 0; n > 0; offset += n) {
    n = pread (a, buf, COMPARE_BYTES, offset);
    if (n > 0 && (pread (b, buf + COMPARE_BYTES, n, offset) != n ||
                  memcmp (buf, buf + COMPARE_BYTES, n) != 0))
      n = -1;
  }
  if (a >= 0)
    close (a);
  if (b >= 0)
    close (b);
  return n == 0;
}

gboolean
encore_import_file_delete (const EncoreImportFile *self, int dirfd)
{
  struct stat st;

  return fstatat (dirfd, self->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_same (&st, &self->st) &&
         unlinkat (dirfd, self->name, 0) == 0;
}

/* A disk that fails is no proof of a broken file, whatever the decoder makes of it. */
static gboolean
is_readable (EncoreImportFile *self, int fd)
{
  g_autofree guint8 *buf = g_malloc (COMPARE_BYTES);
  gssize n = 1;

  for (gint64 offset = 0; n > 0; offset += n)
    n = pread (fd, buf, COMPARE_BYTES, offset);
  if (n < 0)
    encore_import_file_set_flaw (self, ENCORE_IMPORT_FAILED, "it cannot be read: %s",
                                 g_strerror (errno));
  return n == 0;
}

/* A plugin that cannot be opened is to GStreamer one that does not know the file.  Threads come and
 * go: some must be left. */
static gboolean
has_spare_descriptors (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  struct rlimit limit;
  rlim_t used = 0;

  while (dir != NULL && g_dir_read_name (dir) != NULL)
    used++;
  return dir != NULL && getrlimit (RLIMIT_NOFILE, &limit) == 0 &&
         used + SPARE_DESCRIPTORS <= limit.rlim_cur;
}

/* Only what is the file's own fault makes it broken; a plugin that is missing, descriptors that are
 * used up and the like say nothing about it. */
static void
blame (EncoreImportFile *self, const GError *error)
{
  const gboolean of_file = g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT) ||
                           g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_NO_AUDIO);
  const gboolean enough = has_spare_descriptors ();

  if (of_file && enough)
    encore_import_file_set_flaw (self, ENCORE_IMPORT_BROKEN, "%s", error->message);
  else
    encore_import_file_set_flaw (self, ENCORE_IMPORT_FAILED, "it cannot be judged: %s",
                                 enough ? error->message : "too few file descriptors (ulimit -n)");
}

/* ---- which id */

static void
probe (EncoreImportFile *self, int dirfd)
{
  g_autofree char *why = NULL;
  g_autoptr (GError) error = NULL;

  if (self->st.st_size == 0) {
    encore_import_file_set_flaw (self, ENCORE_IMPORT_BROKEN, "it is empty");
    return;
  }
  const int fd = encore_import_file_open (self, dirfd, &why);
  if (fd < 0) {
    encore_import_file_set_flaw (self, ENCORE_IMPORT_FAILED, "%s", why);
    return;
  }
  if (!encore_probe_file (fd, &self->probe, &error) && is_readable (self, fd))
    blame (self, error);
  close (fd);
}

void
encore_import_file_learn (EncoreImportFile *self, int dirfd)
{
  if (self->parsed.kind == ENCORE_NAME_MEDIA) {
    probe (self, dirfd);
    encore_probe_sidecar (dirfd, self->parsed.base, &self->probe);
  }
  if (self->probe.has_id)
    self->stem = encore_media_id_to_stem (&self->probe.id);
  else if (self->parsed.trust == ENCORE_TRUST_CERTAIN)
    self->stem = encore_media_id_to_stem (&self->parsed.id);
}

/* ---- whole or not */

void
encore_import_file_judge (EncoreImportFile *self, int dirfd, GCancellable *cancellable)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *why = NULL;

  if (self->whole || self->flaw != NULL || self->parsed.kind != ENCORE_NAME_MEDIA)
    return;
  const int fd = encore_import_file_open (self, dirfd, &why);
  if (fd < 0) {
    encore_import_file_set_flaw (self, ENCORE_IMPORT_FAILED, "%s", why);
    return;
  }
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  const gboolean decodes = encore_decode_check (path, cancellable, &self->frames, &error);
  if (g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED)) {
    close (fd); /* neither whole nor broken: not judged */
    return;
  }
  self->whole = decodes && encore_import_is_whole (self->frames, self->probe.announced_ms);
  const gboolean unreadable = !self->whole && !is_readable (self, fd);
  close (fd);
  if (unreadable)
    return;
  if (decodes && !self->whole)
    encore_import_file_set_flaw (self, ENCORE_IMPORT_BROKEN, "%.1f s of music, %.1f s announced",
                                 (double) self->frames / ENCORE_OPUS_RATE_HZ,
                                 self->probe.announced_ms / 1000.0);
  else if (!decodes)
    blame (self, error);
}
