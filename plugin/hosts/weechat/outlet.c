/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "outlet.h"

#include "api.h"
#include "text.h"

#define BURST_LINES 3
#define WAITING_MAX 20 /* lines of one server */
#define TIMER_MS 100

typedef struct {
  char *channel, *text;
} Line;

typedef struct {
  Bucket bucket;
  GQueue waiting; /* Line */
  guint n_left_out;
} Server;

struct Outlet {
  Options *options;
  GHashTable *servers;  /* name -> Server */
  struct t_hook *timer; /* NULL: nothing waits */
};

static void
line_free (gpointer data)
{
  Line *self = data;

  g_free (self->channel);
  g_free (self->text);
  g_free (self);
}

static void
server_free (gpointer data)
{
  Server *self = data;

  g_queue_clear_full (&self->waiting, line_free);
  g_free (self);
}

/* "user_message": else a text that begins with a slash would be a command of WeeChat. */
static void
send_line (const char *server, const char *channel, const char *text)
{
  g_autofree char *command =
      g_strdup_printf ("%s;%s;priority_low,user_message;;%s", server, channel, text);

  weechat_hook_signal_send ("irc_input_send", WEECHAT_HOOK_SIGNAL_STRING, command);
}

/* Returns: whether something still waits. */
static gboolean
send_due (Outlet *self, const char *name, Server *server)
{
  const gint64 interval_us =
      options_get_line_interval_ms (self->options) * G_GINT64_CONSTANT (1000);

  while (!g_queue_is_empty (&server->waiting) &&
         bucket_take (&server->bucket, g_get_monotonic_time (), interval_us, BURST_LINES)) {
    Line *line = g_queue_pop_head (&server->waiting);
    if (server->n_left_out > 0) {
      g_autofree char *text = g_strdup_printf ("(%u left out) %s", server->n_left_out, line->text);
      send_line (name, line->channel, text);
      server->n_left_out = 0;
    } else {
      send_line (name, line->channel, line->text);
    }
    line_free (line);
  }
  return !g_queue_is_empty (&server->waiting);
}

static int
on_timer (const void *pointer, void *data, int remaining)
{
  Outlet *self = (Outlet *) pointer;
  GHashTableIter iter;
  gpointer name, server;
  gboolean more = FALSE;

  g_hash_table_iter_init (&iter, self->servers);
  while (g_hash_table_iter_next (&iter, &name, &server))
    more |= send_due (self, name, server);
  if (!more) {
    weechat_unhook (self->timer);
    self->timer = NULL;
  }
  return WEECHAT_RC_OK;
}

void
outlet_say (Outlet *self, const char *name, const char *channel, const char *text)
{
  Server *server = g_hash_table_lookup (self->servers, name);
  Line *line = g_new (Line, 1);

  if (server == NULL) {
    server = g_new0 (Server, 1);
    g_queue_init (&server->waiting);
    g_hash_table_insert (self->servers, g_strdup (name), server);
  }
  *line = (Line){g_strdup (channel), g_strdup (text)};
  g_queue_push_tail (&server->waiting, line);
  if (server->waiting.length > WAITING_MAX) {
    line_free (g_queue_pop_head (&server->waiting));
    server->n_left_out++;
  }
  if (send_due (self, name, server) && self->timer == NULL)
    self->timer = weechat_hook_timer (TIMER_MS, 0, 0, on_timer, self, NULL);
}

Outlet *
outlet_new (Options *options)
{
  Outlet *self = g_new0 (Outlet, 1);

  self->options = options;
  self->servers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, server_free);
  return self;
}

void
outlet_free (Outlet *self)
{
  if (self->timer != NULL)
    weechat_unhook (self->timer);
  g_hash_table_unref (self->servers);
  g_free (self);
}
