/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A room: ring, tickets, pause flag, silence.
 *
 * Three sides.  Workers fill the ring, and control at the beginning of a song; which producer is
 * theirs is under `lock`, never held during I/O; it is taken last. The consumer's side is under
 * `out`: the pacer only tries it and passes the room over when control is just changing its mind
 * there, so one room's command never makes another's packet late. Events go back to control through
 * a small ring that the pacer writes and control reads. */
#include "config.h"
#include "play/encore-voice.h"

#include "play/encore-fade.h"
#include "play/encore-fill.h"
#include "play/encore-pacer.h"
#include "play/encore-ring.h"

#define SILENCE_FRAMES 5
#define AHEAD_MIN 8
#define LOW_MARK(ahead) \
  MAX ((ahead) / 4, AHEAD_MIN / 2) /* refilled from here: 24 packets a wake-up */
#define FILL_THREADS 2
#define LATE_US 20000

/* Songs FROM and up to END, not included. */
#define REVOKED(from, end) ((guint64) (from) << 32 | (end))

static const guint8 SILENCE[] = {0xF8, 0xFF, 0xFE}; /* Opus: CELT, 20 ms, mono, nothing */

struct EncorePlayout {
  EncorePacer *pacer;
  EncoreFill *fill;
};

struct EncoreProducer {
  gatomicrefcount ref_count;
  EncoreVoice *voice; /* set with SONG when it is given to one */
  guint song;
  EncoreFillFunc fill;
  EncoreTapFunc tap; /* (nullable) */
  gboolean is_quick;
  gpointer data;
  GDestroyNotify release;
};

typedef struct {
  _Atomic guint64 packets, silence, underruns, full, late;
} Counters;

struct EncoreVoice {
  EncorePaced paced; /* first: the pacer hands this address back */
  EncoreFillJob job;
  EncorePlayout *playout;
  char *name;
  EncoreSendFunc send;
  gpointer data;
  EncoreRing ring;
  Counters counters;
  _Atomic guint ahead; /* packets that are filled ahead */
  _Atomic gboolean paused;
  _Atomic gboolean producing; /* a producer is there that has not ended */
  _Atomic guint first;        /* songs below are stale */
  _Atomic guint64 revoked;    /* and these: REVOKED(), both ends in one */

  GMutex lock; /* of the producers */
  EncoreProducer *current, *next;
  guint last_song;
  guint committed; /* newest song that is mixed into the end of the one before */

  GMutex out; /* of what follows */
  gboolean speaking, in_song, closed, started_once;
  guint silence_left;
  guint passed; /* newest song of which anything was taken */
  guint64 first_slot;
  EncoreFader fader;
  _Atomic guint air_song;
  _Atomic gint64 air_end_ns;
  EncoreTidings tidings;
};

/* ---- playout */

EncorePlayout *
encore_playout_new (void)
{
  return g_new0 (EncorePlayout, 1);
}

static void
start_threads (EncorePlayout *self)
{
  if (self->pacer != NULL)
    return;
  self->pacer = encore_pacer_new ();
  self->fill = encore_fill_new (FILL_THREADS);
}

void
encore_playout_free (EncorePlayout *self)
{
  g_clear_pointer (&self->pacer, encore_pacer_free);
  g_clear_pointer (&self->fill, encore_fill_free);
  g_free (self);
}

/* ---- producers */

EncoreProducer *
encore_producer_new (EncoreFillFunc fill, gpointer data, GDestroyNotify release)
{
  EncoreProducer *self = g_new0 (EncoreProducer, 1);
  g_atomic_ref_count_init (&self->ref_count);
  self->fill = fill;
  self->data = data;
  self->release = release;
  return self;
}

