/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Whatever comes in becomes 48 kHz 20 ms Opus at one loudness; what is no whole song is refused.
 * The loudness is checked with a meter that is not ours: ffmpeg's ebur128. */
#include "config.h"
#include "sound/encore-normalise.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <math.h>
#include <unistd.h>

#include "base/encore-ogg.h"
#include "sound/encore-decode.h"
#include "sound/encore-missing.h"
#include "sound/encore-pcm.h"
#include "sound-fixture.h"
#include "store-fixture.h"

static char *dir;

static const EncoreNormaliseOptions OPTIONS = {-16, -1.5, 128000, 0, 0};
static const char *const COMMENTS[] = {"ENCORE_ID=dQw4w9WgXcQ", "TITLE=Test", NULL};

static char *
make_source (const char *name, const char *filter, const char *codec)
{
  char *path = g_build_filename (dir, name, NULL);

  g_free (sound_run ("ffmpeg -v error -y -f lavfi -i %s %s %s", filter, codec, path));
  return path;
}

static void
test_inputs (void)
{
  static const struct {
    const char *name, *filter, *codec;
  } rows[] = {
      {"loud.webm", "aevalsrc='0.9*sin(2*PI*440*t)|0.9*sin(2*PI*660*t)':s=48000:d=4",
       "-c:a libopus -b:a 128k"},
      {"quiet.m4a", "aevalsrc='0.02*sin(2*PI*440*t)|0.02*sin(2*PI*660*t)':s=44100:d=4",
       "-c:a aac -b:a 128k"},
      {"mono.flac", "sine=frequency=300:sample_rate=44100:duration=4", "-c:a flac"},
      {"noise.mp3", "anoisesrc=d=4:c=pink:a=0.1:r=32000", "-c:a libmp3lame"},
      {"noise.ogg", "anoisesrc=d=4:c=brown:a=0.3:r=44100", "-c:a libvorbis -ac 2"},
      {"frames60.opus", "anoisesrc=d=4:c=pink:a=0.2:r=48000",
       "-c:a libopus -b:a 48k -frame_duration 60 -ac 1"},
      {"surround.flac", "anoisesrc=d=4:c=pink:a=0.1:r=48000", "-c:a flac -ac 6"},
      {"slow.wav", "anoisesrc=d=4:c=pink:a=0.3:r=11025", "-c:a pcm_u8"},
      {"fast.flac", "anoisesrc=d=4:c=pink:a=0.3:r=96000", "-c:a flac -ac 2"},
      /* quiet with peaks that the coder raises by 2 dB */
      {"bursts.wav",
       "aevalsrc='0.02*sin(880*PI*t)+0.5*(random(0)-0.5)*exp(-60*mod(t\\,0.5))|"
       "0.02*sin(1100*PI*t)+0.5*(random(1)-0.5)*exp(-60*mod(t\\,0.7))':s=48000:d=4,lowpass=f=18000",
       "-c:a pcm_f32le"},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *source = make_source (rows[i].name, rows[i].filter, rows[i].codec);
    g_autofree char *opus = g_strconcat (source, ".opus", NULL);
    g_autoptr (GError) error = NULL;
    g_auto (EncoreOggSummary) summary = {0};
    EncoreNormalised result;
    gint64 packets = 0;

    encore_normalise (source, opus, COMMENTS, &OPTIONS, NULL, &result, &error);
    g_assert_no_error (error);
    g_assert_cmpint (ABS (result.duration_ms - 4000), <, 120);
    const int fd = open (opus, O_RDONLY);
    g_assert_true (encore_ogg_verify (fd, &packets, NULL));
    g_assert_true (encore_ogg_summarise (fd, &summary, NULL));
    close (fd);
    g_assert_true (summary.complete);
    g_assert_cmpint (summary.duration_ms, ==, result.duration_ms);
    g_assert_cmpint (packets * 20 - summary.duration_ms, >=, 6);
    g_assert_cmpint (packets * 20 - summary.duration_ms, <=,
                     28); /* pre-skip and a part of a packet */
    g_assert_cmpstr (encore_ogg_summary_get (&summary, "TITLE"), ==, "Test");
    g_assert_nonnull (encore_ogg_summary_get (&summary, "R128_TRACK_GAIN"));

    const SoundLevel level = sound_measure (opus);
    g_test_message ("%s: %.1f LUFS -> %.1f LUFS, %.1f dBTP", rows[i].name, result.loudness_lufs,
                    level.lufs, level.peak_dbtp);
    const gboolean bursts = g_str_equal (rows[i].name, "bursts.wav");
    /* peaks that are turned down are a part of the loudness, which for most is no part at all */
    const double want_lufs = result.loudness_lufs + result.gain_db;
    g_assert_cmpfloat (level.lufs, <, want_lufs + 0.5);
    g_assert_cmpfloat (level.lufs, >, want_lufs - (bursts ? 5 : 0.5));
    g_assert_cmpfloat (fabs (level.lufs - OPTIONS.loudness_lufs), <, bursts ? 5 : 0.5);
    g_assert_cmpfloat (level.peak_dbtp, <=, -1.5 + 1e-9);
    if (bursts)
      g_assert_cmpfloat (level.peak_dbtp, >, -2.5);
  }
}

