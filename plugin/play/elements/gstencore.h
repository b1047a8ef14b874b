/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What the elements share, and how a bot makes them known to GStreamer. */
#pragma once

#include <gst/gst.h>

#include "play/encore-entry.h"

G_BEGIN_DECLS

/* gst_encore_register: our elements, in a process that has not found them by itself.  After
 * gst_init().  Returns: FALSE with FAILED if another copy of the module was there first. */
gboolean gst_encore_register (GError **error);

/* The properties `uri` and `cache-dir` of elements that read. */
void gst_encore_install_entry_properties (GObjectClass *klass, guint uri, guint cache_dir);

/* gst_encore_open_entry: encore_entry_open() that posts its error as ELEMENT's. */
EncoreEntry *gst_encore_open_entry (GstElement *element, const char *uri, const char *cache_dir);

G_END_DECLS
