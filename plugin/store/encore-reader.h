/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The bytes of one entry: a whole file, or one that is still being written and grows.
 *
 * One writer tells how far the file may be read; any number of readers pread() and wait for more.
 * Threads: any; reference counted.  Nothing is read while the lock is held. */
#pragma once

#include <gio/gio.h>

#include "store/encore-cache.h"

G_BEGIN_DECLS

typedef struct EncoreReader EncoreReader;

/* encore_reader_new: FD is whole.  @release: gets DATA when the last reference goes; FD is its.
 * Errors: STORE. */
EncoreReader *encore_reader_new (int fd, GDestroyNotify release, gpointer data, GError **error);
/* encore_reader_new_handle: a hit.  @handle: (transfer full), on failure too. */
EncoreReader *encore_reader_new_handle (EncoreHandle *handle, GError **error);
/* encore_reader_new_growing: nothing may be read yet. */
EncoreReader *encore_reader_new_growing (int fd, GDestroyNotify release, gpointer data);
EncoreReader *encore_reader_ref (EncoreReader *self);
void encore_reader_unref (EncoreReader *self);

/* Writer: whole pages up to AVAILABLE are there, with music up to END_NS (0: not told); that was
 * all; nothing more will come (ERROR copied: readers get it behind the last byte). */
void encore_reader_advance (EncoreReader *self, gint64 available, gint64 end_ns);
void encore_reader_complete (EncoreReader *self);
void encore_reader_fail (EncoreReader *self, const GError *error);

/* encore_reader_get_size: bytes there are.  *COMPLETE (out): and will be. */
gint64 encore_reader_get_size (EncoreReader *self, gboolean *complete);
int encore_reader_get_fd (EncoreReader *self);
/* encore_reader_has_music: up to END_NS, or all that will ever come. */
gboolean encore_reader_has_music (EncoreReader *self, gint64 end_ns);
/* encore_reader_check: Returns: FALSE with the writer's ERROR when more than BEYOND bytes will
 * never be there. */
gboolean encore_reader_check (EncoreReader *self, gint64 beyond, GError **error);
/* encore_reader_read: never waits.  Returns: bytes copied, at most what may be read; 0: nothing
 * there (yet); -1 with ERROR: STORE, or the writer's behind the last byte. */
gssize
encore_reader_read (EncoreReader *self, gint64 offset, guint8 *buf, gsize len, GError **error);
/* encore_reader_wait: until more than BEYOND bytes are there, or no more will come.
 * @cancelled: (nullable): set it and call encore_reader_wake() to end the wait.
 * Returns: FALSE if cancelled. */
gboolean encore_reader_wait (EncoreReader *self, gint64 beyond, const gint *cancelled);
void encore_reader_wake (EncoreReader *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreReader, encore_reader_unref)

G_END_DECLS
