/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Which texts name a song: a table, and what must hold for every text. */
#include "config.h"
#include "base/encore-media-id.h"

#include <string.h>

#include "base/encore-error.h"

#define ID "dQw4w9WgXcQ"

static const char *const YES[] = {
    ID,
    "  " ID "  ",
    "<https://youtu.be/" ID ">",
    "youtu.be/" ID,
    "https://youtu.be/" ID "?t=10",
    "http://www.youtube.com/watch?v=" ID,
    "//m.youtube.com/watch?v=" ID,
    "YouTube.com/watch?v=" ID,
    "https://music.youtube.com/watch?v=" ID "&list=RDAMVM",
    "youtube.com/watch?list=PL0&v=" ID,
    "https://www.youtube.com/watch?v=" ID "#t=1m",
    "https://www.youtube.com/shorts/" ID "?x=y",
    "https://www.youtube.com/embed/" ID,
    "https://www.youtube.com/live/" ID "/",
    "https://www.youtube.com/v/" ID,
    "https://www.youtube.com/e/" ID,
    "https://www.youtube-nocookie.com/embed/" ID,
    "https://youtube.com:443/watch?v=" ID,
    "https://www.youtube.com/watch/?v=" ID,
    "https://www.youtube.com/watch_popup?v=" ID,
    "https://www.youtube.com/watch?&v=" ID,
    "https://www.youtube.com/watch?v=" ID "&v=AAAAAAAAAAA",
};

static const char *const NO[] = {
    "",
    " ",
    "never gonna give",
    "Wonderwall1",
    "dQw4w9WgXc",
    "dQw4w9WgXcQQ",
    "ytsearch1:" ID,
    "https://www.youtube.com/",
    "https://www.youtube.com/watch",
    "https://www.youtube.com/watch?v=",
    "https://www.youtube.com/watch?v=short",
    "https://www.youtube.com/watch?xv=" ID,
    "https://www.youtube.com/watch?v=" ID "Q",
    "https://www.youtube.com/watch#v=" ID,
    "https://www.youtube.com/playlist?list=PL0123456789",
    "https://www.youtube.com/channel/UC0",
    "https://www.youtube.com/@handle",
    "https://www.youtube.com/abcdefghijk",
    "https://www.youtube.com/embed/videoseries?list=PL0",
    "https://www.youtube.com/Embed/" ID,
    "https://www.youtube.com/embed/live_stream?channel=UC0",
    "https://www.youtube.com/clip/" ID,
    "https://www.youtube.com@evil.example/watch?v=" ID,
    "https://user@www.youtube.com/watch?v=" ID,
    "https://www.youtube.com.evil.example/watch?v=" ID,
    "https://evil.example/watch?v=" ID,
    "https://evil.example/?u=https://youtu.be/" ID,
    "https://youtube.com:8443/watch?v=" ID,
    "https://www.youtube.com/../watch?v=" ID,
    "https://youtu.be/%2e%2e/" ID,
    "https:\\\\www.youtube.com\\watch?v=" ID,
    "ftp://www.youtube.com/watch?v=" ID,
    "file:///etc/passwd",
    "javascript:alert(1)",
    "--exec=touch x",
    "-o/tmp/%(id)s",
    "https://www.youtube.com/watch?v=../../../x",
    "https://www.youtube.com/watch?v=$(reboot)00",
    "https://www.youtube.com/watch?v=' OR 1=1--",
    "https://127.0.0.1/watch?v=" ID,
    "https://www.youtube.com/watch?v=" ID "\n--exec",
    "https://www.yout\xc3\xbc"
    "be.com/watch?v=" ID,
};

static void
test_yes (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (YES); i++) {
    EncoreMediaId id;
    if (!encore_media_id_from_user (YES[i], &id))
      g_error ("no id in '%s'", YES[i]);
    g_assert_cmpstr (id.source, ==, "youtube");
    g_assert_cmpstr (id.id, ==, ID);
  }
}

static void
test_no (void)
{
  EncoreMediaId id;

  for (gsize i = 0; i < G_N_ELEMENTS (NO); i++)
    if (encore_media_id_from_user (NO[i], &id))
      g_error ("an id in '%s'", NO[i]);
  g_assert_false (encore_media_id_from_user (NULL, &id));
}

