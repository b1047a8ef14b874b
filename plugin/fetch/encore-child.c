/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A program run to its end, with a watchdog. */
#include "config.h"
#include "fetch/encore-child.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX (64 * 1024)
/* Output: so much, and what the lines of progress of the largest file can be. */
#define OUTPUT_FREE_BYTES (G_GINT64_CONSTANT (8) * 1024 * 1024)
#define OUTPUT_SHARE 256
#define TICK_MS 100
#define LOOK_US (G_USEC_PER_SEC / 2)
#define TERM_PATIENCE_US (2 * G_USEC_PER_SEC)
#define HEIRS_US G_USEC_PER_SEC

typedef struct {
  pid_t pid;      /* and process group */
  pid_t watchman; /* 0: there is none */
  int out, err, life;
  GString *line, *errors;
  EncoreLineFunc func;
  EncoreBytesFunc bytes; /* (nullable) */
  GError *refused;       /* by BYTES */
  gpointer data;
  gint64 patience_us; /* until when the next progress must come */
  gint64 stall_us;
  gint64 output_bytes;
  gboolean is_vain;
  gint64 looked_us; /* at the files */
  gint64 ended_us;  /* since when PID has ended and nothing came; 0: neither */
} Child;

/* What the host ignores or blocks would stay so: SIGTERM must reach the child, SIGCHLD tell it. */
static void
begin_anew (void)
{
  struct sigaction usual = {.sa_handler = SIG_DFL};
  sigset_t none;

  setsid ();
  for (int i = 1; i < NSIG; i++)
    sigaction (i, &usual, NULL);
  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
}

void
encore_child_set_up (gpointer data)
{
  begin_anew ();
  prctl (PR_SET_PDEATHSIG, SIGKILL);
}

/* In the child, after fork: only what is async-signal-safe. */
static void
set_up (gpointer data)
{
  const EncoreChildSpec *spec = data;

  encore_child_set_up (NULL);
  if (spec->max_file_bytes > 0) {
    const struct rlimit limit = {spec->max_file_bytes, spec->max_file_bytes};
    setrlimit (RLIMIT_FSIZE, &limit);
  }
}

static void
set_up_watchman (gpointer data)
{
  begin_anew ();
}

/* A text without "#!" would be given to a shell, line by line. */
static gboolean
check_program (const char *program, GError **error)
{
  const int fd = open (program, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  const char *why = NULL;
  char magic[4] = {0};
  struct stat st;

  if (stat (program, &st) < 0)
    why = g_strerror (errno);
  else if (!S_ISREG (st.st_mode))
    why = "it is no file";
  else if (access (program, X_OK) < 0)
    why = "it is not executable";
  else if (fd >= 0 && (read (fd, magic, sizeof magic) < (gssize) sizeof magic ||
                       (memcmp (magic, "#!", 2) != 0 && memcmp (magic, "\177ELF", 4) != 0)))
    why = "it is no program";
  if (fd >= 0)
    close (fd);
  if (why != NULL)
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_NO_PROGRAM, "%s cannot be started: %s", program,
                 why);
  return why == NULL;
}

char *
encore_child_find (const char *program, char **envp, GError **error)
{
  const char *path = g_environ_getenv (envp, "PATH");
  g_autofree char *found = NULL;

  if (strchr (program, '/') == NULL && path != NULL) {
    g_auto (GStrv) dirs = g_strsplit (path, ":", -1);
    for (char **dir = dirs; *dir != NULL && found == NULL; dir++) {
      g_autofree char *candidate = g_build_filename (*dir, program, NULL);
      if (access (candidate, X_OK) == 0)
        found = g_steal_pointer (&candidate);
    }
  } else {
    found = g_strdup (program);
  }
  if (found == NULL) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_NO_PROGRAM, "there is no program %s in %s",
                 program, path);
    return NULL;
  }
  return check_program (found, error) ? g_steal_pointer (&found) : NULL;
}

/* PR_SET_PDEATHSIG reaches the program alone: the ffmpeg that it starts would go on without it. So
 * there is one who does nothing until the host ends, and then ends the group.  He is our child, not
 * the program's: one that it leaves behind would be a zombie of a host that is process 1. */
