/* SPDX-License-Identifier: LGPL-2.1-or-later
 * encore-bot as a service: SIGTERM and SIGINT end it, SIGHUP reads the configuration again, and the
 * service manager is told.  [main] */
#pragma once

#include "host.h"

typedef struct Service Service;

/* What a network has to do with it. */
typedef struct {
  const char *group;       /* its section */
  const char *const *live; /* keys of it that change in a running bot; ended by NULL */
  /* Is the section in CONFIG right?  Nothing changes. */
  gboolean (*check) (GKeyFile *config, GError **error);
  /* CONFIG, which was checked, is in force now: take what is live. */
  void (*adopt) (GKeyFile *config, gpointer data);
} ServiceNetwork;

/* service_new: PATH is the file that CONFIG was read from, LOOP what a signal ends.  HOST,
 * LOOP and NETWORK are the caller's and outlive it. */
Service *service_new (const char *path, GKeyFile *config, Host *host, GMainLoop *loop,
                      const ServiceNetwork *network, gpointer data);
/* service_ready: commands are taken from now on; STATUS is for people.  The first time counts. */
void service_ready (Service *self, const char *status);
/* service_stopping: the end begins, and the manager is told.  Signals do nothing any more, a second
 * one does not cut it short. */
void service_stopping (Service *self);
void service_free (Service *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Service, service_free)
