/* SPDX-License-Identifier: LGPL-2.1-or-later
 * One room's player: each song is a disposable pipeline that fills the room's ring in bursts.  No
 * decode and no thread of the room's own is between the cache and the ring.
 *
 * Threads: control, but for fill() and song_free(), which a worker may call. */
#include "config.h"
#include "play/encore-player.h"

#include <glib/gstdio.h>
#include <gst/gst.h>
#include <math.h>
#include <unistd.h>

#include "play/encore-entry.h"
#include "play/encore-song.h"
#include "play/encore-voice.h"

#define GAIN_DB_PER_S 0.5
#define DUCK_DB_PER_S 80 /* -12 dB in 150 ms */
#define RISE_DB_PER_S 24

struct EncorePlayer {
  EncoreVoice *voice;
  EncorePlayerEvents events;
  gpointer data;
  GSource *source;                          /* wakes control when the pacer has something to tell */
  guint song;                               /* in the air, or the next to be */
  guint next;                               /* what follows it; 0: nothing */
  EncorePipeline *pipeline, *next_pipeline; /* (nullable) theirs, to be told */
  double volume;                            /* linear */
  double moved_db;                          /* of the song in the air, on top of that */
  double duck_db;                           /* of all, on top of both */
  EncorePipeline *fading;                   /* (nullable) what the song in the air fades in over */
  guint max_bps;
  gint64 crossfade_ms;
};

static double
linear (double gain_db)
{
  return pow (10, gain_db / 20);
}

/* All three factors are in force.  DB_PER_S: how fast they may get there; 0: at once. */
static void
apply_volume (EncorePlayer *self, double db_per_s)
{
  const double volume = self->volume * linear (self->duck_db);

  if (self->pipeline != NULL)
    encore_pipeline_set_volume (self->pipeline, volume * linear (self->moved_db), db_per_s);
  if (self->next_pipeline != NULL)
    encore_pipeline_set_volume (self->next_pipeline, volume, db_per_s);
  if (self->fading != NULL)
    encore_pipeline_set_volume (self->fading, volume, db_per_s);
}

/* @entry: (transfer full) (nullable): NULL with ERROR.  *PIPELINE (out) (transfer full). */
static EncoreProducer *
make_producer (EncorePlayer *self, EncoreEntry *entry, gint64 start_ms, gboolean growing,
               EncorePipeline **pipeline, GError **error)
{
  const EncoreSongSpec spec = {.room = encore_voice_get_name (self->voice),
                               .start_ms = start_ms,
                               .volume = self->volume * linear (self->duck_db),
                               .max_bps = self->max_bps,
                               .crossfade_ms = self->crossfade_ms,
                               .growing = growing};

  return entry != NULL ? encore_song_new (entry, &spec, pipeline, error) : NULL;
}

static void
replace (EncorePipeline **where, EncorePipeline *pipeline)
{
  g_clear_pointer (where, encore_pipeline_unref);
  *where = pipeline;
}

/* ---- events */

static void
take_event (EncorePlayer *self, const EncoreVoiceEvent *event)
{
  if (event->kind == ENCORE_VOICE_STARTED) {
    self->events.started (event->song, event->time_us, self->data);
    encore_pipeline_prepare (); /* nobody waits now */
  } else if (event->kind == ENCORE_VOICE_ENDED) {
    /* from now on "next" means behind the one that is about to start */
    if (event->song == self->song && self->next != 0) {
      self->song = self->next;
      self->next = 0;
      self->moved_db = 0;
      if (self->crossfade_ms > 0)
        replace (&self->fading, g_steal_pointer (&self->pipeline));
      replace (&self->pipeline, g_steal_pointer (&self->next_pipeline));
    } else if (event->song == self->song) {
      replace (&self->pipeline, NULL); /* a room may be idle for days */
      replace (&self->fading, NULL);
    }
    self->events.ended (event->song, event->end_ns / 1000000, self->data);
  } else if (event->kind == ENCORE_VOICE_DRY || event->kind == ENCORE_VOICE_FLOWS) {
    if (self->events.buffering != NULL)
      self->events.buffering (event->song, event->kind == ENCORE_VOICE_DRY, self->data);
  } else {
    g_autoptr (GError) error =
        g_error_new_literal (ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "the cached file is damaged");
    self->events.failed (event->song, error, self->data);
  }
}

