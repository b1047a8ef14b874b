/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What is not exactly right is unfit rather than repaired: the encoder takes everything.
 *
 * Frames are regrouped by opus_repacketizer.  What is left of a packet after the last whole 20 ms
 * is a packet again and waits for the next one; frames of two modes cannot be in one packet. */
#include "config.h"
#include "sound/encore-remux.h"

#include <opus.h>
#include <string.h>

#include "sound/encore-opus-pcm.h"
#include "sound/encore-pull.h"

#define CHANNELS 2
#define HEAD_BYTES 19
#define PACKET_MAX 1275     /* bytes; the longest that hosts are asked to take */
#define LONGEST_PACKET 5760 /* samples, 120 ms */
#define TRIMMED_MAX LONGEST_PACKET

typedef struct {
  const EncoreRemuxSpec *spec;
  EncoreOggWriter *writer;
  const char *const *comments;
  OpusRepacketizer *repacketizer;
  gboolean begun;
  gint64 needed;    /* samples with pre-skip */
  gint64 available; /* samples that came */
  gint64 written;   /* packets */
  gint64 bytes;
  GByteArray *rest; /* a packet of less than 20 ms, or nothing */
  guint max_packet_bytes;
  const char *why; /* (nullable) unfit */
} Remux;

/* Stops the pull; not told to anybody. */
static gboolean
unfit (Remux *self, const char *why, GError **error)
{
  self->why = why;
  g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_FAILED, why);
  return FALSE;
}

/* ---- packets */

static gboolean
write_packet (Remux *self, const guint8 *packet, gsize len, GError **error)
{
  if (len > PACKET_MAX)
    return unfit (self, "a packet is too long", error);
  if (self->written * ENCORE_PACKET_SAMPLES >= self->needed)
    return TRUE; /* all of it is trimmed */
  self->written++;
  self->bytes += len;
  self->max_packet_bytes = MAX (self->max_packet_bytes, (guint) len);
  return encore_ogg_writer_packet (self->writer, packet, len, error);
}

/* Frames FROM to TO of what is in the repacketizer, which points into PACKET and the old rest. */
static gboolean
take_frames (Remux *self, int from, int to, gboolean is_rest, GError **error)
{
  guint8 out[PACKET_MAX + 2];
  const opus_int32 len =
      opus_repacketizer_out_range (self->repacketizer, from, to, out, sizeof out);

  if (len < 1)
    return unfit (self, "a packet is too long", error);
  if (!is_rest)
    return write_packet (self, out, len, error);
  g_byte_array_append (self->rest, out, len);
  return TRUE;
}

static gboolean
regroup (Remux *self, const guint8 *packet, gsize len, GError **error)
{
  const int frame_samples = opus_packet_get_samples_per_frame (packet, ENCORE_OPUS_RATE_HZ);
  g_autoptr (GByteArray) old_rest = g_steal_pointer (&self->rest);

  self->rest = g_byte_array_new ();
  if (ENCORE_PACKET_SAMPLES % frame_samples != 0)
    return unfit (self, "frames of 40 or 60 ms cannot be split", error);
  opus_repacketizer_init (self->repacketizer);
  if ((old_rest->len > 0 &&
       opus_repacketizer_cat (self->repacketizer, old_rest->data, old_rest->len) != OPUS_OK) ||
      opus_repacketizer_cat (self->repacketizer, packet, len) != OPUS_OK)
    return unfit (self, "frames of two modes cannot be joined", error);

  const int n = opus_repacketizer_get_nb_frames (self->repacketizer);
  const int group = ENCORE_PACKET_SAMPLES / frame_samples;
  int at = 0;
  for (; at + group <= n; at += group)
    if (!take_frames (self, at, at + group, FALSE, error))
      return FALSE;
  return at == n || take_frames (self, at, n, TRUE, error);
}

static gboolean
take_packet (Remux *self, const guint8 *packet, gsize len, GError **error)
{
  if (encore_opus_is_header (packet, len))
    return TRUE;
  const int samples = opus_packet_get_nb_samples (packet, len, ENCORE_OPUS_RATE_HZ);
  if (samples <= 0)
    return unfit (self, "a packet is damaged", error);
  self->available += samples;
  if (samples == ENCORE_PACKET_SAMPLES && self->rest->len == 0)
    return write_packet (self, packet, len, error);
  return regroup (self, packet, len, error);
}

