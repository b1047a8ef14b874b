/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What of the Mumble host needs no server: frames, chat, pace, budget, names, options. */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "hosts/encore-bot/mumble-budget.h"
#include "hosts/encore-bot/mumble-config.h"
#include "hosts/encore-bot/mumble-frame.h"
#include "hosts/encore-bot/mumble-identity.h"
#include "hosts/encore-bot/mumble-outbox.h"
#include "hosts/encore-bot/mumble-people.h"
#include "hosts/encore-bot/mumble-speech.h"
#include "hosts/encore-bot/mumble-text.h"
#include "hosts/encore-bot/mumble-voice.h"
#include "hosts/encore-bot/mumble-world.h"

/* ---- frames */

typedef struct {
  guint n, last_type;
  gsize last_len;
  guint stop_after; /* 0: never */
} Seen;

static gboolean
see (guint type, const guint8 *body, gsize len, gpointer data)
{
  Seen *seen = data;

  seen->n++;
  seen->last_type = type;
  seen->last_len = len;
  return seen->stop_after == 0 || seen->n < seen->stop_after;
}

static void
test_split (void)
{
  static const guint8 bytes[] = {0, 3, 0, 0, 0, 2, 8, 1, 0, 9, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 7};
  g_autoptr (GByteArray) in = g_byte_array_new ();
  Seen seen = {0};

  /* byte by byte: each frame exactly when its last byte is there */
  for (gsize i = 0; i < sizeof bytes; i++) {
    g_byte_array_append (in, bytes + i, 1);
    g_assert_true (mumble_frame_split (in, see, &seen));
    g_assert_cmpuint (seen.n, ==, i < 7 ? 0 : i < 13 ? 1 : 2);
  }
  g_assert_cmpuint (seen.last_type, ==, 9);
  g_assert_cmpuint (seen.last_len, ==, 0);
  g_assert_cmpuint (in->len, ==, 7);
}

static void
test_split_too_long (void)
{
  static const guint8 good[] = {0, 3, 0, 0, 0, 0};
  static const guint8 bad[] = {0, 3, 0, 0x80, 0, 0};
  g_autoptr (GByteArray) in = g_byte_array_new ();
  Seen seen = {0};

  g_byte_array_append (in, good, sizeof good);
  g_byte_array_append (in, bad, sizeof bad);
  g_assert_false (mumble_frame_split (in, see, &seen));
  g_assert_cmpuint (seen.n, ==, 1);
}

static void
test_split_stops (void)
{
  static const guint8 two[] = {0, 3, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0};
  g_autoptr (GByteArray) in = g_byte_array_new ();
  Seen seen = {.stop_after = 1};

  g_byte_array_append (in, two, sizeof two);
  g_assert_true (mumble_frame_split (in, see, &seen));
  g_assert_cmpuint (seen.n, ==, 1);
  g_assert_cmpuint (in->len, ==, 6);
}

static void
check_voice (guint64 sequence, gboolean last, const guint8 *head, gsize head_len)
{
  static const guint8 opus[] = {0xf8, 0xff, 0xfe};
  g_autoptr (GByteArray) out = g_byte_array_new ();

  mumble_frame_append_voice (out, sequence, last, opus, sizeof opus);
  g_assert_cmpuint (out->len, ==, 6 + head_len + sizeof opus);
  g_assert_cmpuint (out->data[1], ==, MUMBLE_UDP_TUNNEL);
  g_assert_cmpuint (out->data[5], ==, head_len + sizeof opus);
  g_assert_cmpmem (out->data + 6, head_len, head, head_len);
}

