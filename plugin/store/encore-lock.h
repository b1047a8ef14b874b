/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Locks on one id: a mutex for the threads of this process, then a byte of the file `locks` for all
 * processes.  The kernel frees the bytes when a holder dies; there is nothing to clean up.
 *
 *   byte 2h      fetch and delete (exclusive)
 *   byte 2h + 1  play lease (shared; the evictor tries it exclusively)
 *   open gate    held (exclusive) while the database is opened, made, migrated or rebuilt
 *   users        held (shared) as long as the cache is open; exclusive means: nobody else is here
 *
 * Each exclusive acquisition has its own open file description (OFD locks), so two threads of one
 * process exclude each other like two processes do.  All leases of a process share one, counted by
 * byte: a queue of thousands of songs must not use up the host's descriptors.  Private to the
 * store. */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct EncoreLocks EncoreLocks;   /* the table of one cache directory */
typedef struct EncoreIdLock EncoreIdLock; /* fetch lock of one id, held */

/* @dirfd: of the cache directory, not owned; holds the file `locks`. */
EncoreLocks *encore_locks_new (int dirfd);
void encore_locks_free (EncoreLocks *self);

/* encore_locks_enter_gate: waits for others that open the cache, at most until DEADLINE_US.
 * Returns: a descriptor to close; -1 with ERROR (DEADLINE, STORE). */
int encore_locks_enter_gate (EncoreLocks *self, gint64 deadline_us, GError **error);
/* encore_locks_join: we use the cache until encore_locks_free().  Waits at most until DEADLINE_US
 * for somebody who wants to be alone.  Errors: DEADLINE, STORE. */
gboolean encore_locks_join (EncoreLocks *self, gint64 deadline_us, GError **error);
/* encore_locks_try_alone: nobody else, in any process, has joined; and nobody can until
 * encore_locks_share(). */
gboolean encore_locks_try_alone (EncoreLocks *self);
void encore_locks_share (EncoreLocks *self);
/* Only one makes a copy of the database.  Returns: a descriptor to close, -1. */
int encore_locks_try_backup (EncoreLocks *self);

/* encore_locks_acquire: waits (1 to 32 ms between tries), at most until DEADLINE_US (0: for ever).
 * Errors: DEADLINE, CANCELLED, STORE. */
EncoreIdLock *encore_locks_acquire (EncoreLocks *self, const char *id, gint64 deadline_us,
                                    GCancellable *cancellable, GError **error);
/* encore_locks_try: NULL when it is held by anybody. */
EncoreIdLock *encore_locks_try (EncoreLocks *self, const char *id);
void encore_id_lock_free (EncoreIdLock *self);

/* encore_locks_lease: shared play lease; as many as you like, each given back by unlease().
 * Returns: FALSE when an evictor has it (or errno on failure). */
gboolean encore_locks_lease (EncoreLocks *self, const char *id);
void encore_locks_unlease (EncoreLocks *self, const char *id);
/* encore_locks_try_unleased: keeps players out.  Returns: a descriptor to close, -1: somebody
 * plays. */
int encore_locks_try_unleased (EncoreLocks *self, const char *id);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EncoreIdLock, encore_id_lock_free)

G_END_DECLS
