/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What people are told they pasted, when it is no song. */
#include "config.h"
#include "base/encore-link.h"

#include "base/encore-media-id.h"

static const struct {
  const char *text;
  EncoreLinkKind kind;
} ROWS[] = {
    {"", ENCORE_LINK_NONE},
    {"never gonna give you up", ENCORE_LINK_NONE},
    {"ac/dc thunderstruck", ENCORE_LINK_NONE},
    {"why is youtube.com down", ENCORE_LINK_NONE},
    {"hello @everybody: 10% off?", ENCORE_LINK_NONE},
    {"https://www.youtube.com/playlist?list=PL0123456789", ENCORE_LINK_PLAYLIST},
    {"<https://youtube.com/playlist?list=PL0>", ENCORE_LINK_PLAYLIST},
    {"youtube.com/playlist?list=PL0", ENCORE_LINK_PLAYLIST},
    {"https://music.youtube.com/watch?list=RDAMVM", ENCORE_LINK_PLAYLIST},
    {"https://www.youtube.com/embed/videoseries?list=PL0", ENCORE_LINK_PLAYLIST},
    {"https://www.youtube.com/watch?v=short&list=PL0", ENCORE_LINK_PLAYLIST},
    {"https://www.youtube.com/@handle", ENCORE_LINK_CHANNEL},
    {"youtube.com/@handle/videos", ENCORE_LINK_CHANNEL},
    {"//m.youtube.com/channel/UC0", ENCORE_LINK_CHANNEL},
    {"https://www.youtube.com/c/name", ENCORE_LINK_CHANNEL},
    {"HTTPS://WWW.YOUTUBE.COM/user/name", ENCORE_LINK_CHANNEL},
    {"https://www.youtube.com/", ENCORE_LINK_NO_VIDEO},
    {"https://www.youtube.com/results?search_query=x", ENCORE_LINK_NO_VIDEO},
    {"https://www.youtube.com/watch?v=short", ENCORE_LINK_NO_VIDEO},
    {"https://youtu.be:443/x", ENCORE_LINK_NO_VIDEO},
    {"https://example.com/watch?v=dQw4w9WgXcQ", ENCORE_LINK_ELSEWHERE},
    {"https://notyoutube.com/playlist", ENCORE_LINK_ELSEWHERE},
    {"https://youtube.com.example/playlist", ENCORE_LINK_ELSEWHERE},
    {"https://www.youtube.com@evil.example/@handle", ENCORE_LINK_ELSEWHERE},
    {"ftp://youtube.com/playlist", ENCORE_LINK_ELSEWHERE},
    {"file:///etc/passwd", ENCORE_LINK_ELSEWHERE},
    {"http://", ENCORE_LINK_ELSEWHERE},
    {"www.example.com", ENCORE_LINK_ELSEWHERE},
    {"://", ENCORE_LINK_ELSEWHERE},
};

static void
test_kinds (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (ROWS); i++) {
    EncoreMediaId id;
    g_test_message ("'%s'", ROWS[i].text);
    g_assert_false (encore_media_id_from_user (ROWS[i].text, &id));
    g_assert_cmpint (encore_link_kind (ROWS[i].text), ==, ROWS[i].kind);
  }
}

/* Any bytes: no crash, and a kind. */
static void
test_noise (void)
{
  for (int i = 0; i < 200000; i++) {
    static const char alphabet[] = ":/?#<>@.& =youtbecmhpswlin\xff\x01";
    char text[24] = "";
    const int len = g_test_rand_int_range (0, sizeof text);
    for (int k = 0; k < len; k++)
      text[k] = alphabet[g_test_rand_int_range (0, sizeof alphabet - 1)];
    g_assert_cmpint (encore_link_kind (text), <=, ENCORE_LINK_ELSEWHERE);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link/kinds", test_kinds);
  g_test_add_func ("/link/noise", test_noise);
  return g_test_run ();
}
