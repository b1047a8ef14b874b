/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The contract from the host's side: the module is opened as any bot opens it, through
 * bot-plugin.h alone.  Hosts of other ages are simulated by structs that end early, the byte after
 * them in a page that cannot be read: one read too far ends this test by SIGSEGV in every build. */
#include "config.h"

#include <dlfcn.h>
#include <glib.h>
#include <string.h>

#include "abi-host.h"

#define DEADLINE_S 20
#define CYCLES 3

/* ---- sizes and offsets */

/* Version 1.0 on machines with 64-bit pointers, as published: never change a line, add lines. */
#define MEMBER(type, member, offset, size) \
  { \
#type "." #member, offset, size, offsetof(type, member), sizeof(((type *) NULL)->member) \
  }

static const struct {
  const char *name;
  gsize offset, size;         /* published */
  gsize got_offset, got_size; /* compiled */
} MEMBERS[] = {
    MEMBER (bot_call, size, 0, 4),
    MEMBER (bot_call, reserved, 4, 4),
    MEMBER (bot_call, room, 8, 8),
    MEMBER (bot_call, user, 16, 8),
    MEMBER (bot_call, voice_room, 24, 8),
    MEMBER (bot_call, user_name, 32, 8),
    MEMBER (bot_call, name, 40, 8),
    MEMBER (bot_call, args, 48, 8),
    MEMBER (bot_command, size, 0, 4),
    MEMBER (bot_command, reserved, 4, 4),
    MEMBER (bot_command, name, 8, 8),
    MEMBER (bot_command, usage, 16, 8),
    MEMBER (bot_command, help, 24, 8),
    MEMBER (bot_command, permission, 32, 8),
    MEMBER (bot_command, run, 40, 8),
    MEMBER (bot_command, data, 48, 8),
    MEMBER (bot_host, size, 0, 4),
    MEMBER (bot_host, abi_major, 4, 2),
    MEMBER (bot_host, abi_minor, 6, 2),
    MEMBER (bot_host, ctx, 8, 8),
    MEMBER (bot_host, name, 16, 8),
    MEMBER (bot_host, version, 24, 8),
    MEMBER (bot_host, get_extension, 32, 8),
    MEMBER (bot_host, log, 40, 8),
    MEMBER (bot_host, config_get, 48, 8),
    MEMBER (bot_host, config_key, 56, 8),
    MEMBER (bot_host, command_add, 64, 8),
    MEMBER (bot_host, reply, 72, 8),
    MEMBER (bot_host, allowed, 80, 8),
    MEMBER (bot_host, post, 88, 8),
    MEMBER (bot_voice_spec, size, 0, 4),
    MEMBER (bot_voice_spec, rate_hz, 4, 4),
    MEMBER (bot_voice_spec, channels, 8, 4),
    MEMBER (bot_voice_spec, frame_us, 12, 4),
    MEMBER (bot_voice_spec, max_bytes, 16, 4),
    MEMBER (bot_voice_spec, max_bps, 20, 4),
    MEMBER (bot_voice_spec, queue_us, 24, 4),
    MEMBER (bot_voice_spec, reserved, 28, 4),
    MEMBER (bot_voice_spec, limits, 32, 8),
    MEMBER (bot_voice_spec, closed, 40, 8),
    MEMBER (bot_voice_spec, data, 48, 8),
    MEMBER (bot_host_voice, size, 0, 4),
    MEMBER (bot_host_voice, reserved, 4, 4),
    MEMBER (bot_host_voice, open, 8, 8),
    MEMBER (bot_host_voice, send, 16, 8),
    MEMBER (bot_host_voice, close, 24, 8),
    MEMBER (bot_host_voice, now_playing, 32, 8),
    MEMBER (bot_plugin, size, 0, 4),
    MEMBER (bot_plugin, abi_major, 4, 2),
    MEMBER (bot_plugin, abi_minor, 6, 2),
    MEMBER (bot_plugin, flags, 8, 4),
    MEMBER (bot_plugin, reserved, 12, 4),
    MEMBER (bot_plugin, id, 16, 8),
    MEMBER (bot_plugin, version, 24, 8),
    MEMBER (bot_plugin, start, 32, 8),
    MEMBER (bot_plugin, stop, 40, 8),
    MEMBER (bot_plugin, busy, 48, 8),
    /* 1.1 */
    MEMBER (bot_plugin, reconfigure, 56, 8),
};