static void
test_silence (void)
{
  g_autofree char *source =
      make_source ("silence.flac", "anullsrc=r=48000:cl=stereo:d=2", "-c:a flac -t 2");
  g_autofree char *opus = g_strconcat (source, ".opus", NULL);
  g_autoptr (GError) error = NULL;
  EncoreNormalised result;

  encore_normalise (source, opus, COMMENTS, &OPTIONS, NULL, &result, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (result.gain_db, ==, 0);
  g_assert_cmpint (result.duration_ms, ==, 2000);
}

/* Video is not decoded, and without sound it is refused. */
static void
test_video (void)
{
  g_autofree char *source = g_build_filename (dir, "video.webm", NULL);
  g_autofree char *mute = g_build_filename (dir, "mute.webm", NULL);
  g_autofree char *opus = g_strconcat (source, ".opus", NULL);
  g_autofree char *none = g_strconcat (mute, ".opus", NULL);
  g_autoptr (GError) error = NULL, refused = NULL;
  EncoreNormalised result;

  g_free (sound_run ("ffmpeg -v error -y -f lavfi -i testsrc=d=2:s=64x64 -f lavfi -i sine=d=2 -c:v "
                     "libvpx -c:a libopus %s",
                     source));
  g_free (sound_run ("ffmpeg -v error -y -f lavfi -i testsrc=d=2:s=64x64 -c:v libvpx %s", mute));
  encore_normalise (source, opus, COMMENTS, &OPTIONS, NULL, &result, &error);
  g_assert_no_error (error);
  g_assert_false (encore_normalise (mute, none, COMMENTS, &OPTIONS, NULL, &result, &refused));
  g_assert_error (refused, ENCORE_ERROR, ENCORE_ERROR_NO_AUDIO);
  g_assert_false (g_file_test (none, G_FILE_TEST_EXISTS));
}

/* A picture of the cover is no stream that counts. */
static void
test_art (void)
{
  static const char *const names[] = {"art.mp3", "art.m4a", "art.flac"};

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *source = g_build_filename (dir, names[i], NULL);
    g_autofree char *opus = g_strconcat (source, ".opus", NULL);
    g_autoptr (GError) error = NULL;
    EncoreNormalised result;
    g_free (sound_run ("ffmpeg -v error -y -f lavfi -i sine=d=3 -f lavfi -i color=d=1:s=64x64:r=1 "
                       "-map 0 -map 1 -frames:v 1 -c:v mjpeg -disposition:v attached_pic %s",
                       source));
    encore_normalise (source, opus, COMMENTS, &OPTIONS, NULL, &result, &error);
    g_assert_no_error (error);
    g_assert_cmpint (ABS (result.duration_ms - 3000), <, 120);
  }
}

