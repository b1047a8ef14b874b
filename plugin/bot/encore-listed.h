/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Lines of numbered lists (search, history, cache list), which people refer to as #n. */
#pragma once

#include "base/encore-media-id.h"

G_BEGIN_DECLS

typedef struct {
  EncoreMediaId id;
  char *title;
} EncoreListed;

EncoreListed *encore_listed_new (const EncoreMediaId *id, const char *title);
void encore_listed_free (EncoreListed *self);

/* What people were shown last in each voice room, joined or not. */
GHashTable *encore_lists_new (void);
/* @listed: (element-type EncoreListed) */
void encore_lists_set (GHashTable *self, guint64 room, GPtrArray *listed);
/* @number: from 1.  Returns: (transfer none) (nullable) */
const EncoreListed *encore_lists_get (GHashTable *self, guint64 room, guint number);

G_END_DECLS