static const struct {
  const char *name;
  gsize size, got_size;
} STRUCTS[] = {
    {"bot_call", 56, sizeof (bot_call)},
    {"bot_command", 56, sizeof (bot_command)},
    {"bot_host", 96, sizeof (bot_host)},
    {"bot_voice_spec", 56, sizeof (bot_voice_spec)},
    {"bot_host_voice", 40, sizeof (bot_host_voice)},
    {"bot_plugin", 56, sizeof (bot_plugin)},
};

static void
test_layout (void)
{
  if (sizeof (void *) != 8) {
    g_test_skip ("the stored description is of 64-bit machines");
    return;
  }
  for (gsize i = 0; i < G_N_ELEMENTS (MEMBERS); i++)
    if (MEMBERS[i].offset != MEMBERS[i].got_offset || MEMBERS[i].size != MEMBERS[i].got_size)
      g_error ("%s is %" G_GSIZE_FORMAT " bytes at %" G_GSIZE_FORMAT ", 1.0 had %" G_GSIZE_FORMAT
               " at %" G_GSIZE_FORMAT,
               MEMBERS[i].name, MEMBERS[i].got_size, MEMBERS[i].got_offset, MEMBERS[i].size,
               MEMBERS[i].offset);
  /* a later minor may be longer, 1.0 itself may not */
  for (gsize i = 0; i < G_N_ELEMENTS (STRUCTS); i++)
    if (STRUCTS[i].got_size < STRUCTS[i].size ||
        (BOT_ABI_MINOR == 0 && STRUCTS[i].got_size != STRUCTS[i].size))
      g_error ("%s is %" G_GSIZE_FORMAT " bytes, 1.0 had %" G_GSIZE_FORMAT, STRUCTS[i].name,
               STRUCTS[i].got_size, STRUCTS[i].size);
  g_assert_cmpint (BOT_ABI_MAJOR, ==, 1);
  g_assert_cmpstr (BOT_EXT_VOICE, ==, "bot.voice/1");
  g_assert_cmpint (BOT_VOICE_LAST, ==, 1);
  g_assert_cmpint (BOT_PLUGIN_RESIDENT, ==, 1);
}

/* A struct that ends early has not what comes later, and asking reads nothing beyond its size. */
static void
test_has (void)
{
  g_autoptr (Host) host = host_new ();
  Fenced fenced = fenced_new (&host->api, offsetof (bot_host, reply));
  const bot_host *old = fenced.copy;

  g_assert_true (BOT_HAS (old, command_add));
  g_assert_false (BOT_HAS (old, reply));
  g_assert_false (BOT_HAS (old, post));
  fenced_free (&fenced);
}

/* ---- the entry, and hosts of other ages */

static void
test_entry (void)
{
  const bot_plugin *plugin;
  gpointer handle = module_open (&plugin);

  g_assert_cmpuint (plugin->size, ==, sizeof (bot_plugin));
  g_assert_cmpint (plugin->abi_major, ==, BOT_ABI_MAJOR);
  g_assert_cmpint (plugin->abi_minor, ==, BOT_ABI_MINOR);
  g_assert_cmpstr (plugin->id, ==, "encore");
  g_assert_cmpstr (plugin->version, ==, PACKAGE_VERSION);
  g_assert_cmphex (plugin->flags, ==, BOT_PLUGIN_RESIDENT);
  g_assert_cmpuint (plugin->reserved, ==, 0);
  g_assert_true (BOT_HAS (plugin, start));
  g_assert_true (BOT_HAS (plugin, stop));
  g_assert_true (BOT_HAS (plugin, busy));
  dlclose (handle);
}

