/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The option table and its parsers.  Numbers are read and written with a point, whatever the locale
 * of the host. */
#include "config.h"
#include "base/encore-config.h"

#include <math.h>
#include <string.h>

#include "base/encore-error.h"

#define AT(member) G_STRUCT_OFFSET (EncoreConfig, member)
#define KIB 1024.0
#define MIB (1024.0 * KIB)
#define GIB (1024.0 * MIB)
#define TIB (1024.0 * GIB)
#define SECOND_MS 1000.0
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define SHOWN_CHARS 64

/* in the order of EncoreEvictPolicy */
static const char *const EVICT_CHOICES[] = {"gdsf", "lru", "age", NULL};
/* EncoreSandboxWay */
static const char *const SANDBOX_CHOICES[] = {"none", "bwrap", NULL};

/* EncoreDownloadWay */
static const char *const DOWNLOAD_CHOICES[] = {"auto", "ytdlp", NULL};
/* EncoreSources: each has what those before it have */
static const char *const SOURCES_CHOICES[] = {"youtube", "http", "any", NULL};
static const char *const RESOLVER_CHOICES[] = {"process", "worker", NULL};

static const EncoreOption OPTIONS[] = {
    {"cache_dir", ENCORE_OPTION_PATH, AT (cache_dir), "", 0, 0, NULL,
     "Directory of the cache; empty: $XDG_CACHE_HOME/encore. May be shared by many processes"},
    {"max_size", ENCORE_OPTION_SIZE, AT (max_size_bytes), "8GiB", 0, 1024 * TIB, NULL,
     "Songs beyond this size are evicted, the least worth keeping first; 0: no limit"},
    {"min_free", ENCORE_OPTION_SIZE, AT (min_free_bytes), "2GiB", 0, 1024 * TIB, NULL,
     "This much stays free on the file system of the cache"},
    {"max_age", ENCORE_OPTION_DURATION, AT (max_age_ms), "0", 0, 36500 * DAY_MS, NULL,
     "Songs that nobody played for this long are evicted; 0: songs do not age"},
    {"evict", ENCORE_OPTION_ENUM, AT (evict), "gdsf", 0, 0, EVICT_CHOICES,
     "Which songs go first: gdsf (rarely played and large), lru (played longest ago), age "
     "(oldest)"},
    {"keep_source", ENCORE_OPTION_BOOL, AT (keep_source), "no", 0, 0, NULL,
     "Keep the file as downloaded beside the normalised one"},
    {"jobs", ENCORE_OPTION_INT, AT (jobs), "2", 1, 16, NULL, "Songs fetched at the same time"},
    {"per_user_jobs", ENCORE_OPTION_INT, AT (per_user_jobs), "3", 0, 16, NULL,
     "Songs of one user that are fetched before their turn at the same time, in all rooms; 0: no "
     "limit"},
    {"min_interval", ENCORE_OPTION_DURATION, AT (min_interval_ms), "0", 0, HOUR_MS, NULL,
     "At least this long between two questions to the site, of all processes that share the cache"},
    {"prefetch", ENCORE_OPTION_INT, AT (prefetch), "2", 0, 50, NULL,
     "Songs of the queue that are fetched before their turn"},
    {"volume", ENCORE_OPTION_INT, AT (volume_percent), "100", 0, 150, NULL,
     "Percent at which rooms begin; at 100 packets pass as they are stored"},
    {"crossfade", ENCORE_OPTION_DURATION, AT (crossfade_ms), "0", 0, 12 * SECOND_MS, NULL,
     "For so long a song's end and the next one's beginning sound together; 0: one follows the "
     "other, packet by packet"},
    {"duck", ENCORE_OPTION_DECIMAL, AT (duck_db), "0", -60, 0, NULL,
     "By so many dB, such as -12, the music steps back while people speak, where the host tells "
     "(Mumble does); 0: it does not"},
    {"early", ENCORE_OPTION_BOOL, AT (early), "yes", 0, 0, NULL,
     "A new song is heard while it is downloaded, at the loudness of its source; no: when it has "
     "been measured"},
    {"rendition", ENCORE_OPTION_BOOL, AT (rendition), "yes", 0, 0, NULL,
     "A song that a voice has no room for (a Mumble server with the usual 72 kbit/s, for example) is "
     "encoded once more at a constant rate and kept, so that it is not encoded at every play"},
    {"live", ENCORE_OPTION_BOOL, AT (live), "no", 0, 0, NULL,
     "Live streams are played while they last, and never kept; needs ffmpeg in ytdlp_path"},
    {"max_duration", ENCORE_OPTION_DURATION, AT (max_duration_ms), "3h", SECOND_MS, 30 * DAY_MS,
     NULL, "Longer songs are refused"},
    {"max_bytes", ENCORE_OPTION_SIZE, AT (max_bytes), "200MiB", KIB, TIB, NULL,
     "Larger downloads are refused or ended"},
    {"stall", ENCORE_OPTION_DURATION, AT (stall_ms), "20s", SECOND_MS, HOUR_MS, NULL,
     "A download that brings no byte for this long is ended"},
    {"fetch_timeout", ENCORE_OPTION_DURATION, AT (fetch_timeout_ms), "10min", SECOND_MS, DAY_MS,
     NULL, "A fetch that takes longer is ended"},
    {"resolve_timeout", ENCORE_OPTION_DURATION, AT (resolve_timeout_ms), "45s", SECOND_MS, HOUR_MS,
     NULL, "The site must have answered what the song is within this time"},
    {"loudness", ENCORE_OPTION_DECIMAL, AT (loudness_lufs), "-16", -40, -5, NULL,
     "Integrated loudness of every song, in LUFS (EBU R128)"},
    {"true_peak", ENCORE_OPTION_DECIMAL, AT (true_peak_dbtp), "-1.5", -20, 0, NULL,
     "No peak of what is encoded is above this, in dBTP: up to 6 dB of it are turned down for a "
     "moment; quiet songs with higher peaks stay quieter"},
    {"bitrate", ENCORE_OPTION_INT, AT (bitrate_bps), "128000", 16000, 192000, NULL,
     "Of the Opus files in the cache, in bit/s"},
    {"queue_max", ENCORE_OPTION_INT, AT (queue_max), "500", 1, 10000, NULL,
     "Songs that may wait in one room"},
    {"per_user", ENCORE_OPTION_INT, AT (per_user), "0", 0, 10000, NULL,
     "Songs of one user that may wait in one room; 0: no limit"},
    {"playlist_max", ENCORE_OPTION_INT, AT (playlist_max), "50", 1, 1000, NULL,
     "Songs of a playlist that are queued at once"},
    {"restore", ENCORE_OPTION_BOOL, AT (restore), "yes", 0, 0, NULL,
     "After a restart rooms go on where they were: queue, song and position. Rooms are known by "
     "the host's numbers"},
    {"instance", ENCORE_OPTION_STRING, AT (instance), "", 0, 0, NULL,
     "A name for this bot, where several of one kind share a cache and each shall keep its own "
     "queues"},
    {"idle_leave", ENCORE_OPTION_DURATION, AT (idle_leave_ms), "300s", 0, 30 * DAY_MS, NULL,
     "Leave the voice room after this long without music; 0: stay"},
    {"ytdlp", ENCORE_OPTION_PROGRAM, AT (ytdlp), "yt-dlp", 0, 0, NULL,
     "The yt-dlp program: a name to be found in PATH, or a path"},
    {"ytdlp_args", ENCORE_OPTION_ARGS, AT (ytdlp_args), "", 0, 0, NULL,
     "More arguments for yt-dlp, quoted as for a shell"},
    {"ytdlp_path", ENCORE_OPTION_STRING, AT (ytdlp_path), "/usr/local/bin:/usr/bin:/bin", 0, 0,
     NULL, "PATH in the environment of yt-dlp, where it finds ffmpeg, deno and the like"},
    {"cookies", ENCORE_OPTION_PATH, AT (cookies), "", 0, 0, NULL,
     "File of cookies in Netscape format; each fetch works on a copy"},
    {"proxy", ENCORE_OPTION_STRING, AT (proxy), "", 0, 0, NULL,
     "Proxy for fetches, as URL; empty: none"},
    {"sandbox", ENCORE_OPTION_ENUM, AT (sandbox), "none", 0, 0, SANDBOX_CHOICES,
     "What yt-dlp runs in: bwrap (bubblewrap; it then sees the system's programs, the directories "
     "of ytdlp_path and of ytdlp, and of the cache only what it downloads; resolver is then always "
     "process) or none"},
    {"rate_limit", ENCORE_OPTION_SIZE, AT (rate_limit_bytes_per_s), "0", 0, GIB, NULL,
     "Bytes per second of one download; 0: no limit"},
    {"warm_budget", ENCORE_OPTION_SIZE, AT (warm_budget_bytes), "500MiB", 0, TIB, NULL,
     "What cache warm may download in a day (UTC), in all processes that share the cache; 0: no "
     "limit"},
    {"download", ENCORE_OPTION_ENUM, AT (download), "auto", 0, 0, DOWNLOAD_CHOICES,
     "Who downloads: auto (Encore itself where the song is one file, which is faster; else "
     "yt-dlp), "
     "ytdlp (always yt-dlp)"},
    {"allow_private", ENCORE_OPTION_BOOL, AT (allow_private), "no", 0, 0, NULL,
     "Download from addresses of this machine and of private networks, too; for tests"},
    {"sources", ENCORE_OPTION_ENUM, AT (sources), "youtube", 0, 0, SOURCES_CHOICES,
     "Whose links people may give: youtube, http (also addresses of sound files), any (also every "
     "site that yt-dlp knows; where such a site leads yt-dlp itself is not checked, whatever "
     "allow_private says)"},
    {"resolver", ENCORE_OPTION_ENUM, AT (resolver), "process", 0, 0, RESOLVER_CHOICES,
     "Who asks the site what a song is: process (a yt-dlp each time), worker (a yt-dlp that stays, "
     "which answers at once)"},
    {"resolver_idle", ENCORE_OPTION_DURATION, AT (resolver_idle_ms), "5min", SECOND_MS, DAY_MS,
     NULL, "A yt-dlp that stays is ended after so long without a question"},
    {"rename", ENCORE_OPTION_STRING, AT (rename), "", 0, 0, NULL,
     "Other names for commands, such as \"play=p,skip=next\""},
    {NULL, 0, 0, NULL, 0, 0, NULL, NULL},
};

