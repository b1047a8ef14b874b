/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Questions about directories. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* encore_fs_is_inside: is the directory open at DIRFD the one at PATH, or below it, by whatever
 * links?  Threads: any. */
gboolean encore_fs_is_inside (int dirfd, const char *path);

G_END_DECLS