static void
test_voice_bytes (void)
{
  check_voice (0, FALSE, (guint8[]){0x80, 0, 3}, 3);
  check_voice (0x7f, FALSE, (guint8[]){0x80, 0x7f, 3}, 3);
  check_voice (0x80, FALSE, (guint8[]){0x80, 0x80, 0x80, 3}, 4);
  check_voice (0x3fff, TRUE, (guint8[]){0x80, 0xbf, 0xff, 0xa0, 0x03}, 5);
  check_voice (0x4000, FALSE, (guint8[]){0x80, 0xc0, 0x40, 0x00, 3}, 5);
  check_voice (0x1fffff, FALSE, (guint8[]){0x80, 0xdf, 0xff, 0xff, 3}, 5);
  check_voice (0x200000, FALSE, (guint8[]){0x80, 0xe0, 0x20, 0x00, 0x00, 3}, 6);
  check_voice (0x10000000, FALSE, (guint8[]){0x80, 0xf0, 0x10, 0, 0, 0, 3}, 7);
  check_voice (G_GUINT64_CONSTANT (0x100000000), FALSE,
               (guint8[]){0x80, 0xf4, 0, 0, 0, 1, 0, 0, 0, 0, 3}, 11);
}

static void
test_voice_speaker (void)
{
  guint32 session = 0;

  g_assert_true (mumble_voice_speaker ((guint8[]){0x80, 0x85, 0x01, 4}, 4, &session));
  g_assert_cmpuint (session, ==, 0x501);
  g_assert_false (mumble_voice_speaker ((guint8[]){0x80}, 1, &session));
  g_assert_false (mumble_voice_speaker ((guint8[]){0x80, 0xe0, 1}, 3, &session));
  g_assert_false (mumble_voice_speaker ((guint8[]){0x80, 0xfc, 1, 1, 1}, 5, &session));
  g_assert_false (mumble_voice_speaker ((guint8[]){0x20, 0x01}, 2, &session));
  /* shouted into the channel, whispered to the bot alone, an echo of its own */
  g_assert_true (mumble_voice_speaker ((guint8[]){0x81, 0x02}, 2, &session));
  g_assert_cmpuint (session, ==, 2);
  g_assert_false (mumble_voice_speaker ((guint8[]){0x82, 0x02}, 2, &session));
  g_assert_false (mumble_voice_speaker ((guint8[]){0x9f, 0x02}, 2, &session));
}

/* ---- chat */

static void
test_text_in (void)
{
  static const struct {
    const char *html, *text;
  } rows[] = {
      {"?play word", "?play word"},
      {"  ?np  ", "?np"},
      {"?play a &amp; b &lt;c&gt; &quot;d&quot; &#39;e&#x27; &auml;",
       "?play a & b <c> \"d\" 'e' &auml;"},
      {"?play <a href=\"https://youtu.be/x?a=1&amp;b=2\">https://youtu.be/x?a=1&amp;b=2</a>",
       "?play https://youtu.be/x?a=1&b=2"},
      {"?play <a class=x href='https://youtu.be/x'><b>title</b></a> next",
       "?play https://youtu.be/x next"},
      {"<p>?skip</p><p>second</p>", "?skip"},
      {"?skip<br/>?stop", "?skip"},
      {"?skip\n?stop", "?skip"},
      {"<br>\n<b>?sk</b>ip", "?skip"},
      {"?play&nbsp;x&#160;y", "?play x y"},
      {"?play x&#10;?stop", "?play x"},
      {"?play &#7;&#0;&#1114112;&#xd800;x", "?play &#0;&#1114112;&#xd800;x"},
      {"?play &lt;script&gt;alert&lt;/script&gt;", "?play <script>alert</script>"},
      {"?play <unclosed", "?play"},
      {"<a href=\"x", ""},
      {"<a>?np</a>", "?np"},
      {"?play \xff\xfe", "?play \xef\xbf\xbd\xef\xbf\xbd"},
      {"", ""},
      {"&", "&"},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *text = mumble_text_from_html (rows[i].html);
    g_assert_cmpstr (text, ==, rows[i].text);
  }
}

