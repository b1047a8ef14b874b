/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Locks on one id. */
#include "config.h"
#include "store/encore-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encore-error.h"
#include "base/encore-media-id.h"
#include "store/encore-mutant.h"

#define FIRST_WAIT_US 1000
#define LONGEST_WAIT_US 32000
#define USERS ((off_t) 0x7000000000000000)
#define OPEN_GATE ((off_t) 0x7000000000000001)
#define BACKUP ((off_t) 0x7000000000000002)

/* One id somebody in this process works on or waits for. */
typedef struct {
  char *id;
  guint refs; /* holder and waiters, under the table's mutex */
  gboolean held;
  GCond released;
} Slot;

struct EncoreLocks {
  int dirfd;
  GMutex mutex;
  GHashTable *slots; /* id -> Slot */
  int users_fd;      /* our share of USERS, or -1 */
  GMutex lease_mutex;
  GHashTable *leases; /* byte (gint64) -> how many */
  int lease_fd;       /* -1 until the first */
};

struct EncoreIdLock {
  EncoreLocks *locks;
  Slot *slot;
  int fd;
};

EncoreLocks *
encore_locks_new (int dirfd)
{
  EncoreLocks *self = g_new0 (EncoreLocks, 1);

  self->dirfd = dirfd;
  self->users_fd = -1;
  g_mutex_init (&self->mutex);
  self->slots = g_hash_table_new (g_str_hash, g_str_equal);
  g_mutex_init (&self->lease_mutex);
  self->leases = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  self->lease_fd = -1;
  return self;
}

void
encore_locks_free (EncoreLocks *self)
{
  g_assert (g_hash_table_size (self->slots) == 0);
  if (self->users_fd >= 0)
    close (self->users_fd);
  g_hash_table_unref (self->slots);
  g_mutex_clear (&self->mutex);
  g_hash_table_unref (self->leases);
  g_mutex_clear (&self->lease_mutex);
  if (self->lease_fd >= 0)
    close (self->lease_fd);
  g_free (self);
}

/* ---- bytes */

static off_t
fetch_byte (const char *id)
{
  return (off_t) ((encore_id_hash (id) & G_GUINT64_CONSTANT (0x1fffffffffffffff)) << 1);
}

/* Two files of locks would exclude nobody. */
static gboolean
is_the_one_we_joined (const EncoreLocks *self, int fd)
{
  struct stat ours, st;

  return self->users_fd < 0 || (fstat (self->users_fd, &ours) == 0 && fstat (fd, &st) == 0 &&
                                ours.st_ino == st.st_ino && ours.st_dev == st.st_dev);
}

/* -1 with errno, ESTALE when the file is not there any more or another one. */
static int
open_locks (EncoreLocks *self, short type)
{
  int fd = openat (self->dirfd, "locks", O_RDWR | O_CLOEXEC | O_NOFOLLOW);

  if (fd < 0 && type == F_RDLCK && (errno == EROFS || errno == EACCES))
    fd = openat (self->dirfd, "locks", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd >= 0 && !is_the_one_we_joined (self, fd)) {
    close (fd);
    fd = -1;
    errno = ESTALE;
  } else if (fd < 0 && errno == ENOENT && self->users_fd >= 0) {
    errno = ESTALE;
  }
  return fd;
}

static const char *
explain (int number)
{
  return number == ESTALE ? "the file locks was removed or replaced: end all that use the cache"
                          : g_strerror (number);
}

static gboolean
is_left_out (off_t byte)
{
  return byte < USERS && encore_mutant (byte & 1 ? "no-lease" : "no-lock");
}

/* A new description with TYPE on BYTE; -1 with errno, EAGAIN when another has it. */
static int
lock_byte (EncoreLocks *self, off_t byte, short type)
{
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
  const int fd = open_locks (self, type);

  if (fd < 0)
    return -1;
  if (is_left_out (byte) || fcntl (fd, F_OFD_SETLK, &lock) == 0)
    return fd;
  const int saved = errno == EACCES ? EAGAIN : errno;
  close (fd);
  errno = saved;
  return -1;
}

