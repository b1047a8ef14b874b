/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "sound/encore-pcm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/encore-error.h"

#define FRAME_BYTES (ENCORE_DECODE_CHANNELS * sizeof (float))
#define BLOCK_FRAMES 8192
#define LOOK_BYTES (4 << 20) /* as often as that it looks what is free now */

struct EncorePcm {
  int fd; /* -1: nothing is kept */
  gint64 bytes, min_free_bytes;
  gint64 look_at_bytes; /* when there are that many */
};

EncorePcm *
encore_pcm_new (const char *dir, gint64 min_free_bytes)
{
  EncorePcm *self = g_new0 (EncorePcm, 1);

  self->fd = open (dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  self->min_free_bytes = min_free_bytes;
  return self;
}

/* For LOOK_BYTES more: of what is free with them a quarter. */
static gboolean
has_room (EncorePcm *self)
{
  struct statvfs disk;

  if (self->bytes < self->look_at_bytes)
    return TRUE;
  self->look_at_bytes = self->bytes + LOOK_BYTES;
  if (fstatvfs (self->fd, &disk) != 0)
    return FALSE;
  const gint64 free_bytes = (gint64) disk.f_bavail * disk.f_frsize - self->min_free_bytes;
  return self->look_at_bytes <= MIN ((free_bytes + self->bytes) / 4, ENCORE_PCM_MAX_BYTES);
}

static void
drop (EncorePcm *self)
{
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
}

void
encore_pcm_free (EncorePcm *self)
{
  drop (self);
  g_free (self);
}

static gboolean
write_all (int fd, const guint8 *bytes, gsize len)
{
  while (len > 0) {
    const gssize n = write (fd, bytes, len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return FALSE;
    bytes += n;
    len -= n;
  }
  return TRUE;
}

void
encore_pcm_add (EncorePcm *self, const float *samples, gsize n)
{
  const gsize len = n * FRAME_BYTES;

  if (self->fd < 0)
    return;
  if (!has_room (self) || !write_all (self->fd, (const guint8 *) samples, len))
    drop (self);
  self->bytes += len;
}

gboolean
encore_pcm_is_kept (const EncorePcm *self)
{
  return self->fd >= 0;
}

static gboolean
read_all (int fd, guint8 *bytes, gsize len, gint64 offset, GError **error)
{
  while (len > 0) {
    const gssize n = pread (fd, bytes, len, offset);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) {
      g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "decoded sound cannot be read: %s",
                   n < 0 ? g_strerror (errno) : "it is cut off");
      return FALSE;
    }
    bytes += n;
    len -= n;
    offset += n;
  }
  return TRUE;
}

gboolean
encore_pcm_read (EncorePcm *self, GCancellable *cancellable, EncorePcmFunc func, gpointer data,
                 gint64 *frames, GError **error)
{
  g_autofree float *block = g_new (float, BLOCK_FRAMES *ENCORE_DECODE_CHANNELS);

  *frames = 0;
  for (gint64 offset = 0; offset < self->bytes;) {
    const gsize len = MIN (self->bytes - offset, (gint64) (BLOCK_FRAMES * FRAME_BYTES));
    if (g_cancellable_is_cancelled (cancellable)) {
      g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED, "encoding was cancelled");
      return FALSE;
    }
    if (!read_all (self->fd, (guint8 *) block, len, offset, error) ||
        !func (block, len / FRAME_BYTES, data, error))
      return FALSE;
    offset += len;
    *frames += len / FRAME_BYTES;
  }
  return TRUE;
}
