/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What an element plays: the bytes of one song, cached or on its way there, and what is known of
 * it. */
#pragma once

#include "base/encore-media-id.h"
#include "store/encore-reader.h"

G_BEGIN_DECLS

typedef struct {
  EncoreMediaId id;
  EncoreReader *reader;
  char *title, *artist; /* never NULL */
  gint64 duration_ms;
} EncoreEntry;

/* encore_entry_new: a hit.  @handle: (transfer full), on failure too.  Errors: STORE. */
EncoreEntry *encore_entry_new (const EncoreMediaId *id, EncoreHandle *handle, GError **error);

/* encore_entry_new_growing: what is being downloaded.  @reader: (transfer none): Ogg Opus.
 * @title: (nullable). */
EncoreEntry *encore_entry_new_growing (const EncoreMediaId *id, EncoreReader *reader,
                                       const char *title, gint64 duration_ms);

/* encore_entry_open: outside a bot: looks URI ("encore://youtube/ID", untrusted) up in the cache at
 * CACHE_DIR, which is only read: nothing is fetched, counted or repaired.
 * @cache_dir: (nullable): else $ENCORE_CACHE_DIR, else $XDG_CACHE_HOME/encore.
 * Errors: BAD_ID, NOT_FOUND, STORE. */
EncoreEntry *encore_entry_open (const char *uri, const char *cache_dir, GError **error);
void encore_entry_free (EncoreEntry *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreEntry, encore_entry_free)

G_END_DECLS
