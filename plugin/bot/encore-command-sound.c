/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Commands for how the music sounds, and where in it the room is. */
#include "config.h"
#include "bot/encore-command.h"

#include <string.h>

#include "bot/encore-room.h"
#include "bot/encore-text.h"

#define VOLUME_MAX 150
#define SECONDS_MAX (100 * 3600)

static EncoreRoom *
room_that_sounds (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *room = encore_room_peek (plugin, request);

  if (room != NULL && encore_room_get_current (room, NULL, NULL) != NULL)
    return room;
  encore_answer (request, "Nothing plays.");
  return NULL;
}

void
encore_command_volume (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *room = encore_room_peek (plugin, request);
  g_autofree char *text = g_strdup (request->args);
  guint64 percent;

  if (room == NULL) {
    encore_answer (request, "Nothing plays.");
    return;
  }
  if (*text == '\0') {
    encore_answer (request, "Volume: %d %%", encore_room_get_volume (room));
    return;
  }
  if (g_str_has_suffix (text, "%"))
    text[strlen (text) - 1] = '\0';
  if (!g_ascii_string_to_unsigned (g_strchomp (text), 10, 0, VOLUME_MAX, &percent, NULL)) {
    encore_command_wrong (request);
    return;
  }
  if (!encore_command_allowed (request, "encore.dj"))
    return;
  encore_room_set_volume (room, percent);
  encore_answer (request, "Volume: %d %%", (int) percent);
}

/* "1:02:03", "1:23", "83" -> seconds. */
static gboolean
parse_time (const char *text, gint64 *seconds)
{
  g_auto (GStrv) parts = g_strsplit (text, ":", 4);
  const guint n = g_strv_length (parts);

  *seconds = 0;
  for (guint i = 0; i < n; i++) {
    guint64 number;
    if (!g_ascii_string_to_unsigned (parts[i], 10, 0, i > 0 ? 59 : SECONDS_MAX, &number, NULL))
      return FALSE;
    *seconds = *seconds * 60 + (gint64) number;
  }
  return n > 0 && n < 4 && *seconds <= SECONDS_MAX;
}

/* Where TEXT leads from POSITION_MS, not before the beginning. */
static gboolean
parse_place (const char *text, gint64 position_ms, gint64 *out_ms)
{
  const gboolean relative = *text == '+' || *text == '-';
  gint64 seconds;

  if (!parse_time (text + relative, &seconds))
    return FALSE;
  *out_ms = relative ? position_ms + (*text == '-' ? -seconds : seconds) * 1000 : seconds * 1000;
  *out_ms = MAX (*out_ms, 0);
  return TRUE;
}

static void
go_to (EncoreRoom *room, const EncoreRequest *request, gint64 place_ms)
{
  const EncoreTrack *track = encore_room_get_current (room, NULL, NULL);
  g_autofree char *length = encore_track_get_length (track);
  g_autofree char *place = encore_text_duration (MAX (place_ms, 1));

  if (track->duration_ms > 0 && place_ms >= track->duration_ms)
    encore_answer (request, "The song is only %s long.", length);
  else if (track->is_live)
    encore_answer (request, "A live stream is heard as it comes.");
  else if (encore_room_seek (room, place_ms))
    encore_answer (request, "At %s of %s.", place, length);
  else
    encore_answer (request, "It does not sound yet.");
}

void
encore_command_seek (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *room = room_that_sounds (plugin, request);
  gint64 position_ms, place_ms;

  if (room == NULL)
    return;
  encore_room_get_current (room, &position_ms, NULL);
  if (!parse_place (request->args, position_ms, &place_ms)) {
    encore_command_wrong (request);
    return;
  }
  if (encore_command_allowed (request, "encore.dj"))
    go_to (room, request, place_ms);
}

void
encore_command_replay (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *room = room_that_sounds (plugin, request);

  if (room != NULL && encore_command_allowed (request, "encore.dj"))
    go_to (room, request, 0);
}

void
encore_command_previous (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *room = encore_room_peek (plugin, request);

  if (!encore_command_allowed (request, "encore.dj"))
    return;
  const char *name = room != NULL ? encore_room_previous (room, request) : NULL;
  if (name == NULL)
    encore_answer (request, "No song was played before this one.");
  else
    encore_answer (request, "Back to: %s", name);
}

void
encore_command_health (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreRoom *room = encore_room_peek (plugin, request);
  EncoreVoiceStats stats = {0};

  if (room == NULL || !encore_room_get_stats (room, &stats)) {
    encore_answer (request, "This room has no voice. %u rooms, %u songs being fetched.",
                   g_hash_table_size (plugin->rooms), encore_fetch_count (plugin->fetch));
    return;
  }
  encore_answer (request,
                 "%" G_GUINT64_FORMAT " packets sent, %" G_GUINT64_FORMAT
                 " of them more than 20 ms late; ran dry %" G_GUINT64_FORMAT
                 " times; the host was full %" G_GUINT64_FORMAT
                 " times. %u rooms, %u songs being fetched.",
                 stats.packets, stats.late, stats.underruns, stats.full,
                 g_hash_table_size (plugin->rooms), encore_fetch_count (plugin->fetch));
}