/* Ogg files one behind the other, as radio stations store them. */
static void
test_chained (void)
{
  g_autofree char *first =
      make_source ("first.ogg", "sine=f=300:d=2:r=48000", "-c:a libvorbis -ac 2");
  g_autofree char *second =
      make_source ("second.ogg", "sine=f=500:d=3:r=44100", "-c:a libvorbis -ac 1");
  g_autofree char *source = g_build_filename (dir, "chained.ogg", NULL);
  g_autofree char *opus = g_strconcat (source, ".opus", NULL);
  g_autoptr (GError) error = NULL;
  EncoreNormalised result;

  g_free (sound_run ("sh -c 'cat \"$0\" \"$1\" >\"$2\"' %s %s %s", first, second, source));
  encore_normalise (source, opus, COMMENTS, &OPTIONS, NULL, &result, &error);
  g_assert_no_error (error);
  g_assert_cmpint (ABS (result.duration_ms - 5000), <, 150);
}

static void
test_garbage (void)
{
  static const struct {
    const char *name, *content;
  } rows[] = {{"page.html", "<!DOCTYPE html><html><body>Sign in</body></html>"},
              {"empty.webm", ""},
              {"random.webm", "\x1a\x45\xdf\xa3gibberish that is no matroska at all"}};

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *source = g_build_filename (dir, rows[i].name, NULL);
    g_autofree char *opus = g_strconcat (source, ".opus", NULL);
    g_autoptr (GError) error = NULL;
    EncoreNormalised result;
    g_assert_true (g_file_set_contents (source, rows[i].content, -1, NULL));
    g_assert_false (encore_normalise (source, opus, COMMENTS, &OPTIONS, NULL, &result, &error));
    g_test_message ("%s: %s", rows[i].name, error->message);
    g_assert_true (g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT) ||
                   g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_NO_AUDIO));
    g_assert_false (g_file_test (opus, G_FILE_TEST_EXISTS));
  }
}

/* A decode that takes longer than there is time is ended, and leaves nothing. */
static void
test_deadline (void)
{
  g_autofree char *source = make_source ("hour.flac", "sine=duration=3600:sample_rate=8000", "");
  g_autofree char *opus = g_build_filename (dir, "late.opus", NULL);
  g_autoptr (GError) error = NULL;
  const gint64 began_us = g_get_monotonic_time ();
  EncoreNormaliseOptions options = OPTIONS;
  EncoreNormalised result;

  options.deadline_us = began_us + G_USEC_PER_SEC / 5;
  g_assert_false (encore_normalise (source, opus, COMMENTS, &options, NULL, &result, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_DEADLINE);
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 3 * G_USEC_PER_SEC);
  g_assert_false (g_file_test (opus, G_FILE_TEST_EXISTS));
}

typedef struct {
  gint64 frames, last; /* that came, and of what is the last call */
  gboolean refuse;
} Slow;

static gboolean
take_slowly (const float *samples, gsize frames, gpointer data, GError **error)
{
  Slow *self = data;

  self->frames += frames;
  if (self->frames < self->last)
    return TRUE;
  g_usleep (G_USEC_PER_SEC * 3 / 2); /* a slow disk; nobody is idle for it */
  if (self->refuse)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_NO_SPACE, "the disk is full");
  return !self->refuse;
}

/* Who takes what is decoded may take his time, also when all else has come to its end, and what he
 * says counts. */
static void
test_slow (void)
{
  g_autofree char *source = make_source ("slow.flac", "sine=d=2:r=44100", "-c:a flac");
  g_autoptr (GError) error = NULL, refused = NULL;
  gint64 frames = 0;
  Slow slow = {0};

  /* the last of it comes out of the resampler, when those before it have stopped */
  g_assert_true (encore_decode_check (source, NULL, &slow.last, NULL));
  encore_decode (source, NULL, take_slowly, &slow, &frames, &error);
  g_assert_no_error (error);
  g_assert_cmpint (frames, ==, slow.last);
  slow = (Slow){0, slow.last, TRUE};
  g_assert_false (encore_decode (source, NULL, take_slowly, &slow, &frames, &refused));
  g_assert_error (refused, ENCORE_ERROR, ENCORE_ERROR_NO_SPACE);
}

static gboolean
append (const float *samples, gsize frames, gpointer data, GError **error)
{
  g_byte_array_append (data, (const guint8 *) samples, frames * 2 * sizeof *samples);
  return TRUE;
}

