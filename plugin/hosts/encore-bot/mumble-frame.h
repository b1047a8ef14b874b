/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The bytes of Mumble's control channel: a frame is a type (16 bits), a length (32 bits), both big
 * endian, and a body, which is a message of mumble.proto or, in type UDPTunnel, a voice packet. */
#pragma once

#include <glib.h>
#include <protobuf-c/protobuf-c.h>

enum {
  MUMBLE_VERSION = 0,
  MUMBLE_UDP_TUNNEL = 1,
  MUMBLE_AUTHENTICATE = 2,
  MUMBLE_PING = 3,
  MUMBLE_REJECT = 4,
  MUMBLE_SERVER_SYNC = 5,
  MUMBLE_CHANNEL_REMOVE = 6,
  MUMBLE_CHANNEL_STATE = 7,
  MUMBLE_USER_REMOVE = 8,
  MUMBLE_USER_STATE = 9,
  MUMBLE_TEXT_MESSAGE = 11,
  MUMBLE_PERMISSION_DENIED = 12,
  MUMBLE_ACL = 13,
  MUMBLE_PERMISSION_QUERY = 20,
  MUMBLE_SERVER_CONFIG = 24,
};

#define MUMBLE_FRAME_MAX 0x7fffff
#define MUMBLE_VOICE_BYTES 1000 /* of Opus in one packet; servers drop frames above 1024 */

/* BODY is valid within the call.  Returns: FALSE: no more of these, please. */
typedef gboolean (*MumbleFrameFunc) (guint type, const guint8 *body, gsize len, gpointer data);

/* mumble_frame_split: takes the whole frames off the front of IN.  Returns: FALSE if one is longer
 * than allowed; nothing after it can be read. */
gboolean mumble_frame_split (GByteArray *in, MumbleFrameFunc func, gpointer data);
void mumble_frame_append (GByteArray *out, guint type, const ProtobufCMessage *message);

/* mumble_frame_append_voice: @sequence: in units of 10 ms; @last: silence follows.  LEN is at most
 * MUMBLE_VOICE_BYTES. */
void mumble_frame_append_voice (GByteArray *out, guint64 sequence, gboolean last,
                                const guint8 *packet, gsize len);
/* mumble_voice_speaker: whose voice, for the whole channel, the body of a UDPTunnel frame is.
 * FALSE: nobody's, for one user alone, or broken. */
gboolean mumble_voice_speaker (const guint8 *body, gsize len, guint32 *session);
