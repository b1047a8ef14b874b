/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The songs that are open, each once, in however many rooms it plays: what runs out first with
 * thousands of rooms is file descriptors.  Private to the store.  Threads: any. */
#pragma once

#include <glib.h>
#include <sys/stat.h>

G_BEGIN_DECLS

typedef struct EncoreOpen EncoreOpen;
typedef struct EncoreOpenFile EncoreOpenFile;

EncoreOpen *encore_open_new (void);
/* encore_open_unref: files that are still open keep it. */
void encore_open_unref (EncoreOpen *self);

/* encore_open_share: FD (transfer full), which ST was read of; it is closed if the same file is
 * open already.  Returns: (transfer full): the one file; let it go with encore_open_unshare(). */
EncoreOpenFile *encore_open_share (EncoreOpen *self, int fd, const struct stat *st);
void encore_open_unshare (EncoreOpenFile *file);
/* For pread() only: the position is everybody's. */
int encore_open_file_get_fd (const EncoreOpenFile *file);

G_END_DECLS
