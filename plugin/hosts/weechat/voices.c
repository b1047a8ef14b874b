/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "voices.h"

#include <gio/gio.h>
#include <string.h>

#include "hosts/listen/listen.h"
#include "hosts/listen/rtp.h"

#define PACKET_BYTES_MAX 1275 /* any Opus packet of one frame */

typedef struct {
  Voices *owner;
  bot_id id, room;
  char *url;        /* the mount, rtp://ADDRESS:PORT or "none" */
  char *public_url; /* where people listen */
  gboolean is_told; /* they know, [main] */
  Listen *listen;   /* to a mount, else NULL */
  Rtp *rtp;         /* to rtp:, else NULL */
  void (*closed) (void *data, bot_id voice, bot_result why);
  void *data;
  gboolean open; /* the plugin has it; under the owner's MUTEX */
  guint64 packets;
} Voice;

struct Voices {
  Options *options;
  VoicesOwner owner;
  bot_id last_id; /* [main] */
  GMutex mutex;
  GHashTable *all; /* id (bot_id *) -> Voice, under MUTEX; also those that are still ending */
};

static void
voice_free (gpointer data)
{
  Voice *self = data;

  listen_free (self->listen);
  rtp_free (self->rtp);
  g_free (self->url);
  g_free (self->public_url);
  g_free (self);
}

Voices *
voices_new (Options *options, const VoicesOwner *owner)
{
  Voices *self = g_new0 (Voices, 1);

  self->options = options;
  self->owner = *owner;
  g_mutex_init (&self->mutex);
  self->all = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, voice_free);
  return self;
}

void
voices_free (Voices *self)
{
  GHashTableIter iter;
  gpointer value;

  if (self == NULL)
    return;
  /* all are told before one is waited for */
  g_hash_table_iter_init (&iter, self->all);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((Voice *) value)->listen != NULL)
      listen_end (((Voice *) value)->listen);
  g_hash_table_unref (self->all);
  g_mutex_clear (&self->mutex);
  g_free (self);
}

/* ---- a listening room tells, on its own thread; what follows is done on [main] */

typedef struct {
  Voices *owner;
  bot_id voice;
  ListenState state;
  char *sentence;
} News;

static void
news_free (void *data)
{
  News *self = data;

  g_free (self->sentence);
  g_free (self);
}

/* Takes the voice away from the plugin, which does not have to close it then. */
static gboolean
take_back (Voices *self, Voice *voice)
{
  g_mutex_lock (&self->mutex);
  const gboolean was_open = voice->open;
  voice->open = FALSE;
  g_mutex_unlock (&self->mutex);
  return was_open;
}

static void
remove_voice (Voices *self, bot_id id)
{
  gpointer voice = NULL;

  g_mutex_lock (&self->mutex);
  g_hash_table_steal_extended (self->all, &id, NULL, &voice);
  g_mutex_unlock (&self->mutex);
  if (voice != NULL)
    voice_free (voice); /* not under the mutex: it joins a thread */
}

static void
tell_where (Voices *self, Voice *voice)
{
  g_autofree char *sentence = g_strdup_printf ("Listen at %s", voice->public_url);

  if (!voice->is_told)
    self->owner.say (self->owner.data, voice->room, sentence);
  voice->is_told = TRUE;
}

static void
on_news (void *data)
{
  News *news = data;
  Voices *self = news->owner;

  g_mutex_lock (&self->mutex);
  Voice *voice = g_hash_table_lookup (self->all, &news->voice);
  g_mutex_unlock (&self->mutex);
  if (voice != NULL) {
    if (news->sentence != NULL)
      self->owner.say (self->owner.data, voice->room, news->sentence);
    if (news->state == LISTEN_LIVE)
      tell_where (self, voice);
    if (news->state == LISTEN_REFUSED && take_back (self, voice) && voice->closed != NULL)
      voice->closed (voice->data, voice->id, BOT_EFAIL);
    if (news->state == LISTEN_REFUSED || news->state == LISTEN_ENDED)
      remove_voice (self, news->voice);
  }
  news_free (news);
}