EncoreProducer *
encore_producer_ref (EncoreProducer *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
encore_producer_unref (EncoreProducer *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  if (self->release != NULL)
    self->release (self->data);
  g_free (self);
}

static gboolean
is_wanted (EncoreVoice *self, guint song)
{
  const guint64 revoked = atomic_load (&self->revoked);

  return song >= atomic_load (&self->first) &&
         (song < (guint32) (revoked >> 32) || song >= (guint32) revoked);
}

void
encore_producer_set_quick (EncoreProducer *self, gboolean quick)
{
  self->is_quick = quick;
}

gpointer
encore_producer_get_data (EncoreProducer *self)
{
  return self->data;
}

void
encore_producer_set_tap (EncoreProducer *self, EncoreTapFunc tap)
{
  self->tap = tap;
}

EncoreProducer *
encore_producer_get_next (EncoreProducer *self)
{
  EncoreVoice *voice = self->voice;

  g_mutex_lock (&voice->lock);
  EncoreProducer *next =
      voice->current == self && voice->next != NULL ? encore_producer_ref (voice->next) : NULL;
  g_mutex_unlock (&voice->lock);
  return next;
}

gboolean
encore_producer_commit (EncoreProducer *self, EncoreProducer *next)
{
  EncoreVoice *voice = self->voice;

  g_mutex_lock (&voice->lock);
  const gboolean in_time =
      voice->current == self && voice->next == next && is_wanted (voice, next->song);
  if (in_time)
    voice->committed = next->song;
  g_mutex_unlock (&voice->lock);
  return in_time;
}

EncorePushResult
encore_producer_push (EncoreProducer *self, const guint8 *packet, gsize len, gint64 end_ns)
{
  if (self->tap != NULL && self->tap (packet, len, end_ns, self->data))
    return ENCORE_PUSH_OK;
  return encore_producer_send (self, packet, len, end_ns);
}

EncorePushResult
encore_producer_send (EncoreProducer *self, const guint8 *packet, gsize len, gint64 end_ns)
{
  EncoreVoice *voice = self->voice;
  if (!is_wanted (voice, self->song))
    return ENCORE_PUSH_STALE;
  if (!encore_ring_push (&voice->ring, self->song, ENCORE_SLOT_PACKET, end_ns, packet, len))
    return ENCORE_PUSH_FULL;
  encore_pacer_kick (voice->playout->pacer, &voice->paced);
  return ENCORE_PUSH_OK;
}

gboolean
encore_producer_is_dry (EncoreProducer *self, gint64 *heard_ns)
{
  EncoreVoice *voice = self->voice;

  if (encore_ring_used (&voice->ring) > 0 || atomic_load (&voice->air_song) != self->song)
    return FALSE;
  *heard_ns = atomic_load (&voice->air_end_ns);
  return TRUE;
}

/* ---- filling, on a worker; the beginning of a song on control */

static EncoreProducer *
get_current (EncoreVoice *self)
{
  g_mutex_lock (&self->lock);
  EncoreProducer *producer = self->current ? encore_producer_ref (self->current) : NULL;
  g_mutex_unlock (&self->lock);
  return producer;
}

/* PRODUCER is at its end; the next one takes over here and now, while the ring is still full. */
static void
advance (EncoreVoice *self, EncoreProducer *producer)
{
  EncoreProducer *done = NULL;
  g_mutex_lock (&self->lock);
  if (self->current == producer) {
    done = g_steal_pointer (&self->current);
    self->current = g_steal_pointer (&self->next);
    atomic_store (&self->producing, self->current != NULL);
  }
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&done, encore_producer_unref);
}

/* At most MOST packets.  Returns: TRUE if there may be more to do at once. */
static gboolean
fill_some (EncoreVoice *self, EncoreProducer *producer, guint most)
{
  const guint used = encore_ring_used (&self->ring), ahead = atomic_load (&self->ahead);
  if (used >= ahead)
    return FALSE;
  EncoreFillResult result = producer->fill (producer, MIN (ahead - used, most), producer->data);
  if (!is_wanted (self, producer->song)) {
    advance (self, producer);
    return TRUE;
  }
  if (result == ENCORE_FILL_WAIT) /* it asks again while it is awake */
    encore_pacer_kick (self->playout->pacer, &self->paced);
  if (result == ENCORE_FILL_MORE || result == ENCORE_FILL_WAIT)
    return FALSE;
  EncoreSlotKind kind = result == ENCORE_FILL_END ? ENCORE_SLOT_END : ENCORE_SLOT_FAILED;
  if (!encore_ring_push (&self->ring, producer->song, kind, 0, NULL, 0))
    return FALSE; /* it says so again when asked again */
  encore_pacer_kick (self->playout->pacer, &self->paced);
  advance (self, producer);
  return TRUE;
}

static void
fill_voice (EncoreFillJob *job)
{
  EncoreVoice *self = (EncoreVoice *) ((char *) job - G_STRUCT_OFFSET (EncoreVoice, job));
  gboolean more = TRUE;
  encore_fader_code (&self->fader);
  while (more) {
    EncoreProducer *producer = get_current (self);
    if (producer == NULL)
      return;
    more = fill_some (self, producer, ENCORE_RING_DEPTH);
    encore_producer_unref (producer);
  }
}

