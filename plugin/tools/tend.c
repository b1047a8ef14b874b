/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Verbs that change entries: pin, unpin, repair. */
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

static void
print_decision (const char *id, gboolean removed, gint64 bytes, const char *reason, gpointer data)
{
  g_autofree char *name = tool_printable (id);

  printf ("%-7s %s (%" G_GINT64_FORMAT " bytes): %s\n", removed ? "removed" : "kept", name, bytes,
          reason);
}

int
tool_repair (const ToolCall *call)
{
  g_autoptr (GError) error = NULL;
  EncoreAudit audit;

  if (!encore_cache_audit (call->cache, call->dry, &audit, print_decision, NULL, &error))
    return tool_fail (error);
  const gint64 found =
      audit.adopted + audit.orphans + audit.dangling + audit.mismatched + audit.stale_tmp;
  printf ("%" G_GINT64_FORMAT " songs checked, %" G_GINT64_FORMAT " things %s, %" G_GINT64_FORMAT
          " bytes freed\n",
          audit.checked, found, call->dry ? "to put right" : "put right",
          audit.orphan_bytes + audit.mismatch_bytes + audit.tmp_bytes);
  return found > 0 ? EXIT_FOUND : EXIT_CLEAN;
}
