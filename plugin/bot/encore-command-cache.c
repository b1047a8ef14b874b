/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The cache, as people in the room see it and as admins tend it. */
#include "config.h"
#include "bot/encore-command.h"

#include <math.h>
#include <string.h>

#include "bot/encore-room.h"
#include "bot/encore-text.h"
#include "sound/encore-normalise.h"

#define LIST_MAX 10
#define TOKEN_LIFE_US (60 * G_USEC_PER_SEC)

typedef struct {
  char text[8];
  gint64 until_us;
} EncoreToken;

void
encore_command_tell_error (const EncoreRequest *request, const GError *error)
{
  g_autofree char *sentence = encore_plugin_sentence (request->plugin, error);

  g_warning ("store: %s", error->message);
  encore_answer (request, "%s", sentence);
}

static void
answer_stats (EncorePlugin *plugin, const EncoreRequest *request)
{
  EncoreCacheStats stats;
  g_autoptr (GPtrArray) jobs = encore_fetch_jobs (plugin->fetch);

  encore_cache_stats (plugin->cache, &stats);
  const gint64 asked = stats.hits + stats.misses;
  g_autofree char *size = encore_text_size (stats.bytes);
  g_autofree char *limit =
      stats.max_size_bytes > 0 ? encore_text_size (stats.max_size_bytes) : g_strdup ("no limit");
  g_autofree char *free_space = encore_text_size (stats.free_bytes);
  g_autofree char *saved = encore_text_size (stats.bytes_saved);
  encore_answer (
      request,
      "Cache: %" G_GINT64_FORMAT " songs, %s of %s, %s free on disk | hits "
      "%" G_GINT64_FORMAT ", misses %" G_GINT64_FORMAT " (%d %%) | %s not downloaded again "
      "| %" G_GINT64_FORMAT " plays in all, %" G_GINT64_FORMAT " pinned | %u being fetched",
      stats.entries, size, limit, free_space, stats.hits, stats.misses,
      asked > 0 ? (int) (100 * stats.hits / asked) : 0, saved, stats.total_plays, stats.pinned,
      jobs->len);
}

void
encore_command_list_songs (EncorePlugin *plugin, const EncoreRequest *request, GPtrArray *infos)
{
  g_autoptr (GPtrArray) listed =
      g_ptr_array_new_with_free_func ((GDestroyNotify) encore_listed_free);
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < infos->len; i++) {
    const EncoreEntryInfo *info = infos->pdata[i];
    EncoreMediaId id;
    if (!encore_media_id_from_stem (info->id, &id))
      continue;
    g_autofree char *length = encore_text_duration (info->duration_ms);
    g_ptr_array_add (listed, encore_listed_new (&id, info->title));
    g_string_append_printf (text, "%s#%u %s (%s, %" G_GINT64_FORMAT " plays%s)",
                            listed->len > 1 ? " | " : "", listed->len,
                            *info->title != '\0' ? info->title : info->id, length,
                            info->access_count, info->pinned ? ", pinned" : "");
  }
  if (listed->len == 0) {
    encore_answer (request, "Nothing in the cache.");
    return;
  }
  encore_lists_set (plugin->lists, request->voice_room, listed);
  encore_answer (request, "%s", text->str);
}

static void
run_list (EncorePlugin *plugin, const EncoreRequest *request, const char *how)
{
  static const char *const sorts[] = {"recent", "top", "size", "title", NULL};
  g_autoptr (GError) error = NULL;
  int sort = ENCORE_SORT_RECENT;

  if (*how != '\0') {
    while (sorts[sort] != NULL && strcmp (sorts[sort], how) != 0)
      sort++;
    if (sorts[sort] == NULL) {
      encore_answer (request, "Usage: %s list [recent|top|size|title]", request->name);
      return;
    }
  }
  g_autoptr (GPtrArray) infos = encore_cache_list (plugin->cache, sort, 0, LIST_MAX, &error);
  if (infos == NULL)
    encore_command_tell_error (request, error);
  else
    encore_command_list_songs (plugin, request, infos);
}

static void
run_find (EncorePlugin *plugin, const EncoreRequest *request, const char *words)
{
  g_autoptr (GError) error = NULL;

  if (*words == '\0') {
    encore_answer (request, "Usage: %s find <words>", request->name);
    return;
  }
  g_autoptr (GPtrArray) infos = encore_cache_find (plugin->cache, words, LIST_MAX, &error);
  if (infos == NULL)
    encore_command_tell_error (request, error);
  else
    encore_command_list_songs (plugin, request, infos);
}