/* With another major not even the log's place is known: nothing of the host is called. */
static void
test_other_major (void)
{
  static const int majors[] = {0, BOT_ABI_MAJOR + 1, UINT16_MAX};
  const bot_plugin *plugin;
  gpointer handle = module_open (&plugin);

  for (gsize i = 0; i < G_N_ELEMENTS (majors); i++) {
    g_autoptr (Host) host = host_new ();
    void *self = NULL;
    host->api.abi_major = majors[i];
    Fenced fenced = fenced_new (&host->api, offsetof (bot_host, ctx));
    g_assert_cmpint (plugin->start (fenced.copy, &self), <, BOT_OK);
    g_assert_null (self);
    g_assert_cmpuint (host->calls, ==, 0);
    fenced_free (&fenced);
  }
  dlclose (handle);
}

static void
test_newer_minor (void)
{
  struct {
    bot_host host;
    void *later[8];
  } newer;
  g_autoptr (Host) host = host_new ();
  const bot_plugin *plugin;
  gpointer handle = module_open (&plugin);
  void *self = NULL;

  memset (&newer, 0xa5, sizeof newer);
  newer.host = host->api;
  newer.host.abi_minor = BOT_ABI_MINOR + 1;
  newer.host.size = sizeof newer;
  g_assert_cmpint (plugin->start (&newer.host, &self), ==, BOT_OK);
  host_run (host, "version", "");
  host_await (host, host->replies, "Encore " PACKAGE_VERSION);
  host_stop (host, plugin, self);
  dlclose (handle);
}

/* Starts PLUGIN in a host whose struct is HOST's first SIZE bytes.  Returns: whether it started;
 * then it answered, if that host can hear it. */
static gboolean
start_fenced (const bot_plugin *plugin, Host *host, gsize size)
{
  Fenced fenced = fenced_new (&host->api, size);
  const bot_host *api = fenced.copy;
  void *self = NULL;
  const bot_result result = plugin->start (api, &self);

  if (result >= BOT_OK) {
    g_assert_nonnull (self);
    host_run (host, "version", "");
    if (BOT_HAS (api, reply))
      host_await (host, host->replies, "Encore " PACKAGE_VERSION);
    host_stop (host, plugin, self);
  } else {
    g_assert_null (self);
  }
  fenced_free (&fenced);
  return result >= BOT_OK;
}

/* Cut at each member: without command_add there is nothing to do here, all else can be done
 * without.
 */
static void
test_older_hosts (void)
{
  static const gsize ends[] = {offsetof (bot_host, name),
                               offsetof (bot_host, version),
                               offsetof (bot_host, get_extension),
                               offsetof (bot_host, log),
                               offsetof (bot_host, config_get),
                               offsetof (bot_host, config_key),
                               offsetof (bot_host, command_add),
                               offsetof (bot_host, reply),
                               offsetof (bot_host, allowed),
                               offsetof (bot_host, post),
                               sizeof (bot_host)};
  const bot_plugin *plugin;
  gpointer handle = module_open (&plugin);

  for (gsize i = 0; i < G_N_ELEMENTS (ends); i++) {
    g_autoptr (Host) host = host_new ();
    const gboolean started = start_fenced (plugin, host, ends[i]);
    g_test_message ("%" G_GSIZE_FORMAT " bytes: %s", ends[i], started ? "started" : "refused");
    g_assert_cmpint (started, ==, ends[i] > offsetof (bot_host, command_add));
    if (!started && ends[i] > offsetof (bot_host, log))
      host_await (host, host->logs, "the host refuses the command 'play'");
  }
  dlclose (handle);
}

/* What is there may still be NULL. */
static void
test_null_members (void)
{
  static const gsize optional[] = {
      offsetof (bot_host, get_extension), offsetof (bot_host, log),
      offsetof (bot_host, config_get),    offsetof (bot_host, config_key),
      offsetof (bot_host, reply),         offsetof (bot_host, allowed),
      offsetof (bot_host, post)};
  const bot_plugin *plugin;
  gpointer handle = module_open (&plugin);

  for (gsize i = 0; i < G_N_ELEMENTS (optional); i++) {
    g_autoptr (Host) host = host_new ();
    memset ((char *) &host->api + optional[i], 0, sizeof (void *));
    g_assert_true (start_fenced (plugin, host, sizeof host->api));
  }
  dlclose (handle);
}

