/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What yt-dlp tells of an address is taken for what it is; which addresses are public. */
#include "config.h"
#include "fetch/encore-media.h"

#include <arpa/inet.h>

#include "fetch/encore-address.h"

static void
take (EncoreMedia *media, const char *json)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;

  json_parser_load_from_data (parser, json, -1, &error);
  g_assert_no_error (error);
  encore_media_take (media, json_node_get_object (json_parser_get_root (parser)));
}

static void
test_full (void)
{
  g_auto (EncoreMedia) media = {0};

  take (&media,
        "{\"event\": \"media\", \"fragments\": 0, \"info\": {\"format_id\": \"251-drc\", "
        "\"ext\": \"webm\", \"url\": \"https://a.example/x?n=1\", \"protocol\": \"https\", "
        "\"filesize\": 1401504, \"available_at\": 1760000000, "
        "\"downloader_options\": {\"http_chunk_size\": 10485760}, "
        "\"http_headers\": {\"User-Agent\": \"Mozilla/5.0 (X)\", \"Accept-Language\": \"en\"}, "
        "\"cookies\": \"SID=a b; Domain=.youtube.com; Path=/; Secure; Expires=1790000000; "
        "PREF=\\\"x=1\\\"; Domain=www.youtube.com; Version=1\"}}");
  g_assert_true (media.plain);
  g_assert_cmpstr (media.url, ==, "https://a.example/x?n=1");
  g_assert_cmpstr (media.format_id, ==, "251-drc");
  g_assert_cmpstr (media.ext, ==, "webm");
  g_assert_cmpint (media.bytes, ==, 1401504);
  g_assert_cmpint (media.piece_bytes, ==, 10485760);
  g_assert_cmpint (media.available_at_s, ==, 1760000000);
  g_assert_cmpuint (g_strv_length (media.headers), ==, 2);
  g_assert_cmpstr (media.headers[0], ==, "User-Agent: Mozilla/5.0 (X)");
  g_assert_cmpuint (g_strv_length (media.cookies), ==, 2);
  g_assert_cmpstr (media.cookies[0], ==, ".youtube.com\tTRUE\t/\tTRUE\t1790000000\tSID\ta b");
  g_assert_cmpstr (media.cookies[1], ==, "www.youtube.com\tFALSE\t/\tFALSE\t0\tPREF\t\"x=1\"");
}

#define PLAIN "\"url\": \"http://a.example/x\", \"protocol\": \"http\""

static void
test_not_plain (void)
{
  static const char *const rows[] = {
      "{\"fragments\": 1, \"info\": {" PLAIN "}}",
      "{\"info\": {" PLAIN "}}",
      "{\"fragments\": 0}",
      "{\"fragments\": 0, \"info\": {}}",
      "{\"fragments\": 0, \"info\": {\"url\": \"http://a.example/x.m3u8\", "
      "\"protocol\": \"m3u8_native\"}}",
      "{\"fragments\": 0, \"info\": {\"url\": \"http://a.example/x\", "
      "\"protocol\": \"http_dash_segments\"}}",
      "{\"fragments\": 0, \"info\": {\"url\": \"file:///etc/passwd\", \"protocol\": \"http\"}}",
      "{\"fragments\": 0, \"info\": {\"url\": \"http://a.example/\\r\\nX: y\", "
      "\"protocol\": \"http\"}}",
      "{\"fragments\": 0, \"info\": {\"url\": \"http://a.example/ HTTP/1.1\", "
      "\"protocol\": \"http\"}}",
      "{\"fragments\": 0, \"info\": {\"url\": null, \"protocol\": \"http\"}}",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (EncoreMedia) media = {0};
    take (&media, rows[i]);
    g_test_message ("%s", rows[i]);
    g_assert_false (media.plain);
    g_assert_null (media.url);
  }
}