static void
on_listen (ListenState state, const char *sentence, gpointer data)
{
  Voice *voice = data;
  News *news = g_new0 (News, 1);

  *news = (News){voice->owner, voice->id, state, g_strdup (sentence)};
  voice->owner->owner.post (voice->owner->owner.data, on_news, news, news_free);
}

/* ---- names */

static void
append_part (GString *to, const char *text)
{
  const gsize before = to->len;

  for (; *text != '\0'; text++)
    if (g_ascii_isalnum (*text) || strchr ("-_", *text) != NULL)
      g_string_append_c (to, *text);
  if (to->len == before)
    g_string_append_c (to, '_');
}

char *
voices_fill (const char *pattern, const char *room_name)
{
  GString *out = g_string_new (NULL);
  const char *dot = strchr (room_name, '.');
  g_autofree char *server = g_strndup (room_name, dot != NULL ? dot - room_name : 0);
  const char *channel = dot != NULL ? dot + 1 : room_name;

  for (const char *p = pattern; *p != '\0'; p++) {
    if (p[0] == '%' && (p[1] == 'c' || p[1] == 's'))
      append_part (out, *++p == 'c' ? channel : server);
    else
      g_string_append_c (out, *p);
  }
  return g_string_free (out, FALSE);
}

static char *
make_status_path (const Voices *self, const char *url)
{
  const char *dir = options_get_voice_status_dir (self->options);
  g_autofree char *base = g_path_get_basename (url);
  g_autofree char *file = g_strconcat (base, ".json", NULL);

  return *dir != '\0' ? g_build_filename (dir, file, NULL) : NULL;
}

/* ---- what the plugin calls */

/* The open voice that sends to URL already.  Under MUTEX. */
static Voice *
find_url (Voices *self, const char *url)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->all);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    Voice *voice = value;
    if (voice->open && strcmp (voice->url, url) == 0)
      return voice;
  }
  return NULL;
}

static Rtp *
open_rtp (const char *url, GError **error)
{
  g_autoptr (GSocketAddress) address = rtp_parse (url + strlen ("rtp://"), FALSE, error);

  return address != NULL ? rtp_new (address, error) : NULL;
}

static Listen *
join (Voices *self, Voice *voice, const char *room_name)
{
  const char *name = options_get_voice_name (self->options);
  g_autofree char *password = options_get_voice_password (self->options);
  g_autofree char *status_path = make_status_path (self, voice->url);
  const ListenOptions options = {.url = voice->url,
                                 .user = options_get_voice_user (self->options),
                                 .password = password,
                                 .name = *name != '\0' ? name : room_name,
                                 .status_path = status_path,
                                 .chain = options_get_voice_chain (self->options),
                                 .notify = on_listen,
                                 .data = voice};

  return listen_new (&options);
}

static Voice *
voice_new (Voices *self, bot_id room, const bot_voice_spec *spec, const char *room_name)
{
  const char *pattern = options_get_voice_url (self->options);
  const char *public_pattern = options_get_voice_public_url (self->options);
  Voice *voice = g_new0 (Voice, 1);

  voice->owner = self;
  voice->id = ++self->last_id;
  voice->room = room;
  voice->url = voices_fill (pattern, room_name);
  voice->public_url = voices_fill (*public_pattern != '\0' ? public_pattern : pattern, room_name);
  voice->closed = spec->closed;
  voice->data = spec->data;
  voice->open = TRUE;
  return voice;
}

