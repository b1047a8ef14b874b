/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Opus is decoded sample by sample as by ffmpeg's own decoder, which shares no code with libopus:
 * neither longer nor shorter, neither clipped nor at another level; and what cannot be decoded is
 * passed over, or refused where the whole must be right. */
#include "config.h"
#include "sound/encore-decode.h"

#include <gst/gst.h>
#include <math.h>
#include <string.h>

#include "base/encore-ogg.h"
#include "sound-fixture.h"
#include "sound/encore-opus-pcm.h"
#include "store-fixture.h"

#define FRAME_BYTES (ENCORE_DECODE_CHANNELS * sizeof (float))
/* two tones, changing, 3.0137 s: no whole number of packets */
#define TONES "'%s*(sin(880*PI*t)*(1.2+sin(7*t))+0.3*sin(1320*PI*t))|%s*sin(1500*PI*t)'"

#define PRE_SKIP 312

static char *dir;

static char *
in_dir (const char *name)
{
  return g_build_filename (dir, name, NULL);
}

/* The tones at an AMPLITUDE. (transfer full) the path */
static char *
make (const char *name, const char *amplitude, const char *options)
{
  char *path = in_dir (name);
  g_autofree char *filter =
      g_strdup_printf ("aevalsrc=" TONES ":s=48000:d=3.0137", amplitude, amplitude);

  g_free (sound_run ("ffmpeg -v error -y -f lavfi -i \"%s\" %s %s", filter, options, path));
  return path;
}

static gboolean
collect (const float *samples, gsize frames, gpointer data, GError **error)
{
  g_byte_array_append (data, (const guint8 *) samples, frames * FRAME_BYTES);
  return TRUE;
}

/* (transfer full) */
static GByteArray *
decode (const char *path)
{
  GByteArray *pcm = g_byte_array_new ();
  g_autoptr (GError) error = NULL;
  gint64 frames = 0;

  encore_decode (path, NULL, collect, pcm, &frames, &error);
  g_assert_no_error (error);
  g_assert_cmpint (frames * FRAME_BYTES, ==, pcm->len);
  return pcm;
}

/* By ffmpeg, behind what is in PCM.  Its own way from one channel to two takes 3 dB away. */
static void
append_reference (GByteArray *pcm, const char *path, guint channels)
{
  g_autofree char *raw = g_strconcat (path, ".f32", NULL);
  g_autofree char *bytes = NULL;
  gsize len = 0;

  g_free (sound_run ("ffmpeg -v error -y -c:a opus -i %s -map 0:a -af 'pan=stereo|c0=c0|c1=c%u' "
                     "-ar 48000 -f f32le %s",
                     path, channels - 1, raw));
  g_assert_true (g_file_get_contents (raw, &bytes, &len, NULL));
  g_byte_array_append (pcm, (const guint8 *) bytes, len);
}

static float
peak_of (const GByteArray *pcm)
{
  const float *samples = (const float *) (gpointer) pcm->data;
  float peak = 0;

  for (gsize i = 0; i < pcm->len / sizeof (float); i++)
    peak = fmaxf (peak, fabsf (samples[i]));
  return peak;
}

/* To a frame: a resampler rounds the length of what it has. */
static void
assert_same (const char *what, const GByteArray *ours, const GByteArray *reference)
{
  const float *a = (const float *) (gpointer) ours->data;
  const float *b = (const float *) (gpointer) reference->data;
  const gint64 frames = ours->len / FRAME_BYTES, wanted = reference->len / FRAME_BYTES;
  float off = 0;

  g_assert_cmpint (wanted, >, 0);
  g_assert_cmpint (ABS (frames - wanted), <=, strstr (what, "resampled") != NULL ? 1 : 0);
  for (gint64 i = 0; i < MIN (frames, wanted) * ENCORE_DECODE_CHANNELS; i++)
    off = fmaxf (off, fabsf (a[i] - b[i]));
  g_test_message ("%s: %" G_GINT64_FORMAT " frames, %.6f off at most, peak %.3f", what, frames, off,
                  peak_of (ours));
  if (!g_str_has_prefix (what, "speech"))
    g_assert_cmpfloat (off, <, 1e-3);
}

