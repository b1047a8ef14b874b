/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Supervisor of a yt-dlp that stays.
 *
 * Threads: the mutex guards what is said to be shared.  The supervisor alone has the process; it
 * takes the one question that is open, and whoever asked waits for it on the condition. */
#include "config.h"
#include "fetch/encore-worker.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/encore-clean.h"
#include "fetch/encore-resolver-py.h"
#include "fetch/encore-ytdlp.h"

#define TICK_MS 100
#define LINE_MAX_BYTES (256 * 1024)
#define ANSWER_MAX_BYTES (1024 * 1024)
#define TERM_PATIENCE_US (G_USEC_PER_SEC / 2)
#define PATIENCE_SHARE 3 /* of resolve_timeout: the rest is for a process of its own */
#define REST_MAX_S 300

/* What a file was when the process was started. */
typedef struct {
  char *path;
  gint64 mtime_ns, bytes, inode;
} Version;

/* Supervisor only, but for the pid. */
typedef struct {
  pid_t pid; /* and process group; 0: none */
  int in, out, err;
  GString *line;
  gsize answer_bytes;
  Version program, package, cookies;
  guint n_requests;
} Process;

typedef struct { /* g_atomic_rc_box; under the mutex until done */
  char *url;
  GPtrArray *lines;
  char *err_text;
  GError *error;
  gint64 until_us;
  gboolean done;
} Question;

struct EncoreWorker {
  const EncoreConfig *config;
  char *dir, *home, *script, *ytdlp_cache;
  int wake; /* eventfd */
  Process process;
  GMutex mutex;
  GCond cond;
  /* shared: */
  GThread *thread;    /* (nullable) */
  gboolean leaving;   /* it takes no question any more */
  gboolean ended;     /* it needs only to be joined */
  int closing;        /* atomic: it has to end */
  Question *question; /* (nullable): open */
  guint failures;     /* since the last answer */
  gint64 rest_us;     /* it is not asked until then */
};

/* ---- questions */

static void
question_clear (gpointer data)
{
  Question *self = data;

  g_free (self->url);
  g_ptr_array_unref (self->lines);
  g_free (self->err_text);
  g_clear_error (&self->error);
}

