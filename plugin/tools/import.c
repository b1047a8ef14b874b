/* SPDX-License-Identifier: LGPL-2.1-or-later
 * import: another bot's directory is taken in. */
#include "config.h"
#include "tool.h"

#include <stdio.h>
#include <sys/resource.h>

#include "import/encore-import.h"

#define NICENESS 10 /* a bot that plays goes first */

static void
print_item (const EncoreImportItem *item, gpointer data)
{
  const ToolCall *call = data;
  const gboolean to_come = call->dry && item->verdict == ENCORE_IMPORT_IMPORTED;
  g_autofree char *name = tool_printable (item->name);
  g_autofree char *reason = tool_printable (item->reason);
  g_autofree char *length = tool_length (item->duration_ms);
  g_autofree char *title = tool_printable (item->title != NULL ? item->title : "");

  tool_progress_clear ();
  printf ("%-9s %-11s %s (%" G_GINT64_FORMAT " bytes%s%s)%s%s%s: %s%s\n",
          to_come ? "to import" : encore_import_verdict_name (item->verdict),
          item->id != NULL ? item->id : "-", name, item->bytes, item->duration_ms > 0 ? ", " : "",
          item->duration_ms > 0 ? length : "", item->verdict == ENCORE_IMPORT_IMPORTED ? " \"" : "",
          item->verdict == ENCORE_IMPORT_IMPORTED ? title : "",
          item->verdict == ENCORE_IMPORT_IMPORTED ? "\"" : "", reason,
          item->deleted ? "; deleted" : "");
  fflush (stdout);
}

static void
print_progress (guint done, guint total, gpointer data)
{
  tool_progress ("files", done, total);
}

static void
print_sums (const EncoreImportSums *sums, gboolean dry)
{
  gint64 files = 0;

  for (int i = 0; i < ENCORE_IMPORT_N_VERDICTS; i++)
    files += sums->files[i];
  printf ("%" G_GINT64_FORMAT " names", files);
  for (int i = 0; i < ENCORE_IMPORT_N_VERDICTS; i++)
    if (sums->files[i] > 0 || i <= ENCORE_IMPORT_DUPLICATE)
      printf ("%s %" G_GINT64_FORMAT " %s (%" G_GINT64_FORMAT " bytes)", i == 0 ? ":" : ",",
              sums->files[i], i == 0 && dry ? "to import" : encore_import_verdict_name (i),
              sums->bytes[i]);
  printf ("; %" G_GINT64_FORMAT " bytes freed\n", sums->freed_bytes);
}

int
tool_import (const ToolCall *call)
{
  const EncoreImportOptions options = {.dir = call->args[0],
                                       .remove = call->remove,
                                       .dry = call->dry,
                                       .min_free_bytes = call->config->min_free_bytes,
                                       .jobs = call->jobs,
                                       .cancellable = call->cancellable,
                                       .report = print_item,
                                       .progress = print_progress,
                                       .data = (gpointer) call};
  EncoreImportSums sums;
  g_autoptr (GError) error = NULL;

  setpriority (PRIO_PROCESS, 0, NICENESS);
  const gboolean ok = encore_import (call->cache, call->config, &options, &sums, &error);
  tool_progress_clear ();
  if (!ok)
    g_prefix_error (&error, "%s: ", options.dir);
  print_sums (&sums, call->dry);
  if (!ok)
    return tool_fail (error) | EXIT_FAILED;
  if (sums.files[ENCORE_IMPORT_FAILED] > 0)
    return EXIT_FAILED;
  return sums.missing > 0 ? EXIT_FOUND : EXIT_CLEAN;
}
