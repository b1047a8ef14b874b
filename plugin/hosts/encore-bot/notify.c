/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "notify.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* "/a/path" or "@abstract"; other kinds of address are of machines and not for us. */
static gboolean
parse_address (const char *text, struct sockaddr_un *address, socklen_t *len)
{
  const gsize n = text != NULL ? strlen (text) : 0;

  if (n < 2 || n >= sizeof address->sun_path || (*text != '/' && *text != '@'))
    return FALSE;
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  memcpy (address->sun_path, text, n);
  if (*text == '@')
    address->sun_path[0] = '\0';
  *len = G_STRUCT_OFFSET (struct sockaddr_un, sun_path) + n + (*text == '/');
  return TRUE;
}

gboolean
notify_send (const char *state)
{
  struct sockaddr_un address;
  socklen_t len;

  if (!parse_address (g_getenv ("NOTIFY_SOCKET"), &address, &len))
    return FALSE;
  const int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return FALSE;
  const gssize sent = sendto (fd, state, strlen (state), MSG_NOSIGNAL | MSG_DONTWAIT,
                              (const struct sockaddr *) &address, len);
  close (fd);
  return sent >= 0;
}

void
notify_status (const char *text)
{
  g_autofree char *state = g_strconcat ("STATUS=", text, NULL);

  /* another line would be another message */
  notify_send (g_strdelimit (state, "\r\n", ' '));
}

void
notify_reloading (void)
{
  g_autofree char *state =
      g_strdup_printf ("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time ());

  notify_send (state);
}

guint64
notify_watchdog_us (void)
{
  const char *pid = g_getenv ("WATCHDOG_PID"), *us = g_getenv ("WATCHDOG_USEC");
  guint64 number;

  if (us == NULL || !g_ascii_string_to_unsigned (us, 10, 1, G_MAXINT64, &number, NULL))
    return 0;
  /* meant for another process that handed us its environment? */
  if (pid != NULL && g_ascii_strtoull (pid, NULL, 10) != (guint64) getpid ())
    return 0;
  return number;
}

gboolean
notify_is_journal (void)
{
  const char *stream = g_getenv ("JOURNAL_STREAM");
  struct stat st;

  if (stream == NULL || fstat (STDERR_FILENO, &st) != 0)
    return FALSE;
  g_autofree char *own = g_strdup_printf ("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT,
                                          (guint64) st.st_dev, (guint64) st.st_ino);
  return strcmp (stream, own) == 0;
}
