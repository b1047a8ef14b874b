/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Addresses on the web that are no YouTube videos, and the ids of what is there. */
#pragma once

#include "base/encore-media-id.h"

G_BEGIN_DECLS

#define ENCORE_SOURCE_HTTP "http" /* a sound file at an address */
#define ENCORE_SOURCE_WEB "web"   /* a page of a site that yt-dlp knows, until it has told which */

/* encore_weblink_parse: the address that TEXT (nullable, untrusted) is, in the one form that all
 * its spellings have: scheme and host in small letters, no port that is the scheme's, no fragment.
 * Returns: (transfer full) (nullable): NULL for anything but http:// and https://, for user names,
 * anything but ASCII, hosts without a dot and those of YouTube, whose videos have ids of their own.
 * Threads: any. */
char *encore_weblink_parse (const char *text);

/* encore_weblink_is_audio: does the path of URL end like a sound file? */
gboolean encore_weblink_is_audio (const char *url);

/* encore_weblink_to_id: "SOURCE:HASH", stable for ever.  @source: of its letters and digits the
 * first fifteen are used, in small letters; at least one is needed. */
gboolean encore_weblink_to_id (const char *source, const char *url, EncoreMediaId *out);

G_END_DECLS
