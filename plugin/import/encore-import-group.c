/* SPDX-License-Identifier: LGPL-2.1-or-later
 * By id; without one, by the bytes. */
#include "config.h"
#include "import/encore-import-group.h"

typedef EncoreImportFile File;
typedef EncoreImportGroup Group;

static void
group_free (gpointer data)
{
  Group *self = data;

  g_ptr_array_unref (self->files);
  g_free (self);
}

static Group *
group_new (const char *stem)
{
  Group *self = g_new (Group, 1);

  *self = (Group){stem, g_ptr_array_new ()};
  return self;
}

/* A file without an id that has the very bytes of one with an id is that song. */
static void
find_twin (File *file, GHashTable *by_size, int dirfd)
{
  const GPtrArray *likely = g_hash_table_lookup (by_size, &file->st.st_size);

  if (file->parsed.kind != ENCORE_NAME_MEDIA || file->st.st_size == 0)
    return;
  for (guint i = 0; likely != NULL && i < likely->len && file->stem == NULL; i++) {
    const File *other = likely->pdata[i];
    if (encore_import_file_has_same_bytes (file, other, dirfd))
      file->stem = g_strdup (other->stem);
  }
}

static void
find_twins (GPtrArray *files, int dirfd, GCancellable *cancellable)
{
  g_autoptr (GHashTable) by_size = g_hash_table_new_full (
      g_int64_hash, g_int64_equal, NULL, (GDestroyNotify) g_ptr_array_unref); /* size -> File */

  G_STATIC_ASSERT (sizeof (off_t) == sizeof (gint64));
  for (guint i = 0; i < files->len; i++) {
    File *file = files->pdata[i];
    GPtrArray *same = g_hash_table_lookup (by_size, &file->st.st_size);
    if (file->stem == NULL || file->parsed.kind != ENCORE_NAME_MEDIA)
      continue;
    if (same == NULL)
      g_hash_table_insert (by_size, &file->st.st_size, same = g_ptr_array_new ());
    g_ptr_array_add (same, file);
  }
  for (guint i = 0; i < files->len && !g_cancellable_is_cancelled (cancellable); i++) {
    File *file = files->pdata[i];
    if (file->stem == NULL)
      find_twin (file, by_size, dirfd);
  }
}

GPtrArray *
encore_import_group (GPtrArray *files, int dirfd, GCancellable *cancellable)
{
  GPtrArray *groups = g_ptr_array_new_with_free_func (group_free);
  g_autoptr (GHashTable) by_stem = g_hash_table_new (g_str_hash, g_str_equal); /* -> Group */

  find_twins (files, dirfd, cancellable);
  for (guint i = 0; i < files->len; i++) {
    File *file = files->pdata[i];
    Group *group = file->stem != NULL ? g_hash_table_lookup (by_stem, file->stem) : NULL;
    if (group == NULL) {
      group = group_new (file->stem);
      g_ptr_array_add (groups, group);
      if (file->stem != NULL)
        g_hash_table_insert (by_stem, file->stem, group);
    }
    g_ptr_array_add (group->files, file);
  }
  return groups;
}
