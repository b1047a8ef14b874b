/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A process of the crash harness: uses one cache through the product's own store code, from several
 * threads, until it is killed or has done its share.  Every byte it is given is checked.
 *
 *   crash-load --dir DIR [--events FILE] [--seed N] [--threads N] [--ids N] [--ops N] [--sessions
 * N]
 *              [--budget BYTES] [--delay US] [--no-removal] [--once]
 *   crash-load --dir DIR --recover          opens and closes
 *   crash-load --dir DIR --scenario NAME    one deterministic thread (load-scenario.c)
 *
 * A session opens the cache, runs OPS operations a thread and closes it. */
#include "config.h"
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event.h"

#define PATIENCE_US (15 * G_USEC_PER_SEC)
#define PIECE_BYTES 4096
/* A killed process drops its locks before its pid vanishes: "alive" means alive later, too. */
#define DYING_US 100000

/* ---- one fetch at a time */

static gboolean
is_alive (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", (int) pid);
  g_autofree char *stat = NULL;

  if (!g_file_get_contents (path, &stat, NULL, NULL))
    return FALSE;
  const char *state = strrchr (stat, ')');
  return state != NULL && state[1] == ' ' && strchr ("ZXx", state[2]) == NULL;
}

static pid_t
read_owner (const char *mark)
{
  g_autofree char *text = NULL;

  return g_file_get_contents (mark, &text, NULL, NULL) ? atoi (text) : 0;
}

/* mark/ID says who fetches ID; somebody alive there already is an overlap. */
static void
mark_fetch (Load *load, const char *id, const char *mark)
{
  for (int tries = 0; tries < 1000; tries++) {
    const int fd = open (mark, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
      dprintf (fd, "%d", (int) getpid ());
      close (fd);
      return;
    }
    const pid_t owner = read_owner (mark);
    if (owner != 0 && is_alive (owner)) {
      g_usleep (DYING_US);
      if (is_alive (owner)) {
        event_tell (EVENT_OVERLAP, id, "fetched by two at once");
        return;
      }
    }
    if (owner != 0 || tries > 100)
      unlink (mark);
    else
      g_usleep (1000);
  }
}

/* ---- errors */

/* What may go wrong without a fault being injected. */
static gboolean
is_expected (const GError *error)
{
  return g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND) ||
         g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_BUSY) ||
         g_error_matches (error, ENCORE_ERROR, LOAD_FAILURE);
}

void
load_tell_error (const char *id, const GError *error)
{
  g_autofree char *text = g_strdup (error->message);

  if (!is_expected (error))
    event_tell (EVENT_ERROR, id, g_strdelimit (text, "\n", ' '));
}

/* ---- operations */

void
load_check_handle (EncoreHandle *handle, const char *id)
{
  g_autoptr (GByteArray) expected = song_opus (id);
  g_autofree guint8 *got = g_malloc (expected->len + 1);
  const int fd = encore_handle_get_fd (handle);
  struct stat st;
  gsize have = 0;
  gssize n = 0;

  while (have <= expected->len && (n = pread (fd, got + have, expected->len + 1 - have, have)) > 0)
    have += n;
  if (n < 0 || fstat (fd, &st) < 0) {
    event_tell (EVENT_ERROR, id, "cannot be read");
    return;
  }
  if (have != expected->len || memcmp (got, expected->data, have) != 0)
    event_tell (EVENT_BAD_BYTES, id, "not the bytes of the song");
  if (st.st_nlink == 0)
    event_tell (EVENT_VANISHED, id, "removed under its reader");
}

static gboolean
write_pieces (Load *load, Dice *dice, const char *path, const GByteArray *bytes)
{
  const int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  gboolean ok = fd >= 0;

  for (gsize done = 0; ok && done < bytes->len;) {
    const gssize n = write (fd, bytes->data + done, MIN (PIECE_BYTES, bytes->len - done));
    ok = n > 0;
    done += MAX (n, 0);
    if (load->delay_us > 0)
      g_usleep (dice_roll (dice, load->delay_us));
  }
  if (fd >= 0)
    close (fd);
  return ok;
}

/* As a fetch does: both files into the claim's directory. */
gboolean
load_fill (Load *load, Dice *dice, EncoreClaim *claim, const char *id, EncorePublish *what)
{
  g_autoptr (GByteArray) opus = song_opus (id), source = song_source (id);
  g_autofree char *opus_path = g_build_filename (encore_claim_get_dir (claim), "song.opus", NULL);
  g_autofree char *source_path =
      g_build_filename (encore_claim_get_dir (claim), "song." SONG_SOURCE_EXT, NULL);

  what->opus_name = "song.opus";
  what->source_name = source != NULL ? "song." SONG_SOURCE_EXT : NULL;
  what->duration_ms = 1000;
  return (source == NULL || write_pieces (load, dice, source_path, source)) &&
         write_pieces (load, dice, opus_path, opus);
}

