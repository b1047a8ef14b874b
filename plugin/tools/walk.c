/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A walk through songs in pages, so that a million of them is neither in memory nor holds the
 * database open. */
#include "config.h"
#include "tool.h"

#include <stdio.h>

#define PAGE 1000

typedef struct {
  const ToolCall *call;
  ToolSongFunc func;
  gpointer data;
  gint64 done, total;
} Walk;

static gboolean
visit (Walk *self, const EncoreEntryInfo *info)
{
  if (g_cancellable_is_cancelled (self->call->cancellable) || !self->func (info, self->data))
    return FALSE;
  tool_progress ("songs", ++self->done, self->total);
  return TRUE;
}

static int
walk_all (Walk *self, GError **error)
{
  g_autofree char *after = NULL;
  EncoreCacheStats stats;

  encore_cache_stats (self->call->cache, &stats);
  self->total = stats.entries;
  for (;;) {
    g_autoptr (GPtrArray) page = encore_cache_list_after (self->call->cache, after, PAGE, error);
    if (page == NULL)
      return EXIT_FAILED;
    if (page->len == 0)
      return EXIT_CLEAN;
    for (guint i = 0; i < page->len; i++)
      if (!visit (self, page->pdata[i]))
        return EXIT_CLEAN;
    g_free (after);
    after = g_strdup (((EncoreEntryInfo *) page->pdata[page->len - 1])->id);
  }
}

static int
walk_ids (Walk *self, char **ids)
{
  int status = EXIT_CLEAN;

  self->total = g_strv_length (ids);
  for (; *ids != NULL; ids++) {
    g_autofree char *stem = tool_parse_stem (*ids);
    g_autoptr (EncoreEntryInfo) info = NULL;
    g_autoptr (GError) error = NULL;
    if (stem == NULL) {
      g_autofree char *shown = tool_printable (*ids);
      fprintf (stderr, "encore-cache: '%.80s' is not an id or a link of one song\n", shown);
      status = EXIT_FAILED;
    } else if (!encore_cache_info (self->call->cache, stem, &info, &error)) {
      status = MAX (status, tool_fail (error));
    } else if (!visit (self, info)) {
      break;
    }
  }
  return status;
}

int
tool_walk (const ToolCall *call, char **ids, ToolSongFunc func, gpointer data)
{
  Walk self = {call, func, data, 0, 0};
  g_autoptr (GError) error = NULL;
  int status = ids != NULL ? walk_ids (&self, ids) : walk_all (&self, &error);

  if (error != NULL)
    tool_fail (error);
  tool_progress_clear ();
  if (g_cancellable_is_cancelled (call->cancellable)) {
    fputs ("encore-cache: stopped by a signal\n", stderr);
    status = EXIT_FAILED;
  }
  return status;
}
