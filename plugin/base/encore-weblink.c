/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Addresses on the web that are no YouTube videos. */
#include "config.h"
#include "base/encore-weblink.h"

#include <string.h>

#define URL_MAX_BYTES 2000
#define HASH_LETTERS 32 /* 128 bits: nobody finds a second song for it */

static const char *const YOUTUBE_HOSTS[] = {"youtube.com", "youtu.be", "youtube-nocookie.com",
                                            "youtubekids.com", "youtube.googleapis.com"};
static const char *const AUDIO_ENDS[] = {".mp3", ".ogg",  ".oga", ".opus", ".m4a", ".aac",
                                         ".wav", ".flac", ".mka", ".webm", ".mp4"};

static gboolean
is_host_of (const char *host, const char *domain)
{
  const char *end = host + strlen (host) - MIN (strlen (host), strlen (domain));

  return strcmp (end, domain) == 0 && (end == host || end[-1] == '.');
}

/* Letters, digits, "-", "." and an IPv6 address in brackets. */
static gboolean
is_host (const char *host)
{
  if (*host == '[')
    return strspn (host + 1, "0123456789abcdef:.") == strlen (host) - 2 &&
           g_str_has_suffix (host, "]");
  for (gsize i = 0; i < G_N_ELEMENTS (YOUTUBE_HOSTS); i++)
    if (is_host_of (host, YOUTUBE_HOSTS[i]))
      return FALSE;
  return strspn (host, "abcdefghijklmnopqrstuvwxyz0123456789-.") == strlen (host) &&
         strchr (host, '.') != NULL && *host != '.' && *host != '-';
}

static gboolean
is_port (const char *port)
{
  const gsize len = strlen (port);

  return len >= 1 && len <= 5 && strspn (port, "0123456789") == len;
}

char *
encore_weblink_parse (const char *text)
{
  g_autofree char *plain = g_strstrip (g_strdup (text != NULL ? text : ""));
  const gsize len = strlen (plain);

  if (len >= 2 && plain[0] == '<' && plain[len - 1] == '>') {
    plain[len - 1] = '\0';
    memmove (plain, plain + 1, len - 1);
  }
  const gboolean secure = g_ascii_strncasecmp (plain, "https://", 8) == 0;
  if ((!secure && g_ascii_strncasecmp (plain, "http://", 7) != 0) || strlen (plain) > URL_MAX_BYTES)
    return NULL;
  for (const char *p = plain; *p != '\0'; p++)
    if ((guchar) *p <= 0x20 || (guchar) *p >= 0x7f || strchr ("\\\"<>^`{|}", *p) != NULL)
      return NULL;

  const char *authority = plain + (secure ? 8 : 7);
  const gsize authority_len = strcspn (authority, "/?#");
  g_autofree char *host = g_ascii_strdown (authority, authority_len);
  char *port = strrchr (host, ':');
  if (port != NULL && strchr (port, ']') != NULL)
    port = NULL; /* of an IPv6 address */
  if (port != NULL) {
    *port++ = '\0';
    if (!is_port (port))
      return NULL;
  }
  if (!is_host (host))
    return NULL;
  const gboolean usual = port == NULL || strcmp (port, secure ? "443" : "80") == 0;
  const char *rest = authority + authority_len;
  g_autofree char *path = g_strndup (rest, strcspn (rest, "#"));
  return g_strconcat (secure ? "https://" : "http://", host, usual ? "" : ":", usual ? "" : port,
                      *path == '/' ? "" : "/", path, NULL);
}

gboolean
encore_weblink_is_audio (const char *url)
{
  g_autofree char *path = g_ascii_strdown (url, strcspn (url, "?#"));

  for (gsize i = 0; i < G_N_ELEMENTS (AUDIO_ENDS); i++)
    if (g_str_has_suffix (path, AUDIO_ENDS[i]))
      return TRUE;
  return FALSE;
}

gboolean
encore_weblink_to_id (const char *source, const char *url, EncoreMediaId *out)
{
  g_autofree char *hash = g_compute_checksum_for_string (G_CHECKSUM_SHA256, url, -1);
  gsize n = 0;

  memset (out, 0, sizeof *out);
  for (; *source != '\0' && n < sizeof out->source - 1; source++)
    if (g_ascii_isalnum (*source))
      out->source[n++] = g_ascii_tolower (*source);
  memcpy (out->id, hash, HASH_LETTERS);
  return n > 0 && strcmp (out->source, "youtube") != 0;
}