/* What was decoded is read again as it was, or, where there is no room for it, not at all. */
static void
test_pcm (void)
{
  enum { N = 30011 };
  g_autofree float *samples = g_new (float, 2 * N);
  g_autoptr (GByteArray) read = g_byte_array_new ();
  g_autoptr (GCancellable) cancelled = g_cancellable_new ();
  g_autoptr (GError) error = NULL, stopped = NULL;
  gint64 frames = 0;
  EncorePcm *pcm = encore_pcm_new (dir, 0), *nowhere = encore_pcm_new ("/proc/self", 0);

  for (gsize i = 0; i < 2 * N; i++)
    samples[i] = g_test_rand_double_range (-2, 2);
  for (gsize at = 0; at < N; at += 960)
    encore_pcm_add (pcm, samples + 2 * at, MIN (960, N - at));
  g_assert_true (encore_pcm_is_kept (pcm));
  g_assert_true (encore_pcm_read (pcm, NULL, append, read, &frames, &error));
  g_assert_no_error (error);
  g_assert_cmpint (frames, ==, N);
  g_assert_cmpmem (read->data, read->len, samples, 2 * N * sizeof *samples);
  g_cancellable_cancel (cancelled);
  g_assert_false (encore_pcm_read (pcm, cancelled, append, read, &frames, &stopped));
  g_assert_error (stopped, ENCORE_ERROR, ENCORE_ERROR_CANCELLED);
  encore_pcm_free (pcm);
  encore_pcm_add (nowhere, samples, N);
  g_assert_false (encore_pcm_is_kept (nowhere));
  encore_pcm_free (nowhere);
}

static void
test_cancel (void)
{
  g_autofree char *source = make_source ("long.flac", "anoisesrc=d=60:a=0.1:r=48000", "-c:a flac");
  g_autofree char *opus = g_strconcat (source, ".opus", NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  EncoreNormalised result;

  g_cancellable_cancel (cancellable);
  g_assert_false (
      encore_normalise (source, opus, COMMENTS, &OPTIONS, cancellable, &result, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED);
  g_assert_false (g_file_test (opus, G_FILE_TEST_EXISTS));
}

static void
test_missing (void)
{
  g_assert_cmpstr (encore_missing_package ("decoder-audio/mpeg, mpegversion=(int)4"), ==,
                   "gstreamer1.0-libav");
  g_assert_cmpstr (encore_missing_package ("decoder-audio/mpeg, mpegversion=(int)1, layer=(int)3"),
                   ==, "gstreamer1.0-plugins-good");
  g_assert_cmpstr (encore_missing_package ("decoder-audio/x-opus"), ==,
                   "gstreamer1.0-plugins-base");
  g_assert_cmpstr (encore_missing_package ("decoder-video/x-ms-asf"), ==,
                   "gstreamer1.0-plugins-ugly");
  g_assert_cmpstr (encore_missing_package ("decoder-audio/x-ac3"), ==, "gstreamer1.0-libav");
  /* nothing is made up */
  g_assert_null (encore_missing_package ("decoder-text/html"));
  g_assert_null (encore_missing_package ("urisource-rtsp"));
  g_assert_null (encore_missing_package (""));
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
  g_test_add_func ("/missing/packages", test_missing);
  g_test_add_func ("/normalise/inputs-reach-one-loudness", test_inputs);
  g_test_add_func ("/normalise/art", test_art);
  g_test_add_func ("/normalise/chained", test_chained);
  g_test_add_func ("/normalise/silence-stays-silence", test_silence);
  g_test_add_func ("/normalise/video-is-dropped", test_video);
  g_test_add_func ("/normalise/garbage-is-refused", test_garbage);
  g_test_add_func ("/normalise/deadline", test_deadline);
  g_test_add_func ("/normalise/cancel", test_cancel);
  g_test_add_func ("/normalise/decoded-once", test_pcm);
  g_test_add_func ("/normalise/taken-slowly", test_slow);
  const int status = g_test_run ();
  fixture_remove (dir);
  return status;
}
