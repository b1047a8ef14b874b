/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Opus that is loud enough keeps its packets; everything else is encoded; what is broken is
 * refused. Packets and samples are compared by ffmpeg, which shares no code with us. */
#include "config.h"
#include "sound/encore-normalise.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/encore-ogg.h"
#include "sound-fixture.h"
#include "store-fixture.h"

/* stereo, changing, 20.0137 s: no whole number of packets */
#define MUSIC \
  "-f lavfi -i \"aevalsrc='0.2*sin(880*PI*t)*(1.2+sin(7*t))|0.2*sin(1320*PI*t)*(1.2+cos(5*t))'" \
  ":s=48000:d=20.0137\""
#define OPUS "-c:a libopus -b:a 128k"

static const EncoreNormaliseOptions OPTIONS = {-16, -1.5, 128000, 0, 0};
static const char *const COMMENTS[] = {"ENCORE_ID=dQw4w9WgXcQ", "TITLE=Test", NULL};
static char *dir;

/* MUSIC at LUFS, encoded with OPTIONS to NAME. (transfer full) the path */
static char *
make (const char *name, double lufs, const char *options)
{
  static double loudness;
  g_autofree char *plain = g_build_filename (dir, "music.wav", NULL);
  char *path = g_build_filename (dir, name, NULL);

  if (loudness == 0) {
    g_free (sound_run ("ffmpeg -v error -y " MUSIC " -c:a pcm_f32le %s", plain));
    loudness = sound_measure (plain).lufs;
  }
  g_free (sound_run ("ffmpeg -v error -y -i %s -af volume=%.1fdB %s %s", plain, lufs - loudness,
                     options, path));
  return path;
}

/* How many packets and a checksum over all of them, without what the container adds to them.
 * (transfer full) */
static char *
packets_of (const char *path)
{
  g_autofree char *text =
      sound_output ("ffmpeg -v error -i %s -map 0:a -c copy -f framemd5 -", path);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_MD5);
  guint n = 0;

  for (char **line = lines; *line != NULL; line++) {
    g_auto (GStrv) fields = g_strsplit (*line, ",", -1);
    if (**line == '\0' || **line == '#')
      continue;
    g_assert_cmpuint (g_strv_length (fields), >=, 6);
    g_checksum_update (sum, (const guchar *) fields[5], -1);
    n++;
  }
  g_assert_cmpuint (n, >, 900);
  return g_strdup_printf ("%u %s", n, g_checksum_get_string (sum));
}

static char *
samples_of (const char *path)
{
  return sound_output ("ffmpeg -v error -i %s -map 0:a:0 -f md5 -c:a pcm_f32le -", path);
}

static gboolean
normalise (const char *source, const EncoreNormaliseOptions *options, EncoreNormalised *out,
           GError **error)
{
  g_autofree char *opus = g_strconcat (source, ".opus", NULL);

  g_unlink (opus);
  const gboolean ok = encore_normalise (source, opus, COMMENTS, options, NULL, out, error);
  g_assert_cmpint (g_file_test (opus, G_FILE_TEST_EXISTS), ==, ok); /* nothing half-made stays */
  return ok;
}

/* SOURCE becomes a valid Opus file of its length, remuxed or not. */
static void
check (const char *source, const EncoreNormaliseOptions *options, gboolean remuxed)
{
  g_autofree char *opus = g_strconcat (source, ".opus", NULL);
  g_autoptr (GError) error = NULL;
  g_auto (EncoreOggSummary) summary = {0};
  EncoreNormalised result;
  gint64 packets;

  normalise (source, options, &result, &error);
  g_assert_no_error (error);
  g_test_message ("%s: %.2f LUFS, gain %+.2f dB, %s", strrchr (source, '/') + 1,
                  result.loudness_lufs, result.gain_db, result.remuxed ? "kept" : "encoded");
  g_assert_cmpint (result.remuxed, ==, remuxed);
  if (remuxed)
    g_assert_cmpfloat (result.gain_db, ==, 0);
  const int fd = open (opus, O_RDONLY);
  g_assert_true (encore_ogg_verify (fd, &packets, NULL));
  g_assert_true (encore_ogg_summarise (fd, &summary, NULL));
  g_assert_cmpint (encore_normalise_was_remuxed (fd), ==, remuxed);
  close (fd);
  g_assert_true (summary.complete);
  g_assert_cmpint (summary.duration_ms, ==, result.duration_ms);
  g_assert_cmpint (packets * 20, <, summary.duration_ms + 28); /* of 20 ms, each */
  g_assert_cmpstr (encore_ogg_summary_get (&summary, "TITLE"), ==, "Test");
}

