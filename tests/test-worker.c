/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A yt-dlp that stays: warm answers, and whatever happens to it, the song is found all the same. */
#include "config.h"
#include "fetch/encore-worker.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "fetch/encore-download.h"
#include "fetch/encore-ytdlp.h"
#include "site-fixture.h"
#include "store-fixture.h"

#define TUNE "tuneAAAAAAA"
#define RESOLVE "resolve/video/" TUNE
#define WARM_ASKS 40

static Site *site;

typedef struct {
  char *dir, *work, *resolver, *ytdlp_cache;
  EncoreConfig *config;
  EncoreWorker *worker;
  GCancellable *cancellable;
} Rig;

static void
rig_set_up (Rig *rig, gconstpointer data)
{
  rig->dir = fixture_make_dir ();
  rig->work = g_build_filename (rig->dir, "work", NULL);
  rig->resolver = g_build_filename (rig->dir, "resolver", NULL);
  rig->ytdlp_cache = g_build_filename (rig->dir, "ytdlp", NULL);
  rig->config = encore_config_new ();
  g_free (rig->config->ytdlp);
  rig->config->ytdlp = g_strdup (site_get_ytdlp (site));
  rig->worker = encore_worker_new (rig->config, rig->resolver, rig->ytdlp_cache);
  rig->cancellable = g_cancellable_new ();
  site_reset (site);
}

static void
rig_tear_down (Rig *rig, gconstpointer data)
{
  const pid_t pid = encore_worker_get_pid (rig->worker);

  encore_worker_free (rig->worker);
  g_assert_true (pid == 0 || kill (-pid, 0) < 0);
  encore_config_free (rig->config);
  g_object_unref (rig->cancellable);
  fixture_remove (rig->dir);
  g_free (rig->work);
  g_free (rig->resolver);
  g_free (rig->ytdlp_cache);
  g_free (rig->dir);
}

static gboolean
resolve (Rig *rig, const char *stem, EncoreDownload *out, GError **error)
{
  EncoreMediaId id;
  const EncoreDownloadSpec spec = {.config = rig->config,
                                   .id = &id,
                                   .dir = rig->work,
                                   .ytdlp_cache = rig->ytdlp_cache,
                                   .worker = rig->worker,
                                   .deadline_us = g_get_monotonic_time () + 30 * G_USEC_PER_SEC,
                                   .cancellable = rig->cancellable};

  g_assert_true (encore_media_id_from_stem (stem, &id));
  g_mkdir (rig->work, 0700);
  return encore_ytdlp_resolve (&spec, out, error);
}

/* The answer is right, whoever gave it. */
static void
assert_resolves (Rig *rig)
{
  g_auto (EncoreDownload) out = {0};
  g_autoptr (GError) error = NULL;

  resolve (rig, TUNE, &out, &error);
  g_assert_no_error (error);
  g_assert_true (out.has_meta);
  g_assert_cmpstr (out.title, ==, "The Test Tune");
  g_assert_true (out.media.plain);
  g_assert_nonnull (strstr (out.media.url, "/media/" TUNE "/251"));
  g_assert_cmpstr (out.media.ext, ==, "webm");
  g_assert_cmpint (out.media.bytes, >, 100000);
}

/* Nobody started a process for it. */
static gboolean
is_warm (Rig *rig)
{
  g_autofree char *home = g_build_filename (rig->work, "home", NULL);
  const gboolean warm = !g_file_test (home, G_FILE_TEST_EXISTS);

  fixture_remove (rig->work);
  return warm;
}

static pid_t
start (Rig *rig)
{
  assert_resolves (rig);
  g_assert_true (is_warm (rig));
  const pid_t pid = encore_worker_get_pid (rig->worker);
  g_assert_cmpint (pid, >, 0);
  return pid;
}

/* Until nothing is left of PID, by itself. */
static void
await_end (Rig *rig, pid_t pid)
{
  const gint64 until_us = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;

  while ((encore_worker_get_pid (rig->worker) == pid || kill (pid, 0) == 0) &&
         g_get_monotonic_time () < until_us)
    g_usleep (5000);
  g_assert_cmpint (kill (pid, 0), <, 0);
}

