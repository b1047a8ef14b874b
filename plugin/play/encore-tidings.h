/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What the pacer has to tell of a room's songs, on its way to control without a lock.
 *
 * Threads: post and notice on the pacer, next on control; whoever listens or sets `dry` excludes
 * both by a lock of the caller's. */
#pragma once

#include <glib.h>
#include <stdatomic.h>

G_BEGIN_DECLS

typedef struct {
  enum {
    ENCORE_VOICE_STARTED,
    ENCORE_VOICE_ENDED,
    ENCORE_VOICE_FAILED,
    ENCORE_VOICE_DRY,   /* silence within a song */
    ENCORE_VOICE_FLOWS, /* over */
  } kind;
  guint song;
  gint64 time_us; /* monotonic, of the packet */
  gint64 end_ns;  /* in the song, of its last packet sent */
} EncoreVoiceEvent;

#define ENCORE_TIDINGS 16 /* at most five are on the way: one song follows another, no third */

/* Zeroed to begin with. */
typedef struct {
  GFunc wake; /* (nullable): nobody listens */
  gpointer wake_data;
  gboolean dry; /* told that it is */
  EncoreVoiceEvent events[ENCORE_TIDINGS];
  _Atomic guint head, tail;
} EncoreTidings;

/* encore_tidings_post: of now. */
void encore_tidings_post (EncoreTidings *self, int kind, guint song, gint64 end_ns);
/* encore_tidings_notice: DRY or FLOWS, once a dry spell; lost when control is late. */
void encore_tidings_notice (EncoreTidings *self, gboolean dry, guint song, gint64 end_ns);
/* encore_tidings_listen: what waits is forgotten. */
void encore_tidings_listen (EncoreTidings *self, GFunc wake, gpointer data);
gboolean encore_tidings_next (EncoreTidings *self, EncoreVoiceEvent *out);

G_END_DECLS
