/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What a text is that names no song, so that people can be told what they pasted. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  ENCORE_LINK_NONE,     /* words */
  ENCORE_LINK_PLAYLIST, /* of YouTube */
  ENCORE_LINK_CHANNEL,
  ENCORE_LINK_NO_VIDEO,  /* of YouTube, but not of one video */
  ENCORE_LINK_ELSEWHERE, /* another site or scheme */
} EncoreLinkKind;

/* encore_link_kind: of TEXT (untrusted), for which encore_media_id_from_user() found nothing.  It
 * only serves to choose words: nothing may be fetched because of it.  Threads: any. */
EncoreLinkKind encore_link_kind (const char *text);

/* encore_link_get_playlist: the id of the playlist that TEXT (untrusted), a link of YouTube, names
 * with list=.  Returns: (transfer full) (nullable): 2 to 64 of [A-Za-z0-9_-]. */
char *encore_link_get_playlist (const char *text);

G_END_DECLS
