/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "play/encore-song.h"

#include <gst/gst.h>

#include "base/encore-ogg.h"
#include "play/encore-cross.h"

#define BUFFER_NS (2 * GST_SECOND)
#define FADE_PACKETS_MIN 10 /* what is shorter is no fade */

typedef struct {
  EncoreProducer *producer; /* not owned: it owns us */
  EncorePipeline *pipeline;
  EncoreReader *reader;
  gint64 end_ns; /* buffering: of the music that must be there to go on; 0: not buffering */
  char *text;    /* the id, for the log */

  gint64 crossfade_ns; /* 0: none */
  gint64 duration_ns;
  gint64 at_ns;                          /* end of the packet that was pushed last */
  GByteArray *recent[ENCORE_CROSS_WARM]; /* the last ones; a ring, its memory kept */
  guint n_recent;                        /* ever growing */

  gboolean handed_over; /* packets go to TAIL, from where the next song takes them */
  gboolean over;
  GQueue tail;         /* GBytes */
  EncoreProducer *old; /* (nullable) the song that we fade in over */
  EncoreCross *cross;  /* (nullable) while we do */
} Song;

static void
end_fade (Song *self)
{
  g_clear_pointer (&self->cross, encore_cross_free);
  g_clear_pointer (&self->old, encore_producer_unref);
}

static void
song_free (gpointer data)
{
  Song *self = data;

  end_fade (self);
  if (self->pipeline != NULL) {
    encore_pipeline_stop (self->pipeline); /* the player may keep it to tell what it was */
    encore_pipeline_unref (self->pipeline);
  }
  for (guint i = 0; i < ENCORE_CROSS_WARM; i++)
    g_clear_pointer (&self->recent[i], g_byte_array_unref);
  g_queue_clear_full (&self->tail, (GDestroyNotify) g_bytes_unref);
  encore_reader_unref (self->reader);
  g_free (self->text);
  g_free (self);
}

/* ---- the fade, from the song that comes */

static void
remember (Song *self, const guint8 *packet, gsize len)
{
  GByteArray **slot = &self->recent[self->n_recent++ % ENCORE_CROSS_WARM];

  if (*slot == NULL)
    *slot = g_byte_array_new ();
  g_byte_array_set_size (*slot, 0);
  g_byte_array_append (*slot, packet, len);
}

/* The next packet of a song that was handed over.  Returns: (transfer full) (nullable). */
static GBytes *
pop_tail (Song *self)
{
  while (g_queue_is_empty (&self->tail) && !self->over) {
    g_autoptr (GError) error = NULL;
    self->over = encore_pipeline_fill (self->pipeline, 1, &error) != ENCORE_FILL_MORE;
    if (error != NULL)
      g_info ("play: %s: its end: %s", self->text, error->message);
  }
  return g_queue_pop_head (&self->tail);
}

static void
send_mixed (Song *self, GBytes *mixed, gint64 end_ns)
{
  gsize len;

  if (mixed == NULL)
    return;
  const guint8 *data = g_bytes_get_data (mixed, &len);
  encore_producer_send (self->producer, data, len, end_ns);
  g_bytes_unref (mixed);
}

/* Every mixed packet waits for the one behind it; the one behind the last goes out as it is. */
static gboolean
mix (Song *self, const guint8 *packet, gsize len)
{
  g_autoptr (GBytes) old = pop_tail (encore_producer_get_data (self->old));
  GBytes *mixed =
      encore_cross_push (self->cross, old, packet, len, encore_pipeline_get_limit (self->pipeline));

  send_mixed (self, mixed, self->at_ns);
  if (!encore_cross_is_over (self->cross))
    return TRUE;
  end_fade (self);
  return FALSE;
}

/* What our own pipeline pushes. */
static gboolean
tap (const guint8 *packet, gsize len, gint64 end_ns, gpointer data)
{
  Song *self = data;
  gboolean taken = FALSE;

  if (self->handed_over) {
    g_queue_push_tail (&self->tail, g_bytes_new (packet, len));
    return TRUE;
  }
  if (self->cross != NULL)
    taken = mix (self, packet, len);
  self->at_ns = end_ns;
  if (!taken)
    remember (self, packet, len);
  return taken;
}

/* A song that is over within its own fade. */
static void
finish_fade (Song *self)
{
  send_mixed (self, encore_cross_finish (self->cross, encore_pipeline_get_limit (self->pipeline)),
              self->at_ns);
  end_fade (self);
}

/* ---- from the song that goes */

static guint
packets_left (const Song *self)
{
  return MAX (self->duration_ns - self->at_ns, 0) / ENCORE_PACKET_NS;
}

