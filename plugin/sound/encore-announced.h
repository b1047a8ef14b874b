/* SPDX-License-Identifier: LGPL-2.1-or-later
 * How long a file ought to be.  For fetch and import only. */
#pragma once

#include "base/encore-error.h"

G_BEGIN_DECLS

/* encore_announced_ms: the length that the container of FD announces (Matroska, MP4, FLAC, MP3 with
 * a Xing header), 0: none.  Structure is checked on the way: Matroska's segment and MP4's boxes end
 * within the file, every Ogg page has its checksum and the last one its mark, WAV has its data.
 * Returns: FALSE with CORRUPT.  Threads: any; reads Ogg wholly, of others the headers. */
gboolean encore_announced_ms (int fd, gint64 *announced_ms, GError **error);

G_END_DECLS