/* ---- headers */

static gboolean
begin (Remux *self, const GstCaps *caps, GError **error)
{
  guint8 head[HEAD_BYTES];

  if (!gst_structure_has_name (gst_caps_get_structure (caps, 0), "audio/x-opus"))
    return unfit (self, "it is no Opus", error);
  GstBuffer *buffer = encore_opus_caps_head (caps);
  if (buffer == NULL || gst_buffer_extract (buffer, 0, head, sizeof head) < sizeof head ||
      memcmp (head, "OpusHead", 8) != 0)
    return unfit (self, "it has no Opus header", error);
  if (head[9] != CHANNELS || head[18] != 0)
    return unfit (self, "it is not stereo", error);
  if (head[16] != 0 || head[17] != 0)
    return unfit (self, "its header asks for a gain", error);
  const guint pre_skip = head[10] | head[11] << 8;
  self->needed = self->spec->growing != NULL ? G_MAXINT64 : self->spec->frames + pre_skip;
  self->begun = TRUE;
  return encore_ogg_writer_begin (self->writer, CHANNELS, pre_skip, self->comments, error);
}

static gboolean
take_sample (GstSample *sample, gpointer data, GError **error)
{
  Remux *self = data;
  GstBuffer *buffer = gst_sample_get_buffer (sample);
  const GstCaps *caps = gst_sample_get_caps (sample);
  GstMapInfo map;

  if (!self->begun && (caps == NULL || !begin (self, caps, error)))
    return FALSE;
  if (!gst_buffer_map (buffer, &map, GST_MAP_READ))
    return TRUE;
  const gboolean ok = map.size == 0 || take_packet (self, map.data, map.size, error);
  gst_buffer_unmap (buffer, &map);
  return ok;
}

/* ---- the end */

static gboolean
finish (Remux *self, const EncorePulled *pulled, GError **error)
{
  const gint64 written = self->written * ENCORE_PACKET_SAMPLES;

  if (self->spec->growing != NULL && self->written > 0)
    return encore_ogg_writer_end (self->writer, -1, error);
  if (pulled->n_pads != 1)
    return unfit (self, "it has more than one sound", error);
  if (!self->begun || written < self->needed || self->available - self->needed >= TRIMMED_MAX)
    return unfit (self, "its packets are not as long as its sound", error);
  if (self->bytes * 8 * ENCORE_OPUS_RATE_HZ / written > self->spec->max_bitrate_bps)
    return unfit (self, "its bitrate is too high", error);
  return encore_ogg_writer_end (self->writer, self->spec->frames, error);
}

EncoreRemuxResult
encore_remux (const char *path, const EncoreRemuxSpec *spec, EncoreOggWriter *writer,
              const char *const *comments, GCancellable *cancellable, guint *max_packet_bytes,
              const char **why, GError **error)
{
  Remux self = {.spec = spec,
                .writer = writer,
                .comments = comments,
                .repacketizer = opus_repacketizer_create (),
                .rest = g_byte_array_new ()};
  /* another sound beside the Opus must show, so it is decoded, too */
  const EncorePullSpec pull = {.caps = "audio/x-opus; audio/x-raw",
                               .tail = "identity name=tail",
                               .growing = spec->growing,
                               .sample = take_sample,
                               .data = &self};
  EncorePulled pulled;
  g_autoptr (GError) local = NULL;

  const gboolean ok =
      encore_pull (path, &pull, cancellable, &pulled, &local) && finish (&self, &pulled, &local);
  opus_repacketizer_destroy (self.repacketizer);
  g_byte_array_unref (self.rest);
  *max_packet_bytes = self.max_packet_bytes;
  *why = self.why;
  if (ok)
    return ENCORE_REMUX_DONE;
  if (self.why != NULL)
    return ENCORE_REMUX_UNFIT;
  g_propagate_error (error, g_steal_pointer (&local));
  return ENCORE_REMUX_FAILED;
}
