/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Processes of the harness. */
#include "config.h"
#include "spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t
spawn_into (int out_fd, const char *const *argv, const char *const *env)
{
  const pid_t driver = getpid ();
  const pid_t pid = fork ();

  if (pid < 0)
    g_error ("cannot fork");
  if (pid > 0)
    return pid;
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  if (getppid () != driver)
    _exit (127);
  for (; env != NULL && *env != NULL; env++)
    putenv ((char *) *env);
  if (out_fd >= 0 && dup2 (out_fd, STDOUT_FILENO) < 0)
    _exit (127);
  execv (argv[0], (char **) argv);
  _exit (127);
}

pid_t
spawn (const char *const *argv, const char *const *env)
{
  return spawn_into (-1, argv, env);
}

pid_t
spawn_quiet (const char *const *argv, const char *const *env)
{
  const int null = open ("/dev/null", O_WRONLY | O_CLOEXEC);
  const pid_t pid = spawn_into (null, argv, env);

  close (null);
  return pid;
}

int
spawn_wait (pid_t pid, int timeout_ms)
{
  struct pollfd ended = {.fd = pidfd_open (pid, 0), .events = POLLIN};
  int status;

  if (ended.fd < 0)
    g_error ("no process %d", (int) pid);
  const gboolean in_time = poll (&ended, 1, timeout_ms) > 0;
  close (ended.fd);
  if (!in_time)
    kill (pid, SIGKILL);
  waitpid (pid, &status, 0);
  return in_time ? status : -1;
}

gboolean
spawn_is_clean (int status)
{
  return status >= 0 && WIFEXITED (status) && WEXITSTATUS (status) == 0;
}

char *
spawn_describe (int status)
{
  if (status == -1)
    return g_strdup ("hangs");
  if (WIFSIGNALED (status))
    return g_strdup_printf ("signal %d", WTERMSIG (status));
  return g_strdup_printf ("exit status %d", WEXITSTATUS (status));
}
