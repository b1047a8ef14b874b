/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A stack that anybody pushes to without a lock, a semaphore, and workers that take turns. */
#include "config.h"
#include "play/encore-fill.h"

#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NICE_STEP 10 /* behind the pacer, whatever the cores do */

enum { IDLE, QUEUED, RUNNING, RERUN };

struct EncoreFill {
  sem_t work;                    /* one for each pushed job, one a thread to quit */
  EncoreFillJob *_Atomic pushed; /* newest first */
  GMutex lock;                   /* by workers, wait() and run_here(), never by those who queue */
  GCond idle;
  EncoreFillJob *first, *last; /* oldest first */
  gboolean quit;
  guint n_threads;
  GThread *threads[];
};

static void
push (EncoreFill *self, EncoreFillJob *job)
{
  EncoreFillJob *top = atomic_load (&self->pushed);
  do
    job->next = top;
  while (!atomic_compare_exchange_weak (&self->pushed, &top, job));
  sem_post (&self->work);
}

void
encore_fill_queue (EncoreFill *self, EncoreFillJob *job)
{
  for (;;) {
    int state = IDLE;
    if (atomic_compare_exchange_strong (&job->state, &state, QUEUED)) {
      push (self, job);
      return;
    }
    if (state != RUNNING || atomic_compare_exchange_strong (&job->state, &state, RERUN))
      return;
  }
}

/* Turns the stack round and appends it, so that nobody starves. */
static void
collect_locked (EncoreFill *self)
{
  EncoreFillJob *oldest = NULL;
  EncoreFillJob *newest = atomic_exchange (&self->pushed, NULL);
  EncoreFillJob *end = newest;
  while (newest != NULL) {
    EncoreFillJob *next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  if (oldest == NULL)
    return;
  if (self->first == NULL)
    self->first = oldest;
  else
    self->last->next = oldest;
  self->last = end;
}

static EncoreFillJob *
take (EncoreFill *self)
{
  g_mutex_lock (&self->lock);
  if (self->first == NULL)
    collect_locked (self);
  EncoreFillJob *job = self->first;
  if (job != NULL)
    self->first = job->next;
  g_mutex_unlock (&self->lock);
  return job;
}

static void
finish (EncoreFill *self, EncoreFillJob *job)
{
  int running = RUNNING;
  g_mutex_lock (&self->lock);
  gboolean again = !atomic_compare_exchange_strong (&job->state, &running, IDLE);
  if (!again)
    g_cond_broadcast (&self->idle);
  g_mutex_unlock (&self->lock);
  if (!again)
    return; /* JOB may be gone by now */
  atomic_store (&job->state, QUEUED);
  push (self, job);
}

static gboolean
may_quit (EncoreFill *self)
{
  g_mutex_lock (&self->lock);
  gboolean quit = self->quit;
  g_mutex_unlock (&self->lock);
  return quit;
}

static void
become_background (void)
{
  sigset_t set;
  sigemptyset (&set);
  sigaddset (&set, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &set, NULL);
  id_t tid = (id_t) syscall (SYS_gettid);
  setpriority (PRIO_PROCESS, tid, MIN (19, getpriority (PRIO_PROCESS, tid) + NICE_STEP));
}

static gpointer
worker_main (gpointer data)
{
  EncoreFill *self = data;
  become_background ();
  for (;;) {
    while (sem_wait (&self->work) != 0)
      ;
    EncoreFillJob *job = take (self);
    if (job != NULL) {
      atomic_store (&job->state, RUNNING);
      job->run (job);
      finish (self, job);
    } else if (may_quit (self)) {
      return NULL;
    }
  }
}

void
encore_fill_run_here (EncoreFill *self, EncoreFillJob *job, void (*run) (EncoreFillJob *job))
{
  int idle = IDLE;

  if (!atomic_compare_exchange_strong (&job->state, &idle, RUNNING))
    return;
  run (job);
  finish (self, job);
}

EncoreFill *
encore_fill_new (guint n_threads)
{
  EncoreFill *self = g_malloc0 (sizeof *self + n_threads * sizeof (GThread *));
  sem_init (&self->work, 0, 0);
  g_mutex_init (&self->lock);
  g_cond_init (&self->idle);
  self->n_threads = n_threads;
  for (guint i = 0; i < n_threads; i++)
    self->threads[i] = g_thread_new ("encore-fill", worker_main, self);
  return self;
}

void
encore_fill_free (EncoreFill *self)
{
  g_mutex_lock (&self->lock);
  self->quit = TRUE;
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < self->n_threads; i++)
    sem_post (&self->work);
  for (guint i = 0; i < self->n_threads; i++)
    g_thread_join (self->threads[i]);
  sem_destroy (&self->work);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->idle);
  g_free (self);
}

void
encore_fill_wait (EncoreFill *self, EncoreFillJob *job)
{
  g_mutex_lock (&self->lock);
  while (atomic_load (&job->state) != IDLE)
    g_cond_wait (&self->idle, &self->lock);
  g_mutex_unlock (&self->lock);
}
