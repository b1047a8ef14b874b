/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Checksums of files.  nettle's SHA-256 uses the processor's instructions for it; GLib's does not
 * and takes four times as long. */
#pragma once

#include <glib.h>

#include "base/encore-error.h"

G_BEGIN_DECLS

/* encore_sum_file: the SHA-256 (FIPS 180-4) of all bytes of FD, in hex; FD's position does not
 * matter and stays.  Threads: any.  Errors: STORE, errno is kept.  (transfer full) */
char *encore_sum_file (int fd, GError **error);

G_END_DECLS