static void
test_files (void)
{
  static const struct {
    const char *name, *amplitude, *options;
  } rows[] = {
      {"stereo.opus", "0.2", "-c:a libopus -b:a 128k"},
      {"stereo.webm", "0.2", "-c:a libopus -b:a 128k"},
      {"mono.opus", "0.2", "-c:a libopus -b:a 64k -ac 1"},
      {"frames60.webm", "0.2", "-c:a libopus -b:a 64k -frame_duration 60"},
      {"short.opus", "0.2", "-c:a libopus -b:a 96k -frame_duration 2.5 -t 0.031"},
      {"speech.opus", "0.2",
       "-c:a libopus -b:a 16k -application voip -ac 1"}, /* resampled: length only */
      {"hot.webm", "0.9", "-c:a libopus -b:a 192k"},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *path = make (rows[i].name, rows[i].amplitude, rows[i].options);
    g_autoptr (GByteArray) ours = decode (path);
    g_autoptr (GByteArray) reference = g_byte_array_new ();
    append_reference (reference, path, strstr (rows[i].options, "-ac 1") != NULL ? 1 : 2);
    assert_same (rows[i].name, ours, reference);
    if (g_str_has_prefix (rows[i].name, "hot"))
      g_assert_cmpfloat (peak_of (ours), >, 1.2); /* 16 bit end at 1 */
  }
}

/* -6 dB by the header: nothing but its two bytes differs. */
static void
test_gain (void)
{
  g_autofree char *path = make ("gain.webm", "0.2", "-c:a libopus -b:a 128k -write_crc32 0");
  g_autoptr (GByteArray) before = decode (path);
  g_autoptr (GByteArray) reference = g_byte_array_new ();
  g_autofree char *bytes = NULL;
  gsize len = 0;

  g_assert_true (g_file_get_contents (path, &bytes, &len, NULL));
  char *head = memmem (bytes, len, "OpusHead", 8);
  g_assert_nonnull (head);
  memcpy (head + 16, "\x00\xfa", 2); /* -1536/256 */
  g_assert_true (g_file_set_contents (path, bytes, len, NULL));
  g_autoptr (GByteArray) ours = decode (path);
  append_reference (reference, path, 2);
  assert_same ("gain", ours, reference);
  g_assert_cmpfloat (peak_of (ours) / peak_of (before), >, 0.50);
  g_assert_cmpfloat (peak_of (ours) / peak_of (before), <, 0.51);
}

/* One stream behind the other, also those that go another way. */
static void
test_chains (void)
{
  static const char *const orders[][3] = {{"a.opus", "b.opus", "c.opus"},
                                          {"a.opus", "d.ogg", "b.opus"},
                                          {"d.ogg", "a.opus", "e.ogg"},
                                          {"a.opus", "resampled.ogg", "b.opus"}};

  g_free (make ("a.opus", "0.2", "-c:a libopus -b:a 128k"));
  g_free (make ("b.opus", "0.1", "-c:a libopus -b:a 64k -ac 1"));
  g_free (make ("c.opus", "0.2", "-c:a libopus -b:a 96k"));
  g_free (make ("d.ogg", "0.1", "-c:a libvorbis"));
  g_free (make ("e.ogg", "0.1", "-c:a libvorbis -ac 1"));
  g_free (make ("resampled.ogg", "0.1", "-c:a libvorbis -ar 44100")); /* the resampler has a rest */
  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++) {
    g_autofree char *chain = in_dir ("chain.ogg");
    g_autoptr (GByteArray) reference = g_byte_array_new ();
    g_autoptr (GString) bytes = g_string_new (NULL);
    for (guint k = 0; k < 3; k++) {
      g_autofree char *path = in_dir (orders[i][k]), *part = NULL;
      g_autoptr (GByteArray) alone = decode (path);
      gsize len = 0;
      g_byte_array_append (reference, alone->data, alone->len);
      g_assert_true (g_file_get_contents (path, &part, &len, NULL));
      g_string_append_len (bytes, part, len);
    }
    g_assert_true (g_file_set_contents (chain, bytes->str, bytes->len, NULL));
    g_autoptr (GByteArray) ours = decode (chain);
    g_autofree char *what = g_strjoin (" ", orders[i][0], orders[i][1], orders[i][2], NULL);
    assert_same (what, ours, reference);
  }
}

