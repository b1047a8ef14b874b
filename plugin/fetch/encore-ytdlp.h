/* SPDX-License-Identifier: LGPL-2.1-or-later
 * yt-dlp: its arguments, its answers, its errors.  Private to fetch. */
#pragma once

#include <gio/gio.h>

#include "base/encore-config.h"
#include "base/encore-error.h"
#include "base/encore-media-id.h"

G_BEGIN_DECLS

typedef struct {
  EncoreMediaId id; /* as the site answered */
  gboolean has_meta;
  char *title, *artist;
  gint64 duration_ms; /* 0: unknown */
  char *live_status;
  gint64 announced_bytes; /* 0: unknown */
  gint64 done_bytes, total_bytes;
  gint64 last_bytes; /* for the watchdog */
  guint requests;    /* to the site, so far; since the format is known */
  gboolean has_format, is_fragments;
  gboolean is_sound_only; /* no picture in it, whose length would be another */
  gint64 meta_us;         /* when it had resolved (g_get_monotonic_time) */
  char *file;             /* (nullable) name of the finished file in the directory */
  void (*changed) (gpointer data);
  gpointer data;
} EncoreYtdlp;

void encore_ytdlp_clear (EncoreYtdlp *self);

/* encore_ytdlp_take_line: one JSON line of ours, or a request that yt-dlp tells of; others are
 * ignored.  Returns: see EncoreLineFunc. */
int encore_ytdlp_take_line (const char *line, gpointer self);

/* encore_ytdlp_classify: the code for what yt-dlp wrote to standard error, and its last ERROR line
 * without control characters, cut. */
EncoreError encore_ytdlp_classify (const char *err_text, char **message);

/* encore_ytdlp_download: ID into DIR, which must be empty and private.
 * Success is its own "done" line and the file, never an exit code. */
gboolean encore_ytdlp_download (const EncoreConfig *config, const EncoreMediaId *id,
                                const char *dir, const char *ytdlp_cache, gint64 deadline_us,
                                GCancellable *cancellable, EncoreYtdlp *out, GError **error);

typedef struct {
  EncoreMediaId id;
  char *title;
  gint64 duration_ms;
} EncoreHit;
/* encore_ytdlp_search: Returns: (element-type EncoreHit), never empty; NULL with ERROR. */
GPtrArray *encore_ytdlp_search (const EncoreConfig *config, const char *words, guint limit,
                                const char *dir, GCancellable *cancellable, GError **error);

/* encore_ytdlp_clean: without controls and bidi marks, one line, at most MAX_CHARS.  (transfer
 * full) */
char *encore_ytdlp_clean (const char *text, glong max_chars);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (EncoreYtdlp, encore_ytdlp_clear)

G_END_DECLS
