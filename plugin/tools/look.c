/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Verbs that look at a cache: stats, list, find, info. */
#include "config.h"
#include "tool.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "sound/encore-normalise.h"

#define FIND_LIMIT 100

/* ---- stats */

static void
print_stats_json (const ToolCall *call, const EncoreCacheStats *stats)
{
  const struct {
    const char *name;
    gint64 value;
  } members[] = {{"songs", stats->entries},
                 {"bytes", stats->bytes},
                 {"free_bytes", stats->free_bytes},
                 {"pinned", stats->pinned},
                 {"plays", stats->total_plays}};
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autofree char *dir = g_utf8_make_valid (encore_cache_get_dir (call->cache), -1);

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "dir");
  json_builder_add_string_value (builder, dir);
  for (gsize i = 0; i < G_N_ELEMENTS (members); i++) {
    json_builder_set_member_name (builder, members[i].name);
    json_builder_add_int_value (builder, members[i].value);
  }
  json_builder_set_member_name (builder, "max_size_bytes");
  if (stats->max_size_bytes > 0)
    json_builder_add_int_value (builder, stats->max_size_bytes);
  else
    json_builder_add_null_value (builder);
  json_builder_end_object (builder);
  tool_json_print (json_builder_get_root (builder));
}

int
tool_stats (const ToolCall *call)
{
  EncoreCacheStats stats;

  encore_cache_stats (call->cache, &stats);
  if (call->json) {
    print_stats_json (call, &stats);
    return EXIT_CLEAN;
  }
  g_autofree char *size = g_format_size_full (stats.bytes, G_FORMAT_SIZE_IEC_UNITS);
  g_autofree char *limit = g_format_size_full (stats.max_size_bytes, G_FORMAT_SIZE_IEC_UNITS);
  g_autofree char *free_space = g_format_size_full (stats.free_bytes, G_FORMAT_SIZE_IEC_UNITS);
  const gboolean limited = stats.max_size_bytes > 0;
  printf ("songs   %" G_GINT64_FORMAT "\nsize    %s%s%s\nfree    %s\npinned  %" G_GINT64_FORMAT
          "\nplays   %" G_GINT64_FORMAT "\n",
          stats.entries, size, limited ? " of " : "", limited ? limit : "", free_space,
          stats.pinned, stats.total_plays);
  return EXIT_CLEAN;
}

/* ---- list, find */

static void
print_line (const EncoreEntryInfo *info)
{
  g_autofree char *id = tool_printable (info->id);
  g_autofree char *title = tool_printable (info->title);
  g_autofree char *length = tool_length (info->duration_ms);
  g_autofree char *size =
      g_format_size_full (info->opus_bytes + info->src_bytes, G_FORMAT_SIZE_IEC_UNITS);

  printf ("%-12s %7s %10s %6" G_GINT64_FORMAT " plays %s %s\n", id, length, size,
          info->access_count, info->pinned ? "pinned" : "      ", title);
}

static void
print_infos (const ToolCall *call, GPtrArray *infos)
{
  ToolJsonList list = {0};

  for (guint i = 0; i < infos->len; i++)
    if (call->json)
      tool_json_add (&list, tool_json_info (infos->pdata[i], NULL, FALSE));
    else
      print_line (infos->pdata[i]);
  if (call->json)
    tool_json_end (&list);
}

int
tool_list (const ToolCall *call)
{
  const guint limit = call->limit > 0 ? call->limit : G_MAXINT;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) infos = encore_cache_list (call->cache, call->sort, 0, limit, &error);

  if (infos == NULL)
    return tool_fail (error) | EXIT_FAILED;
  print_infos (call, infos);
  return EXIT_CLEAN;
}

int
tool_find (const ToolCall *call)
{
  const guint limit = call->limit > 0 ? call->limit : FIND_LIMIT;
  g_autofree char *words = g_strjoinv (" ", call->args);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) infos = encore_cache_find (call->cache, words, limit, &error);

  if (infos == NULL)
    return tool_fail (error) | EXIT_FAILED;
  print_infos (call, infos);
  return infos->len > 0 ? EXIT_CLEAN : EXIT_FOUND;
}

