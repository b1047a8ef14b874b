/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Sound made and measured by ffmpeg. */
#include "config.h"
#include "sound-fixture.h"

#include <string.h>

static void
run (const char *command, char **out, char **err)
{
  g_autoptr (GError) error = NULL;
  int status;

  if (!g_spawn_command_line_sync (command, out, err, &status, &error) || status != 0)
    g_error ("%s: %s", command, error != NULL ? error->message : *err);
}

char *
sound_run (const char *format, ...)
{
  va_list args;
  g_autofree char *out = NULL;
  char *err = NULL;

  va_start (args, format);
  g_autofree char *command = g_strdup_vprintf (format, args);
  va_end (args);
  run (command, &out, &err);
  return err;
}

char *
sound_output (const char *format, ...)
{
  va_list args;
  char *out = NULL;
  g_autofree char *err = NULL;

  va_start (args, format);
  g_autofree char *command = g_strdup_vprintf (format, args);
  va_end (args);
  run (command, &out, &err);
  return out;
}

/* The number behind "NAME:" in the summary of ffmpeg's meter. */
static double
number_after (const char *summary, const char *name)
{
  const char *at = strstr (summary, name);

  g_assert_nonnull (at);
  return g_ascii_strtod (at + strlen (name), NULL);
}

SoundLevel
sound_measure (const char *path)
{
  g_autofree char *text = sound_run (
      "ffmpeg -hide_banner -nostats -i %s -map 0:a -af ebur128=peak=true -f null -", path);
  const char *summary = g_strrstr (text, "Summary:");

  g_assert_nonnull (summary);
  return (SoundLevel){number_after (summary, "I:"), number_after (summary, "Peak:")};
}