/* Within 0.3 dB of what SOURCE is, and yet not to be kept: coders and mixes change the level. */
static void
check_encoded_anyway (const char *source)
{
  EncoreNormaliseOptions options = OPTIONS;
  EncoreNormalised result;

  g_assert_true (normalise (source, &options, &result, NULL));
  options.loudness_lufs = result.loudness_lufs + 0.3;
  check (source, &options, FALSE);
}

/* The same sound, to the sample. */
static void
check_lossless (const char *source)
{
  g_autofree char *opus = g_strconcat (source, ".opus", NULL);
  g_autofree char *before = samples_of (source);
  g_autofree char *after = samples_of (opus);

  g_assert_cmpstr (before, ==, after);
}

static void
test_kept (void)
{
  static const char *const names[] = {"kept.webm", "kept.ogg", "kept.mkv"};

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *source = make (names[i], -16.3, OPUS);
    g_autofree char *opus = g_strconcat (source, ".opus", NULL);
    check (source, &OPTIONS, TRUE);
    g_autofree char *before = packets_of (source);
    g_autofree char *after = packets_of (opus);
    g_assert_cmpstr (before, ==, after);
    check_lossless (source);
  }
}

static void
test_louder (void)
{
  g_autofree char *source = make ("louder.webm", -14, OPUS);
  g_autofree char *opus = g_strconcat (source, ".opus", NULL);

  check (source, &OPTIONS, FALSE);
  g_assert_cmpfloat (fabs (sound_measure (opus).lufs - OPTIONS.loudness_lufs), <, 0.3);
}

static void
test_lengths (void)
{
  g_autofree char *sixty = make ("sixty.webm", -16, OPUS " -frame_duration 60");
  g_autofree char *forty = make ("forty.ogg", -16, OPUS " -frame_duration 40");
  g_autofree char *five = make ("five.webm", -16, OPUS " -frame_duration 5");
  g_autofree char *speech =
      make ("speech.webm", -16,
            "-c:a libopus -b:a 14k -cutoff 8000 -application voip -frame_duration 60");
  g_autofree char *even = make ("even.webm", -16, OPUS " -frame_duration 10 -t 20.008");
  g_autofree char *odd = make ("odd.webm", -16, OPUS " -frame_duration 10 -t 19.998");

  check (sixty, &OPTIONS, TRUE);
  check_lossless (sixty);
  check (forty, &OPTIONS, TRUE);
  check_lossless (forty);
  check (five, &OPTIONS, TRUE);
  check_lossless (five);
  check_encoded_anyway (speech); /* SILK frames of 60 ms */
  check (even, &OPTIONS, TRUE);
  check_lossless (even);
  check_encoded_anyway (odd); /* 10 ms would be left over */
}

/* Writes the bytes TO of LEN behind the first WHAT in SOURCE. */
static void
patch (const char *source, const char *what, gsize behind, const char *to, gsize len)
{
  char *bytes;
  gsize size;

  g_assert_true (g_file_get_contents (source, &bytes, &size, NULL));
  char *at = memmem (bytes, size, what, strlen (what));
  g_assert_nonnull (at);
  memcpy (at + behind, to, len);
  g_assert_true (g_file_set_contents (source, bytes, size, NULL));
  g_free (bytes);
}

static void
test_unfit (void)
{
  const EncoreNormaliseOptions narrow = {-16, -1.5, 64000, 0, 0};
  g_autofree char *mono = make ("mono.webm", -16, "-ac 1 " OPUS);
  g_autofree char *surround =
      make ("surround.webm", -16, "-ac 6 -c:a libopus -b:a 256k -mapping_family 1");
  g_autofree char *flac = make ("rate.flac", -16, "-ar 44100 -c:a flac");
  g_autofree char *wide = make ("wide.webm", -16, OPUS);
  g_autofree char *gain = make ("gain.webm", -16, OPUS);
  g_autofree char *two = g_build_filename (dir, "two.mkv", NULL);

  check_encoded_anyway (mono);
  check_encoded_anyway (surround);
  check_encoded_anyway (flac);
  check (wide, &narrow, FALSE); /* twice the bitrate that was asked for */
  patch (gain, "OpusHead", 16, "\0\1", 2);
  check_encoded_anyway (gain);
  g_free (sound_run ("ffmpeg -v error -y -i %s -i %s -map 0 -map 1 -c copy %s", wide, wide, two));
  check (two, &OPTIONS, FALSE);
}

