/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Calls into the host.
 *
 * Threads: voices are opened on [main] and left on the control thread, so their table has a mutex.
 * The only call into the host under it is close(), which never waits for [main]: a room that
 * somebody wants again just now must not be opened first and closed then. */
#include "config.h"
#include "bot/encore-host.h"

#define FRAME_US 20000
#define OPUS_MAX_BYTES 1275 /* of a frame */

typedef struct {
  EncoreHost *host;
  bot_id room, voice;
  guint wanted;  /* commands that were given it and are not done yet, under MUTEX */
  guint max_bps; /* 0: no limit; under MUTEX */
} Voice;

struct EncoreHost {
  const bot_host *host;
  const bot_host_voice *voice; /* NULL: this host has no voice rooms */
  EncoreVoiceClosedFunc closed;
  EncoreVoiceLimitsFunc limits;     /* (nullable) */
  EncoreVoiceSpeakingFunc speaking; /* (nullable) */
  gpointer closed_data;
  GMutex mutex;
  GHashTable *voices; /* room (gint64*) -> Voice, under MUTEX */
  GPtrArray *specs;   /* Voice: lent to the host until we go; [main] */
};

/* The host's voice rooms; NULL if it has none that we can use. */
static const bot_host_voice *
find_voice (const bot_host *host)
{
  const bot_host_voice *voice =
      BOT_HAS (host, get_extension) ? host->get_extension (host->ctx, BOT_EXT_VOICE) : NULL;

  if (voice == NULL || !BOT_HAS (voice, open) || !BOT_HAS (voice, send) || !BOT_HAS (voice, close))
    return NULL;
  return voice;
}

EncoreHost *
encore_host_new (const bot_host *host, EncoreVoiceClosedFunc closed, gpointer data)
{
  EncoreHost *self = g_new0 (EncoreHost, 1);

  self->host = host;
  self->closed = closed;
  self->closed_data = data;
  self->voice = find_voice (host);
  g_mutex_init (&self->mutex);
  self->voices = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, NULL);
  self->specs = g_ptr_array_new_with_free_func (g_free);
  return self;
}

void
encore_host_free (EncoreHost *self)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->voices);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    self->voice->close (self->host->ctx, ((Voice *) value)->voice);
  g_hash_table_unref (self->voices);
  g_ptr_array_unref (self->specs);
  g_mutex_clear (&self->mutex);
  g_free (self);
}

void
encore_host_log (EncoreHost *self, int level, const char *text)
{
  if (BOT_HAS (self->host, log))
    self->host->log (self->host->ctx, level, "Encore", text);
}

void
encore_host_reply (EncoreHost *self, bot_id room, bot_id user, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  if (BOT_HAS (self->host, reply))
    self->host->reply (self->host->ctx, room, user, text);
}

gboolean
encore_host_allowed (EncoreHost *self, bot_id room, bot_id user, const char *permission)
{
  return BOT_HAS (self->host, allowed) &&
         self->host->allowed (self->host->ctx, room, user, permission) == BOT_OK;
}

static void
forget_voice (EncoreHost *self, bot_id room)
{
  g_mutex_lock (&self->mutex);
  g_hash_table_remove (self->voices, &room);
  g_mutex_unlock (&self->mutex);
}

static void
on_closed (void *data, bot_id voice, bot_result why)
{
  Voice *self = data;

  forget_voice (self->host, self->room);
  self->host->closed (self->room, voice, why, self->host->closed_data);
}

void
encore_host_watch_limits (EncoreHost *self, EncoreVoiceLimitsFunc limits)
{
  self->limits = limits;
}

static guint
sustained_bps (guint32 max_bytes, guint32 max_bps)
{
  const guint of_packets = max_bytes * 8 * (G_USEC_PER_SEC / FRAME_US);

  if (max_bytes == 0 || max_bytes >= OPUS_MAX_BYTES)
    return max_bps;
  return max_bps == 0 ? of_packets : MIN (max_bps, of_packets);
}

