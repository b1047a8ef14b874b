/* SPDX-License-Identifier: LGPL-2.1-or-later
 * One TLS connection to a Mumble server, from the first byte to the last; never used twice.
 *
 * It tells of itself until close(): up once, frames, then down once.  Nothing is written before the
 * handshake is over.  Voice is never kept for long: what cannot be sent within 400 ms is dropped,
 * oldest first, while its sequence counts on.
 *
 * Threads: [main]. */
#pragma once

#include <gio/gio.h>
#include <protobuf-c/protobuf-c.h>

#include "mumble-config.h"

typedef struct MumbleConn MumbleConn;

typedef enum {
  MUMBLE_DOWN_UNREACHABLE, /* no connection came about: it costs the server nothing */
  MUMBLE_DOWN_EARLY, /* cut before the handshake was over: how servers treat banned addresses */
  MUMBLE_DOWN_CERTIFICATE, /* the server is not the one it should be */
  MUMBLE_DOWN_LOST,
} MumbleDown;

typedef struct {
  void (*up) (gpointer data);
  void (*frame) (guint type, const guint8 *body, gsize len, gpointer data);
  /* Nothing comes after it.  TEXT: why, for people. */
  void (*down) (MumbleDown why, const char *text, gpointer data);
} MumbleConnEvents;

/* mumble_conn_new: begins to connect.  CONFIG and CERTIFICATE are the caller's and outlive it. */
MumbleConn *mumble_conn_new (const MumbleConfig *config, GTlsCertificate *certificate,
                             const MumbleConnEvents *events, gpointer data);
/* mumble_conn_close: sends what it can without waiting, and lets go.  No event comes any more.  May
 * be called from within one. */
void mumble_conn_close (MumbleConn *self);

/* mumble_conn_send: never waits, and never brings the connection down before it returns. */
void mumble_conn_send (MumbleConn *self, guint type, const ProtobufCMessage *message);
/* mumble_conn_send_voice: @sequence: in units of 10 ms. */
void mumble_conn_send_voice (MumbleConn *self, guint64 sequence, gboolean last,
                             const guint8 *packet, gsize len);
/* mumble_conn_get_late: voice packets that were dropped because the network stood still. */
guint mumble_conn_get_late (MumbleConn *self);
/* mumble_conn_count: how many there are, with those that were closed but have calls to come back.
 */
guint mumble_conn_count (void);
