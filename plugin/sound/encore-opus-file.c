/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "sound/encore-opus-file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define HANDED_BYTES (256 * 1024)

struct EncoreOpusFile {
  int fd;
  gint64 written_bytes, handed_bytes; /* given to the disk already */
};

static gboolean
fail (const char *what, GError **error)
{
  const gboolean full = errno == ENOSPC || errno == EDQUOT;

  g_set_error (error, ENCORE_ERROR, full ? ENCORE_ERROR_NO_SPACE : ENCORE_ERROR_STORE,
               "cannot %s the Opus file: %s", what, g_strerror (errno));
  return FALSE;
}

EncoreOpusFile *
encore_opus_file_new (const char *path, GError **error)
{
  const int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

  if (fd < 0) {
    fail ("make", error);
    return NULL;
  }
  EncoreOpusFile *self = g_new0 (EncoreOpusFile, 1);
  self->fd = fd;
  return self;
}

/* So that little is left to write when the file must be durable, which somebody waits for. */
static void
hand_to_disk (EncoreOpusFile *self)
{
  if (self->written_bytes - self->handed_bytes < HANDED_BYTES)
    return;
  sync_file_range (self->fd, self->handed_bytes, self->written_bytes - self->handed_bytes,
                   SYNC_FILE_RANGE_WRITE);
  self->handed_bytes = self->written_bytes;
}

gboolean
encore_opus_file_write (const guint8 *page, gsize len, gpointer data, GError **error)
{
  EncoreOpusFile *self = data;

  while (len > 0) {
    const gssize n = write (self->fd, page, len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return fail ("write", error);
    page += n;
    len -= n;
    self->written_bytes += n;
  }
  hand_to_disk (self);
  return TRUE;
}

gboolean
encore_opus_file_start_over (EncoreOpusFile *self, GError **error)
{
  self->written_bytes = self->handed_bytes = 0;
  return (lseek (self->fd, 0, SEEK_SET) == 0 && ftruncate (self->fd, 0) == 0) ||
         fail ("rewrite", error);
}

gint64
encore_opus_file_close (EncoreOpusFile *self)
{
  const gint64 bytes = self->written_bytes;

  close (self->fd);
  g_free (self);
  return bytes;
}
