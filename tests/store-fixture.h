/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A cache in a directory of its own, and songs that need no decoder. */
#pragma once

#include <sys/types.h>

#include "store/encore-cache.h"

/* A fresh directory; removed with fixture_remove(). (transfer full) */
char *fixture_make_dir (void);
void fixture_remove (const char *dir);
EncoreCache *fixture_open (const char *dir, gint64 max_size_bytes);

/* Writes a small valid Ogg Opus file of PACKETS packets that says it is ID to PATH. */
void fixture_write_opus (const char *path, const char *id, const char *title, guint packets);
/* Claims ID, publishes such a file.  Fails the test if it is there or cannot. */
void fixture_publish (EncoreCache *cache, const char *id, const char *title, guint packets);
/* Is ID in the cache?  COUNT: as a play. */
gboolean fixture_is_hit (EncoreCache *cache, const char *id, gboolean count);
/* The path of ID's file. (transfer full) */
char *fixture_file (const char *dir, const char *id);
/* Entries of the directory PATH. */
guint fixture_count_entries (const char *path);
/* Entries below DIR/tmp. */
guint fixture_count_tmp (const char *dir);

/* SQL on the database of DIR, beside the store; the first column of its first row. */
void fixture_sql (const char *dir, const char *sql);
gint64 fixture_number (const char *dir, const char *sql);
/* A process that has the cache open and, with ID, a claim on it; to be killed. */
pid_t fixture_hold (const char *dir, const char *id);
/* From here on the store may complain. */
void fixture_let_warn (void);
