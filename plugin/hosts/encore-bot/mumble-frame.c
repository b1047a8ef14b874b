/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "mumble-frame.h"

#define HEAD_BYTES 6
#define VARINT_MAX_BYTES 9
#define PING 1u /* the type in the upper 3 bits of a voice packet's first byte */
#define OPUS 4u
#define TARGET(head) ((head) &0x1f) /* in the rest of it */
#define TO_CHANNEL 1 /* shouted; 0: spoken where one is, 2: whispered to one user, 31: an echo */
#define LAST_FLAG 0x2000u

static void
append_head (GByteArray *out, guint type, gsize len)
{
  const guint8 head[HEAD_BYTES] = {type >> 8, type, len >> 24, len >> 16, len >> 8, len};

  g_byte_array_append (out, head, sizeof head);
}

gboolean
mumble_frame_split (GByteArray *in, MumbleFrameFunc func, gpointer data)
{
  gsize at = 0;
  gboolean more = TRUE, ok = TRUE;

  while (more && in->len - at >= HEAD_BYTES) {
    const guint8 *head = in->data + at;
    const guint type = head[0] << 8 | head[1];
    const gsize len = (gsize) head[2] << 24 | head[3] << 16 | head[4] << 8 | head[5];
    ok = len <= MUMBLE_FRAME_MAX;
    if (!ok || in->len - at - HEAD_BYTES < len)
      break;
    more = func (type, head + HEAD_BYTES, len, data);
    at += HEAD_BYTES + len;
  }
  if (at > 0)
    g_byte_array_remove_range (in, 0, at);
  return ok;
}

void
mumble_frame_append (GByteArray *out, guint type, const ProtobufCMessage *message)
{
  const gsize len = protobuf_c_message_get_packed_size (message);
  const guint at = out->len + HEAD_BYTES;

  append_head (out, type, len);
  g_byte_array_set_size (out, at + len);
  protobuf_c_message_pack (message, out->data + at);
}

/* Mumble's own numbers, not protobuf's: the first byte's leading ones say how many follow. */
static gsize
put_varint (guint8 *out, guint64 value)
{
  gsize n = 0;

  if (value < 0x80) {
    out[n++] = value;
  } else if (value < 0x4000) {
    out[n++] = 0x80 | value >> 8;
    out[n++] = value;
  } else if (value < 0x200000) {
    out[n++] = 0xc0 | value >> 16;
    out[n++] = value >> 8;
    out[n++] = value;
  } else {
    const int bytes = value < 0x10000000 ? 4 : value <= G_MAXUINT32 ? 5 : 9;
    if (bytes == 4)
      out[n++] = 0xe0 | value >> 24;
    else
      out[n++] = bytes == 5 ? 0xf0 : 0xf4;
    for (int i = bytes - 2; i >= 0; i--)
      out[n++] = value >> (8 * i);
  }
  return n;
}

/* Returns: how many bytes it took, 0 if they are none. */
static gsize
get_varint (const guint8 *in, gsize len, guint64 *value)
{
  const guint8 first = len > 0 ? in[0] : 0;
  gsize bytes;

  if (first < 0x80)
    bytes = 1;
  else if (first < 0xc0)
    bytes = 2;
  else if (first < 0xe0)
    bytes = 3;
  else if (first < 0xf0)
    bytes = 4;
  else
    bytes = first == 0xf0 ? 5 : first == 0xf4 ? 9 : 0;
  if (bytes == 0 || len < bytes)
    return 0;
  static const guint8 masks[] = {0, 0x7f, 0x3f, 0x1f, 0x0f};
  *value = bytes <= 4 ? first & masks[bytes] : 0;
  for (gsize i = 1; i < bytes; i++)
    *value = *value << 8 | in[i];
  return bytes;
}

void
mumble_frame_append_voice (GByteArray *out, guint64 sequence, gboolean last, const guint8 *packet,
                           gsize len)
{
  guint8 head[1 + 2 * VARINT_MAX_BYTES] = {OPUS << 5};
  gsize n = 1;

  n += put_varint (head + n, sequence);
  n += put_varint (head + n, len | (last ? LAST_FLAG : 0));
  append_head (out, MUMBLE_UDP_TUNNEL, n + len);
  g_byte_array_append (out, head, n);
  g_byte_array_append (out, packet, len);
}

gboolean
mumble_voice_speaker (const guint8 *body, gsize len, guint32 *session)
{
  guint64 value;

  if (len < 2 || body[0] >> 5 == PING || TARGET (body[0]) > TO_CHANNEL ||
      get_varint (body + 1, len - 1, &value) == 0 || value > G_MAXUINT32)
    return FALSE;
  *session = value;
  return TRUE;
}
