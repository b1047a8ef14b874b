/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "mumble-outbox.h"

#include <string.h>

#include "mumble-text.h"

#define LINES_MAX 200 /* that wait; a room that is asked for more has other troubles */
/* old clients are slow with longer ones, whatever the server allows */
#define LENGTH_MAX 4000
#define BREAK "<br/>"

typedef struct {
  guint32 session;
  char *html;
} Line;

struct MumbleOutbox {
  MumbleOutboxFuncs funcs;
  gpointer data;
  MumbleBucket bucket;
  GQueue lines; /* Line */
  guint dropped;
  guint length;
  gboolean html, opened, touched;
  guint timer;
};

gint64
mumble_bucket_take (MumbleBucket *self, gint64 now_us)
{
  const gint64 whole = (now_us - self->last_us) / MUMBLE_UNIT_US;

  if (whole > 0) {
    self->last_us = now_us;
    self->used -= MIN (self->used, (guint64) whole);
  }
  if (self->used >= MUMBLE_BURST)
    return self->last_us + MUMBLE_UNIT_US - now_us;
  self->used++;
  return 0;
}

static void
line_free (Line *line)
{
  g_free (line->html);
  g_free (line);
}

MumbleOutbox *
mumble_outbox_new (const MumbleOutboxFuncs *funcs, gpointer data)
{
  MumbleOutbox *self = g_new0 (MumbleOutbox, 1);

  self->funcs = *funcs;
  self->data = data;
  self->length = LENGTH_MAX;
  self->html = TRUE;
  return self;
}

void
mumble_outbox_free (MumbleOutbox *self)
{
  if (self->timer != 0)
    g_source_remove (self->timer);
  g_queue_clear_full (&self->lines, (GDestroyNotify) line_free);
  g_free (self);
}

/* The lines for the one that waits longest, as many as go into one message. */
static char *
take_message (MumbleOutbox *self, guint32 *session)
{
  g_autoptr (GString) out = g_string_new (NULL);
  gsize units = 0;

  *session = ((Line *) self->lines.head->data)->session;
  for (GList *l = self->lines.head, *next; l != NULL; l = next) {
    Line *line = l->data;
    next = l->next;
    if (line->session != *session)
      continue;
    const gsize more = mumble_text_units (line->html) + (out->len > 0 ? strlen (BREAK) : 0);
    if (out->len > 0 && (!self->html || units + more > self->length))
      break;
    if (out->len > 0)
      g_string_append (out, BREAK);
    g_string_append (out, line->html);
    units += more;
    line_free (line);
    g_queue_delete_link (&self->lines, l);
  }
  return g_strdup (out->str);
}

static void pump (MumbleOutbox *self);

static gboolean
on_timer (gpointer data)
{
  MumbleOutbox *self = data;

  self->timer = 0;
  pump (self);
  return G_SOURCE_REMOVE;
}

/* Takes a token, or sets the timer. */
static gboolean
may_send (MumbleOutbox *self)
{
  const gint64 wait_us = mumble_bucket_take (&self->bucket, g_get_monotonic_time ());

  if (wait_us > 0)
    self->timer = g_timeout_add (wait_us / 1000 + 1, on_timer, self);
  return wait_us == 0;
}

/* Its own state first: that is short and rare. */
static void
pump (MumbleOutbox *self)
{
  while (self->opened && self->timer == 0 && (self->touched || self->lines.length > 0)) {
    if (!may_send (self))
      return;
    if (self->touched) {
      self->touched = FALSE;
      self->funcs.state (self->data);
      continue;
    }
    guint32 session;
    g_autofree char *html = take_message (self, &session);
    self->funcs.text (session, html, self->data);
  }
  if (self->lines.length == 0 && self->dropped > 0) {
    g_autofree char *text =
        g_strdup_printf ("%u more answers were too many for this server.", self->dropped);
    self->dropped = 0;
    mumble_outbox_say (self, MUMBLE_TO_CHANNEL, text);
  }
}

void
mumble_outbox_open (MumbleOutbox *self)
{
  self->opened = TRUE;
  pump (self);
}

void
mumble_outbox_shut (MumbleOutbox *self)
{
  self->opened = self->touched = FALSE;
  if (self->timer != 0)
    g_source_remove (self->timer);
  self->timer = 0;
  self->bucket = (MumbleBucket){0};
  for (GList *l = self->lines.head, *next; l != NULL; l = next) {
    Line *line = l->data;
    next = l->next;
    if (line->session == MUMBLE_TO_CHANNEL)
      continue;
    line_free (line);
    g_queue_delete_link (&self->lines, l);
  }
}

void
mumble_outbox_set_limits (MumbleOutbox *self, guint length, gboolean html)
{
  self->length = length == 0 ? LENGTH_MAX : MIN (length, LENGTH_MAX);
  self->html = html;
}

static void
add_line (MumbleOutbox *self, guint32 session, const char *html)
{
  if (self->lines.length >= LINES_MAX) {
    self->dropped++;
    return;
  }
  Line *line = g_new (Line, 1);
  *line = (Line){session, g_strdup (html)};
  g_queue_push_tail (&self->lines, line);
}

void
mumble_outbox_say (MumbleOutbox *self, guint32 session, const char *text)
{
  g_auto (GStrv) rows = g_strsplit (text, "\n", -1);

  for (char **row = rows; *row != NULL; row++) {
    g_autoptr (GPtrArray) pieces = mumble_text_to_html (*row, self->length);
    for (guint i = 0; i < pieces->len; i++)
      if (*(char *) pieces->pdata[i] != '\0')
        add_line (self, session, pieces->pdata[i]);
  }
  pump (self);
}

void
mumble_outbox_touch (MumbleOutbox *self)
{
  self->touched = self->opened;
  pump (self);
}

void
mumble_outbox_count (MumbleOutbox *self)
{
  mumble_bucket_take (&self->bucket, g_get_monotonic_time ());
}