static gboolean
dispatch_ready (GSource *source, GSourceFunc func, gpointer data)
{
  EncorePlayer *self = data;
  EncoreVoiceEvent event;

  g_source_set_ready_time (source, -1);
  while (encore_voice_next_event (self->voice, &event))
    take_event (self, &event);
  return G_SOURCE_CONTINUE;
}

/* [pacer] */
static void
wake (gpointer unused, gpointer source)
{
  g_source_set_ready_time (source, 0);
}

static GSourceFuncs ready_funcs = {.dispatch = dispatch_ready};

static gboolean
nothing (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

EncorePlayer *
encore_player_new (EncoreVoice *voice, GMainContext *context, const EncorePlayerEvents *events,
                   gpointer data)
{
  EncorePlayer *self = g_new0 (EncorePlayer, 1);

  self->voice = voice;
  self->events = *events;
  self->data = data;
  self->volume = 1;
  self->source = g_source_new (&ready_funcs, sizeof (GSource));
  g_source_set_callback (self->source, nothing, self, NULL);
  g_source_set_ready_time (self->source, -1);
  g_source_attach (self->source, context);
  encore_voice_listen (voice, wake, self->source);
  return self;
}

void
encore_player_free (EncorePlayer *self)
{
  if (self == NULL)
    return;
  encore_voice_listen (self->voice, NULL, NULL);
  encore_voice_play (self->voice, NULL);
  encore_voice_quiesce (self->voice);
  replace (&self->pipeline, NULL);
  replace (&self->next_pipeline, NULL);
  replace (&self->fading, NULL);
  g_source_destroy (self->source);
  g_source_unref (self->source);
  g_free (self);
}

/* ---- what the room does */

/* @entry: (transfer full) (nullable): NULL with ERROR. */
static guint
play (EncorePlayer *self, EncoreEntry *entry, gint64 start_ms, gboolean growing, GError **error)
{
  EncorePipeline *pipeline = NULL;
  g_autoptr (EncoreProducer) producer =
      make_producer (self, entry, start_ms, growing, &pipeline, error);

  if (producer == NULL)
    return 0;
  self->song = encore_voice_play (self->voice, producer);
  self->moved_db = 0;
  self->next = 0;
  replace (&self->pipeline, pipeline);
  replace (&self->next_pipeline, NULL);
  replace (&self->fading, NULL);
  return self->song;
}

guint
encore_player_play (EncorePlayer *self, const EncoreMediaId *id, EncoreHandle *handle,
                    gint64 start_ms, GError **error)
{
  return play (self, encore_entry_new (id, handle, error), start_ms, FALSE, error);
}

guint
encore_player_play_growing (EncorePlayer *self, const EncoreMediaId *id, EncoreReader *reader,
                            const char *title, gint64 duration_ms, gint64 start_ms, GError **error)
{
  return play (self, encore_entry_new_growing (id, reader, title, duration_ms), start_ms, TRUE,
               error);
}

void
encore_player_move_gain (EncorePlayer *self, double gain_db)
{
  self->moved_db = gain_db;
  apply_volume (self, GAIN_DB_PER_S);
}

void
encore_player_set_volume (EncorePlayer *self, double volume)
{
  self->volume = volume;
  apply_volume (self, 0);
}

void
encore_player_set_duck (EncorePlayer *self, double duck_db)
{
  const gboolean falls = duck_db < self->duck_db;

  self->duck_db = MIN (duck_db, 0);
  apply_volume (self, falls ? DUCK_DB_PER_S : RISE_DB_PER_S);
}

guint
encore_player_set_next (EncorePlayer *self, const EncoreMediaId *id, EncoreHandle *handle,
                        GError **error)
{
  g_autoptr (EncorePipeline) pipeline = NULL;
  g_autoptr (EncoreProducer) producer =
      handle != NULL
          ? make_producer (self, encore_entry_new (id, handle, error), 0, FALSE, &pipeline, error)
          : NULL;
  guint number = 0;

  if (handle != NULL && producer == NULL)
    return 0;
  if (!encore_voice_follow (self->voice, self->song, producer, &number)) {
    if (producer != NULL)
      g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_BUSY,
                           "the next song is in the air already");
    return 0;
  }
  self->next = number;
  replace (&self->next_pipeline, g_steal_pointer (&pipeline));
  encore_pipeline_prepare (); /* for whoever skips what follows */
  return number;
}

