/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Names of files in other bots' directories, and the choice among files of one song. */
#include "config.h"
#include "import/encore-import-name.h"

#include <string.h>

#define MEDIA ENCORE_NAME_MEDIA
#define LEFTOVER ENCORE_NAME_LEFTOVER
#define OTHER ENCORE_NAME_OTHER
#define NONE ENCORE_TRUST_NONE
#define DOUBT ENCORE_TRUST_DOUBT
#define CERTAIN ENCORE_TRUST_CERTAIN

typedef struct {
  const char *name;
  EncoreNameKind kind;
  EncoreNameTrust trust;
  const char *id, *title;
} Row;

static const Row ROWS[] = {
    /* <id>.ext */
    {"dQw4w9WgXcQ.webm", MEDIA, CERTAIN, "dQw4w9WgXcQ", ""},
    {"dQw4w9WgXcQ.m4a", MEDIA, CERTAIN, "dQw4w9WgXcQ", ""},
    {"dQw4w9WgXcQ.MP3", MEDIA, CERTAIN, "dQw4w9WgXcQ", ""},
    {"dQw4w9WgXcQ", MEDIA, CERTAIN, "dQw4w9WgXcQ", ""},
    {"-bcdefghijA.opus", MEDIA, CERTAIN, "-bcdefghijA", ""},
    {"_bcdefghijA.ogg", MEDIA, CERTAIN, "_bcdefghijA", ""},
    {"---_____-_0.ogg", MEDIA, CERTAIN, "---_____-_0", ""},
    {"AAAAAAAAAAA.webm", MEDIA, CERTAIN, "AAAAAAAAAAA", ""},
    {"12345678904.webm", MEDIA, CERTAIN, "12345678904", ""},
    {"Soundtracks.webm", MEDIA, CERTAIN, "Soundtracks", ""}, /* as people may type it to a bot */
    {"dQw4w9WgXcR.webm", MEDIA, NONE, NULL, "dQw4w9WgXcR"},  /* no id ends in R */
    {"dQw4w9WgXc.webm", MEDIA, NONE, NULL, "dQw4w9WgXc"},
    {"dQw4w9WgXcQQ.webm", MEDIA, NONE, NULL, "dQw4w9WgXcQQ"},
    {"dQw4w9W.XcQ.webm", MEDIA, NONE, NULL, "dQw4w9W.XcQ"},
    /* title_<id>.ext */
    {"never_gonna_dQw4w9WgXcQ.webm", MEDIA, CERTAIN, "dQw4w9WgXcQ", "never gonna"},
    {"Never Gonna_dQw4w9WgXcQ.mp3", MEDIA, CERTAIN, "dQw4w9WgXcQ", "Never Gonna"},
    {"snake_case kept_dQw4w9WgXcQ.mp3", MEDIA, CERTAIN, "dQw4w9WgXcQ", "snake_case kept"},
    {"x_-bcdefghijA.m4a", MEDIA, CERTAIN, "-bcdefghijA", "x"},
    {"x__bcdefghijA.m4a", MEDIA, CERTAIN, "_bcdefghijA", "x"},
    {"x__-cdefghijA.m4a", MEDIA, CERTAIN, "_-cdefghijA", "x"},
    {"_dQw4w9WgXcQ.m4a", MEDIA, CERTAIN, "dQw4w9WgXcQ", ""},
    {"a.b.c_dQw4w9WgXcQ.webm", MEDIA, CERTAIN, "dQw4w9WgXcQ", "a.b.c"},
    {"two__words_dQw4w9WgXcQ.webm", MEDIA, CERTAIN, "dQw4w9WgXcQ", "two  words"},
    {"title_AAAAAAAAAAA.webm", MEDIA, CERTAIN, "AAAAAAAAAAA", "title"},
    {"title_abcdefghijk.webm", MEDIA, CERTAIN, "abcdefghijk", "title"},
    {"titledQw4w9WgXcQ.webm", MEDIA, NONE, NULL, "titledQw4w9WgXcQ"},
    {"title dQw4w9WgXcQ.webm", MEDIA, NONE, NULL, "title dQw4w9WgXcQ"},
    {"title_dQw4w9WgXcR.webm", MEDIA, NONE, NULL, "title dQw4w9WgXcR"},
    /* Title-<id>.ext */
    {"Never Gonna-dQw4w9WgXcQ.webm", MEDIA, CERTAIN, "dQw4w9WgXcQ", "Never Gonna"},
    {"A - B-dQw4w9WgXcQ.webm", MEDIA, CERTAIN, "dQw4w9WgXcQ", "A - B"},
    {"A_-_B-dQw4w9WgXcQ.webm", MEDIA, CERTAIN, "dQw4w9WgXcQ", "A - B"},
    {"Title--bcdefghijA.webm", MEDIA, CERTAIN, "-bcdefghijA", "Title"},
    {"Mr. X feat. Y-dQw4w9WgXcQ.m4a", MEDIA, CERTAIN, "dQw4w9WgXcQ", "Mr. X feat. Y"},
    {"Mr. X feat. Y-dQw4w9WgXcQ", MEDIA, CERTAIN, "dQw4w9WgXcQ", "Mr. X feat. Y"},
    /* Title [<id>].ext */
    {"Never Gonna [dQw4w9WgXcQ].webm", MEDIA, CERTAIN, "dQw4w9WgXcQ", "Never Gonna"},
    {"Never_Gonna_[dQw4w9WgXcQ].webm", MEDIA, CERTAIN, "dQw4w9WgXcQ", "Never Gonna"},
    {"[dQw4w9WgXcQ].webm", MEDIA, CERTAIN, "dQw4w9WgXcQ", ""},
    {"T [live] [-bcdefghijA].mkv", MEDIA, CERTAIN, "-bcdefghijA", "T [live]"},
    {"[dQw4w9WgXcQ] T.webm", MEDIA, NONE, NULL, "[dQw4w9WgXcQ] T"},
    {"T [Official Video].webm", MEDIA, NONE, NULL, "T [Official Video]"},
    {"T [].webm", MEDIA, NONE, NULL, "T []"},
    {"T ].webm", MEDIA, NONE, NULL, "T ]"},
    {"].webm", MEDIA, NONE, NULL, "]"},
    {"T [dQw4w9WgXcR].webm", MEDIA, NONE, NULL, "T [dQw4w9WgXcR]"},
    /* site-<id>-title.ext */
    {"youtube-dQw4w9WgXcQ-Never_Gonna.webm", MEDIA, CERTAIN, "dQw4w9WgXcQ", "Never Gonna"},
    {"youtube-dQw4w9WgXcQ-Never_Gonna-1a2b3c4d.webm", MEDIA, CERTAIN, "dQw4w9WgXcQ", "Never Gonna"},
    {"youtube--bcdefghijA-A-B.webm", MEDIA, CERTAIN, "-bcdefghijA", "A-B"},
    {"youtube-dQw4w9WgXcQ.webm", MEDIA, CERTAIN, "dQw4w9WgXcQ", ""},
    {"youtube-dQw4w9WgXc-T.webm", MEDIA, NONE, NULL, "youtube-dQw4w9WgXc-T"},
    {"soundcloud-123456789-T.webm", MEDIA, NONE, NULL, "soundcloud-123456789-T"},
    /* name_<8 random>.ext */
    {"song_a1b2c3d4.webm", MEDIA, NONE, NULL, "song"},
    {"my_song_x7Kq2mP9.mp3", MEDIA, NONE, NULL, "my song"},
    {"never_gonna_give_you_up_0f3e9a1b.m4a", MEDIA, NONE, NULL, "never gonna give you up"},
    {"round_midnight.mp3", MEDIA, NONE, NULL, "round midnight"}, /* eight letters, a word */
    {"mix_20240101.mp3", MEDIA, NONE, NULL, "mix 20240101"},
    {"a1b2c3d4.mp3", MEDIA, NONE, NULL, "a1b2c3d4"},
    {"call_me_abcd1234.mp3", MEDIA, DOUBT, "me_abcd1234", "call"},
    {"track_07_abcd1234.mp3", MEDIA, DOUBT, "07_abcd1234", "track"},
    {"title_Q7_abcd1234.mp3", MEDIA, CERTAIN, "Q7_abcd1234", "title"},
    {"title_xQ_abcd1234.mp3", MEDIA, CERTAIN, "xQ_abcd1234", "title"},
    /* words as long as an id */
    {"Artist-Foundations.mp3", MEDIA, DOUBT, "Foundations", "Artist"},
    {"Artist_Everlasting.mp3", MEDIA, DOUBT, "Everlasting", "Artist"},
    {"Artist_PSYCHEDELIA.mp3", MEDIA, DOUBT, "PSYCHEDELIA", "Artist"},
    {"Artist-Hello-Music.mp3", MEDIA, DOUBT, "Hello-Music", "Artist"},
    {"Film [Soundtracks].mp3", MEDIA, DOUBT, "Soundtracks", "Film"},
    {"Artist-Performance.mp3", MEDIA, NONE, NULL, "Artist-Performance"},
    {"show_20190101000.mp3", MEDIA, DOUBT, "20190101000", "show"},
    /* leftovers */
    {"dQw4w9WgXcQ.webm.part", LEFTOVER, CERTAIN, "dQw4w9WgXcQ", ""},
    {"T [dQw4w9WgXcQ].webm.part", LEFTOVER, CERTAIN, "dQw4w9WgXcQ", "T"},
    {"T [dQw4w9WgXcQ].webm.ytdl", LEFTOVER, CERTAIN, "dQw4w9WgXcQ", "T"},
    {"T [dQw4w9WgXcQ].m4a.part-Frag12", LEFTOVER, CERTAIN, "dQw4w9WgXcQ", "T"},
    {"T [dQw4w9WgXcQ].m4a.part-Frag12.part", LEFTOVER, CERTAIN, "dQw4w9WgXcQ", "T"},
    {"T [dQw4w9WgXcQ].temp.m4a", LEFTOVER, CERTAIN, "dQw4w9WgXcQ", "T"},
    {"T-dQw4w9WgXcQ.webm.temp", LEFTOVER, CERTAIN, "dQw4w9WgXcQ", "T"},
    {"T-dQw4w9WgXcQ.f251.webm", LEFTOVER, CERTAIN, "dQw4w9WgXcQ", "T"},
    {"T-dQw4w9WgXcQ.f140-drc.m4a", LEFTOVER, CERTAIN, "dQw4w9WgXcQ", "T"},
    {"T-dQw4w9WgXcQ.f251.webm.part", LEFTOVER, CERTAIN, "dQw4w9WgXcQ", "T"},
    {"T_dQw4w9WgXcQ.PART", LEFTOVER, CERTAIN, "dQw4w9WgXcQ", "T"},
    {"song_a1b2c3d4.webm.part", LEFTOVER, NONE, NULL, "song"},
    {"part.mp3", MEDIA, NONE, NULL, "part"},
    {"T.future.mp3", MEDIA, NONE, NULL, "T.future"},
    /* no songs */
    {"T [dQw4w9WgXcQ].info.json", OTHER, NONE, NULL, "T [dQw4w9WgXcQ].info"},
    {"dQw4w9WgXcQ.jpg", OTHER, CERTAIN, "dQw4w9WgXcQ", ""},
    {"dQw4w9WgXcQ.en.vtt", OTHER, NONE, NULL, "dQw4w9WgXcQ.en"},
    {"db.sqlite", OTHER, NONE, NULL, "db.sqlite"},
    {".hidden", OTHER, NONE, NULL, "hidden"},
    {".part", OTHER, NONE, NULL, "part"},
    {"...", OTHER, NONE, NULL, ""},
    /* whatever bytes a name may have */
    {"\xff\xfe_dQw4w9WgXcQ.webm", MEDIA, CERTAIN, "dQw4w9WgXcQ", "\xef\xbf\xbd\xef\xbf\xbd"},
    {"a\nb\x1b[2J_dQw4w9WgXcQ.webm", MEDIA, CERTAIN, "dQw4w9WgXcQ", "a b [2J"},
    {"a\xe2\x80\xae"
     "b_dQw4w9WgXcQ.webm",
     MEDIA, CERTAIN, "dQw4w9WgXcQ", "ab"},
    {"\xe6\xad\x8c_dQw4w9WgXcQ.webm", MEDIA, CERTAIN, "dQw4w9WgXcQ", "\xe6\xad\x8c"},
    {"%s%n$(id)`x`_dQw4w9WgXcQ.webm", MEDIA, CERTAIN, "dQw4w9WgXcQ", "%s%n$(id)`x`"},
    {"--exec=x-dQw4w9WgXcQ.webm", MEDIA, CERTAIN, "dQw4w9WgXcQ", "exec=x"},
    {"x", MEDIA, NONE, NULL, "x"},
    {"-", MEDIA, NONE, NULL, ""},
    {"_", MEDIA, NONE, NULL, ""},
    {"a.", MEDIA, NONE, NULL, "a"},
    {"-Frag1", MEDIA, NONE, NULL, "Frag1"},
    {"x.f", MEDIA, NONE, NULL, "x"},
};

