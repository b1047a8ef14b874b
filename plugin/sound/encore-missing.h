/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What to install when GStreamer cannot read something. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* encore_missing_describe: of a missing-plugin MESSAGE, such as "MPEG-4 AAC decoder (Debian package
 * gstreamer1.0-libav)"; without the package where it is not known.  Returns: (transfer full). */
char *encore_missing_describe (GstMessage *message);

/* encore_missing_package: the Debian 12 package that reads CAPS, as an installer detail of
 * GStreamer has them: "decoder-audio/mpeg, mpegversion=(int)4".  Returns: (nullable) (transfer
 * none). */
const char *encore_missing_package (const char *detail);

G_END_DECLS
