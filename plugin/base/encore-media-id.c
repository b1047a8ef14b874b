/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Which song: source and id, from whatever people paste.
 *
 * A strict reading of RFC 3986 for the URL forms that yt-dlp's own regexes take for one video; in
 * doubt there is no id, and the text is searched for instead. */
#include "config.h"
#include "base/encore-media-id.h"

#include <string.h>

#include "base/encore-error.h"

#define YOUTUBE "youtube"
#define YOUTUBE_ID_LEN 11
#define RENDITION "cbr" /* then its kbit/s */

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/* 11 letters carry 66 bits, an id has 64: the two lowest bits of the last letter are always 0. */
static const char CANONICAL_LAST[] = "AEIMQUYcgkosw048";

static const char *const WATCH_HOSTS[] = {"youtube.com",
                                          "www.youtube.com",
                                          "m.youtube.com",
                                          "music.youtube.com",
                                          "gaming.youtube.com",
                                          "youtube-nocookie.com",
                                          "youtubekids.com",
                                          "www.youtubekids.com",
                                          "www.youtube-nocookie.com",
                                          "youtube.googleapis.com",
                                          NULL};
static const char *const SHORT_HOSTS[] = {"youtu.be", "www.youtu.be", NULL};
static const char *const PATH_KINDS[] = {"embed", "shorts", "live", "v", "e", NULL};

static gboolean
is_youtube_id (const char *text, gsize len)
{
  return len == YOUTUBE_ID_LEN && strspn (text, ALPHABET) >= YOUTUBE_ID_LEN;
}

static void
set_youtube (EncoreMediaId *out, const char *id)
{
  memset (out, 0, sizeof *out);
  g_strlcpy (out->source, YOUTUBE, sizeof out->source);
  memcpy (out->id, id, YOUTUBE_ID_LEN);
  const gsize value = strchr (ALPHABET, id[YOUTUBE_ID_LEN - 1]) - ALPHABET;
  out->id[YOUTUBE_ID_LEN - 1] = ALPHABET[value & ~(gsize) 3];
}

gboolean
encore_media_id_from_youtube (const char *id, EncoreMediaId *out)
{
  if (!is_youtube_id (id, strlen (id)))
    return FALSE;
  set_youtube (out, id);
  return TRUE;
}

/* Blanks and one pair of <...>, as chat clients wrap links. */
static char *
strip_wrapping (const char *text)
{
  g_autofree char *copy = g_strstrip (g_strdup (text));
  const gsize len = strlen (copy);

  if (len >= 2 && copy[0] == '<' && copy[len - 1] == '>')
    return g_strndup (copy + 1, len - 2);
  return g_steal_pointer (&copy);
}

static gboolean
is_plain_ascii (const char *text)
{
  for (const char *p = text; *p != '\0'; p++)
    if ((guchar) *p <= 0x20 || (guchar) *p >= 0x7f || *p == '\\')
      return FALSE;
  return TRUE;
}

/* Skips "https://", "http://", "//" or nothing; NULL for any other scheme. */
static const char *
after_scheme (const char *url)
{
  if (g_ascii_strncasecmp (url, "https://", 8) == 0)
    return url + 8;
  if (g_ascii_strncasecmp (url, "http://", 7) == 0)
    return url + 7;
  if (strncmp (url, "//", 2) == 0)
    return url + 2;
  if (strncmp (url, "://", 3) == 0 || strstr (url, "://") == url + strcspn (url, ":/?#"))
    return NULL;
  return url;
}

/* The host in lower case without its port; NULL for user names and ports that are not the scheme's.
 */
static char *
take_host (const char *authority, gsize len)
{
  g_autofree char *host = g_ascii_strdown (authority, len);
  char *port = strchr (host, ':');

  if (strchr (host, '@') != NULL)
    return NULL;
  if (port != NULL) {
    if (strcmp (port, ":80") != 0 && strcmp (port, ":443") != 0)
      return NULL;
    *port = '\0';
  }
  return g_steal_pointer (&host);
}

