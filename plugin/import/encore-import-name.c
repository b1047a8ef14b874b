/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Names as other bots and yt-dlp leave them.  In doubt there is no id: a song that is fetched again
 * costs a minute, one under a wrong id is wrong until somebody notices. */
#include "config.h"
#include "import/encore-import-name.h"

#include <string.h>

#include "base/encore-ogg.h"
#include "base/encore-clean.h"

#define ID_LEN 11
#define RANDOM_LEN 8
#define TITLE_MAX 200 /* characters */
#define SAME_FRAMES (ENCORE_OPUS_RATE_HZ / 10)
#define TOLERANCE_MS 100
#define TOLERANCE_SHARE 50 /* 2 % */

/* ---- suffixes; all work on a copy that is cut from its end */

/* Index of the last dot of TEXT that begins an extension [A-Za-z0-9]{1,5}; 0: none. */
static gsize
find_extension (const char *text)
{
  const char *dot = strrchr (text, '.');
  const gsize len = dot != NULL ? strlen (dot + 1) : 0;

  if (dot == NULL || dot == text || len < 1 || len > 5)
    return 0;
  for (const char *p = dot + 1; *p != '\0'; p++)
    if (!g_ascii_isalnum (*p))
      return 0;
  return dot - text;
}

static gboolean
cut_suffix (char *text, const char *suffix)
{
  const gsize len = strlen (text), n = strlen (suffix);

  if (len <= n || g_ascii_strcasecmp (text + len - n, suffix) != 0)
    return FALSE;
  text[len - n] = '\0';
  return TRUE;
}

/* "-Frag123" */
static gboolean
cut_fragment (char *text)
{
  char *mark = g_strrstr (text, "-Frag");

  if (mark == NULL || mark == text || mark[5] == '\0' || mark[5 + strspn (mark + 5, "0123456789")])
    return FALSE;
  *mark = '\0';
  return TRUE;
}

/* ".f251", ".f140-drc": one format of several, left when they were not merged. */
static gboolean
cut_format (char *text)
{
  char *dot = strrchr (text, '.');

  if (dot == NULL || dot == text || dot[1] != 'f')
    return FALSE;
  const gsize digits = strspn (dot + 2, "0123456789");
  const char *rest = dot + 2 + digits;
  if (digits < 2 || digits > 4 || (*rest != '\0' && *rest != '-'))
    return FALSE;
  *dot = '\0';
  return TRUE;
}

/* What a download or a conversion adds while it runs. */
static gboolean
cut_leftover (char *text)
{
  static const char *const suffixes[] = {".part",  ".ytdl",       ".temp",    ".tmp",
                                         ".aria2", ".crdownload", ".download"};

  for (gsize i = 0; i < G_N_ELEMENTS (suffixes); i++)
    if (cut_suffix (text, suffixes[i]))
      return TRUE;
  return cut_fragment (text);
}

static gboolean
is_other (const char *name)
{
  static const char *const extensions[] = {
      "json",   "jpg",  "jpeg", "png", "webp",   "gif",    "txt",    "description", "nfo",
      "vtt",    "srt",  "ass",  "lrc", "ttml",   "srv1",   "srv2",   "srv3",        "log",
      "m3u",    "m3u8", "cue",  "url", "html",   "htm",    "xml",    "yml",         "yaml",
      "ini",    "cfg",  "conf", "db",  "db-wal", "db-shm", "sqlite", "sqlite3",     "md5",
      "sha256", "csv",  "pdf",  "py",  "js",     "sh",     "bak",    "lock"};
  const char *dot = strrchr (name, '.');

  if (*name == '.')
    return TRUE;
  for (gsize i = 0; dot != NULL && i < G_N_ELEMENTS (extensions); i++)
    if (g_ascii_strcasecmp (dot + 1, extensions[i]) == 0)
      return TRUE;
  return FALSE;
}

