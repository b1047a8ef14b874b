/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Ogg Opus as the cache keeps it: one logical stream, 48 kHz, 20 ms packets, pages of at most 200 ms,
 * no chain.  RFC 3533 (Ogg), RFC 7845 (Opus in Ogg).
 *
 * Reader and writer keep no thread and no lock: one user at a time each. */
#pragma once

#include <glib.h>

#include "base/encore-error.h"

G_BEGIN_DECLS

#define ENCORE_OPUS_RATE_HZ 48000
#define ENCORE_PACKET_SAMPLES 960 /* 20 ms */
#define ENCORE_PACKET_NS G_GINT64_CONSTANT (20000000)
#define ENCORE_PAGE_PACKETS 10 /* 200 ms */

/* ---- writing */

typedef struct EncoreOggWriter EncoreOggWriter;

/* Takes whole pages.  Returns: FALSE with ERROR to stop. */
typedef gboolean (*EncoreOggWriteFunc) (const guint8 *page, gsize len, gpointer data, GError **error);

EncoreOggWriter *encore_ogg_writer_new (EncoreOggWriteFunc write, gpointer data);
void encore_ogg_writer_free (EncoreOggWriter *self);
/* encore_ogg_writer_begin: header pages.  @comments: NULL-terminated "KEY=value", UTF-8, any bytes
 * in the value.  @pre_skip: samples the decoder drops at the start. */
gboolean encore_ogg_writer_begin (EncoreOggWriter *self, guint channels, guint pre_skip,
                                  const char *const *comments, GError **error);
/* encore_ogg_writer_packet: one 20 ms packet of 1 to 65,025 bytes. */
gboolean encore_ogg_writer_packet (EncoreOggWriter *self, const guint8 *packet, gsize len,
                                   GError **error);
/* encore_ogg_writer_flush: a page with what waits for one, if anything does: for streams that are
 * heard while they are written. */
gboolean encore_ogg_writer_flush (EncoreOggWriter *self, GError **error);
/* encore_ogg_writer_end: the last page, marked end of stream and never empty.  @samples: of music
 * (without pre-skip; end trimming), or -1: all of what was written. */
gboolean encore_ogg_writer_end (EncoreOggWriter *self, gint64 samples, GError **error);

/* ---- reading */

/* pread-like: copies up to LEN bytes at OFFSET.  Returns: bytes copied, 0: nothing there (yet), -1
 * with ERROR. */
typedef gssize (*EncoreOggReadFunc) (gpointer data, gint64 offset, guint8 *buf, gsize len,
                                     GError **error);

typedef enum {
  ENCORE_OGG_PACKET,  /* one */
  ENCORE_OGG_WAIT,    /* not enough bytes yet: encore_ogg_reader_wants() says how many */
  ENCORE_OGG_END,     /* after the last packet */
  ENCORE_OGG_DAMAGED, /* ERROR is set (CORRUPT): bad CRC, lost page, no Opus, cut off */
} EncoreOggResult;

typedef struct EncoreOggReader EncoreOggReader;

EncoreOggReader *encore_ogg_reader_new (EncoreOggReadFunc read, gpointer data);
void encore_ogg_reader_free (EncoreOggReader *self);
/* encore_ogg_reader_set_size: bytes that are there now, and whether that is all.  Before the first
 * call nothing is; while not COMPLETE "not yet" is never taken for damage. */
void encore_ogg_reader_set_size (EncoreOggReader *self, gint64 available, gboolean complete);
/* encore_ogg_reader_next: the next packet; headers are eaten.  *PACKET is valid until the next call.
 * *PTS_NS: its start in the song, 0 for the first. */
EncoreOggResult encore_ogg_reader_next (EncoreOggReader *self, const guint8 **packet, gsize *len,
                                        gint64 *pts_ns, GError **error);
gint64 encore_ogg_reader_wants (EncoreOggReader *self);
/* encore_ogg_reader_get_headers: the OpusHead and OpusTags packets, after the first packet or seek;
 * until the reader is freed. */
void encore_ogg_reader_get_headers (EncoreOggReader *self, const guint8 **head, gsize *head_len,
                                    const guint8 **tags, gsize *tags_len);
/* encore_ogg_reader_seek: the next packet will be the one that contains PTS_NS (bisection on page
 * granules; exact).  WAIT when that place has not arrived: call again later. */
EncoreOggResult encore_ogg_reader_seek (EncoreOggReader *self, gint64 pts_ns, GError **error);

/* ---- a whole file at a glance (56 us: first 64 KiB and last 64 KiB) */

typedef struct {
  gboolean complete;      /* the last page is marked end of stream */
  gint64 duration_ms;
  guint channels, pre_skip;
  char **comments;        /* NULL-terminated "KEY=value" */
} EncoreOggSummary;

/* encore_ogg_summarise: Errors: CORRUPT if FD is no Ogg Opus, STORE if it cannot be read. */
gboolean encore_ogg_summarise (int fd, EncoreOggSummary *out, GError **error);
void encore_ogg_summary_clear (EncoreOggSummary *self);
/* Returns: (nullable) (transfer none): value of the first comment KEY (case-insensitive). */
const char *encore_ogg_summary_get (const EncoreOggSummary *self, const char *key);

/* encore_ogg_verify: every page's CRC and sequence number to the end.  *PACKETS (out) (optional). */
gboolean encore_ogg_verify (int fd, gint64 *packets, GError **error);

/* encore_ogg_check_pages: the same for any codec and for several streams beside or behind each
 * other: every page whole, with the right CRC, none missing.  Errors: CORRUPT, STORE. */
gboolean encore_ogg_check_pages (int fd, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreOggWriter, encore_ogg_writer_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreOggReader, encore_ogg_reader_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (EncoreOggSummary, encore_ogg_summary_clear)

G_END_DECLS
