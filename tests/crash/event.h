/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What workers tell: one line, one write, into a file outside the cache that is only appended to,
 * so that a SIGKILL loses nothing that was told. */
#pragma once

#include <glib.h>

/* One letter each. */
typedef enum {
  EVENT_FETCH = 'S',     /* a fetch begins */
  EVENT_ACK = 'A',       /* publish returned; told while the handle's lease is held */
  EVENT_REMOVE = 'r',    /* a removal begins */
  EVENT_REMOVED = 'R',   /* it is done */
  EVENT_KEPT = 'n',      /* it was refused: busy, or not there */
  EVENT_CLEAN = 'C',     /* a process closed the cache: DETAIL plays were counted by it */
  EVENT_OVERLAP = 'O',   /* violation: two live fetches of one id */
  EVENT_BAD_BYTES = 'B', /* violation: a hit with other bytes than the song's */
  EVENT_VANISHED = 'U',  /* violation: the file of a hit or of a queued song was removed */
  EVENT_ERROR = 'E',     /* an operation failed */
} EventKind;

/* Opens PATH for appending; NULL: nobody listens. */
void event_open (const char *path);
void event_tell (EventKind kind, const char *id, const char *detail);

typedef struct {
  guint n[256]; /* by kind */
  gint64 plays; /* sum of the CLEAN ones */
  guint clean_processes;
  char *first_violation; /* (nullable) */
  char *first_error;     /* (nullable) */
  GHashTable *expected;  /* id -> EventExpected */
} EventSummary;

typedef enum { EVENT_UNKNOWN, EVENT_MUST_BE_THERE, EVENT_MUST_BE_GONE } EventExpected;

/* The whole file.  Violations are O, B, U. */
EventSummary *event_summarise (const char *path);
void event_summary_free (EventSummary *self);
guint event_violations (const EventSummary *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EventSummary, event_summary_free)
