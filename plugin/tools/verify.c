/* SPDX-License-Identifier: LGPL-2.1-or-later
 * verify: is what the cache has still what was published? */
#include "config.h"
#include "tool.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/encore-ogg.h"
#include "store/encore-sum.h"

#define NICENESS 10 /* a bot that plays goes first */

typedef struct {
  const ToolCall *call;
  gint64 checked, damaged, kept; /* kept: damaged, but in use or not to be removed */
  JsonBuilder *json;             /* (nullable) */
  gboolean failed;
  gboolean gone; /* there was no file to look into */
} Verify;

/* ---- one file */

static gboolean
check_sum (int fd, const EncoreEntryInfo *info, GError **error)
{
  g_autofree char *sum = encore_sum_file (fd, error);

  if (sum == NULL)
    return FALSE;
  if (*info->sha256 != '\0' && strcmp (sum, info->sha256) != 0) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "its checksum is another");
    return FALSE;
  }
  return encore_ogg_verify (fd, NULL, error);
}

/* Ends and tags: 128 KiB at most are read. */
static gboolean
check_structure (int fd, const EncoreEntryInfo *info, GError **error)
{
  g_auto (EncoreOggSummary) summary = {0};

  if (!encore_ogg_summarise (fd, &summary, error))
    return FALSE;
  if (!summary.complete)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "its last page is missing");
  else if (g_strcmp0 (encore_ogg_summary_get (&summary, "ENCORE_ID"), info->id) != 0)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "its tags name another song");
  else
    return TRUE;
  return FALSE;
}

/* Errors: CORRUPT when it is proven; NOT_FOUND: it went away meanwhile; else nothing is known. */
static gboolean
check (Verify *self, const EncoreEntryInfo *info, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (EncoreHandle) handle = encore_cache_get (self->call->cache, info->id, FALSE, &local);

  if (handle != NULL) {
    const int fd = encore_handle_get_fd (handle);
    const EncoreEntryInfo *now = encore_handle_get_info (handle);
    if (!check_structure (fd, now, error) || (self->call->full && !check_sum (fd, now, error)))
      return FALSE;
    /* a row that was made again from the file has no checksum: it gets one */
    if (self->call->full && !self->call->dry && *now->sha256 == '\0')
      encore_cache_verify (self->call->cache, now->id, FALSE, NULL);
    return TRUE;
  }
  self->gone = TRUE;
  g_autoptr (EncoreEntryInfo) row = NULL;
  if (g_error_matches (local, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND) &&
      encore_cache_info (self->call->cache, info->id, &row, NULL))
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT,
                         "its file is gone or has another size");
  else
    g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* ---- all */

static void
tell (Verify *self, const EncoreEntryInfo *info, gboolean removed, const char *reason)
{
  if (self->json == NULL) {
    tool_print_decision (info->id, removed, info->opus_bytes, reason, NULL);
    return;
  }
  json_builder_begin_object (self->json);
  json_builder_set_member_name (self->json, "id");
  json_builder_add_string_value (self->json, info->id);
  json_builder_set_member_name (self->json, "bytes");
  json_builder_add_int_value (self->json, info->opus_bytes);
  json_builder_set_member_name (self->json, "reason");
  json_builder_add_string_value (self->json, reason);
  json_builder_set_member_name (self->json, "removed");
  json_builder_add_boolean_value (self->json, removed);
  json_builder_end_object (self->json);
}

/* The store looks for itself, under the song's lock, and keeps the file in quarantine/.  Returns:
 * FALSE if nothing is wrong: it was being evicted or fetched when we looked. */
static gboolean
judge_again (Verify *self, const EncoreEntryInfo *info, gboolean *removed, char **reason)
{
  g_autoptr (GError) error = NULL;

  *removed = FALSE;
  if (self->call->dry && !self->gone)
    return TRUE;
  const gboolean whole = encore_cache_verify (self->call->cache, info->id, self->call->dry, &error);
  if (g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND) ||
      (self->gone && (whole || g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_BUSY))))
    return FALSE;
  if (g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT))
    *removed = !self->call->dry;
  else if (!whole)
    *reason = g_strdup (error->message);
  return TRUE;
}

static gboolean
verify_song (const EncoreEntryInfo *info, gpointer data)
{
  Verify *self = data;
  g_autoptr (GError) error = NULL;
  g_autofree char *why_kept = NULL;
  gboolean removed;

  self->gone = FALSE;
  if (check (self, info, &error) || g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND)) {
    self->checked += error == NULL;
    return TRUE;
  }
  if (!g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT)) {
    g_prefix_error (&error, "%s: ", info->id);
    tool_fail (error);
    self->failed = TRUE;
    self->checked++;
    return TRUE;
  }
  if (!judge_again (self, info, &removed, &why_kept))
    return TRUE;
  self->checked++;
  self->damaged++;
  self->kept += !removed && !self->call->dry;
  g_autofree char *reason = why_kept != NULL ? g_strdup_printf ("%s; %s", error->message, why_kept)
                                             : g_strdup (error->message);
  tell (self, info, removed, reason);
  return TRUE;
}

static void
print_end (Verify *self)
{
  if (self->json == NULL) {
    printf ("%" G_GINT64_FORMAT " songs checked%s, %" G_GINT64_FORMAT " damaged\n", self->checked,
            self->call->full ? " to the last byte" : "", self->damaged);
    return;
  }
  json_builder_end_array (self->json);
  json_builder_set_member_name (self->json, "checked");
  json_builder_add_int_value (self->json, self->checked);
  json_builder_end_object (self->json);
  tool_json_print (json_builder_get_root (self->json));
}

int
tool_verify (const ToolCall *call)
{
  g_autoptr (JsonBuilder) json = call->json ? json_builder_new () : NULL;
  Verify self = {.call = call, .json = json};

  setpriority (PRIO_PROCESS, 0, NICENESS);
  if (json != NULL) {
    json_builder_begin_object (json);
    json_builder_set_member_name (json, "damaged");
    json_builder_begin_array (json);
  }
  const int status = tool_walk (call, *call->args != NULL ? call->args : NULL, verify_song, &self);
  print_end (&self);
  if (self.failed || self.kept > 0)
    return EXIT_FAILED;
  return MAX (status, self.damaged > 0 ? EXIT_FOUND : EXIT_CLEAN);
}