static void
test_text_out (void)
{
  g_autoptr (GPtrArray) one = mumble_text_to_html ("<b> & \"x\" 'y' \x01\xc3\xa9", 0);
  g_autoptr (GPtrArray) none = mumble_text_to_html ("", 10);

  g_assert_cmpuint (one->len, ==, 1);
  g_assert_cmpstr (one->pdata[0], ==, "&lt;b&gt; &amp; &quot;x&quot; &#39;y&#39;  \xc3\xa9");
  g_assert_cmpuint (none->len, ==, 0);
}

/* Pieces are within the limit as the server counts it, nothing of the text is lost, no entity and
 * no character is cut in two. */
static void
test_text_pieces (void)
{
  static const char *const text =
      "one two <three> four&five \xf0\x9f\x8e\xb5\xf0\x9f\x8e\xb5\xf0\x9f\x8e\xb5 "
      "aVeryLongWordThatFitsNowhereAndHasToBeCutSomewhere end";

  for (gsize max = 6; max < 80; max++) {
    g_autoptr (GPtrArray) pieces = mumble_text_to_html (text, max);
    g_autoptr (GString) all = g_string_new (NULL);
    for (guint i = 0; i < pieces->len; i++) {
      g_assert_true (g_utf8_validate (pieces->pdata[i], -1, NULL));
      g_assert_cmpuint (mumble_text_units (pieces->pdata[i]), <=, max);
      g_autofree char *back = mumble_text_from_html (pieces->pdata[i]);
      g_string_append (all, back);
    }
    g_autofree char *wanted = g_strdelimit (g_strdup (text), " ", '\1');
    g_autoptr (GString) packed = g_string_new (NULL);
    for (const char *p = wanted; *p != '\0'; p++)
      if (*p != '\1')
        g_string_append_c (packed, *p);
    g_string_replace (all, " ", "", 0);
    g_assert_cmpstr (all->str, ==, packed->str);
  }
  g_assert_cmpuint (mumble_text_units ("a\xc3\xa9\xf0\x9f\x8e\xb5"), ==, 4);
}

/* ---- pace */

/* The server as facts have it: a token leaves for each whole second since the last that left. */
typedef struct {
  gint64 last_us;
  guint used, taken, dropped;
} Server;

static void
server_take (Server *self, gint64 now_us)
{
  const gint64 whole = (now_us - self->last_us) / G_USEC_PER_SEC;

  if (whole > 0) {
    self->last_us = now_us;
    self->used -= MIN (self->used, (guint64) whole);
  }
  if (self->used >= 4) {
    self->dropped++;
  } else {
    self->used++;
    self->taken++;
  }
}

/* Whenever texts are ready, none of what the bucket lets through is dropped by the server; and it
 * does let through one in 1.1 s. */
static void
test_bucket (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (6);

  for (int round = 0; round < 50; round++) {
    MumbleBucket bucket = {0};
    Server server = {0};
    gint64 now = 1000 * G_USEC_PER_SEC + g_rand_int_range (random, 0, G_USEC_PER_SEC);
    gint64 ready = now;
    const gint64 start = now;
    for (int i = 0; i < 200; i++) {
      ready += g_rand_int_range (random, 0, 2 * 900000);
      now = MAX (now, ready);
      for (gint64 wait; (wait = mumble_bucket_take (&bucket, now)) != 0; now += wait)
        g_assert_cmpint (wait, <=, MUMBLE_UNIT_US);
      server_take (&server, now);
    }
    g_assert_cmpuint (server.dropped, ==, 0);
    g_assert_cmpint (now - start, <=, (ready - start) + 200 * MUMBLE_UNIT_US);
  }
}