/* Path parts without empty ones; NULL if one of them walks, plain or encoded. */
static char **
split_path (const char *path, gsize len)
{
  g_autofree char *copy = g_strndup (path, len);
  g_auto (GStrv) parts = g_strsplit (copy, "/", -1);
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func (g_free);

  for (char **part = parts; *part != NULL; part++) {
    g_autofree char *plain = g_uri_unescape_string (*part, NULL);
    if (**part == '\0')
      continue;
    if (plain == NULL || strcmp (plain, ".") == 0 || strcmp (plain, "..") == 0)
      return NULL;
    g_ptr_array_add (kept, g_strdup (*part));
  }
  g_ptr_array_add (kept, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&kept), FALSE);
}

/* Value of the first "v" of the query, in place; *LEN its length. */
static const char *
first_v (const char *query, gsize query_len, gsize *len)
{
  const char *end = query + query_len;

  for (const char *p = query; p < end;) {
    const char *amp = memchr (p, '&', end - p);
    const char *stop = amp != NULL ? amp : end;
    if (stop - p >= 2 && p[0] == 'v' && p[1] == '=') {
      *len = stop - p - 2;
      return p + 2;
    }
    p = stop + 1;
  }
  return NULL;
}

static gboolean
from_parts (char **parts, const char *query, gsize query_len, EncoreMediaId *out)
{
  const char *first = parts[0];
  gsize len = 0;

  if (first == NULL)
    return FALSE;
  if (parts[1] == NULL && (strcmp (first, "watch") == 0 || strcmp (first, "watch_popup") == 0)) {
    const char *v = first_v (query, query_len, &len);
    if (v == NULL || !is_youtube_id (v, len))
      return FALSE;
    set_youtube (out, v);
    return TRUE;
  }
  if (!g_strv_contains (PATH_KINDS, first) || parts[1] == NULL)
    return FALSE;
  /* embed/videoseries is a playlist; live_stream has no id of eleven plus one letters either */
  if (strcmp (parts[1], "videoseries") == 0 || strcmp (parts[1], "live_stream") == 0)
    return FALSE;
  if (!is_youtube_id (parts[1], strlen (parts[1])))
    return FALSE;
  set_youtube (out, parts[1]);
  return TRUE;
}

static gboolean
from_url (const char *url, EncoreMediaId *out)
{
  const char *authority = after_scheme (url);
  if (authority == NULL)
    return FALSE;

  const gsize authority_len = strcspn (authority, "/?#");
  g_autofree char *host = take_host (authority, authority_len);
  if (host == NULL)
    return FALSE;

  const char *path = authority + authority_len;
  const gsize path_len = strcspn (path, "?#");
  const char *query = path + path_len;
  gsize query_len = 0;
  if (*query == '?')
    query_len = strcspn (++query, "#");

  g_auto (GStrv) parts = split_path (path, path_len);
  if (parts == NULL)
    return FALSE;
  if (g_strv_contains (SHORT_HOSTS, host)) {
    if (parts[0] == NULL || !is_youtube_id (parts[0], strlen (parts[0])))
      return FALSE;
    set_youtube (out, parts[0]);
    return TRUE;
  }
  return g_strv_contains (WATCH_HOSTS, host) && from_parts (parts, query, query_len, out);
}

gboolean
encore_media_id_from_user (const char *text, EncoreMediaId *out)
{
  if (text == NULL)
    return FALSE;

  g_autofree char *plain = strip_wrapping (text);
  if (!is_plain_ascii (plain))
    return FALSE;
  if (is_youtube_id (plain, strlen (plain))) {
    /* "Wonderwall1" is a word: an id only if an id can end like that */
    if (strchr (CANONICAL_LAST, plain[YOUTUBE_ID_LEN - 1]) == NULL)
      return FALSE;
    set_youtube (out, plain);
    return TRUE;
  }
  return from_url (plain, out);
}

