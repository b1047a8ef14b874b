/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Brings plugin, rooms and people together.
 *
 * Threads: [main].  From other threads come answers, which cross by an idle source, questions for
 * rights, and voice, which has its own way: a voice's number is its room's, and rooms stay until
 * the plugin is stopped. */
#include "config.h"
#include "mumble.h"

#include <gio/gio.h>
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "mumble-budget.h"
#include "mumble-config.h"
#include "mumble-frame.h"
#include "mumble-identity.h"
#include "mumble-people.h"
#include "mumble-room.h"
#include "service.h"

#define GOODBYE_MS 2000
#define EXIT_OFF 1
#define EXIT_USAGE 2
#define WHOAMI "whoami"

/* One room with what the plugin has of it. */
typedef struct {
  MumbleRoom *room;
  char *name, *certificate_path;
  GTlsCertificate *certificate;
  bot_voice_spec spec; /* its callbacks; [main] */
  gint opened;         /* atomic: the plugin has a voice here */
} Place;

typedef struct {
  MumbleConfig *config;
  MumblePeople *people;
  MumbleBudget budget;
  Host *host;
  GMainLoop *loop;
  Service *service;
  GPtrArray *places; /* Place; filled before the plugin starts */
  gint answers;      /* atomic: on their way to [main] */
  gboolean off;      /* no room is left */
} Mumble;

static Place *
find_place (Mumble *self, bot_id id)
{
  for (guint i = 0; i < self->places->len; i++) {
    Place *place = self->places->pdata[i];
    if (mumble_room_get_id (place->room) == id)
      return place;
  }
  return NULL;
}

static Place *
place_of (Mumble *self, MumbleRoom *room)
{
  return find_place (self, mumble_room_get_id (room));
}

/* ---- what the plugin calls */

typedef struct {
  Mumble *mumble;
  bot_id room;
  char *text;
} Answer;

static void
answer_free (gpointer data)
{
  Answer *answer = data;

  g_atomic_int_add (&answer->mumble->answers, -1);
  g_free (answer->text);
  g_free (answer);
}

static gboolean
deliver (gpointer data)
{
  const Answer *answer = data;
  GPtrArray *places = answer->mumble->places;
  gboolean done = FALSE;

  for (guint i = 0; i < places->len && !done; i++)
    done = mumble_room_reply (((Place *) places->pdata[i])->room, answer->room, answer->text);
  return G_SOURCE_REMOVE;
}

/* FUNC on [main]. */
static void
cross (Mumble *self, bot_id room, const char *text, GSourceFunc func)
{
  Answer *answer = g_new (Answer, 1);

  *answer = (Answer){self, room, g_strdup (text)};
  g_atomic_int_inc (&self->answers);
  g_idle_add_full (G_PRIORITY_DEFAULT, func, answer, answer_free);
}

static bot_result
reply (gpointer data, bot_id room, bot_id user, const char *text)
{
  cross (data, room, text, deliver);
  return BOT_OK;
}

static bot_result
allowed (gpointer data, bot_id room, bot_id user, const char *permission)
{
  return mumble_people_allowed (((Mumble *) data)->people, user, permission);
}

static bot_result
voice_open (gpointer data, bot_id room, bot_voice_spec *spec, bot_id *voice)
{
  Place *place = find_place (data, room);

  if (place == NULL || mumble_room_is_off (place->room))
    return BOT_ECLOSED;
  place->spec = (bot_voice_spec){0};
  memcpy (&place->spec, spec,
          MIN (spec->size, sizeof place->spec)); /* an older plugin's ends sooner */
  spec->max_bytes = MUMBLE_VOICE_BYTES;
  spec->max_bps = mumble_room_get_max_bps (place->room);
  spec->queue_us = 0;
  mumble_room_restart_voice (place->room);
  g_atomic_int_set (&place->opened, TRUE);
  *voice = room;
  return BOT_OK;
}

static bot_result
voice_send (gpointer data, bot_id voice, uint64_t seq, uint32_t flags, const void *packet,
            size_t len)
{
  Place *place = find_place (data, voice);

  if (place == NULL || !g_atomic_int_get (&place->opened))
    return BOT_ECLOSED;
  return mumble_room_send (place->room, seq, (flags & BOT_VOICE_LAST) != 0, packet, len);
}

static bot_result
voice_close (gpointer data, bot_id voice)
{
  Place *place = find_place (data, voice);

  if (place != NULL)
    g_atomic_int_set (&place->opened, FALSE);
  return BOT_OK;
}

static gboolean
show (gpointer data)
{
  const Answer *title = data;
  Place *place = find_place (title->mumble, title->room);

  if (place != NULL)
    mumble_room_show (place->room, title->text);
  return G_SOURCE_REMOVE;
}

static bot_result
now_playing (gpointer data, bot_id voice, const char *title)
{
  cross (data, voice, title, show);
  return BOT_OK;
}

static const Network NETWORK = {reply, allowed, voice_open, voice_send, voice_close, now_playing};

/* ---- the service manager */