static void
test_rows (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (ROWS); i++) {
    const Row *row = &ROWS[i];
    g_auto (EncoreImportName) name = {0};

    encore_import_name_parse (row->name, &name);
    g_autofree char *shown = g_strescape (row->name, NULL);
    g_test_message ("%s: kind %d trust %d id '%s' title '%s'", shown, name.kind, name.trust,
                    name.id.id, name.title);
    g_assert_cmpint (name.kind, ==, row->kind);
    g_assert_cmpint (name.trust, ==, row->trust);
    if (row->id != NULL) {
      g_assert_cmpstr (name.id.source, ==, "youtube");
      g_assert_cmpstr (name.id.id, ==, row->id);
    }
    g_assert_cmpstr (name.title, ==, row->title);
    g_assert_true (g_str_has_prefix (row->name, name.base));
  }
}

static void
test_base (void)
{
  static const char *const rows[][2] = {
      {"T [dQw4w9WgXcQ].webm", "T [dQw4w9WgXcQ]"},
      {"song_a1b2c3d4.webm", "song_a1b2c3d4"},
      {"T.f251.webm.part", "T"},
      {"\xff.webm", "\xff"},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (EncoreImportName) name = {0};
    encore_import_name_parse (rows[i][0], &name);
    g_assert_cmpstr (name.base, ==, rows[i][1]);
  }
}

