/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A host that is only a listening room: listen-drive URL PASSWORD STATUS-FILE chain|plain
 * Lines of standard input: "play FILE" sends the packets of an Ogg Opus file at their pace; "stop
 * TITLE" ends with silence.  Prints each change of state with its sentence.  Ends with its input.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/encore-ogg.h"
#include "hosts/listen/listen.h"

static void
on_state (ListenState state, const char *sentence, gpointer data)
{
  static const char *const names[] = {"joining", "live", "lost", "refused", "ended"};

  printf ("%s %s\n", names[state], sentence != NULL ? sentence : "");
  fflush (stdout);
}

static gssize
read_file (gpointer data, gint64 offset, guint8 *buf, gsize len, GError **error)
{
  return pread (GPOINTER_TO_INT (data), buf, len, offset);
}

static void
play (Listen *room, const char *path, gint64 *clock_us)
{
  const int fd = open (path, O_RDONLY | O_CLOEXEC);
  g_autoptr (EncoreOggReader) reader = encore_ogg_reader_new (read_file, GINT_TO_POINTER (fd));
  g_autofree char *title = g_path_get_basename (path);
  const guint8 *packet;
  gsize len;
  gint64 pts_ns;
  guint n = 0;

  encore_ogg_reader_set_size (reader, lseek (fd, 0, SEEK_END), TRUE);
  listen_set_title (room, title);
  *clock_us = MAX (*clock_us, g_get_monotonic_time ());
  while (encore_ogg_reader_next (reader, &packet, &len, &pts_ns, NULL) == ENCORE_OGG_PACKET) {
    while (!listen_send (room, packet, len, FALSE) && listen_get_state (room) == LISTEN_JOINING)
      g_usleep (20000);
    *clock_us += 20000;
    const gint64 wait_us = *clock_us - g_get_monotonic_time ();
    if (wait_us > 0)
      g_usleep (wait_us);
    n++;
  }
  close (fd);
  printf ("played %s %u\n", title, n);
  fflush (stdout);
}

int
main (int argc, char **argv)
{
  char line[4096];
  gint64 clock_us = 0;

  if (argc != 5)
    return 2;
  const ListenOptions options = {.url = argv[1],
                                 .user = "source",
                                 .password = argv[2],
                                 .name = "test\r\nIce-Public: 1",
                                 .status_path = argv[3],
                                 .chain = strcmp (argv[4], "chain") == 0,
                                 .notify = on_state};
  g_autoptr (Listen) room = listen_new (&options);
  while (fgets (line, sizeof line, stdin) != NULL) {
    line[strcspn (line, "\n")] = '\0';
    if (g_str_has_prefix (line, "play "))
      play (room, line + strlen ("play "), &clock_us);
    else
      listen_set_title (room, "");
  }
  listen_end (room);
  return 0;
}
