/* SPDX-License-Identifier: LGPL-2.1-or-later
 * yt-dlp: its arguments, its answers, its errors.  Private to fetch. */
#pragma once

#include "fetch/encore-child.h"
#include "fetch/encore-download.h"

G_BEGIN_DECLS

/* encore_ytdlp_take_line: one JSON line of ours, or a request that yt-dlp tells of; others are
 * ignored.  DATA: EncoreDownload.  Returns: see EncoreLineFunc. */
int encore_ytdlp_take_line (const char *line, gpointer data);

/* encore_ytdlp_classify: the code for what yt-dlp wrote to standard error, and its last ERROR line
 * without control characters, cut.  @asked: the words or the address that it was asked for: people
 * choose them, so they tell nothing; nor does an id. */
EncoreError encore_ytdlp_classify (const char *err_text, const char *asked, char **message);

/* encore_ytdlp_says_error: warnings are none. */
gboolean encore_ytdlp_says_error (const char *err_text);
/* encore_ytdlp_set_failure: what encore_ytdlp_classify() makes of it; NO_PROGRAM if it is empty. */
void encore_ytdlp_set_failure (const char *err_text, const char *asked, GError **error);

/* encore_ytdlp_resolve: what the song is and where its bytes are; nothing is downloaded. */
gboolean encore_ytdlp_resolve (const EncoreDownloadSpec *spec, EncoreDownload *out, GError **error);

/* encore_ytdlp_stream: a live stream, its sound as Matroska, to BYTES until it ends, or CANCELLABLE
 * does it.  OUT gets its title.  Needs ffmpeg in ytdlp_path.  DATA: OUT.  Errors: as of a download;
 * NETWORK when it stalls. */
gboolean encore_ytdlp_stream (const EncoreDownloadSpec *spec, EncoreBytesFunc bytes,
                              EncoreDownload *out, GError **error);

/* encore_ytdlp_make_resolve_argv: of encore_ytdlp_resolve(), without the program, "--" and the
 * address.  HOME gets a copy of the cookies.  Returns: (transfer full); NULL with CONFIG. */
char **encore_ytdlp_make_resolve_argv (const EncoreConfig *config, const char *ytdlp_cache,
                                       const char *home, GError **error);

/* encore_ytdlp_make_environment: all that it gets.  (transfer full) */
char **encore_ytdlp_make_environment (const EncoreConfig *config, const char *home);

typedef struct {
  EncoreMediaId id;
  char *title;
  gint64 duration_ms;
} EncoreHit;
EncoreHit *encore_hit_new (const EncoreMediaId *id, const char *title, gint64 duration_ms);
void encore_hit_free (gpointer hit);
/* encore_ytdlp_take_hit: one line of a flat list.  DATA: GPtrArray of EncoreHit.  Returns: see
 * EncoreLineFunc. */
int encore_ytdlp_take_hit (const char *line, gpointer data);
/* encore_ytdlp_search: Returns: (element-type EncoreHit), never empty; NULL with ERROR. */
GPtrArray *encore_ytdlp_search (const EncoreConfig *config, const char *words, guint limit,
                                const char *dir, GCancellable *cancellable, GError **error);
/* encore_ytdlp_list: the same for the first LIMIT songs of a playlist that can be seen.  @list_id:
 * as of encore_link_get_playlist(). */
GPtrArray *encore_ytdlp_list (const EncoreConfig *config, const char *list_id, guint limit,
                              const char *dir, GCancellable *cancellable, GError **error);

G_END_DECLS