static void
post_watchman (Child *self)
{
  char group[16];
  const char *argv[] = {"/bin/sh", "-c", "read -r line; kill -KILL \"$1\"", "sh", group, NULL};
  const char *envp[] = {NULL};
  int life[2]; /* a pipe that nobody writes to: its reader is told when the host is gone */
  g_autoptr (GError) local = NULL;

  g_snprintf (group, sizeof group, "-%d", (int) self->pid);
  if (g_unix_open_pipe (life, FD_CLOEXEC, &local)) {
    g_spawn_async_with_pipes_and_fds ("/", argv, envp,
                                      G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL |
                                          G_SPAWN_STDERR_TO_DEV_NULL,
                                      set_up_watchman, NULL, life[0], -1, -1, NULL, NULL, 0,
                                      &self->watchman, NULL, NULL, NULL, &local);
    close (life[0]);
    self->life = life[1];
  }
  if (local != NULL)
    g_info ("fetch: what process %d starts may survive us: %s", (int) self->pid, local->message);
}

static gboolean
spawn (Child *self, const EncoreChildSpec *spec, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autofree char *program = encore_child_find (spec->argv[0], spec->envp, error);

  if (program == NULL)
    return FALSE;
  g_autofree char **argv =
      g_memdup2 (spec->argv, sizeof (char *) * (g_strv_length (spec->argv) + 1));
  argv[0] = program;
  if (!g_spawn_async_with_pipes (spec->cwd, argv, spec->envp, G_SPAWN_DO_NOT_REAP_CHILD, set_up,
                                 (gpointer) spec, &self->pid, NULL, &self->out, &self->err,
                                 &local)) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_NO_PROGRAM, "%s: %s", program, local->message);
    return FALSE;
  }
  post_watchman (self);
  return TRUE;
}

static void
take_line (Child *self, gint64 now_us)
{
  g_autofree char *text = g_utf8_make_valid (self->line->str, self->line->len);

  g_string_truncate (self->line, 0);
  const int what = self->func (text, self->data);
  if (what == ENCORE_LINE_PROGRESS)
    self->patience_us = now_us + self->stall_us;
  self->is_vain = self->is_vain || what == ENCORE_LINE_VAIN;
}

static void
take_output (Child *self, const char *bytes, gsize len)
{
  const gint64 now_us = g_get_monotonic_time ();

  for (gsize i = 0; i < len; i++)
    if (bytes[i] == '\n')
      take_line (self, now_us);
    else if (self->line->len < TEXT_MAX)
      g_string_append_c (self->line, bytes[i]);
}

static void
take_bytes (Child *self, const guint8 *bytes, gsize len)
{
  self->patience_us = g_get_monotonic_time () + self->stall_us;
  if (self->refused == NULL)
    self->bytes (bytes, len, self->data, &self->refused);
}

static void
take_errors (Child *self, const char *text, gsize len)
{
  g_string_append_len (self->errors, text, MIN (len, TEXT_MAX - self->errors->len));
  if (self->bytes != NULL)
    take_output (self, text, len);
}

/* Reads what is there.  Returns: FALSE at the end of both pipes. */
static gboolean
read_pipes (Child *self)
{
  GPollFD fds[] = {{self->out, G_IO_IN, 0}, {self->err, G_IO_IN, 0}};
  char buf[16384];

  g_poll (fds, 2, TICK_MS);
  for (int i = 0; i < 2; i++) {
    int *fd = i == 0 ? &self->out : &self->err;
    if (*fd < 0 || fds[i].revents == 0)
      continue;
    const gssize n = read (*fd, buf, sizeof buf);
    self->ended_us = 0; /* somebody still has something to say */
    self->output_bytes += i == 0 && self->bytes != NULL ? 0 : MAX (n, 0);
    if (n > 0 && i == 0 && self->bytes != NULL) {
      take_bytes (self, (const guint8 *) buf, n);
    } else if (n > 0 && i == 0) {
      take_output (self, buf, n);
    } else if (n > 0) {
      take_errors (self, buf, n);
    } else if (n == 0 || errno != EINTR) {
      close (*fd);
      *fd = -1;
    }
  }
  return self->out >= 0 || self->err >= 0;
}

/* Fragments are files of their own, each below the limit. */
static gint64
count_bytes (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;
  gint64 bytes = 0;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *file = g_build_filename (path, name, NULL);
    struct stat st;
    if (lstat (file, &st) == 0 && S_ISREG (st.st_mode))
      bytes += st.st_size;
  }
  return bytes;
}

