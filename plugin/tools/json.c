/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Answers for programs. */
#include "config.h"
#include "tool.h"

#include <math.h>
#include <stdio.h>

#include "base/encore-media-id.h"

static char *
to_text (JsonNode *node, gboolean pretty)
{
  char *text = json_to_string (node, pretty);

  json_node_unref (node);
  return text;
}

void
tool_json_print (JsonNode *node)
{
  g_autofree char *text = to_text (node, TRUE);

  puts (text);
}

/* A million songs are not kept in memory a second time. */
void
tool_json_add (ToolJsonList *self, JsonNode *node)
{
  g_autofree char *text = to_text (node, FALSE);

  fputs (self->begun ? ",\n" : "[\n", stdout);
  fputs (text, stdout);
  self->begun = TRUE;
}

void
tool_json_end (ToolJsonList *self)
{
  puts (self->begun ? "\n]" : "[]");
}

char *
tool_json_time (gint64 unix_s)
{
  g_autoptr (GDateTime) time = unix_s > 0 ? g_date_time_new_from_unix_utc (unix_s) : NULL;

  return time != NULL ? g_date_time_format (time, "%Y-%m-%dT%H:%M:%SZ") : NULL;
}

static void
add_text (JsonBuilder *builder, const char *name, const char *text)
{
  g_autofree char *valid = text != NULL ? g_utf8_make_valid (text, -1) : NULL;

  json_builder_set_member_name (builder, name);
  if (valid != NULL && *valid != '\0')
    json_builder_add_string_value (builder, valid);
  else
    json_builder_add_null_value (builder);
}

static void
add_number (JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

/* JSON has no NaN. */
static void
add_decimal (JsonBuilder *builder, const char *name, double value)
{
  json_builder_set_member_name (builder, name);
  if (isfinite (value))
    json_builder_add_double_value (builder, value);
  else
    json_builder_add_null_value (builder);
}

JsonNode *
tool_json_info (const EncoreEntryInfo *info, const char *path, gboolean kept)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autofree char *created = tool_json_time (info->created_at_s);
  g_autofree char *accessed = tool_json_time (info->last_access_s);

  json_builder_begin_object (builder);
  add_text (builder, "id", info->id);
  add_text (builder, "title", info->title);
  add_text (builder, "artist", info->artist);
  add_text (builder, "url", info->url);
  if (path != NULL) {
    add_text (builder, "path", path);
    json_builder_set_member_name (builder, "packets_kept");
    json_builder_add_boolean_value (builder, kept);
  }
  add_number (builder, "duration_ms", info->duration_ms);
  add_number (builder, "opus_bytes", info->opus_bytes);
  add_number (builder, "source_bytes", info->src_bytes);
  add_text (builder, "sha256", info->sha256);
  add_decimal (builder, "loudness_lufs", info->loudness_lufs);
  add_decimal (builder, "gain_db", info->gain_db);
  add_number (builder, "max_packet_bytes", info->max_packet_bytes);
  add_number (builder, "plays", info->access_count);
  add_text (builder, "created_at", created);
  add_text (builder, "last_access_at", accessed);
  json_builder_set_member_name (builder, "pinned");
  json_builder_add_boolean_value (builder, info->pinned);
  json_builder_end_object (builder);
  return json_builder_get_root (builder);
}
