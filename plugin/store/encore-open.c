/* SPDX-License-Identifier: LGPL-2.1-or-later
 * By the number of the inode, which is nobody else's while it is open: a song that was published
 * anew is another file.  All are on one file system, the cache's. */
#include "config.h"
#include "store/encore-open.h"

#include <unistd.h>

struct EncoreOpenFile {
  gint64 inode;
  int fd;
  guint users;
};

struct EncoreOpen {
  GMutex mutex;
  GHashTable *files; /* inode (gint64) -> EncoreOpenFile */
};

EncoreOpen *
encore_open_new (void)
{
  EncoreOpen *self = g_new0 (EncoreOpen, 1);

  g_mutex_init (&self->mutex);
  self->files = g_hash_table_new (g_int64_hash, g_int64_equal);
  return self;
}

void
encore_open_free (EncoreOpen *self)
{
  g_hash_table_unref (self->files);
  g_mutex_clear (&self->mutex);
  g_free (self);
}

EncoreOpenFile *
encore_open_share (EncoreOpen *self, int fd, const struct stat *st)
{
  const gint64 inode = st->st_ino;

  g_mutex_lock (&self->mutex);
  EncoreOpenFile *file = g_hash_table_lookup (self->files, &inode);
  if (file == NULL) {
    file = g_new (EncoreOpenFile, 1);
    *file = (EncoreOpenFile){inode, fd, 0};
    g_hash_table_insert (self->files, &file->inode, file);
  }
  file->users++;
  g_mutex_unlock (&self->mutex);
  if (file->fd != fd)
    close (fd);
  return file;
}

void
encore_open_unshare (EncoreOpen *self, EncoreOpenFile *file)
{
  g_mutex_lock (&self->mutex);
  const gboolean last = --file->users == 0;
  if (last)
    g_hash_table_remove (self->files, &file->inode);
  g_mutex_unlock (&self->mutex);
  if (!last)
    return;
  close (file->fd);
  g_free (file);
}

int
encore_open_file_get_fd (const EncoreOpenFile *file)
{
  return file->fd;
}
