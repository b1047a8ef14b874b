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

/* The authority of TEXT without its port, in lower case; *REST (out) what follows it, *SCHEME (out)
 * whether there is one.  (transfer full) */
static char *
take_host (const char *text, const char **rest, gboolean *scheme, gboolean *web)
{
  const char *scheme_end = strstr (text, "://");
  const char *start = text + (*text == '<');

  *scheme = scheme_end != NULL;
  *web = scheme_end == NULL || g_ascii_strncasecmp (start, "http", 4) == 0;
  if (scheme_end != NULL)
    start = scheme_end + 3;
  else if (g_str_has_prefix (start, "//"))
    start += 2;
  const gsize len = strcspn (start, "/?#> \t");
  g_autofree char *authority = g_ascii_strdown (start, len);
  *rest = start + len;
  return g_strndup (authority, strcspn (authority, ":"));
}

EncoreLinkKind
encore_link_kind (const char *text)
{
  g_autofree char *copy = g_strstrip (g_strdup (text));
  const char *rest;
  gboolean scheme, web;
  g_autofree char *host = take_host (copy, &rest, &scheme, &web);

  if (is_youtube (host) && web)
    return kind_of_path (rest);
  return scheme || g_str_has_prefix (host, "www.") ? ENCORE_LINK_ELSEWHERE : ENCORE_LINK_NONE;
}

char *
encore_link_get_playlist (const char *text)
{
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  g_autofree char *copy = g_strstrip (g_strdup (text));
  const char *rest;
  gboolean scheme, web;
  g_autofree char *host = take_host (copy, &rest, &scheme, &web);
  g_autofree char *query = g_strndup (rest, strcspn (rest, "#> \t"));
  const char *list = strstr (query, "?list=");

  if (list == NULL)
    list = strstr (query, "&list=");
  if (list == NULL || !web || !is_youtube (host))
    return NULL;
  list += strlen ("?list=");
  const gsize len = strcspn (list, "&");
  return len >= 2 && len <= 64 && strspn (list, alphabet) >= len ? g_strndup (list, len) : NULL;
}
