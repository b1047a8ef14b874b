/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Opus packets of 20 ms as RTP (RFC 3550, RFC 7587), payload type 96, to one address.
 *
 * Timestamps run over pauses, sequence numbers do not: a pause is no loss.  The first packet after
 * a pause has the marker.
 *
 * Threads: one at a time.  Nothing waits: what the socket does not take is lost, as it is on the
 * way. */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define RTP_PORT 5004 /* where none is given */

typedef struct Rtp Rtp;

/* rtp_parse: WHERE is HOST:PORT.  Without MAY_RESOLVE the host must be a number, and nothing waits.
 * Errors: a sentence.  (transfer full) */
GSocketAddress *rtp_parse (const char *where, gboolean may_resolve, GError **error);
/* rtp_new: to ADDRESS. */
Rtp *rtp_new (GSocketAddress *address, GError **error);
/* rtp_send: the packet that is the SEQ-th 20 ms. */
void rtp_send (Rtp *self, guint64 seq, const void *packet, gsize len);
void rtp_free (Rtp *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Rtp, rtp_free)

G_END_DECLS
