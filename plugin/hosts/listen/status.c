/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "hosts/listen/status.h"

#include <json-glib/json-glib.h>

struct Status {
  char *path, *url, *name;
  gboolean failed; /* the last write */
  GMutex mutex;    /* all below */
  gboolean changed;
  ListenState state;
  char *error, *title;
  gint64 since_s, title_since_s;
};

Status *
status_new (const char *path, const char *url, const char *name)
{
  Status *self = g_new0 (Status, 1);

  self->path = g_strdup (path);
  self->url = g_strdup (url);
  self->name = g_utf8_make_valid (name, -1);
  self->error = g_strdup ("");
  self->title = g_strdup ("");
  self->since_s = self->title_since_s = g_get_real_time () / G_USEC_PER_SEC;
  self->changed = TRUE;
  g_mutex_init (&self->mutex);
  return self;
}

void
status_free (Status *self)
{
  g_mutex_clear (&self->mutex);
  g_free (self->path);
  g_free (self->url);
  g_free (self->name);
  g_free (self->error);
  g_free (self->title);
  g_free (self);
}

void
status_set (Status *self, ListenState state, const char *error)
{
  g_mutex_lock (&self->mutex);
  if (self->state != state)
    self->since_s = g_get_real_time () / G_USEC_PER_SEC;
  self->state = state;
  g_free (self->error);
  self->error = g_strdup (error != NULL && state != LISTEN_LIVE ? error : "");
  self->changed = TRUE;
  g_mutex_unlock (&self->mutex);
}

void
status_set_title (Status *self, const char *title)
{
  g_mutex_lock (&self->mutex);
  g_free (self->title);
  self->title = g_utf8_make_valid (title, -1);
  self->title_since_s = g_get_real_time () / G_USEC_PER_SEC;
  self->changed = TRUE;
  g_mutex_unlock (&self->mutex);
}

static void
add_string (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, value);
}

static void
add_number (JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

/* Under MUTEX.  (transfer full) */
static char *
make_text (Status *self)
{
  static const char *const states[] = {"joining", "live", "lost", "refused", "ended"};
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  add_string (builder, "name", self->name);
  add_string (builder, "url", self->url);
  add_string (builder, "state", states[self->state]);
  add_number (builder, "since", self->since_s);
  add_string (builder, "title", self->title);
  add_number (builder, "title_since", self->title_since_s);
  add_string (builder, "error", self->error);
  json_builder_end_object (builder);
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  return json_to_string (root, FALSE);
}

void
status_write (Status *self)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  if (self->path == NULL)
    return;
  g_mutex_lock (&self->mutex);
  if (self->changed)
    text = make_text (self);
  self->changed = FALSE;
  g_mutex_unlock (&self->mutex);
  if (text == NULL)
    return;
  const gboolean ok =
      g_file_set_contents_full (self->path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0644, &error);
  if (!ok && !self->failed)
    g_message ("listen: %s", error->message);
  self->failed = !ok;
}
