/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Which song: source and id, from whatever people paste. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define ENCORE_ID_MAX 64 /* bytes of an id or a stem, without the NUL */

/* A value, copied freely.  TEXT FORM "youtube:dQw4w9WgXcQ" is for people and logs.  STEM names rows,
 * files and locks in the store: the id itself for YouTube, "<source>-<hash>" for other sources. */
typedef struct {
  char source[16];
  char id[ENCORE_ID_MAX + 1];
} EncoreMediaId;

/* encore_media_id_from_user: what TEXT names, if it is the URL of one video or a bare id.
 * @text: (nullable): untrusted; surrounding blanks, <...> are taken off
 * Returns: TRUE and *OUT with the last letter canonicalised; FALSE for playlists, channels, searches,
 * other sites, words (search for them instead).  Bare words of eleven letters are an id only when
 * their last letter is canonical.  Threads: any. */
gboolean encore_media_id_from_user (const char *text, EncoreMediaId *out);

/* encore_media_id_from_youtube: ID as yt-dlp answers it, eleven characters.  Returns: FALSE if it is
 * none; the last letter is canonicalised. */
gboolean encore_media_id_from_youtube (const char *id, EncoreMediaId *out);

/* encore_media_id_from_uri: "encore://youtube/ID".  Returns: FALSE with BAD_ID. */
gboolean encore_media_id_from_uri (const char *uri, EncoreMediaId *out, GError **error);

/* encore_media_id_from_stem: the way back from a row or a file name.  Returns: FALSE if no stem. */
gboolean encore_media_id_from_stem (const char *stem, EncoreMediaId *out);

/* encore_id_is_stem: [A-Za-z0-9_-]{1,64}: safe as a file name; never pass it to a program bare. */
gboolean encore_id_is_stem (const char *text);

/* Returns: (transfer full): "youtube:ID" / "encore://youtube/ID" / the stem / the one URL that may be
 * handed to yt-dlp, "https://www.youtube.com/watch?v=ID"; NULL for other sources, whose hash does
 * not tell it. */
char *encore_media_id_to_text (const EncoreMediaId *id);
char *encore_media_id_to_uri (const EncoreMediaId *id);
char *encore_media_id_to_stem (const EncoreMediaId *id);
char *encore_media_id_to_url (const EncoreMediaId *id);

/* encore_media_id_rendition: the id under which the cache keeps ID at a constant KBPS ("cbr52" is its
 * source, ID's stem its id), an entry like any other.  Returns: FALSE if ID is too long for that. */
gboolean encore_media_id_rendition (const EncoreMediaId *id, guint kbps, EncoreMediaId *out);

/* encore_id_is_rendition: is STEM such an id? */
gboolean encore_id_is_rendition (const char *stem);

gboolean encore_media_id_equal (const EncoreMediaId *a, const EncoreMediaId *b);

/* encore_id_hash: stable 64-bit hash of a stem (FNV-1a and the finaliser of MurmurHash3), the same on
 * every machine and in every version: its low byte is the shard, the rest numbers the locks. */
guint64 encore_id_hash (const char *stem);

G_END_DECLS
