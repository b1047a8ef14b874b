/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Two passes over the decoded song: measure (ITU-R BS.1770, EBU R128), then one gain and Opus. Two,
 * since an hour of PCM does not belong in memory and the gain is known only at the end. */
#include "config.h"
#include "fetch/encore-normalise.h"

#include <ebur128.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <opus.h>
#include <string.h>
#include <unistd.h>

#include "base/encore-ogg.h"
#include "fetch/encore-decode.h"

#define CHANNELS ENCORE_DECODE_CHANNELS
#define COMPLEXITY 10
#define PACKET_MAX 4000 /* bytes; libopus' own recommendation */

/* ---- pass 1 */

static gboolean
measure_block (const float *samples, gsize frames, gpointer data, GError **error)
{
  if (ebur128_add_frames_float (data, samples, frames) == EBUR128_SUCCESS)
    return TRUE;
  g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_FAILED, "loudness cannot be measured");
  return FALSE;
}

static double
to_db (double linear)
{
  return linear > 0 ? 20 * log10 (linear) : -HUGE_VAL;
}

static gboolean
measure (const char *path, GCancellable *cancellable, EncoreNormalised *out, gint64 *frames,
         GError **error)
{
  ebur128_state *state =
      ebur128_init (CHANNELS, ENCORE_OPUS_RATE_HZ,
                    EBUR128_MODE_I | EBUR128_MODE_TRUE_PEAK | EBUR128_MODE_HISTOGRAM);
  double peak = 0;

  const gboolean ok = encore_decode (path, cancellable, measure_block, state, frames, error);
  if (ok) {
    ebur128_loudness_global (state, &out->loudness_lufs);
    for (guint channel = 0; channel < CHANNELS; channel++) {
      double one = 0;
      ebur128_true_peak (state, channel, &one);
      peak = MAX (peak, one);
    }
    out->true_peak_dbtp = to_db (peak);
  }
  ebur128_destroy (&state);
  return ok;
}

/* No limiter: a quiet song with high peaks stays quieter than the target.  Silence stays silence.
 */
static double
choose_gain (const EncoreNormalised *measured, const EncoreNormaliseOptions *options)
{
  if (!isfinite (measured->loudness_lufs) || !isfinite (measured->true_peak_dbtp))
    return 0;
  return MIN (options->loudness_lufs - measured->loudness_lufs,
              options->true_peak_dbtp - measured->true_peak_dbtp);
}

/* ---- pass 2 */

typedef struct {
  OpusEncoder *encoder;
  EncoreOggWriter *writer;
  float gain;
  float frame[ENCORE_PACKET_SAMPLES * CHANNELS];
  gsize filled; /* frames in FRAME */
  guint max_packet_bytes;
} Encode;

static gboolean
encode_frame (Encode *self, GError **error)
{
  guint8 packet[PACKET_MAX];
  const int len =
      opus_encode_float (self->encoder, self->frame, ENCORE_PACKET_SAMPLES, packet, sizeof packet);

  self->filled = 0;
  if (len < 1) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_FAILED, "opus: %s", opus_strerror (len));
    return FALSE;
  }
  self->max_packet_bytes = MAX (self->max_packet_bytes, (guint) len);
  return encore_ogg_writer_packet (self->writer, packet, len, error);
}

static gboolean
encode_block (const float *samples, gsize frames, gpointer data, GError **error)
{
  Encode *self = data;

  while (frames > 0) {
    const gsize n = MIN (frames, ENCORE_PACKET_SAMPLES - self->filled);
    float *to = self->frame + self->filled * CHANNELS;
    for (gsize i = 0; i < n * CHANNELS; i++)
      to[i] = samples[i] * self->gain;
    self->filled += n;
    samples += n * CHANNELS;
    frames -= n;
    if (self->filled == ENCORE_PACKET_SAMPLES && !encode_frame (self, error))
      return FALSE;
  }
  return TRUE;
}

/* The encoder is LOOKAHEAD samples behind: silence pushes the end of the music out. */
static gboolean
drain (Encode *self, guint lookahead, GError **error)
{
  static const float silence[ENCORE_PACKET_SAMPLES * CHANNELS];

  if (!encode_block (silence, lookahead, self, error))
    return FALSE;
  if (self->filled == 0)
    return TRUE;
  return encode_block (silence, ENCORE_PACKET_SAMPLES - self->filled, self, error);
}

static gboolean
write_page (const guint8 *page, gsize len, gpointer data, GError **error)
{
  const int fd = *(int *) data;

  while (len > 0) {
    const gssize n = write (fd, page, len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      g_set_error (error, ENCORE_ERROR,
                   errno == ENOSPC ? ENCORE_ERROR_NO_SPACE : ENCORE_ERROR_STORE,
                   "cannot write the Opus file: %s", g_strerror (errno));
      return FALSE;
    }
    page += n;
    len -= n;
  }
  return TRUE;
}

