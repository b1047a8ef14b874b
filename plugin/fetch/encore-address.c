/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The special-purpose address registries of IANA (RFC 6890 and later). */
#include "config.h"
#include "fetch/encore-address.h"

#include <netinet/in.h>
#include <string.h>

typedef struct {
  guint32 net;
  guint bits;
} Net4;

static const Net4 SPECIAL4[] = {
    {0x00000000, 8},  /* this network */
    {0x0a000000, 8},  /* private */
    {0x64400000, 10}, /* carriers */
    {0x7f000000, 8},  /* loopback */
    {0xa9fe0000, 16}, /* link-local, metadata of clouds */
    {0xac100000, 12}, /* private */
    {0xc0000000, 24}, /* protocols */
    {0xc0000200, 24}, /* examples */
    {0xc0a80000, 16}, /* private */
    {0xc6120000, 15}, /* benchmarks */
    {0xc6336400, 24}, /* examples */
    {0xcb007100, 24}, /* examples */
    {0xe0000000, 4},  /* multicast */
    {0xf0000000, 4},  /* reserved, broadcast */
};

static gboolean
is_public4 (guint32 address)
{
  for (gsize i = 0; i < G_N_ELEMENTS (SPECIAL4); i++)
    if ((address ^ SPECIAL4[i].net) >> (32 - SPECIAL4[i].bits) == 0)
      return FALSE;
  return TRUE;
}

static guint32
be32 (const guint8 *p)
{
  return (guint32) p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

/* Only 2000::/3 is given out. */
static gboolean
is_public6 (const guint8 *a)
{
  static const guint8 mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  static const guint8 nat64[12] = {0, 0x64, 0xff, 0x9b};

  if (memcmp (a, mapped, sizeof mapped) == 0 || memcmp (a, nat64, sizeof nat64) == 0)
    return is_public4 (be32 (a + 12));
  if (a[0] == 0x20 && a[1] == 0x02) /* 6to4 */
    return is_public4 (be32 (a + 2));
  if (be32 (a) == 0x20010000 || be32 (a) == 0x20010db8) /* Teredo, examples */
    return FALSE;
  return (a[0] & 0xe0) == 0x20;
}

gboolean
encore_address_is_public (const struct sockaddr *address)
{
  if (address->sa_family == AF_INET)
    return is_public4 (g_ntohl (((const struct sockaddr_in *) address)->sin_addr.s_addr));
  if (address->sa_family == AF_INET6)
    return is_public6 (((const struct sockaddr_in6 *) address)->sin6_addr.s6_addr);
  return FALSE;
}
