/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The workers' log. */
#include "config.h"
#include "event.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int event_fd = -1;

void
event_open (const char *path)
{
  if (event_fd >= 0)
    close (event_fd);
  event_fd = path != NULL ? open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
}

void
event_tell (EventKind kind, const char *id, const char *detail)
{
  g_autofree char *line = g_strdup_printf ("%c %s %d %s\n", kind, id, (int) getpid (), detail);

  if (event_fd >= 0 && write (event_fd, line, strlen (line)) < 0)
    g_error ("the event file cannot be written");
}

typedef struct {
  EventExpected expected;
  guint removing;   /* removals that began and have not told their end */
  gboolean fetched; /* somebody fetched it since the first of them began */
} Expectation;

static Expectation *
expectation_of (GHashTable *table, const char *id)
{
  Expectation *e = g_hash_table_lookup (table, id);

  if (e == NULL) {
    e = g_new0 (Expectation, 1);
    g_hash_table_insert (table, g_strdup (id), e);
  }
  return e;
}

/* What must be true of ID after KIND, whatever was going on beside it. */
static void
expect (Expectation *e, char kind)
{
  switch (kind) {
  case EVENT_ACK:
    e->fetched = TRUE;
    e->expected = e->removing > 0 ? EVENT_UNKNOWN : EVENT_MUST_BE_THERE;
    break;
  case EVENT_REMOVE:
    if (e->removing++ == 0)
      e->fetched = FALSE;
    e->expected = EVENT_UNKNOWN;
    break;
  case EVENT_REMOVED:
    e->removing--;
    e->expected = e->fetched ? EVENT_UNKNOWN : EVENT_MUST_BE_GONE;
    break;
  case EVENT_KEPT:
    e->removing--;
    break;
  case EVENT_FETCH:
    e->fetched = TRUE;
    if (e->expected == EVENT_MUST_BE_GONE)
      e->expected = EVENT_UNKNOWN;
    break;
  default:
    break;
  }
}

static void
take_line (EventSummary *self, const char *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", 4);

  if (g_strv_length (words) < 4)
    return;
  const guchar kind = *words[0];
  self->n[kind]++;
  expect (expectation_of (self->expected, words[1]), kind);
  if (kind == EVENT_CLEAN) {
    self->clean_processes++;
    self->plays += g_ascii_strtoll (words[3], NULL, 10);
  }
  if (strchr ("OBU", kind) != NULL && self->first_violation == NULL)
    self->first_violation = g_strdup (line);
  if (kind == EVENT_ERROR && self->first_error == NULL)
    self->first_error = g_strdup (line);
}

EventSummary *
event_summarise (const char *path)
{
  EventSummary *self = g_new0 (EventSummary, 1);
  g_autofree char *text = NULL;
  GHashTableIter iter;
  gpointer value;

  self->expected = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  if (g_file_get_contents (path, &text, NULL, NULL)) {
    g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
    for (char **line = lines; *line != NULL; line++)
      take_line (self, *line);
  }
  /* a removal whose end was never told may have happened */
  g_hash_table_iter_init (&iter, self->expected);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    Expectation *e = value;
    if (e->removing > 0)
      e->expected = EVENT_UNKNOWN;
  }
  return self;
}

void
event_summary_free (EventSummary *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->expected);
  g_free (self->first_violation);
  g_free (self->first_error);
  g_free (self);
}

guint
event_violations (const EventSummary *self)
{
  return self->n[EVENT_OVERLAP] + self->n[EVENT_BAD_BYTES] + self->n[EVENT_VANISHED];
}