/* The real program when it runs by itself, and FAULT when its modules are taken. */
static void
use_faulty (Rig *rig, const char *fault)
{
  g_autofree char *text = g_strdup_printf ("#!/usr/bin/python3\nimport os, runpy, sys, time\n"
                                           "if __name__ != '__main__':\n    %s\n"
                                           "runpy.run_path('%s', run_name=__name__)\n",
                                           fault, site_get_ytdlp (site));

  g_free (rig->config->ytdlp);
  rig->config->ytdlp = g_build_filename (rig->dir, "yt-dlp", NULL);
  g_assert_true (g_file_set_contents_full (rig->config->ytdlp, text, -1,
                                           G_FILE_SET_CONTENTS_CONSISTENT, 0755, NULL));
}

/* ---- answers */

static int
compare (gconstpointer a, gconstpointer b)
{
  const gint64 x = *(const gint64 *) a, y = *(const gint64 *) b;

  return x < y ? -1 : x > y;
}

static void
test_warm (Rig *rig, gconstpointer data)
{
  const pid_t pid = start (rig);
  gint64 took_us[WARM_ASKS];

  for (guint i = 0; i < WARM_ASKS; i++) {
    const gint64 began_us = g_get_monotonic_time ();
    assert_resolves (rig);
    took_us[i] = g_get_monotonic_time () - began_us;
    g_assert_true (is_warm (rig));
  }
  g_assert_cmpint (encore_worker_get_pid (rig->worker), ==, pid);
  g_assert_cmpint (site_get_stat (site, RESOLVE, "requests"), ==, WARM_ASKS + 1);
  qsort (took_us, WARM_ASKS, sizeof *took_us, compare);
  g_test_message ("warm: median %.1f ms", took_us[WARM_ASKS / 2] / 1000.0);
  g_test_minimized_result (took_us[WARM_ASKS / 2] / 1000.0, "a warm resolve, ms");
}

/* What the site says of a song is told in the same words, and hurts nobody. */
static void
test_refusals (Rig *rig, gconstpointer data)
{
  static const struct {
    const char *stem;
    int code;
  } rows[] = {{"privateAAAA", ENCORE_ERROR_PRIVATE},
              {"limitedAAAA", ENCORE_ERROR_THROTTLED},
              {"nothingAAAA", ENCORE_ERROR_GONE},
              {"noFormatsAA", ENCORE_ERROR_NO_AUDIO}};
  const pid_t pid = start (rig);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (EncoreDownload) out = {0};
    g_autoptr (GError) error = NULL;
    g_assert_false (resolve (rig, rows[i].stem, &out, &error));
    g_assert_error (error, ENCORE_ERROR, rows[i].code);
    g_assert_true (is_warm (rig));
  }
  assert_resolves (rig);
  g_assert_true (is_warm (rig));
  g_assert_cmpint (encore_worker_get_pid (rig->worker), ==, pid);
}

/* Refused by our own filter: nothing is printed but what it is. */
static void
test_too_long (Rig *rig, gconstpointer data)
{
  g_auto (EncoreDownload) out = {0};
  g_autoptr (GError) error = NULL;

  rig->config->max_duration_ms = 3000;
  g_assert_false (resolve (rig, TUNE, &out, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_TOO_LONG);
}

/* ---- its end */

static void
test_killed (Rig *rig, gconstpointer data)
{
  const pid_t pid = start (rig);

  g_assert_cmpint (kill (pid, SIGKILL), ==, 0);
  await_end (rig, pid); /* it is reaped at once, too */
  g_assert_cmpint (start (rig), !=, pid);
}

static gpointer
kill_when_asked (gpointer data)
{
  Rig *rig = data;

  while (site_get_stat (site, RESOLVE, "requests") < 2)
    g_usleep (5000);
  kill (encore_worker_get_pid (rig->worker), SIGKILL);
  return NULL;
}

static void
test_killed_while_asked (Rig *rig, gconstpointer data)
{
  const pid_t pid = start (rig);

  site_set_faults (site, "{\"" RESOLVE "\": {\"delay\": 20, \"times\": 1}}");
  g_autoptr (GThread) thread = g_thread_new ("kill", kill_when_asked, rig);
  assert_resolves (rig);
  g_thread_join (g_steal_pointer (&thread));
  g_assert_false (is_warm (rig));
  g_assert_cmpint (start (rig), !=, pid);
}

static void
test_hangs (Rig *rig, gconstpointer data)
{
  const gint64 began_us = g_get_monotonic_time ();

  start (rig);
  rig->config->resolve_timeout_ms = 6000; /* a third of it for the worker */
  site_set_faults (site, "{\"" RESOLVE "\": {\"delay\": 60, \"times\": 1}}");
  assert_resolves (rig);
  g_assert_false (is_warm (rig));
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 20 * G_USEC_PER_SEC);
  g_assert_cmpint (encore_worker_get_pid (rig->worker), ==, 0);
  rig->config->resolve_timeout_ms = 45000;
  start (rig);
}

