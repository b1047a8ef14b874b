/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Takes in a directory as other bots leave it: one entry an id, the longest whole file of each.
 *
 * Files are judged by decoding them wholly; what is taken is brought to the cache's loudness and to
 * Opus and is published under a claim like a fetched song: once, beside running bots, and killed at
 * any instant nothing half-made stays.  What is in the cache already is kept.
 *
 * An id is believed from a tag (ENCORE_ID, or the video's link in PURL, COMMENT...), else from
 * NAME.info.json, else from the file's name. */
#pragma once

#include <gio/gio.h>

#include "base/encore-config.h"
#include "store/encore-cache.h"

G_BEGIN_DECLS

typedef enum {
  ENCORE_IMPORT_IMPORTED,  /* it is in the cache now */
  ENCORE_IMPORT_DUPLICATE, /* the cache has its song from elsewhere: an earlier or a longer file */
  ENCORE_IMPORT_BROKEN,    /* cut off, damaged, or no music at all */
  ENCORE_IMPORT_NO_ID,     /* nothing says which video it is */
  ENCORE_IMPORT_LEFTOVER,  /* of a download that did not end */
  ENCORE_IMPORT_OTHER,     /* pictures, texts, databases: by its name no song, not looked at */
  ENCORE_IMPORT_SKIPPED,   /* directories, links, sockets...: not looked into */
  ENCORE_IMPORT_FAILED,    /* could not be read, judged or published */
  ENCORE_IMPORT_N_VERDICTS
} EncoreImportVerdict;

/* What became of one name in the directory. */
typedef struct {
  const char *name; /* any bytes: clean it before people see it */
  EncoreImportVerdict verdict;
  const char *id, *title; /* (nullable) */
  gint64 bytes;
  gint64 duration_ms; /* 0: not decoded */
  gboolean in_cache;  /* its song is in the cache (when dry: would be) */
  gboolean deleted;
  const char *reason; /* a clause for people */
} EncoreImportItem;

typedef struct {
  gint64 files[ENCORE_IMPORT_N_VERDICTS], bytes[ENCORE_IMPORT_N_VERDICTS];
  gint64 missing;     /* names whose song, if they have one, is not in the cache; without OTHER */
  gint64 freed_bytes; /* of deleted files */
} EncoreImportSums;

typedef struct {
  const char *dir; /* may be a link to a directory; not the cache or below it */
  gboolean remove; /* delete files whose song is in the cache, after it is there for certain */
  gboolean dry;    /* judge and tell, change nothing */
  gint64 min_free_bytes; /* of the disk; it and the cache's max_size end an import, no song is
                            evicted for one */
  guint jobs;            /* files judged and songs encoded at a time */
  GCancellable *cancellable;
  /* Called on any thread, one at a time.  @progress: (nullable): of the files to be judged. */
  void (*report) (const EncoreImportItem *item, gpointer data);
  void (*progress) (guint done, guint total, gpointer data);
  gpointer data;
} EncoreImportOptions;

/* encore_import: @cache: (nullable) when dry: as if it were empty.
 * Returns: FALSE with ERROR when DIR cannot be read or is in the cache, and when the work stopped:
 * NO_SPACE, STORE, CANCELLED; *SUMS says how far it came.  Blocks; threads are joined. */
gboolean encore_import (EncoreCache *cache, const EncoreConfig *config,
                        const EncoreImportOptions *options, EncoreImportSums *sums, GError **error);

/* encore_import_verdict_name: "imported", "duplicate"... */
const char *encore_import_verdict_name (EncoreImportVerdict verdict);

G_END_DECLS
