/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Which of another bot's files are one song.  Private to import. */
#pragma once

#include "import/encore-import-file.h"

G_BEGIN_DECLS

/* The files of one id, or one file of which nothing says which id it has. */
typedef struct {
  const char *stem; /* (nullable): of its first file */
  GPtrArray *files; /* EncoreImportFile, not owned; at least one */
} EncoreImportGroup;

/* encore_import_group: FILES (EncoreImportFile, learnt) by their ids, in order of their first ones.
 * A file without an id gets that of one with the very same bytes; when CANCELLABLE ends the work
 * some do not.  Reads files in DIRFD.  Returns: (transfer full): EncoreImportGroup; FILES must
 * outlive it.  Threads: no other looks at FILES meanwhile. */
GPtrArray *encore_import_group (GPtrArray *files, int dirfd, GCancellable *cancellable);

G_END_DECLS