/* The table that yt-dlp's own patterns made, see ids/make-vectors.py. */
static void
test_vectors (void)
{
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "ids", "vectors.tsv", NULL);
  g_autofree char *table = NULL;
  g_autoptr (GError) error = NULL;
  guint asked = 0;

  g_file_get_contents (path, &table, NULL, &error);
  g_assert_no_error (error);
  g_auto (GStrv) lines = g_strsplit (table, "\n", -1);
  for (char **line = lines; *line != NULL; line++) {
    g_auto (GStrv) cells = g_strsplit (*line, "\t", -1);
    EncoreMediaId id;
    /* a NUL ends a string here; test-ids.sh asks about those */
    if (g_strv_length (cells) != 3 || g_str_has_prefix (*line, "# ") || strstr (*line, "\\000"))
      continue;
    g_autofree char *text = g_strcompress (cells[0]);
    const char *said = encore_media_id_from_user (text, &id) ? id.id : "-";
    char *either = strchr (cells[2], '?');
    if (either != NULL)
      *either = '\0';
    if (strcmp (said, cells[2]) != 0 && (either == NULL || strcmp (said, "-") != 0))
      g_error ("%s in '%s', must be %s%s", said, cells[0], cells[2],
               either != NULL ? " or none" : "");
    asked++;
  }
  g_assert_cmpuint (asked, >, 400);
}

/* Four spellings of the last letter are one song. */
static void
test_last_letter (void)
{
  static const char *const spellings[] = {"dQw4w9WgXcQ", "dQw4w9WgXcR", "dQw4w9WgXcS",
                                          "dQw4w9WgXcT"};

  for (gsize i = 0; i < G_N_ELEMENTS (spellings); i++) {
    g_autofree char *url = g_strconcat ("https://youtu.be/", spellings[i], NULL);
    EncoreMediaId id;
    g_assert_true (encore_media_id_from_user (url, &id));
    g_assert_cmpstr (id.id, ==, ID);
  }
}

static void
test_forms (void)
{
  EncoreMediaId id, again;
  g_autoptr (GError) error = NULL;

  g_assert_true (encore_media_id_from_user ("-bcdefghijA", &id));
  g_autofree char *stem = encore_media_id_to_stem (&id);
  g_autofree char *uri = encore_media_id_to_uri (&id);
  g_autofree char *url = encore_media_id_to_url (&id);
  g_assert_cmpstr (stem, ==, "-bcdefghijA");
  g_assert_cmpstr (uri, ==, "encore://youtube/-bcdefghijA");
  g_assert_cmpstr (url, ==, "https://www.youtube.com/watch?v=-bcdefghijA");
  g_assert_true (encore_media_id_from_stem (stem, &again));
  g_assert_true (encore_media_id_equal (&id, &again));
  g_assert_true (encore_media_id_from_uri (uri, &again, NULL));
  g_assert_true (encore_media_id_equal (&id, &again));
  g_assert_false (encore_media_id_from_uri ("encore://youtube/../../etc/passwd", &again, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_BAD_ID);
  g_assert_true (encore_media_id_from_stem ("http-0123456789abcdef", &again));
  g_assert_cmpstr (again.source, ==, "http");
  g_assert_false (encore_id_is_stem ("../x"));
  g_assert_false (encore_id_is_stem (""));
}

/* Random texts: never an id of another form, never a crash. */
static void
test_random (void)
{
  static const char *const bits[] = {
      "https://", "youtube.com", "/", "watch", "?",        "v=",    ID,     "&", "#",
      "%2e",      "..",          "@", ":",     "youtu.be", "embed", "\xff", " ", "-"};
  g_autoptr (GRand) rand = g_rand_new_with_seed (11);

  for (int round = 0; round < 20000; round++) {
    g_autoptr (GString) text = g_string_new (NULL);
    EncoreMediaId id;
    for (int i = g_rand_int_range (rand, 0, 12); i > 0; i--)
      g_string_append (text, bits[g_rand_int_range (rand, 0, G_N_ELEMENTS (bits))]);
    if (encore_media_id_from_user (text->str, &id))
      g_assert_cmpstr (id.id, ==, ID);
  }
}

/* Files and locks are named by it: it must never change. */
static void
test_hash (void)
{
  g_assert_cmphex (encore_id_hash (ID), ==, encore_id_hash ("dQw4w9WgXcQ"));
  g_assert_cmphex (encore_id_hash (""), ==, G_GUINT64_CONSTANT (0xefd01f60ba992926));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/id/links-of-one-video", test_yes);
  g_test_add_func ("/id/everything-else-is-none", test_no);
  g_test_add_func ("/id/vectors-of-yt-dlp", test_vectors);
  g_test_add_func ("/id/last-letter-is-canonical", test_last_letter);
  g_test_add_func ("/id/forms-and-back", test_forms);
  g_test_add_func ("/id/random-texts", test_random);
  g_test_add_func ("/id/hash-is-stable", test_hash);
  return g_test_run ();
}
