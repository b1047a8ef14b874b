/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A plugin that answers what no plugin should, from a thread of its own: a host must not be led by
 * it.
 *   hostile N   the Nth of the texts below
 *   who         what the host lets him do: "admin", "dj" or "nobody", and his number
 *   HOSTILE_STOP in the environment: it never comes to its end, and writes that word first */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bot-plugin.h"

static const bot_host *host;
static char long_text[4097];

static const char *const TEXTS[] = {
    "/quit bye",
    "one\r\nQUIT :gone\r\nPRIVMSG #music :injected\nJOIN 0",
    "\x03"
    "04,01red \x02"
    "bold\x0f \x19"
    "F05code \x1b[31mterminal",
    long_text,
    "\x01"
    "ACTION dies\x01",
    "?who am I",
    "not \xff\xfe UTF-8 \xc3",
    "%s%n%d%1000000d ${sec.data.key} ${info:version}",
    "\xe2\x80\xae"
    "backwards",
    "local;#music;;;/quit",
    " \t /exec -o ls",
};

static void *
answer (void *data)
{
  const bot_call *call = data;
  const int number = atoi (call->args);

  if (number >= 0 && number < (int) (sizeof TEXTS / sizeof *TEXTS))
    host->reply (host->ctx, call->room, call->user, TEXTS[number]);
  host->reply (host->ctx, call->room, call->user, "end");
  return NULL;
}

static void
run_hostile (void *data, const bot_call *call)
{
  pthread_t thread;

  if (pthread_create (&thread, NULL, answer, (void *) call) == 0)
    pthread_join (thread, NULL);
}

static void
run_who (void *data, const bot_call *call)
{
  char text[100];
  const int admin = host->allowed (host->ctx, call->room, call->user, "encore.admin") == BOT_OK;
  const int dj = host->allowed (host->ctx, call->room, call->user, "encore.dj") == BOT_OK;

  snprintf (text, sizeof text, "%.20s is %s %" PRIu64, call->user_name,
            admin && dj ? "admin"
            : dj        ? "dj"
                        : "nobody",
            call->user);
  host->reply (host->ctx, call->room, call->user, text);
}

static bot_result
start (const bot_host *given, void **self)
{
  bot_command hostile = {sizeof hostile, 0, "hostile", "<n>", "Says it", NULL, run_hostile, NULL};
  bot_command who = {sizeof who, 0, "who", "", "Who you are", NULL, run_who, NULL};

  host = given;
  for (size_t i = 0; i + 2 < sizeof long_text; i += 2)
    memcpy (long_text + i, "\xc3\xa9", 2);
  host->command_add (host->ctx, &hostile);
  host->command_add (host->ctx, &who);
  return BOT_OK;
}

static void
stop (void *self)
{
  const char *word = getenv ("HOSTILE_STOP");

  while (word != NULL) {
    fprintf (stderr, "%s\n", word);
    pause ();
  }
}

BOT_EXPORT const bot_plugin bot_plugin_entry = {sizeof (bot_plugin),
                                                BOT_ABI_MAJOR,
                                                BOT_ABI_MINOR,
                                                BOT_PLUGIN_RESIDENT,
                                                0,
                                                "hostile",
                                                "1",
                                                start,
                                                stop,
                                                NULL,
                                                NULL};