typedef struct {
  const char *suffix; /* lower case */
  double factor;
} Unit;

static const Unit SIZE_UNITS[] = {{"", 1},    {"b", 1},     {"k", KIB}, {"kib", KIB},
                                  {"m", MIB}, {"mib", MIB}, {"g", GIB}, {"gib", GIB},
                                  {"t", TIB}, {"tib", TIB}, {NULL, 0}};
static const Unit DURATION_UNITS[] = {{"", SECOND_MS},  {"ms", 1},          {"s", SECOND_MS},
                                      {"m", MINUTE_MS}, {"min", MINUTE_MS}, {"h", HOUR_MS},
                                      {"d", DAY_MS},    {NULL, 0}};

const EncoreOption *
encore_config_options (void)
{
  return OPTIONS;
}

static const EncoreOption *
find_option (const char *key)
{
  for (const EncoreOption *o = OPTIONS; o->key != NULL; o++)
    if (strcmp (o->key, key) == 0)
      return o;
  return NULL;
}

/* Letters that must be changed, added or dropped to come from A to B (Levenshtein). */
static guint
edit_distance (const char *a, const char *b)
{
  const gsize n = strlen (b);
  g_autofree guint *row = g_new (guint, n + 1);

  for (gsize j = 0; j <= n; j++)
    row[j] = j;
  for (gsize i = 1; a[i - 1] != '\0'; i++) {
    guint diagonal = row[0];
    row[0] = i;
    for (gsize j = 1; j <= n; j++) {
      const guint changed = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = MIN (changed, MIN (row[j], row[j - 1]) + 1);
    }
  }
  return row[n];
}

