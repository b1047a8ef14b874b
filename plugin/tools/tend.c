/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Verbs that change entries: pin, unpin, repair, rebuild, evict. */
#include "config.h"
#include "tool.h"

#include <stdio.h>

static int
set_pinned (const ToolCall *call, gboolean pinned)
{
  g_autofree char *stem = tool_take_stem (call);
  g_autoptr (GError) error = NULL;

  if (stem == NULL)
    return EXIT_FAILED;
  return encore_cache_pin (call->cache, stem, pinned, &error) ? EXIT_CLEAN : tool_fail (error);
}

int
tool_pin (const ToolCall *call)
{
  return set_pinned (call, TRUE);
}

int
tool_unpin (const ToolCall *call)
{
  return set_pinned (call, FALSE);
}

int
tool_repair (const ToolCall *call)
{
  g_autoptr (GError) error = NULL;
  EncoreAudit audit;

  if (!encore_cache_audit (call->cache, call->dry, &audit, tool_print_decision, NULL, &error))
    return tool_fail (error);
  tool_progress_clear ();
  const gint64 found = audit.adopted + audit.orphans + audit.dangling + audit.mismatched +
                       audit.stale_tmp + audit.totals_wrong + audit.remade;
  if (audit.remade)
    printf ("the database was damaged: it was made again from the files, pins and plays from the "
            "copy, if there was one\n");
  if (audit.totals_wrong)
    printf ("the sums of the database are not those of its songs%s\n",
            call->dry ? "" : ": corrected");
  printf ("%" G_GINT64_FORMAT " songs checked, %" G_GINT64_FORMAT " things %s, %" G_GINT64_FORMAT
          " bytes freed\n",
          audit.checked, found, call->dry ? "to put right" : "put right",
          audit.orphan_bytes + audit.mismatch_bytes + audit.tmp_bytes);
  if (audit.skipped > 0)
    printf ("%" G_GINT64_FORMAT " are being played, fetched or removed and were passed over\n",
            audit.skipped);
  if (audit.failed > 0) {
    fprintf (stderr, "encore-cache: %" G_GINT64_FORMAT " could not be looked at or put right\n",
             audit.failed);
    return EXIT_FAILED;
  }
  return found > 0 ? EXIT_FOUND : EXIT_CLEAN;
}

/* Opening it has done the work. */
int
tool_rebuild (const ToolCall *call)
{
  EncoreCacheStats stats;
  gint64 broken, unread;

  encore_cache_stats (call->cache, &stats);
  encore_cache_rebuilt (call->cache, &broken, &unread);
  tool_progress_clear ();
  printf ("the database was made again: %" G_GINT64_FORMAT " songs of %" G_GINT64_FORMAT
          " bytes, %" G_GINT64_FORMAT " pinned, %" G_GINT64_FORMAT " plays\n",
          stats.entries, stats.bytes, stats.pinned, stats.total_plays);
  if (broken > 0)
    printf ("%" G_GINT64_FORMAT " files were not whole and are removed\n", broken);
  if (unread > 0)
    fprintf (stderr,
             "encore-cache: %" G_GINT64_FORMAT
             " files could not be read and are left where they are\n",
             unread);
  return unread > 0 ? EXIT_FAILED : broken > 0 ? EXIT_FOUND : EXIT_CLEAN;
}

int
tool_evict (const ToolCall *call)
{
  g_autoptr (GError) error = NULL;
  EncoreCacheStats stats;

  const EncoreConfig *limits = call->config;
  if (call->to_bytes < 0 && limits->max_size_bytes + limits->min_free_bytes == 0 &&
      limits->max_age_ms == 0) {
    fputs ("encore-cache: evict needs --to SIZE, or limits of --config FILE or --set\n", stderr);
    return EXIT_FAILED;
  }
  const gint64 removed =
      encore_cache_evict (call->cache, call->to_bytes, tool_print_decision, NULL, &error);
  if (removed < 0)
    return tool_fail (error) | EXIT_FAILED;
  encore_cache_stats (call->cache, &stats);
  printf ("%" G_GINT64_FORMAT " songs removed, %" G_GINT64_FORMAT " songs of %" G_GINT64_FORMAT
          " bytes are left\n",
          removed, stats.entries, stats.bytes);
  const gint64 limit = call->to_bytes >= 0        ? call->to_bytes
                       : stats.max_size_bytes > 0 ? stats.max_size_bytes
                                                  : G_MAXINT64;
  if (stats.bytes > limit)
    fputs ("encore-cache: what is left is pinned, playing, queued or fetched\n", stderr);
  else if (stats.free_bytes < limits->min_free_bytes)
    fputs ("encore-cache: the disk of the cache has less than min_free left all the same\n",
           stderr);
  else
    return EXIT_CLEAN;
  return EXIT_FAILED;
}
