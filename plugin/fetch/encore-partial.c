/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Downloads that broke off. */
#include "config.h"
#include "fetch/encore-partial.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORTH_BYTES (64 * 1024) /* less is downloaded again as fast as it is looked up */
#define BUSY_S 3600             /* what was written since may be another process's download */
#define BOOT_LETTERS 8

typedef struct {
  char *path;
  gint64 bytes, mtime_s;
} Partial;

static void
partial_free (gpointer data)
{
  Partial *self = data;

  g_free (self->path);
  g_free (self);
}

/* Returns: (transfer full): differs after every start of the machine. */
static char *
get_boot (void)
{
  char *id = NULL;

  if (!g_file_get_contents ("/proc/sys/kernel/random/boot_id", &id, NULL, NULL))
    return g_strdup ("00000000");
  if (strlen (id) > BOOT_LETTERS)
    id[BOOT_LETTERS] = '\0';
  return id;
}

static int
compare_age (gconstpointer a, gconstpointer b)
{
  const Partial *x = *(Partial *const *) a, *y = *(Partial *const *) b;

  return x->mtime_s < y->mtime_s ? -1 : x->mtime_s > y->mtime_s;
}

/* Removes what does not end with BOOT or is too old.  Returns: the others, the oldest first. */
static GPtrArray *
list (const char *dir, const char *boot, gint64 now_s)
{
  GPtrArray *partials = g_ptr_array_new_with_free_func (partial_free);
  g_autoptr (GDir) names = g_dir_open (dir, 0, NULL);
  const char *name;

  while (names != NULL && (name = g_dir_read_name (names)) != NULL) {
    g_autofree char *path = g_build_filename (dir, name, NULL);
    struct stat st;
    if (lstat (path, &st) < 0)
      continue;
    if (!S_ISREG (st.st_mode) || !g_str_has_suffix (name, boot) ||
        st.st_mtime < now_s - ENCORE_PARTIAL_AGE_S) {
      unlink (path);
      continue;
    }
    Partial *partial = g_new (Partial, 1);
    *partial = (Partial){g_steal_pointer (&path), st.st_size, st.st_mtime};
    g_ptr_array_add (partials, partial);
  }
  g_ptr_array_sort (partials, compare_age);
  return partials;
}

static void
tidy (const char *dir, const char *boot)
{
  const gint64 now_s = g_get_real_time () / G_USEC_PER_SEC;
  g_autoptr (GPtrArray) partials = list (dir, boot, now_s);
  gint64 bytes = 0;

  for (guint i = 0; i < partials->len; i++)
    bytes += ((Partial *) partials->pdata[i])->bytes;
  for (guint i = 0; i < partials->len && bytes > ENCORE_PARTIAL_MAX_BYTES; i++) {
    const Partial *partial = partials->pdata[i];
    if (partial->mtime_s > now_s - BUSY_S || unlink (partial->path) < 0)
      continue;
    bytes -= partial->bytes;
  }
}

/* All that begin with PREFIX, but KEEP (nullable). */
static void
drop (const char *dir, const char *prefix, const char *keep)
{
  g_autoptr (GDir) names = g_dir_open (dir, 0, NULL);
  const char *name;

  while (names != NULL && (name = g_dir_read_name (names)) != NULL) {
    g_autofree char *path = g_build_filename (dir, name, NULL);
    if (g_str_has_prefix (name, prefix) && g_strcmp0 (name, keep) != 0)
      unlink (path);
  }
}

static char *
make_prefix (const EncoreMediaId *id)
{
  g_autofree char *stem = encore_media_id_to_stem (id);

  return g_strconcat (stem, ".", NULL);
}

char *
encore_partial_path (const char *dir, const EncoreMediaId *id, const EncoreMedia *media)
{
  g_autofree char *boot = get_boot ();
  g_autofree char *prefix = make_prefix (id);

  if (media->bytes == 0 || (g_mkdir (dir, 0700) < 0 && !g_file_test (dir, G_FILE_TEST_IS_DIR)))
    return NULL;
  g_autofree char *name = g_strdup_printf ("%s%s.%" G_GINT64_FORMAT ".%s", prefix, media->format_id,
                                           media->bytes, boot);
  tidy (dir, boot);
  drop (dir, prefix, name);
  return g_build_filename (dir, name, NULL);
}

void
encore_partial_drop (const char *dir, const EncoreMediaId *id)
{
  g_autofree char *prefix = make_prefix (id);

  drop (dir, prefix, NULL);
}

gboolean
encore_partial_is_worth (const char *path, int code)
{
  struct stat st;

  return (code == ENCORE_ERROR_NETWORK || code == ENCORE_ERROR_DEADLINE ||
          code == ENCORE_ERROR_CANCELLED || code == ENCORE_ERROR_FORBIDDEN ||
          code == ENCORE_ERROR_THROTTLED) &&
         stat (path, &st) == 0 && st.st_size >= WORTH_BYTES;
}