/* The first characters of TEXT, whatever bytes they are: for an error.  (transfer full) */
static char *
show (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);

  return g_utf8_substring (valid, 0, MIN (g_utf8_strlen (valid, -1), SHOWN_CHARS));
}

static void
set_unknown_key (const char *key, GError **error)
{
  const EncoreOption *nearest = NULL;
  g_autofree char *shown = show (key);
  guint best = 4; /* further away is no typing mistake */

  if (strlen (key) < 64)
    for (const EncoreOption *o = OPTIONS; o->key != NULL; o++) {
      const guint distance = edit_distance (key, o->key);
      if (distance < best) {
        best = distance;
        nearest = o;
      }
    }
  if (nearest != NULL)
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CONFIG,
                 "unknown option '%s' (did you mean '%s'?)", shown, nearest->key);
  else
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CONFIG, "unknown option '%s'", shown);
}

/* "1.5GiB" with a table of units; FALSE if it is no number or the unit is unknown. */
static gboolean
parse_number (const char *text, const Unit *units, double *out)
{
  char *end;

  if (*text == '\0' || g_ascii_isspace (*text))
    return FALSE;
  const double number = g_ascii_strtod (text, &end);
  if (end == text || !isfinite (number))
    return FALSE;
  g_autofree char *suffix = g_strstrip (g_ascii_strdown (end, -1));
  for (; units->suffix != NULL; units++)
    if (strcmp (units->suffix, suffix) == 0) {
      *out = number * units->factor;
      return TRUE;
    }
  return FALSE;
}

