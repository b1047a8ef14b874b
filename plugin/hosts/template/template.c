/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A plugin to copy, as sample-host.c is a host to copy: `make` beside it builds template.so against
 * the installed bot-plugin.h.  It has one command, ?timer, and one option, max, and does what every
 * plugin has to: check what it is given, work off [main], start no thread before the first command,
 * end and join it in stop().
 * Threads: start, stop and run_timer are [main]; work is the plugin's own.  `lock` guards all. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "bot-plugin.h"

#define SLOTS 16

struct timer {
  long due_s; /* of the monotonic clock; 0: free */
  bot_id room, user;
};

static const bot_host *host;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static pthread_t thread;
static int running, stopping;
static long max_s;
static struct timer timers[SLOTS];

static long
now_s (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

/* The whole of TEXT as a number from 1 to MOST, or 0. */
static long
parse (const char *text, long most)
{
  char *end;

  errno = 0;
  const long value = strtol (text, &end, 10);
  return errno != 0 || end == text || *end != '\0' || value < 1 || value > most ? 0 : value;
}

/* reply is [any]: a thread may call it.  What has to run on [main] goes through host->post. */
static void *
work (void *data)
{
  (void) data;
  pthread_mutex_lock (&lock);
  while (!stopping) {
    struct timer *next = NULL;
    for (struct timer *t = timers; t < timers + SLOTS; t++)
      if (t->due_s != 0 && (next == NULL || t->due_s < next->due_s))
        next = t;
    if (next == NULL) {
      pthread_cond_wait (&changed, &lock);
    } else if (next->due_s > now_s ()) {
      const struct timespec until = {next->due_s, 0};
      pthread_cond_timedwait (&changed, &lock, &until);
    } else {
      host->reply (host->ctx, next->room, next->user, "Time is up.");
      next->due_s = 0;
    }
  }
  pthread_mutex_unlock (&lock);
  return NULL;
}

/* What a user typed is checked, and a refusal says what would be right. */
static void
run_timer (void *data, const bot_call *call)
{
  const long seconds = parse (call->args, max_s);
  char text[80];
  int slot = 0;

  (void) data;
  pthread_mutex_lock (&lock);
  while (slot < SLOTS && timers[slot].due_s != 0)
    slot++;
  if (seconds == 0)
    snprintf (text, sizeof text, "Give the seconds, from 1 to %ld.", max_s);
  else if (slot == SLOTS)
    snprintf (text, sizeof text, "%d timers run already.", SLOTS);
  else if (!running && pthread_create (&thread, NULL, work, NULL) != 0)
    snprintf (text, sizeof text, "No thread can be made just now.");
  else {
    running = 1;
    timers[slot] = (struct timer){now_s () + seconds, call->room, call->user};
    pthread_cond_signal (&changed);
    snprintf (text, sizeof text, "Timer set: %ld s.", seconds);
  }
  pthread_mutex_unlock (&lock);
  host->reply (host->ctx, call->room, call->user, text);
}

/* Makes neither thread nor handle: a host may fork between this and the first command. */
static bot_result
start (const bot_host *given, void **self)
{
  const bot_command timer = {
      sizeof timer, 0, "timer", "<seconds>", "Tells when the time is up", NULL, run_timer, NULL};
  char value[32];

  *self = NULL;
  host = given;
  max_s = 3600;
  if (host->config_get (host->ctx, "max", value, sizeof value) >= 0 &&
      (max_s = parse (value, 86400)) == 0) {
    host->log (host->ctx, BOT_LOG_ERROR, "Template", "max: must be seconds from 1 to 86400");
    return BOT_EINVAL;
  }
  stopping = running = 0;
  pthread_condattr_t clock;
  pthread_condattr_init (&clock);
  pthread_condattr_setclock (&clock, CLOCK_MONOTONIC);
  pthread_cond_init (&changed, &clock);
  pthread_condattr_destroy (&clock);
  const bot_result result = host->command_add (host->ctx, &timer);
  if (result < BOT_OK)
    pthread_cond_destroy (&changed);
  return result;
}

static uint32_t
busy (void *self)
{
  uint32_t n = 0;

  (void) self;
  pthread_mutex_lock (&lock);
  for (int i = 0; i < SLOTS; i++)
    n += timers[i].due_s != 0;
  pthread_mutex_unlock (&lock);
  return n;
}

/* Everything ends here: afterwards no thread of ours is left and the host is not called any more.
 */
static void
stop (void *self)
{
  char text[80];

  pthread_mutex_lock (&lock);
  stopping = 1;
  pthread_cond_signal (&changed);
  pthread_mutex_unlock (&lock);
  if (running)
    pthread_join (thread, NULL);
  pthread_cond_destroy (&changed);
  snprintf (text, sizeof text, "stopped, timers cut off: %u", (unsigned) busy (self));
  host->log (host->ctx, BOT_LOG_INFO, "Template", text);
  memset (timers, 0, sizeof timers);
}

const bot_plugin bot_plugin_entry = {
    .size = sizeof bot_plugin_entry,
    .abi_major = BOT_ABI_MAJOR,
    .abi_minor = BOT_ABI_MINOR,
    .id = "template", /* the section of the host's configuration */
    .version = "1",
    .start = start,
    .stop = stop,
    .busy = busy,
};
