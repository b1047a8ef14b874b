/* SPDX-License-Identifier: GPL-3.0-or-later
 * Who speaks on IRC and what he may.
 *
 * A nick is no identity: it is the services account where the network tells it (account-tag,
 * extended-join), else nick!user@host.
 *
 * Threads: [main] only. */
#pragma once

#include <glib.h>

#include "options.h"

typedef struct {
  const char *server, *channel, *nick;
  const char *mask;    /* nick!user@host */
  const char *account; /* of the message's tag; NULL: WeeChat may know it from the join */
} WhoSpeaker;

gboolean who_is_admin (const WhoSpeaker *who, const Options *options);
/* Admins are DJs, too. */
gboolean who_is_dj (const WhoSpeaker *who, const Options *options);
/* who_identity: a text that is the same whenever he speaks.  (transfer full) */
char *who_identity (const WhoSpeaker *who);
/* who_in_list: TEXT matches one of the masks in LIST (separated by commas, case does not count). */
gboolean who_in_list (const char *text, const char *list);