/* ---- leases */

static gboolean
set_lease_locked (EncoreLocks *self, off_t byte, short type)
{
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

  if (self->lease_fd < 0)
    self->lease_fd = openat (self->dirfd, "locks", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  return self->lease_fd >= 0 &&
         (encore_mutant ("no-lease") || fcntl (self->lease_fd, F_OFD_SETLK, &lock) == 0);
}

gboolean
encore_locks_lease (EncoreLocks *self, const char *id)
{
  const gint64 byte = fetch_byte (id) | 1;

  g_mutex_lock (&self->lease_mutex);
  const guint n = GPOINTER_TO_UINT (g_hash_table_lookup (self->leases, &byte));
  const gboolean ok = n > 0 || set_lease_locked (self, byte, F_RDLCK);
  if (ok)
    g_hash_table_replace (self->leases, g_memdup2 (&byte, sizeof byte), GUINT_TO_POINTER (n + 1));
  g_mutex_unlock (&self->lease_mutex);
  return ok;
}

void
encore_locks_unlease (EncoreLocks *self, const char *id)
{
  const gint64 byte = fetch_byte (id) | 1;

  g_mutex_lock (&self->lease_mutex);
  const guint n = GPOINTER_TO_UINT (g_hash_table_lookup (self->leases, &byte));
  if (n > 1) {
    g_hash_table_replace (self->leases, g_memdup2 (&byte, sizeof byte), GUINT_TO_POINTER (n - 1));
  } else {
    g_hash_table_remove (self->leases, &byte);
    set_lease_locked (self, byte, F_UNLCK);
  }
  g_mutex_unlock (&self->lease_mutex);
}

int
encore_locks_try_unleased (EncoreLocks *self, const char *id)
{
  return lock_byte (self, fetch_byte (id) | 1, F_WRLCK);
}

/* Tries BYTE until DEADLINE_US: a process that was stopped while it held it holds nobody up. */
static int
lock_byte_until (EncoreLocks *self, off_t byte, short type, gint64 deadline_us, GError **error)
{
  int fd;

  while ((fd = lock_byte (self, byte, type)) < 0 && errno == EAGAIN &&
         g_get_monotonic_time () < deadline_us)
    g_usleep (FIRST_WAIT_US);
  if (fd < 0 && errno == EAGAIN)
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_DEADLINE,
                         "another process has been opening or repairing the cache for too long");
  else if (fd < 0)
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "the file locks cannot be locked: %s",
                 g_strerror (errno));
  return fd;
}

int
encore_locks_try_backup (EncoreLocks *self)
{
  return lock_byte (self, BACKUP, F_WRLCK);
}

int
encore_locks_enter_gate (EncoreLocks *self, gint64 deadline_us, GError **error)
{
  return lock_byte_until (self, OPEN_GATE, F_WRLCK, deadline_us, error);
}

gboolean
encore_locks_join (EncoreLocks *self, gint64 deadline_us, GError **error)
{
  self->users_fd = lock_byte_until (self, USERS, F_RDLCK, deadline_us, error);
  return self->users_fd >= 0;
}

/* The lock of a description is converted, not added to. */
static gboolean
convert_users (EncoreLocks *self, short type)
{
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = USERS, .l_len = 1};

  return fcntl (self->users_fd, F_OFD_SETLK, &lock) == 0;
}

gboolean
encore_locks_try_alone (EncoreLocks *self)
{
  return convert_users (self, F_WRLCK);
}

void
encore_locks_share (EncoreLocks *self)
{
  convert_users (self, F_RDLCK);
}

/* ---- threads of this process */

static Slot *
ref_slot (EncoreLocks *self, const char *id)
{
  Slot *slot = g_hash_table_lookup (self->slots, id);

  if (slot == NULL) {
    slot = g_new0 (Slot, 1);
    slot->id = g_strdup (id);
    g_cond_init (&slot->released);
    g_hash_table_insert (self->slots, slot->id, slot);
  }
  slot->refs++;
  return slot;
}

