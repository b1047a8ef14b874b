/* SPDX-License-Identifier: LGPL-2.1-or-later
 * One condition that all readers of a growing file share: a seek or a stop ends a wait at once. */
#include "config.h"
#include "store/encore-reader.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

struct EncoreReader {
  gatomicrefcount ref_count;
  int fd;
  GDestroyNotify release;
  gpointer data;
  GMutex lock;
  GCond changed;
  gint64 available_bytes, end_ns;
  gboolean complete;
  GError *error;
};

static EncoreReader *
reader_new (int fd, GDestroyNotify release, gpointer data)
{
  EncoreReader *self = g_new0 (EncoreReader, 1);
  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->fd = fd;
  self->release = release;
  self->data = data;
  return self;
}

EncoreReader *
encore_reader_new (int fd, GDestroyNotify release, gpointer data, GError **error)
{
  struct stat st;
  g_autoptr (EncoreReader) self = reader_new (fd, release, data);
  if (fstat (fd, &st) != 0) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "cannot read the file: %s",
                 g_strerror (errno));
    return NULL;
  }
  self->available_bytes = st.st_size;
  self->complete = TRUE;
  return g_steal_pointer (&self);
}

EncoreReader *
encore_reader_new_handle (EncoreHandle *handle, GError **error)
{
  return encore_reader_new (encore_handle_get_fd (handle), (GDestroyNotify) encore_handle_free,
                            handle, error);
}

EncoreReader *
encore_reader_new_growing (int fd, GDestroyNotify release, gpointer data)
{
  return reader_new (fd, release, data);
}

EncoreReader *
encore_reader_ref (EncoreReader *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
encore_reader_unref (EncoreReader *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  if (self->release != NULL)
    self->release (self->data);
  g_clear_error (&self->error);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
  g_free (self);
}

void
encore_reader_advance (EncoreReader *self, gint64 available, gint64 end_ns)
{
  g_mutex_lock (&self->lock);
  self->available_bytes = MAX (self->available_bytes, available);
  self->end_ns = MAX (self->end_ns, end_ns);
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

void
encore_reader_complete (EncoreReader *self)
{
  g_mutex_lock (&self->lock);
  self->complete = TRUE;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

void
encore_reader_fail (EncoreReader *self, const GError *error)
{
  g_mutex_lock (&self->lock);
  if (self->error == NULL)
    self->error = g_error_copy (error);
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

gint64
encore_reader_get_size (EncoreReader *self, gboolean *complete)
{
  g_mutex_lock (&self->lock);
  gint64 available = self->available_bytes;
  *complete = self->complete;
  g_mutex_unlock (&self->lock);
  return available;
}

int
encore_reader_get_fd (EncoreReader *self)
{
  return self->fd;
}

gboolean
encore_reader_has_music (EncoreReader *self, gint64 end_ns)
{
  g_mutex_lock (&self->lock);
  const gboolean there = self->end_ns >= end_ns || self->complete || self->error != NULL;
  g_mutex_unlock (&self->lock);
  return there;
}

gboolean
encore_reader_check (EncoreReader *self, gint64 beyond, GError **error)
{
  g_mutex_lock (&self->lock);
  const gboolean failed = self->error != NULL && self->available_bytes <= beyond;
  if (failed && error != NULL)
    *error = g_error_copy (self->error);
  g_mutex_unlock (&self->lock);
  return !failed;
}

/* Returns: how many of LEN bytes at OFFSET may be read, -1 with ERROR if none ever will. */
static gssize
get_readable (EncoreReader *self, gint64 offset, gsize len, GError **error)
{
  g_mutex_lock (&self->lock);
  gint64 left = MAX (self->available_bytes - offset, 0);
  gboolean failed = left == 0 && len > 0 && self->error != NULL;
  if (failed && error != NULL)
    *error = g_error_copy (self->error);
  g_mutex_unlock (&self->lock);
  return failed ? -1 : (gssize) MIN (left, (gint64) len);
}

gssize
encore_reader_read (EncoreReader *self, gint64 offset, guint8 *buf, gsize len, GError **error)
{
  gssize readable = get_readable (self, offset, len, error);
  gssize done = 0;
  while (done < readable) {
    gssize n = pread (self->fd, buf + done, readable - done, offset + done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "cannot read the file: %s",
                   g_strerror (errno));
      return -1;
    }
    if (n == 0)
      break; /* shorter than it was: the caller sees an end that is none */
    done += n;
  }
  return readable < 0 ? -1 : done;
}

gboolean
encore_reader_wait (EncoreReader *self, gint64 beyond, const gint *cancelled)
{
  g_mutex_lock (&self->lock);
  while (self->available_bytes <= beyond && !self->complete && self->error == NULL &&
         !(cancelled != NULL && g_atomic_int_get (cancelled)))
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);
  return cancelled == NULL || !g_atomic_int_get (cancelled);
}

void
encore_reader_wake (EncoreReader *self)
{
  /* With the lock: a reader between its look at the flag and its wait must not miss this. */
  g_mutex_lock (&self->lock);
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}
