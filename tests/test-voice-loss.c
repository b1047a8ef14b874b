/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The host ends the voice while songs play and wait: nothing is lost, and the next command goes on
 * where it broke off. */
#include "config.h"

#include <dlfcn.h>
#include <string.h>

#include "abi-host.h"
#include "store-fixture.h"

#define FIRST "aaaaaaaaaaA"
#define SECOND "bbbbbbbbbbA"
#define PACKETS 1500 /* half a minute */

typedef struct {
  char *dir;
  Host *host;
  gpointer handle;
  const bot_plugin *plugin;
  void *self;
} Rig;

/* The user gives a command and is told ANSWER, now. */
static void
ask (Rig *rig, const char *name, const char *args, const char *answer)
{
  g_mutex_lock (&rig->host->mutex);
  g_ptr_array_set_size (rig->host->replies, 0);
  g_mutex_unlock (&rig->host->mutex);
  host_run (rig->host, name, args);
  host_await (rig->host, rig->host->replies, answer);
}

static void
set_up (Rig *rig, gconstpointer data)
{
  rig->dir = fixture_make_dir ();
  fixture_let_warn (); /* that the voice is gone */
  EncoreCache *cache = fixture_open (rig->dir, 0);
  fixture_publish (cache, FIRST, "The First", PACKETS);
  fixture_publish (cache, SECOND, "The Second", PACKETS);
  encore_cache_close (cache);
  rig->handle = module_open (&rig->plugin);
  rig->host = host_new ();
  rig->host->settings[0].value = rig->dir;
  g_assert_cmpint (rig->plugin->start (&rig->host->api, &rig->self), ==, BOT_OK);
  ask (rig, "play", FIRST, "Playing: The First (0:30)");
}

static void
tear_down (Rig *rig, gconstpointer data)
{
  host_stop (rig->host, rig->plugin, rig->self);
  host_free (rig->host);
  dlclose (rig->handle);
  fixture_remove (rig->dir);
  g_free (rig->dir);
}

/* Until it has played for a second. */
static void
listen_a_while (Rig *rig)
{
  const GPtrArray *replies = rig->host->replies;
  gboolean early = TRUE;

  while (early) {
    ask (rig, "np", "", "The First, ");
    g_mutex_lock (&rig->host->mutex);
    early = strstr (replies->pdata[replies->len - 1], "0:00 of") != NULL;
    g_mutex_unlock (&rig->host->mutex);
    g_usleep (50000);
  }
}

static void
assert_not_at_its_begin (Rig *rig)
{
  const GPtrArray *replies = rig->host->replies;

  g_mutex_lock (&rig->host->mutex);
  g_test_message ("%s", (char *) replies->pdata[replies->len - 1]);
  g_assert_null (strstr (replies->pdata[replies->len - 1], "0:00 of"));
  g_mutex_unlock (&rig->host->mutex);
}

static void
lose (Rig *rig)
{
  host_end_voice (rig->host);
  ask (rig, "np", "", "Nothing plays.");
  ask (rig, "queue", "", "1. The First (0:30, ");
}

/* Whoever joins a queue that was kept is told his place; the song goes on where it was. */
static void
test_join (Rig *rig, gconstpointer data)
{
  listen_a_while (rig);
  lose (rig);
  ask (rig, "play", SECOND, "Queued as #1: The Second");
  ask (rig, "np", "", "Playing: The First, 0:");
  assert_not_at_its_begin (rig);
  ask (rig, "skip", "", "Skipped: The First");
  ask (rig, "np", "", "Playing: The Second, 0:00");
}

static void
test_paused (Rig *rig, gconstpointer data)
{
  listen_a_while (rig);
  ask (rig, "pause", "", "Paused.");
  lose (rig);
  ask (rig, "play", SECOND, "Queued as #1: The Second");
  ask (rig, "np", "", "Paused: The First, 0:");
  assert_not_at_its_begin (rig);
  ask (rig, "resume", "", "Going on.");
  ask (rig, "np", "", "Playing: The First, 0:");
  ask (rig, "skip", "", "Skipped: The First");
  ask (rig, "np", "", "Playing: The Second, ");
}

/* What is done to the queue meanwhile holds, and the place where one song was is not another's. */
static void
test_meanwhile (Rig *rig, gconstpointer data)
{
  ask (rig, "play", SECOND, "Queued as #1: The Second");
  listen_a_while (rig);
  lose (rig);
  ask (rig, "remove", "1", "Removed: The First");
  ask (rig, "play", FIRST, "Queued as #1: The First");
  ask (rig, "np", "", "Playing: The Second, 0:00 of");
  ask (rig, "stop", "", "Stopped");
  host_end_voice (rig->host);
  ask (rig, "play", FIRST, "Playing: The First"); /* an empty queue: it is the first */
}

#define ADD(name, func) g_test_add (name, Rig, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (g_getenv ("ENCORE_MODULE") == NULL) {
    g_print ("1..0 # SKIP no module\n");
    return 0;
  }
  ADD ("/voice-loss/joining-a-queue-that-was-kept", test_join);
  ADD ("/voice-loss/paused", test_paused);
  ADD ("/voice-loss/changed-meanwhile", test_meanwhile);
  return g_test_run ();
}