/* No name, however long or odd, does harm (the sanitizers watch). */
static void
test_any_bytes (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);
  static const char alphabet[] = "ab0Z-_.[] f5\xc3\xff\n_-part";

  for (int i = 0; i < 20000; i++) {
    char text[300];
    g_auto (EncoreImportName) name = {0};
    const int len = g_rand_int_range (rand, 1, i % 100 == 0 ? 255 : 24);
    for (int k = 0; k < len; k++)
      text[k] = alphabet[g_rand_int_range (rand, 0, sizeof alphabet - 1)];
    text[len] = '\0';
    encore_import_name_parse (text, &name);
    g_assert_true (g_utf8_validate (name.title, -1, NULL));
    g_assert_true (name.trust == NONE || encore_id_is_stem (name.id.id));
  }
}

#define S 48000

static void
test_choose (void)
{
  static const struct {
    EncoreImportCandidate candidates[4];
    guint n;
    int chosen;
  } rows[] = {
      {{{0}}, 0, -1},
      {{{FALSE, 300 * S, 9}}, 1, -1},
      {{{TRUE, 10 * S, 1}}, 1, 0},
      {{{TRUE, 10 * S, 9}, {TRUE, 20 * S, 1}}, 2, 1},
      {{{TRUE, 10 * S, 9}, {FALSE, 20 * S, 99}}, 2, 0},     /* truncated, but longer */
      {{{TRUE, 20 * S, 5}, {TRUE, 20 * S + 900, 3}}, 2, 0}, /* as long: more bytes */
      {{{TRUE, 20 * S, 3}, {TRUE, 20 * S + 900, 5}}, 2, 1},
      {{{TRUE, 20 * S, 3}, {TRUE, 20 * S, 3}}, 2, 0},
      {{{TRUE, 20 * S, 9}, {TRUE, 20 * S + 4000, 8}, {TRUE, 20 * S + 8000, 1}}, 3, 1},
      {{{FALSE, 0, 0}, {FALSE, 0, 0}, {TRUE, 1, 1}}, 3, 2},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_cmpint (encore_import_choose (rows[i].candidates, rows[i].n), ==, rows[i].chosen);
}

static void
test_whole (void)
{
  g_assert_true (encore_import_is_whole (100 * S, 0));
  g_assert_true (encore_import_is_whole (100 * S, 100000));
  g_assert_true (encore_import_is_whole (98 * S, 100000));
  g_assert_false (encore_import_is_whole (98 * S - S / 10, 100000));
  g_assert_true (encore_import_is_whole (102 * S, 100000));
  g_assert_false (encore_import_is_whole (103 * S, 100000));
  g_assert_true (encore_import_is_whole (S - S / 10, 1000)); /* 100 ms of a second */
  g_assert_false (encore_import_is_whole (S - S / 5, 1000));
  g_assert_false (encore_import_is_whole (0, 1000));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/import/names", test_rows);
  g_test_add_func ("/import/the-base-of-a-sidecar", test_base);
  g_test_add_func ("/import/any-bytes", test_any_bytes);
  g_test_add_func ("/import/the-longest-whole-one-wins", test_choose);
  g_test_add_func ("/import/two-per-cent", test_whole);
  return g_test_run ();
}
