/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Opus packets out of whatever container, bit for bit, as 20 ms packets.  For fetch and import
 * only. */
#pragma once

#include <gio/gio.h>

#include "base/encore-ogg.h"
#include "store/encore-reader.h"

G_BEGIN_DECLS

typedef enum {
  ENCORE_REMUX_DONE,
  ENCORE_REMUX_UNFIT, /* it must be encoded; WRITER may have been used */
  ENCORE_REMUX_FAILED /* with ERROR */
} EncoreRemuxResult;

typedef struct {
  gint64 frames;         /* that a decode brought, without pre-skip and end trimming */
  int max_bitrate_bps;   /* on the average */
  EncoreReader *growing; /* (nullable): what is read instead of PATH, as it comes; neither length
                            nor bitrate is known then, and all packets are written */
} EncoreRemuxSpec;

/* encore_remux: the packets of PATH's only sound, if that is stereo Opus (channel mapping family 0)
 * without a gain in its header and its packets are of 20 ms, or can be joined or split into such
 * without decoding.  The result decodes to exactly SPEC->frames.
 * *WHY (out): static text, why it is unfit.  *MAX_PACKET_BYTES (out).
 * Errors: those of encore_pull() and of WRITER.  Threads: any worker; blocks. */
EncoreRemuxResult
encore_remux (const char *path, const EncoreRemuxSpec *spec, EncoreOggWriter *writer,
              const char *const *comments, GCancellable *cancellable, guint *max_packet_bytes,
              const char **why, GError **error);

G_END_DECLS
