/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The processes we start: what they get of the host, what they may do, and that none stays.  Small
 * scripts stand for yt-dlp where it would not do what is wanted. */
#include "config.h"
#include "fetch/encore-child.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fetch/encore-fetch.h"
#include "fetch/encore-sandbox.h"
#include "site-fixture.h"
#include "store-fixture.h"

#define MAX_FILE_BYTES (1024 * 1024)
/* SIGTERM is given two seconds */
#define KILL_MS 5000

static Site *site; /* NULL: something it needs is missing */

typedef struct {
  char *dir;    /* scripts and what they leave */
  char *work;   /* where they run */
  char *marker; /* an argument that tells our processes from others */
  GString *lines;
  GCancellable *cancellable;
  EncoreConfig *config;
  char *err_text;
  GError *error;
  gint64 elapsed_ms;
} Rig;

static void
rig_set_up (Rig *rig, gconstpointer data)
{
  rig->dir = fixture_make_dir ();
  rig->work = g_build_filename (rig->dir, "work", NULL);
  g_assert_cmpint (g_mkdir (rig->work, 0700), ==, 0);
  rig->marker = g_strdup_printf ("1000.%06d", g_random_int_range (0, 1000000));
  rig->lines = g_string_new (NULL);
  rig->cancellable = g_cancellable_new ();
  rig->config = encore_config_new ();
  rig->config->allow_private = TRUE;
}

static void
rig_tear_down (Rig *rig, gconstpointer data)
{
  fixture_remove (rig->dir);
  g_free (rig->dir);
  g_free (rig->work);
  g_free (rig->marker);
  g_free (rig->err_text);
  g_string_free (rig->lines, TRUE);
  g_object_unref (rig->cancellable);
  encore_config_free (rig->config);
  g_clear_error (&rig->error);
}

/* (transfer full): a program of DIR. */
static char *
write_script (Rig *rig, const char *name, const char *body)
{
  char *path = g_build_filename (rig->dir, name, NULL);
  g_autofree char *text = g_strconcat ("#!/bin/sh\n", body, "\n", NULL);
  g_autoptr (GError) error = NULL;

  g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_NONE, 0755, &error);
  g_assert_no_error (error);
  return path;
}

/* "started" is the word to be cancelled at; "progress" is progress. */
static int
on_line (const char *line, gpointer data)
{
  Rig *rig = data;

  if (strcmp (line, "started") == 0)
    g_cancellable_cancel (rig->cancellable);
  if (rig->lines->len < 65536)
    g_string_append_printf (rig->lines, "%s\n", line);
  return strcmp (line, "progress") == 0 ? ENCORE_LINE_PROGRESS : ENCORE_LINE_NOTHING;
}

/* BODY with the marker as $1, in the sandbox if the configuration says so. */
static gboolean
run (Rig *rig, const char *body)
{
  g_autofree char *script = write_script (rig, "script", body);
  char *const argv[] = {script, rig->marker, NULL};
  const char *const envp[] = {"PATH=/usr/bin:/bin", NULL};
  const char *const writable[] = {rig->work, NULL};
  g_auto (GStrv) wrapped = encore_sandbox_wrap (rig->config, argv, script, writable);
  const gint64 began_us = g_get_monotonic_time ();
  const EncoreChildSpec spec = {.argv = wrapped,
                                .envp = (char **) envp,
                                .cwd = rig->work,
                                .max_file_bytes = MAX_FILE_BYTES,
                                .first_ms = 20000,
                                .stall_ms = 20000,
                                .deadline_us = began_us + 40 * G_USEC_PER_SEC};

  g_free (rig->err_text);
  g_clear_error (&rig->error);
  g_string_truncate (rig->lines, 0);
  const gboolean ok =
      encore_child_run (&spec, rig->cancellable, on_line, rig, &rig->err_text, &rig->error);
  rig->elapsed_ms = (g_get_monotonic_time () - began_us) / 1000;
  return ok;
}

