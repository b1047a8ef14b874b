/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Where the bytes of a song are: an address and what must be sent along with it, as yt-dlp tells
 * it. Private to fetch. */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* All of it comes from the site and is checked: nothing here can end a line of a request. */
typedef struct {
  gboolean plain;     /* one file at one http(s) address: no playlist of pieces, no two formats */
  char *url;          /* (nullable) unless plain */
  char *format_id;    /* [A-Za-z0-9_-]+ */
  char *ext;          /* [a-z0-9]+, for a file's name */
  char **headers;     /* "Name: value" */
  char **cookies;     /* lines of a Netscape cookie file: they are sent to their domains only */
  gint64 bytes;       /* announced, 0: unknown */
  gint64 piece_bytes; /* largest piece that may be asked for at once, 0: the site does not mind */
  gint64 available_at_s; /* Unix time before which the address must not be asked, 0: at once */
} EncoreMedia;

/* encore_media_take: from the "media" event (tests/test-media.c has examples). */
void encore_media_take (EncoreMedia *self, JsonObject *event);
void encore_media_clear (EncoreMedia *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (EncoreMedia, encore_media_clear)

G_END_DECLS