static void
question_unref (Question *self)
{
  g_atomic_rc_box_release_full (self, question_clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Question, question_unref)

static gboolean fail (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
fail (GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  if (error != NULL && *error == NULL)
    *error = g_error_new_valist (ENCORE_ERROR, ENCORE_ERROR_NO_PROGRAM, format, args);
  va_end (args);
  return FALSE;
}

/* ---- versions */

static void
take_version (Version *self, const char *path)
{
  struct stat st = {0};

  if (path != self->path) {
    g_free (self->path);
    self->path = g_strdup (path);
  }
  if (path != NULL && stat (path, &st) < 0)
    st = (struct stat){0};
  self->mtime_ns = st.st_mtim.tv_sec * G_GINT64_CONSTANT (1000000000) + st.st_mtim.tv_nsec;
  self->bytes = st.st_size;
  self->inode = st.st_ino;
}

static gboolean
is_changed (const Version *self)
{
  Version now = {.path = self->path};

  take_version (&now, self->path);
  return now.mtime_ns != self->mtime_ns || now.bytes != self->bytes || now.inode != self->inode;
}

/* ---- the process */

static gboolean
is_gone (pid_t pid)
{
  const pid_t reaped = waitpid (pid, NULL, WNOHANG);

  return reaped == pid || (reaped < 0 && errno == ECHILD && kill (pid, 0) < 0);
}

static void
end_process (EncoreWorker *self)
{
  Process *process = &self->process;
  const gint64 until_us = g_get_monotonic_time () + TERM_PATIENCE_US;
  int *fds[] = {&process->in, &process->out, &process->err};

  if (process->pid == 0)
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (fds); i++)
    close (*fds[i]);
  kill (-process->pid, SIGTERM);
  while (!is_gone (process->pid) && g_get_monotonic_time () < until_us)
    g_poll (NULL, 0, 5);
  kill (-process->pid, SIGKILL);
  while (!is_gone (process->pid))
    g_poll (NULL, 0, 5);
  g_string_free (process->line, TRUE);
  take_version (&process->program, NULL);
  take_version (&process->package, NULL);
  take_version (&process->cookies, NULL);
  g_mutex_lock (&self->mutex);
  process->pid = 0;
  g_mutex_unlock (&self->mutex);
}

/* Returns: (transfer full): what the "#!" of PROGRAM says, if that is a Python. */
static char **
find_interpreter (const char *program, GError **error)
{
  g_autoptr (GIOChannel) file = g_io_channel_new_file (program, "r", NULL);
  g_autofree char *line = NULL;
  gsize end = 0;

  if (file != NULL)
    g_io_channel_set_encoding (file, NULL, NULL); /* a zip file may follow */
  if (file == NULL ||
      g_io_channel_read_line (file, &line, NULL, &end, NULL) != G_IO_STATUS_NORMAL ||
      !g_str_has_prefix (line, "#!")) {
    fail (error, "%s is no script", program);
    return NULL;
  }
  line[end] = '\0';
  g_auto (GStrv) words = g_strsplit_set (g_strstrip (line + 2), " \t", 2);
  g_autofree char *name = g_path_get_basename (words[0] != NULL ? words[0] : "");
  const gboolean by_env =
      strcmp (name, "env") == 0 && words[1] != NULL && g_str_has_prefix (words[1], "python");
  if (!by_env && !g_str_has_prefix (name, "python")) {
    fail (error, "%s is no Python script", program);
    return NULL;
  }
  return g_steal_pointer (&words);
}

/* In the PATH that yt-dlp gets, not ours. */
static char *
find_program (const EncoreConfig *config, GError **error)
{
  g_auto (GStrv) dirs = g_strsplit (config->ytdlp_path, ":", -1);

  if (strchr (config->ytdlp, '/') != NULL)
    return g_strdup (config->ytdlp);
  for (char **dir = dirs; *dir != NULL; dir++) {
    g_autofree char *path = g_build_filename (*dir, config->ytdlp, NULL);
    if (access (path, X_OK) == 0)
      return g_steal_pointer (&path);
  }
  fail (error, "there is no program %s in %s", config->ytdlp, config->ytdlp_path);
  return NULL;
}

/* INTERPRETER [ITS ARGUMENT] our script PROGRAM ARGUMENT... */
static char **
make_argv (EncoreWorker *self, const char *program, GError **error)
{
  g_auto (GStrv) interpreter = find_interpreter (program, error);
  g_autoptr (GStrvBuilder) argv = g_strv_builder_new ();

  if (interpreter == NULL)
    return NULL;
  g_auto (GStrv) arguments =
      encore_ytdlp_make_resolve_argv (self->config, self->ytdlp_cache, self->home, error);
  if (arguments == NULL)
    return NULL;
  g_strv_builder_addv (argv, (const char **) interpreter);
  g_strv_builder_add (argv, self->script);
  g_strv_builder_add (argv, program);
  g_strv_builder_addv (argv, (const char **) arguments);
  return g_strv_builder_end (argv);
}

static gboolean
start_process (EncoreWorker *self, GError **error)
{
  Process *process = &self->process;
  g_autofree char *program = find_program (self->config, error);
  g_auto (GStrv) envp = encore_ytdlp_make_environment (self->config, self->home);
  g_autoptr (GError) local = NULL;
  pid_t pid;

  if (program == NULL)
    return FALSE;
  if (g_mkdir_with_parents (self->home, 0700) < 0 ||
      !g_file_set_contents (self->script, ENCORE_RESOLVER_PY, -1, &local))
    return fail (error, "cannot write %s: %s", self->script,
                 local != NULL ? local->message : g_strerror (errno));
  /* before they are copied: a change meanwhile is seen at the next question */
  take_version (&process->cookies, *self->config->cookies != '\0' ? self->config->cookies : NULL);
  g_auto (GStrv) argv = make_argv (self, program, error);
  if (argv == NULL)
    return FALSE;
  take_version (&process->program, program);
  if (!g_spawn_async_with_pipes (self->dir, argv, envp, G_SPAWN_DO_NOT_REAP_CHILD,
                                 encore_child_set_up, NULL, &pid, &process->in, &process->out,
                                 &process->err, &local))
    return fail (error, "%s", local->message);
  process->line = g_string_new (NULL);
  g_mutex_lock (&self->mutex);
  process->pid = pid;
  g_mutex_unlock (&self->mutex);
  g_info ("fetch: a yt-dlp that stays was started as process %d", (int) pid);
  return TRUE;
}

/* ---- its answers */

/* What it writes has the types it likes. */
static const char *
get_text (JsonObject *event, const char *key)
{
  JsonNode *node = json_object_get_member (event, key);

  return node != NULL && JSON_NODE_HOLDS_VALUE (node) ? json_node_get_string (node) : NULL;
}

static gboolean
is_of_request (JsonObject *event, guint n)
{
  JsonNode *node = json_object_get_member (event, "request");

  return node != NULL && JSON_NODE_HOLDS_VALUE (node) && json_node_get_int (node) == n;
}

/* Returns: TRUE at the end of the answer. */
static gboolean
take_line (EncoreWorker *self, Question *question)
{
  Process *process = &self->process;
  char *line = g_utf8_make_valid (process->line->str, process->line->len);
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *event = NULL;

  g_string_truncate (process->line, 0);
  g_ptr_array_add (question->lines, line);
  if (*line == '{' && json_parser_load_from_data (parser, line, -1, NULL) &&
      JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser)))
    event = json_node_get_object (json_parser_get_root (parser));
  const char *kind = event != NULL ? get_text (event, "event") : NULL;
  if (g_strcmp0 (kind, "ready") == 0)
    take_version (&process->package, get_text (event, "file"));
  if (g_strcmp0 (kind, "end") != 0 || !is_of_request (event, process->n_requests))
    return FALSE;
  const char *text = get_text (event, "error");
  question->err_text = g_strdup (text != NULL ? text : "");
  return TRUE;
}

