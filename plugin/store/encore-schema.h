/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Tables and their versions.  Private to the store. */
#pragma once

#include "store/encore-db.h"

G_BEGIN_DECLS

#define ENCORE_SCHEMA_VERSION 2
#define ENCORE_APPLICATION_ID 0x456e6372 /* "Encr" */

/* encore_schema_migrate: brings DB to ENCORE_SCHEMA_VERSION in one transaction.  Errors: STORE. */
gboolean encore_schema_migrate (EncoreDb *db, GError **error);

G_END_DECLS
