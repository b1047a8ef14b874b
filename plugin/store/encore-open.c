/* SPDX-License-Identifier: LGPL-2.1-or-later
 * By device and inode, which are nobody else's while the file is open: a song that was published
 * anew is another file.  The device counts, too: below an overlay, or where a file system is
 * mounted within the cache, two songs may have the same inode. */
#include "config.h"
#include "store/encore-open.h"

#include <unistd.h>

struct EncoreOpenFile {
  EncoreOpen *owner; /* a reference */
  dev_t device;
  ino_t inode;
  int fd;
  guint users;
};

struct EncoreOpen {
  GMutex mutex;
  GHashTable *files; /* of EncoreOpenFile */
};

static guint
hash (gconstpointer file)
{
  const EncoreOpenFile *self = file;
  const gint64 both = (gint64) (self->inode ^ self->device << 32);

  return g_int64_hash (&both);
}

static gboolean
equal (gconstpointer a, gconstpointer b)
{
  const EncoreOpenFile *one = a, *other = b;

  return one->inode == other->inode && one->device == other->device;
}

EncoreOpen *
encore_open_new (void)
{
  EncoreOpen *self = g_atomic_rc_box_new0 (EncoreOpen);

  g_mutex_init (&self->mutex);
  self->files = g_hash_table_new (hash, equal);
  return self;
}

static void
clear (gpointer data)
{
  EncoreOpen *self = data;

  g_hash_table_unref (self->files);
  g_mutex_clear (&self->mutex);
}

void
encore_open_unref (EncoreOpen *self)
{
  g_atomic_rc_box_release_full (self, clear);
}

EncoreOpenFile *
encore_open_share (EncoreOpen *self, int fd, const struct stat *st)
{
  const EncoreOpenFile sought = {self, st->st_dev, st->st_ino, fd, 0};

  g_mutex_lock (&self->mutex);
  EncoreOpenFile *file = g_hash_table_lookup (self->files, &sought);
  if (file == NULL) {
    file = g_memdup2 (&sought, sizeof sought);
    g_atomic_rc_box_acquire (self);
    g_hash_table_add (self->files, file);
  }
  file->users++;
  g_mutex_unlock (&self->mutex);
  if (file->fd != fd)
    close (fd);
  return file;
}

void
encore_open_unshare (EncoreOpenFile *file)
{
  EncoreOpen *self = file->owner;

  g_mutex_lock (&self->mutex);
  const gboolean last = --file->users == 0;
  if (last)
    g_hash_table_remove (self->files, file);
  g_mutex_unlock (&self->mutex);
  if (!last)
    return;
  close (file->fd);
  g_free (file);
  encore_open_unref (self);
}

int
encore_open_file_get_fd (const EncoreOpenFile *file)
{
  return file->fd;
}
