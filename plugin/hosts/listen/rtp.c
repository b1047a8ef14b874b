/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "hosts/listen/rtp.h"

#include <string.h>

#define FRAME_SAMPLES 960
#define HEADER_BYTES 12
#define VERSION_2 0x80
#define PAYLOAD_TYPE 96
#define MARKER 0x80

struct Rtp {
  GSocket *socket;
  GSocketAddress *address;
  guint16 number;
  guint32 ssrc;
  guint64 next_seq; /* of the plugin; another one comes after a pause */
  gboolean started;
};

GSocketAddress *
rtp_parse (const char *where, gboolean may_resolve, GError **error)
{
  g_autoptr (GSocketConnectable) host = g_network_address_parse (where, RTP_PORT, error);

  if (host == NULL)
    return NULL;
  if (may_resolve) {
    g_autoptr (GSocketAddressEnumerator) all = g_socket_connectable_enumerate (host);
    return g_socket_address_enumerator_next (all, NULL, error);
  }
  const char *name = g_network_address_get_hostname (G_NETWORK_ADDRESS (host));
  GSocketAddress *address = g_inet_socket_address_new_from_string (
      name, g_network_address_get_port (G_NETWORK_ADDRESS (host)));
  if (address == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                 "'%s' is no number of an address: rtp://ADDRESS:PORT", name);
  return address;
}

Rtp *
rtp_new (GSocketAddress *address, GError **error)
{
  GSocket *socket = g_socket_new (g_socket_address_get_family (address), G_SOCKET_TYPE_DATAGRAM,
                                  G_SOCKET_PROTOCOL_UDP, error);

  if (socket == NULL)
    return NULL;
  Rtp *self = g_new0 (Rtp, 1);
  g_socket_set_blocking (socket, FALSE);
  self->socket = socket;
  self->address = g_object_ref (address);
  self->ssrc = g_random_int ();
  self->number = g_random_int ();
  return self;
}

void
rtp_send (Rtp *self, guint64 seq, const void *packet, gsize len)
{
  const guint32 timestamp = GUINT32_TO_BE ((guint32) (seq * FRAME_SAMPLES));
  const guint32 ssrc = GUINT32_TO_BE (self->ssrc);
  const guint16 number = GUINT16_TO_BE (self->number);
  guint8 datagram[2048] = {VERSION_2, PAYLOAD_TYPE};

  if (len > sizeof datagram - HEADER_BYTES)
    return;
  if (!self->started || seq != self->next_seq)
    datagram[1] |= MARKER;
  memcpy (datagram + 2, &number, 2);
  memcpy (datagram + 4, &timestamp, 4);
  memcpy (datagram + 8, &ssrc, 4);
  memcpy (datagram + HEADER_BYTES, packet, len);
  g_socket_send_to (self->socket, self->address, (const char *) datagram, HEADER_BYTES + len, NULL,
                    NULL);
  self->number++;
  self->next_seq = seq + 1;
  self->started = TRUE;
}

void
rtp_free (Rtp *self)
{
  if (self == NULL)
    return;
  g_object_unref (self->socket);
  g_object_unref (self->address);
  g_free (self);
}
