/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Whole, truncated and damaged files of every format that bots leave: which are told apart, by what
 * the container announces, by its structure, by decoding.  And the tags that name an id. */
#include "config.h"
#include "import/encore-probe.h"
#include "sound/encore-announced.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "sound/encore-decode.h"
#include "import/encore-import-name.h"
#include "store-fixture.h"

#define SECONDS 20
#define LINK "https://www.youtube.com/watch?v=dQw4w9WgXcQ"

static char *dir;

static void run (const char *format, ...) G_GNUC_PRINTF (1, 2);

static void
run (const char *format, ...)
{
  va_list args;
  g_autofree char *err = NULL;
  g_autoptr (GError) error = NULL;
  int status;

  va_start (args, format);
  g_autofree char *command = g_strdup_vprintf (format, args);
  va_end (args);
  if (!g_spawn_command_line_sync (command, NULL, &err, &status, &error) || status != 0)
    g_error ("%s: %s", command, error != NULL ? error->message : err);
}

static char *
make (const char *name, const char *options)
{
  char *path = g_build_filename (dir, name, NULL);

  run ("ffmpeg -v error -y -f lavfi -i aevalsrc='0.3*sin(2*PI*440*t)+0.1*random(0)':s=48000:d=%d "
       "-metadata title='A Title' -metadata artist='An Artist' %s %s",
       SECONDS, options, path);
  return path;
}

/* TRUE: it passes for whole. */
static gboolean
judge (const char *path, EncoreProbe *probe, char **why)
{
  const int fd = open (path, O_RDONLY | O_CLOEXEC);
  g_autoptr (GError) error = NULL;
  gint64 frames = 0;

  g_assert_cmpint (fd, >=, 0);
  const gboolean sound =
      encore_probe_file (fd, probe, &error) && encore_decode_check (path, NULL, &frames, &error);
  close (fd);
  *why = g_strdup_printf ("%s; %d of %d ms", error != NULL ? error->message : "decodes",
                          (int) (frames / 48), (int) probe->announced_ms);
  return sound && encore_import_is_whole (frames, probe->announced_ms);
}

static void
write_part (const char *from, const char *to, double share, gboolean damage)
{
  g_autofree char *bytes = NULL;
  gsize len;

  g_assert_true (g_file_get_contents (from, &bytes, &len, NULL));
  if (damage)
    for (gsize i = len / 2; i < len / 2 + MAX (len / 20, 4096); i++)
      bytes[i] = g_test_rand_int ();
  g_assert_true (g_file_set_contents (to, bytes, len * share, NULL));
}

/* What is known of each format: is its length announced, is a cut seen, is damage seen? */
static const struct {
  const char *name, *options;
  gboolean announces, cut_shows, damage_shows;
} FORMATS[] = {
    {"a.webm", "-c:a libopus", TRUE, TRUE, TRUE},
    {"a.mkv", "-c:a aac", TRUE, TRUE, TRUE},
    {"a.opus", "-c:a libopus", FALSE, TRUE, TRUE},
    {"a.ogg", "-c:a libvorbis", FALSE, TRUE, TRUE},
    {"a.m4a", "-c:a aac", TRUE, TRUE, TRUE},
    {"fast.m4a", "-c:a aac -movflags +faststart", TRUE, TRUE, TRUE},
    {"dash.m4a", "-c:a aac -movflags +dash+global_sidx -frag_duration 2000000", TRUE, TRUE, TRUE},
    {"a.mp3", "-c:a libmp3lame -b:a 96k", TRUE, TRUE, TRUE},
    {"vbr.mp3", "-c:a libmp3lame -q:a 6 -ar 22050 -ac 1", TRUE, TRUE, TRUE},
    {"a.flac", "-c:a flac", TRUE, TRUE, TRUE},
    /* samples have no checksum, and the other two announce nothing: what the decoder passes over
     * there shows only by luck */
    {"a.wav", "-c:a pcm_s16le", FALSE, TRUE, FALSE},
    {"plain.mp3", "-c:a libmp3lame -write_xing 0", FALSE, FALSE, FALSE},
    {"a.aac", "-c:a aac", FALSE, FALSE, FALSE},
};