static void
test_pictures (void)
{
  g_autofree char *wide = make ("sound.webm", -16, OPUS);
  g_autofree char *video = g_build_filename (dir, "video.webm", NULL);
  g_autofree char *cover = g_build_filename (dir, "cover.png", NULL);
  g_autofree char *mp3 = g_build_filename (dir, "cover.mp3", NULL);

  g_free (sound_run ("ffmpeg -v error -y -f lavfi -i testsrc=d=20:s=64x64:r=5 -i %s -c:v libvpx "
                     "-c:a copy %s",
                     wide, video));
  check (video, &OPTIONS, TRUE);
  check_lossless (video);
  g_free (sound_run ("ffmpeg -v error -y -f lavfi -i testsrc=s=64x64 -frames:v 1 %s", cover));
  g_free (sound_run ("ffmpeg -v error -y -i %s -i %s -map 0 -map 1 -c:a libmp3lame -c:v copy "
                     "-disposition:v attached_pic %s",
                     wide, cover, mp3));
  check (mp3, &OPTIONS, FALSE);
}

/* ---- damage */

static char *
damage (const char *source, const char *how, gsize from, gsize to)
{
  char *path = g_strconcat (source, how, NULL);
  g_autofree char *bytes = NULL;
  gsize size;

  g_assert_true (g_file_get_contents (source, &bytes, &size, NULL));
  if (*how == '-') {
    size = from * size / 100;
  } else {
    for (gsize i = from * size / 100; i < from * size / 100 + to; i++)
      bytes[i] ^= 0x55;
  }
  g_assert_true (g_file_set_contents (path, bytes, size, NULL));
  return path;
}

static void
check_refused (const char *path)
{
  g_autoptr (GError) error = NULL;
  EncoreNormalised result;

  normalise (path, &OPTIONS, &result, &error);
  g_test_message ("%s: %s", strrchr (path, '/') + 1,
                  error != NULL ? error->message : "taken for whole");
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT);
}

static void
test_truncated (void)
{
  static const struct {
    const char *name, *options;
  } rows[] = {{"cut.webm", OPUS},
              {"cut.ogg", OPUS},
              {"vorbis.ogg", "-c:a libvorbis"},
              {"cut.mp3", "-c:a libmp3lame -b:a 128k"},
              {"cut.m4a", "-c:a aac -b:a 128k"},
              {"dash.m4a", "-c:a aac -b:a 128k -movflags +dash+global_sidx -frag_duration 5000000"},
              {"cut.flac", "-c:a flac"},
              {"cut.wav", "-c:a pcm_s16le"}};

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *source = make (rows[i].name, -16.3, rows[i].options);
    g_autofree char *half = damage (source, "-half", 50, 0);
    g_autofree char *most = damage (source, "-most", 85, 0);
    check_refused (half);
    check_refused (most);
  }
}

/* Refused where the damage can be seen.  AAC and MP3 have no sums and leave a few frames out. */
static void
test_flipped (void)
{
  g_autofree char *ogg = make ("flip.ogg", -16.3, OPUS);
  g_autofree char *webm = make ("flip.webm", -16.3, OPUS);
  g_autofree char *m4a = make ("flip.m4a", -16.3, "-c:a aac -b:a 128k");
  g_autofree char *mp3 = make ("flip.mp3", -16.3, "-c:a libmp3lame -b:a 128k");
  g_autofree char *ogg_bit = damage (ogg, "+bit", 50, 1);
  g_autofree char *webm_hole = damage (webm, "+hole", 30, 2000);
  g_autofree char *m4a_hole = damage (m4a, "+hole", 30, 2000);
  g_autofree char *mp3_hole = damage (mp3, "+hole", 30, 2000);

  check_refused (ogg_bit);
  check_refused (webm_hole);
  check (m4a_hole, &OPTIONS, FALSE);
  check (mp3_hole, &OPTIONS, FALSE);
}

/* A page that is missing leaves all sums right. */
static void
test_lost_page (void)
{
  g_autofree char *source = make ("page.ogg", -16.3, OPUS);
  g_autofree char *bytes = NULL;
  gsize size;

  g_assert_true (g_file_get_contents (source, &bytes, &size, NULL));
  char *page = memmem (bytes + size / 2, size / 2, "OggS", 4);
  char *next = memmem (page + 4, bytes + size - page - 4, "OggS", 4);
  g_assert_nonnull (next);
  memmove (page, next, bytes + size - next);
  g_assert_true (g_file_set_contents (source, bytes, size - (next - page), NULL));
  check_refused (source);
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
  dir = fixture_make_dir ();
  g_test_add_func ("/remux/loud-enough-keeps-its-packets", test_kept);
  g_test_add_func ("/remux/louder-is-encoded", test_louder);
  g_test_add_func ("/remux/other-packet-lengths", test_lengths);
  g_test_add_func ("/remux/unfit-is-encoded", test_unfit);
  g_test_add_func ("/remux/pictures-are-dropped", test_pictures);
  g_test_add_func ("/remux/truncated-is-refused", test_truncated);
  g_test_add_func ("/remux/flipped-bytes", test_flipped);
  g_test_add_func ("/remux/lost-page-is-refused", test_lost_page);
  const int status = g_test_run ();
  fixture_remove (dir);
  return status;
}
