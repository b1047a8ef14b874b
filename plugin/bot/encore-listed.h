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

G_END_DECLS