static void
test_formats (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (FORMATS); i++) {
    g_autofree char *path = make (FORMATS[i].name, FORMATS[i].options);
    g_autofree char *cut = g_strdup_printf ("%s/cut-%s", dir, FORMATS[i].name);
    g_autofree char *hurt = g_strdup_printf ("%s/hurt-%s", dir, FORMATS[i].name);
    g_auto (EncoreProbe) whole_probe = {0}, cut_probe = {0}, hurt_probe = {0};
    g_autofree char *whole_why = NULL, *cut_why = NULL, *hurt_why = NULL;

    write_part (path, cut, 0.6, FALSE);
    write_part (path, hurt, 1, TRUE);
    const gboolean whole = judge (path, &whole_probe, &whole_why);
    const gboolean cut_whole = judge (cut, &cut_probe, &cut_why);
    const gboolean hurt_whole = judge (hurt, &hurt_probe, &hurt_why);
    g_test_message ("%s: %s | cut: %s | damaged: %s", FORMATS[i].name, whole_why, cut_why,
                    hurt_why);
    g_assert_true (whole);
    g_assert_cmpint (whole_probe.announced_ms > 0, ==, FORMATS[i].announces);
    if (FORMATS[i].announces)
      g_assert_cmpint (ABS (whole_probe.announced_ms - SECONDS * 1000), <, 100);
    g_assert_cmpint (cut_whole, ==, !FORMATS[i].cut_shows);
    if (FORMATS[i].damage_shows)
      g_assert_false (hurt_whole);
  }
}

/* The last page is there, but one before it is not. */
static void
test_lost_page (void)
{
  g_autofree char *path = make ("lost.opus", "-c:a libopus");
  g_autofree char *bytes = NULL;
  gsize len;
  const char *second, *third;
  g_auto (EncoreProbe) probe = {0};
  g_autofree char *why = NULL;

  g_assert_true (g_file_get_contents (path, &bytes, &len, NULL));
  second = memmem (bytes + len / 2, len / 2, "OggS", 4);
  third = memmem (second + 4, bytes + len - second - 4, "OggS", 4);
  g_assert_nonnull (third);
  memmove ((char *) second, third, bytes + len - third);
  g_assert_true (g_file_set_contents (path, bytes, len - (third - second), NULL));
  g_assert_false (judge (path, &probe, &why));
  g_test_message ("%s", why);
  g_assert_nonnull (strstr (why, "missing"));
}

/* Nothing announced is nothing to compare with: what a pipe wrote. */
static void
test_unknown_length (void)
{
  static const char *const rows[][2] = {{"pipe.wav", "-f wav"},
                                        {"pipe.flac", "-f flac"},
                                        {"pipe.webm", "-c:a libopus -f webm -live 1"},
                                        {"pipe.mp3", "-f mp3"}};

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *path = g_build_filename (dir, rows[i][0], NULL);
    g_auto (EncoreProbe) probe = {0};
    g_autofree char *why = NULL;
    run ("sh -c \"ffmpeg -v error -f lavfi -i sine=d=9 %s pipe:1 | cat > %s\"", rows[i][1], path);
    const gboolean whole = judge (path, &probe, &why);
    g_test_message ("%s: %s", rows[i][0], why);
    g_assert_true (whole);
  }
}

static void
test_tags (void)
{
  static const struct {
    const char *name, *options, *id;
  } rows[] = {
      {"t.webm", "-c:a libopus -metadata purl=" LINK, "dQw4w9WgXcQ"},
      {"t.opus", "-c:a libopus -metadata comment=" LINK, "dQw4w9WgXcQ"},
      {"own.opus", "-c:a libopus -metadata ENCORE_ID=-bcdefghijA -metadata purl=" LINK,
       "-bcdefghijA"},
      {"t.ogg", "-c:a libvorbis -metadata purl=" LINK, "dQw4w9WgXcQ"},
      {"t.m4a", "-c:a aac -metadata comment=" LINK, "dQw4w9WgXcQ"},
      {"t.mp3", "-c:a libmp3lame -metadata purl=" LINK, "dQw4w9WgXcQ"},
      {"t3.mp3", "-c:a libmp3lame -id3v2_version 3 -metadata comment=" LINK, "dQw4w9WgXcQ"},
      {"t.flac", "-c:a flac -metadata comment=" LINK, "dQw4w9WgXcQ"},
      {"text.flac", "-c:a flac -metadata comment='see " LINK "'", NULL},
      {"word.flac", "-c:a flac -metadata comment=Foundations", NULL},
      {"other.flac", "-c:a flac -metadata comment=https://example.com/watch?v=dQw4w9WgXcQ", NULL},
      {"list.flac", "-c:a flac -metadata comment=https://www.youtube.com/playlist?list=PL0", NULL},
      {"none.flac", "-c:a flac", NULL},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *path = make (rows[i].name, rows[i].options);
    g_auto (EncoreProbe) probe = {0};
    const int fd = open (path, O_RDONLY | O_CLOEXEC);
    g_assert_true (encore_probe_file (fd, &probe, NULL));
    close (fd);
    g_test_message ("%s: '%s' by '%s', id '%s'", rows[i].name, probe.title, probe.artist,
                    probe.has_id ? probe.id.id : "-");
    g_assert_cmpstr (probe.title, ==, "A Title");
    g_assert_cmpstr (probe.artist, ==, "An Artist");
    g_assert_cmpint (probe.has_id, ==, rows[i].id != NULL);
    if (rows[i].id != NULL)
      g_assert_cmpstr (probe.id.id, ==, rows[i].id);
  }
}

