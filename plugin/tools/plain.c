/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Verbs that need no cache: id, config. */
#include "config.h"
#include "tool.h"

#include <stdio.h>
#include <string.h>

#include "base/encore-media-id.h"

/* Returns: LEN bytes of TEXT as an id in text form; NULL: it names none.  A NUL in the text makes
 * it no id: it must not be cut there. */
static char *
name_id (const char *text, gsize len)
{
  EncoreMediaId id;

  return strlen (text) == len && encore_media_id_from_user (text, &id)
             ? encore_media_id_to_text (&id)
             : NULL;
}

static void
answer_id (const ToolCall *call, const GString *line, ToolJsonList *list)
{
  g_autofree char *id = name_id (line->str, line->len);

  if (!call->json) {
    puts (id != NULL ? id : "-");
    return;
  }
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autofree char *valid = g_utf8_make_valid (line->str, line->len);
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "text");
  json_builder_add_string_value (builder, valid);
  json_builder_set_member_name (builder, "id");
  if (id != NULL)
    json_builder_add_string_value (builder, id);
  else
    json_builder_add_null_value (builder);
  json_builder_end_object (builder);
  tool_json_add (list, json_builder_get_root (builder));
}

int
tool_id (const ToolCall *call)
{
  g_autoptr (GString) line = g_string_new (NULL);
  ToolJsonList list = {0};
  int c;

  while ((c = getchar ()) != EOF || line->len > 0) {
    if (c != '\n' && c != EOF) {
      g_string_append_c (line, c);
      continue;
    }
    answer_id (call, line, &list);
    g_string_truncate (line, 0);
    if (c == EOF)
      break;
  }
  if (call->json)
    tool_json_end (&list);
  return EXIT_CLEAN;
}

static JsonNode *
option_node (const EncoreOption *option, const char *value)
{
  const char *const members[][2] = {{"key", option->key},
                                    {"value", value},
                                    {"default", option->default_value},
                                    {"help", option->help}};
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  for (gsize i = 0; i < G_N_ELEMENTS (members); i++) {
    json_builder_set_member_name (builder, members[i][0]);
    json_builder_add_string_value (builder, members[i][1]);
  }
  json_builder_end_object (builder);
  return json_builder_get_root (builder);
}

int
tool_config (const ToolCall *call)
{
  ToolJsonList list = {0};

  if (call->example) {
    g_autofree char *text = encore_config_example ();
    fputs (text, stdout);
    return EXIT_CLEAN;
  }
  for (const EncoreOption *o = encore_config_options (); o->key != NULL; o++) {
    g_autofree char *value = encore_config_dump (call->config, o);
    if (call->json)
      tool_json_add (&list, option_node (o, value));
    else
      printf ("%-16s = %-28s # %s\n", o->key, value, o->help);
  }
  if (call->json)
    tool_json_end (&list);
  return EXIT_CLEAN;
}
