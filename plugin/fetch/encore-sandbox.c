/* SPDX-License-Identifier: LGPL-2.1-or-later
 * bubblewrap around a program. */
#include "config.h"
#include "fetch/encore-sandbox.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

/* Without /etc/alternatives ffmpeg does not find its libraries, and yt-dlp goes on without it. */
static const char *const FIXED[] = {"--unshare-user-try",
                                    "--unshare-ipc",
                                    "--unshare-pid",
                                    "--unshare-uts",
                                    "--unshare-cgroup-try",
                                    "--die-with-parent",
                                    "--proc",
                                    "/proc",
                                    "--dev",
                                    "/dev",
                                    "--tmpfs",
                                    "/tmp",
                                    NULL};
static const char *const READABLE[] = {"/usr",
                                       "/bin",
                                       "/sbin",
                                       "/lib",
                                       "/lib32",
                                       "/lib64",
                                       "/etc/alternatives",
                                       "/etc/ca-certificates",
                                       "/etc/hosts",
                                       "/etc/ld.so.cache",
                                       "/etc/localtime",
                                       "/etc/nsswitch.conf",
                                       "/etc/resolv.conf",
                                       "/etc/ssl",
                                       NULL};

static void
add (GPtrArray *argv, const char *arg)
{
  g_ptr_array_add (argv, g_strdup (arg));
}

static void
add_bind (GPtrArray *argv, const char *how, const char *path)
{
  add (argv, how);
  add (argv, path);
  add (argv, path);
}

/* /bin is a link to usr/bin on most systems: bubblewrap follows it and shows the directory. */
static void
add_readable (GPtrArray *argv, const char *path)
{
  if (g_path_is_absolute (path) && strcmp (path, "/") != 0)
    add_bind (argv, "--ro-bind-try", path);
}

/* Where the program is, and where it really is when that is a link. */
static void
add_program (GPtrArray *argv, const char *program)
{
  g_autofree char *dir = g_path_get_dirname (program);
  char *real = realpath (program, NULL);

  add_readable (argv, dir);
  if (real != NULL) {
    g_autofree char *real_dir = g_path_get_dirname (real);
    add_readable (argv, real_dir);
  }
  free (real);
}

char **
encore_sandbox_wrap (const EncoreConfig *config, char *const *argv, const char *program,
                     const char *const *writable)
{
  GPtrArray *out = g_ptr_array_new ();
  g_auto (GStrv) path = g_strsplit (config->ytdlp_path, ":", -1);

  if (config->sandbox == ENCORE_SANDBOX_BWRAP) {
    add (out, "bwrap");
    for (gsize i = 0; FIXED[i] != NULL; i++)
      add (out, FIXED[i]);
    for (gsize i = 0; READABLE[i] != NULL; i++)
      add_readable (out, READABLE[i]);
    for (gsize i = 0; path[i] != NULL; i++)
      add_readable (out, path[i]);
    add_program (out, program);
    for (gsize i = 0; writable[i] != NULL; i++) {
      g_mkdir (writable[i], 0700);
      add_bind (out, "--bind", writable[i]);
    }
    add (out, "--chdir");
    add (out, writable[0]);
    add (out, "--");
  }
  add (out, program);
  for (gsize i = 1; argv[i] != NULL; i++)
    add (out, argv[i]);
  g_ptr_array_add (out, NULL);
  return (char **) g_ptr_array_free (out, FALSE);
}
