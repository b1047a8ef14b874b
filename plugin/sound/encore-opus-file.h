/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The Opus file that a fetch makes, page by page.  For fetch and import only.  Errors: NO_SPACE,
 * STORE. Threads: any, one at a time. */
#pragma once

#include <glib.h>

#include "base/encore-error.h"

G_BEGIN_DECLS

typedef struct EncoreOpusFile EncoreOpusFile;

/* encore_opus_file_new: PATH must not exist. */
EncoreOpusFile *encore_opus_file_new (const char *path, GError **error);
/* encore_opus_file_write: an EncoreOggWriteFunc with the file as DATA. */
gboolean encore_opus_file_write (const guint8 *page, gsize len, gpointer data, GError **error);
/* encore_opus_file_start_over: what was written is thrown away. */
gboolean encore_opus_file_start_over (EncoreOpusFile *self, GError **error);
/* encore_opus_file_close: also frees it.  Nothing is synced.  Returns: its bytes. */
gint64 encore_opus_file_close (EncoreOpusFile *self);

G_END_DECLS
