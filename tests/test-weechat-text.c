/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the host for WeeChat makes of text, and how often somebody may speak. */
#include "config.h"

#include <string.h>

#include "hosts/weechat/text.h"

static void
test_clean (void)
{
  static const struct {
    const char *in, *out;
  } cases[] = {
      {"", ""},
      {"plain \xc3\xa9 \xe2\x98\x83", "plain \xc3\xa9 \xe2\x98\x83"},
      {"a\r\nb\tc\x0b"
       "d",
       "a  b c d"},
      {"\x03"
       "04,01red\x0f \x19"
       "F05 \x1b[31m \x7f",
       "04,01red   F05  [31m"},
      {"\x01"
       "ACTION x\x01",
       "ACTION x"},
      {"\xc2\x85next\xe2\x80\xa8line", "next line"},
      {"\xe2\x80\xae"
       "abc\xe2\x81\xa6",
       "abc"},
      {"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *out = text_clean (cases[i].in);
    g_assert_cmpstr (out, ==, cases[i].out);
  }
}

static void
check_lines (const char *text, gsize max_bytes, guint max_lines, const char *expected)
{
  g_autoptr (GPtrArray) lines = text_lines (text, max_bytes, max_lines);

  for (guint i = 0; i < lines->len; i++)
    g_assert_cmpuint (strlen (lines->pdata[i]), <=, max_bytes);
  g_ptr_array_add (lines, NULL);
  g_autofree char *joined = g_strjoinv ("|", (char **) lines->pdata);
  g_assert_cmpstr (joined, ==, expected);
}

static void
test_lines (void)
{
  check_lines ("", 20, 3, "");
  check_lines (" \r\n ", 20, 3, "");
  check_lines ("short", 20, 3, "short");
  check_lines ("/quit", 20, 3, " /quit");
  check_lines ("one two three four five", 10, 9, "one two|three four|five");
  check_lines ("one two three four five", 10, 2, "one two|three\xe2\x80\xa6");
  check_lines ("aaaaaaaaaaaaaaaaaaaaaaaa", 10, 9, "aaaaaaaaaa|aaaaaaaaaa|aaaa");
  check_lines ("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 5, 9,
               "\xc3\xa9\xc3\xa9|\xc3\xa9\xc3\xa9|\xc3\xa9");
  check_lines ("aaaaaaa ?skip now", 8, 9, "aaaaaaa| ?skip|now");
}

/* Whatever comes in, a line is valid, short, one line, and there are few. */
static void
test_random (void)
{
  for (guint round = 0; round < 20000; round++) {
    char text[200];
    const guint len = g_test_rand_int_range (0, sizeof text);
    for (guint i = 0; i < len; i++)
      text[i] = g_test_rand_int_range (1, 256);
    text[len] = '\0';
    g_autoptr (GPtrArray) lines = text_lines (text, 40, 3);
    g_assert_cmpuint (lines->len, <=, 3);
    for (guint i = 0; i < lines->len; i++) {
      const char *line = lines->pdata[i];
      g_assert_cmpuint (strlen (line), <=, 40);
      g_assert_true (g_utf8_validate (line, -1, NULL));
      g_assert_false (g_ascii_ispunct (*line) || *line == '\0');
      for (const char *p = line; *p != '\0'; p++)
        g_assert_false (g_ascii_iscntrl (*p));
    }
  }
}

static void
test_bucket (void)
{
  Bucket bucket = {0};
  gint64 now_us = 1000 * G_USEC_PER_SEC;

  for (guint i = 0; i < 5; i++)
    g_assert_true (bucket_take (&bucket, now_us, 3 * G_USEC_PER_SEC, 5));
  g_assert_false (bucket_take (&bucket, now_us, 3 * G_USEC_PER_SEC, 5));
  g_assert_false (bucket_take (&bucket, now_us + 2999999, 3 * G_USEC_PER_SEC, 5));
  now_us += 3 * G_USEC_PER_SEC;
  g_assert_true (bucket_take (&bucket, now_us, 3 * G_USEC_PER_SEC, 5));
  g_assert_false (bucket_take (&bucket, now_us, 3 * G_USEC_PER_SEC, 5));
  g_assert_false (bucket_is_full (&bucket, now_us));
  g_assert_true (bucket_is_full (&bucket, now_us + 15 * G_USEC_PER_SEC));
  for (guint i = 0; i < 1000; i++)
    g_assert_true (bucket_take (&bucket, now_us, 0, 5));
}

/* A crowd whose buckets are not full keeps newcomers out until they are; nobody's is forgotten. */
static void
test_buckets (void)
{
  g_autoptr (GHashTable) buckets = buckets_new ();
  gint64 now_us = 1000 * G_USEC_PER_SEC;

  for (guint64 user = 1; user <= BUCKETS_MAX; user++)
    g_assert_true (buckets_take (buckets, user, now_us, 60, 2));
  g_assert_false (buckets_take (buckets, 0, now_us, 60, 2));
  g_assert_true (buckets_take (buckets, 0, now_us, 0, 2));
  g_assert_true (buckets_take (buckets, 1, now_us, 60, 2));
  g_assert_false (buckets_take (buckets, 1, now_us, 60, 2));
  now_us += G_USEC_PER_SEC;
  g_assert_true (buckets_take (buckets, 0, now_us, 60, 2));
  g_assert_cmpuint (g_hash_table_size (buckets), ==, 2);
  g_assert_true (buckets_take (buckets, 1, now_us, 60, 2));
  g_assert_false (buckets_take (buckets, 1, now_us, 60, 2));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/weechat/clean", test_clean);
  g_test_add_func ("/weechat/lines", test_lines);
  g_test_add_func ("/weechat/lines-random", test_random);
  g_test_add_func ("/weechat/bucket", test_bucket);
  g_test_add_func ("/weechat/buckets", test_buckets);
  return g_test_run ();
}