/* Cuts STEM to what is before all extensions. */
static EncoreNameKind
cut_extensions (char *stem)
{
  EncoreNameKind kind = ENCORE_NAME_MEDIA;

  if (is_other (stem))
    kind = ENCORE_NAME_OTHER;
  while (cut_leftover (stem))
    kind = kind == ENCORE_NAME_OTHER ? kind : ENCORE_NAME_LEFTOVER;
  const gsize dot = find_extension (stem);
  if (dot > 0)
    stem[dot] = '\0';
  while (cut_leftover (stem) || cut_format (stem))
    kind = kind == ENCORE_NAME_OTHER ? kind : ENCORE_NAME_LEFTOVER;
  return kind;
}

/* ---- ids */

/* Letters of one case but for a capital in front, as words have them: vowels and consonants, no
 * letter three times in a row, no four letters as in the alphabet. */
static gboolean
is_word (const char *text, gsize len)
{
  gsize vowels = 0;

  for (gsize i = 0; i < len; i++) {
    const char c = g_ascii_tolower (text[i]);
    if (!g_ascii_isalpha (c) || (i > 1 && g_ascii_islower (text[i]) != g_ascii_islower (text[1])) ||
        (i == 1 && g_ascii_islower (text[0]) && g_ascii_isupper (text[1])))
      return FALSE;
    if (i >= 2 && c == g_ascii_tolower (text[i - 1]) && c == g_ascii_tolower (text[i - 2]))
      return FALSE;
    if (i >= 3 && c == g_ascii_tolower (text[i - 3]) + 3 && c == g_ascii_tolower (text[i - 1]) + 1)
      return FALSE;
    vowels += strchr ("aeiouy", c) != NULL;
  }
  return len < 3 || (vowels > 0 && vowels < len);
}

/* ID may as well be "Foundations", "Hello-Music" or 20190101000: words and numbers. */
static gboolean
reads_like_words (const char *id)
{
  for (gsize at = 0; at < ID_LEN;) {
    const gsize len = strcspn (id + at, "-_");
    const gsize n = MIN (len, ID_LEN - at);
    if (strspn (id + at, "0123456789") < n && !is_word (id + at, n))
      return FALSE;
    at += n + 1;
  }
  return TRUE;
}

/* "me_abcd1234" of "call_me_abcd1234": the end of a name and eight random letters. */
static gboolean
reads_like_random (const char *id)
{
  if (id[ID_LEN - RANDOM_LEN - 1] != '_')
    return FALSE;
  for (gsize i = ID_LEN - RANDOM_LEN; i < ID_LEN; i++)
    if (!g_ascii_isalnum (id[i]))
      return FALSE;
  return is_word (id, ID_LEN - RANDOM_LEN - 1) || strspn (id, "0123456789") == 2;
}

/* Real ids have only 16 last letters: another one is no id. */
static gboolean
is_id (const char *text, gsize len, EncoreMediaId *out)
{
  g_autofree char *id = g_strndup (text, len);

  return len == ID_LEN && encore_media_id_from_youtube (id, out) && strcmp (out->id, id) == 0;
}

/* *END: of the title before the id, *REST: of the title after it. */
static EncoreNameTrust
find_id (const char *stem, EncoreMediaId *id, gsize *end, gsize *rest)
{
  const gsize len = strlen (stem);
  const char *bracket = strrchr (stem, '[');
  const gboolean prefixed = g_ascii_strncasecmp (stem, "youtube-", 8) == 0;

  *end = *rest = len;
  if (is_id (stem, len, id)) {
    *end = 0;
    return ENCORE_TRUST_CERTAIN;
  }
  if (prefixed && len >= 8 + ID_LEN && is_id (stem + 8, ID_LEN, id) &&
      strchr ("-_", stem[8 + ID_LEN]) != NULL) {
    *end = 0;
    *rest = 8 + ID_LEN;
    return ENCORE_TRUST_CERTAIN;
  }
  if (len > 0 && stem[len - 1] == ']') {
    if (bracket == NULL || !is_id (bracket + 1, stem + len - 1 - (bracket + 1), id))
      return ENCORE_TRUST_NONE;
    *end = bracket - stem;
    return reads_like_words (id->id) ? ENCORE_TRUST_DOUBT : ENCORE_TRUST_CERTAIN;
  }
  if (len <= ID_LEN || strchr ("-_", stem[len - ID_LEN - 1]) == NULL ||
      !is_id (stem + len - ID_LEN, ID_LEN, id))
    return ENCORE_TRUST_NONE;
  *end = len - ID_LEN - 1;
  return reads_like_words (id->id) || reads_like_random (id->id) ? ENCORE_TRUST_DOUBT
                                                                 : ENCORE_TRUST_CERTAIN;
}