/* [main] How many rooms the bot is in.  The first news of any of them, good or bad, is where the
 * service is up: a server that is down is waited for, and no failure of ours. */
static void
tell_rooms (Mumble *self)
{
  guint in = 0;

  for (guint i = 0; i < self->places->len; i++)
    in += mumble_room_is_ready (((Place *) self->places->pdata[i])->room);
  g_autofree char *status =
      g_strdup_printf ("In %u of %u channels of %s", in, self->places->len, self->config->host);
  service_ready (self->service, status);
}

/* ---- what the rooms ask */

static gint64
may_connect (gpointer data)
{
  return mumble_budget_take (&((Mumble *) data)->budget, g_get_monotonic_time ());
}

static void
on_ended (MumbleDown why, gpointer data)
{
  Mumble *self = data;

  if (why == MUMBLE_DOWN_UNREACHABLE)
    mumble_budget_give_back (&self->budget);
  else if (mumble_budget_note (&self->budget, why == MUMBLE_DOWN_EARLY, g_get_monotonic_time ()))
    host_log (BOT_LOG_WARNING, "mumble",
              "%s cuts every connection at once, as servers do with banned addresses",
              self->config->host);
}

static void
on_said (MumbleRoom *room, const MumbleUser *user, gboolean privately, const char *text,
         gpointer data)
{
  Mumble *self = data;
  const char *prefix = host_get_prefix (self->host);
  const bot_id id = mumble_room_get_id (room);
  const bot_call call = {.room = privately ? mumble_room_get_private_id (room, user) : id,
                         .user = user->id,
                         .voice_room = id,
                         .user_name = user->name};

  if (!g_str_has_prefix (text, prefix))
    return;
  if (strcmp (text + strlen (prefix), WHOAMI) == 0) {
    g_autofree char *answer = mumble_people_describe (self->people, user);
    mumble_room_whisper (room, user, answer);
  } else if (privately && !mumble_room_has (room, user) &&
             mumble_people_allowed (self->people, user->id, "admin") != BOT_OK) {
    mumble_room_whisper (room, user, "I take commands from people in my channel.");
  } else {
    host_say (self->host, &call, text);
  }
}

static void
take_user (const MumbleUser *user, gpointer data)
{
  mumble_people_take_user (data, user);
}

/* All users of all connections anew: one may be there twice, and groups may have other members. */
static void
take_all_users (Mumble *self)
{
  for (guint i = 0; i < self->places->len; i++) {
    MumbleWorld *world = mumble_room_get_world (((Place *) self->places->pdata[i])->room);
    if (world != NULL)
      mumble_world_foreach_user (world, take_user, self->people);
  }
}

static void
on_user (MumbleRoom *room, const MumbleUser *user, gboolean gone, gpointer data)
{
  Mumble *self = data;

  if (gone)
    mumble_people_drop_user (self->people, user);
  else
    mumble_people_take_user (self->people, user);
}

static void
on_groups (MumbleRoom *room, const MumbleProto__Acl *acl, gpointer data)
{
  Mumble *self = data;

  mumble_people_take_groups (self->people, acl);
  take_all_users (self);
}

static void
on_speaking (MumbleRoom *room, gboolean on, gpointer data)
{
  Place *place = place_of (data, room);

  if (place != NULL && g_atomic_int_get (&place->opened) && BOT_HAS (&place->spec, speaking))
    place->spec.speaking (place->spec.data, mumble_room_get_id (room), on);
}

static void
on_limits (MumbleRoom *room, gpointer data)
{
  Place *place = place_of (data, room);

  if (place != NULL && g_atomic_int_get (&place->opened) && place->spec.limits != NULL)
    place->spec.limits (place->spec.data, mumble_room_get_id (room), MUMBLE_VOICE_BYTES,
                        mumble_room_get_max_bps (room));
}

static void
on_ready (MumbleRoom *room, gpointer data)
{
  Mumble *self = data;

  take_all_users (self);
  if (mumble_people_wants_groups (self->people))
    mumble_room_query_groups (room);
  tell_rooms (self);
}

static void
on_waits (MumbleRoom *room, gpointer data)
{
  tell_rooms (data);
}

static void
on_off (MumbleRoom *room, gpointer data)
{
  Mumble *self = data;

  for (guint i = 0; i < self->places->len; i++)
    if (!mumble_room_is_off (((Place *) self->places->pdata[i])->room)) {
      tell_rooms (self);
      return;
    }
  host_log (BOT_LOG_ERROR, "mumble", "no room is left: nothing to do");
  self->off = TRUE;
  g_main_loop_quit (self->loop);
}

static const MumbleRoomFuncs ROOM_FUNCS = {may_connect, on_ended,  on_said,  on_user,  on_groups,
                                           on_speaking, on_limits, on_ready, on_waits, on_off};

/* ---- life */

static void
place_free (gpointer data)
{
  Place *self = data;

  if (self->room != NULL)
    mumble_room_free (self->room);
  g_clear_object (&self->certificate);
  g_free (self->name);
  g_free (self->certificate_path);
  g_free (self);
}