static gboolean
check_size (Child *self, const EncoreChildSpec *spec, gint64 now_us, GError **error)
{
  if (self->output_bytes > OUTPUT_FREE_BYTES + spec->max_file_bytes / OUTPUT_SHARE) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_FAILED,
                         "the program for the option ytdlp writes without end");
    return FALSE;
  }
  if (spec->max_file_bytes == 0 || now_us < self->looked_us + LOOK_US)
    return TRUE;
  self->looked_us = now_us;
  if (count_bytes (spec->cwd) <= 2 * spec->max_file_bytes)
    return TRUE;
  g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_TOO_BIG,
                       "its files are larger than max_bytes");
  return FALSE;
}

static gboolean
check_patience (Child *self, const EncoreChildSpec *spec, GCancellable *cancellable, GError **error)
{
  const gint64 now_us = g_get_monotonic_time ();

  if (g_cancellable_is_cancelled (cancellable))
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED, "nobody waits any more");
  else if (now_us > spec->deadline_us)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_DEADLINE,
                         "the time for a fetch is over");
  else if (now_us > self->patience_us)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_DEADLINE, "no new byte for too long");
  else if (self->refused != NULL)
    g_propagate_error (error, g_steal_pointer (&self->refused));
  else if (self->is_vain)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_NETWORK,
                         "it asked the site again and again for hardly a byte");
  else
    return check_size (self, spec, now_us, error);
  return FALSE;
}

/* The one that was started has ended, and those that still hold its pipes have had the time to end,
 * too: bubblewrap leaves a process behind that waits for ever when it fails.  It is not reaped yet:
 * until then its number, and that of its group, is nobody else's. */
static gboolean
is_left_behind (Child *self)
{
  siginfo_t info = {.si_pid = 0};

  if (waitid (P_PID, self->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
    return FALSE;
  if (self->ended_us == 0)
    self->ended_us = g_get_monotonic_time ();
  return g_get_monotonic_time () - self->ended_us > HEIRS_US;
}

/* TRUE when the child is gone, by whomever it was reaped. */
static gboolean
is_gone (pid_t child)
{
  const pid_t pid = waitpid (child, NULL, WNOHANG);

  return pid == child || (pid < 0 && errno == ECHILD && kill (child, 0) < 0);
}

static void
reap (pid_t child)
{
  while (!is_gone (child))
    g_poll (NULL, 0, 5); /* no descriptor tells of another's child on every kernel we run on */
}

/* The whole group: yt-dlp leaves its ffmpeg running when only it is told to end. */
static void
end_group (Child *self, gboolean wait)
{
  const gint64 until_us = g_get_monotonic_time () + TERM_PATIENCE_US;
  gboolean gone;

  if (wait)
    kill (-self->pid, SIGTERM);
  while (!(gone = is_gone (self->pid)) && g_get_monotonic_time () < until_us)
    g_poll (NULL, 0, 5);
  kill (-self->pid, SIGKILL);
  if (!gone)
    reap (self->pid);
  if (self->watchman == 0)
    return;
  kill (self->watchman, SIGKILL);
  reap (self->watchman);
}

gboolean
encore_child_run (const EncoreChildSpec *spec, GCancellable *cancellable, EncoreLineFunc line,
                  gpointer data, char **err_text, GError **error)
{
  Child self = {.out = -1,
                .err = -1,
                .life = -1,
                .func = line,
                .bytes = spec->bytes,
                .data = data,
                .patience_us = g_get_monotonic_time () + spec->first_ms * 1000,
                .stall_us = spec->stall_ms * 1000};
  gboolean ok = TRUE;

  *err_text = NULL;
  if (!check_patience (&self, spec, cancellable, error) || !spawn (&self, spec, error))
    return FALSE;
  self.line = g_string_new (NULL);
  self.errors = g_string_new (NULL);
  while (ok && read_pipes (&self) && !is_left_behind (&self))
    ok = check_patience (&self, spec, cancellable, error);
  end_group (&self, !ok);
  if (self.life >= 0)
    close (self.life);
  if (self.out >= 0)
    close (self.out);
  if (self.err >= 0)
    close (self.err);
  g_string_free (self.line, TRUE);
  g_clear_error (&self.refused);
  g_autofree char *raw = g_string_free (self.errors, FALSE);
  *err_text = g_utf8_make_valid (raw, -1);
  return ok;
}