/* The sound does not begin at 0, and what is before it is no sound: as many frames as by ffmpeg. */
static void
test_late (void)
{
  static const char *const offsets[] = {"0.02", "0.1", "0.15"};
  g_autofree char *path = make ("early.webm", "0.2", "-c:a libopus -b:a 128k");
  g_autofree char *late = in_dir ("late.webm");

  for (gsize i = 0; i < G_N_ELEMENTS (offsets); i++) {
    g_autoptr (GByteArray) reference = g_byte_array_new ();
    g_free (sound_run ("ffmpeg -v error -y -i %s -t 2 -c copy -output_ts_offset %s %s", path,
                       offsets[i], late));
    g_autoptr (GByteArray) ours = decode (late);
    append_reference (reference, late, 2);
    assert_same ("late", ours, reference);
  }
}

/* Of two tracks the first is taken, whatever they are. */
static void
test_tracks (void)
{
  static const char *const others[] = {"flac", "libvorbis"};
  g_autofree char *path = make ("first.webm", "0.2", "-c:a libopus -b:a 128k");
  g_autofree char *both = in_dir ("both.mkv");
  g_autoptr (GByteArray) first = decode (path);

  for (gsize i = 0; i < G_N_ELEMENTS (others); i++) {
    g_free (sound_run ("ffmpeg -v error -y -i %s -f lavfi -i sine=f=220:d=3.0137:r=48000 -map 0 "
                       "-map 1 -c:0 copy -c:1 %s %s",
                       path, others[i], both));
    g_autoptr (GByteArray) ours = decode (both);
    assert_same (others[i], ours, first);
  }
}

/* ---- damage */

static gssize
read_at (gpointer data, gint64 offset, guint8 *buf, gsize len, GError **error)
{
  const GString *file = data;
  const gsize n = MIN (len, file->len - MIN ((gsize) offset, file->len));

  memcpy (buf, file->str + offset, n);
  return n;
}

static gboolean
write_page (const guint8 *page, gsize len, gpointer data, GError **error)
{
  g_string_append_len (data, (const char *) page, len);
  return TRUE;
}

/* The packets of FILE again, the one AT of them none that a decoder could take.
 * Returns: how many they are. */
static gint64
write_damaged (const GString *file, gint64 at, GString *out)
{
  static const guint8 none[] = {0xff, 0x00}; /* a number of frames follows, which must not be 0 */
  static const char *const comments[] = {NULL};
  g_autoptr (EncoreOggReader) reader = encore_ogg_reader_new (read_at, (gpointer) file);
  g_autoptr (EncoreOggWriter) writer = encore_ogg_writer_new (write_page, out);
  const guint8 *packet;
  gsize len;
  gint64 pts_ns;

  encore_ogg_reader_set_size (reader, file->len, TRUE);
  g_assert_true (encore_ogg_writer_begin (writer, 2, PRE_SKIP, comments, NULL));
  gint64 n = 0;
  for (; encore_ogg_reader_next (reader, &packet, &len, &pts_ns, NULL) == ENCORE_OGG_PACKET; n++)
    g_assert_true (encore_ogg_writer_packet (writer, n == at ? none : packet,
                                             n == at ? sizeof none : len, NULL));
  g_assert_true (encore_ogg_writer_end (writer, -1, NULL));
  return n;
}

