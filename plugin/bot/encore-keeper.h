/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What waits in the rooms outlives a restart, and a crash but for its last seconds: written behind
 * to the cache's database, taken up again when the host's room is there.
 *
 * A room is known by the host's name, the option `instance` and the host's number for it; users'
 * numbers may mean others after a restart, so a song taken up again is nobody's: DJs may skip it.
 * Of several processes of one name that share a cache only the first keeps its rooms.
 *
 * Control thread only; a thread of its own writes. */
#pragma once

#include "bot/encore-room.h"

G_BEGIN_DECLS

/* encore_keeper_new: asks the host for the rooms that were left with songs in them.  Returns: NULL
 * when the option `restore` is off or another process keeps these rooms; every function below takes
 * that. */
EncoreKeeper *encore_keeper_new (EncorePlugin *plugin);
/* encore_keeper_close: writes down what the rooms hold now.  Before they go away. */
void encore_keeper_close (EncoreKeeper *self);

/* encore_keeper_touch: ROOM has changed; it is written within seconds. */
void encore_keeper_touch (EncoreKeeper *self, EncoreRoom *room);
/* encore_keeper_take_up: what ROOM, which is new, held before the restart is in it again. */
void encore_keeper_take_up (EncoreKeeper *self, EncoreRoom *room);
/* encore_keeper_leave: ROOM goes away. */
void encore_keeper_leave (EncoreKeeper *self, EncoreRoom *room);

G_END_DECLS