static void
test_budget (void)
{
  MumbleBudget budget = {0};
  gint64 now = 5 * G_USEC_PER_SEC;

  for (int i = 0; i < MUMBLE_BUDGET_ATTEMPTS; i++, now += G_USEC_PER_SEC)
    g_assert_cmpint (mumble_budget_take (&budget, now), ==, 0);
  g_assert_cmpint (mumble_budget_take (&budget, now), ==, 112 * G_USEC_PER_SEC);
  /* one of them did not come to a connection */
  mumble_budget_give_back (&budget);
  g_assert_cmpint (mumble_budget_take (&budget, now), ==, 0);
  g_assert_cmpint (mumble_budget_take (&budget, now), >, 0);
  now += 130 * G_USEC_PER_SEC;
  g_assert_cmpint (mumble_budget_take (&budget, now), ==, 0);
  /* cut three times in a row: banned */
  g_assert_false (mumble_budget_note (&budget, TRUE, now));
  g_assert_false (mumble_budget_note (&budget, TRUE, now));
  g_assert_false (mumble_budget_note (&budget, FALSE, now));
  g_assert_false (mumble_budget_note (&budget, TRUE, now));
  g_assert_false (mumble_budget_note (&budget, TRUE, now));
  g_assert_true (mumble_budget_note (&budget, TRUE, now));
  g_assert_cmpint (mumble_budget_take (&budget, now + 1), ==, 300 * G_USEC_PER_SEC - 1);
}

/* ---- people and channels */

static MumbleUser *
add_user (MumbleWorld *world, guint32 session, const char *name, const char *hash, gint64 user_id)
{
  MumbleProto__UserState state = MUMBLE_PROTO__USER_STATE__INIT;

  state.has_session = TRUE;
  state.session = session;
  state.name = (char *) name;
  state.hash = (char *) hash;
  state.has_user_id = user_id >= 0;
  state.user_id = user_id >= 0 ? user_id : 0;
  return mumble_world_take_user (world, &state);
}

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static MumbleConfig *
read_config (const char *lines, GError **error)
{
  g_autofree char *text = g_strconcat ("[mumble]\nhost=localhost\n", lines, NULL);
  g_autoptr (GKeyFile) file = g_key_file_new ();

  g_assert_true (g_key_file_load_from_data (file, text, -1, G_KEY_FILE_NONE, NULL));
  return mumble_config_new (file, error);
}

static gboolean
may (MumblePeople *people, const MumbleUser *user, const char *permission)
{
  mumble_people_take_user (people, user);
  return mumble_people_allowed (people, user->id, permission) == BOT_OK;
}

static void
test_people (void)
{
  g_autoptr (MumbleConfig) config =
      read_config ("admins=cert:" HASH_A ", user:7, group:staff\ndjs=group:dj", NULL);
  MumblePeople *people = mumble_people_new (config);
  MumbleWorld *world = mumble_world_new (1);
  MumbleUser *boss = add_user (world, 1, "boss", HASH_A, -1);
  MumbleUser *fake = add_user (world, 2, "boss", HASH_B, -1);
  MumbleUser *seven = add_user (world, 3, "seven", NULL, 7);
  MumbleUser *nobody = add_user (world, 4, "boss", NULL, -1);
  MumbleUser *super = add_user (world, 5, "SuperUser", NULL, 0);
  MumbleUser *nine = add_user (world, 6, "nine", NULL, 9);

  g_assert_true (may (people, boss, "encore.admin"));
  g_assert_false (may (people, fake, "encore.admin"));
  g_assert_true (may (people, seven, "encore.admin"));
  g_assert_false (may (people, nobody, "encore.admin"));
  g_assert_false (may (people, nobody, "encore.dj"));
  g_assert_true (may (people, super, "encore.admin"));
  g_assert_false (may (people, nine, "encore.admin"));
  MumbleProto__Acl acl = MUMBLE_PROTO__ACL__INIT;
  MumbleProto__Acl__Group staff = MUMBLE_PROTO__ACL__GROUP__INIT, dj = staff;
  MumbleProto__Acl__Group *groups[] = {&staff, &dj};
  guint32 members[] = {9, 8}, removed[] = {8};
  staff.name = (char *) "staff";
  staff.n_add = 2;
  staff.add = members;
  staff.n_remove = 1;
  staff.remove = removed;
  acl.n_groups = 2;
  acl.groups = groups;
  mumble_people_take_groups (people, &acl); /* the second group has no name */
  g_assert_true (may (people, nine, "encore.admin"));
  MumbleUser *eight = add_user (world, 8, "eight", NULL, 8);
  g_assert_false (may (people, eight, "encore.admin"));
  /* gone: nothing is allowed */
  mumble_people_drop_user (people, boss);
  g_assert_cmpint (mumble_people_allowed (people, boss->id, "encore.admin"), ==, BOT_EDENIED);
  mumble_world_free (world);
  mumble_people_free (people);
}