static guint
count_marked (const char *marker)
{
  g_autoptr (GDir) proc = g_dir_open ("/proc", 0, NULL);
  const char *name;
  guint n = 0;

  while ((name = g_dir_read_name (proc)) != NULL) {
    g_autofree char *path = g_build_filename ("/proc", name, "cmdline", NULL);
    g_autofree char *line = NULL;
    gsize len = 0;
    if (g_ascii_isdigit (*name) && g_file_get_contents (path, &line, &len, NULL))
      n += memmem (line, len, marker, strlen (marker)) != NULL;
  }
  return n;
}

/* Who was killed needs a moment to be gone. */
static void
assert_none_left (Rig *rig)
{
  const gint64 until_us = g_get_monotonic_time () + 5 * G_USEC_PER_SEC;

  while (count_marked (rig->marker) > 0 && g_get_monotonic_time () < until_us)
    g_usleep (5000);
  g_assert_cmpuint (count_marked (rig->marker), ==, 0);
}

static gboolean
is_there (Rig *rig, const char *name)
{
  g_autofree char *path = g_build_filename (rig->dir, name, NULL);

  return g_file_test (path, G_FILE_TEST_EXISTS);
}

/* ---- ends */

static void
test_term (Rig *rig, gconstpointer data)
{
  g_assert_false (run (
      rig,
      "trap 'wait; touch ../ended; exit' TERM\n" /* before anybody says that he has started */
      "(trap 'touch ../child-ended; exit' TERM; echo started; while :; do sleep 0.05; done) &\n"
      "while :; do sleep 0.05; done"));
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED);
  g_assert_true (is_there (rig, "ended"));
  g_assert_true (is_there (rig, "child-ended"));
  g_assert_cmpint (rig->elapsed_ms, <, 2000);
}

static void
test_kill (Rig *rig, gconstpointer data)
{
  g_assert_false (run (rig, "trap '' TERM\nsleep $1 & echo started; sleep $1; sleep $1"));
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED);
  g_assert_cmpint (rig->elapsed_ms, <, KILL_MS);
  assert_none_left (rig);
}

/* It ends by itself and leaves somebody behind. */
static void
test_left_behind (Rig *rig, gconstpointer data)
{
  g_assert_true (run (rig, "sleep $1 >/dev/null 2>&1 & echo done"));
  g_assert_cmpstr (rig->lines->str, ==, "done\n");
  assert_none_left (rig);
}

/* A host that is process 1 of a container gets what others leave, and nobody reaps it there. */
static void
test_no_zombie (Rig *rig, gconstpointer data)
{
  const pid_t host = fork ();
  int status = -1;

  if (host == 0) {
    prctl (PR_SET_CHILD_SUBREAPER, 1);
    _exit (run (rig, "echo done") && waitpid (-1, NULL, WNOHANG) < 0 && errno == ECHILD ? 0 : 1);
  }
  g_assert_cmpint (waitpid (host, &status, 0), ==, host);
  g_assert_cmpint (status, ==, 0);
}

/* A host that runs BODY and is killed. */
static void
kill_host (Rig *rig, const char *body)
{
  g_autofree char *ready = g_build_filename (rig->work, "ready", NULL);
  const pid_t host = fork ();

  if (host == 0) {
    run (rig, body);
    _exit (0);
  }
  g_assert_cmpint (host, >, 0);
  while (!g_file_test (ready, G_FILE_TEST_EXISTS))
    g_usleep (5000);
  g_assert_cmpuint (count_marked (rig->marker), >, 0);
  kill (host, SIGKILL);
  waitpid (host, NULL, 0);
  assert_none_left (rig);
}

static void
test_parent_death (Rig *rig, gconstpointer data)
{
  kill_host (rig, "touch ready; exec sleep $1");
}

/* An ffmpeg under yt-dlp: it hears of nobody's end. */
static void
test_grandchild (Rig *rig, gconstpointer data)
{
  kill_host (rig, "sleep $1 >/dev/null 2>&1 & (trap '' HUP; sleep $1) & touch ready; wait");
}

