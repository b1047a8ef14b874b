/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What play's own files know of a room beyond encore-player.h: producers fill its ring, the pacer
 * empties it.
 *
 * Every producer that is given to a voice gets a number, its ticket, which its packets carry.  What
 * the voice does not want any more is told by number, in one step with emptying the ring; a packet
 * of another number never gets through, whenever it comes.
 *
 * Threads: play, follow, stop, listen on the control thread; push within FILL only. */
#pragma once

#include "play/encore-player.h"
#include "play/encore-tidings.h"

G_BEGIN_DECLS

typedef struct EncoreProducer EncoreProducer; /* reference counted */

typedef enum {
  ENCORE_FILL_MORE,
  ENCORE_FILL_WAIT, /* nothing there yet: asked again at the next tick */
  ENCORE_FILL_END,
  ENCORE_FILL_FAILED,
} EncoreFillResult;

typedef enum { ENCORE_PUSH_OK, ENCORE_PUSH_FULL, ENCORE_PUSH_STALE } EncorePushResult;

/* [worker; control for the first ones] Pushes up to N packets and returns; never waits. */
typedef EncoreFillResult (*EncoreFillFunc) (EncoreProducer *producer, guint n, gpointer data);

/* @release: DATA is not used any more; on whichever thread that happens to become known. */
EncoreProducer *encore_producer_new (EncoreFillFunc fill, gpointer data, GDestroyNotify release);
void encore_producer_unref (EncoreProducer *self);
/* encore_producer_set_quick: before it is given to a voice: its first packets take some 10 us each
 * and never the disk's patience: control may ask for them itself. */
void encore_producer_set_quick (EncoreProducer *self, gboolean quick);
/* encore_producer_push: one packet of 20 ms, copied.  @end_ns: its end in the song. */
EncorePushResult
encore_producer_push (EncoreProducer *self, const guint8 *packet, gsize len, gint64 end_ns);

/* encore_producer_send: the same past the tap. */
EncorePushResult
encore_producer_send (EncoreProducer *self, const guint8 *packet, gsize len, gint64 end_ns);
/* encore_producer_set_tap: within FILL or before it is given to a voice: TAP sees every packet that
 * is pushed, and answers TRUE to keep it.  DATA: that of the producer. */
typedef gboolean (*EncoreTapFunc) (const guint8 *packet, gsize len, gint64 end_ns, gpointer data);
void encore_producer_set_tap (EncoreProducer *self, EncoreTapFunc tap);
gpointer encore_producer_get_data (EncoreProducer *self);
EncoreProducer *encore_producer_ref (EncoreProducer *self);
/* encore_producer_get_next: within FILL: what follows.  Returns: (transfer full)
 * (nullable). */
EncoreProducer *encore_producer_get_next (EncoreProducer *self);
/* encore_producer_commit: within FILL: NEXT begins when this one ends, and cannot be taken
 * back any more.  Returns: FALSE if it was, just now. */
gboolean encore_producer_commit (EncoreProducer *self, EncoreProducer *next);

/* encore_producer_is_dry: within FILL: it has begun, and nothing of it is left in the
 * ring: silence follows.  *HEARD_NS (out): in the song, the end of what was sent. */
gboolean encore_producer_is_dry (EncoreProducer *self, gint64 *heard_ns);

/* encore_voice_play: now; everything else is forgotten.  @producer: (transfer none) (nullable):
 * NULL for silence.  Returns: its number, 0 for silence. */
guint encore_voice_play (EncoreVoice *self, EncoreProducer *producer);
/* encore_voice_fade_out: play (NULL), but what sounds goes to nothing within eight packets, which
 * keep to MAX_BPS (0: no limit).  A room that is paused, or waits for its packets, is just silent.
 */
void encore_voice_fade_out (EncoreVoice *self, guint max_bps);
/* encore_voice_follow: PRODUCER comes after song AFTER; what was to come there is forgotten.
 * @producer: (nullable).  *NUMBER (out): its number, 0 if none.  Returns: FALSE if something behind
 * AFTER is in the air already, or mixed into the end of it; nothing is changed then. */
gboolean
encore_voice_follow (EncoreVoice *self, guint after, EncoreProducer *producer, guint *number);
void encore_voice_set_paused (EncoreVoice *self, gboolean paused);
const char *encore_voice_get_name (EncoreVoice *self);
/* encore_voice_quiesce: until no worker has anything of this voice. */
void encore_voice_quiesce (EncoreVoice *self);
/* encore_voice_get_filled: packets that wait to be sent. */
guint encore_voice_get_filled (EncoreVoice *self);
/* encore_voice_get_position: of the packet sent last; *SONG (out). */
gint64 encore_voice_get_position_ns (EncoreVoice *self, guint *song);

/* encore_voice_listen: WAKE is called on the pacer thread when next_event() has something; it must
 * not block.  NULL: nobody.  When it returns the former WAKE is not running. */
void encore_voice_listen (EncoreVoice *self, GFunc wake, gpointer data);
gboolean encore_voice_next_event (EncoreVoice *self, EncoreVoiceEvent *out);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreProducer, encore_producer_unref)

G_END_DECLS
