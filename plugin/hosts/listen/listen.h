/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A listening room for hosts whose network has no voice: one endless Ogg Opus stream to a mount of
 * an Icecast server.
 *
 * The stream runs by the clock: what the plugin sends is played about 200 ms later, silence where
 * nothing comes, so no listener is dropped between two songs.  While the server cannot be reached
 * the music goes on without it, as on any radio, and the stream is back when the server is.
 *
 * Threads: a room has one thread of its own (it waits in libcurl and wakes ten times a second).  It
 * calls the notify function; listen_send(), listen_set_title() and listen_end() come from any
 * thread and never wait. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct Listen Listen;

typedef enum {
  LISTEN_JOINING, /* for the first time */
  LISTEN_LIVE,
  LISTEN_LOST,    /* was live; it is tried again until it is */
  LISTEN_REFUSED, /* could not be joined; nothing more comes */
  LISTEN_ENDED,   /* by listen_end(); nothing more comes */
} ListenState;

/* On the room's thread at each change.  @sentence: for people, with what to do; NULL where there is
 * nothing to say.  After REFUSED or ENDED listen_free() does not wait for the network. */
typedef void (*ListenFunc) (ListenState state, const char *sentence, gpointer data);

typedef struct {
  const char *url; /* http://HOST:PORT/MOUNT */
  const char *user, *password;
  const char *name;        /* of the stream, for people */
  const char *status_path; /* (nullable): a JSON file that tells what plays */
  gboolean chain;          /* a new Ogg stream with each title */
  ListenFunc notify;
  gpointer data;
} ListenOptions;

/* listen_check_url: Errors: a sentence. */
gboolean listen_check_url (const char *url, GError **error);
/* listen_new: begins to join.  All strings are copied. */
Listen *listen_new (const ListenOptions *options);
/* listen_send: one 20 ms packet; LAST: silence follows.  Returns: FALSE while the room is not live
 * for the first time: the same packet may be offered again. */
gboolean listen_send (Listen *self, const void *packet, gsize len, gboolean last);
/* listen_set_title: what the packets after this one are; "": nothing. */
void listen_set_title (Listen *self, const char *title);
ListenState listen_get_state (Listen *self);
/* listen_end: ask it to end; notify(LISTEN_ENDED) follows unless it was refused before. */
void listen_end (Listen *self);
/* listen_free: ends it if nobody did and waits for its thread. */
void listen_free (Listen *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Listen, listen_free)

G_END_DECLS
