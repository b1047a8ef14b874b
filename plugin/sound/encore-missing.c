/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What to install when GStreamer cannot read something. */
#include "config.h"
#include "sound/encore-missing.h"

#include <gst/pbutils/pbutils.h>
#include <string.h>

#define BASE "gstreamer1.0-plugins-base"
#define GOOD "gstreamer1.0-plugins-good"
#define BAD "gstreamer1.0-plugins-bad"
#define UGLY "gstreamer1.0-plugins-ugly"
#define LIBAV "gstreamer1.0-libav"

/* The first that a detail begins with, behind "decoder-"; which package of Debian 12 has the
 * element is what `apt-file search libgst` says. */
static const struct {
  const char *begins, *package;
} PACKAGES[] = {
    {"audio/x-opus", BASE},     {"audio/x-vorbis", BASE},
    {"application/ogg", BASE},  {"audio/mpeg, mpegversion=(int)1", GOOD},
    {"audio/mpeg", LIBAV}, /* AAC */
    {"audio/x-flac", GOOD},     {"audio/x-wavpack", GOOD},
    {"audio/x-wav", GOOD},      {"audio/x-speex", GOOD},
    {"audio/x-musepack", BAD},  {"audio/midi", BAD},
    {"audio/AMR", UGLY},        {"audio/webm", GOOD},
    {"audio/x-matroska", GOOD}, {"audio/x-", LIBAV},
    {"video/webm", GOOD},       {"video/x-matroska", GOOD},
    {"video/quicktime", GOOD},  {"video/x-flv", GOOD},
    {"video/x-msvideo", GOOD},  {"video/mpegts", BAD},
    {"video/x-ms-asf", UGLY},
};

const char *
encore_missing_package (const char *detail)
{
  const char *prefix = "decoder-";

  if (!g_str_has_prefix (detail, prefix))
    return NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (PACKAGES); i++)
    if (g_str_has_prefix (detail + strlen (prefix), PACKAGES[i].begins))
      return PACKAGES[i].package;
  return NULL;
}

char *
encore_missing_describe (GstMessage *message)
{
  g_autofree char *what = gst_missing_plugin_message_get_description (message);
  g_autofree char *detail = gst_missing_plugin_message_get_installer_detail (message);
  /* "gstreamer|1.0|PROGRAM|DESCRIPTION|decoder-CAPS" */
  const char *caps = detail != NULL ? strrchr (detail, '|') : NULL;
  const char *package = caps != NULL ? encore_missing_package (caps + 1) : NULL;

  return package != NULL ? g_strdup_printf ("%s (Debian package %s)", what, package)
                         : g_steal_pointer (&what);
}
