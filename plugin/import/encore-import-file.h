/* SPDX-License-Identifier: LGPL-2.1-or-later
 * One file in another bot's directory: which id it has, and whether it is whole.  Private to
 * import.
 *
 * A file is opened once per look, without following links, and handed on as /proc/self/fd/N: what
 * is decoded is what was checked, whatever the name is or becomes meanwhile.  Threads: a file is
 * one thread's at a time. */
#pragma once

#include <gio/gio.h>
#include <sys/stat.h>

#include "import/encore-import-name.h"
#include "import/encore-import.h"
#include "import/encore-probe.h"

G_BEGIN_DECLS

typedef struct {
  char *name;
  struct stat st; /* as listed: whoever changed it since is not touched */
  EncoreImportName parsed;
  EncoreProbe probe;
  char *stem; /* (nullable): of the id */
  gboolean whole;
  gint64 frames;
  char *flaw; /* (nullable): why it cannot be taken */
  EncoreImportVerdict flaw_verdict;
  gboolean keep; /* whatever --delete says: perhaps it is better than what the cache has */
} EncoreImportFile;

EncoreImportFile *encore_import_file_new (const char *name, const struct stat *st);
void encore_import_file_free (EncoreImportFile *self);

/* Returns: -1 with *WHY (transfer full), a clause. */
int encore_import_file_open (const EncoreImportFile *self, int dirfd, char **why);
/* encore_import_file_learn: sets probe and stem, perhaps a flaw. */
void encore_import_file_learn (EncoreImportFile *self, int dirfd);
/* encore_import_file_judge: decodes it wholly, once: sets whole and frames, or a flaw; neither when
 * it was cancelled. */
void encore_import_file_judge (EncoreImportFile *self, int dirfd, GCancellable *cancellable);
/* Takes the place of an earlier flaw; the file is whole no more. */
void encore_import_file_set_flaw (EncoreImportFile *self, EncoreImportVerdict verdict,
                                  const char *format, ...) G_GNUC_PRINTF (3, 4);
gboolean encore_import_file_has_same_bytes (const EncoreImportFile *self,
                                            const EncoreImportFile *other, int dirfd);
/* encore_import_file_delete: if it is still the file that was listed.  Returns: whether it went. */
gboolean encore_import_file_delete (const EncoreImportFile *self, int dirfd);
/* For people; never NULL, never empty.  (transfer none) */
const char *encore_import_file_title (const EncoreImportFile *self);

G_END_DECLS
