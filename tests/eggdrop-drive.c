/* SPDX-License-Identifier: GPL-3.0-or-later
 * What module.c asks of the shim, without eggdrop and its headers: eggdrop-drive CONFIG
 * Lines of standard input: "NICK FLAG CHANNEL TEXT", with FLAG a (admin), d (DJ) or - of somebody
 * in the bot's list, ? of a stranger.  Prints "CHANNEL LINE" for what would go to the network, and,
 * for an empty line, what .status would say, behind "status".  Ends with its input. */
#include "config.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hosts/eggdrop/shim.h"

#define TICK_MS 1000 /* eggdrop's HOOK_SECONDLY */
#define LINE_MAX_BYTES 1024

static void
say (const char *channel, const char *line)
{
  printf ("%s %s\n", channel, line);
  fflush (stdout);
}

static void
log_text (const char *text)
{
  fprintf (stderr, "%s\n", text);
}

static void
tell_status (Shim *shim)
{
  g_autoptr (GPtrArray) lines = shim_describe (shim);

  for (guint i = 0; i < lines->len; i++)
    say ("status", lines->pdata[i]);
}

static void
hear (Shim *shim, char *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", 4);

  if (g_strv_length (words) < 4) {
    tell_status (shim);
    return;
  }
  g_autofree char *address = g_strconcat (words[0], "@example.org", NULL);
  const ShimSpeaker who = {.nick = words[0],
                           .address = address,
                           .handle = *words[1] == '?' ? "*" : words[0],
                           .channel = words[2],
                           .is_admin = *words[1] == 'a',
                           .is_dj = *words[1] == 'd'};
  shim_hear (shim, &who, words[3]);
}

/* Returns: FALSE at the end of standard input. */
static gboolean
read_line (Shim *shim)
{
  static char line[LINE_MAX_BYTES];
  gsize len = 0;
  ssize_t n;

  /* byte by byte: what stdio had taken in, poll() would not tell of */
  while ((n = read (STDIN_FILENO, line + len, 1)) == 1 && line[len] != '\n')
    len = MIN (len + 1, sizeof line - 2);
  line[len] = '\0';
  if (n == 1)
    hear (shim, line);
  return n == 1;
}

int
main (int argc, char **argv)
{
  const ShimBot bot = {say, log_text};
  g_autoptr (GError) error = NULL;
  g_autoptr (Shim) shim = shim_new (argc > 1 ? argv[1] : "", &bot, &error);
  gboolean is_open = TRUE;

  if (shim == NULL) {
    log_text (error->message);
    return 1;
  }
  while (is_open) {
    struct pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {shim_get_fd (shim), POLLIN, 0}};
    if (poll (fds, 2, TICK_MS) == 0)
      shim_tick (shim);
    if (fds[1].revents != 0)
      shim_run_posts (shim);
    is_open = fds[0].revents == 0 || read_line (shim);
  }
  return 0;
}
