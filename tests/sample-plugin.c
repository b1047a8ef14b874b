/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The smallest plugin, for the sample host to prove itself: it posts from a thread and tells in
 * which order and on which thread the posts ran, and what became of those that came too late. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "bot-plugin.h"

#define POSTS 200

static const bot_host *host;
static pthread_t main_thread;
static uint32_t wanted, ran, out_of_order, off_main, dropped;
static char self_marker;

static void
say (const char *text)
{
  host->reply (host->ctx, 1, 1, text);
}

static void
task (void *data)
{
  out_of_order += (uintptr_t) data != ran + 1;
  off_main += !pthread_equal (pthread_self (), main_thread);
  if (++ran == POSTS) {
    char text[80];
    snprintf (text, sizeof text, "%u ran, %u out of order, %u off main", ran, out_of_order,
              off_main);
    say (text);
  }
}

static void
late_task (void *data)
{
  say ("a post ran after stop");
}

static void
late_drop (void *data)
{
  dropped += data == &self_marker;
}

static void *
post_all (void *data)
{
  for (uintptr_t i = 1; i <= POSTS;)
    i += host->post (host->ctx, task, (void *) i, NULL) == BOT_OK;
  return NULL;
}

static void
run_posts (void *data, const bot_call *call)
{
  pthread_t thread;

  wanted = POSTS;
  pthread_create (&thread, NULL, post_all, NULL);
  pthread_detach (thread);
}

static void
run_echo (void *data, const bot_call *call)
{
  char text[200], key[20] = "", cut[4] = "";
  const bot_result len = host->config_get (host->ctx, "key", NULL, 0);

  host->config_get (host->ctx, "key", key, sizeof key);
  host->config_get (host->ctx, "key", cut, sizeof cut);
  snprintf (text, sizeof text, "<%s> <%s> key %d <%s> <%s> unset %d", call->name, call->args,
            (int) len, key, cut, (int) host->config_get (host->ctx, "ke", NULL, 0));
  say (text);
}

static bot_result
start (const bot_host *given, void **self)
{
  const bot_command posts = {sizeof posts, 0, "posts", "", "", "encore.admin", run_posts, NULL};
  char name[] = "echo"; /* gone when start() returns */
  const bot_command echo = {sizeof echo, 0, name, "", "", NULL, run_echo, NULL};

  host = given;
  main_thread = pthread_self ();
  if (host->command_add (host->ctx, &posts) < BOT_OK)
    return BOT_EFAIL;
  const bot_result result = host->command_add (host->ctx, &echo);
  memset (name, 'x', sizeof name);
  *self = &self_marker;
  return result;
}

static void
stop (void *self)
{
  host->post (host->ctx, late_task, NULL, NULL);
  host->post (host->ctx, late_task, self, late_drop);
}

static uint32_t
busy (void *self)
{
  return wanted - ran;
}

/* What is dropped after stop() is only seen when the process ends. */
static void __attribute__ ((destructor)) tell_drops (void)
{
  fprintf (stderr, "sample-plugin: %u dropped\n", dropped);
}

const bot_plugin bot_plugin_entry = {
    .size = sizeof bot_plugin_entry,
    .abi_major = BOT_ABI_MAJOR,
    .abi_minor = BOT_ABI_MINOR,
    .id = "sample",
    .version = "1",
    .start = start,
    .stop = stop,
    .busy = busy,
};
