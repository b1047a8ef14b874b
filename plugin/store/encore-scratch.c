/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Temporary directories that belong to no song.  Each has an id of its own, whose lock is held as
 * long as it is used: that is what recovery asks before it removes what it finds in tmp/. */
#include "config.h"
#include "store/encore-cache.h"

#include <unistd.h>

#include "store/encore-cache-private.h"

#define LOCK_PATIENCE_US G_USEC_PER_SEC /* nobody else chooses the same id */

struct EncoreScratch {
  EncoreCache *cache;
  EncoreIdLock *lock;
  char *private_name; /* below tmp/ */
  char *dir;
};

EncoreScratch *
encore_cache_scratch (EncoreCache *self, const char *what, GError **error)
{
  /* processes in two containers may have the same number */
  g_autofree char *id = g_strdup_printf ("%s-%d-%08x", what, (int) getpid (), g_random_int ());
  /* the lock first: a directory without it is nobody's */
  g_autoptr (EncoreIdLock) lock = encore_locks_acquire (
      self->locks, id, g_get_monotonic_time () + LOCK_PATIENCE_US, NULL, error);
  g_autofree char *name =
      lock != NULL ? encore_layout_make_private (self->layout, id, error) : NULL;

  if (name == NULL)
    return NULL;
  EncoreScratch *scratch = g_new0 (EncoreScratch, 1);
  scratch->cache = self;
  scratch->lock = g_steal_pointer (&lock);
  scratch->dir = g_build_filename (self->layout->dir, "tmp", name, NULL);
  scratch->private_name = g_steal_pointer (&name);
  return scratch;
}

const char *
encore_scratch_get_dir (EncoreScratch *self)
{
  return self->dir;
}

void
encore_scratch_free (EncoreScratch *self)
{
  gint64 bytes = 0;

  if (self == NULL)
    return;
  if (!encore_layout_remove_private (self->cache->layout, self->private_name, &bytes))
    g_warning ("store: tmp/%s stays until the next open", self->private_name);
  encore_id_lock_free (self->lock);
  g_free (self->private_name);
  g_free (self->dir);
  g_free (self);
}
