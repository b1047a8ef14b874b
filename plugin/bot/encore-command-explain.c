/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Why a song is or is not in the cache, and whether the site is left alone. */
#include "config.h"
#include "bot/encore-command.h"

#include <string.h>

#include "bot/encore-text.h"
#include "store/encore-notes.h"

/* What is in flight for ID. */
static gboolean
append_flight (EncorePlugin *plugin, const EncoreMediaId *id, GString *text)
{
  static const char *const stages[] = {"waits for its turn", "is being looked for at the site",
                                       "is being downloaded", "is being checked and normalised",
                                       "is being put in place"};
  g_autoptr (GPtrArray) jobs = encore_fetch_jobs (plugin->fetch);

  for (guint i = 0; i < jobs->len; i++) {
    const EncoreProgress *job = jobs->pdata[i];
    if (!encore_media_id_equal (&job->id, id))
      continue;
    g_string_append_printf (text, "it %s", stages[job->stage]);
    if (job->stage == ENCORE_STAGE_DOWNLOAD && job->total_bytes > 0)
      g_string_append_printf (text, " (%d %%)", (int) (100 * job->done_bytes / job->total_bytes));
    g_string_append_printf (text, "; %u wait for it.", job->waiters);
    return TRUE;
  }
  return FALSE;
}

static void
append_here (const EncoreExplanation *why, const EncoreEntryInfo *info, GString *text)
{
  g_autofree char *size = encore_text_size (info->opus_bytes + info->src_bytes);

  g_string_append_printf (text, "in the cache: %s, %s, %" G_GINT64_FORMAT " play%s",
                          *info->title != '\0' ? info->title : "without a title", size, why->plays,
                          why->plays == 1 ? "" : "s");
  if (why->pinned)
    g_string_append (text, ", pinned: it is never evicted");
  else if (why->place > 0)
    g_string_append_printf (
        text, ", number %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " to go when room is needed",
        why->place, why->of);
  g_string_append (text, ". It plays at once, without the network.");
}

/* What play would do now. */
static void
append_forecast (EncorePlugin *plugin, const EncoreExplanation *why, GString *text)
{
  const gint64 left_s = encore_cache_backoff_left (plugin->cache);

  if (why->retry_after_s > 0 && why->failure != ENCORE_ERROR_THROTTLED) {
    g_autoptr (GError) error = g_error_new_literal (ENCORE_ERROR, why->failure, "");
    g_autofree char *sentence = encore_text_error (error);
    g_autofree char *span = encore_text_span (why->retry_after_s);
    g_string_append_printf (text,
                            " The last fetch failed (%s): %s The site is not asked for it again "
                            "within %s: play says so at once.",
                            encore_error_name (why->failure), sentence, span);
  } else if (left_s > 0) {
    g_autofree char *span = encore_text_span (left_s);
    g_string_append_printf (text,
                            " The site has refused us and is left alone for another %s: until then "
                            "play says so at once.",
                            span);
  } else {
    g_string_append (text, " play would fetch it.");
  }
}

static void
append_missing (EncorePlugin *plugin, const EncoreMediaId *id, const EncoreExplanation *why,
                GString *text)
{
  g_string_append (text, "not in the cache");
  if (why->where == ENCORE_IS_REMEMBERED && why->plays > 0)
    g_string_append_printf (text, ", but was played %" G_GINT64_FORMAT " time%s before it went",
                            why->plays, why->plays == 1 ? "" : "s");
  g_string_append (text, why->where == ENCORE_IS_BEING_MADE ? ": " : ".");
  if (why->where != ENCORE_IS_BEING_MADE)
    append_forecast (plugin, why, text);
  else if (!append_flight (plugin, id, text))
    g_string_append (text, "another process fetches or removes it just now; play would wait.");
}

void
encore_command_explain (EncorePlugin *plugin, const EncoreRequest *request, const char *what)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EncoreEntryInfo) info = NULL;
  g_auto (EncoreExplanation) why = {0};
  EncoreMediaId id;

  if (!encore_command_resolve (plugin, request, *what != '\0' ? what : "np", &id)) {
    encore_answer (request, "Usage: %s explain <link|#n|np>", request->name);
    return;
  }
  g_autofree char *stem = encore_media_id_to_stem (&id);
  if (!encore_cache_explain (plugin->cache, stem, &why, &error)) {
    encore_command_tell_error (request, error);
    return;
  }
  g_autoptr (GString) text = g_string_new (NULL);
  if (why.alias != NULL)
    g_string_append_printf (text, "%s is another name of %s, which is ", why.alias, why.id);
  else
    g_string_append_printf (text, "%s is ", why.id);
  if (why.where == ENCORE_IS_HERE && encore_cache_info (plugin->cache, why.id, &info, NULL))
    append_here (&why, info, text);
  else
    append_missing (plugin, &id, &why, text);
  encore_answer (request, "%s", text->str);
}

void
encore_command_backoff (EncorePlugin *plugin, const EncoreRequest *request, const char *what)
{
  const gint64 left_s = encore_cache_backoff_left (plugin->cache);
  g_autofree char *span = encore_text_span (left_s);
  g_autoptr (GError) error = NULL;

  if (*what != '\0' && strcmp (what, "lift") != 0) {
    encore_answer (request, "Usage: %s backoff [lift]", request->name);
    return;
  }
  if (*what == '\0') {
    if (left_s > 0)
      encore_answer (request,
                     "The site has refused us: nobody asks it for another %s; songs in the cache "
                     "still play.",
                     span);
    else
      encore_answer (request, "The site may be asked.");
    return;
  }
  if (!encore_command_allowed (request, "encore.admin"))
    return;
  if (!encore_cache_backoff_end (plugin->cache, NULL, &error))
    encore_command_tell_error (request, error);
  else
    encore_answer (request, left_s > 0 ? "The site may be asked again." : "There was none.");
}