guint
encore_player_get_song (EncorePlayer *self)
{
  return self->song;
}

static void
forget_songs (EncorePlayer *self)
{
  self->song = self->next = 0;
  replace (&self->pipeline, NULL);
  replace (&self->next_pipeline, NULL);
  replace (&self->fading, NULL);
}

void
encore_player_stop (EncorePlayer *self)
{
  encore_voice_play (self->voice, NULL);
  forget_songs (self);
}

void
encore_player_fade_out (EncorePlayer *self)
{
  encore_voice_fade_out (self->voice, self->max_bps);
  forget_songs (self);
}

void
encore_player_set_crossfade (EncorePlayer *self, gint64 crossfade_ms)
{
  self->crossfade_ms = crossfade_ms;
}

void
encore_player_set_max_bps (EncorePlayer *self, guint max_bps)
{
  self->max_bps = max_bps;
  if (self->pipeline != NULL)
    encore_pipeline_limit (self->pipeline, max_bps);
  if (self->next_pipeline != NULL)
    encore_pipeline_limit (self->next_pipeline, max_bps);
}

void
encore_player_set_paused (EncorePlayer *self, gboolean paused)
{
  encore_voice_set_paused (self->voice, paused);
}

gint64
encore_player_get_position_ms (EncorePlayer *self)
{
  guint song;
  const gint64 position_ns = encore_voice_get_position_ns (self->voice, &song);

  return song == self->song ? position_ns / 1000000 : 0;
}

/* ---- GStreamer, for people */

char *
encore_player_pipeline_line (EncorePlayer *self, const char *cache_dir)
{
  return self->pipeline != NULL ? encore_pipeline_describe (self->pipeline, cache_dir) : NULL;
}

char *
encore_play_describe (const EncoreMediaId *id, EncoreHandle *handle, const char *cache_dir,
                      GError **error)
{
  EncoreEntry *entry = encore_entry_new (id, handle, error);
  g_autoptr (EncorePipeline) pipeline =
      entry != NULL ? encore_pipeline_new (entry, 0, NULL, NULL, error) : NULL;

  encore_pipeline_prepare ();
  return pipeline != NULL ? encore_pipeline_describe (pipeline, cache_dir) : NULL;
}

char *
encore_play_version (void)
{
  return gst_version_string ();
}

/* Where its own place cannot be written GStreamer would scan all plugins anew in every process. The
 * environment is the only way to tell it of another. */
static void
lend_registry (const char *dir)
{
  g_autofree char *own = g_build_filename (g_get_user_cache_dir (), "gstreamer-1.0", NULL);
  g_autofree char *lent = g_build_filename (dir, "gstreamer-registry.bin", NULL);

  if (gst_is_initialized () || g_getenv ("GST_REGISTRY") != NULL ||
      g_getenv ("GST_REGISTRY_1_0") != NULL)
    return;
  if (g_mkdir_with_parents (own, 0700) != 0 || g_access (own, W_OK) != 0)
    g_setenv ("GST_REGISTRY", lent, FALSE);
}

gboolean
encore_play_init (const char *registry_dir, GError **error)
{
  lend_registry (registry_dir);
  return encore_pipeline_init (error);
}

void
encore_play_clear (void)
{
  encore_pipeline_clear ();
}
