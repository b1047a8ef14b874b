/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What people type after ?play. */
#include "config.h"
#include "fuzz.h"

#include <string.h>

#include "base/encore-link.h"
#include "base/encore-media-id.h"

static void
check (const EncoreMediaId *id)
{
  EncoreMediaId again;
  g_autofree char *url = encore_media_id_to_url (id);
  g_autofree char *stem = encore_media_id_to_stem (id);

  if (strcmp (id->source, "youtube") == 0)
    MUST (encore_media_id_from_user (url, &again) && strcmp (again.id, id->id) == 0);
  MUST (encore_media_id_from_stem (stem, &again) && strcmp (again.id, id->id) == 0);
  MUST (encore_id_is_stem (stem) && strchr (stem, '/') == NULL && *stem != '.');
  MUST (strspn (id->id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_") ==
        strlen (id->id));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (GError) error = NULL;
  EncoreMediaId id;

  if (encore_media_id_from_user (text, &id))
    check (&id);
  else
    MUST (encore_link_kind (text) <= ENCORE_LINK_ELSEWHERE);
  if (encore_media_id_from_youtube (text, &id))
    check (&id);
  if (encore_media_id_from_stem (text, &id))
    check (&id);
  if (encore_media_id_from_uri (text, &id, &error))
    check (&id);
  else
    MUST (error != NULL);
  return 0;
}
