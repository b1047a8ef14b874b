/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The last 100 ms of a room that is stopped: the packets that would have come, going to nothing.
 *
 * Of what was filled ahead the first two packets stay as they are (they are the time that coding
 * has), the next five are decoded, ramped down and encoded by coders that were warmed with what was
 * heard before; where fewer are there the ramp is shorter.  Behind less than two packets there is
 * none: the decoder's own 2.5 ms are all that is left of the sound.
 *
 * Threads: EncoreFade: one user at a time.  EncoreFader: code() on a worker, which takes no lock;
 * all else under the lock of the room's consumer. */
#pragma once

#include "play/encore-ring.h"

G_BEGIN_DECLS

#define ENCORE_FADE_HEARD 5  /* packets after which a decoder has forgotten where it began */
#define ENCORE_FADE_COMING 8 /* two that pass, five that fade, one for the encoder's look-ahead */

typedef struct {
  guint number;       /* the fader's */
  guint max_bps;      /* 0: no limit */
  GPtrArray *heard;   /* GBytes: the packets sent last, oldest first; at least one */
  GPtrArray *coming;  /* GBytes: those that would have followed, at most ENCORE_FADE_COMING */
  GPtrArray *packets; /* GBytes: made by encore_fade_code(), to be sent behind the plain ones */
} EncoreFade;

EncoreFade *encore_fade_new (guint max_bps);
void encore_fade_free (EncoreFade *self);
/* encore_fade_count_plain: so many of COMING are sent as they are. */
guint encore_fade_count_plain (const EncoreFade *self);
/* encore_fade_code: about 2 ms.  What cannot be decoded is left out: the sound is cut off there. */
void encore_fade_code (EncoreFade *self);

/* A room's: what it sent last, and what it sends before it is silent.  Embedded, zeroed. */
typedef struct {
  EncoreSlot heard[ENCORE_FADE_HEARD]; /* a ring */
  guint n_heard;                       /* since the last silence; ever growing */
  GQueue queue;                        /* GBytes */
  guint last_number;
  guint awaited; /* the number of the fade that is being coded; 0: none */
  guint patience;
  _Atomic (EncoreFade *) to_code, coded; /* a fade's way to the worker and back */
} EncoreFader;

void encore_fader_clear (EncoreFader *self);
/* encore_fader_take: the oldest of RING was sent: it is dropped there and remembered here. */
void encore_fader_take (EncoreFader *self, EncoreRing *ring);
/* encore_fader_hush: silence was sent. */
void encore_fader_hush (EncoreFader *self);
/* encore_fader_gather: Returns: (transfer full) (nullable): a fade of what was heard, to which what
 * would come is yet to be added; NULL: nothing was. */
EncoreFade *encore_fader_gather (EncoreFader *self, guint max_bps);
/* encore_fader_begin: @fade: (transfer full).  A worker must be asked to call code(). */
void encore_fader_begin (EncoreFader *self, EncoreFade *fade);
void encore_fader_forget (EncoreFader *self);
void encore_fader_code (EncoreFader *self);
/* encore_fader_next: [pacer] once a tick.  Returns: FALSE if it is over.  *PACKET (out) (transfer
 * none) (nullable): what is due, until it is dropped; NULL: it is not coded yet.  Nothing is to be
 * sent then: listeners conceal a lost packet, and would hear the cut before silence. */
gboolean encore_fader_next (EncoreFader *self, GBytes **packet);
void encore_fader_drop (EncoreFader *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreFade, encore_fade_free)

G_END_DECLS
