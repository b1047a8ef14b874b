/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A few niced threads for work that rooms want done soon: no room has a thread of its own.
 *
 * Threads: queue on any, never blocks and takes no lock (the pacer calls it); forget may wait for a
 * run that is under way. */
#pragma once

#include <glib.h>
#include <stdatomic.h>

G_BEGIN_DECLS

typedef struct EncoreFill EncoreFill;
typedef struct EncoreFillJob EncoreFillJob;

/* Embedded in what is to be worked on; zeroed except RUN.  RUN is on one thread at a time, and once
 * more if the job was queued while it ran. */
struct EncoreFillJob {
  void (*run) (EncoreFillJob *job);
  _Atomic int state;
  EncoreFillJob *next;
};

EncoreFill *encore_fill_new (guint n_threads);
void encore_fill_free (EncoreFill *self); /* joins; no job may be queued */
void encore_fill_queue (EncoreFill *self, EncoreFillJob *job);
/* encore_fill_run_here: RUN on this thread, at once, if JOB is neither queued nor running.  JOB may
 * be queued meanwhile, as ever. */
void encore_fill_run_here (EncoreFill *self, EncoreFillJob *job, void (*run) (EncoreFillJob *job));
/* encore_fill_wait: until JOB is neither queued nor running. */
void encore_fill_wait (EncoreFill *self, EncoreFillJob *job);

G_END_DECLS
