/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What the name of a file in another bot's directory says, and which of several files of one song
 * is taken.  Pure: no file is touched.  Private to import.
 *
 *   <id>.ext   title_<id>.ext   Title-<id>.ext   Title [<id>].ext   youtube-<id>-title.ext
 *   name_<8 random>.ext                                    no id
 *   X.part  X.part-Frag7  X.ytdl  X.temp.ext  X.f251.ext   leftovers of a download */
#pragma once

#include "base/encore-media-id.h"

G_BEGIN_DECLS

typedef enum {
  ENCORE_NAME_MEDIA,    /* perhaps a song: decoding decides */
  ENCORE_NAME_LEFTOVER, /* of a download or conversion that did not end */
  ENCORE_NAME_OTHER,    /* by its name no song: hidden, picture, text, subtitles, database */
} EncoreNameKind;

/* An id has no check digit, so a name that ends like one proves little. */
typedef enum {
  ENCORE_TRUST_NONE,  /* there is no id in it */
  ENCORE_TRUST_DOUBT, /* as well a word or a random suffix: something else must name the id, too */
  ENCORE_TRUST_CERTAIN
} EncoreNameTrust;

typedef struct {
  EncoreNameKind kind;
  EncoreNameTrust trust;
  EncoreMediaId id; /* unless TRUST_NONE */
  char *title;      /* for people, cleaned; "" when the name has none */
  char *base;       /* NAME without its extensions, the same bytes: BASE.info.json lies beside it */
} EncoreImportName;

/* encore_import_name_parse: NAME is any file name, in no particular encoding. */
void encore_import_name_parse (const char *name, EncoreImportName *out);
void encore_import_name_clear (EncoreImportName *self);

typedef struct {
  gboolean whole;
  gint64 frames; /* decoded, at 48 kHz */
  gint64 bytes;
} EncoreImportCandidate;

/* encore_import_choose: the longest whole one; of those no more than 100 ms shorter (encoders add
 * as much) the one with the most bytes, then the first.  Returns: its index, -1: none is whole. */
int encore_import_choose (const EncoreImportCandidate *candidates, guint n);

/* encore_import_is_whole: FRAMES decoded against the length that the file announces, 0: none.  Two
 * per cent may differ, and 100 ms in any case. */
gboolean encore_import_is_whole (gint64 frames, gint64 announced_ms);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (EncoreImportName, encore_import_name_clear)

G_END_DECLS
