/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Sound made and measured by ffmpeg, which shares no code with us. */
#pragma once

#include <glib.h>

/* sound_run: a command line without a shell; the test ends if it fails.  Returns: (transfer full)
 * its standard error. */
char *sound_run (const char *format, ...) G_GNUC_PRINTF (1, 2);
/* sound_output: the same, its standard output. */
char *sound_output (const char *format, ...) G_GNUC_PRINTF (1, 2);

typedef struct {
  double lufs, peak_dbtp;
} SoundLevel;
/* sound_measure: EBU R128 of PATH, one digit behind the point. */
SoundLevel sound_measure (const char *path);