/* Somebody waits for the first packet: no worker has to wake up before it, and has as much time for
 * those behind as ever. */
static void
begin_song (EncoreFillJob *job)
{
  EncoreVoice *self = (EncoreVoice *) ((char *) job - G_STRUCT_OFFSET (EncoreVoice, job));
  EncoreProducer *producer = get_current (self);

  if (producer == NULL)
    return;
  fill_some (self, producer, AHEAD_MIN);
  encore_producer_unref (producer);
}

/* ---- sending, on the pacer */

/* Of the song in the air. */
static void
notice (EncoreVoice *self, gboolean dry)
{
  encore_tidings_notice (&self->tidings, dry, atomic_load (&self->air_song),
                         atomic_load (&self->air_end_ns));
}

static gint64
air_end_of (EncoreVoice *self, guint song)
{
  return atomic_load (&self->air_song) == song ? atomic_load (&self->air_end_ns) : 0;
}

/* Takes marks and stale packets away.  Returns: (nullable): the packet that is due. */
static const EncoreSlot *
skim (EncoreVoice *self)
{
  const EncoreSlot *slot;
  while ((slot = encore_ring_peek (&self->ring)) != NULL) {
    gboolean wanted = is_wanted (self, slot->song);
    if (wanted && slot->kind == ENCORE_SLOT_PACKET)
      return slot;
    if (wanted) {
      self->in_song = FALSE;
      self->passed = MAX (self->passed, slot->song);
      encore_tidings_post (&self->tidings,
                           slot->kind == ENCORE_SLOT_END ? ENCORE_VOICE_ENDED : ENCORE_VOICE_FAILED,
                           slot->song, air_end_of (self, slot->song));
    }
    encore_ring_drop (&self->ring);
  }
  return NULL;
}

static gboolean
send_frame (EncoreVoice *self, guint64 slot, gboolean last, const guint8 *packet, gsize len)
{
  if (!self->started_once)
    self->first_slot = slot;
  EncoreSendResult result = self->send (slot - self->first_slot, last, packet, len, self->data);
  if (result == ENCORE_SEND_FULL)
    atomic_fetch_add (&self->counters.full, 1);
  self->closed = result == ENCORE_SEND_CLOSED;
  self->started_once |= result == ENCORE_SEND_OK;
  return result == ENCORE_SEND_OK;
}

static void
send_packet (EncoreVoice *self, const EncoreSlot *packet, guint64 slot, gint64 late_us)
{
  if (!send_frame (self, slot, FALSE, packet->data, packet->len))
    return; /* offered again at the next tick */
  atomic_fetch_add (&self->counters.packets, 1);
  if (late_us > LATE_US)
    atomic_fetch_add (&self->counters.late, 1);
  gboolean is_first = packet->song != atomic_load (&self->air_song);
  self->passed = MAX (self->passed, packet->song);
  atomic_store (&self->air_end_ns, packet->end_ns);
  atomic_store (&self->air_song, packet->song);
  self->speaking = self->in_song = TRUE;
  self->silence_left = SILENCE_FRAMES;
  if (is_first)
    encore_tidings_post (&self->tidings, ENCORE_VOICE_STARTED, packet->song, packet->end_ns);
  notice (self, FALSE);
  encore_fader_take (&self->fader, &self->ring);
  skim (self); /* so that the end is told when the last packet was taken */
}

static void
send_silence (EncoreVoice *self, guint64 slot)
{
  gboolean last = self->silence_left == 1;
  if (!send_frame (self, slot, last, SILENCE, sizeof SILENCE))
    return;
  atomic_fetch_add (&self->counters.silence, 1);
  self->silence_left--;
  encore_fader_hush (&self->fader);
  self->speaking = !last;
}

/* Returns: FALSE if the room does not fade (any more). */
static gboolean
send_fade (EncoreVoice *self, guint64 slot)
{
  GBytes *due;
  gsize len;

  if (!encore_fader_next (&self->fader, &due))
    return FALSE;
  if (due == NULL)
    return TRUE;
  const guint8 *packet = g_bytes_get_data (due, &len);
  if (send_frame (self, slot, FALSE, packet, len)) {
    atomic_fetch_add (&self->counters.packets, 1);
    encore_fader_drop (&self->fader);
  }
  return TRUE;
}