/* ---- signals, descriptors, environment */

static void
reap (int signal_number)
{
  const int saved = errno;

  while (waitpid (-1, NULL, WNOHANG) > 0)
    ;
  errno = saved;
}

/* The host takes every child's status, or makes the kernel throw it away. */
static void
test_reaped (Rig *rig, gconstpointer data)
{
  void (*const handlers[]) (int) = {reap, SIG_IGN};

  for (gsize i = 0; i < G_N_ELEMENTS (handlers); i++) {
    void (*before) (int) = signal (SIGCHLD, handlers[i]);
    for (int j = 0; j < 10; j++) {
      g_assert_true (run (rig, "echo progress; exit 3"));
      g_assert_cmpstr (rig->lines->str, ==, "progress\n");
    }
    g_cancellable_cancel (rig->cancellable);
    g_assert_false (run (rig, "sleep $1 & sleep $1"));
    g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED);
    g_cancellable_reset (rig->cancellable);
    assert_none_left (rig);
    signal (SIGCHLD, before);
  }
}

/* Signals 32 and 33: posix_spawn() of glibc ignores them in some children. */
#define C_LIBRARYS_OWN ((guint64) 3 << 31)

static void
test_signals (Rig *rig, gconstpointer data)
{
  void (*child) (int) = signal (SIGCHLD, SIG_IGN), (*pipe) (int) = signal (SIGPIPE, SIG_IGN);
  sigset_t all, before;

  sigfillset (&all);
  pthread_sigmask (SIG_BLOCK, &all, &before);
  g_assert_true (run (rig, "exec grep -E '^Sig(Blk|Ign)' /proc/self/status"));
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  signal (SIGCHLD, child);
  signal (SIGPIPE, pipe);
  guint64 blocked = 1, ignored = 1;
  g_assert_cmpint (sscanf (rig->lines->str,
                           "SigBlk:\t%" G_GINT64_MODIFIER "x\nSigIgn:\t%" G_GINT64_MODIFIER "x",
                           &blocked, &ignored),
                   ==, 2);
  g_assert_cmphex (blocked, ==, 0);
  g_assert_cmphex (ignored & ~C_LIBRARYS_OWN, ==, 0);
}

/* The reader of its output goes away: that must not end the host. */
static void
test_sigpipe (Rig *rig, gconstpointer data)
{
  g_assert_true (run (rig, "exec 0<&-; echo progress; exec >&- 2>&-"));
  g_assert_cmpstr (rig->lines->str, ==, "progress\n");
}

static void
test_descriptors (Rig *rig, gconstpointer data)
{
  int fds[5];

  for (gsize i = 0; i < G_N_ELEMENTS (fds); i++)
    fds[i] = fcntl (1, F_DUPFD, 20 + 10 * i); /* inheritable, as a careless host leaves them */
  g_assert_true (run (rig, "exec ls /proc/self/fd"));
  for (gsize i = 0; i < G_N_ELEMENTS (fds); i++)
    close (fds[i]);
  g_assert_cmpstr (rig->lines->str, ==, "0\n1\n2\n3\n"); /* 3 is the directory that ls reads */
}

/* ---- through the whole of fetching */

typedef struct {
  gboolean is_done;
  GError *error;
} Asked;

static void
on_done (const EncoreFetched *result, const GError *error, gpointer data)
{
  Asked *asked = data;

  asked->is_done = TRUE;
  asked->error = error != NULL ? g_error_copy (error) : NULL;
}

/* ID with the program YTDLP.  Returns: (transfer full) (nullable): why not. */
static GError *
fetch (Rig *rig, const char *ytdlp, const char *stem)
{
  g_autofree char *dir = g_build_filename (rig->dir, "cache", NULL);
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (EncoreCache) cache = fixture_open (dir, 0);
  Asked asked = {0};
  EncoreMediaId id;

  g_assert_true (encore_config_set (rig->config, "ytdlp", ytdlp, NULL));
  EncoreFetch *fetcher = encore_fetch_new (cache, rig->config);
  g_assert_true (encore_media_id_from_stem (stem, &id));
  encore_fetch_song (fetcher, &id, context, NULL, on_done, &asked);
  while (!asked.is_done)
    g_main_context_iteration (context, TRUE);
  encore_fetch_free (fetcher);
  g_assert_cmpuint (fixture_count_tmp (dir), ==, 0);
  return asked.error;
}