static void
fetch_with (Load *load, Dice *dice, EncoreClaim *claim, const char *id)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *title = song_title (id);
  EncorePublish what = {.title = title};

  if (!load_fill (load, dice, claim, id, &what)) {
    event_tell (EVENT_ERROR, id, g_strerror (errno));
    return;
  }
  if (!load->once && dice_roll (dice, 50) == 0) { /* the download breaks */
    encore_claim_fail (claim, LOAD_FAILURE, "no network in this test");
    return;
  }
  g_autoptr (EncoreHandle) handle = encore_claim_publish (claim, &what, &error);
  if (handle == NULL) {
    load_tell_error (id, error);
    return;
  }
  event_tell (EVENT_ACK, id, "");
  g_atomic_int_inc (&load->plays);
  load_check_handle (handle, id);
}

static void
fetch (Load *load, Dice *dice, const char *id)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EncoreHandle) hit = NULL;
  g_autofree char *mark = g_build_filename (load->marks, id, NULL);
  EncoreClaim *claim = encore_cache_claim (load->cache, id, g_get_monotonic_time () + PATIENCE_US,
                                           NULL, &hit, &error);

  if (hit != NULL)
    load_check_handle (hit, id);
  else if (claim == NULL)
    load_tell_error (id, error);
  if (claim == NULL)
    return;
  event_tell (EVENT_FETCH, id, "");
  mark_fetch (load, id, mark);
  fetch_with (load, dice, claim, id);
  unlink (mark);
  encore_claim_free (claim);
  encore_cache_forget_failure (load->cache, id, NULL);
}

void
load_get (Load *load, Dice *dice, const char *id)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EncoreHandle) handle = encore_cache_get (load->cache, id, TRUE, &error);

  if (handle == NULL) {
    load_tell_error (id, error);
    fetch (load, dice, id);
    return;
  }
  g_atomic_int_inc (&load->plays);
  load_check_handle (handle, id);
  if (dice_roll (dice, 4) == 0 && !load->once) {
    g_usleep (dice_roll (dice, 2000));
    load_check_handle (handle, id);
  }
}

/* What is queued stays: a hit under the lease is a hit again. */
static void
protect (Load *load, Dice *dice, const char *id)
{
  EncoreLease *lease = encore_cache_protect (load->cache, id);
  EncoreHandle *first = lease != NULL ? encore_cache_get (load->cache, id, FALSE, NULL) : NULL;

  if (first != NULL) {
    encore_handle_free (first);
    g_usleep (dice_roll (dice, 2000));
    g_autoptr (EncoreHandle) again = encore_cache_get (load->cache, id, FALSE, NULL);
    if (again == NULL && !load->faulty)
      event_tell (EVENT_VANISHED, id, "removed while it was queued");
  }
  encore_cache_unprotect (lease);
}

static void
on_evicted (const char *id, gboolean removed, gint64 bytes, const char *reason, gpointer data)
{
}

/* Beside live peers there is nothing to repair but what dead ones left unfinished. */
static void
tell_audit (const char *id, const EncoreAudit *audit)
{
  g_autofree char *text = g_strdup_printf (
      "an audit beside live peers: %d adopted, %d orphans, %d dangling, %d mismatched",
      (int) audit->adopted, (int) audit->orphans, (int) audit->dangling, (int) audit->mismatched);

  event_tell (EVENT_ERROR, id, text);
}

static void
tend (Load *load, Dice *dice, const char *id, guint what)
{
  g_autoptr (GError) error = NULL;
  EncoreAudit audit;
  gboolean ok = TRUE;

  if (what < 8) {
    event_tell (EVENT_REMOVE, id, "");
    ok = encore_cache_remove (load->cache, id, &error);
    event_tell (ok ? EVENT_REMOVED : EVENT_KEPT, id, "");
  } else if (what < 12) {
    ok = load->budget_bytes == 0 ||
         encore_cache_evict (load->cache, load->budget_bytes / 2, on_evicted, NULL, &error) >= 0;
  } else if (what < 14) {
    ok = encore_cache_flush (load->cache, &error);
  } else if (what < 16) {
    ok = encore_cache_pin (load->cache, id, dice_roll (dice, 4) == 0, &error);
  } else {
    ok = encore_cache_audit (load->cache, FALSE, &audit, NULL, NULL, &error);
    if (ok && audit.adopted + audit.orphans + audit.dangling + audit.mismatched > 0)
      tell_audit (id, &audit);
  }
  if (!ok)
    load_tell_error (id, error);
}

/* 200 faces: 8 removals, 4 evictions, 2 flushes, 2 pins, 1 audit, 10 queued, else a get. */
static void
operate (Load *load, Dice *dice)
{
  const double u = dice_roll (dice, 1 << 20) / (double) (1 << 20);
  g_autofree char *id = song_id (u * u * load->ids);
  const guint what = dice_roll (dice, 200);

  if (what >= 17 && what < 27)
    protect (load, dice, id);
  else if (what >= 17 || load->no_removal)
    load_get (load, dice, id);
  else
    tend (load, dice, id, what);
}