static void
test_sidecar (void)
{
  static const struct {
    const char *json, *id, *title;
    gint64 ms;
  } rows[] = {
      {"{\"id\":\"dQw4w9WgXcQ\",\"extractor_key\":\"Youtube\",\"title\":\"T\\u0007x\",\"uploader\":"
       "\"U\",\"duration\":212}",
       "dQw4w9WgXcQ", "T x", 212000},
      {"{\"id\":\"dQw4w9WgXcQ\",\"extractor_key\":\"Youtube\"}", "dQw4w9WgXcQ", NULL, 0},
      {"{\"id\":\"dQw4w9WgXcQ\",\"extractor_key\":\"Generic\",\"title\":\"T\"}", NULL, NULL, 0},
      {"{\"id\":7,\"extractor_key\":[],\"duration\":{}}", NULL, NULL, 0},
      {"{\"id\":\"../../etc\",\"extractor_key\":\"Youtube\"}", NULL, NULL, 0},
      {"[]", NULL, NULL, 0},
      {"{", NULL, NULL, 0},
      {"", NULL, NULL, 0}};
  g_autofree char *path = g_build_filename (dir, "song.info.json", NULL);
  const int dirfd = open (dir, O_RDONLY | O_DIRECTORY);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (EncoreProbe) probe = {0};
    g_assert_true (g_file_set_contents (path, rows[i].json, -1, NULL));
    encore_probe_sidecar (dirfd, "song", &probe);
    g_assert_cmpint (probe.has_id, ==, rows[i].id != NULL);
    g_assert_cmpstr (probe.title, ==, rows[i].title);
    g_assert_cmpint (probe.announced_ms, ==, rows[i].ms);
  }
  close (dirfd);
}

/* A song of another id is not ours, and what the file says goes first. */
static void
test_sidecar_yields (void)
{
  g_autofree char *path = g_build_filename (dir, "song.info.json", NULL);
  const int dirfd = open (dir, O_RDONLY | O_DIRECTORY);
  g_auto (EncoreProbe) same = {.title = g_strdup ("Mine"), .announced_ms = 5, .has_id = TRUE};
  g_auto (EncoreProbe) another = {.has_id = TRUE};

  encore_media_id_from_youtube ("dQw4w9WgXcQ", &same.id);
  encore_media_id_from_youtube ("-bcdefghijA", &another.id);
  g_assert_true (g_file_set_contents (
      path, "{\"id\":\"dQw4w9WgXcQ\",\"extractor_key\":\"Youtube\",\"title\":\"T\",\"duration\":9}",
      -1, NULL));
  encore_probe_sidecar (dirfd, "song", &same);
  encore_probe_sidecar (dirfd, "song", &another);
  encore_probe_sidecar (dirfd, "missing", &another);
  g_assert_cmpstr (same.title, ==, "Mine");
  g_assert_cmpint (same.announced_ms, ==, 5);
  g_assert_null (another.title);
  g_assert_cmpstr (another.id.id, ==, "-bcdefghijA");
  close (dirfd);
}

/* Neither headers of random bytes nor cut ones do harm (the sanitizers watch). */
static void
test_any_header (void)
{
  static const char *const heads[] = {"OggS",
                                      "RIFF....WAVE",
                                      "fLaC",
                                      "ID3",
                                      "\xff\xfb",
                                      "",
                                      "\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff\x15\x49\xa9\x66",
                                      "....ftyp"};
  g_autofree char *path = g_build_filename (dir, "any", NULL);

  for (int i = 0; i < 3000; i++) {
    g_autoptr (GString) bytes = g_string_new (heads[i % G_N_ELEMENTS (heads)]);
    const int len = g_test_rand_int_range (0, i % 50 == 0 ? 9000 : 60);
    gint64 ms;
    while ((int) bytes->len < len)
      g_string_append_c (bytes, g_test_rand_int_range (0, 4) ? g_test_rand_int () : 0xff);
    g_assert_true (g_file_set_contents (path, bytes->str, len, NULL));
    const int fd = open (path, O_RDONLY | O_CLOEXEC);
    encore_announced_ms (fd, &ms, NULL);
    g_assert_cmpint (ms, >=, 0);
    close (fd);
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
  dir = fixture_make_dir ();
  g_test_add_func ("/probe/whole-cut-and-damaged", test_formats);
  g_test_add_func ("/probe/an-ogg-page-lost", test_lost_page);
  g_test_add_func ("/probe/no-length-announced", test_unknown_length);
  g_test_add_func ("/probe/tags-that-name-an-id", test_tags);
  g_test_add_func ("/probe/sidecar", test_sidecar);
  g_test_add_func ("/probe/sidecar-yields", test_sidecar_yields);
  g_test_add_func ("/probe/any-header", test_any_header);
  const int status = g_test_run ();
  fixture_remove (dir);
  return status;
}
