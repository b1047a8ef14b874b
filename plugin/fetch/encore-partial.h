/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Downloads that broke off, kept to be gone on with: also by the next process.  Private to fetch.
 *
 * A file's name tells what it is the beginning of: the id that was asked for, the format, the size
 * of the whole, and the boot of the machine, since what was not yet on the disk when the power
 * failed may be anything.  Only who holds the claim of the id touches its file. */
#pragma once

#include <glib.h>

#include "base/encore-error.h"
#include "base/encore-media-id.h"
#include "fetch/encore-media.h"

G_BEGIN_DECLS

#define ENCORE_PARTIAL_AGE_S (24 * 60 * 60)
#define ENCORE_PARTIAL_MAX_BYTES (G_GINT64_CONSTANT (256) * 1024 * 1024)

/* encore_partial_path: where the bytes of MEDIA, asked for as ID, gather below DIR (made if need
 * be).  Others of ID are removed, and what is too old, of another boot or too much.
 * Returns: (transfer full) (nullable): NULL when MEDIA's size is unknown or DIR cannot be used:
 * nothing is kept then. */
char *encore_partial_path (const char *dir, const EncoreMediaId *id, const EncoreMedia *media);

/* encore_partial_drop: all of ID, whose song is there. */
void encore_partial_drop (const char *dir, const EncoreMediaId *id);

/* encore_partial_is_worth: is what is at PATH kept after an error with CODE? */
gboolean encore_partial_is_worth (const char *path, int code);

G_END_DECLS
