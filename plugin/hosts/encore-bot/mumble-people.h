/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Who may do what: by certificate, registration or group, never by name.  [main], but for
 * mumble_people_allowed(), which is [any]. */
#pragma once

#include "mumble-config.h"
#include "mumble-world.h"

typedef struct MumblePeople MumblePeople;

/* mumble_people_new: CONFIG is the caller's and outlives it. */
MumblePeople *mumble_people_new (const MumbleConfig *config);
void mumble_people_free (MumblePeople *self);

/* mumble_people_refresh: CONFIG names others now; users have to be taken anew. */
void mumble_people_refresh (MumblePeople *self);
/* mumble_people_wants_groups: some group is named in the configuration. */
gboolean mumble_people_wants_groups (MumblePeople *self);
/* mumble_people_take_groups: the members of the server's groups; users have to be taken anew. */
void mumble_people_take_groups (MumblePeople *self, const MumbleProto__Acl *acl);
void mumble_people_take_user (MumblePeople *self, const MumbleUser *user);
void mumble_people_drop_user (MumblePeople *self, const MumbleUser *user);
bot_result mumble_people_allowed (MumblePeople *self, bot_id user, const char *permission);
/* mumble_people_describe: (transfer full): what USER can show and what that makes of him. */
char *mumble_people_describe (MumblePeople *self, const MumbleUser *user);