static void
tick_locked (EncoreVoice *self, guint64 slot, gint64 late_us)
{
  gboolean paused = atomic_load (&self->paused);
  if (paused)
    encore_fader_forget (&self->fader);
  else if (send_fade (self, slot))
    return;
  const EncoreSlot *packet = skim (self);
  if (packet != NULL && !paused) {
    send_packet (self, packet, slot, late_us);
  } else if (self->speaking) {
    if (!paused && self->in_song && self->silence_left == SILENCE_FRAMES) {
      atomic_fetch_add (&self->counters.underruns, 1); /* once a dry spell */
      notice (self, TRUE);
    }
    send_silence (self, slot);
  }
}

/* Low: a worker is asked.  It costs an atomic or two, so it is simply asked at every tick. */
static void
ask_for_more (EncoreVoice *self)
{
  const guint low = LOW_MARK (atomic_load (&self->ahead));

  if (atomic_load (&self->producing) && encore_ring_used (&self->ring) <= low)
    encore_fill_queue (self->playout->fill, &self->job);
}

static gboolean
wants_more (EncorePaced *paced)
{
  EncoreVoice *self = (EncoreVoice *) paced;
  if (self->closed)
    return FALSE;
  return self->speaking || (!atomic_load (&self->paused) &&
                            (encore_ring_used (&self->ring) > 0 || atomic_load (&self->producing)));
}

static gboolean
tick (EncorePaced *paced, guint64 slot, gint64 late_us)
{
  EncoreVoice *self = (EncoreVoice *) paced;
  if (!g_mutex_trylock (&self->out))
    return TRUE;
  if (!self->closed)
    tick_locked (self, slot, late_us);
  gboolean more = wants_more (paced);
  g_mutex_unlock (&self->out);
  ask_for_more (self);
  return more;
}

/* ---- control */

EncoreVoice *
encore_voice_new (EncorePlayout *playout, const char *name, EncoreSendFunc send, gpointer data)
{
  EncoreVoice *self = g_new0 (EncoreVoice, 1);
  start_threads (playout);
  self->paced.tick = tick;
  self->paced.wants_more = wants_more;
  self->job.run = fill_voice;
  self->playout = playout;
  self->name = g_strdup (name);
  self->send = send;
  self->data = data;
  self->ahead = ENCORE_RING_DEPTH;
  g_mutex_init (&self->lock);
  g_mutex_init (&self->out);
  encore_pacer_add (playout->pacer, &self->paced);
  return self;
}

/* Forgets both producers and puts FIRST in their place. */
static void
set_producers (EncoreVoice *self, EncoreProducer *first)
{
  g_mutex_lock (&self->lock);
  EncoreProducer *current = self->current, *next = self->next;
  self->current = first;
  self->next = NULL;
  atomic_store (&self->producing, first != NULL);
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&current, encore_producer_unref);
  g_clear_pointer (&next, encore_producer_unref);
}

/* PRODUCER is this voice's from now on. */
static EncoreProducer *
adopt (EncoreVoice *self, EncoreProducer *producer)
{
  if (producer == NULL)
    return NULL;
  producer->voice = self;
  producer->song = self->last_song;
  return encore_producer_ref (producer);
}

/* With OUT held.  Everything is forgotten. */
static void
clear_out (EncoreVoice *self)
{
  atomic_store (&self->first, ++self->last_song);
  while (encore_ring_peek (&self->ring) != NULL)
    encore_ring_drop (&self->ring);
  encore_fader_forget (&self->fader);
  self->in_song = self->tidings.dry = FALSE;
}

guint
encore_voice_play (EncoreVoice *self, EncoreProducer *producer)
{
  EncoreProducer *mine;
  g_mutex_lock (&self->out);
  clear_out (self);
  mine = adopt (self, producer);
  g_mutex_unlock (&self->out);
  set_producers (self, mine);
  if (mine != NULL && mine->is_quick)
    encore_fill_run_here (self->playout->fill, &self->job, begin_song);
  if (mine != NULL)
    encore_fill_queue (self->playout->fill, &self->job);
  return mine != NULL ? self->last_song : 0;
}

/* With OUT held.  Returns: (transfer full) (nullable): what was sent last and what would follow. */
static EncoreFade *
gather_fade (EncoreVoice *self, guint max_bps)
{
  EncoreFade *fade = self->in_song && !atomic_load (&self->paused)
                         ? encore_fader_gather (&self->fader, max_bps)
                         : NULL;
  const EncoreSlot *slot;

  for (guint i = 0; fade != NULL && fade->coming->len < ENCORE_FADE_COMING &&
                    (slot = encore_ring_peek_at (&self->ring, i)) != NULL;
       i++) {
    if (!is_wanted (self, slot->song))
      continue;
    if (slot->kind != ENCORE_SLOT_PACKET)
      break;
    g_ptr_array_add (fade->coming, g_bytes_new (slot->data, slot->len));
  }
  return fade;
}