/* ---- hosts without voice rooms, wrong configuration */

/* Says PLAY in a host whose voice extension is VOICE; waits for ANSWER. */
static void
play_with (const void *voice, const char *answer)
{
  g_autoptr (Host) host = host_new ();
  const bot_plugin *plugin;
  gpointer handle = module_open (&plugin);
  void *self = NULL;

  host->voice = voice;
  g_assert_cmpint (plugin->start (&host->api, &self), ==, BOT_OK);
  host_run (host, "play", "dQw4w9WgXcQ");
  host_await (host, host->replies, answer);
  host_run (host, "cache", "");
  host_await (host, host->replies, "songs");
  host_stop (host, plugin, self);
  dlclose (handle);
}

static void
test_no_voice (void)
{
  play_with (NULL, "no voice rooms");
}

/* A voice extension that lacks a call is none; now_playing is for show. */
static void
test_short_voice (void)
{
  static const gsize ends[] = {offsetof (bot_host_voice, open), offsetof (bot_host_voice, send),
                               offsetof (bot_host_voice, close),
                               offsetof (bot_host_voice, now_playing)};
  g_autoptr (Host) host = host_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (ends); i++) {
    Fenced fenced = fenced_new (&host->voice_api, ends[i]);
    play_with (fenced.copy, ends[i] > offsetof (bot_host_voice, close) ? "yt-dlp cannot be started"
                                                                       : "no voice rooms");
    fenced_free (&fenced);
  }
}

static void
test_unknown_key (void)
{
  g_autoptr (Host) host = host_new ();
  const bot_plugin *plugin;
  gpointer handle = module_open (&plugin);
  void *self = NULL;

  host->settings[3] = (Setting){"max_sise", "1GiB"};
  g_assert_cmpint (plugin->start (&host->api, &self), <, BOT_OK);
  g_assert_null (self);
  host_await (host, host->logs, "max_sise");
  host_await (host, host->logs, "did you mean 'max_size'?");
  /* put right, the same process may try again */
  host->settings[3] = (Setting){"max_size", "1GiB"};
  g_assert_cmpint (plugin->start (&host->api, &self), ==, BOT_OK);
  host_stop (host, plugin, self);
  dlclose (handle);
}

/* ---- loaded, used and unloaded again and again */

/* The control thread may not even run yet when it is told to end, or what it asked for comes back
 * when it has ended. */
static void
test_stop_at_once (void)
{
  static const char *const lines[][2] = {
      {"version", ""}, {"play", "dQw4w9WgXcQ"}, {"play", "some words"}, {"search", "some words"}};
  g_autoptr (Host) host = host_new ();
  const bot_plugin *plugin;
  gpointer handle = module_open (&plugin);

  for (gsize i = 0; i < 48; i++) {
    const char *const *line = lines[i % G_N_ELEMENTS (lines)];
    void *self = NULL;
    host->stopped = FALSE;
    g_assert_cmpint (plugin->start (&host->api, &self), ==, BOT_OK);
    host_run (host, line[0], line[1]);
    host_stop (host, plugin, self);
  }
  dlclose (handle);
}

static guint
count_entries (const char *path, GString *names)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;
  guint n = 0;

  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *comm_path = g_build_filename (path, name, "comm", NULL);
    g_autofree char *link_path = g_build_filename (path, name, NULL);
    g_autofree char *comm = NULL;
    n++;
    if (g_file_get_contents (comm_path, &comm, NULL, NULL))
      g_string_append_printf (names, " %s", g_strchomp (comm));
    else if ((comm = g_file_read_link (link_path, NULL)) != NULL)
      g_string_append_printf (names, " %s", comm);
  }
  return n;
}