static void
unref_slot (EncoreLocks *self, Slot *slot)
{
  if (--slot->refs > 0)
    return;
  g_hash_table_remove (self->slots, slot->id);
  g_cond_clear (&slot->released);
  g_free (slot->id);
  g_free (slot);
}

static void
release_slot (EncoreLocks *self, Slot *slot)
{
  g_mutex_lock (&self->mutex);
  slot->held = FALSE;
  g_cond_signal (&slot->released);
  unref_slot (self, slot);
  g_mutex_unlock (&self->mutex);
}

static gboolean
check_patience (const char *id, gint64 deadline_us, GCancellable *cancellable, GError **error)
{
  if (g_cancellable_is_cancelled (cancellable)) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED, "%s: nobody waits any more", id);
    return FALSE;
  }
  if (deadline_us != 0 && g_get_monotonic_time () >= deadline_us) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_DEADLINE,
                 "%s: somebody else has been working on it for too long", id);
    return FALSE;
  }
  return TRUE;
}

static Slot *
acquire_slot (EncoreLocks *self, const char *id, gint64 deadline_us, GCancellable *cancellable,
              GError **error)
{
  gboolean patient = TRUE;

  g_mutex_lock (&self->mutex);
  Slot *slot = ref_slot (self, id);
  while (slot->held && (patient = check_patience (id, deadline_us, cancellable, error)))
    g_cond_wait_until (&slot->released, &self->mutex, g_get_monotonic_time () + LONGEST_WAIT_US);
  if (patient)
    slot->held = TRUE;
  else
    unref_slot (self, slot);
  g_mutex_unlock (&self->mutex);
  return patient ? slot : NULL;
}

static EncoreIdLock *
id_lock_new (EncoreLocks *locks, Slot *slot, int fd)
{
  EncoreIdLock *self = g_new (EncoreIdLock, 1);

  *self = (EncoreIdLock){locks, slot, fd};
  return self;
}

/* Another process has the byte: only a cancellation can wake us early. */
static void
wait_cancellable (gint64 wait_us, GCancellable *cancellable)
{
  GPollFD fd = {.fd = -1};
  const gboolean pollable = g_cancellable_make_pollfd (cancellable, &fd);

  g_poll (&fd, pollable ? 1 : 0, MAX (wait_us / 1000, 1));
  if (pollable)
    g_cancellable_release_fd (cancellable);
}

EncoreIdLock *
encore_locks_acquire (EncoreLocks *self, const char *id, gint64 deadline_us,
                      GCancellable *cancellable, GError **error)
{
  Slot *slot = acquire_slot (self, id, deadline_us, cancellable, error);
  gint64 wait_us = FIRST_WAIT_US;
  int fd;

  if (slot == NULL)
    return NULL;
  while ((fd = lock_byte (self, fetch_byte (id), F_WRLCK)) < 0) {
    if (errno != EAGAIN)
      g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "%s: cannot lock: %s", id,
                   explain (errno));
    if (errno != EAGAIN || !check_patience (id, deadline_us, cancellable, error)) {
      release_slot (self, slot);
      return NULL;
    }
    wait_cancellable (wait_us, cancellable);
    wait_us = MIN (2 * wait_us, LONGEST_WAIT_US);
  }
  return id_lock_new (self, slot, fd);
}

EncoreIdLock *
encore_locks_try (EncoreLocks *self, const char *id)
{
  g_mutex_lock (&self->mutex);
  const Slot *known = g_hash_table_lookup (self->slots, id);
  Slot *slot = known != NULL && known->held ? NULL : ref_slot (self, id);
  if (slot != NULL)
    slot->held = TRUE;
  g_mutex_unlock (&self->mutex);
  if (slot == NULL)
    return NULL;

  const int fd = lock_byte (self, fetch_byte (id), F_WRLCK);
  if (fd >= 0)
    return id_lock_new (self, slot, fd);
  release_slot (self, slot);
  return NULL;
}

void
encore_id_lock_free (EncoreIdLock *self)
{
  if (self == NULL)
    return;
  close (self->fd);
  release_slot (self->locks, self->slot);
  g_free (self);
}
