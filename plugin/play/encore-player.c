/* SPDX-License-Identifier: LGPL-2.1-or-later
 * One room's player: each song is a disposable producer that walks the pages of its cache file and
 * pushes the packets as they are.  No decode, no pipeline and no thread is between the cache and
 * the room; the elements of the same names are for gst-launch.
 *
 * Threads: control, but for fill(), which a worker calls. */
#include "config.h"
#include "play/encore-player.h"

#include <gst/gst.h>

#include "base/encore-ogg.h"
#include "play/encore-reader.h"
#include "play/encore-voice.h"

/* One song on its way to the ring. */
typedef struct {
  EncoreReader *reader;
  EncoreOggReader *ogg;
  gint64 seek_ns; /* -1: done */
  char *text;     /* the id, for the log */
  GError *error;  /* worker's, read by control after FAILED came through the ring */
} Song;

struct EncorePlayer {
  EncoreVoice *voice;
  EncorePlayerEvents events;
  gpointer data;
  GSource *source; /* wakes control when the pacer has something to tell */
  guint song; /* in the air, or the next to be */
  guint next; /* what follows it; 0: nothing */
};

static gssize
read_reader (gpointer data, gint64 offset, guint8 *buf, gsize len, GError **error)
{
  return encore_reader_read (data, offset, buf, len, error);
}

static void
song_free (gpointer data)
{
  Song *self = data;

  encore_ogg_reader_free (self->ogg);
  encore_reader_unref (self->reader);
  g_clear_error (&self->error);
  g_free (self->text);
  g_free (self);
}

static EncoreFillResult
fail (Song *self)
{
  g_warning ("play: %s: %s", self->text, self->error != NULL ? self->error->message : "broken");
  return ENCORE_FILL_FAILED;
}

/* [worker] */
static EncoreFillResult
fill (EncoreProducer *producer, guint n, gpointer data)
{
  Song *self = data;
  gboolean complete;
  const gint64 size = encore_reader_get_size (self->reader, &complete);

  encore_ogg_reader_set_size (self->ogg, size, complete);
  if (self->seek_ns > 0) {
    const EncoreOggResult result = encore_ogg_reader_seek (self->ogg, self->seek_ns, &self->error);
    if (result == ENCORE_OGG_DAMAGED)
      return fail (self);
    if (result != ENCORE_OGG_PACKET)
      return result == ENCORE_OGG_WAIT ? ENCORE_FILL_WAIT : ENCORE_FILL_END;
    self->seek_ns = 0;
  }
  for (guint i = 0; i < n; i++) {
    const guint8 *packet;
    gsize len;
    gint64 pts_ns;
    const EncoreOggResult result =
        encore_ogg_reader_next (self->ogg, &packet, &len, &pts_ns, &self->error);
    if (result == ENCORE_OGG_DAMAGED)
      return fail (self);
    if (result != ENCORE_OGG_PACKET)
      return result == ENCORE_OGG_WAIT ? ENCORE_FILL_WAIT : ENCORE_FILL_END;
    if (encore_producer_push (producer, packet, len, pts_ns + ENCORE_PACKET_NS) ==
        ENCORE_PUSH_STALE)
      return ENCORE_FILL_END;
  }
  return ENCORE_FILL_MORE;
}

static EncoreProducer *
make_producer (const EncoreMediaId *id, EncoreHandle *handle, gint64 start_ms, GError **error)
{
  g_autoptr (EncoreReader) reader = encore_reader_new_handle (handle, error);
  if (reader == NULL)
    return NULL;

  Song *song = g_new0 (Song, 1);
  song->ogg = encore_ogg_reader_new (read_reader, reader);
  song->reader = g_steal_pointer (&reader);
  song->seek_ns = start_ms * 1000000;
  song->text = encore_media_id_to_text (id);
  return encore_producer_new (fill, song, song_free);
}

/* ---- events */

static void
take_event (EncorePlayer *self, const EncoreVoiceEvent *event)
{
  if (event->kind == ENCORE_VOICE_STARTED) {
    self->events.started (event->song, event->time_us, self->data);
  } else if (event->kind == ENCORE_VOICE_ENDED) {
    /* from now on "next" means behind the one that is about to start */
    if (event->song == self->song && self->next != 0) {
      self->song = self->next;
      self->next = 0;
    }
    self->events.ended (event->song, event->end_ns / 1000000, self->data);
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
  g_source_destroy (self->source);
  g_source_unref (self->source);
  g_free (self);
}

/* ---- what the room does */

guint
encore_player_play (EncorePlayer *self, const EncoreMediaId *id, EncoreHandle *handle,
                    gint64 start_ms, GError **error)
{
  g_autoptr (EncoreProducer) producer = make_producer (id, handle, start_ms, error);

  if (producer == NULL)
    return 0;
  self->song = encore_voice_play (self->voice, producer);
  self->next = 0;
  return self->song;
}

guint
encore_player_set_next (EncorePlayer *self, const EncoreMediaId *id, EncoreHandle *handle,
                        GError **error)
{
  g_autoptr (EncoreProducer) producer =
      handle != NULL ? make_producer (id, handle, 0, error) : NULL;
  guint number = 0;

  if (handle != NULL && producer == NULL)
    return 0;
  if (!encore_voice_follow (self->voice, self->song, producer, &number) && producer != NULL)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_BUSY,
                         "the next song is in the air already");
  else
    self->next = number;
  return number;
}

void
encore_player_stop (EncorePlayer *self)
{
  encore_voice_play (self->voice, NULL);
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
encore_player_pipeline_line (const EncoreMediaId *id, const char *cache_dir)
{
  g_autofree char *stem = encore_media_id_to_stem (id);

  return g_strdup_printf ("gst-launch-1.0 filesrc location=%s/opus/%02x/%s.opus ! oggdemux ! "
                          "opusparse ! fakesink sync=true silent=false -v",
                          cache_dir, (guint) (encore_id_hash (stem) & 0xff), stem);
}

char *
encore_play_version (void)
{
  return gst_version_string ();
}

gboolean
encore_play_init (const char *registry_dir, GError **error)
{
  g_autofree char *registry = g_build_filename (registry_dir, "gstreamer-registry.bin", NULL);

  /* without a writable home GStreamer would scan all plugins anew in every process */
  if (g_getenv ("GST_REGISTRY") == NULL && g_getenv ("GST_REGISTRY_1_0") == NULL)
    g_setenv ("GST_REGISTRY", registry, FALSE);
  return gst_init_check (NULL, NULL, error);
}