/* ---- threads and sessions */

typedef struct {
  Load *load;
  Dice dice;
} Worker;

static gpointer
worker_thread (gpointer data)
{
  Worker *worker = data;

  if (worker->load->once) /* all want the same in the same order */
    for (guint i = 0; i < worker->load->ids; i++) {
      g_autofree char *id = song_id (i);
      load_get (worker->load, &worker->dice, id);
    }
  else
    for (guint i = 0; i < worker->load->ops; i++)
      operate (worker->load, &worker->dice);
  return NULL;
}

gboolean
load_open (Load *load)
{
  const EncoreCacheOptions options = {
      .dir = load->dir, .max_size_bytes = load->budget_bytes, .policy = ENCORE_EVICT_GDSF};
  g_autoptr (GError) error = NULL;

  load->cache = encore_cache_open (&options, &error);
  if (load->cache == NULL)
    load_tell_error ("-", error);
  if (load->ready_fd > 0)
    close (load->ready_fd); /* whoever waits for it sees its end */
  load->ready_fd = 0;
  return load->cache != NULL;
}

static gboolean
run_session (Load *load, guint session)
{
  g_autofree Worker *workers = g_new (Worker, load->threads);
  g_autofree GThread **threads = g_new (GThread *, load->threads);

  if (!load_open (load))
    return FALSE;
  for (guint i = 0; i < load->threads; i++) {
    workers[i].load = load;
    dice_seed (&workers[i].dice, (guint64) load->seed * 1000003 + session * 1009 + i);
    threads[i] = g_thread_new ("load", worker_thread, &workers[i]);
  }
  for (guint i = 0; i < load->threads; i++)
    g_thread_join (threads[i]);
  encore_cache_close (load->cache);
  g_autofree char *plays = g_strdup_printf ("%d", load->plays);
  event_tell (EVENT_CLEAN, "-", plays);
  load->plays = 0;
  return TRUE;
}

static void
ignore_log (const char *domain, GLogLevelFlags level, const char *message, gpointer data)
{
}

int
main (int argc, char **argv)
{
  Load load = {.threads = 4, .ids = 40, .ops = 200, .sessions = 1};
  g_autofree char *dir = NULL, *marks = NULL, *events = NULL, *scenario = NULL;
  gboolean recover = FALSE;
  const GOptionEntry entries[] = {
      {"dir", 0, 0, G_OPTION_ARG_FILENAME, &dir, NULL, NULL},
      {"marks", 0, 0, G_OPTION_ARG_FILENAME, &marks, NULL, NULL},
      {"events", 0, 0, G_OPTION_ARG_FILENAME, &events, NULL, NULL},
      {"seed", 0, 0, G_OPTION_ARG_INT64, &load.seed, NULL, NULL},
      {"threads", 0, 0, G_OPTION_ARG_INT, &load.threads, NULL, NULL},
      {"ready", 0, 0, G_OPTION_ARG_INT, &load.ready_fd, NULL, NULL},
      {"ids", 0, 0, G_OPTION_ARG_INT, &load.ids, NULL, NULL},
      {"ops", 0, 0, G_OPTION_ARG_INT, &load.ops, NULL, NULL},
      {"sessions", 0, 0, G_OPTION_ARG_INT, &load.sessions, NULL, NULL},
      {"budget", 0, 0, G_OPTION_ARG_INT64, &load.budget_bytes, NULL, NULL},
      {"delay", 0, 0, G_OPTION_ARG_INT, &load.delay_us, NULL, NULL},
      {"no-removal", 0, 0, G_OPTION_ARG_NONE, &load.no_removal, NULL, NULL},
      {"once", 0, 0, G_OPTION_ARG_NONE, &load.once, NULL, NULL},
      {"recover", 0, 0, G_OPTION_ARG_NONE, &recover, NULL, NULL},
      {"faulty", 0, 0, G_OPTION_ARG_NONE, &load.faulty, NULL, NULL},
      {"scenario", 0, 0, G_OPTION_ARG_STRING, &scenario, NULL, NULL},
      {NULL, 0, 0, 0, NULL, NULL, NULL}};
  g_autoptr (GOptionContext) context = g_option_context_new ("");
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || dir == NULL)
    g_error ("crash-load: %s", error != NULL ? error->message : "--dir is missing");
  load.dir = dir;
  load.marks = marks;
  event_open (events);
  if (load.faulty) /* its calls are made to fail, and it is right to complain */
    g_log_set_handler (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, ignore_log, NULL);
  if (recover)
    return !load_run_scenario (&load, "recover");
  if (scenario != NULL)
    return !load_run_scenario (&load, scenario);
  for (guint i = 0; i < load.sessions; i++)
    if (!run_session (&load, i))
      return 1;
  return 0;
}