static void
test_upgrade (Rig *rig, gconstpointer data)
{
  use_faulty (rig, "pass");
  const pid_t pid = start (rig);

  g_assert_cmpint (start (rig), ==, pid);
  use_faulty (rig, "pass # newer");
  const pid_t newer = start (rig);
  g_assert_cmpint (newer, !=, pid);
  g_assert_cmpint (kill (pid, 0), <, 0);
  g_assert_cmpint (start (rig), ==, newer);
}

static void
write_cookies (Rig *rig, const char *value)
{
  g_autofree char *text = g_strdup_printf ("# Netscape HTTP Cookie File\n"
                                           ".example.org\tTRUE\t/\tFALSE\t0\tsession\t%s\n",
                                           value);

  g_assert_true (g_file_set_contents (rig->config->cookies, text, -1, NULL));
}

static void
assert_copied (Rig *rig, const char *value)
{
  g_autofree char *path = g_build_filename (rig->resolver, "home", "cookies.txt", NULL);
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_nonnull (strstr (text, value));
}

/* It has them from its start: new ones need a new process, at the next question. */
static void
test_new_cookies (Rig *rig, gconstpointer data)
{
  g_free (rig->config->cookies);
  rig->config->cookies = g_build_filename (rig->dir, "cookies", NULL);
  write_cookies (rig, "morning");
  const pid_t pid = start (rig);
  assert_copied (rig, "morning");
  g_assert_cmpint (start (rig), ==, pid);
  write_cookies (rig, "evening"); /* as long as before */
  g_assert_cmpint (encore_worker_get_pid (rig->worker), ==, pid);
  const pid_t newer = start (rig);
  g_assert_cmpint (newer, !=, pid);
  g_assert_cmpint (kill (pid, 0), <, 0);
  assert_copied (rig, "evening");
  g_assert_cmpint (start (rig), ==, newer);
}

static void
test_idle (Rig *rig, gconstpointer data)
{
  rig->config->resolver_idle_ms = 1000;
  const pid_t pid = start (rig);
  const gint64 began_us = g_get_monotonic_time ();

  await_end (rig, pid);
  g_assert_cmpint (g_get_monotonic_time () - began_us, >, G_USEC_PER_SEC / 2);
  start (rig);
}

/* ---- what it says */

static void
test_garbage (Rig *rig, gconstpointer data)
{
  static const char *const faults[] = {
      "sys.exit(0)",
      "raise RuntimeError('no')",
      "os.kill(os.getpid(), 9)",
      "time.sleep(1000)",
      "[sys.stdout.write('x' * 65536) for _ in iter(int, 1)]",
      "[print('{}') for _ in iter(int, 1)]",
      ("print('{\"event\": \"end\", \"request\": 7, \"error\": \"\"}', flush=True); "
       "time.sleep(1000)"),
  };

  for (gsize i = 0; i < G_N_ELEMENTS (faults); i++) {
    g_autoptr (EncoreWorker) worker =
        encore_worker_new (rig->config, rig->resolver, rig->ytdlp_cache);
    EncoreWorker *usual = rig->worker;
    g_test_message ("%s", faults[i]);
    rig->config->resolve_timeout_ms = 6000;
    use_faulty (rig, faults[i]);
    rig->worker = worker;
    assert_resolves (rig);
    g_assert_false (is_warm (rig));
    g_assert_cmpint (encore_worker_get_pid (worker), ==, 0);
    rig->worker = usual;
  }
}

/* Lines of others between its own, and things of the wrong type. */
static void
test_noise (Rig *rig, gconstpointer data)
{
  use_faulty (rig,
              "print('hello\\n[]\\n{\"event\": 5}\\n{\"event\": \"end\"}\\n{\"event\": \"end\", "
              "\"request\": []}\\n{\"event\": \"ready\", \"file\": 7}\\n\\xff\\x00'); "
              "os.write(1, b'from a library\\n'); os.system('echo from a child')");
  start (rig);
}

/* A program whose modules cannot be taken is not even tried. */
static void
test_no_python (Rig *rig, gconstpointer data)
{
  g_autofree char *shell = g_build_filename (rig->dir, "shell", NULL);
  g_autofree char *text = g_strdup_printf ("#!/bin/sh\nexec %s \"$@\"\n", site_get_ytdlp (site));

  g_assert_true (
      g_file_set_contents_full (shell, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0755, NULL));
  g_free (rig->config->ytdlp);
  rig->config->ytdlp = g_steal_pointer (&shell);
  assert_resolves (rig);
  g_assert_false (is_warm (rig));
}

