/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The cache directory: what is in it, how files are named, and which directories are refused.
 *
 *   CACHEDIR.TAG encore.db locks reserve   tmp/   audio/00..ff/   opus/00..ff/<id>.opus
 *
 * Everything is opened relative to its directory's descriptor and never through a symlink.  Private
 * to the store. */
#pragma once

#include <glib.h>

#include "base/encore-error.h"

G_BEGIN_DECLS

#define ENCORE_LAYOUT_SHARDS 256 /* directories below opus/ and below audio/ */

typedef enum { ENCORE_KIND_OPUS, ENCORE_KIND_AUDIO, ENCORE_N_KINDS } EncoreKind;

typedef struct {
  char *dir;
  int dirfd, tmpfd;
  gboolean folds; /* the file system takes "A" and "a" for one name */
  gint block_bytes;
  guint serial; /* atomic: of private directories */
} EncoreLayout;

/* encore_layout_open: makes what is missing (0700), unless @read_only.
 * Errors: STORE, in words: symlink, foreign owner, writable by others, cannot be made. */
EncoreLayout *encore_layout_open (const char *dir, gboolean read_only, GError **error);
void encore_layout_free (EncoreLayout *self);

/* The file of ID below KIND, "<id>.<ext>"; on a folding file system with "~" and the bitmap of its
 * capitals.  (transfer full) */
char *encore_layout_name (const EncoreLayout *self, const char *id, const char *ext);
/* The way back: FALSE if NAME is not what we would call the file of any id. */
gboolean encore_layout_parse (const EncoreLayout *self, const char *name, char **id, char **ext);
/* "opus/3f", with the shard of ID.  (transfer full) */
char *encore_layout_shard (EncoreKind kind, const char *id);
int encore_layout_open_shard (const EncoreLayout *self, EncoreKind kind, guint shard);

/* encore_layout_open_file: read-only.  Returns: -1 with errno; ELOOP for a symlink. */
int encore_layout_open_file (const EncoreLayout *self, EncoreKind kind, const char *id,
                             const char *ext);
/* encore_layout_find_source: the one file of ID below audio/.  Returns: its bytes, *EXT (out)
 * (transfer full); 0 when there is none or more than one, -1 when it cannot be told. */
gint64 encore_layout_find_source (const EncoreLayout *self, const char *id, char **ext);
/* Every file of ID below KIND is removed, durably; *BYTES grows by what was freed.  On FALSE some
 * may be left. */
gboolean encore_layout_remove (const EncoreLayout *self, EncoreKind kind, const char *id,
                               gint64 *bytes, GError **error);
/* The opus file of ID gets a second name in quarantine/, of which the last 8 are kept.  Never
 * fails: it is only for looking into. */
void encore_layout_quarantine (const EncoreLayout *self, const char *id);
/* A fresh private directory below tmp/, "<id>.<pid>-<n>".  (transfer full) (nullable) */
char *encore_layout_make_private (EncoreLayout *self, const char *id, GError **error);
/* tmp/NAME with all in it; *BYTES grows by what was freed. */
gboolean encore_layout_remove_private (const EncoreLayout *self, const char *name, gint64 *bytes);
/* encore_layout_open_private: tmp/PRIVATE/NAME, read-only.  Returns: -1 with ERROR. */
int encore_layout_open_private (const EncoreLayout *self, const char *private_name,
                                const char *name, GError **error);
/* encore_layout_publish: makes tmp/PRIVATE/NAME durable and moves it to its place. */
gboolean encore_layout_publish (const EncoreLayout *self, const char *private_name,
                                const char *name, EncoreKind kind, const char *id, const char *ext,
                                gint64 *bytes, GError **error);
/* encore_layout_move_stray: the file NAME of the directory FROM is the song ID, which has no other,
 * and gets its place, durably.  Under the id's lock. */
gboolean encore_layout_move_stray (const EncoreLayout *self, int from, const char *name,
                                   const char *id, GError **error);
/* encore_layout_sync_file: the file FD of ID, as it is and where it is, is durable. */
gboolean encore_layout_sync_file (const EncoreLayout *self, EncoreKind kind, const char *id, int fd,
                                  GError **error);
/* The reserve: bytes to give up when the disk is so full that not even an eviction can be
 * committed. keep: makes it again if there is room. */
void encore_layout_keep_reserve (const EncoreLayout *self);
void encore_layout_give_reserve (const EncoreLayout *self);
/* Bytes free to us on the file system. */
gint64 encore_layout_get_free (const EncoreLayout *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreLayout, encore_layout_free)

G_END_DECLS