/* How loud it came and what was done about it. (transfer full) */
static char *
describe_loudness (EncorePlugin *plugin, const EncoreEntryInfo *info)
{
  g_autoptr (EncoreHandle) handle = encore_cache_get (plugin->cache, info->id, FALSE, NULL);
  char lufs[G_ASCII_DTOSTR_BUF_SIZE], gain[G_ASCII_DTOSTR_BUF_SIZE];

  if (!isfinite (info->loudness_lufs))
    return g_strdup ("loudness unknown");
  g_ascii_formatd (lufs, sizeof lufs, "%.1f", info->loudness_lufs);
  g_ascii_formatd (gain, sizeof gain, "%+.1f", info->gain_db);
  if (handle != NULL && encore_normalise_was_remuxed (encore_handle_get_fd (handle)))
    return g_strconcat (lufs, " LUFS, packets kept as they came", NULL);
  return g_strconcat (lufs, " LUFS as it came, gain ", gain, " dB", NULL);
}

static void
answer_info (EncorePlugin *plugin, const EncoreRequest *request, const EncoreEntryInfo *info)
{
  g_autofree char *length = encore_text_duration (info->duration_ms);
  g_autofree char *size = encore_text_size (info->opus_bytes + info->src_bytes);
  g_autofree char *loudness = describe_loudness (plugin, info);

  encore_answer (request, "%s: %s%s%s (%s), %s, %s, %" G_GINT64_FORMAT " plays%s", info->id,
                 info->title, *info->artist != '\0' ? " by " : "", info->artist, length, size,
                 loudness, info->access_count, info->pinned ? ", pinned" : "");
}

static void
run_info (EncorePlugin *plugin, const EncoreRequest *request, const char *what)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EncoreEntryInfo) info = NULL;
  EncoreMediaId id;

  if (!encore_command_resolve (plugin, request, *what != '\0' ? what : "np", &id)) {
    encore_answer (request, "Usage: %s info <link|#n|np>", request->name);
    return;
  }
  g_autofree char *stem = encore_media_id_to_stem (&id);
  if (encore_cache_info (plugin->cache, stem, &info, &error))
    answer_info (plugin, request, info);
  else if (g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND))
    encore_answer (request, "%s is not in the cache.", stem);
  else
    encore_command_tell_error (request, error);
}

static void
run_pin (EncorePlugin *plugin, const EncoreRequest *request, const char *what, gboolean pinned)
{
  g_autoptr (GError) error = NULL;
  EncoreMediaId id;

  if (!encore_command_allowed (request, "encore.admin"))
    return;
  if (!encore_command_resolve (plugin, request, what, &id)) {
    encore_answer (request, "Usage: %s %s <link|#n|np>", request->name, pinned ? "pin" : "unpin");
    return;
  }
  g_autofree char *stem = encore_media_id_to_stem (&id);
  if (encore_cache_pin (plugin->cache, stem, pinned, &error))
    encore_answer (request,
                   pinned ? "%s is pinned: it is never evicted." : "%s is not pinned any more.",
                   stem);
  else if (g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND))
    encore_answer (request, "%s is not in the cache.", stem);
  else
    encore_command_tell_error (request, error);
}

void
encore_command_cache (EncorePlugin *plugin, const EncoreRequest *request)
{
  g_auto (GStrv) words = g_strsplit (request->args, " ", 2);
  const char *verb = words[0] != NULL ? words[0] : "";
  g_autofree char *rest =
      g_strstrip (g_strdup (words[0] != NULL && words[1] != NULL ? words[1] : ""));

  if (*verb == '\0')
    answer_stats (plugin, request);
  else if (strcmp (verb, "list") == 0)
    run_list (plugin, request, rest);
  else if (strcmp (verb, "find") == 0)
    run_find (plugin, request, rest);
  else if (strcmp (verb, "info") == 0)
    run_info (plugin, request, rest);
  else if (strcmp (verb, "explain") == 0)
    encore_command_explain (plugin, request, rest);
  else if (strcmp (verb, "backoff") == 0)
    encore_command_backoff (plugin, request, rest);
  else if (strcmp (verb, "warm") == 0)
    encore_command_warm (plugin, request, rest);
  else if (strcmp (verb, "jobs") == 0 && *rest == '\0')
    encore_command_jobs (plugin, request);
  else if (strcmp (verb, "cancel") == 0)
    encore_command_cancel (plugin, request, rest);
  else if (strcmp (verb, "pin") == 0 || strcmp (verb, "unpin") == 0)
    run_pin (plugin, request, rest, *verb == 'p');
  else
    encore_command_wrong (request);
}

