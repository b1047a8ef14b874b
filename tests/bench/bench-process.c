/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The host under test and the peers that are processes. */
#include "config.h"
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct BenchHost {
  Bench *bench;
  const char *name;
  pid_t pid;
  FILE *to, *from;
  char *line;
  size_t line_bytes;
};

static gboolean
fail (GError **error, int code, const char *what)
{
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (code), "%s: %s", what,
               g_strerror (code));
  return FALSE;
}

/* -1: the null device, or ours. */
static pid_t
spawn (const char *const *argv, int in, int out, int err, GError **error)
{
  posix_spawn_file_actions_t actions;
  pid_t pid = 0;

  posix_spawn_file_actions_init (&actions);
  if (in >= 0)
    posix_spawn_file_actions_adddup2 (&actions, in, STDIN_FILENO);
  else
    posix_spawn_file_actions_addopen (&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (out >= 0)
    posix_spawn_file_actions_adddup2 (&actions, out, STDOUT_FILENO);
  else
    posix_spawn_file_actions_addopen (&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  if (err >= 0)
    posix_spawn_file_actions_adddup2 (&actions, err, STDERR_FILENO);
  const int code = posix_spawnp (&pid, argv[0], &actions, NULL, (char **) argv, environ);
  posix_spawn_file_actions_destroy (&actions);
  if (code == 0)
    return pid;
  fail (error, code, argv[0]);
  return 0;
}

pid_t
bench_spawn (const char *const *argv, int stdout_fd, GError **error)
{
  return spawn (argv, -1, stdout_fd, -1, error);
}

gboolean
bench_reap (pid_t pid, double *cpu_s, GError **error)
{
  struct rusage usage = {0};
  int status;

  while (wait4 (pid, &status, 0, &usage) < 0)
    if (errno != EINTR)
      return fail (error, errno, "wait4");
  if (cpu_s != NULL)
    *cpu_s = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
             (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  return g_spawn_check_wait_status (status, error);
}

gboolean
bench_time_output (const char *const *argv, gsize bytes, double *ms, GError **error)
{
  g_autofree char *buf = g_malloc (bytes);
  gsize len = 0;
  int out[2];

  if (pipe2 (out, O_CLOEXEC) < 0)
    return fail (error, errno, "pipe");
  const gint64 begin_us = g_get_monotonic_time ();
  const pid_t pid = bench_spawn (argv, out[1], error);
  close (out[1]);
  while (pid != 0 && len < bytes) {
    const ssize_t n = read (out[0], buf + len, bytes - len);
    if (n <= 0)
      break;
    len += n;
  }
  *ms = (g_get_monotonic_time () - begin_us) / 1000.0;
  close (out[0]); /* what it writes now ends it */
  if (pid == 0)
    return FALSE;
  bench_reap (pid, NULL, NULL);
  if (len == bytes)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s gave no sound", argv[0]);
  return FALSE;
}

/* ---- host */

/* Without the newline; FALSE with ERROR when the host is gone. */
static gboolean
read_line (BenchHost *self, GError **error)
{
  const ssize_t n = getline (&self->line, &self->line_bytes, self->from);

  if (n <= 0) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "%s ended; the host's log is %s/host.log",
                 self->name, self->bench->dir);
    return FALSE;
  }
  self->line[n - 1] = '\0';
  return TRUE;
}

static pid_t
spawn_host (Bench *bench, gboolean with_plugin, const char *const *settings, int in, int out,
            GError **error)
{
  g_autofree char *log = g_build_filename (bench->dir, "host.log", NULL);
  g_autofree char *cache_dir = g_strconcat ("cache_dir=", bench->cache_dir, NULL);
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();

  g_ptr_array_add (argv, bench->host);
  if (with_plugin) {
    g_ptr_array_add (argv, bench->module);
    g_ptr_array_add (argv, cache_dir);
    g_ptr_array_add (argv, (char *) "max_size=0");
    g_ptr_array_add (argv, (char *) "min_free=0");
    for (; settings != NULL && *settings != NULL; settings++)
      g_ptr_array_add (argv, (char *) *settings);
  }
  g_ptr_array_add (argv, NULL);
  const int err = open (log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const pid_t pid = spawn ((const char *const *) argv->pdata, in, out, err, error);

  if (err >= 0)
    close (err);
  return pid;
}

/* Takes the ends of the pipes. */
static BenchHost *
attach (Bench *bench, const char *name, pid_t pid, int to, int from, GError **error)
{
  BenchHost *self = g_new0 (BenchHost, 1);

  self->bench = bench;
  self->name = name;
  self->pid = bench->live = pid;
  self->to = fdopen (to, "w");
  self->from = fdopen (from, "r");
  if (pid != 0 && read_line (self, error) && strcmp (self->line, "ready") == 0)
    return self;
  bench_host_free (self);
  return NULL;
}

static BenchHost *
new_host (Bench *bench, gboolean with_plugin, const char *const *settings, GError **error)
{
  int in[2], out[2];

  if (pipe2 (in, O_CLOEXEC) < 0 || pipe2 (out, O_CLOEXEC) < 0) {
    fail (error, errno, "pipe");
    return NULL;
  }
  const pid_t pid = spawn_host (bench, with_plugin, settings, in[0], out[1], error);
  close (in[0]);
  close (out[1]);
  return attach (bench, "the host", pid, in[1], out[0], error);
}

BenchHost *
bench_host_new (Bench *bench, gboolean with_plugin, GError **error)
{
  return new_host (bench, with_plugin, NULL, error);
}

BenchHost *
bench_host_new_with (Bench *bench, const char *const *settings, GError **error)
{
  return new_host (bench, TRUE, settings, error);
}

BenchHost *
bench_peer_new (Bench *bench, const char *name, const char *const *argv, GError **error)
{
  int in[2], out[2];

  if (pipe2 (in, O_CLOEXEC) < 0 || pipe2 (out, O_CLOEXEC) < 0) {
    fail (error, errno, "pipe");
    return NULL;
  }
  const pid_t pid = spawn (argv, in[0], out[1], -1, error);
  close (in[0]);
  close (out[1]);
  return attach (bench, name, pid, in[1], out[0], error);
}

void
bench_host_free (BenchHost *self)
{
  g_autoptr (GError) error = NULL;

  if (self == NULL)
    return;
  fclose (self->to); /* it leaves at the end of its input */
  if (self->pid != 0 && !bench_reap (self->pid, NULL, &error))
    g_printerr ("bench: %s: %s\n", self->name, error->message);
  fclose (self->from);
  self->bench->live = 0;
  free (self->line);
  g_free (self);
}

pid_t
bench_host_get_pid (BenchHost *self)
{
  return self->pid;
}

gboolean
bench_host_ask (BenchHost *self, const char **answer, GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  vfprintf (self->to, format, args);
  va_end (args);
  fputc ('\n', self->to);
  if (fflush (self->to) != 0)
    return fail (error, errno, self->name);
  if (!read_line (self, error))
    return FALSE;
  const char *rest = strchr (self->line, ' ');
  if (g_str_has_prefix (self->line, "failed")) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: %s", self->name, self->line);
    return FALSE;
  }
  if (answer != NULL)
    *answer = rest != NULL ? rest + 1 : "";
  return TRUE;
}
