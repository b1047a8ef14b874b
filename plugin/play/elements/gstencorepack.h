/* SPDX-License-Identifier: LGPL-2.1-or-later
 * encorepack: Opus in, Opus of 20 ms out, at another volume where asked. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_ENCORE_PACK (gst_encore_pack_get_type ())
G_DECLARE_FINAL_TYPE (GstEncorePack, gst_encore_pack, GST, ENCORE_PACK, GstElement)

G_END_DECLS