/* The first channel has the name and the certificate of the configuration, each other one its own,
 * since a server throws out whoever comes a second time. */
static gboolean
add_place (Mumble *self, guint index, GError **error)
{
  const MumbleConfig *config = self->config;
  Place *place = g_new0 (Place, 1);

  g_ptr_array_add (self->places, place);
  place->name =
      index == 0 ? g_strdup (config->user) : g_strdup_printf ("%s-%u", config->user, index + 1);
  place->certificate_path = index == 0 ? g_strdup (config->certificate)
                                       : g_strdup_printf ("%s.%u", config->certificate, index + 1);
  place->certificate = mumble_identity_load (place->certificate_path, place->name, error);
  if (place->certificate == NULL)
    return FALSE;
  place->room = mumble_room_new (config, place->name, config->channels[index], place->certificate,
                                 &ROOM_FUNCS, self);
  g_autofree char *hash = mumble_identity_digest (place->certificate, G_CHECKSUM_SHA1);
  host_log (BOT_LOG_INFO, "mumble", "%s: as %s, cert:%s", mumble_room_get_label (place->room),
            place->name, hash);
  return TRUE;
}

static gboolean
check_tls (GError **error)
{
  if (g_tls_backend_supports_tls (g_tls_backend_get_default ()))
    return TRUE;
  g_set_error (error, G_TLS_ERROR, G_TLS_ERROR_UNAVAILABLE,
               "GLib has no TLS here: the package glib-networking is missing");
  return FALSE;
}

static gboolean
mumble_init (Mumble *self, GKeyFile *file, GError **error)
{
  self->loop = g_main_loop_new (NULL, FALSE);
  self->places = g_ptr_array_new_with_free_func (place_free);
  self->config = mumble_config_new (file, error);
  if (self->config == NULL || !check_tls (error))
    return FALSE;
  self->people = mumble_people_new (self->config);
  for (guint i = 0; self->config->channels[i] != NULL; i++)
    if (!add_place (self, i, error))
      return FALSE;
  self->host = host_new (file, &NETWORK, self, error);
  return self->host != NULL && host_load (self->host, error);
}

static gboolean
on_deadline (gpointer data)
{
  *(gboolean *) data = TRUE;
  return G_SOURCE_REMOVE;
}

/* What was begun comes back cancelled, at once unless something below us hangs. */
static void
await_connections (void)
{
  gboolean late = FALSE;
  const guint timer = g_timeout_add (GOODBYE_MS, on_deadline, &late);

  while (mumble_conn_count () > 0 && !late)
    g_main_context_iteration (NULL, TRUE);
  if (!late)
    g_source_remove (timer);
}

static void
mumble_clear (Mumble *self)
{
  if (self->host != NULL)
    host_stop (self->host);
  /* answers that are on their way still know the rooms */
  while (g_atomic_int_get (&self->answers) > 0)
    g_main_context_iteration (NULL, FALSE);
  g_clear_pointer (&self->places, g_ptr_array_unref);
  await_connections ();
  g_clear_pointer (&self->host, host_free);
  g_clear_pointer (&self->people, mumble_people_free);
  g_clear_pointer (&self->config, mumble_config_free);
  g_clear_pointer (&self->loop, g_main_loop_unref);
}

/* ---- configuration */

static gboolean
check_config (GKeyFile *file, GError **error)
{
  MumbleConfig *config = mumble_config_new (file, error);

  if (config == NULL)
    return FALSE;
  mumble_config_free (config);
  return TRUE;
}

static void
adopt_config (GKeyFile *file, gpointer data)
{
  Mumble *self = data;
  MumbleConfig *now = mumble_config_new (file, NULL);

  if (now == NULL)
    return;
  mumble_config_take_live (self->config, now);
  mumble_config_free (now);
  mumble_people_refresh (self->people);
  take_all_users (self);
  for (guint i = 0; i < self->places->len; i++) {
    MumbleRoom *room = ((Place *) self->places->pdata[i])->room;
    mumble_room_refresh (room);
    if (mumble_people_wants_groups (self->people))
      mumble_room_query_groups (room);
  }
}

static const ServiceNetwork SERVICE = {"mumble", mumble_config_live, check_config, adopt_config};

int
mumble_run (const char *path, GKeyFile *config)
{
  g_autoptr (GError) error = NULL;
  Mumble self = {0};

  if (!mumble_init (&self, config, &error)) {
    fprintf (stderr, "encore-bot: %s\n", error->message);
    mumble_clear (&self);
    return EXIT_USAGE;
  }
  self.service = service_new (path, config, self.host, self.loop, &SERVICE, &self);
  for (guint i = 0; i < self.places->len; i++)
    mumble_room_start (((Place *) self.places->pdata[i])->room);
  g_main_loop_run (self.loop);
  const int status = self.off ? EXIT_OFF : 0;
  service_stopping (self.service);
  mumble_clear (&self);
  service_free (self.service);
  return status;
}