/* "8GiB", "10min": the largest unit that divides VALUE. */
static char *
write_number (double value, const Unit *units)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];
  const Unit *best = NULL;

  if (value == 0)
    return g_strdup ("0");
  for (; units->suffix != NULL; units++)
    if (*units->suffix != '\0' && fmod (value, units->factor) == 0 &&
        (best == NULL || units->factor >= best->factor))
      best = units;
  g_ascii_formatd (number, sizeof number, "%.0f", value / best->factor);
  g_autofree char *suffix = g_strdup (best->suffix);
  if (strlen (suffix) == 3 && g_str_has_suffix (suffix, "ib"))
    suffix[0] = g_ascii_toupper (suffix[0]), suffix[2] = 'B';
  else if (strcmp (suffix, "b") == 0)
    suffix[0] = 'B';
  return g_strconcat (number, suffix, NULL);
}

static gboolean
parse_bool (const char *text, gboolean *out)
{
  static const char *const yes[] = {"yes", "on", "true", "1", NULL};
  static const char *const no[] = {"no", "off", "false", "0", NULL};
  g_autofree char *lower = g_ascii_strdown (text, -1);

  *out = g_strv_contains (yes, lower);
  return *out || g_strv_contains (no, lower);
}

static char *
write_value (const EncoreOption *option, double value)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  if (option->type == ENCORE_OPTION_SIZE)
    return write_number (value, SIZE_UNITS);
  if (option->type == ENCORE_OPTION_DURATION)
    return write_number (value, DURATION_UNITS);
  return g_strdup (g_ascii_formatd (number, sizeof number, "%g", value));
}

/* What would have been right, for the error. */
static char *
describe_range (const EncoreOption *option)
{
  g_autofree char *min = NULL, *max = NULL;

  switch (option->type) {
  case ENCORE_OPTION_BOOL:
    return g_strdup ("yes or no");
  case ENCORE_OPTION_ENUM: {
    g_autofree char *choices = g_strjoinv (", ", (char **) option->choices);
    return g_strconcat ("one of ", choices, NULL);
  }
  default:
    min = write_value (option, option->min);
    max = write_value (option, option->max);
    return g_strconcat (option->type == ENCORE_OPTION_INT       ? "a whole number "
                        : option->type == ENCORE_OPTION_DECIMAL ? "a number "
                        : option->type == ENCORE_OPTION_SIZE    ? "a size "
                                                                : "a time ",
                        "from ", min, " to ", max, NULL);
  }
}

/* The units that may follow the number, for the error. */
static const char *
describe_units (const EncoreOption *option)
{
  if (option->type == ENCORE_OPTION_SIZE)
    return " (B, KiB, MiB, GiB, TiB)";
  return option->type == ENCORE_OPTION_DURATION ? " (ms, s, min, h, d)" : "";
}

static gboolean
is_text (EncoreOptionType type)
{
  return type == ENCORE_OPTION_STRING || type >= ENCORE_OPTION_PATH;
}

/* (transfer full) */
static char *
describe_allowed (const EncoreOption *option)
{
  switch (option->type) {
  case ENCORE_OPTION_STRING:
    return g_strdup ("valid UTF-8");
  case ENCORE_OPTION_PATH:
    return g_strdup ("an absolute path");
  case ENCORE_OPTION_PROGRAM:
    return g_strdup ("the name of a program or an absolute path");
  case ENCORE_OPTION_ARGS:
    return g_strdup ("a list of words quoted as for a shell");
  default:
    return describe_range (option);
  }
}

/* VALUE as it is kept; NULL: it is not of TYPE.  A relative path would depend on where the host was
 * started, and a child is started elsewhere.  (transfer full) */
static char *
parse_text (EncoreOptionType type, const char *value)
{
  const gboolean path =
      type == ENCORE_OPTION_PATH || (type == ENCORE_OPTION_PROGRAM && strchr (value, '/') != NULL);

  if (path && g_str_has_prefix (value, "~/"))
    return g_build_filename (g_get_home_dir (), value + 2, NULL);
  if ((path && *value != '\0' && !g_path_is_absolute (value)) ||
      (type == ENCORE_OPTION_PROGRAM && *value == '\0') ||
      (type == ENCORE_OPTION_ARGS && *value != '\0' &&
       !g_shell_parse_argv (value, NULL, NULL, NULL)))
    return NULL;
  return g_strdup (value);
}

