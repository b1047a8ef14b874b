/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Rooms that sound.  One EncorePlayout (pacer thread and fill pool) serves all rooms; a room has
 * one EncoreVoice (ring, ticket, pause flag, send function) and one EncorePlayer, which starts one
 * disposable pipeline a song:  encoretrack ! encorepack ! encorevoicesink.
 *
 * Threads: player functions on the control thread only, the one that iterates CONTEXT; events come
 * there.  SEND is called on the pacer thread and must not block. */
#pragma once

#include <gio/gio.h>

#include "base/encore-media-id.h"
#include "store/encore-cache.h"
#include "store/encore-reader.h"

G_BEGIN_DECLS

typedef struct EncorePlayout EncorePlayout;
typedef struct EncoreVoice EncoreVoice;
typedef struct EncorePlayer EncorePlayer;

typedef enum {
  ENCORE_SEND_OK,
  ENCORE_SEND_FULL,   /* not taken: offered again at the next tick */
  ENCORE_SEND_CLOSED, /* the voice is gone: nothing more is sent */
} EncoreSendResult;

/* [pacer] One packet of 20 ms.  SEQ counts frames and jumps forward over silence; LAST: nothing
 * follows for now. */
typedef EncoreSendResult (*EncoreSendFunc) (guint64 seq, gboolean last, const guint8 *packet,
                                            gsize len, gpointer data);

/* encore_playout_new: starts no thread until the first voice. */
EncorePlayout *encore_playout_new (void);
/* Joins its threads; all voices must have been freed. */
void encore_playout_free (EncorePlayout *self);

/* encore_voice_new: NAME is the room's, for logs and `encorevoicesink room=`. */
EncoreVoice *
encore_voice_new (EncorePlayout *playout, const char *name, EncoreSendFunc send, gpointer data);
/* When it returns SEND is not running and will not run again. */
void encore_voice_free (EncoreVoice *self);

/* encore_voice_set_ahead: so many packets are filled ahead, 8 to 32 (which is what a new voice
 * has): fewer of them let what is done to the music be heard sooner, and cost more CPU.  [any] */
void encore_voice_set_ahead (EncoreVoice *self, guint packets);

typedef struct {
  guint64 packets, silence, underruns, full, late; /* late: more than 20 ms behind its slot */
} EncoreVoiceStats;
void encore_voice_get_stats (EncoreVoice *self, EncoreVoiceStats *out);

typedef struct {
  /* The song's first packet was taken by SEND at SENT_US (g_get_monotonic_time). */
  void (*started) (guint song, gint64 sent_us, gpointer data);
  /* Its last packet was taken, after PLAYED_MS of music.  If a next song was given it goes on by
   * itself, 20 ms later. */
  void (*ended) (guint song, gint64 played_ms, gpointer data);
  /* It broke; the room lives.  No ended() follows.  ERROR: CORRUPT, STORE, FAILED. */
  void (*failed) (guint song, const GError *error, gpointer data);
  /* (nullable) Its packets ran out: silence, until enough of a growing song is there (ON FALSE) or
   * it ends.  A machine that stood still is told, too. */
  void (*buffering) (guint song, gboolean on, gpointer data);
} EncorePlayerEvents;

EncorePlayer *encore_player_new (EncoreVoice *voice, GMainContext *context,
                                 const EncorePlayerEvents *events, gpointer data);
void encore_player_free (EncorePlayer *self);

/* encore_player_play: now, whatever plays: new ticket, emptied ring, in one step.  No event comes
 * for the song it replaces.
 * @handle: (transfer full).  Returns: the song's number, 0 with ERROR. */
guint encore_player_play (EncorePlayer *self, const EncoreMediaId *id, EncoreHandle *handle,
                          gint64 start_ms, GError **error);
/* encore_player_play_growing: the same for a song that is on its way into the cache.
 * @reader: (transfer none): its Ogg Opus.  @title: (nullable).  Where its packets run out it goes
 * on when about 2 s of it are there, or all. */
guint
encore_player_play_growing (EncorePlayer *self, const EncoreMediaId *id, EncoreReader *reader,
                            const char *title, gint64 duration_ms, gint64 start_ms, GError **error);
/* encore_player_move_gain: the song in the air gets louder or softer by GAIN_DB, so slowly (0.5 dB
 * a second) that nobody notices. */
void encore_player_move_gain (EncorePlayer *self, double gain_db);
/* encore_player_set_volume: factor for the samples, 1: packets pass as they are.  Of this song and
 * all that follow, without a click; what was filled ahead (640 ms) sounds as before. */
void encore_player_set_volume (EncorePlayer *self, double volume);
/* encore_player_set_duck: everything gets softer by DUCK_DB (at most 0), within 0.2 s or so; 0: as
 * loud as before, a little slower.  What was filled ahead sounds as before: see
 * encore_voice_set_ahead(). */
void encore_player_set_duck (EncorePlayer *self, double duck_db);
/* encore_player_set_next: what follows without a gap; replaces an earlier next.  @handle: (transfer
 * full) (nullable): NULL takes it back.  Returns: the song's number; 0: taken back, or with ERROR.
 */
guint encore_player_set_next (EncorePlayer *self, const EncoreMediaId *id, EncoreHandle *handle,
                              GError **error);
/* encore_player_get_song: the number of the song in the air, or about to be; 0: none.  Within
 * ended() it is the one that goes on by itself, even if it was taken back too late. */
guint encore_player_get_song (EncorePlayer *self);
/* encore_player_stop: five frames of silence, then nothing.  No event for the song. */
void encore_player_stop (EncorePlayer *self);
/* encore_player_fade_out: the same, but the music goes to nothing over 100 ms first (and 40 ms that
 * this takes).  Returns at once. */
void encore_player_fade_out (EncorePlayer *self);
/* encore_player_set_crossfade: of the songs that are given from now on; 0: one follows the other,
 * packet by packet.  A song's ended() then comes where the fade begins. */
void encore_player_set_crossfade (EncorePlayer *self, gint64 crossfade_ms);
/* encore_player_set_max_bps: of the packets, from now on; 0: no limit. */
void encore_player_set_max_bps (EncorePlayer *self, guint max_bps);
/* A flag: packets stop within a tick and go on with the very next one. */
void encore_player_set_paused (EncorePlayer *self, gboolean paused);
/* End of the last packet that was sent, of the song in the air. */
gint64 encore_player_get_position_ms (EncorePlayer *self);

/* encore_player_pipeline_line: Returns: (transfer full) (nullable): the pipeline in force as a line
 * for gst-launch-1.0, as it is; NULL when nothing plays. */
char *encore_player_pipeline_line (EncorePlayer *self, const char *cache_dir);

/* encore_play_describe: the same for a song that need not play.  @handle: (transfer full).
 * Returns: (transfer full); NULL with ERROR. */
char *encore_play_describe (const EncoreMediaId *id, EncoreHandle *handle, const char *cache_dir,
                            GError **error);

/* encore_play_init: gst_init, our elements registered.  Control thread, at the first event, since
 * threads do not survive a host's fork.  @registry_dir: where GStreamer may keep its registry if
 * its own place cannot be written.  A pipeline is kept ready until encore_play_clear().  Errors:
 * FAILED, e.g. when another copy of the module has registered the elements. */
gboolean encore_play_init (const char *registry_dir, GError **error);
/* encore_play_clear: lets go of what is kept ready for the next song. */
void encore_play_clear (void);

/* Returns: (transfer full): GStreamer's version, for people. */
char *encore_play_version (void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncorePlayout, encore_playout_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreVoice, encore_voice_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncorePlayer, encore_player_free)

G_END_DECLS