static char *
read_file (Rig *rig, const char *name)
{
  g_autofree char *path = g_build_filename (rig->dir, name, NULL);
  g_autoptr (GError) error = NULL;
  char *text = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

static void
test_environment (Rig *rig, gconstpointer data)
{
  static const char *const allowed[] = {"PATH=", "LANG=", "HOME=", "XDG_CONFIG_HOME="};
  g_autofree char *script = write_script (
      rig, "ytdlp",
      "tr '\\0' '\\n' </proc/$$/environ >$(dirname $0)/env; pwd >$(dirname $0)/pwd\n"
      "printf '%s\\n' \"$@\" >$(dirname $0)/args; ls -A >$(dirname $0)/files; exit 1");

  g_setenv ("ENCORE_SECRET", "1", TRUE);
  g_setenv ("http_proxy", "http://127.0.0.1:9/", TRUE);
  g_autoptr (GError) error = fetch (rig, script, "-dashAAAAAA");
  g_unsetenv ("ENCORE_SECRET");
  g_unsetenv ("http_proxy");
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_NO_PROGRAM); /* it ended without a word */
  g_autofree char *env = read_file (rig, "env");
  g_auto (GStrv) lines = g_strsplit (g_strchomp (env), "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, G_N_ELEMENTS (allowed));
  for (gsize i = 0; i < G_N_ELEMENTS (allowed); i++) {
    guint n = 0;
    for (char **line = lines; *line != NULL; line++)
      n += g_str_has_prefix (*line, allowed[i]);
    g_assert_cmpuint (n, ==, 1);
  }
  g_autofree char *args = read_file (rig, "args");
  g_assert_true (g_str_has_prefix (args, "--ignore-config\n"));
  g_assert_true (g_str_has_suffix (args, "\n--\nhttps://www.youtube.com/watch?v=-dashAAAAAA\n"));
  g_autofree char *pwd = read_file (rig, "pwd");
  g_autofree char *tmp = g_build_filename (rig->dir, "cache", "tmp", NULL);
  g_assert_true (g_str_has_prefix (pwd, tmp));
  g_autofree char *files = read_file (rig, "files");
  g_assert_cmpstr (files, ==, "home\n");
}

/* yt-dlp itself, as somebody would start it by hand.  Returns: whether it loaded all of it. */
static gboolean
is_fooled (Rig *rig, const char *home)
{
  g_autofree char *plugins = g_build_filename (rig->dir, "path", NULL);
  g_auto (GStrv) envp = g_new0 (char *, 1);
  g_autoptr (GError) error = NULL;
  const char *const argv[] = {"yt-dlp", "--simulate", "--", "file:///nowhere", NULL};

  envp = g_environ_setenv (envp, "PATH", "/usr/bin:/bin", TRUE);
  envp = g_environ_setenv (envp, "HOME", home, TRUE);
  envp = g_environ_setenv (envp, "PYTHONPATH", plugins, TRUE);
  envp = g_environ_setenv (envp, "PYTHONDONTWRITEBYTECODE", "1", TRUE);
  g_spawn_sync (home, (char **) argv, envp,
                G_SPAWN_SEARCH_PATH_FROM_ENVP | G_SPAWN_STDOUT_TO_DEV_NULL |
                    G_SPAWN_STDERR_TO_DEV_NULL,
                NULL, NULL, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  return is_there (rig, "conf-loaded") && is_there (rig, "home-loaded") &&
         is_there (rig, "path-loaded");
}

static void
write_evil (Rig *rig, const char *where, const char *mark)
{
  g_autofree char *path = g_build_filename (rig->dir, where, "yt_dlp_plugins", "extractor", NULL);
  g_autofree char *name = g_strdelimit (g_strconcat (mark, ".py", NULL), "-", '_');
  g_autofree char *file = g_build_filename (path, name, NULL);
  g_autofree char *text = g_strdup_printf ("open('%s/%s', 'w').close()\n", rig->dir, mark);

  g_assert_cmpint (g_mkdir_with_parents (path, 0700), ==, 0);
  g_assert_true (g_file_set_contents (file, text, -1, NULL));
}

/* A configuration in the working directory, plugins in the home and in PYTHONPATH: loaded by yt-dlp
 * when it is started by hand, not by ours. */
static void
test_code_of_others (Rig *rig, gconstpointer data)
{
  static const char *const marks[] = {"conf-loaded", "home-loaded", "path-loaded"};
  g_autofree char *home = g_build_filename (rig->dir, "home", NULL);
  g_autofree char *conf = g_build_filename (home, "yt-dlp.conf", NULL);
  /* written at its end */
  g_autofree char *options = g_strdup_printf ("--cookies %s/conf-loaded\n", rig->dir);
  g_autofree char *old_cwd = g_get_current_dir ();
  g_autofree char *old_home = g_strdup (g_getenv ("HOME"));
  g_autofree char *plugins = g_build_filename (rig->dir, "path", NULL);

  if (site == NULL) {
    g_test_skip ("yt-dlp is not installed");
    return;
  }
  write_evil (rig, "home/.config/yt-dlp/plugins/evil", "home-loaded");
  write_evil (rig, "home/yt-dlp/plugins/evil", "home-loaded"); /* for XDG_CONFIG_HOME */
  write_evil (rig, "path", "path-loaded");
  g_assert_true (g_file_set_contents (conf, options, -1, NULL));
  g_assert_true (is_fooled (rig, home)); /* else the rest proves nothing */
  for (gsize i = 0; i < G_N_ELEMENTS (marks); i++) {
    g_autofree char *path = g_build_filename (rig->dir, marks[i], NULL);
    g_unlink (path);
  }
  g_assert_cmpint (chdir (home), ==, 0);
  g_setenv ("HOME", home, TRUE);
  g_setenv ("XDG_CONFIG_HOME", home, TRUE);
  g_setenv ("PYTHONPATH", plugins, TRUE);
  g_autoptr (GError) error = fetch (rig, site_get_ytdlp (site), "tuneAAAAAAA");
  g_unsetenv ("PYTHONPATH");
  g_unsetenv ("XDG_CONFIG_HOME");
  g_setenv ("HOME", old_home != NULL ? old_home : "/", TRUE);
  g_assert_cmpint (chdir (old_cwd), ==, 0);
  g_assert_no_error (error);
  for (gsize i = 0; i < G_N_ELEMENTS (marks); i++)
    g_assert_false (is_there (rig, marks[i]));
}

/* Who inherits the pipes of a program that has ended is not waited for. */
static void
test_heir (Rig *rig, gconstpointer data)
{
  g_assert_true (run (rig, "sh -c 'sleep 1000; true' \"$1\" & echo 'cannot begin' >&2; exit 1"));
  g_assert_cmpstr (rig->err_text, ==, "cannot begin\n");
  g_assert_cmpint (rig->elapsed_ms, <, 10000);
  assert_none_left (rig);
}

static void
test_cookies (Rig *rig, gconstpointer data)
{
  g_autofree char *script = write_script (
      rig, "ytdlp",
      "while [ \"$1\" != --cookies ]; do shift; done\n"
      "stat -c %a \"$2\" >$(dirname $0)/mode; cp \"$2\" $(dirname $0)/seen; echo stolen >\"$2\"");
  g_autofree char *jar = g_build_filename (rig->dir, "jar.txt", NULL);

  g_assert_true (g_file_set_contents (jar, "# Netscape HTTP Cookie File\n", -1, NULL));
  g_assert_cmpint (g_chmod (jar, 0644), ==, 0);
  g_assert_true (encore_config_set (rig->config, "cookies", jar, NULL));
  g_autoptr (GError) error = fetch (rig, script, "tuneAAAAAAA");
  g_assert_nonnull (error);
  g_autofree char *after = read_file (rig, "jar.txt"), *seen = read_file (rig, "seen");
  g_autofree char *mode = read_file (rig, "mode");
  g_assert_cmpstr (after, ==, "# Netscape HTTP Cookie File\n");
  g_assert_cmpstr (seen, ==, after);
  g_assert_cmpstr (mode, ==, "600\n");
}

/* ---- limits */

static void
test_file_limit (Rig *rig, gconstpointer data)
{
  g_autofree char *file = g_build_filename (rig->work, "media.webm", NULL);
  GStatBuf st;

  run (rig, "head -c 3000000 /dev/zero >media.webm");
  g_assert_cmpint (g_stat (file, &st), ==, 0);
  g_assert_cmpint (st.st_size, <=, MAX_FILE_BYTES);
}

static void
test_files_limit (Rig *rig, gconstpointer data)
{
  g_assert_false (
      run (rig, "for i in 1 2 3 4 5; do head -c 900000 /dev/zero >part$i; done; sleep $1"));
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_TOO_BIG);
  g_assert_cmpint (rig->elapsed_ms, <, KILL_MS);
  assert_none_left (rig);
}

static void
test_output_limit (Rig *rig, gconstpointer data)
{
  static const char *const endless[] = {"exec yes", "exec yes >&2", "exec tr '\\0' x </dev/zero",
                                        "exec tr '\\0' '\\377' </dev/zero >&2"};

  for (gsize i = 0; i < G_N_ELEMENTS (endless); i++) {
    g_assert_false (run (rig, endless[i]));
    g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_FAILED);
    g_assert_cmpuint (strlen (rig->err_text), <=, 4 * 65536); /* made valid UTF-8 */
    g_assert_cmpint (rig->elapsed_ms, <, 20000);
  }
}