/* Returns: FALSE with ERROR.  *END: the answer is complete. */
static gboolean
read_output (EncoreWorker *self, Question *question, gboolean *end, GError **error)
{
  Process *process = &self->process;
  char buf[8192];
  const gssize n = read (process->out, buf, sizeof buf);

  if (n < 0 && errno == EINTR)
    return TRUE;
  if (n <= 0)
    return fail (error, "it has ended");
  process->answer_bytes += n;
  for (gssize i = 0; i < n && !*end; i++)
    if (buf[i] == '\n')
      *end = take_line (self, question);
    else
      g_string_append_c (process->line, buf[i]);
  if (process->line->len > LINE_MAX_BYTES || process->answer_bytes > ANSWER_MAX_BYTES)
    return fail (error, "it writes without end");
  return TRUE;
}

/* What it says besides is for the log. */
static void
read_errors (Process *process)
{
  char buf[4096];
  const gssize n = read (process->err, buf, sizeof buf - 1);

  if (n <= 0)
    return;
  buf[n] = '\0';
  g_autofree char *text = encore_clean (buf, n);
  g_debug ("fetch: the yt-dlp that stays: %s", text);
}

static gboolean
read_answer (EncoreWorker *self, Question *question, GError **error)
{
  Process *process = &self->process;
  gboolean end = FALSE;

  process->answer_bytes = 0;
  while (!end) {
    GPollFD fds[] = {{process->out, G_IO_IN, 0}, {process->err, G_IO_IN, 0}};
    const gint64 left_us = question->until_us - g_get_monotonic_time ();
    if (left_us <= 0)
      return fail (error, "it does not answer");
    if (g_atomic_int_get (&self->closing))
      return fail (error, "it is to be ended");
    g_poll (fds, 2, MIN (left_us / 1000 + 1, TICK_MS));
    if (fds[1].revents & G_IO_IN)
      read_errors (process);
    if (fds[0].revents != 0 && !read_output (self, question, &end, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
send_question (EncoreWorker *self, const Question *question, GError **error)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "request");
  json_builder_add_int_value (builder, ++self->process.n_requests);
  json_builder_set_member_name (builder, "url");
  json_builder_add_string_value (builder, question->url);
  json_builder_end_object (builder);
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  g_autofree char *json = json_to_string (root, FALSE);
  g_autofree char *line = g_strconcat (json, "\n", NULL);
  const gsize len = strlen (line);
  /* less than PIPE_BUF: all or nothing */
  return write (self->process.in, line, len) == (gssize) len || fail (error, "it has ended");
}

/* What it read at its start.  Returns: (nullable) */
static const char *
find_change (const Process *process)
{
  if (is_changed (&process->program) || is_changed (&process->package))
    return "yt-dlp has";
  return is_changed (&process->cookies) ? "the cookies have" : NULL;
}

static gboolean
serve (EncoreWorker *self, Question *question, GError **error)
{
  Process *process = &self->process;
  const char *what = process->pid != 0 ? find_change (process) : NULL;

  if (what != NULL) {
    g_info ("fetch: %s changed: the yt-dlp that stays is started again", what);
    end_process (self);
  }
  return (process->pid != 0 || start_process (self, error)) &&
         send_question (self, question, error) && read_answer (self, question, error);
}

/* ---- the supervisor */

/* Between two questions.  Whatever it writes unasked is no answer. */
static void
watch (EncoreWorker *self, gint64 until_us)
{
  Process *process = &self->process;
  GPollFD fds[] = {{self->wake, G_IO_IN, 0},
                   {process->pid != 0 ? process->out : -1, G_IO_IN, 0},
                   {process->pid != 0 ? process->err : -1, G_IO_IN, 0}};
  const gint64 left_us = MAX (until_us - g_get_monotonic_time (), 0);
  char buf[4096];
  guint64 n;

  g_poll (fds, G_N_ELEMENTS (fds), MIN (left_us / 1000 + 1, G_MAXINT));
  if (fds[0].revents != 0 && read (self->wake, &n, sizeof n) < 0)
    g_debug ("fetch: eventfd: %s", g_strerror (errno));
  if (fds[2].revents & G_IO_IN)
    read_errors (process);
  if (fds[1].revents != 0 && read (process->out, buf, sizeof buf) <= 0) {
    g_info ("fetch: the yt-dlp that stays has ended");
    end_process (self);
  }
}

/* Returns: (transfer full) (nullable): NULL when it is time to go. */
static Question *
wait_for_question (EncoreWorker *self)
{
  const gint64 until_us = g_get_monotonic_time () + self->config->resolver_idle_ms * 1000;

  for (;;) {
    g_mutex_lock (&self->mutex);
    Question *question = self->question != NULL ? g_atomic_rc_box_acquire (self->question) : NULL;
    const gboolean go = question == NULL &&
                        (g_atomic_int_get (&self->closing) || g_get_monotonic_time () >= until_us);
    self->leaving = go;
    g_mutex_unlock (&self->mutex);
    if (question != NULL || go)
      return question;
    watch (self, until_us);
  }
}

/* A failure may be that of one song: the second one in a row is a reason to rest. */
static void
count_failure (EncoreWorker *self, const GError *error)
{
  if (error == NULL) {
    self->failures = 0;
    return;
  }
  self->failures++;
  const gint64 rest_s = self->failures > 1 ? MIN (1 << MIN (self->failures, 16), REST_MAX_S) : 0;
  self->rest_us = g_get_monotonic_time () + rest_s * G_USEC_PER_SEC;
  g_info ("fetch: no answer from the yt-dlp that stays (%s); a process of its own instead, and "
          "for the next %d s",
          error->message, (int) rest_s);
}

static gpointer
supervise (gpointer data)
{
  EncoreWorker *self = data;
  sigset_t pipe_only;
  Question *question;

  sigemptyset (&pipe_only);
  sigaddset (&pipe_only, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &pipe_only, NULL);
  while ((question = wait_for_question (self)) != NULL) {
    GError *error = NULL;
    if (!serve (self, question, &error))
      end_process (self);
    g_mutex_lock (&self->mutex);
    count_failure (self, error);
    question->error = error;
    question->done = TRUE;
    g_clear_pointer (&self->question, question_unref);
    g_cond_broadcast (&self->cond);
    g_mutex_unlock (&self->mutex);
    question_unref (question);
  }
  if (self->process.pid != 0 && !g_atomic_int_get (&self->closing))
    g_info ("fetch: the yt-dlp that stays was not needed: it is ended");
  end_process (self);
  g_mutex_lock (&self->mutex);
  self->leaving = FALSE;
  self->ended = TRUE;
  g_mutex_unlock (&self->mutex);
  return NULL;
}

/* ---- asking */

static void
wake_up (EncoreWorker *self)
{
  const guint64 one = 1;

  if (write (self->wake, &one, sizeof one) < 0)
    g_debug ("fetch: eventfd: %s", g_strerror (errno));
}

/* With the mutex.  Returns: (transfer full). */
static Question *
post_locked (EncoreWorker *self, const char *url, gint64 deadline_us, GError **error)
{
  const gint64 now_us = g_get_monotonic_time ();
  const gint64 patience_us = self->config->resolve_timeout_ms * 1000 / PATIENCE_SHARE;

  if (self->question != NULL || self->leaving || now_us < self->rest_us) {
    fail (error, now_us < self->rest_us ? "it rests after failures" : "it is busy");
    return NULL;
  }
  if (self->thread != NULL && self->ended)
    g_thread_join (g_steal_pointer (&self->thread));
  Question *question = g_atomic_rc_box_new0 (Question);
  question->url = g_strdup (url);
  question->lines = g_ptr_array_new_with_free_func (g_free);
  question->until_us = MIN (now_us + patience_us, deadline_us);
  self->question = g_atomic_rc_box_acquire (question);
  if (self->thread == NULL) {
    self->ended = FALSE;
    self->thread = g_thread_new ("encore-resolver", supervise, self);
  }
  wake_up (self);
  return question;
}

/* In the asker's thread. */
static void
tell_lines (const Question *question, EncoreLineFunc line, gpointer data)
{
  for (guint i = 0; i < question->lines->len; i++)
    line (question->lines->pdata[i], data);
}

gboolean
encore_worker_ask (EncoreWorker *self, const char *url, gint64 deadline_us,
                   GCancellable *cancellable, EncoreLineFunc line, gpointer data, char **err_text,
                   GError **error)
{
  g_autoptr (GError) local = NULL;

  *err_text = NULL;
  g_mutex_lock (&self->mutex);
  g_autoptr (Question) question = post_locked (self, url, deadline_us, &local);
  while (question != NULL && !question->done && !g_cancellable_is_cancelled (cancellable))
    g_cond_wait_until (&self->cond, &self->mutex, g_get_monotonic_time () + TICK_MS * 1000);
  const gboolean done = question != NULL && question->done;
  g_mutex_unlock (&self->mutex);
  if (done && question->error == NULL) {
    tell_lines (question, line, data);
    *err_text = g_steal_pointer (&question->err_text);
    return TRUE;
  }
  if (done)
    g_propagate_error (error, g_steal_pointer (&question->error));
  else if (question != NULL) /* who comes next finds it warm: it goes on without us */
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED, "nobody waits any more");
  else
    g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

pid_t
encore_worker_get_pid (EncoreWorker *self)
{
  g_mutex_lock (&self->mutex);
  const pid_t pid = self->process.pid;
  g_mutex_unlock (&self->mutex);
  return pid;
}

/* ---- life */

EncoreWorker *
encore_worker_new (const EncoreConfig *config, const char *dir, const char *ytdlp_cache)
{
  EncoreWorker *self = g_new0 (EncoreWorker, 1);

  self->config = config;
  self->dir = g_strdup (dir);
  self->home = g_build_filename (dir, "home", NULL);
  self->script = g_build_filename (dir, "encore-resolver.py", NULL);
  self->ytdlp_cache = g_strdup (ytdlp_cache);
  self->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  g_mutex_init (&self->mutex);
  g_cond_init (&self->cond);
  return self;
}

void
encore_worker_free (EncoreWorker *self)
{
  if (self == NULL)
    return;
  g_atomic_int_set (&self->closing, TRUE);
  wake_up (self);
  if (self->thread != NULL)
    g_thread_join (self->thread);
  close (self->wake);
  g_mutex_clear (&self->mutex);
  g_cond_clear (&self->cond);
  g_free (self->dir);
  g_free (self->home);
  g_free (self->script);
  g_free (self->ytdlp_cache);
  g_free (self);
}