void
encore_voice_fade_out (EncoreVoice *self, guint max_bps)
{
  g_mutex_lock (&self->out);
  EncoreFade *fade = gather_fade (self, max_bps);
  const gboolean fades = fade != NULL;
  clear_out (self);
  if (fades)
    encore_fader_begin (&self->fader, fade);
  g_mutex_unlock (&self->out);
  set_producers (self, NULL);
  if (fades)
    encore_fill_queue (self->playout->fill, &self->job);
}

/* Returns: FALSE if a song behind AFTER has been heard, or its beginning is in AFTER's end. */
static gboolean
revoke_after (EncoreVoice *self, guint after)
{
  g_mutex_lock (&self->out);
  g_mutex_lock (&self->lock);
  gboolean in_time = self->passed <= after && self->committed <= after;
  if (in_time) {
    self->last_song++;
    atomic_store (&self->revoked, REVOKED (after + 1, self->last_song));
  }
  g_mutex_unlock (&self->lock);
  g_mutex_unlock (&self->out);
  return in_time;
}

gboolean
encore_voice_follow (EncoreVoice *self, guint after, EncoreProducer *producer, guint *number)
{
  g_autoptr (EncoreProducer) old = NULL;
  g_autoptr (EncoreProducer) early = NULL;
  *number = 0;
  if (!revoke_after (self, after))
    return FALSE;
  EncoreProducer *mine = adopt (self, producer);
  g_mutex_lock (&self->lock);
  old = g_steal_pointer (&self->next);
  if (self->current != NULL && self->current->song > after)
    early = g_steal_pointer (&self->current);
  if (self->current == NULL)
    self->current = mine;
  else
    self->next = mine;
  gboolean now = self->current == mine && mine != NULL;
  atomic_store (&self->producing, self->current != NULL);
  g_mutex_unlock (&self->lock);
  if (now)
    encore_fill_queue (self->playout->fill, &self->job);
  *number = mine != NULL ? self->last_song : 0;
  return TRUE;
}

void
encore_voice_set_ahead (EncoreVoice *self, guint packets)
{
  atomic_store (&self->ahead, CLAMP (packets, AHEAD_MIN, ENCORE_RING_DEPTH));
}

void
encore_voice_set_paused (EncoreVoice *self, gboolean paused)
{
  atomic_store (&self->paused, paused);
  if (!paused)
    encore_pacer_kick (self->playout->pacer, &self->paced);
}

const char *
encore_voice_get_name (EncoreVoice *self)
{
  return self->name;
}

void
encore_voice_quiesce (EncoreVoice *self)
{
  encore_fill_wait (self->playout->fill, &self->job);
}

void
encore_voice_free (EncoreVoice *self)
{
  encore_pacer_remove (self->playout->pacer, &self->paced);
  encore_voice_play (self, NULL);
  encore_voice_quiesce (self);
  encore_ring_clear (&self->ring);
  encore_fader_clear (&self->fader);
  g_mutex_clear (&self->lock);
  g_mutex_clear (&self->out);
  g_free (self->name);
  g_free (self);
}

void
encore_voice_get_stats (EncoreVoice *self, EncoreVoiceStats *out)
{
  out->packets = atomic_load (&self->counters.packets);
  out->silence = atomic_load (&self->counters.silence);
  out->underruns = atomic_load (&self->counters.underruns);
  out->full = atomic_load (&self->counters.full);
  out->late = atomic_load (&self->counters.late);
}

guint
encore_voice_get_filled (EncoreVoice *self)
{
  return encore_ring_used (&self->ring);
}

gint64
encore_voice_get_position_ns (EncoreVoice *self, guint *song)
{
  gint64 end_ns;
  do {
    *song = atomic_load (&self->air_song);
    end_ns = atomic_load (&self->air_end_ns);
  } while (*song != atomic_load (&self->air_song));
  return end_ns;
}

void
encore_voice_listen (EncoreVoice *self, GFunc wake, gpointer data)
{
  g_mutex_lock (&self->out);
  encore_tidings_listen (&self->tidings, wake, data);
  g_mutex_unlock (&self->out);
}

gboolean
encore_voice_next_event (EncoreVoice *self, EncoreVoiceEvent *out)
{
  return encore_tidings_next (&self->tidings, out);
}