/* The number follows the certificate, not the name or the connection; who shows nothing is another
 * one on each. */
static void
test_user_ids (void)
{
  MumbleWorld *one = mumble_world_new (1), *two = mumble_world_new (2);

  g_assert_cmpuint (add_user (one, 1, "a", HASH_A, -1)->id, ==,
                    add_user (two, 9, "b", HASH_A, -1)->id);
  g_assert_cmpuint (add_user (one, 2, "a", HASH_B, -1)->id, !=,
                    add_user (two, 10, "a", HASH_A, -1)->id);
  g_assert_cmpuint (add_user (one, 3, "a", NULL, -1)->id, !=, add_user (two, 3, "a", NULL, -1)->id);
  g_assert_cmpuint (add_user (one, 4, "a", "nonsense", 5)->id, ==,
                    add_user (two, 4, "a", NULL, 5)->id);
  mumble_world_free (one);
  mumble_world_free (two);
}

static void
add_channel (MumbleWorld *world, guint32 id, guint32 parent, const char *name)
{
  MumbleProto__ChannelState state = MUMBLE_PROTO__CHANNEL_STATE__INIT;

  state.has_channel_id = state.has_parent = TRUE;
  state.channel_id = id;
  state.parent = parent;
  state.name = (char *) name;
  g_assert_nonnull (mumble_world_take_channel (world, &state));
}

static void
test_paths (void)
{
  MumbleWorld *world = mumble_world_new (1);
  guint32 id = 99;

  add_channel (world, 0, 0, "Root");
  add_channel (world, 1, 0, "Music");
  add_channel (world, 2, 1, "Jazz");
  add_channel (world, 3, 0, "Jazz");
  g_assert_true (mumble_world_find (world, "Music/Jazz", &id));
  g_assert_cmpuint (id, ==, 2);
  g_assert_true (mumble_world_find (world, "", &id));
  g_assert_cmpuint (id, ==, 0);
  g_assert_false (mumble_world_find (world, "Music/Rock", &id));
  g_autofree char *path = mumble_world_path (world, 2);
  g_assert_cmpstr (path, ==, "Music/Jazz");
  /* a circle */
  add_channel (world, 1, 2, "Music");
  g_autofree char *circle = mumble_world_path (world, 2);
  g_assert_true (g_str_has_suffix (circle, "Music/Jazz"));
  mumble_world_free (world);
}

/* ---- options */

static void
test_config (void)
{
  static const struct {
    const char *lines, *complaint;
  } rows[] = {
      {"port=0", "port = '0' is not a whole number from 1 to 65535"},
      {"verify=maybe", "verify = 'maybe' is not one of pin, ca, off"},
      {"fingerprint=12:34", "is not the SHA-256 of a certificate in 64 hex digits"},
      {"bitrate=7999", "bitrate = '7999' is not 0 or a whole number from 8000 to 400000"},
      {"admins=boss",
       "admins = 'boss' is not cert:HASH (40 hex digits), user:NUMBER or group:NAME"},
      {"admins=cert:12", "admins = 'cert:12' is not"},
      {"djs=user:x", "djs = 'user:x' is not"},
      {"when_alone=sing", "when_alone = 'sing' is not one of pause, play"},
      {"return_after=-1", "return_after = '-1' is not a whole number"},
      {"certificate=bot.pem", "certificate = 'bot.pem' is not an absolute path"},
      {"host=", "host = '' is not the name or address of a Mumble server"},
      {"pasword=x", "[mumble]: unknown key 'pasword'"},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    g_assert_null (read_config (rows[i].lines, &error));
    g_assert_nonnull (strstr (error->message, rows[i].complaint));
  }
  g_autoptr (MumbleConfig) plain = read_config ("", NULL);
  g_assert_cmpuint (plain->port, ==, 64738);
  g_assert_cmpstr (plain->channels[0], ==, "");
  g_assert_null (plain->channels[1]);
  g_assert_null (plain->djs);
  g_autoptr (MumbleConfig) rich =
      read_config ("channels=Music/Deep House, Jazz\nadmins=cert:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:"
                   "AA:AA:AA:AA:AA:AA:AA:AA:AA",
                   NULL);
  g_assert_cmpstr (rich->channels[0], ==, "Music/Deep House");
  g_assert_cmpstr (rich->channels[1], ==, "Jazz");
  g_assert_cmpstr (rich->admins[0], ==, "cert:" HASH_A);
}

