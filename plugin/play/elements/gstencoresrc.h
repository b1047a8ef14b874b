/* SPDX-License-Identifier: LGPL-2.1-or-later
 * encoresrc: the bytes of one cached song, for playbin and demuxers. */
#pragma once

#include <gst/base/gstbasesrc.h>

G_BEGIN_DECLS

#define GST_TYPE_ENCORE_SRC (gst_encore_src_get_type ())
G_DECLARE_FINAL_TYPE (GstEncoreSrc, gst_encore_src, GST, ENCORE_SRC, GstBaseSrc)

G_END_DECLS
