/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The words people read. */
#include "config.h"
#include "bot/encore-text.h"

static const char *const SENTENCES[ENCORE_ERROR_N_CODES] = {
    [ENCORE_ERROR_FAILED] = "It cannot be played; the log says more.",
    [ENCORE_ERROR_BAD_ID] =
        "That is not the link of one song: give the address of a video, or words "
        "to search for.",
    [ENCORE_ERROR_NOT_FOUND] = "Nothing was found.",
    [ENCORE_ERROR_CANCELLED] = "It was cancelled.",
    [ENCORE_ERROR_BUSY] = "It is being played or fetched right now; try again later.",
    [ENCORE_ERROR_DEADLINE] = "The download took too long and was ended; try again later.",
    [ENCORE_ERROR_STORE] = "The cache cannot be used; the operator must look at the log.",
    [ENCORE_ERROR_NO_SPACE] = "There is no room left on the disk for another song.",
    [ENCORE_ERROR_CORRUPT] = "What the site sent is no whole song; nothing was kept.",
    [ENCORE_ERROR_NO_DECODER] = "This format cannot be decoded here: the operator must install a "
                                "GStreamer plugin (see the log).",
    [ENCORE_ERROR_NO_PROGRAM] = "yt-dlp cannot be started: the operator must install it or correct "
                                "the option ytdlp.",
    [ENCORE_ERROR_CONFIG] = "The configuration is wrong; the operator must look at the log.",
    [ENCORE_ERROR_PRIVATE] = "This video is private.",
    [ENCORE_ERROR_GONE] = "This video is not available (any more).",
    [ENCORE_ERROR_AGE] = "This video is age-restricted.",
    [ENCORE_ERROR_GEO] = "This video is not available in this country.",
    [ENCORE_ERROR_THROTTLED] =
        "The site refuses us for the moment (too many requests); songs in the "
        "cache still play.",
    [ENCORE_ERROR_UPCOMING] = "This video is not out yet.",
    [ENCORE_ERROR_LIVE] = "This is a live stream; it has no end and is not played.",
    [ENCORE_ERROR_TOO_LONG] = "It is longer than this bot plays.",
    [ENCORE_ERROR_TOO_BIG] = "Its file is larger than this bot fetches.",
    [ENCORE_ERROR_DRM] = "This video is protected (DRM).",
    [ENCORE_ERROR_NO_AUDIO] = "The site offers no sound for it; perhaps yt-dlp is too old.",
    [ENCORE_ERROR_FORBIDDEN] = "The site refused the download.",
    [ENCORE_ERROR_NETWORK] =
        "The site cannot be reached, or the connection broke; try again later.",
};

char *
encore_text_error (const GError *error)
{
  int code = ENCORE_ERROR_FAILED;

  if (error->domain == ENCORE_ERROR && error->code >= 0 && error->code < ENCORE_ERROR_N_CODES)
    code = error->code;
  return g_strdup (SENTENCES[code]);
}

const char *
encore_text_link (EncoreLinkKind kind)
{
  static const char *const sentences[] = {
      [ENCORE_LINK_NONE] = "That is no link.",
      [ENCORE_LINK_PLAYLIST] = "That is the link of a playlist: playlist <link> queues its songs.",
      [ENCORE_LINK_CHANNEL] = "That is the link of a channel: give the address of one video.",
      [ENCORE_LINK_NO_VIDEO] =
          "That link names no video: give the address of one, or words to search for.",
      [ENCORE_LINK_ELSEWHERE] = "That is no link of YouTube; other sites are not played.",
  };

  return sentences[kind];
}

char *
encore_text_duration (gint64 duration_ms)
{
  const gint64 s = duration_ms / 1000;

  if (duration_ms <= 0)
    return g_strdup ("?");
  if (s >= 3600)
    return g_strdup_printf ("%d:%02d:%02d", (int) (s / 3600), (int) (s / 60 % 60), (int) (s % 60));
  return g_strdup_printf ("%d:%02d", (int) (s / 60), (int) (s % 60));
}

char *
encore_text_span (gint64 seconds)
{
  const int minutes = (seconds + 30) / 60, hours = minutes / 60, days = hours / 24;

  if (seconds < 100)
    return g_strdup_printf ("%d s", (int) seconds);
  if (hours == 0)
    return g_strdup_printf ("%d min", minutes);
  if (days == 0)
    return g_strdup_printf ("%d h %d min", hours, minutes % 60);
  return g_strdup_printf ("%d d %d h", days, hours % 24);
}

char *
encore_text_size (gint64 bytes)
{
  return g_format_size_full (MAX (bytes, 0), G_FORMAT_SIZE_IEC_UNITS);
}
