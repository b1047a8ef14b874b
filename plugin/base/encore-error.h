/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What can go wrong, once for the whole house: GError codes, their names in the database and in the
 * log, and for how long a failed song is not asked for again. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define ENCORE_ERROR (encore_error_quark ())

/* Named after what the caller or the listener can do about it.  Messages begin in lower case, name
 * the id, have no full stop; the sentence people read is made in bot/encore-text from the code.
 * Negative rows store the name of the code: never renumber meaning, append only. */
typedef enum {
  ENCORE_ERROR_FAILED,      /* anything else */
  ENCORE_ERROR_BAD_ID,      /* the text names no song */
  ENCORE_ERROR_NOT_FOUND,   /* not in the cache; a search without a hit */
  ENCORE_ERROR_CANCELLED,   /* nobody wants it any more, or the plugin stops */
  ENCORE_ERROR_BUSY,        /* played or fetched right now */
  ENCORE_ERROR_DEADLINE,    /* took too long; the work was ended */
  ENCORE_ERROR_STORE,       /* the database or the cache directory refuses */
  ENCORE_ERROR_NO_SPACE,    /* disk full, or not more than min_free left */
  ENCORE_ERROR_CORRUPT,     /* bytes are not what was promised: damaged, truncated, no audio */
  ENCORE_ERROR_NO_DECODER,  /* a GStreamer plugin is missing; the message names it */
  ENCORE_ERROR_NO_PROGRAM,  /* yt-dlp is missing, not executable or does not know our options */
  ENCORE_ERROR_CONFIG,      /* a key or value in the configuration */
  ENCORE_ERROR_PRIVATE,     /* private or members only */
  ENCORE_ERROR_GONE,        /* removed, never existed */
  ENCORE_ERROR_AGE,         /* age-restricted */
  ENCORE_ERROR_GEO,         /* not in this country */
  ENCORE_ERROR_THROTTLED,   /* bot check, 429: everybody waits */
  ENCORE_ERROR_UPCOMING,    /* not out yet */
  ENCORE_ERROR_LIVE,        /* a live stream: has no end */
  ENCORE_ERROR_TOO_LONG,    /* longer than max_duration */
  ENCORE_ERROR_TOO_BIG,     /* more bytes than max_bytes */
  ENCORE_ERROR_DRM,         /* protected */
  ENCORE_ERROR_NO_AUDIO,    /* no format with sound was offered */
  ENCORE_ERROR_FORBIDDEN,   /* 403 on the media */
  ENCORE_ERROR_NETWORK,     /* unreachable, timed out, broke off */
  ENCORE_ERROR_N_CODES
} EncoreError;

/* Threads: any.  Never fails. */
GQuark encore_error_quark (void);

/* encore_error_name: Returns: (transfer none): lower-case name such as "private", for rows and logs.
 * Unknown codes are "failed". */
const char *encore_error_name (int code);

/* encore_error_from_name: Returns: the code, ENCORE_ERROR_FAILED for names that are not known. */
EncoreError encore_error_from_name (const char *name);

/* encore_error_retry_after_s: how long an answer of this kind is believed before the site is asked
 * again, in seconds; 0: not remembered at all. */
guint encore_error_retry_after_s (int code);

G_END_DECLS
