/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What people see, and how they interrupt. */
#include "config.h"
#include "tool.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/encore-media-id.h"

#define BAR_WIDTH 30
#define BAR_US (G_USEC_PER_SEC / 10)
#define LINE_US (5 * G_USEC_PER_SEC)

int
tool_fail (const GError *error)
{
  g_autofree char *message = tool_printable (error->message);

  tool_progress_clear ();
  fprintf (stderr, "encore-cache: %s\n", message);
  return g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND) ? EXIT_FOUND : EXIT_FAILED;
}

char *
tool_printable (const char *bytes)
{
  GString *out = g_string_new (NULL);

  for (const char *p = bytes; *p != '\0';) {
    const gunichar c = g_utf8_get_char_validated (p, -1);
    if (c == (gunichar) -1 || c == (gunichar) -2) {
      g_string_append_printf (out, "\\x%02x", (guchar) *p++);
      continue;
    }
    const GUnicodeType type = g_unichar_type (c);
    if (c < 0x20 || c == 0x7f)
      g_string_append_printf (out, "\\x%02x", c);
    else if (g_unichar_isprint (c) && type != G_UNICODE_FORMAT && type != G_UNICODE_PRIVATE_USE)
      g_string_append_unichar (out, c);
    else
      g_string_append_printf (out, "\\u{%04x}", c);
    p = g_utf8_next_char (p);
  }
  return g_string_free (out, FALSE);
}

char *
tool_parse_stem (const char *text)
{
  EncoreMediaId id;

  return encore_media_id_from_user (text, &id) || encore_media_id_from_stem (text, &id)
             ? encore_media_id_to_stem (&id)
             : NULL;
}

char *
tool_take_stem (const ToolCall *call)
{
  char *stem = tool_parse_stem (call->args[0]);

  if (stem == NULL) {
    g_autofree char *shown = tool_printable (call->args[0]);
    fprintf (stderr, "encore-cache: '%.80s' is not an id or a link of one song\n", shown);
  }
  return stem;
}

void
tool_print_decision (const char *id, gboolean removed, gint64 bytes, const char *reason,
                     gpointer data)
{
  g_autofree char *name = tool_printable (id);

  tool_progress_clear ();
  printf ("%-7s %s (%" G_GINT64_FORMAT " bytes): %s\n", removed ? "removed" : "kept", name, bytes,
          reason);
}

char *
tool_length (gint64 ms)
{
  const int s = ms / 1000;

  if (s >= 3600)
    return g_strdup_printf ("%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
  return g_strdup_printf ("%d:%02d", s / 60, s % 60);
}

/* ---- progress */

static struct {
  gboolean shown; /* a bar is on the line */
  gint64 told_us;
} progress;

void
tool_progress_clear (void)
{
  if (progress.shown)
    fputs ("\r\033[K", stderr);
  progress.shown = FALSE;
}

void
tool_progress (const char *what, gint64 done, gint64 total)
{
  const gboolean bar = isatty (STDERR_FILENO);
  const gint64 now_us = g_get_monotonic_time ();

  if (progress.told_us == 0 && !bar)
    progress.told_us = now_us; /* short work needs no line */
  if (total <= 0 || now_us < progress.told_us + (bar ? BAR_US : LINE_US))
    return;
  progress.told_us = now_us;
  if (!bar) {
    fprintf (stderr, "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " %s\n", done, total, what);
    return;
  }
  const int full = BAR_WIDTH * done / total;
  char signs[BAR_WIDTH + 1];
  memset (signs, '.', BAR_WIDTH);
  memset (signs, '#', CLAMP (full, 0, BAR_WIDTH));
  signs[BAR_WIDTH] = '\0';
  fprintf (stderr, "\r\033[K[%s] %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " %s", signs, done,
           total, what);
  fflush (stderr);
  progress.shown = TRUE;
}

/* ---- signals */

static gpointer
wait_for_signals (gpointer data)
{
  sigset_t set;
  int number;

  sigemptyset (&set);
  sigaddset (&set, SIGINT);
  sigaddset (&set, SIGTERM);
  sigwait (&set, &number);
  g_cancellable_cancel (data);
  sigwait (&set, &number);
  _exit (128 + number);
  return NULL;
}

GCancellable *
tool_catch_signals (void)
{
  GCancellable *cancellable = g_cancellable_new (); /* lives as long as the process */
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, SIGINT);
  sigaddset (&set, SIGTERM);
  pthread_sigmask (SIG_BLOCK, &set, NULL);
  g_thread_unref (g_thread_new ("signals", wait_for_signals, cancellable));
  return cancellable;
}
