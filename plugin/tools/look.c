/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Verbs that change nothing: id, config, stats, list, find, info. */
#include "config.h"
#include "tool.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/encore-media-id.h"
#include "fetch/encore-normalise.h"

/* ---- without a cache */

int
tool_id (const ToolCall *call)
{
  g_autoptr (GString) line = g_string_new (NULL);
  int c;

  while ((c = getchar ()) != EOF || line->len > 0) {
    EncoreMediaId id;
    if (c != '\n' && c != EOF) {
      g_string_append_c (line, c);
      continue;
    }
    /* a NUL in the text makes it no id: it must not be cut there */
    const gboolean whole = strlen (line->str) == line->len;
    g_autofree char *text = whole && encore_media_id_from_user (line->str, &id)
                                ? encore_media_id_to_text (&id)
                                : g_strdup ("-");
    puts (text);
    g_string_truncate (line, 0);
    if (c == EOF)
      break;
  }
  return EXIT_CLEAN;
}

int
tool_config (const ToolCall *call)
{
  g_autofree char *text = encore_config_example ();

  if (call->example) {
    fputs (text, stdout);
    return EXIT_CLEAN;
  }
  for (const EncoreOption *o = encore_config_options (); o->key != NULL; o++) {
    g_autofree char *value = encore_config_dump (call->config, o);
    printf ("%-16s = %-28s # %s\n", o->key, value, o->help);
  }
  return EXIT_CLEAN;
}

/* ---- looking */

int
tool_stats (const ToolCall *call)
{
  EncoreCacheStats stats;

  encore_cache_stats (call->cache, &stats);
  g_autofree char *size = g_format_size_full (stats.bytes, G_FORMAT_SIZE_IEC_UNITS);
  g_autofree char *free_space = g_format_size_full (stats.free_bytes, G_FORMAT_SIZE_IEC_UNITS);
  printf ("songs   %" G_GINT64_FORMAT "\nsize    %s\nfree    %s\npinned  %" G_GINT64_FORMAT
          "\nplays   %" G_GINT64_FORMAT "\n",
          stats.entries, size, free_space, stats.pinned, stats.total_plays);
  return EXIT_CLEAN;
}

static void
print_info (const EncoreEntryInfo *info)
{
  g_autofree char *title = tool_printable (info->title);
  g_autofree char *length = tool_length (info->duration_ms);
  g_autofree char *size =
      g_format_size_full (info->opus_bytes + info->src_bytes, G_FORMAT_SIZE_IEC_UNITS);

  printf ("%-12s %7s %10s %6" G_GINT64_FORMAT " plays %s %s\n", info->id, length, size,
          info->access_count, info->pinned ? "pinned" : "      ", title);
}

static int
print_infos (GPtrArray *infos, const GError *error)
{
  if (infos == NULL)
    return tool_fail (error);
  for (guint i = 0; i < infos->len; i++)
    print_info (infos->pdata[i]);
  return infos->len > 0 ? EXIT_CLEAN : EXIT_FOUND;
}

int
tool_list (const ToolCall *call)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) infos =
      encore_cache_list (call->cache, ENCORE_SORT_RECENT, 0, G_MAXINT, &error);

  print_infos (infos, error);
  return infos != NULL ? EXIT_CLEAN : EXIT_FAILED;
}

int
tool_find (const ToolCall *call)
{
  g_autofree char *words = g_strjoinv (" ", call->args);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) infos = encore_cache_find (call->cache, words, 100, &error);

  return print_infos (infos, error);
}

/* How it was measured and what was done to it. */
static void
print_sound (EncoreCache *cache, const EncoreEntryInfo *info)
{
  g_autoptr (EncoreHandle) handle = encore_cache_get (cache, info->id, FALSE, NULL);

  if (handle == NULL || !isfinite (info->loudness_lufs))
    return;
  const gboolean kept = encore_normalise_was_remuxed (encore_handle_get_fd (handle));
  printf ("             %.1f LUFS as it came, gain %+.1f dB, packets %s\n", info->loudness_lufs,
          info->gain_db, kept ? "kept" : "encoded");
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
    return tool_fail (error);
  print_info (info);
  print_sound (call->cache, info);
  return EXIT_CLEAN;
}
