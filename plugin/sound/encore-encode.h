/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A song with one gain as Opus 48 kHz stereo 20 ms.  For fetch and import only. */
#pragma once

#include <gio/gio.h>

#include "base/encore-ogg.h"
#include "sound/encore-pcm.h"
#include "store/encore-reader.h"

G_BEGIN_DECLS

typedef struct {
  int bitrate_bps;
  gboolean constant; /* rate: all packets are of one size */
  double gain_db;
  gint64 frames;    /* that the decode must bring */
  gboolean limited; /* no true peak above CEILING_DBTP: see encore-ceiling.h */
  double ceiling_dbtp;
  EncorePcm *pcm;        /* (nullable): of PATH; what is read instead, when it is kept */
  EncoreReader *growing; /* (nullable): what is read instead of PATH, as it comes; FRAMES is not
                            known then */
} EncoreEncodeSpec;

typedef struct {
  gint64 frames; /* of music that came */
  guint max_packet_bytes;
  double true_peak_dbtp; /* of the packets, as encore_ceiling_get_peak_dbtp() says; -HUGE_VAL when
                            not LIMITED */
} EncoreEncoded;

/* encore_encode: decodes PATH and writes headers with COMMENTS, packets and the last page to
 * WRITER.  Errors: those of decoding and of WRITER; CORRUPT if the file changed meanwhile.
 * Threads: any worker; blocks. */
gboolean encore_encode (const char *path, const EncoreEncodeSpec *spec, EncoreOggWriter *writer,
                        const char *const *comments, GCancellable *cancellable, EncoreEncoded *out,
                        GError **error);

G_END_DECLS
