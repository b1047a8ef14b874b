/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What a file of the cache says of itself: whole or not, which song, its tags. */
#include "config.h"
#include "store/encore-cache-private.h"
#include "store/encore-sum.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encore-media-id.h"

static void
fill_from_tags (EncorePublish *what, const EncoreOggSummary *tags)
{
  const char *lufs = encore_ogg_summary_get (tags, "ENCORE_LUFS");
  const char *gain = encore_ogg_summary_get (tags, "ENCORE_GAIN");

  what->title = encore_ogg_summary_get (tags, "TITLE");
  what->artist = encore_ogg_summary_get (tags, "ARTIST");
  what->url = encore_ogg_summary_get (tags, "ENCORE_SOURCE");
  what->duration_ms = tags->duration_ms;
  what->loudness_lufs = lufs != NULL ? g_ascii_strtod (lufs, NULL) : NAN;
  what->gain_db = gain != NULL ? g_ascii_strtod (gain, NULL) : 0;
}

/* Whole means: Opus that says it is ID and ends where it should; with EVERY_BYTE each page's
 * checksum as well, and then it is durable, too. */
static EncoreJudgement
judge_fd (EncoreLayout *layout, const char *id, int fd, gboolean every_byte, EncoreFound *out)
{
  g_autoptr (GError) error = NULL;
  struct stat st;

  if (fstat (fd, &st) < 0)
    return ENCORE_JUDGED_UNKNOWN;
  if (!S_ISREG (st.st_mode))
    return ENCORE_JUDGED_BROKEN;
  /* first of all read it: a disk that fails is no proof against a file */
  if (every_byte && (out->sha256 = encore_sum_file (fd, NULL)) == NULL)
    return ENCORE_JUDGED_UNKNOWN;
  const gboolean whole = encore_ogg_summarise (fd, &out->tags, &error) && out->tags.complete &&
                         g_strcmp0 (encore_ogg_summary_get (&out->tags, "ENCORE_ID"), id) == 0 &&
                         (!every_byte || encore_ogg_verify (fd, NULL, &error));
  if (!whole)
    return g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_STORE) ? ENCORE_JUDGED_UNKNOWN
                                                                     : ENCORE_JUDGED_BROKEN;
  if (every_byte && !encore_layout_sync_file (layout, ENCORE_KIND_OPUS, id, fd, NULL))
    return ENCORE_JUDGED_UNKNOWN;
  out->bytes = st.st_size;
  fill_from_tags (&out->what, &out->tags);
  return ENCORE_JUDGED_WHOLE;
}

EncoreJudgement
encore_judge (EncoreLayout *layout, const char *id, gboolean every_byte, EncoreFound *out)
{
  const int fd = encore_layout_open_file (layout, ENCORE_KIND_OPUS, id, "opus");
  const int saved = errno;

  memset (out, 0, sizeof *out);
  if (fd < 0)
    return saved == ELOOP || saved == ENOENT ? ENCORE_JUDGED_BROKEN : ENCORE_JUDGED_UNKNOWN;
  const EncoreJudgement judgement = judge_fd (layout, id, fd, every_byte, out);
  close (fd);
  return judgement;
}

EncoreJudgement
encore_judge_stray (int dir, const char *name, char **id)
{
  const int fd = openat (dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  const int saved = errno;
  EncoreOggSummary tags = {0};
  g_autoptr (GError) error = NULL;
  struct stat st;
  EncoreJudgement judgement = ENCORE_JUDGED_BROKEN;

  *id = NULL;
  if (fd < 0)
    return saved == ELOOP || saved == ENOENT ? ENCORE_JUDGED_BROKEN : ENCORE_JUDGED_UNKNOWN;
  if (fstat (fd, &st) == 0 && S_ISREG (st.st_mode)) {
    if (encore_ogg_summarise (fd, &tags, &error) && tags.complete)
      *id = g_strdup (encore_ogg_summary_get (&tags, "ENCORE_ID"));
    if (*id != NULL && encore_id_is_stem (*id))
      judgement = ENCORE_JUDGED_WHOLE;
    else if (g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_STORE))
      judgement = ENCORE_JUDGED_UNKNOWN;
  }
  encore_ogg_summary_clear (&tags);
  close (fd);
  return judgement;
}

void
encore_found_clear (EncoreFound *self)
{
  encore_ogg_summary_clear (&self->tags);
  g_clear_pointer (&self->sha256, g_free);
}