/* ---- info */

/* What is read from the song's file; path is NULL if it is gone. */
typedef struct {
  char *path;    /* as the system calls it */
  gboolean kept; /* the source's packets, not encoded again */
} SongFile;

static void
read_file (const ToolCall *call, const char *id, SongFile *file)
{
  g_autoptr (EncoreHandle) handle = encore_cache_get (call->cache, id, FALSE, NULL);

  if (handle == NULL)
    return;
  const int fd = encore_handle_get_fd (handle);
  g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", fd);
  file->path = g_file_read_link (link, NULL);
  file->kept = encore_normalise_was_remuxed (fd);
}

static char *
local_time (gint64 unix_s)
{
  g_autoptr (GDateTime) time = unix_s > 0 ? g_date_time_new_from_unix_local (unix_s) : NULL;

  return time != NULL ? g_date_time_format (time, "%Y-%m-%d %H:%M:%S %z") : g_strdup ("-");
}

static void
print_field (const char *name, const char *value)
{
  g_autofree char *shown = tool_printable (value);

  printf ("%-9s %s\n", name, *shown != '\0' ? shown : "-");
}

static void
print_info (const EncoreEntryInfo *info, const SongFile *file)
{
  g_autofree char *length = tool_length (info->duration_ms);
  g_autofree char *size = g_format_size_full (info->opus_bytes, G_FORMAT_SIZE_IEC_UNITS);
  g_autofree char *created = local_time (info->created_at_s);
  g_autofree char *accessed = local_time (info->last_access_s);

  print_field ("id", info->id);
  print_field ("title", info->title);
  print_field ("artist", info->artist);
  print_field ("url", info->url);
  print_field ("file", file->path != NULL ? file->path : "gone: the next play fetches it again");
  print_field ("sha256", info->sha256);
  printf ("length    %s (%" G_GINT64_FORMAT " ms)\n", length, info->duration_ms);
  printf ("size      %s (%" G_GINT64_FORMAT " bytes, source %" G_GINT64_FORMAT
          " bytes, packets up to %u bytes)\n",
          size, info->opus_bytes, info->src_bytes, info->max_packet_bytes);
  if (isfinite (info->loudness_lufs))
    printf ("loudness  %.1f LUFS as it came, gain %+.1f dB, packets %s\n", info->loudness_lufs,
            info->gain_db, file->kept ? "kept" : "encoded");
  else
    printf ("loudness  unknown\n");
  printf ("plays     %" G_GINT64_FORMAT "\npinned    %s\n", info->access_count,
          info->pinned ? "yes" : "no");
  print_field ("created", created);
  print_field ("played", accessed);
}

/* Not in the cache: is it known why? */
static int
tell_missing (const ToolCall *call, const char *stem, const GError *error)
{
  g_autoptr (GError) failure = NULL;
  gint64 left_s = 0;

  const int status = tool_fail (error);
  if (status == EXIT_FOUND && encore_cache_get_failure (call->cache, stem, &left_s, &failure)) {
    g_autofree char *why = tool_printable (failure->message);
    fprintf (stderr, "encore-cache: %s (%s); asked again in %" G_GINT64_FORMAT " s\n", why,
             encore_error_name (failure->code), left_s);
  }
  return status;
}

int
tool_info (const ToolCall *call)
{
  g_autofree char *stem = tool_take_stem (call);
  g_autoptr (EncoreEntryInfo) info = NULL;
  g_autoptr (GError) error = NULL;

  if (stem == NULL)
    return EXIT_FAILED;
  if (!encore_cache_info (call->cache, stem, &info, &error))
    return tell_missing (call, stem, error);
  SongFile file = {NULL, FALSE};
  read_file (call, info->id, &file);
  g_autofree char *path = file.path;
  if (call->json)
    tool_json_print (tool_json_info (info, path != NULL ? path : "", file.kept));
  else
    print_info (info, &file);
  return path != NULL ? EXIT_CLEAN : EXIT_FOUND;
}
