/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Tables and their versions.  Private to the store. */
#pragma once

#include "store/encore-db.h"

G_BEGIN_DECLS

#define ENCORE_SCHEMA_VERSION 4
#define ENCORE_APPLICATION_ID 0x456e6372 /* "Encr" */

/* encore_schema_migrate: brings DB to ENCORE_SCHEMA_VERSION, one transaction a version; a new one
 * is made and filled in one.  Errors: STORE in words. */
gboolean encore_schema_migrate (EncoreDb *db, const EncoreDbOptions *options, GError **error);
typedef enum {
  ENCORE_SCHEMA_SOUND,
  ENCORE_SCHEMA_DAMAGED,
  ENCORE_SCHEMA_UNKNOWN /* somebody has it locked, or the machine failed: nothing is proven */
} EncoreSchemaState;
/* encore_schema_judge: what PRAGMA integrity_check does not look at: tables, triggers and totals
 * are what we made, and with THOROUGH the index of words is sound.  A new or an older database is.
 */
EncoreSchemaState encore_schema_judge (sqlite3 *db, gboolean thorough);
/* encore_schema_is_refused: DB can be read, and is of an Encore that came after this one or of
 * another program: it is not ours to replace. */
gboolean encore_schema_is_refused (sqlite3 *db);
/* encore_schema_check: DB is ours and can be read as it is.  Errors: STORE in words. */
gboolean encore_schema_check (sqlite3 *db, GError **error);

G_END_DECLS