static void
test_damage (void)
{
  g_autofree char *path = make ("whole.opus", "0.2", "-c:a libopus -b:a 128k");
  g_autofree char *damaged = in_dir ("damaged.opus"), *bytes = NULL;
  g_autoptr (GString) file = g_string_new (NULL), out = g_string_new (NULL);
  g_autoptr (GByteArray) whole = decode (path);
  g_autoptr (GError) error = NULL;
  gint64 frames = 0;
  gsize len = 0;

  g_assert_true (g_file_get_contents (path, &bytes, &len, NULL));
  g_string_append_len (file, bytes, len);
  const gint64 n = write_damaged (file, 70, out);
  g_assert_true (g_file_set_contents (damaged, out->str, out->len, NULL));
  g_assert_true (encore_decode_check (path, NULL, &frames, NULL));
  g_assert_cmpint (frames, ==, whole->len / FRAME_BYTES);
  g_autoptr (GByteArray) rest = decode (damaged);
  g_assert_cmpint (rest->len / FRAME_BYTES, ==, (n - 1) * ENCORE_PACKET_SAMPLES - PRE_SKIP);
  g_assert_false (encore_decode_check (damaged, NULL, &frames, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, "cannot be decoded"));
}

/* Nothing stands for a packet that was lost: libopus would make one up. */
static void
test_empty (void)
{
  EncoreOpusPcm *pcm = encore_opus_pcm_new (TRUE);
  g_autoptr (GstCaps) caps = gst_caps_from_string (
      "audio/x-opus,streamheader=(buffer)<4f707573486561640102380180bb0000000000>");
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();
  g_autoptr (GstSample) sample = gst_sample_new (buffer, caps, NULL, NULL);
  g_autoptr (GError) error = NULL;
  const float *samples;

  g_assert_cmpint (encore_opus_pcm_decode (pcm, sample, &samples, &error), ==, 0);
  g_assert_no_error (error);
  encore_opus_pcm_free (pcm);
}

/* ---- what goes to opusdec */

static void
test_taken (void)
{
  static const struct {
    const char *head;
    gboolean taken;
  } heads[] = {
      {"4f70757348656164010238010000000000000000", TRUE}, /* stereo, a byte more */
      {"4f707573486561640101380100000000000000", TRUE},   /* mono */
      {"4f707573486561640106380100000000000001", FALSE},  /* surround */
      {"4f707573486561640102380100000000000001", FALSE},  /* two channels of a family */
      {"4f707573486561640100380100000000000000", FALSE},  /* no channel */
      {"4f7075734865616401023801000000000000", FALSE},    /* too short */
      {"4f7075735461677301023801000000000000", FALSE},    /* other headers */
  };
  g_autoptr (GstCaps) bare = gst_caps_from_string ("audio/x-opus,channel-mapping-family=0");

  g_assert_false (encore_opus_pcm_takes (bare));
  for (gsize i = 0; i < G_N_ELEMENTS (heads); i++) {
    g_autofree char *text =
        g_strdup_printf ("audio/x-opus,streamheader=(buffer)<%s>", heads[i].head);
    g_autoptr (GstCaps) caps = gst_caps_from_string (text);
    g_assert_nonnull (caps);
    g_assert_cmpint (encore_opus_pcm_takes (caps), ==, heads[i].taken);
    gst_structure_set_name (gst_caps_get_structure (caps, 0), "audio/x-other");
    g_assert_false (encore_opus_pcm_takes (caps));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_autofree char *ffmpeg = g_find_program_in_path ("ffmpeg");
  if (ffmpeg == NULL) {
    g_print ("1..0 # SKIP ffmpeg is not installed\n");
    return 0;
  }
  gst_init (NULL, NULL);
  dir = fixture_make_dir ();
  g_test_add_func ("/opus-pcm/same-as-ffmpeg", test_files);
  g_test_add_func ("/opus-pcm/gain-of-the-header", test_gain);
  g_test_add_func ("/opus-pcm/chains", test_chains);
  g_test_add_func ("/opus-pcm/sound-that-begins-late", test_late);
  g_test_add_func ("/opus-pcm/two-tracks", test_tracks);
  g_test_add_func ("/opus-pcm/damage", test_damage);
  g_test_add_func ("/opus-pcm/empty-packet", test_empty);
  g_test_add_func ("/opus-pcm/which-are-taken", test_taken);
  const int status = g_test_run ();
  fixture_remove (dir);
  return status;
}
