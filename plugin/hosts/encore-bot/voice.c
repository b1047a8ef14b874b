/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Where the packets go: nowhere, an Ogg Opus file (libogg), RTP, the speaker. */
#include "config.h"
#include "voice.h"

#include <errno.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <ogg/ogg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hosts/listen/rtp.h"

#define FRAME_SAMPLES 960
#define SILENCE "\xf8\xff\xfe"
#define GAP_FILLED_FRAMES 50 /* a pause of up to 1 s is kept as silence in the file */

struct Voice {
  guint64 packets, next_seq;
  /* file: */
  FILE *file;
  ogg_stream_state ogg;
  gint64 granule, packetno;
  GBytes *held; /* the last packet is kept back, so that it can be marked as the last */
  Rtp *rtp;
  /* speaker */
  GstElement *pipeline, *source;
};

/* ---- file */

static void
write_pages (Voice *self, gboolean flush)
{
  ogg_page page;

  while (flush ? ogg_stream_flush (&self->ogg, &page) : ogg_stream_pageout (&self->ogg, &page)) {
    fwrite (page.header, 1, page.header_len, self->file);
    fwrite (page.body, 1, page.body_len, self->file);
  }
}

static void
put_packet (Voice *self, const void *data, gsize len, gint64 granule, gboolean last)
{
  ogg_packet packet = {.packet = (unsigned char *) data,
                       .bytes = len,
                       .b_o_s = self->packetno == 0,
                       .e_o_s = last,
                       .granulepos = granule,
                       .packetno = self->packetno};

  self->packetno++;
  ogg_stream_packetin (&self->ogg, &packet);
}

static gboolean
open_file (Voice *self, const char *path, GError **error)
{
  static const char head[] = "OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00";
  static const char tags[] = "OpusTags\x0a\x00\x00\x00"
                             "encore-bot\x00\x00\x00\x00";

  self->file = fopen (path, "wbe");
  if (self->file == NULL) {
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "voice file %s: %s", path,
                 g_strerror (errno));
    return FALSE;
  }
  ogg_stream_init (&self->ogg, g_random_int_range (0, G_MAXINT));
  put_packet (self, head, 19, 0, FALSE);
  write_pages (self, TRUE);
  put_packet (self, tags, sizeof tags - 1, 0, FALSE);
  write_pages (self, TRUE);
  return TRUE;
}

static void
put_held (Voice *self, gboolean last)
{
  gsize len;

  if (self->held == NULL)
    return;
  self->granule += FRAME_SAMPLES;
  const void *data = g_bytes_get_data (self->held, &len);
  put_packet (self, data, len, self->granule, last);
  g_clear_pointer (&self->held, g_bytes_unref);
}

static void
hold (Voice *self, const void *packet, gsize len)
{
  put_held (self, FALSE);
  self->held = g_bytes_new (packet, len);
}

static void
send_file (Voice *self, guint64 seq, const void *packet, gsize len)
{
  const guint64 gap = seq > self->next_seq ? seq - self->next_seq : 0;

  for (guint64 i = 0; self->packets > 0 && gap <= GAP_FILLED_FRAMES && i < gap; i++)
    hold (self, SILENCE, strlen (SILENCE));
  hold (self, packet, len);
  write_pages (self, FALSE);
}

static void
close_file (Voice *self)
{
  put_held (self, TRUE);
  write_pages (self, TRUE);
  ogg_stream_clear (&self->ogg);
  fclose (self->file);
}

/* ---- rtp */

static gboolean
open_rtp (Voice *self, const char *where, GError **error)
{
  g_autoptr (GSocketAddress) address = rtp_parse (where, TRUE, error);

  self->rtp = address != NULL ? rtp_new (address, error) : NULL;
  return self->rtp != NULL;
}

/* ---- speaker */

static gboolean
open_speaker (Voice *self, GError **error)
{
  if (!gst_init_check (NULL, NULL, error))
    return FALSE;
  self->pipeline = gst_parse_launch (
      "appsrc name=source format=time is-live=true do-timestamp=true "
      "caps=audio/x-opus,channel-mapping-family=(int)0,channels=(int)2,rate=(int)48000 ! "
      "opusdec ! audioconvert ! audioresample ! autoaudiosink",
      error);
  if (self->pipeline == NULL)
    return FALSE;
  self->source = gst_bin_get_by_name (GST_BIN (self->pipeline), "source");
  gst_element_set_state (self->pipeline, GST_STATE_PLAYING);
  return TRUE;
}

static void
send_speaker (Voice *self, const void *packet, gsize len)
{
  gst_app_src_push_buffer (GST_APP_SRC (self->source), gst_buffer_new_memdup (packet, len));
}

/* ---- all */

static gboolean
check_file (const char *path, GError **error)
{
  g_autofree char *dir = g_path_get_dirname (path);

  if (*path != '\0' && !g_file_test (path, G_FILE_TEST_IS_DIR) && access (dir, W_OK | X_OK) == 0)
    return TRUE;
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
               "voice = 'file:%s' names no file that can be written", path);
  return FALSE;
}

gboolean
voice_check (const char *spec, GError **error)
{
  if (strcmp (spec, "null") == 0 || strcmp (spec, "speaker") == 0)
    return TRUE;
  if (g_str_has_prefix (spec, "file:"))
    return check_file (spec + strlen ("file:"), error);
  if (g_str_has_prefix (spec, "rtp://")) {
    g_autoptr (GSocketConnectable) where =
        g_network_address_parse (spec + strlen ("rtp://"), RTP_PORT, error);
    if (where == NULL)
      g_prefix_error (error, "voice = '%s': ", spec);
    return where != NULL;
  }
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               "voice = '%s' is none of null, file:PATH.opus, rtp://HOST:PORT, speaker", spec);
  return FALSE;
}

Voice *
voice_new (const char *spec, GError **error)
{
  g_autoptr (Voice) self = g_new0 (Voice, 1);
  gboolean ok = TRUE;

  if (!voice_check (spec, error))
    return NULL;
  if (g_str_has_prefix (spec, "file:"))
    ok = open_file (self, spec + strlen ("file:"), error);
  else if (g_str_has_prefix (spec, "rtp://"))
    ok = open_rtp (self, spec + strlen ("rtp://"), error);
  else if (strcmp (spec, "speaker") == 0)
    ok = open_speaker (self, error);
  return ok ? g_steal_pointer (&self) : NULL;
}

void
voice_free (Voice *self)
{
  if (self->file != NULL)
    close_file (self);
  rtp_free (self->rtp);
  if (self->pipeline != NULL)
    gst_element_set_state (self->pipeline, GST_STATE_NULL);
  g_clear_pointer (&self->source, gst_object_unref);
  g_clear_pointer (&self->pipeline, gst_object_unref);
  g_free (self);
}

void
voice_send (Voice *self, guint64 seq, const void *packet, gsize len)
{
  if (self->file != NULL)
    send_file (self, seq, packet, len);
  else if (self->rtp != NULL)
    rtp_send (self->rtp, seq, packet, len);
  else if (self->source != NULL)
    send_speaker (self, packet, len);
  self->next_seq = seq + 1;
  self->packets++;
}

guint64
voice_get_packets (Voice *self)
{
  return self->packets;
}
