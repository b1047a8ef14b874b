/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A generous look at links: what people mean counts, not what RFC 3986 says. */
#include "config.h"
#include "base/encore-link.h"

#include <string.h>

static const char *const SITES[] = {"youtube.com", "youtu.be", "youtube-nocookie.com",
                                    "youtubekids.com", "youtube.googleapis.com"};

/* HOST is one of SITES or below it. */
static gboolean
is_youtube (const char *host)
{
  const gsize len = strlen (host);

  for (gsize i = 0; i < G_N_ELEMENTS (SITES); i++) {
    const gsize site_len = strlen (SITES[i]);
    if (len >= site_len && strcmp (host + len - site_len, SITES[i]) == 0 &&
        (len == site_len || host[len - site_len - 1] == '.'))
      return TRUE;
  }
  return FALSE;
}

static gboolean
has_list (const char *query)
{
  return g_str_has_prefix (query, "?list=") || strstr (query, "&list=") != NULL;
}

static EncoreLinkKind
kind_of_path (const char *path)
{
  static const char *const channels[] = {"/@", "/channel/", "/c/", "/user/"};
  const char *query = path + strcspn (path, "?#");

  for (gsize i = 0; i < G_N_ELEMENTS (channels); i++)
    if (g_str_has_prefix (path, channels[i]))
      return ENCORE_LINK_CHANNEL;
  if (g_str_has_prefix (path, "/playlist") || has_list (query))
    return ENCORE_LINK_PLAYLIST;
  return ENCORE_LINK_NO_VIDEO;
}

EncoreLinkKind
encore_link_kind (const char *text)
{
  g_autofree char *copy = g_strstrip (g_strdup (text));
  const char *scheme_end = strstr (copy, "://");
  const char *host_start = copy + (*copy == '<');

  if (scheme_end != NULL)
    host_start = scheme_end + 3;
  else if (g_str_has_prefix (host_start, "//"))
    host_start += 2;
  const gsize host_len = strcspn (host_start, "/?#> \t");
  g_autofree char *authority = g_ascii_strdown (host_start, host_len);
  g_auto (GStrv) host = g_strsplit (authority, ":", 2);
  const gboolean ours = host[0] != NULL && is_youtube (host[0]);

  if (ours && (scheme_end == NULL || g_ascii_strncasecmp (copy + (*copy == '<'), "http", 4) == 0))
    return kind_of_path (host_start + host_len);
  if (scheme_end != NULL || g_str_has_prefix (authority, "www."))
    return ENCORE_LINK_ELSEWHERE;
  return ENCORE_LINK_NONE;
}