/* ---- sandbox */

static gboolean
has_sandbox (Rig *rig)
{
  const char *const argv[] = {"bwrap",
                              "--unshare-user-try",
                              "--unshare-pid",
                              "--ro-bind",
                              "/",
                              "/",
                              "--proc",
                              "/proc",
                              "true",
                              NULL};
  int status = -1;

  if (g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL,
                    NULL, NULL, NULL, NULL, &status, NULL) &&
      g_spawn_check_wait_status (status, NULL))
    return encore_config_set (rig->config, "sandbox", "bwrap", NULL);
  g_test_skip ("bubblewrap is not installed, or may not make namespaces here");
  return FALSE;
}

static void
test_walls (Rig *rig, gconstpointer data)
{
  g_autofree char *body =
      g_strdup_printf ("cat %s/secret; ls /root /home /var /etc/passwd; echo x >%s/written\n"
                       "echo x >/usr/written; ls -d /proc/[0-9]* | wc -l; echo x >here; echo end",
                       rig->dir, rig->dir);
  g_autofree char *secret = g_build_filename (rig->dir, "secret", NULL);

  if (!has_sandbox (rig))
    return;
  g_assert_true (g_file_set_contents (secret, "secret", -1, NULL));
  /* the script's own directory may be read: that is where the program is */
  g_autofree char *elsewhere = fixture_make_dir ();
  g_autofree char *other = g_build_filename (elsewhere, "secret", NULL);
  g_autofree char *more = g_strdup_printf ("cat %s || echo unseen\n%s", other, body);
  g_assert_true (g_file_set_contents (other, "SECRET", -1, NULL));
  g_assert_true (run (rig, more));
  g_test_message ("%s%s", rig->lines->str, rig->err_text);
  g_assert_true (g_str_has_prefix (rig->lines->str, "unseen\n"));
  g_assert_null (strstr (rig->lines->str, "SECRET"));
  g_assert_null (strstr (rig->lines->str, "passwd"));
  g_assert_true (g_str_has_suffix (rig->lines->str, "end\n"));
  g_assert_false (is_there (rig, "written"));
  g_assert_false (g_file_test ("/usr/written", G_FILE_TEST_EXISTS));
  g_assert_true (is_there (rig, "work/here"));
  fixture_remove (elsewhere);
}

