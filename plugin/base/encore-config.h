/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Every option of the plugin, once: key, type, unit, default, range, help.  The table drives
 * parsing, the example configuration, the manual and `encore-cache config`. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  ENCORE_OPTION_STRING,
  ENCORE_OPTION_BOOL, /* yes/no, on/off, true/false, 1/0 */
  ENCORE_OPTION_INT,
  ENCORE_OPTION_DECIMAL,  /* always with a point, whatever the locale */
  ENCORE_OPTION_SIZE,     /* bytes; suffix B KiB MiB GiB TiB (K M G T) */
  ENCORE_OPTION_DURATION, /* seconds, stored in ms; suffix ms s min h d */
  ENCORE_OPTION_ENUM,     /* one of CHOICES */
  ENCORE_OPTION_PATH,     /* a string: empty or an absolute path, "~/" is the home directory */
  ENCORE_OPTION_PROGRAM,  /* a string: a name to be found in PATH, or such a path */
  ENCORE_OPTION_ARGS,     /* a string: words quoted as for a shell, perhaps none */
} EncoreOptionType;

typedef enum { ENCORE_DOWNLOAD_AUTO, ENCORE_DOWNLOAD_YTDLP } EncoreDownloadWay;
typedef enum { ENCORE_SANDBOX_NONE, ENCORE_SANDBOX_BWRAP } EncoreSandboxWay;
typedef enum { ENCORE_SOURCES_YOUTUBE, ENCORE_SOURCES_HTTP, ENCORE_SOURCES_ANY } EncoreSources;
typedef enum { ENCORE_RESOLVER_PROCESS, ENCORE_RESOLVER_WORKER } EncoreResolverWay;

/* The values.  Strings are owned, never NULL. */
typedef struct {
  char *cache_dir;
  gint64 max_size_bytes;
  gint64 min_free_bytes;
  gint64 max_age_ms;
  int evict; /* EncoreEvictPolicy of the store: gdsf lru age */
  gboolean keep_source;
  int jobs;
  int per_user_jobs;
  gint64 min_interval_ms;
  int prefetch;
  int volume_percent;
  gint64 crossfade_ms;
  double duck_db;
  gboolean early, rendition;
  gboolean live;
  gint64 max_duration_ms;
  gint64 max_bytes;
  gint64 stall_ms;
  gint64 fetch_timeout_ms;
  gint64 resolve_timeout_ms;
  double loudness_lufs;
  double true_peak_dbtp;
  int bitrate_bps;
  int queue_max;
  int per_user;
  int playlist_max;
  gboolean restore;
  char *instance;
  gint64 idle_leave_ms;
  char *ytdlp;
  char *ytdlp_args;
  char *ytdlp_path; /* PATH of the child */
  char *cookies;
  char *proxy;
  int sandbox;                   /* EncoreSandboxWay */
  gint64 rate_limit_bytes_per_s; /* 0: none */
  gint64 warm_budget_bytes;      /* a day; 0: no limit */
  int download;                  /* EncoreDownloadWay */
  gboolean allow_private;
  int sources;  /* EncoreSources */
  int resolver; /* EncoreResolverWay */
  gint64 resolver_idle_ms;
  char *rename; /* "play=p,skip=next" */
} EncoreConfig;

typedef struct {
  const char *key;
  EncoreOptionType type;
  gsize offset;              /* of the value in EncoreConfig */
  const char *default_value; /* as written in a configuration file */
  double min, max;           /* in the stored unit; both 0: no range */
  const char *const *choices;
  const char *help; /* one sentence, no full stop */
} EncoreOption;

/* encore_config_options: the table, ended by a NULL key. */
const EncoreOption *encore_config_options (void);

/* encore_config_new: all defaults.  Free with encore_config_free(). */
EncoreConfig *encore_config_new (void);
void encore_config_free (EncoreConfig *self);

/* encore_config_set: parses VALUE (untrusted).  Errors: CONFIG, naming key, value and range; the
 * old value stays.  Keys are checked: "unknown option 'x'" with the nearest known one. */
gboolean encore_config_set (EncoreConfig *self, const char *key, const char *value, GError **error);

/* encore_config_dump: Returns: (transfer full): the value of OPTION as it would be written. */
char *encore_config_dump (const EncoreConfig *self, const EncoreOption *option);

/* encore_config_is_live: may OPTION change while the bot runs?  Those are numbers that only the
 * thread that owns the configuration reads. */
gboolean encore_config_is_live (const EncoreOption *option);

/* encore_config_take_live: the live options as they are in FROM. */
void encore_config_take_live (EncoreConfig *self, const EncoreConfig *from);

/* encore_config_example: Returns: (transfer full): the example file, all options with their help.
 */
char *encore_config_example (void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreConfig, encore_config_free)

G_END_DECLS