/* The caller's comments and what we measured; R128_TRACK_GAIN is Q7.8 dB to -23 LUFS of what is in
 * the file now (RFC 7845 section 5.2.1). */
static char **
all_comments (const char *const *comments, const EncoreNormalised *m)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (g_free);
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  for (; *comments != NULL; comments++)
    g_ptr_array_add (all, g_strdup (*comments));
  if (isfinite (m->loudness_lufs)) {
    g_ascii_formatd (number, sizeof number, "%.2f", m->loudness_lufs);
    g_ptr_array_add (all, g_strconcat ("ENCORE_LUFS=", number, NULL));
    g_ascii_formatd (number, sizeof number, "%.2f", m->true_peak_dbtp);
    g_ptr_array_add (all, g_strconcat ("ENCORE_PEAK=", number, NULL));
    g_ptr_array_add (all,
                     g_strdup_printf ("R128_TRACK_GAIN=%d",
                                      (int) lrint (256 * (-23 - m->loudness_lufs - m->gain_db))));
  }
  g_ascii_formatd (number, sizeof number, "%.2f", m->gain_db);
  g_ptr_array_add (all, g_strconcat ("ENCORE_GAIN=", number, NULL));
  g_ptr_array_add (all, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&all), FALSE);
}

static OpusEncoder *
make_encoder (int bitrate_bps, opus_int32 *lookahead, GError **error)
{
  int code;
  OpusEncoder *encoder =
      opus_encoder_create (ENCORE_OPUS_RATE_HZ, CHANNELS, OPUS_APPLICATION_AUDIO, &code);

  if (encoder == NULL) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_FAILED, "opus: %s", opus_strerror (code));
    return NULL;
  }
  opus_encoder_ctl (encoder, OPUS_SET_BITRATE (bitrate_bps));
  opus_encoder_ctl (encoder, OPUS_SET_VBR (1));
  opus_encoder_ctl (encoder, OPUS_SET_VBR_CONSTRAINT (1));
  opus_encoder_ctl (encoder, OPUS_SET_COMPLEXITY (COMPLEXITY));
  opus_encoder_ctl (encoder, OPUS_GET_LOOKAHEAD (lookahead));
  return encoder;
}

static gboolean
encode (const char *path, int fd, const char *const *comments, int bitrate_bps,
        GCancellable *cancellable, EncoreNormalised *out, gint64 frames, GError **error)
{
  g_autoptr (EncoreOggWriter) writer = encore_ogg_writer_new (write_page, &fd);
  g_auto (GStrv) all = all_comments (comments, out);
  g_autofree Encode *self = g_new0 (Encode, 1);
  opus_int32 lookahead = 0;
  gint64 again = 0;

  self->encoder = make_encoder (bitrate_bps, &lookahead, error);
  if (self->encoder == NULL)
    return FALSE;
  self->writer = writer;
  self->gain = pow (10, out->gain_db / 20);
  gboolean ok =
      encore_ogg_writer_begin (writer, CHANNELS, lookahead, (const char *const *) all, error) &&
      encore_decode (path, cancellable, encode_block, self, &again, error) &&
      drain (self, lookahead, error) && encore_ogg_writer_end (writer, frames, error);
  opus_encoder_destroy (self->encoder);
  out->max_packet_bytes = self->max_packet_bytes;
  if (ok && again != frames) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT,
                         "the file changed while it was decoded");
    ok = FALSE;
  }
  return ok;
}

gboolean
encore_normalise (const char *source_path, const char *opus_path, const char *const *comments,
                  const EncoreNormaliseOptions *options, GCancellable *cancellable,
                  EncoreNormalised *out, GError **error)
{
  gint64 frames = 0;

  memset (out, 0, sizeof *out);
  if (!measure (source_path, cancellable, out, &frames, error))
    return FALSE;
  out->gain_db = choose_gain (out, options);
  out->duration_ms = frames * 1000 / ENCORE_OPUS_RATE_HZ;

  const int fd = open (opus_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    g_set_error (error, ENCORE_ERROR, errno == ENOSPC ? ENCORE_ERROR_NO_SPACE : ENCORE_ERROR_STORE,
                 "cannot make the Opus file: %s", g_strerror (errno));
    return FALSE;
  }
  const gboolean ok =
      encode (source_path, fd, comments, options->bitrate_bps, cancellable, out, frames, error);
  out->opus_bytes = lseek (fd, 0, SEEK_CUR);
  close (fd);
  if (!ok)
    unlink (opus_path);
  return ok;
}
