/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Where the packets go. */
#pragma once

#include <gio/gio.h>

typedef struct Voice Voice;

/* voice_check: can SPEC be one, as far as that is known without opening it? */
gboolean voice_check (const char *spec, GError **error);
/* voice_new: SPEC is "null", "file:PATH.opus", "rtp://HOST:PORT" or "speaker".  NULL with ERROR. */
Voice *voice_new (const char *spec, GError **error);
/* Ends the file, closes the socket. */
void voice_free (Voice *self);
/* One packet of 20 ms.  @seq: counts frames, jumps over silence.  Any thread, one at a time. */
void voice_send (Voice *self, guint64 seq, const void *packet, gsize len);
/* Packets taken so far. */
guint64 voice_get_packets (Voice *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Voice, voice_free)
