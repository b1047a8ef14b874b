/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The offline site, started for a test, and the real yt-dlp that asks it. */
#pragma once

#include <glib.h>

typedef struct Site Site;

/* Makes the songs if need be, starts the server.  NULL when the machine lacks yt-dlp, ffmpeg or
 * python3: *WHY (transfer none). */
Site *site_start (const char **why);
/* The same with the catalogue and the files in MEDIA; TOP has the sources. */
Site *site_start_at (const char *media, const char *top, const char **why);
void site_stop (Site *self);
/* Why the catalogue has no real songs; NULL if it has. (transfer full) */
char *site_get_no_music (void);
/* "http://127.0.0.1:PORT" */
const char *site_get_url (Site *self);
/* The program for the option ytdlp. */
const char *site_get_ytdlp (Site *self);
/* The same program with all that is its own in DIR, for a sandbox. (transfer full) */
char *site_copy_ytdlp (Site *self, const char *dir);
/* "requests", "bytes" or "peak" of KEY such as "media/tuneAAAAAAA/251"; 0 if it was never asked. */
gint64 site_get_stat (Site *self, const char *key, const char *what);
/* Requests of all paths that have ID in them. */
gint64 site_count_requests (Site *self, const char *id);
/* A JSON object, see tests/site/site.py. */
void site_set_faults (Site *self, const char *json);
/* No faults, all counters 0. */
void site_reset (Site *self);
