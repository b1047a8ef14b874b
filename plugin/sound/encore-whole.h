/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Is a media file all there?  Decoders play what they get of a file that was cut off, or leave out
 * what is damaged, and end without an error.  For fetch and import only. */
#pragma once

#include <glib.h>

#include "base/encore-error.h"

G_BEGIN_DECLS

/* encore_whole_has_magic: do the first LEN bytes (16 are enough) begin a media file? */
gboolean encore_whole_has_magic (const guint8 *head, gsize len);

/* encore_whole_check_duration: DECODED_MS against what somebody ANNOUNCED (0: nobody did): 2 % may
 * be missing or too much, and 1.5 s always.  Errors: CORRUPT. */
gboolean encore_whole_check_duration (gint64 decoded_ms, gint64 announced_ms, GError **error);

/* encore_whole_check_file: what the container of PATH says of itself: CRC and sequence of every Ogg
 * page, the size in RIFF and in the Xing header of MP3; for all others the duration in their header
 * (ANNOUNCED_MS, 0: none), of which only too little is an error: pictures may last longer.
 * Errors: CORRUPT, STORE. */
gboolean
encore_whole_check_file (const char *path, gint64 decoded_ms, gint64 announced_ms, GError **error);

G_END_DECLS
