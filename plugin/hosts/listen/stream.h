/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Packets that come in and pages that go out by the clock; knows no network.
 *
 * Threads: stream_put() and stream_put_title() from any thread, the rest from one. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define STREAM_TICK_US 100000 /* a page each */

typedef struct Stream Stream;

/* stream_new: @chain: a title begins a new logical stream. */
Stream *stream_new (gboolean chain);
void stream_free (Stream *self);
/* stream_put: the oldest packet is dropped where more than a second waits. */
void stream_put (Stream *self, const void *packet, gsize len, gboolean last);
void stream_put_title (Stream *self, const char *title);
/* stream_begin: the clock starts at NOW_US, header pages are appended to OUT. */
void stream_begin (Stream *self, gint64 now_us, GByteArray *out);
/* stream_pages: what is due at NOW_US, music or silence, is appended to OUT. */
void stream_pages (Stream *self, gint64 now_us, GByteArray *out);
/* stream_end: the page that says so. */
void stream_end (Stream *self, GByteArray *out);
/* stream_skip: what is due at NOW_US is thrown away: nobody takes pages just now. */
void stream_skip (Stream *self, gint64 now_us);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Stream, stream_free)

G_END_DECLS
