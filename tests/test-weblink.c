/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Addresses on the web: one form for all spellings, and what is none. */
#include "config.h"
#include "base/encore-weblink.h"

static void
test_forms (void)
{
  static const struct {
    const char *text, *url; /* NULL: none */
  } rows[] = {
      {"https://songs.example/a.mp3", "https://songs.example/a.mp3"},
      {"  <HTTPS://Songs.Example:443/A.mp3#t=3>  ", "https://songs.example/A.mp3"},
      {"http://songs.example", "http://songs.example/"},
      {"http://songs.example?a=b", "http://songs.example/?a=b"},
      {"http://songs.example:80/", "http://songs.example/"},
      {"http://songs.example:8000/x?y=%20&z", "http://songs.example:8000/x?y=%20&z"},
      {"https://songs.example:80/", "https://songs.example:80/"},
      {"http://127.0.0.1:8000/a.ogg", "http://127.0.0.1:8000/a.ogg"},
      {"http://[::1]:8000/a.ogg", "http://[::1]:8000/a.ogg"},
      {"http://[2001:DB8::1]/", "http://[2001:db8::1]/"},
      {NULL, NULL},
      {"", NULL},
      {"words to search for", NULL},
      {"songs.example/a.mp3", NULL}, /* words have dots, too */
      {"//songs.example/a.mp3", NULL},
      {"ftp://songs.example/a.mp3", NULL},
      {"file:///etc/passwd", NULL},
      {"javascript:alert(1)", NULL},
      {"data:audio/ogg;base64,AAAA", NULL},
      {"https:songs.example", NULL},
      {"https://", NULL},
      {"https:///a.mp3", NULL},
      {"https://localhost/a.mp3", NULL},
      {"https://user@songs.example/", NULL},
      {"https://user:word@songs.example/", NULL},
      {"https://songs.example:/", NULL},
      {"https://songs.example:99999999/", NULL},
      {"https://songs.example:80x/", NULL},
      {"https://songs.example\\@evil.example/", NULL},
      {"https://songs.example/a b", NULL},
      {"https://songs.example/a\nb", NULL},
      {"https://songs.example/\xc3\xa9", NULL},
      {"https://s\xc3\xb6ngs.example/", NULL},
      {"https://-o.example/", NULL},
      {"https://%6cocalhost.example/", NULL},
      {"https://[::1/", NULL},
      {"https://[songs.example]/", NULL},
      {"https://[", NULL},
      {"<", NULL},
      {"https://www.youtube.com/playlist?list=PL0", NULL},
      {"https://music.youtube.com/browse/x", NULL},
      {"https://youtu.be/", NULL},
      {"https://notyoutube.com/x", "https://notyoutube.com/x"},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *url = encore_weblink_parse (rows[i].text);
    g_test_message ("%s", rows[i].text);
    g_assert_cmpstr (url, ==, rows[i].url);
  }
}

static void
test_long (void)
{
  g_autoptr (GString) text = g_string_new ("https://songs.example/");

  while (text->len < 2000)
    g_string_append_c (text, 'a');
  g_autofree char *longest = encore_weblink_parse (text->str);
  g_assert_cmpstr (longest, ==, text->str);
  g_string_append_c (text, 'a');
  g_assert_null (encore_weblink_parse (text->str));
}

static void
test_audio (void)
{
  g_assert_true (encore_weblink_is_audio ("https://songs.example/a.MP3?x=.html"));
  g_assert_true (encore_weblink_is_audio ("https://songs.example/a.opus"));
  g_assert_false (encore_weblink_is_audio ("https://songs.example/a?x=.mp3"));
  g_assert_false (encore_weblink_is_audio ("https://songs.example/a.mp3/page"));
}

static void
test_ids (void)
{
  EncoreMediaId a, b, again;

  /* rows and files are named so: it never changes */
  g_assert_true (encore_weblink_to_id ("http", "https://songs.example/a.mp3", &a));
  g_autofree char *stem = encore_media_id_to_stem (&a);
  g_assert_cmpstr (stem, ==, "http-7f496f7c2077e019a4df1b442e35b34e");
  g_assert_true (encore_id_is_stem (stem));
  g_assert_true (encore_media_id_from_stem (stem, &again));
  g_assert_true (encore_media_id_equal (&a, &again));
  g_assert_null (encore_media_id_to_url (&a));

  g_assert_true (encore_weblink_to_id ("http", "https://songs.example/b.mp3", &b));
  g_assert_false (encore_media_id_equal (&a, &b));
  g_assert_true (encore_weblink_to_id ("../Band-Camp:Album of a long name", "x", &b));
  g_assert_cmpstr (b.source, ==, "bandcampalbumof");
  g_assert_false (encore_weblink_to_id ("../", "x", &b));
  g_assert_false (encore_weblink_to_id ("YouTube", "x", &b)); /* nobody else is YouTube */
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/weblink/forms", test_forms);
  g_test_add_func ("/weblink/long", test_long);
  g_test_add_func ("/weblink/audio", test_audio);
  g_test_add_func ("/weblink/ids", test_ids);
  return g_test_run ();
}