static gboolean
parse_in_range (const EncoreOption *option, const char *text, double *out)
{
  static const Unit none[] = {{"", 1}, {NULL, 0}};
  const Unit *units = option->type == ENCORE_OPTION_SIZE       ? SIZE_UNITS
                      : option->type == ENCORE_OPTION_DURATION ? DURATION_UNITS
                                                               : none;

  return parse_number (text, units, out) && *out >= option->min && *out <= option->max &&
         (option->type != ENCORE_OPTION_INT || floor (*out) == *out);
}

static gboolean
store_value (const EncoreOption *option, void *where, const char *value)
{
  double number;

  if (is_text (option->type)) {
    char *text = parse_text (option->type, value);
    if (text == NULL)
      return FALSE;
    g_free (*(char **) where);
    *(char **) where = text;
    return TRUE;
  }
  switch (option->type) {
  case ENCORE_OPTION_BOOL: {
    gboolean flag;
    if (!parse_bool (value, &flag))
      return FALSE;
    *(gboolean *) where = flag;
    return TRUE;
  }
  case ENCORE_OPTION_ENUM:
    for (int i = 0; option->choices[i] != NULL; i++)
      if (strcmp (option->choices[i], value) == 0) {
        *(int *) where = i;
        return TRUE;
      }
    return FALSE;
  default:
    if (!parse_in_range (option, value, &number))
      return FALSE;
    if (option->type == ENCORE_OPTION_DECIMAL)
      *(double *) where = number;
    else if (option->type == ENCORE_OPTION_INT)
      *(int *) where = number;
    else
      *(gint64 *) where = number;
    return TRUE;
  }
}

gboolean
encore_config_set (EncoreConfig *self, const char *key, const char *value, GError **error)
{
  const EncoreOption *option = find_option (key);

  if (option == NULL) {
    set_unknown_key (key, error);
    return FALSE;
  }
  g_autofree char *trimmed = g_strstrip (g_strdup (value));
  if (!g_utf8_validate (trimmed, -1, NULL) ||
      !store_value (option, G_STRUCT_MEMBER_P (self, option->offset), trimmed)) {
    g_autofree char *range = describe_allowed (option);
    g_autofree char *shown = g_strescape (trimmed, NULL);
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CONFIG, "%s = '%.64s' is not %s%s", key, shown,
                 range, describe_units (option));
    return FALSE;
  }
  return TRUE;
}

EncoreConfig *
encore_config_new (void)
{
  EncoreConfig *self = g_new0 (EncoreConfig, 1);

  for (const EncoreOption *o = OPTIONS; o->key != NULL; o++) {
    const gboolean ok = store_value (o, G_STRUCT_MEMBER_P (self, o->offset), o->default_value);
    g_assert (ok);
  }
  return self;
}

void
encore_config_free (EncoreConfig *self)
{
  if (self == NULL)
    return;
  for (const EncoreOption *o = OPTIONS; o->key != NULL; o++)
    if (is_text (o->type))
      g_free (G_STRUCT_MEMBER (char *, self, o->offset));
  g_free (self);
}

char *
encore_config_dump (const EncoreConfig *self, const EncoreOption *option)
{
  const void *where = (const char *) self + option->offset;

  if (is_text (option->type))
    return g_strdup (*(char *const *) where);
  switch (option->type) {
  case ENCORE_OPTION_BOOL:
    return g_strdup (*(const gboolean *) where ? "yes" : "no");
  case ENCORE_OPTION_ENUM:
    return g_strdup (option->choices[*(const int *) where]);
  case ENCORE_OPTION_INT:
    return g_strdup_printf ("%d", *(const int *) where);
  case ENCORE_OPTION_DECIMAL:
    return write_value (option, *(const double *) where);
  default:
    return write_value (option, *(const gint64 *) where);
  }
}

char *
encore_config_example (void)
{
  GString *text = g_string_new (
      "# Every option of Encore with its default.  Copy the lines you change, without the '#', to\n"
      "# the section [encore] of your host's configuration.\n"
      "[encore]\n");

  for (const EncoreOption *o = OPTIONS; o->key != NULL; o++) {
    g_string_append_printf (text, "\n# %s.\n", o->help);
    if (o->type != ENCORE_OPTION_STRING) {
      g_autofree char *range = describe_allowed (o);
      g_string_append_printf (text, "# (%s)\n", range);
    }
    g_string_append_printf (text, "#%s = %s\n", o->key, o->default_value);
  }
  return g_string_free (text, FALSE);
}