/* ---- cleaning, on the chores thread */

static void
log_decision (const char *id, gboolean removed, gint64 bytes, const char *reason, gpointer data)
{
  g_info ("cleanup: %s %s (%" G_GINT64_FORMAT " bytes): %s", removed ? "removed" : "kept", id,
          bytes, reason);
}

static void
do_cleanup (EncorePlugin *plugin, const EncoreRequest *request)
{
  g_autoptr (GError) error = NULL;
  const gboolean dry = strcmp (request->args, "dry") == 0;
  EncoreAudit audit = {0};
  gint64 evicted = 0;

  if (!encore_cache_audit (plugin->cache, dry, &audit, log_decision, NULL, &error) ||
      (!dry &&
       (evicted = encore_cache_evict (plugin->cache, -1, log_decision, NULL, &error)) < 0)) {
    encore_command_tell_error (request, error);
    return;
  }
  g_autofree char *freed =
      encore_text_size (audit.orphan_bytes + audit.mismatch_bytes + audit.tmp_bytes);
  g_autofree char *failed =
      audit.failed > 0
          ? g_strdup_printf (" %" G_GINT64_FORMAT " could not be put right: see the log.",
                             audit.failed)
          : g_strdup ("");
  encore_answer (request,
                 "%s%" G_GINT64_FORMAT " entries checked: %" G_GINT64_FORMAT
                 " files without a row taken in, %" G_GINT64_FORMAT " broken ones removed, "
                 "%" G_GINT64_FORMAT " rows without a file removed, %" G_GINT64_FORMAT
                 " of wrong size, %" G_GINT64_FORMAT " leftovers; %s freed, %" G_GINT64_FORMAT
                 " evicted for the limits.%s",
                 dry ? "Dry run. " : "", audit.checked, audit.adopted, audit.orphans,
                 audit.dangling, audit.mismatched, audit.stale_tmp, freed, evicted, failed);
}

void
encore_command_cleanup (EncorePlugin *plugin, const EncoreRequest *request)
{
  if (*request->args != '\0' && strcmp (request->args, "dry") != 0) {
    encore_command_wrong (request);
    return;
  }
  encore_plugin_chore (plugin, request, do_cleanup);
}

static void
do_clear (EncorePlugin *plugin, const EncoreRequest *request)
{
  g_autoptr (GError) error = NULL;
  gint64 bytes = 0;
  const gint64 n = encore_cache_clear (plugin->cache, &bytes, log_decision, NULL, &error);
  EncoreCacheStats stats;

  if (n < 0) {
    encore_command_tell_error (request, error);
    return;
  }
  encore_cache_stats (plugin->cache, &stats);
  g_autofree char *freed = encore_text_size (bytes);
  encore_answer (request,
                 "%" G_GINT64_FORMAT " songs removed, %s freed; %" G_GINT64_FORMAT
                 " kept (playing, queued or pinned).",
                 n, freed, stats.entries);
}

void
encore_command_cache_clear (EncorePlugin *plugin, const EncoreRequest *request)
{
  g_autofree char *key =
      g_strdup_printf ("%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT, request->room, request->user);
  const EncoreToken *asked = g_hash_table_lookup (plugin->tokens, key);

  if (*request->args != '\0') {
    const gboolean right = asked != NULL && strcmp (asked->text, request->args) == 0 &&
                           g_get_monotonic_time () < asked->until_us;
    g_hash_table_remove (plugin->tokens, key);
    if (right)
      encore_plugin_chore (plugin, request, do_clear);
    else
      encore_answer (request, "That is not the token, or it is too old: say %s again.",
                     request->name);
    return;
  }
  EncoreCacheStats stats;
  EncoreToken *token = g_new0 (EncoreToken, 1);
  encore_cache_stats (plugin->cache, &stats);
  g_autofree char *size = encore_text_size (stats.bytes);
  g_snprintf (token->text, sizeof token->text, "%06d", g_random_int_range (0, 1000000));
  token->until_us = g_get_monotonic_time () + TOKEN_LIFE_US;
  encore_answer (request,
                 "This removes %" G_GINT64_FORMAT " songs (%s), all but what is playing, queued or "
                 "pinned. To confirm say within 60 s: %s %s",
                 stats.entries, size, request->name, token->text);
  g_hash_table_replace (plugin->tokens, g_steal_pointer (&key), token);
}