/* Waits until PATH has at most N entries; a thread that was joined leaves /proc a moment later. */
static void
await_entries (const char *path, guint n)
{
  const gint64 deadline_us = g_get_monotonic_time () + DEADLINE_S * G_TIME_SPAN_SECOND;
  g_autoptr (GString) names = g_string_new (NULL);

  while (count_entries (path, names) > n) {
    if (g_get_monotonic_time () > deadline_us)
      g_error ("%s had %u entries, now it has%s", path, n, names->str);
    g_string_truncate (names, 0);
    g_thread_pool_stop_unused_threads (); /* GLib's own spare threads are nobody's leak */
    g_usleep (1000);
  }
}

static void
run_cycle (void)
{
  g_autoptr (GString) names = g_string_new (NULL);
  g_autoptr (Host) host = host_new ();
  const bot_plugin *plugin;
  gpointer handle = module_open (&plugin);
  void *self = NULL;
  const guint threads = count_entries ("/proc/self/task", names);
  const guint fds = count_entries ("/proc/self/fd", names);

  g_assert_cmpint (plugin->start (&host->api, &self), ==, BOT_OK);
  /* a host may fork after loading us: nothing of start() may be lost then */
  g_assert_cmpuint (count_entries ("/proc/self/task", names), <=, threads);
  g_assert_cmpuint (count_entries ("/proc/self/fd", names), <=, fds);
  g_assert_cmpuint (plugin->busy (self), ==, 0);
  host_run (host, "play", "dQw4w9WgXcQ");
  host_await (host, host->replies, "yt-dlp cannot be started");
  host_run (host, "play", "words that are no id");
  host_stop (host, plugin, self);
  dlclose (handle);
}

static void
test_cycles (void)
{
  g_autoptr (GString) names = g_string_new (NULL);

  run_cycle (); /* what GLib, GStreamer and SQLite start once for a process, they start here */
  g_thread_pool_stop_unused_threads ();
  const guint threads = count_entries ("/proc/self/task", names);
  g_test_message ("threads after the first cycle:%s", names->str);
  g_assert_null (strstr (names->str, "encore-"));
  g_string_truncate (names, 0);
  const guint fds = count_entries ("/proc/self/fd", names);
  g_test_message ("descriptors after the first cycle:%s", names->str);
  g_assert_null (strstr (names->str, g_get_tmp_dir ()));
  for (int i = 1; i <= CYCLES; i++) {
    run_cycle ();
    await_entries ("/proc/self/task", threads);
    await_entries ("/proc/self/fd", fds);
  }
}

int
main (int argc, char **argv)
{
  g_autofree char *dir = g_dir_make_tmp ("encore-abi-XXXXXX", NULL);
  const char *const remove[] = {"rm", "-rf", "--", dir, NULL};

  g_setenv ("TMPDIR", dir, TRUE);
  /* hosts that tell no configuration get the default directory */
  g_setenv ("XDG_CACHE_HOME", dir, TRUE);
  g_test_init (&argc, &argv, NULL);
  g_log_set_always_fatal (G_LOG_FATAL_MASK); /* a warning to the operator is no bug here */
  g_test_add_func ("/abi/sizes-and-offsets-are-those-of-1.0", test_layout);
  g_test_add_func ("/abi/has-reads-nothing-beyond-the-size", test_has);
  g_test_add_func ("/abi/entry", test_entry);
  g_test_add_func ("/abi/another-major-is-refused", test_other_major);
  g_test_add_func ("/abi/a-newer-minor-starts", test_newer_minor);
  g_test_add_func ("/abi/older-hosts-start-or-are-refused", test_older_hosts);
  g_test_add_func ("/abi/members-may-be-null", test_null_members);
  g_test_add_func ("/abi/no-voice-is-answered-in-words", test_no_voice);
  g_test_add_func ("/abi/a-voice-that-lacks-a-call-is-none", test_short_voice);
  g_test_add_func ("/abi/unknown-key-refuses-in-words", test_unknown_key);
  g_test_add_func ("/abi/stop-right-after-the-first-command", test_stop_at_once);
  g_test_add_func ("/abi/load-start-stop-again-and-again", test_cycles);
  const int status = g_test_run ();
  g_spawn_sync (NULL, (char **) remove, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                NULL);
  return status;
}
