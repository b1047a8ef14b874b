/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Addresses that a site must not send us to.  Private to fetch. */
#pragma once

#include <glib.h>
#include <sys/socket.h>

G_BEGIN_DECLS

/* encore_address_is_public: is it an address of the whole internet?  Not those of this machine, of
 * the local network or link (also where clouds keep their secrets), of a carrier's network,
 * multicast, reserved ones, nor IPv6 addresses that stand for such IPv4 ones.  Threads: any. */
gboolean encore_address_is_public (const struct sockaddr *address);

G_END_DECLS