/* Also who made a session of his own. */
static void
test_sandbox_strays (Rig *rig, gconstpointer data)
{
  if (!has_sandbox (rig))
    return;
  g_assert_false (run (rig, "setsid sleep $1 & echo started; sleep $1"));
  g_assert_error (rig->error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED);
  g_assert_cmpint (rig->elapsed_ms, <, KILL_MS);
  assert_none_left (rig);
  g_cancellable_reset (rig->cancellable);
  kill_host (rig, "setsid sleep $1 & sleep $1 & touch ready; sleep $1");
}

static void
test_sandbox_song (Rig *rig, gconstpointer data)
{
  if (site == NULL) {
    g_test_skip ("yt-dlp is not installed");
    return;
  }
  if (!has_sandbox (rig))
    return;
  g_autofree char *ytdlp = site_copy_ytdlp (site, rig->dir);
  g_autoptr (GError) error = fetch (rig, ytdlp, "tuneAAAAAAA");
  g_assert_no_error (error);
  g_autoptr (GError) refused = fetch (rig, ytdlp, "privateAAAA");
  g_assert_error (refused, ENCORE_ERROR, ENCORE_ERROR_PRIVATE);
}

static void
test_no_sandbox (Rig *rig, gconstpointer data)
{
  g_autofree char *script = write_script (rig, "ytdlp", "touch $(dirname $0)/ran");

  g_assert_true (encore_config_set (rig->config, "sandbox", "bwrap", NULL));
  g_assert_true (encore_config_set (rig->config, "ytdlp_path", "/nonexistent", NULL));
  g_autoptr (GError) error = fetch (rig, script, "tuneAAAAAAA");
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_NO_PROGRAM);
  g_assert_nonnull (strstr (error->message, "bwrap"));
  g_assert_false (is_there (rig, "ran"));
}