gboolean
encore_media_id_from_stem (const char *stem, EncoreMediaId *out)
{
  if (is_youtube_id (stem, strlen (stem))) {
    set_youtube (out, stem);
    return TRUE;
  }
  /* of YouTube the stem is the id alone: with the source before it, it is another row's */
  if (g_str_has_prefix (stem, YOUTUBE "-"))
    return FALSE;
  const char *dash = strchr (stem, '-');
  if (!encore_id_is_stem (stem) || dash == NULL || dash == stem || dash[1] == '\0' ||
      (gsize) (dash - stem) >= sizeof out->source)
    return FALSE;
  memset (out, 0, sizeof *out);
  memcpy (out->source, stem, dash - stem);
  g_strlcpy (out->id, dash + 1, sizeof out->id);
  return TRUE;
}

gboolean
encore_media_id_from_uri (const char *uri, EncoreMediaId *out, GError **error)
{
  static const char prefix[] = "encore://";

  if (uri != NULL && g_str_has_prefix (uri, prefix)) {
    g_auto (GStrv) parts = g_strsplit (uri + strlen (prefix), "/", -1);
    if (g_strv_length (parts) == 2) {
      if (strcmp (parts[0], YOUTUBE) == 0 && encore_media_id_from_youtube (parts[1], out))
        return TRUE;
      g_autofree char *stem = g_strconcat (parts[0], "-", parts[1], NULL);
      if (strcmp (parts[0], YOUTUBE) != 0 && strchr (parts[0], '-') == NULL &&
          encore_media_id_from_stem (stem, out))
        return TRUE;
    }
  }
  g_autofree char *shown = g_strescape (uri != NULL ? uri : "", NULL);
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_BAD_ID,
               "'%.80s' names no song (expected encore://youtube/ID)", shown);
  return FALSE;
}

gboolean
encore_id_is_stem (const char *text)
{
  const gsize len = strlen (text);

  return len > 0 && len <= ENCORE_ID_MAX && strspn (text, ALPHABET) == len;
}

char *
encore_media_id_to_text (const EncoreMediaId *id)
{
  return g_strconcat (id->source, ":", id->id, NULL);
}

char *
encore_media_id_to_uri (const EncoreMediaId *id)
{
  return g_strconcat ("encore://", id->source, "/", id->id, NULL);
}

char *
encore_media_id_to_stem (const EncoreMediaId *id)
{
  if (strcmp (id->source, YOUTUBE) == 0)
    return g_strdup (id->id);
  return g_strconcat (id->source, "-", id->id, NULL);
}

char *
encore_media_id_to_url (const EncoreMediaId *id)
{
  if (strcmp (id->source, YOUTUBE) != 0)
    return NULL;
  return g_strconcat ("https://www.youtube.com/watch?v=", id->id, NULL);
}

gboolean
encore_media_id_rendition (const EncoreMediaId *id, guint kbps, EncoreMediaId *out)
{
  g_autofree char *of = encore_media_id_to_stem (id);
  g_autofree char *stem = g_strdup_printf (RENDITION "%u-%s", kbps, of);

  return encore_media_id_from_stem (stem, out);
}

gboolean
encore_id_is_rendition (const char *stem)
{
  if (!g_str_has_prefix (stem, RENDITION) || is_youtube_id (stem, strlen (stem)))
    return FALSE;
  const char *kbps = stem + strlen (RENDITION);
  const gsize digits = strspn (kbps, "0123456789");

  return digits > 0 && kbps[digits] == '-';
}

gboolean
encore_media_id_equal (const EncoreMediaId *a, const EncoreMediaId *b)
{
  return strcmp (a->source, b->source) == 0 && strcmp (a->id, b->id) == 0;
}

guint64
encore_id_hash (const char *stem)
{
  guint64 h = G_GUINT64_CONSTANT (0xcbf29ce484222325);

  for (const char *p = stem; *p != '\0'; p++)
    h = (h ^ (guchar) *p) * G_GUINT64_CONSTANT (0x100000001b3);
  h = (h ^ (h >> 33)) * G_GUINT64_CONSTANT (0xff51afd7ed558ccd);
  h = (h ^ (h >> 33)) * G_GUINT64_CONSTANT (0xc4ceb9fe1a85ec53);
  return h ^ (h >> 33);
}