/* Begins to send; FALSE with a sentence for the room. */
static gboolean
add_voice (Voices *self, Voice *voice, const char *room_name, GError **error)
{
  const gboolean is_none = strcmp (voice->url, "none") == 0;
  const gboolean is_rtp = g_str_has_prefix (voice->url, "rtp://");

  if (is_rtp && (voice->rtp = open_rtp (voice->url, error)) == NULL)
    return FALSE;
  g_mutex_lock (&self->mutex);
  const gboolean is_free = is_none || find_url (self, voice->url) == NULL;
  if (is_free) {
    g_hash_table_insert (self->all, &voice->id, voice);
    /* under the mutex: its thread may tell at once */
    voice->listen = !is_rtp && !is_none ? join (self, voice, room_name) : NULL;
  }
  g_mutex_unlock (&self->mutex);
  if (!is_free)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE,
                 "Another channel of this bot plays to the same address; %%c in the voice's url "
                 "gives each its own.");
  return is_free;
}

bot_result
voices_open (Voices *self, bot_id room, bot_voice_spec *spec, bot_id *out)
{
  const char *name = self->owner.get_room_name (self->owner.data, room);
  g_autoptr (GError) error = NULL;

  if (name == NULL)
    return BOT_ECLOSED;
  if (*options_get_voice_url (self->options) == '\0')
    return BOT_ENOTSUP;
  Voice *voice = voice_new (self, room, spec, name);
  if (!add_voice (self, voice, name, &error)) {
    voice_free (voice);
    self->owner.say (self->owner.data, room, error->message);
    return BOT_EFAIL;
  }
  spec->max_bytes = PACKET_BYTES_MAX;
  spec->max_bps = 0;
  spec->queue_us = 0;
  *out = voice->id;
  return BOT_OK;
}

bot_result
voices_send (Voices *self, bot_id id, uint64_t seq, uint32_t flags, const void *packet, size_t len)
{
  bot_result result = BOT_ECLOSED;

  if (len == 0 || len > PACKET_BYTES_MAX)
    return BOT_EINVAL;
  g_mutex_lock (&self->mutex);
  Voice *voice = g_hash_table_lookup (self->all, &id);
  if (voice != NULL && voice->open) {
    const gboolean last = (flags & BOT_VOICE_LAST) != 0;
    const gboolean sent = voice->listen == NULL || listen_send (voice->listen, packet, len, last);
    if (voice->rtp != NULL)
      rtp_send (voice->rtp, seq, packet, len);
    result = sent ? BOT_OK : BOT_EAGAIN;
    voice->packets += sent;
  }
  g_mutex_unlock (&self->mutex);
  return result;
}

bot_result
voices_close (Voices *self, bot_id id)
{
  g_mutex_lock (&self->mutex);
  Voice *voice = g_hash_table_lookup (self->all, &id);
  if (voice != NULL && voice->open) {
    voice->open = FALSE;
    /* its thread tells when it has ended, and is joined on [main] */
    if (voice->listen != NULL)
      listen_end (voice->listen);
    else
      g_hash_table_remove (self->all, &id);
  }
  g_mutex_unlock (&self->mutex);
  return BOT_OK;
}

bot_result
voices_set_title (Voices *self, bot_id id, const char *title)
{
  g_mutex_lock (&self->mutex);
  Voice *voice = g_hash_table_lookup (self->all, &id);
  const gboolean open = voice != NULL && voice->open;
  if (open && voice->listen != NULL)
    listen_set_title (voice->listen, title);
  g_mutex_unlock (&self->mutex);
  return open ? BOT_OK : BOT_ECLOSED;
}

void
voices_describe (Voices *self, GPtrArray *lines)
{
  static const char *const states[] = {"joining", "live", "lost, it is tried again", "refused",
                                       "ended"};
  GHashTableIter iter;
  gpointer value;

  g_mutex_lock (&self->mutex);
  g_hash_table_iter_init (&iter, self->all);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    const Voice *voice = value;
    const char *name = self->owner.get_room_name (self->owner.data, voice->room);
    g_ptr_array_add (
        lines,
        g_strdup_printf ("%s: %s, %s, %" G_GUINT64_FORMAT " packets", name != NULL ? name : "?",
                         voice->url,
                         voice->listen == NULL ? "open" : states[listen_get_state (voice->listen)],
                         voice->packets));
  }
  g_mutex_unlock (&self->mutex);
}
