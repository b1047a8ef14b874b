/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What yt-dlp writes: its lines on standard output, then, behind a NUL, standard error. */
#include "config.h"
#include "fuzz.h"

#include <string.h>

#include "fetch/encore-child.h"
#include "fetch/encore-ytdlp.h"

static void
check_clean (const char *text)
{
  if (text == NULL)
    return;
  MUST (g_utf8_validate (text, -1, NULL) && g_utf8_strlen (text, -1) <= 200);
  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    MUST (!g_unichar_iscntrl (g_utf8_get_char (p)));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const uint8_t *zero = size > 0 ? memchr (data, 0, size) : NULL;
  const size_t len = zero != NULL ? (size_t) (zero - data) : size;
  g_autofree char *out = g_utf8_make_valid ((const char *) data, len);
  g_autofree char *err = g_utf8_make_valid (zero != NULL ? (const char *) zero + 1 : "",
                                            zero != NULL ? size - len - 1 : 0);
  g_autofree char *message = NULL;
  g_auto (GStrv) lines = g_strsplit (out, "\n", -1);
  g_auto (EncoreDownload) answer = {0};

  for (char **line = lines; *line != NULL; line++) {
    const int what = encore_ytdlp_take_line (*line, &answer);
    MUST (what >= ENCORE_LINE_NOTHING && what <= ENCORE_LINE_VAIN);
  }
  check_clean (answer.title);
  check_clean (answer.artist);
  MUST (answer.duration_ms >= 0 && answer.announced_bytes >= 0);
  MUST (answer.done_bytes >= 0 && answer.total_bytes >= 0);
  MUST (answer.file == NULL || strchr (answer.file, '/') == NULL || strcmp (answer.file, "/") == 0);
  const EncoreError code =
      encore_ytdlp_classify (err, answer.title != NULL ? answer.title : "", &message);
  MUST (code < ENCORE_ERROR_N_CODES);
  check_clean (message);
  return 0;
}