static guint
fade_packets (const Song *self, const Song *next)
{
  const gint64 half_ns = MIN (self->duration_ns, next->duration_ns) / 2;

  return MIN (self->crossfade_ns, half_ns) / ENCORE_PACKET_NS;
}

static gboolean
hand_over (Song *self, EncoreProducer *next, guint n)
{
  Song *to = encore_producer_get_data (next);
  g_autoptr (GError) error = NULL;
  g_autoptr (EncoreCross) cross = encore_cross_new (n, &error);

  if (cross == NULL) {
    g_warning ("play: %s: no crossfade: %s", self->text, error->message);
    return FALSE;
  }
  for (guint i = 0; i < ENCORE_CROSS_WARM; i++) {
    const GByteArray *packet = self->recent[(self->n_recent + i) % ENCORE_CROSS_WARM];
    encore_cross_warm (cross, packet->data, packet->len);
  }
  if (!encore_producer_commit (self->producer, next))
    return FALSE;
  to->cross = g_steal_pointer (&cross);
  to->old = encore_producer_ref (self->producer);
  g_info ("play: %s: crossfade of %u ms into %s", self->text, n * 20, to->text);
  return TRUE;
}

/* *N (inout): packets that may still come before the fade.  Returns: TRUE if it begins here. */
static gboolean
begins_to_fade (Song *self, guint *n)
{
  if (self->crossfade_ns == 0 || self->cross != NULL || self->n_recent < ENCORE_CROSS_WARM)
    return FALSE;
  g_autoptr (EncoreProducer) next = encore_producer_get_next (self->producer);
  if (next == NULL)
    return FALSE;
  const guint left = packets_left (self),
              fade = fade_packets (self, encore_producer_get_data (next));
  if (fade < FADE_PACKETS_MIN)
    return FALSE;
  if (left > fade) {
    *n = MIN (*n, left - fade);
    return FALSE;
  }
  return left >= FADE_PACKETS_MIN && hand_over (self, next, left);
}

/* ---- filling */

/* The ring ran dry: a source that is a little too slow must not stop and go all the time. */
static void
begin_buffering (Song *self, gint64 heard_ns)
{
  self->end_ns = heard_ns + BUFFER_NS;
  g_info ("play: %s: buffering at %" G_GINT64_FORMAT " ms, its download is slow", self->text,
          heard_ns / 1000000);
}

static EncoreFillResult
fill (EncoreProducer *producer, guint n, gpointer data)
{
  Song *self = data;
  g_autoptr (GError) error = NULL;
  gint64 heard_ns;

  if (self->end_ns != 0 && !encore_reader_has_music (self->reader, self->end_ns))
    return ENCORE_FILL_WAIT;
  self->end_ns = 0;
  if (!self->handed_over)
    self->handed_over = begins_to_fade (self, &n);
  if (self->handed_over)
    return ENCORE_FILL_END;
  const EncoreFillResult result = encore_pipeline_fill (self->pipeline, n, &error);
  if (result == ENCORE_FILL_FAILED)
    g_warning ("play: %s: %s", self->text, error->message);
  else if (result == ENCORE_FILL_WAIT && encore_producer_is_dry (producer, &heard_ns))
    begin_buffering (self, heard_ns);
  else if (result == ENCORE_FILL_END && self->cross != NULL)
    finish_fade (self);
  return result;
}

EncoreProducer *
encore_song_new (EncoreEntry *entry, const EncoreSongSpec *spec, EncorePipeline **pipeline,
                 GError **error)
{
  Song *self = g_new0 (Song, 1);
  g_autoptr (EncoreProducer) producer = encore_producer_new (fill, self, song_free);

  self->producer = producer;
  self->text = encore_media_id_to_text (&entry->id);
  self->reader = encore_reader_ref (entry->reader);
  /* else it is sought in the file, or encoded */
  encore_producer_set_quick (producer, spec->start_ms == 0 && spec->volume == 1 &&
                                           spec->max_bps == 0 && !spec->growing);
  self->duration_ns = entry->duration_ms * 1000000;
  self->at_ns = spec->start_ms * 1000000;
  /* also where this song does not fade out: the one before may fade into it */
  encore_producer_set_tap (producer, spec->crossfade_ms > 0 ? tap : NULL);
  if (!spec->growing)
    self->crossfade_ns = spec->crossfade_ms * 1000000;
  self->pipeline =
      encore_pipeline_new (entry, spec->start_ms * 1000000, producer, spec->room, error);
  if (self->pipeline == NULL)
    return NULL;
  if (spec->volume != 1)
    encore_pipeline_set_volume (self->pipeline, spec->volume, 0);
  encore_pipeline_limit (self->pipeline, spec->max_bps);
  *pipeline = encore_pipeline_ref (self->pipeline);
  return g_steal_pointer (&producer);
}