/* ---- titles */

/* Cuts a random suffix of at least MIN letters and digits after one of SEPARATORS: one that has a
 * digit in it, or it may be a word. */
static void
cut_random (char *text, const char *separators)
{
  const gsize len = strlen (text);

  if (len <= RANDOM_LEN + 1 || strchr (separators, text[len - RANDOM_LEN - 1]) == NULL)
    return;
  const char *suffix = text + len - RANDOM_LEN;
  gboolean digit = FALSE;
  for (const char *p = suffix; *p != '\0'; p++) {
    if (!g_ascii_isalnum (*p))
      return;
    digit = digit || g_ascii_isdigit (*p);
  }
  if (digit && strspn (suffix, "0123456789") < RANDOM_LEN)
    text[len - RANDOM_LEN - 1] = '\0';
}

/* Names without blanks had them replaced. */
static char *
clean_title (char *text)
{
  g_autofree char *copy = g_strdup (text);

  if (strchr (copy, ' ') == NULL)
    g_strdelimit (copy, "_", ' ');
  g_autofree char *clean = encore_clean (copy, TITLE_MAX);
  const char *start = clean + strspn (clean, " -_.");
  gsize len = strlen (start);
  while (len > 0 && strchr (" -_.", start[len - 1]) != NULL)
    len--;
  return g_strndup (start, len);
}

void
encore_import_name_parse (const char *name, EncoreImportName *out)
{
  g_autofree char *stem = g_strdup (name);
  gsize end, rest;

  memset (out, 0, sizeof *out);
  out->kind = cut_extensions (stem);
  out->base = g_strdup (stem);
  out->trust = find_id (stem, &out->id, &end, &rest);
  if (out->trust == ENCORE_TRUST_NONE) {
    memset (&out->id, 0, sizeof out->id);
    cut_random (stem, "_");
  }
  if (rest < strlen (stem)) {
    cut_random (stem + rest, "-");
    out->title = clean_title (stem + rest);
    return;
  }
  stem[MIN (end, strlen (stem))] = '\0';
  out->title = clean_title (stem);
}

void
encore_import_name_clear (EncoreImportName *self)
{
  g_clear_pointer (&self->title, g_free);
  g_clear_pointer (&self->base, g_free);
}

/* ---- judging */

int
encore_import_choose (const EncoreImportCandidate *candidates, guint n)
{
  gint64 longest = -1;
  int best = -1;

  for (guint i = 0; i < n; i++)
    if (candidates[i].whole)
      longest = MAX (longest, candidates[i].frames);
  for (guint i = 0; i < n; i++)
    if (candidates[i].whole && candidates[i].frames >= longest - SAME_FRAMES &&
        (best < 0 || candidates[i].bytes > candidates[best].bytes))
      best = i;
  return best;
}

gboolean
encore_import_is_whole (gint64 frames, gint64 announced_ms)
{
  const gint64 decoded_ms = frames * 1000 / ENCORE_OPUS_RATE_HZ;

  return announced_ms == 0 ||
         ABS (decoded_ms - announced_ms) <= MAX (announced_ms / TOLERANCE_SHARE, TOLERANCE_MS);
}