#define ADD(name, func) g_test_add (name, Rig, NULL, rig_set_up, func, rig_tear_down)

int
main (int argc, char **argv)
{
  const char *why = NULL;

  g_test_init (&argc, &argv, NULL);
  site = site_start (&why);
  ADD ("/process/group-is-told-to-end", test_term);
  ADD ("/process/group-is-killed", test_kill);
  ADD ("/process/nobody-is-left-behind", test_left_behind);
  ADD ("/process/no-zombie-is-left-to-the-host", test_no_zombie);
  ADD ("/process/dies-with-the-host", test_parent_death);
  ADD ("/process/all-that-it-started-dies-with-the-host", test_grandchild);
  ADD ("/process/reaped-by-the-host", test_reaped);
  ADD ("/process/signals-are-as-usual", test_signals);
  ADD ("/process/closed-pipes", test_sigpipe);
  ADD ("/process/heirs-are-not-waited-for", test_heir);
  ADD ("/process/descriptors-are-closed", test_descriptors);
  ADD ("/process/environment-and-arguments", test_environment);
  ADD ("/process/code-of-others-is-not-loaded", test_code_of_others);
  ADD ("/process/cookies-are-a-copy", test_cookies);
  ADD ("/process/file-has-a-limit", test_file_limit);
  ADD ("/process/files-have-a-limit", test_files_limit);
  ADD ("/process/output-has-a-limit", test_output_limit);
  ADD ("/process/sandbox-has-walls", test_walls);
  ADD ("/process/sandbox-leaves-nobody", test_sandbox_strays);
  ADD ("/process/sandbox-plays-a-song", test_sandbox_song);
  ADD ("/process/sandbox-that-is-missing", test_no_sandbox);
  const int status = g_test_run ();
  if (site != NULL)
    site_stop (site);
  return status;
}
