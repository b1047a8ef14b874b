/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A file over HTTP in pieces, each checked before its first byte is kept.  Private to fetch. */
#pragma once

#include <gio/gio.h>

#include "base/encore-config.h"
#include "base/encore-error.h"
#include "fetch/encore-media.h"

G_BEGIN_DECLS

typedef struct EncoreHttp EncoreHttp; /* connections that are kept from one download to the next */

/* encore_http_new: CONFIG outlives it.  Opens nothing yet.  Threads: any, several downloads at
 * once.
 */
EncoreHttp *encore_http_new (const EncoreConfig *config);
void encore_http_free (EncoreHttp *self);

/* AT bytes are in the file (less than before when the site made us begin again) of TOTAL, 0:
 * unknown. */
typedef void (*EncoreHttpFunc) (gint64 at, gint64 total, gpointer data);

typedef struct {
  const EncoreMedia *media; /* plain */
  int fd; /* of the file; what is in it is taken for the beginning of the song, when the site still
             sends its last bytes */
  gint64 deadline_us; /* of g_get_monotonic_time() */
  GCancellable *cancellable;
  EncoreHttpFunc func;  /* (nullable) */
  gboolean *open_ended; /* (out) (nullable): nobody told how long it is: the end of the connection,
                           for whatever reason, is taken for the end of the file */
  gpointer data;
} EncoreHttpSpec;

/* encore_http_download: appends to the file until it is whole: as long as announced by yt-dlp and
 * by the site.  The file is never longer than what was checked, so that it can be read meanwhile,
 * and gone on with after a failure. Errors: FORBIDDEN when another address, or yt-dlp itself, may
 * do better; THROTTLED; CORRUPT when it is not what was announced; TOO_BIG, NETWORK, DEADLINE
 * (stalled), CANCELLED, NO_SPACE, STORE; FAILED for an address that is not public (unless the
 * option allow_private). */
gboolean encore_http_download (EncoreHttp *self, const EncoreHttpSpec *spec, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreHttp, encore_http_free)

G_END_DECLS
