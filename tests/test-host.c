/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A voice room that is left while somebody wants it again. */
#include "config.h"
#include "bot/encore-host.h"

static bot_id opened, closed;
static guint quiet;

static bot_result
voice_open (void *ctx, bot_id room, bot_voice_spec *spec, bot_id *voice)
{
  *voice = ++opened;
  return BOT_OK;
}

static bot_result
voice_send (void *ctx, bot_id voice, uint64_t seq, uint32_t flags, const void *packet, size_t len)
{
  return BOT_OK;
}

static bot_result
voice_close (void *ctx, bot_id voice)
{
  g_assert_cmpuint (quiet, >, closed); /* nothing may be sent any more */
  closed = voice;
  return BOT_OK;
}

static const bot_host_voice voice_api = {
    .size = sizeof voice_api, .open = voice_open, .send = voice_send, .close = voice_close};

static const void *
get_extension (void *ctx, const char *id)
{
  return &voice_api;
}

static const bot_host api = {.size = sizeof api,
                             .abi_major = BOT_ABI_MAJOR,
                             .abi_minor = BOT_ABI_MINOR,
                             .get_extension = get_extension};

static void
be_quiet (gpointer data)
{
  quiet++;
}

static void
on_closed (bot_id room, bot_id voice, bot_result why, gpointer data)
{
  g_assert_not_reached ();
}

static void
test_leave (void)
{
  g_autoptr (EncoreHost) host = encore_host_new (&api, on_closed, NULL);
  bot_id first, again, second;

  g_assert_cmpint (encore_host_voice_open (host, 7, &first), ==, BOT_OK);
  g_assert_cmpint (encore_host_voice_open (host, 7, &again), ==, BOT_OK);
  g_assert_cmpuint (first, ==, again);
  encore_host_voice_done (host, 7, first);
  /* the second command is under way: it must not find its voice closed */
  g_assert_false (encore_host_voice_leave (host, 7, be_quiet, NULL));
  g_assert_cmpuint (quiet, ==, 0);
  g_assert_cmpuint (closed, ==, 0);
  encore_host_voice_done (host, 7, 99); /* of another voice, which the host has ended */
  g_assert_false (encore_host_voice_leave (host, 7, be_quiet, NULL));
  encore_host_voice_done (host, 7, again);
  g_assert_true (encore_host_voice_leave (host, 7, be_quiet, NULL));
  g_assert_cmpuint (quiet, ==, 1);
  g_assert_cmpuint (closed, ==, first);
  g_assert_cmpint (encore_host_voice_open (host, 7, &second), ==, BOT_OK);
  g_assert_cmpuint (second, !=, first);
  encore_host_voice_done (host, 7, second);
  g_assert_true (encore_host_voice_leave (host, 7, be_quiet, NULL));
  g_assert_cmpuint (closed, ==, second);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/host/a-voice-that-is-wanted-is-not-left", test_leave);
  return g_test_run ();
}