static void
on_limits (void *data, bot_id id, uint32_t max_bytes, uint32_t max_bps)
{
  Voice *self = data;

  g_mutex_lock (&self->host->mutex);
  self->max_bps = sustained_bps (max_bytes, max_bps);
  g_mutex_unlock (&self->host->mutex);
  if (self->host->limits != NULL)
    self->host->limits (self->room, id, self->host->closed_data);
}

void
encore_host_watch_speaking (EncoreHost *self, EncoreVoiceSpeakingFunc speaking)
{
  self->speaking = speaking;
}

static void
on_speaking (void *data, bot_id id, int32_t on)
{
  Voice *self = data;

  if (self->host->speaking != NULL)
    self->host->speaking (self->room, id, on != 0, self->host->closed_data);
}

guint
encore_host_voice_get_max_bps (EncoreHost *self, bot_id room)
{
  g_mutex_lock (&self->mutex);
  const Voice *known = g_hash_table_lookup (self->voices, &room);
  const guint max_bps = known != NULL ? known->max_bps : 0;
  g_mutex_unlock (&self->mutex);
  return max_bps;
}

bot_result
encore_host_voice_open (EncoreHost *self, bot_id room, bot_id *out)
{
  if (self->voice == NULL)
    return BOT_ENOTSUP;

  g_mutex_lock (&self->mutex);
  Voice *known = g_hash_table_lookup (self->voices, &room);
  *out = known != NULL ? known->voice : 0;
  if (known != NULL)
    known->wanted++;
  g_mutex_unlock (&self->mutex);
  if (known != NULL)
    return BOT_OK;

  Voice *voice = g_new0 (Voice, 1);
  bot_voice_spec spec = {.size = sizeof spec,
                         .rate_hz = 48000,
                         .channels = 2,
                         .frame_us = FRAME_US,
                         .limits = on_limits,
                         .closed = on_closed,
                         .data = voice,
                         .speaking = on_speaking};
  voice->host = self;
  voice->room = room;
  g_ptr_array_add (self->specs, voice);
  const bot_result result = self->voice->open (self->host->ctx, room, &spec, &voice->voice);
  if (result < BOT_OK)
    return result;
  g_mutex_lock (&self->mutex);
  voice->wanted = 1;
  voice->max_bps = sustained_bps (spec.max_bytes, spec.max_bps);
  g_hash_table_replace (self->voices, &voice->room, voice);
  g_mutex_unlock (&self->mutex);
  *out = voice->voice;
  return BOT_OK;
}

bot_result
encore_host_voice_send (EncoreHost *self, bot_id voice, guint64 seq, gboolean last,
                        const void *packet, gsize len)
{
  return self->voice->send (self->host->ctx, voice, seq, last ? BOT_VOICE_LAST : 0, packet, len);
}

void
encore_host_voice_done (EncoreHost *self, bot_id room, bot_id voice)
{
  g_mutex_lock (&self->mutex);
  Voice *known = g_hash_table_lookup (self->voices, &room);
  /* the host may have ended that one, and there may be another by now */
  if (known != NULL && known->voice == voice && known->wanted > 0)
    known->wanted--;
  g_mutex_unlock (&self->mutex);
}

gboolean
encore_host_voice_leave (EncoreHost *self, bot_id room, GDestroyNotify quiet, gpointer data)
{
  g_mutex_lock (&self->mutex);
  const Voice *known = g_hash_table_lookup (self->voices, &room);
  const gboolean leaves = known == NULL || known->wanted == 0;
  if (leaves)
    quiet (data);
  if (leaves && known != NULL) {
    g_hash_table_remove (self->voices, &room);
    self->voice->close (self->host->ctx, known->voice);
  }
  g_mutex_unlock (&self->mutex);
  return leaves;
}

void
encore_host_now_playing (EncoreHost *self, bot_id voice, const char *title)
{
  if (self->voice != NULL && BOT_HAS (self->voice, now_playing))
    self->voice->now_playing (self->host->ctx, voice, title);
}
