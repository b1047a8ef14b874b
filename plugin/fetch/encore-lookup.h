/* SPDX-License-Identifier: LGPL-2.1-or-later
 * From words to songs, and from a playlist to its songs.  Private to fetch. */
#pragma once

#include "fetch/encore-ytdlp.h"
#include "store/encore-cache.h"

G_BEGIN_DECLS

#define ENCORE_LOOKUP_MAX 5 /* hits of a search that are asked for and remembered */

/* encore_lookup_recall: what WORDS found within the last 24 hours, without the site; where one song
 * is wanted also the cached one whose title, alone or with its artist, they are.
 * Returns: (element-type EncoreHit) (nullable): at most LIMIT; NULL if that is not known. */
GPtrArray *encore_lookup_recall (EncoreCache *cache, const char *words, guint limit);
/* encore_lookup_words: asks the site, remembers its answer for 24 hours.  When it cannot be asked
 * an older answer does, else cached songs that have all WORDS in titles and artists.  Blocks.
 * Errors: NOT_FOUND, and all of asking. */
GPtrArray *encore_lookup_words (EncoreCache *cache, const EncoreConfig *config, const char *words,
                                guint limit, GCancellable *cancellable, GError **error);
/* encore_lookup_list: the first LIMIT songs of a playlist, asked for each time.  Blocks. */
GPtrArray *encore_lookup_list (EncoreCache *cache, const EncoreConfig *config, const char *list_id,
                               guint limit, GCancellable *cancellable, GError **error);

G_END_DECLS