static void
test_identity (void)
{
  g_autofree char *dir = g_dir_make_tmp ("encore-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "sub", "bot.pem", NULL);
  g_autofree char *known = mumble_known_file (path);
  g_autofree char *none = NULL, *digest = NULL;
  g_autoptr (GError) error = NULL;
  GStatBuf st;

  g_autoptr (GTlsCertificate) made = mumble_identity_load (path, "encore", &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_stat (path, &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 0777, ==, 0600);
  g_autoptr (GTlsCertificate) again = mumble_identity_load (path, "encore", &error);
  g_assert_true (g_tls_certificate_is_same (made, again));
  g_assert_cmpint (g_chmod (path, 0640), ==, 0);
  g_assert_null (mumble_identity_load (path, "encore", &error));
  g_assert_nonnull (strstr (error->message, "others may read the key"));
  g_clear_error (&error);
  /* servers */
  g_assert_true (mumble_known_get (path, "::1 64738", &none, &error));
  g_assert_null (none);
  g_assert_true (mumble_known_set (path, "::1 64738", "abc", &error));
  g_assert_true (mumble_known_get (path, "::1 64738", &digest, &error));
  g_assert_cmpstr (digest, ==, "abc");
  /* what cannot be read is not taken for nothing known */
  g_assert_true (g_file_set_contents (known, "no key file", -1, NULL));
  g_free (g_steal_pointer (&digest));
  g_assert_false (mumble_known_get (path, "::1 64738", &digest, &error));
  g_assert_nonnull (error);
  g_unlink (known);
  g_unlink (path);
  g_autofree char *sub = g_path_get_dirname (path);
  g_rmdir (sub);
  g_rmdir (dir);
}

/* ---- voice */

typedef struct {
  guint n;
  guint64 sequence;
  gboolean last;
  gsize len;
} Sent;

static void
sent (guint64 sequence, gboolean last, const guint8 *packet, gsize len, gpointer data)
{
  Sent *self = data;

  *self = (Sent){self->n + 1, sequence, last, len};
}

static bot_result
offer (MumbleVoice *voice, guint64 seq, gboolean last)
{
  static const guint8 opus[100] = {0xfc};
  const bot_result result = mumble_voice_send (voice, seq, last, opus, sizeof opus);

  while (g_main_context_iteration (NULL, FALSE))
    ;
  return result;
}

static void
test_voice (void)
{
  static const guint8 large[1200];
  Sent seen = {0};
  MumbleVoice *voice = mumble_voice_new (sent, &seen);

  g_assert_cmpint (offer (voice, 0, FALSE), ==, BOT_EAGAIN);
  mumble_voice_set_audible (voice, TRUE);
  g_assert_cmpint (mumble_voice_send (voice, 0, FALSE, large, sizeof large), ==, BOT_EINVAL);
  g_assert_cmpint (offer (voice, 1, FALSE), ==, BOT_OK);
  g_assert_cmpuint (seen.n, ==, 1);
  g_assert_cmpuint (seen.sequence, ==, 2);
  /* nobody listens any more: the mark comes on a real packet, and nothing after it */
  mumble_voice_set_audible (voice, FALSE);
  g_assert_cmpuint (seen.n, ==, 2);
  g_assert_cmpuint (seen.sequence, ==, 4);
  g_assert_true (seen.last);
  g_assert_cmpuint (seen.len, ==, 3);
  g_assert_cmpint (offer (voice, 2, FALSE), ==, BOT_EAGAIN);
  mumble_voice_set_audible (voice, FALSE);
  g_assert_cmpuint (seen.n, ==, 2);
  /* somebody does: the time that passed is counted */
  mumble_voice_set_audible (voice, TRUE);
  g_assert_cmpint (offer (voice, 50, FALSE), ==, BOT_OK);
  g_assert_cmpuint (seen.sequence, ==, 100);
  /* a new count of the plugin goes on behind the old one */
  mumble_voice_restart (voice);
  g_assert_cmpint (offer (voice, 0, TRUE), ==, BOT_OK);
  g_assert_cmpuint (seen.sequence, ==, 102);
  g_assert_true (seen.last);
  mumble_voice_set_audible (voice, FALSE); /* ended in order: no second mark */
  g_assert_cmpuint (seen.n, ==, 4);
  mumble_voice_free (voice);
}

/* ---- speech */

#define HOLD_MS 100

typedef struct {
  guint begun, ceased;
} Speech;

static void
on_speech (gboolean on, gpointer data)
{
  Speech *seen = data;

  *(on ? &seen->begun : &seen->ceased) += 1;
}

static gboolean
say (gpointer speech)
{
  mumble_speech_take (speech);
  return G_SOURCE_CONTINUE;
}

static void
test_speech (void)
{
  Speech seen = {0};
  MumbleSpeech *speech = mumble_speech_new (HOLD_MS, on_speech, &seen);
  const gint64 begin_us = g_get_monotonic_time ();
  const guint speaker = g_timeout_add (20, say, speech);

  /* words and pauses that are shorter than HOLD_MS are one speech */
  while (g_get_monotonic_time () - begin_us < 5 * HOLD_MS * 1000)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (seen.begun, ==, 1);
  g_assert_cmpuint (seen.ceased, ==, 0);
  g_source_remove (speaker);
  mumble_speech_take (speech);
  const gint64 last_us = g_get_monotonic_time ();
  while (seen.ceased == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (g_get_monotonic_time () - last_us, >=, (HOLD_MS - 2) * 1000);
  /* again; and nobody is there any more, which is told once */
  mumble_speech_take (speech);
  mumble_speech_forget (speech);
  mumble_speech_forget (speech);
  g_assert_cmpuint (seen.begun, ==, 2);
  g_assert_cmpuint (seen.ceased, ==, 2);
  mumble_speech_take (speech);
  mumble_speech_free (speech);
  g_assert_cmpuint (seen.ceased, ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mumble/split", test_split);
  g_test_add_func ("/mumble/split-too-long", test_split_too_long);
  g_test_add_func ("/mumble/split-stops", test_split_stops);
  g_test_add_func ("/mumble/voice-bytes", test_voice_bytes);
  g_test_add_func ("/mumble/voice-speaker", test_voice_speaker);
  g_test_add_func ("/mumble/text-in", test_text_in);
  g_test_add_func ("/mumble/text-out", test_text_out);
  g_test_add_func ("/mumble/text-pieces", test_text_pieces);
  g_test_add_func ("/mumble/bucket", test_bucket);
  g_test_add_func ("/mumble/budget", test_budget);
  g_test_add_func ("/mumble/people", test_people);
  g_test_add_func ("/mumble/user-ids", test_user_ids);
  g_test_add_func ("/mumble/paths", test_paths);
  g_test_add_func ("/mumble/config", test_config);
  g_test_add_func ("/mumble/identity", test_identity);
  g_test_add_func ("/mumble/voice", test_voice);
  g_test_add_func ("/mumble/speech", test_speech);
  return g_test_run ();
}