/* Not started again and again: twice, then it rests for four seconds and longer. */
static void
test_rests (Rig *rig, gconstpointer data)
{
  const gint64 began_us = g_get_monotonic_time ();
  g_autofree char *starts = g_build_filename (rig->dir, "starts", NULL);
  g_autofree char *fault = g_strdup_printf ("open('%s', 'a').write('x'); sys.exit(1)", starts);
  g_autofree char *count = NULL;

  use_faulty (rig, fault);
  for (int i = 0; i < 4; i++) {
    assert_resolves (rig);
    g_assert_false (is_warm (rig));
  }
  g_assert_true (g_file_get_contents (starts, &count, NULL, NULL));
  const gint64 rested =
      (g_get_monotonic_time () - began_us) / (4 * G_USEC_PER_SEC); /* 0, if not busy */
  g_assert_cmpint (strlen (count), >=, 2);
  g_assert_cmpint (strlen (count), <=, 2 + rested);
}

/* ---- several callers */

static gpointer
resolve_slowly (gpointer data)
{
  g_auto (EncoreDownload) out = {0};

  return GINT_TO_POINTER (resolve (data, "loudAAAAAAA", &out, NULL));
}

/* Who finds it busy does not wait. */
static void
test_busy (Rig *rig, gconstpointer data)
{
  const pid_t pid = start (rig);

  site_set_faults (site, "{\"resolve/video/loudAAAAAAA\": {\"delay\": 5}}");
  GThread *thread = g_thread_new ("slow", resolve_slowly, rig);
  while (site_get_stat (site, "resolve/video/loudAAAAAAA", "requests") == 0)
    g_usleep (5000);
  const gint64 began_us = g_get_monotonic_time ();
  assert_resolves (rig);
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 4 * G_USEC_PER_SEC);
  g_assert_false (is_warm (rig));
  g_assert_true (GPOINTER_TO_INT (g_thread_join (thread)));
  g_assert_cmpint (start (rig), ==, pid);
}

static gpointer
cancel_when_asked (gpointer data)
{
  Rig *rig = data;

  while (site_get_stat (site, "resolve/video/loudAAAAAAA", "requests") == 0)
    g_usleep (5000);
  g_cancellable_cancel (rig->cancellable);
  return NULL;
}

static void
test_cancel (Rig *rig, gconstpointer data)
{
  g_auto (EncoreDownload) out = {0};
  g_autoptr (GError) error = NULL;

  start (rig);
  site_set_faults (site, "{\"resolve/video/loudAAAAAAA\": {\"delay\": 30}}");
  g_autoptr (GThread) thread = g_thread_new ("cancel", cancel_when_asked, rig);
  const gint64 began_us = g_get_monotonic_time ();
  g_assert_false (resolve (rig, "loudAAAAAAA", &out, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED);
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 5 * G_USEC_PER_SEC);
  g_thread_join (g_steal_pointer (&thread));
  /* and at its end nobody waits for the answer either: rig_tear_down () */
}

#define ADD(name, func) g_test_add (name, Rig, NULL, rig_set_up, func, rig_tear_down)

int
main (int argc, char **argv)
{
  const char *why = NULL;

  g_test_init (&argc, &argv, NULL);
  site = site_start (&why);
  if (site == NULL) {
    g_print ("1..0 # SKIP %s is missing\n", why);
    return 0;
  }
  ADD ("/worker/warm-answers", test_warm);
  ADD ("/worker/refusals", test_refusals);
  ADD ("/worker/too-long", test_too_long);
  ADD ("/worker/killed", test_killed);
  ADD ("/worker/killed-while-asked", test_killed_while_asked);
  ADD ("/worker/hangs", test_hangs);
  ADD ("/worker/upgrade", test_upgrade);
  ADD ("/worker/new-cookies", test_new_cookies);
  ADD ("/worker/idle", test_idle);
  ADD ("/worker/garbage", test_garbage);
  ADD ("/worker/noise", test_noise);
  ADD ("/worker/no-python", test_no_python);
  ADD ("/worker/rests-after-failures", test_rests);
  ADD ("/worker/busy", test_busy);
  ADD ("/worker/cancel", test_cancel);
  const int status = g_test_run ();
  site_stop (site);
  return status;
}
