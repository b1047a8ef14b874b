/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What a file in another bot's directory says of itself: tags, and how long it ought to be.  Claims
 * only; decoding judges.  Private to import. */
#pragma once

#include <glib.h>

#include "base/encore-error.h"
#include "base/encore-media-id.h"

G_BEGIN_DECLS

typedef struct {
  char *title, *artist; /* (nullable), cleaned */
  EncoreMediaId id;     /* when has_id: a tag or the sidecar names it by ENCORE_ID or by its link */
  gboolean has_id;
  gint64 announced_ms; /* 0: the container announces no length */
} EncoreProbe;

/* encore_probe_file: the file open at FD, of any format.
 * Returns: FALSE with CORRUPT when its structure shows that bytes are missing or wrong; tags are
 * not read then.  Threads: any worker; blocks up to 10 s; calls gst_init if need be. */
gboolean encore_probe_file (int fd, EncoreProbe *out, GError **error);
/* encore_probe_sidecar: adds to PROBE what is not known yet from BASE.info.json in DIRFD (yt-dlp
 * --write-info-json).  A missing or broken one adds nothing. */
void encore_probe_sidecar (int dirfd, const char *base, EncoreProbe *probe);
void encore_probe_clear (EncoreProbe *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (EncoreProbe, encore_probe_clear)

G_END_DECLS