static void
test_hostile (void)
{
  g_auto (EncoreMedia) media = {0};

  take (&media,
        "{\"fragments\": 0, \"info\": {" PLAIN ", \"format_id\": \"../251\", \"ext\": \"we/bm\", "
        "\"filesize\": -5, \"http_headers\": {\"A\\r\\nB\": \"1\", \"C: d\": \"1\", \"E\": "
        "\"f\\r\\nG: h\", \"Range\": \"bytes=0-1\", \"HOST\": \"x\", \"Accept-Encoding\": \"br\", "
        "\"I\": 7, \"K\": \"l\"}, "
        "\"cookies\": \"everywhere=1; Path=/; here=2; Domain=a.example\"}}");
  g_assert_true (media.plain);
  g_assert_cmpstr (media.format_id, ==, "unknown");
  g_assert_cmpstr (media.ext, ==, "bin");
  g_assert_cmpint (media.bytes, ==, 0);
  g_assert_cmpuint (g_strv_length (media.headers), ==, 1);
  g_assert_cmpstr (media.headers[0], ==, "K: l");
  g_assert_cmpuint (g_strv_length (media.cookies), ==, 1);
  g_assert_cmpstr (media.cookies[0], ==, "a.example\tFALSE\t/\tFALSE\t0\there\t2");
  take (&media, "{\"fragments\": 0, \"info\": {" PLAIN ", \"cookies\": \"a=1\\tb; Domain=x\"}}");
  g_assert_cmpuint (g_strv_length (media.cookies), ==, 0);
}

static void
test_addresses (void)
{
  static const char *const special[] = {"0.0.0.0",
                                        "10.1.2.3",
                                        "100.64.0.1",
                                        "127.0.0.1",
                                        "127.255.255.255",
                                        "169.254.169.254",
                                        "172.16.0.1",
                                        "172.31.255.255",
                                        "192.0.0.8",
                                        "192.0.2.1",
                                        "192.168.0.1",
                                        "198.18.0.1",
                                        "198.19.255.255",
                                        "198.51.100.1",
                                        "203.0.113.9",
                                        "224.0.0.1",
                                        "255.255.255.255",
                                        "::",
                                        "::1",
                                        "::7f00:1",
                                        "::ffff:10.0.0.1",
                                        "64:ff9b::a00:1",
                                        "2002:a00:1::",
                                        "2001:db8::1",
                                        "2001::1",
                                        "fc00::1",
                                        "fd00:ec2::254",
                                        "fe80::1",
                                        "fec0::1",
                                        "ff02::1",
                                        "::ffff:0:1.1.1.1"};
  static const char *const public[] = {
      "1.1.1.1",         "9.255.255.255",  "11.0.0.0",         "100.63.255.255", "100.128.0.0",
      "126.255.255.255", "128.0.0.1",      "169.253.255.255",  "172.15.255.255", "172.32.0.0",
      "192.167.255.255", "192.169.0.0",    "198.17.255.255",   "198.20.0.0",     "223.255.255.255",
      "2a00:1450::1",    "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::", "2001:4860::8888"};

  for (gsize i = 0; i < G_N_ELEMENTS (special) + G_N_ELEMENTS (public); i++) {
    const gboolean expected = i >= G_N_ELEMENTS (special);
    const char *text = expected ? public[i - G_N_ELEMENTS (special)] : special[i];
    struct sockaddr_in six4 = {.sin_family = AF_INET};
    struct sockaddr_in6 six6 = {.sin6_family = AF_INET6};
    g_test_message ("%s", text);
    if (inet_pton (AF_INET, text, &six4.sin_addr) == 1) {
      g_assert_cmpint (encore_address_is_public ((struct sockaddr *) &six4), ==, expected);
    } else {
      g_assert_cmpint (inet_pton (AF_INET6, text, &six6.sin6_addr), ==, 1);
      g_assert_cmpint (encore_address_is_public ((struct sockaddr *) &six6), ==, expected);
    }
  }
  g_assert_false (encore_address_is_public (&(struct sockaddr){.sa_family = AF_UNIX}));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/media/all-of-it", test_full);
  g_test_add_func ("/media/not-one-file", test_not_plain);
  g_test_add_func ("/media/hostile", test_hostile);
  g_test_add_func ("/media/public-addresses", test_addresses);
  return g_test_run ();
}
